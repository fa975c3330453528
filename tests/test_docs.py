"""What README.md and the format's reference show is run here, and is as they show it."""

from __future__ import annotations

import os
import re
import shlex
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
import redis

from gitbackup import Backup
from gitbackup.cli.app import COMMANDS
from gitbackup.format import codec, layout
from gitbackup.kinds import CORE
from gitbackup.snapshot import file_format
from tests.kinds.examples import EXAMPLES
from tests.schemas import check, named
from tests.servers import LiveServer, StartServer

PROJECT = Path(__file__).parent.parent
README = (PROJECT / "README.md").read_text("utf-8")
FORMAT = (PROJECT / "data-git-backup" / "README.md").read_text("utf-8")
URL = "redis://localhost:6379"
HOME = "/home/me"

CHANGING = (
    (re.compile(r"\b[0-9a-f]{40}\b"), "ID"),
    (re.compile(r"\b(?=[0-9a-f]*[0-9])[0-9a-f]{7}\b(?!-)|\b[a-f]{7}\b"), "SHORT"),
    (re.compile(r"\d{4}-\d\d-\d\d \d\d:\d\d(:\d\d UTC)?"), "DATE"),
    (re.compile(r"(?<=SHORT  )\d{4}-\d\d-\d\d"), "DAY"),
    (re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d{3})?(Z|\+00:00)"), "INSTANT"),
    (re.compile(r"just now|\d+ \w+ ago"), "AGE"),
    (re.compile(r"(Redis|Valkey) [\d.]+ standalone at [^\s:]+:\d+"), "SERVER"),
    (re.compile(r"(?<=into )Valkey [\d.]+|(?<=\"server\": \")Valkey [\d.]+"), "VALKEY"),
    (re.compile(r"(?<=\"gitbackup\": \")[^\"]+"), "VERSION"),
    (re.compile(r"\b\d+\.\d s\b|(?<=\"seconds\": )[\d.]+"), "SECONDS"),
    (re.compile(r"redis-cli -h 127\.0\.0\.1 -p \d+"), "redis-cli"),
    (re.compile(r"dump-\d{8}-\d{6}"), "FILE"),
    (re.compile(r"\d+ bytes|\d+\.\d kB"), "SIZE"),
    (re.compile(r"(Redis|Valkey) [\d.]+, RDB version \d+"), "WRITER"),
)
"""What differs from run to run, and what stands for it."""


def blocks(document: str, language: str) -> list[str]:
    return re.findall(rf"^```{language}\n(.*?)^```", document, re.MULTILINE | re.DOTALL)


def steps(block: str) -> Iterator[tuple[str, str]]:
    """The commands of a console block, each with the output that follows it."""
    for part in re.split(r"^\$ ", block, flags=re.MULTILINE)[1:]:
        command, _, output = part.partition("\n")
        yield command, output


def same_each_time(output: str) -> str:
    for changing, constant in CHANGING:
        output = changing.sub(constant, output)
    return output


class Shell:
    """Runs a document's commands in one folder, one after the other."""

    def __init__(self, folder: Path, server: LiveServer) -> None:
        self._folder = folder
        self._server = server
        self._client: redis.Redis = server.client()
        path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
        self._environment = {**os.environ, "PATH": path, "COLUMNS": "80"}

    def run(self, command: str) -> str:
        """The command's output. `redis-cli` need not be installed, and prints nothing."""
        command = command.replace(URL, self._server.address)
        words = shlex.split(command)
        if words[0] == "redis-cli":
            self._client.execute_command(*words[1:])
            return ""
        if words[0] == "export":
            self._environment |= dict(word.split("=", 1) for word in words[1:])
            return ""
        done = subprocess.run(
            words, cwd=self._folder, env=self._environment, capture_output=True, check=False
        )
        return (done.stdout + done.stderr).decode().replace(str(self._folder), HOME)

    def python(self, program: str) -> None:
        program = program.replace(URL, self._server.address)
        words = [sys.executable, "-c", program]
        subprocess.run(words, cwd=self._folder, env=self._environment, check=True)


@pytest.fixture
def shell(tmp_path: Path, start_server: StartServer) -> Shell:
    """With the database that README begins with."""
    server = start_server(tcp=True)
    client = server.client()
    client.hset("apikey:42", mapping={"name": "alice", "createdAt": "2026-11-22"})
    client.hset("apikey:hash_map", mapping={"9f2c": "42"})
    client.sadd("account:index", "eu-1")
    client.hset("account:eu-1", mapping={"status": "active", "token": "tok-eu"})
    client.set("config", '{"limits": {"daily": 100, "hourly": 10}}')
    client.hset("usage:42:2026-11-22", mapping={"requests": 17, "tokens": 5120})
    client.pexpireat("usage:42:2026-11-22", 4_102_444_800_000)
    return Shell(tmp_path, server)


@pytest.mark.long
def test_every_example_of_the_readme(shell: Shell) -> None:
    """In the order of the page, with the output that it shows, and the Python program too."""
    for block in blocks(README, "console"):
        for command, shown in steps(block):
            output = shell.run(command)
            assert same_each_time(shown) == same_each_time(output), command
    for program in blocks(README, "python"):
        shell.python(program)


def test_every_object_in_the_readme_is_as_its_schema_has_it() -> None:
    """And all are shown but for what goes to and comes from elsewhere, what is hidden, and what
    RDB files are named."""
    shown = re.findall(r'^\{"schema": ?".*$', README, re.MULTILINE)
    names = {check(line)["schema"] for line in shown}
    elsewhere = {f"gitbackup.{name}/1" for name in ("push", "pull", "clone", "hidden")}
    elsewhere |= {f"gitbackup.{name}/1" for name in ("rdb", "rdb-save", "rdb-verify")}
    assert names == {*named()} - elsewhere


def test_every_command_is_in_the_readme() -> None:
    """Whatever `gitbackup --help` lists."""
    assert [name for name in COMMANDS if f"gitbackup {name}" not in README] == []


def test_every_exit_code_is_in_the_readme() -> None:
    """As the errors have them."""
    from gitbackup import errors

    classes = [value for value in vars(errors).values() if isinstance(value, type)]
    codes = {error.exit_code for error in classes if issubclass(error, errors.GitbackupError)}
    assert set() == {code for code in codes if f"| {code} |" not in README}


def test_the_format_reference_has_the_rule_of_the_layout() -> None:
    """Word for word what the code says that it does."""
    rule = (layout.__doc__ or "").partition("1.  ")[2].strip()
    assert rule in FORMAT


@pytest.mark.parametrize("example", blocks(FORMAT, "json"))
def test_every_example_of_the_format_reference(
    example: str, tmp_path: Path, valkey: LiveServer
) -> None:
    """It is canonical to the byte; and what a server can hold comes back from one so."""
    if '"format"' in example:
        scope = file_format.read_manifest(example.encode())
        assert example.encode() == file_format.manifest(scope)
        return
    found = file_format.decode_file("db0/_.json", example.encode())
    entries = {key.name: entry for key, entry in found.items()}
    assert example.encode() == codec.encode(entries)
    if {entry["type"] for entry in entries.values()} <= CORE:
        assert example == _through_a_server(tmp_path, valkey, example)


@pytest.mark.long
@pytest.mark.parametrize("name", [name for name, some in EXAMPLES.items() if some.brand])
def test_every_example_of_a_type_that_few_servers_know(
    name: str, tmp_path: Path, running: Callable[[str], LiveServer]
) -> None:
    (example,) = (block for block in blocks(FORMAT, "json") if f'"type": "{name}"' in block)
    server = running(EXAMPLES[name].brand)
    assert example == _through_a_server(tmp_path, server, example)


def _through_a_server(folder: Path, server: LiveServer, example: str) -> str:
    """Commits the example by hand, restores it, and commits what the server then holds."""
    backup = Backup(folder, server.url)
    backup.commit("nothing yet")
    (folder / "db0").mkdir()
    (folder / "db0" / "_.json").write_text(example, "utf-8")
    identity = ["-c", "user.name=a person", "-c", "user.email=a@example.org"]
    for words in (["add", "."], [*identity, "commit", "--quiet", "-m", "by hand"]):
        subprocess.run(["git", "-C", str(folder), *words], check=True)
    assert Backup(folder, server.url).restore("HEAD", lambda plan: True).whole
    again = Backup(folder, server.url).commit("by gitbackup", allow_empty=True)
    assert again.summary.counts.changed == 0
    return (folder / "db0" / "_.json").read_text("utf-8")
