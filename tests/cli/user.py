"""A person at the keyboard: runs gitbackup, here or in a process, and reads what it says."""

from __future__ import annotations

import fcntl
import os
import pty
import re
import struct
import subprocess
import sys
import termios
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from textwrap import dedent
from typing import Any

import redis

from gitbackup.cli.app import code_of
from tests.schemas import check
from tests.servers import LiveServer
from tests.store.plain import run_git

HOUSE = Path(__file__).parents[2]
GITBACKUP = (sys.executable, "-m", "gitbackup")
APART = ("--exclude=refs/notes/*", "--exclude=refs/gitbackup/*")
HISTORY = ("rev-list", *APART, "--all", "--topo-order", "--reverse")
ID = re.compile(r"[0-9a-f]{7}")
AGO = r"(?:just now|\d+ (?:second|minute)s? ago)"
"""How old what a test has made may be, as it is told."""
AGE = re.compile(rf"\({AGO}\)")
MINUTE = re.compile(r"\d{4}-\d\d-\d\d \d\d:\d\d(?= \(AGE\))")
MOMENT = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(?:\.\d{3})?(?:Z|\+00:00)")
SERVER = re.compile(r"(?:Valkey|Redis) [\d.]+ standalone at ")


@dataclass(frozen=True)
class Done:
    """How a command ended, and what it said."""

    code: int
    out: str
    err: str


class User:
    """Works in the current folder, on one server."""

    repo = Path("data-git-backup")

    def __init__(self, server: LiveServer, captured: Callable[[], tuple[str, str]]) -> None:
        self.server = server
        self.redis: redis.Redis = server.client()
        self.captured = captured

    def run(self, *words: str) -> Done:
        """`gitbackup <words>`, in this process."""
        self.captured()
        code = code_of(list(words))
        out, err = self.captured()
        _check_json(words, out, err)
        return Done(code, self.normal(out), self.normal(err))

    def says(self, *words: str) -> str:
        """The output of a command that goes well, and has nothing to complain of."""
        done = self.run(*words)
        assert (done.code, done.err) == (0, "")
        return done.out

    def process(self, *words: str, env: Mapping[str, str] = {}, **how: Any) -> Done:
        """`gitbackup <words>`, in a process of its own."""
        how = {"stdin": subprocess.DEVNULL, "capture_output": True, **how}
        done = subprocess.run(
            [*GITBACKUP, *words], env=surroundings(env), text=True, check=False, **how
        )
        _check_json(words, done.stdout or "", done.stderr or "")
        return Done(done.returncode, self.normal(done.stdout or ""), self.normal(done.stderr or ""))

    def at_terminal(self, *words: str, types: str, asked: str = "]: ") -> Done:
        """`gitbackup <words>` at a pseudo-terminal, where the person answers the question."""
        ours, theirs = pty.openpty()
        child = subprocess.Popen(
            [*GITBACKUP, *words],
            env=surroundings({}),
            stdin=theirs,
            stderr=theirs,
            stdout=subprocess.PIPE,
            text=True,
            start_new_session=True,
        )
        os.close(theirs)
        shown = until(ours, asked.encode())
        os.write(ours, types.encode())
        out, _ = child.communicate(timeout=30)
        shown += rest(ours)
        return Done(child.returncode, self.normal(out), self.normal(shown.decode()))

    def on_screen(self, *words: str, env: Mapping[str, str] = {}, columns: int = 80) -> Done:
        """`gitbackup <words>`, its output on a terminal of that width."""
        ours, theirs = pty.openpty()
        fcntl.ioctl(theirs, termios.TIOCSWINSZ, struct.pack("HHHH", 24, columns, 0, 0))
        around = surroundings({"TERM": "xterm", "PAGER": "cat", **env})
        around.pop("COLUMNS", None)  # it would be believed more than the terminal
        child = subprocess.Popen(
            [*GITBACKUP, *words],
            env=around,
            stdin=subprocess.DEVNULL,
            stdout=theirs,
            stderr=subprocess.PIPE,
            text=True,
        )
        os.close(theirs)
        shown = rest(ours)
        _, err = child.communicate(timeout=30)
        return Done(child.returncode, self.normal(shown.decode()), self.normal(err))

    def commits(self) -> list[str]:
        """The ids of all commits, the first one first."""
        if not self.repo.exists():
            return []
        listed = run_git(self.repo, *HISTORY)
        return listed.stdout.decode().split()

    def state(self) -> tuple[object, ...]:
        """All that a command which fails must leave alone: data, commits, work tree."""
        dump = self.redis.execute_command("DEBUG", "DIGEST")
        if not self.repo.exists():
            return dump, None
        asked = ("rev-parse", "HEAD"), ("status", "--porcelain"), ("for-each-ref",)
        return dump, *(run_git(self.repo, *words).stdout for words in asked)

    def normal(self, text: str) -> str:
        """The text with commits as ID1 or id1, and times, ages and the server by name."""
        for number, commit in enumerate(self.commits() if ID.search(text) else [], 1):
            text = text.replace(commit, f"ID{number}").replace(commit[:7], f"id{number}")
        text = SERVER.sub("", text.replace("\r\n", "\n")).replace(self.place, "SERVER")
        text = text.replace(str(Path.cwd()), "HERE")
        return MINUTE.sub("MINUTE", AGE.sub("(AGE)", MOMENT.sub(_moment, text)))

    @property
    def place(self) -> str:
        address = self.server.address
        return address if address.startswith("unix") else address.partition("://")[2]


def _check_json(words: Sequence[str], out: str, err: str) -> None:
    """Whatever a command prints for a program is as its schema has it, in every test."""
    if "--json" in words:
        errors = [line for line in err.split("\n") if line[:1] == "{"]
        for line in filter(None, [*out.split("\n"), *errors]):
            check(line)


def surroundings(more: Mapping[str, str]) -> dict[str, str]:
    buffered = {"PYTHONUNBUFFERED": "", "PYTHONPATH": str(HOUSE)}  # as it is for who sets nothing
    return {**os.environ, **buffered, **more}


def until(terminal: int, what: bytes) -> bytes:
    """What a terminal shows up to `what`; all, where that never comes."""
    shown = b""
    while not shown.endswith(what):
        try:
            shown += os.read(terminal, 1)
        except OSError:  # the other end has closed
            break
    return shown


def rest(terminal: int) -> bytes:
    shown = until(terminal, b"\0")
    os.close(terminal)
    return shown


def text(block: str) -> str:
    """A block of lines as a command prints it."""
    return dedent(block).lstrip("\n")


def _moment(found: re.Match[str]) -> str:
    """Only instants of today are ours; those in the data stay."""
    try:
        age = datetime.now(UTC) - datetime.fromisoformat(found[0])
    except ValueError:  # no calendar has it
        return found[0]
    return "NOW" if abs(age.total_seconds()) < 3600 else found[0]
