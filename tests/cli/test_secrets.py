"""A password is nobody's business: not in what is said, not in commits, not in a process list."""

from __future__ import annotations

import os
import subprocess
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
import redis

from gitbackup.cli.command_list import FAMILIES
from tests.cli.user import GITBACKUP, Done, User, surroundings
from tests.meanwhile import meanwhile
from tests.servers import LiveServer, StartServer
from tests.store.plain import git
from tests.web import git_host

pytestmark = pytest.mark.few(1)

SECRET = f"s3cr3t-p4ss-{os.getpid()}"


@pytest.fixture
def locked(start_server: StartServer) -> LiveServer:
    server = start_server(requirepass=SECRET)
    return LiveServer(server.brand, server.url.replace("unix://", f"unix://:{SECRET}@"))


def everything_said(user: User, url: str) -> str:
    """What every command says, as text and as JSON, and when it fails."""
    with LiveServer("", url).client() as client:
        client.set("a", 1)
    lines = []
    for words in (
        ["init", "--url", url],
        ["commit"],
        ["commit", "--json", "--allow-empty"],
        ["status"],
        ["status", "--json"],
        ["log", "--json"],
        ["show"],
        ["diff", "HEAD~1", "--json"],
        ["restore", "HEAD", "--dry-run", "--json"],
        ["restore", "HEAD", "--yes", "--to", url],
        ["restore", "HEAD", "--to", url.replace(SECRET, SECRET + "!"), "--yes", "--json"],
        ["commit", "--url", url.replace("unix://", "redis://") + "?nope=1"],
        ["commit", "--url", url.replace("unix://", "http://"), "--json"],
        ["commit", "--url", url.replace("unix://", "unix:/"), "--json"],
        ["commit", "--url", url, "--nope"],
        ["commit", "--url", url.replace("/sock", "/nowhere")],
    ):
        done = user.run(*words)
        lines += [done.out, done.err]
    return "".join(lines)


def test_no_password_is_ever_said(
    user: User, locked: LiveServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("REDIS_URL")
    said = everything_said(user, locked.url)
    assert "does not accept this user name and password" in said
    assert SECRET not in said


def test_no_password_is_in_the_history(user: User, locked: LiveServer) -> None:
    user.says("init", "--url", locked.url)
    user.says("commit", "--url", locked.url, "--allow-empty")
    told = git(user.repo, "log", "--all", "-p", "--format=raw", "--root")
    assert "Taken-At" in told
    assert SECRET not in told


def test_a_password_in_the_settings_is_for_its_owner_alone(user: User, locked: LiveServer) -> None:
    user.says("init", "--url", locked.url)
    config = user.repo / ".git" / "config"
    assert SECRET in config.read_text()
    assert (config.stat().st_mode & 0o077, user.repo.stat().st_mode & 0o077) == (0, 0)
    said = [file for file in Path().rglob("*") if file.is_file() and file != config]
    assert not [file for file in said if SECRET.encode() in file.read_bytes()]


@pytest.mark.long
def test_no_password_of_a_remote_is_said_or_in_a_command_line(user: User, tmp_path: Path) -> None:
    user.says("commit", "--allow-empty")
    git(tmp_path, "init", "--quiet", "--bare", "host/r.git")
    git(tmp_path / "host" / "r.git", "config", "http.receivepack", "true")
    lines = []
    with git_host(tmp_path / "host", f"me:{SECRET}") as host, watched() as seen:
        url = f"http://me:{SECRET}@{host}/r.git"
        git(user.repo, "config", "remote.origin.url", url)
        git(user.repo, "config", "remote.wrong.url", url.replace(SECRET, SECRET + "!"))
        for words in (
            ["push", "origin"],
            ["push", "origin", "--json"],
            ["pull", "origin"],
            ["pull", "wrong"],
            ["push", "wrong", "--json"],
            ["status"],
            ["status", "--json"],
            ["clone", url, "copy"],
            ["clone", url, "copy"],
            ["clone", url.replace(SECRET, SECRET + "/"), "other", "--json"],
            ["push", url.replace("/r.git", "/nowhere.git")],
        ):
            done = user.run(*words)
            lines += [done.out, done.err]
    said = "".join(lines)
    assert "pushed 1 commit to origin" in said
    assert "cloned 1 commit of http://" in said
    assert SECRET not in said
    assert any(b"remote-http" in line for line in seen)
    assert not [line for line in seen if SECRET.encode() in line and b"config" not in line]


@pytest.mark.long
def test_no_password_is_in_a_command_line_of_a_child(user: User, locked: LiveServer) -> None:
    url = locked.url
    with LiveServer("", url).client() as client:
        client.mset({f"user:{number}": "x" * 100 for number in range(20_000)})
    with watched() as seen:

        def run(*words: str) -> None:
            command, environment = [*GITBACKUP, *words], surroundings({"REDIS_URL": ""})
            subprocess.run(command, env=environment, check=True, capture_output=True)

        run("init", "--url", url)
        for _ in range(50):  # who looks may have been kept waiting
            run("commit", "--allow-empty")
            if any(b"update-ref" in line for line in seen.copy()):
                break
    children = {line for line in seen if Path(os.fsdecode(line).partition("\0")[0]).name == "git"}
    assert any(b"update-ref" in line for line in children)
    assert not [line for line in children if SECRET.encode() in line]


COMMANDS = [
    ["init", "--exclude", "nothing:*"],
    ["commit", "-m", "begin"],
    ["commit", "--json", "--allow-empty"],
    ["config", "list"],
    ["config", "list", "--json"],
    ["config", "add", "quiet", "calm:*"],
    ["note", "-m", "why"],
    ["status"],
    ["status", "--json"],
    ["log"],
    ["log", "--json"],
    ["log", "--html", "log.html"],
    ["log", "-S", "1"],
    ["log", "--when", "a = 1", "--json"],
    ["show"],
    ["show", "HEAD:a"],
    ["show", "--raw", "HEAD:a"],
    ["diff", "HEAD~1", "--json"],
    ["diff", "--html", "diff.html"],
    ["diff", "HEAD~1", "--format", "redis"],
    ["blame", "a"],
    ["keys"],
    ["keys", "--changed-since", "HEAD~1"],
    ["check"],
    ["check", "--json"],
    ["check", "--rights", "restore"],
    ["export", "-o", "live.json"],
    ["export", "HEAD", "--format", "resp", "-o", "then.resp"],
    ["import", "live.json", "--yes"],
    ["copy", "{source}", "{target}", "--yes", "--delete"],
    ["copy", "{source}", "{target}", "--yes", "--json"],
    ["suggest"],
    ["suggest", "--json"],
    ["forget", "b", "--dry-run"],
    ["restore", "HEAD~1", "--dry-run", "--json"],
    ["restore", "HEAD~1", "--dry-run", "-p"],
    ["restore", "HEAD~1", "--yes"],
    ["restore", "HEAD", "--to", "{source}", "--yes"],
    ["undo", "--yes"],
    ["revert", "HEAD", "--yes", "--json"],
    ["verify"],
    ["rdb", "save"],
    ["rdb", "list"],
    ["rdb", "verify", "{rdb}"],
    ["commit", "--rdb", "{rdb}"],
    ["restore", "--rdb", "{rdb}", "--dry-run"],
    ["push", "disk"],
    ["pull"],
    ["clone", "disk", "copy"],
    ["demo"],
    ["help", "commit"],
    ["completion", "bash"],
    ["nope"],
]
FAIL = [
    *(["commit"], ["status", "--json"], ["restore", "HEAD", "--yes"], ["rdb", "save"], ["check"]),
    *(["revert", "HEAD", "--yes"], ["undo", "--yes"], ["watch"], ["import", "live.json", "--yes"]),
    *(["copy", "{source}", "{target}", "--yes"], ["restore", "HEAD", "-i", "--to", "{source}"]),
]


def test_every_command_is_looked_at() -> None:
    pages = "ui"  # does not end by itself: tests/ui/test_secrets.py looks at it
    looked_at = {words[0] for words in (*COMMANDS, *FAIL)} - {"nope"} | {pages}
    assert looked_at == {name for family in FAMILIES for name in family.commands}


@pytest.mark.long
@pytest.mark.parametrize("by", ["url", "environment", "settings", "remote"])
def test_no_command_lets_a_password_out(
    user: User,
    locked: LiveServer,
    start_server: StartServer,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    by: str,
) -> None:
    """Not into an output, a file, a command line, or the environment of a program that it runs."""
    target = start_server(requirepass=SECRET).url
    in_url = target.replace("unix://", f"unix://:{SECRET}@")
    plain = locked.url.replace(f":{SECRET}@", "")
    monkeypatch.setenv("TMPDIR", str(tmp_path))
    monkeypatch.setenv("REDIS_URL", locked.url if by in ("url", "remote") else plain)
    if by == "environment":
        monkeypatch.setenv("REDISCLI_AUTH", SECRET)
        monkeypatch.setenv("GITBACKUP_TARGET_PASSWORD", SECRET)
    if by == "settings":
        monkeypatch.delenv("REDIS_URL")
        user.says("init", "--url", locked.url)
    if by == "remote":
        user.says("init")
        git(user.repo, "remote", "add", "far", f"https://ann:{SECRET}@127.0.0.1:1/far.git")
        git(user.repo, "config", "gitbackup.push-to", "disk")
    client = LiveServer("", locked.url).client()
    client.mset({"a": 1, "b": 2})
    Path("disk").mkdir()

    def run(words: list[str], wrong: str = "") -> Done:
        places = {
            "{source}": locked.url,
            "{target}": target if by == "environment" else in_url,
            "{rdb}": next((str(file) for file in Path().rglob("dump-*.rdb")), ""),
        }
        return user.run(*(places.get(word, word).replace(SECRET, SECRET + wrong) for word in words))

    said = []
    with watched() as lines, watched("environ") as environments:
        for words in COMMANDS:
            client.set("b", 3 if words[0] == "restore" else 2)
            done = run(words)
            said += [done.out, done.err]
            if words[0] != "nope":
                assert done.code in (0, 1, 4), (words, done)  # check may find fault, or a loss
        said += watch_a_change(client)
        monkeypatch.setenv("REDIS_URL", locked.url.replace(SECRET, SECRET + "-wrong"))
        monkeypatch.setenv("REDISCLI_AUTH", SECRET + "-wrong")
        monkeypatch.setenv("GITBACKUP_TARGET_PASSWORD", SECRET + "-wrong")
        for words in (*FAIL, *((["push", "far"], ["pull", "far"]) if by == "remote" else ())):
            done = run(words, "-wrong")
            said += [done.out, done.err]
            assert done.code, words
    client.close()
    assert SECRET not in "".join(said)
    assert not [line for line in lines if SECRET.encode() in line]
    leaks = [around for around in environments if SECRET.encode() in around]
    leaks = [around for around in leaks if b"gitbackup\0watch" not in around]  # it was given that
    leaks = [around for around in leaks if b"user.name=A Person" not in around]  # a test's git
    given = f"GITBACKUP_URL_PASSWORD={SECRET}\0".encode()  # to the git that reaches the remote
    assert not [around for around in leaks if SECRET.encode() in around.replace(given, b"")]
    settings = {user.repo / ".git" / "config"} if by in ("settings", "remote") else set()
    for file in (file for file in Path().rglob("*") if file.is_file() and file not in settings):
        assert SECRET.encode() not in file.read_bytes(), file
    history = git(user.repo, "log", "--all", "-p", "--format=raw", "--root")
    assert SECRET not in history


def watch_a_change(client: redis.Redis) -> list[str]:
    """What a watch says, in a process of its own, that commits a change."""
    command = [*GITBACKUP, "watch", "--quiet", "0.1"]
    pipe, around = subprocess.PIPE, surroundings({})
    with subprocess.Popen(command, env=around, stdout=pipe, stderr=pipe, text=True) as watching:
        assert watching.stdout is not None
        said = []
        for line in watching.stdout:
            said.append(line)
            if line.startswith("watching "):
                client.set("watched", 1)
            if "watched" in line:
                watching.terminate()
        assert watching.stderr is not None
        return [*said, watching.stderr.read()]


@contextmanager
def watched(what: str = "cmdline") -> Iterator[set[bytes]]:
    """Every command line, or every environment, that is to be seen while the context lasts."""
    seen: set[bytes] = set()
    with meanwhile(lambda done: watch(done, seen, what)):
        yield seen


def watch(done: threading.Event, seen: set[bytes], what: str) -> None:
    """Every command line, or every environment, that is to be seen, until it is done."""
    while not done.is_set():
        for process in Path("/proc").glob("[0-9]*"):
            try:
                found = (process / what).read_bytes()
                more = (process / "cmdline").read_bytes() if what != "cmdline" else b""
                if more or what == "cmdline":  # else it has ended, and cannot be told by its words
                    seen.add(found + more)
            except OSError:
                continue
