"""The pages for people, README.md and those in docs/: what is on them, and how their examples run.

A console block shows commands, each after `$ `, and what they print. The commands of a page run in
one folder, one after the other, on a server with a small database. A comment `<!-- before` holds
commands that come before the first block, so that each page can be run by itself.

    python -m tests.pages docs/look.md    # writes what the commands print today into the page
"""

from __future__ import annotations

import os
import re
import shlex
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache
from pathlib import Path
from tempfile import TemporaryDirectory

import redis

from gitbackup.live.server.embedded import EmbeddedServer

PROJECT = Path(__file__).parent.parent
URL = "redis://localhost:6379"
HOME = "/home/me"
BLOCK = re.compile(r"^```(\w*)\n(.*?)^```", re.MULTILINE | re.DOTALL)
CONSOLE = re.compile(r"^```console\n(.*?)^```", re.MULTILINE | re.DOTALL)
HEADING = re.compile(r"^(#+) (.*)$", re.MULTILINE)
BEFORE = re.compile(r"^<!-- before\n(.*?)^-->", re.MULTILINE | re.DOTALL)

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
    (re.compile(r"(?<=\S)\n {20,}(?=\S)"), " "),  # by how wide an age is, a cell's line ends
)
"""What differs from run to run, and what stands for it."""


def pages() -> list[Path]:
    """All pages, README.md first."""
    return [*sorted(PROJECT.glob("README*.md")), *sorted((PROJECT / "docs").rglob("*.md"))]


def name_of(page: Path) -> str:
    return page.relative_to(PROJECT).as_posix()


def is_translation(name: str) -> bool:
    """Whether the page is in Chinese. Its examples are those of the English page."""
    return name == "README.zh-CN.md" or name.startswith("docs/zh/")


def blocks(page: str, language: str) -> list[str]:
    return [block for found, block in BLOCK.findall(page) if found == language]


def steps(block: str) -> Iterator[tuple[str, str]]:
    """The commands of a console block, each with the output that follows it."""
    for part in re.split(r"^\$ ", block, flags=re.MULTILINE)[1:]:
        command, _, output = part.partition("\n")
        yield command, output


def before(page: str) -> list[str]:
    """The commands that come before the first block."""
    return [line for comment in BEFORE.findall(page) for line in comment.splitlines()]


def links(name: str, text: str) -> list[tuple[str, str]]:
    """The files of the project that a text of the page `name` links to, from the project's folder
    on, with the anchor."""
    found = []
    for target in re.findall(r"\]\(([^)\s]+)\)", BLOCK.sub("", text)):
        path, _, anchor = target.partition("#")
        if "://" not in target:
            whole = (PROJECT / name).parent / path if path else PROJECT / name
            found.append((whole.resolve().relative_to(PROJECT.resolve()).as_posix(), anchor))
    return found


@cache
def anchors(path: str) -> list[str]:
    """Of a page's headings, in order, as code hosts make them."""
    text = BLOCK.sub("", (PROJECT / path).read_text("utf-8"))
    plain = [
        re.sub(r"[^\w\s-]", "", heading).strip().lower() for _, heading in HEADING.findall(text)
    ]
    return [heading.replace(" ", "-") for heading in plain]


def same_each_time(output: str) -> str:
    for changing, constant in CHANGING:
        output = changing.sub(constant, output)
    return output


class Shell:
    """Runs a page's commands in one folder, one after the other."""

    def __init__(self, folder: Path, address: str) -> None:
        """`address` is the URL of the server, on which the small database is set up. The folder is
        the reader's home, and has one of a cloud drive."""
        self._folder = folder
        (folder / "Dropbox").mkdir()
        self._address = address
        self._client = redis.Redis.from_url(address)
        path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
        here = {"PATH": path, "HOME": str(folder), "COLUMNS": "80", "REDIS_URL": address}
        self._environment = {**os.environ, **here}
        self._fill()

    def _fill(self) -> None:
        """The database that README.md begins with."""
        client = self._client
        client.hset("apikey:42", mapping={"name": "alice", "createdAt": "2026-11-22"})
        client.hset("apikey:hash_map", mapping={"9f2c": "42"})
        client.sadd("account:index", "eu-1")
        client.hset("account:eu-1", mapping={"status": "active", "token": "tok-eu"})
        client.set("config", '{"limits": {"daily": 100, "hourly": 10}}')
        client.hset("usage:42:2026-11-22", mapping={"requests": 17, "tokens": 5120})
        client.pexpireat("usage:42:2026-11-22", 4_102_444_800_000)

    def run(self, command: str) -> str:
        """The command's output. `redis-cli` need not be installed, and prints nothing."""
        command = command.replace(URL, self._address)
        words = [re.sub("^~(?=/)", str(self._folder), word) for word in shlex.split(command)]
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
        program = program.replace(URL, self._address)
        words = [sys.executable, "-c", program]
        subprocess.run(words, cwd=self._folder, env=self._environment, check=True)


def written_anew(page: str, shell: Shell) -> str:
    """The page with what its commands print; as it is where only times and ids would differ."""
    for command in before(page):
        shell.run(command)
    anew = CONSOLE.sub(lambda found: _run_anew(found[1], shell), page)
    return page if same_each_time(anew) == same_each_time(page) else anew


def _run_anew(block: str, shell: Shell) -> str:
    told = (f"$ {command}\n{presentable(shell.run(command))}" for command, _ in steps(block))
    return f"```console\n{''.join(told)}```"


def presentable(output: str) -> str:
    """With a server as a reader has it."""
    output = re.sub(r"127\.0\.0\.1:\d+", "localhost:6379", output)
    return re.sub(r"redis-cli -h 127\.0\.0\.1 -p \d+", "redis-cli", output)


@contextmanager
def a_server() -> Iterator[str]:
    """A server as a reader has one: that on the PATH, at a port. Yields its URL."""
    from tests.servers import BRANDS, free_port, program  # deferred: its fixtures need pytest

    port = free_port()
    with EmbeddedServer(program([*BRANDS][-1]), {"bind": "127.0.0.1", "port": str(port)}):
        yield f"redis://127.0.0.1:{port}"


def main() -> None:
    for page in map(Path, sys.argv[1:]):
        with TemporaryDirectory() as folder, a_server() as address:
            anew = written_anew(page.read_text("utf-8"), Shell(Path(folder), address))
            page.write_text(anew, "utf-8")


if __name__ == "__main__":
    main()
