"""Lines for `redis-cli`, fed to it; where there is none, read by its grammar and sent."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
from collections.abc import Iterable, Iterator

import pytest

from gitbackup.kinds import Command
from gitbackup.report.text.redis_cli import command_line
from tests.databases import send
from tests.servers import LiveServer

WORD = re.compile(
    rb"""
    " ((?: [^"\\] | \\. )*) " (?= \s | $ )  # in double quotes
  | ' ((?: [^'\\] | \\. )*) ' (?= \s | $ )  # in single quotes
  | ([^\s"']+)
    """,
    re.VERBOSE,
)
ESCAPE = re.compile(rb"\\(x[0-9a-fA-F]{2}|.)")
BRIEF = {b"n": b"\n", b"r": b"\r", b"t": b"\t", b"b": b"\b", b"a": b"\a"}


def lines(commands: Iterable[Command]) -> str:
    """The commands as text, one a line."""
    return "".join(f"{command_line(command)}\n" for command in commands)


def words(line: bytes) -> Iterator[bytes]:
    """The words of a line, split as sdssplitargs of Redis does."""
    at = 0
    while at < len(line):
        found = WORD.match(line, at)
        assert found, line
        double, single, bare = found.groups()
        if double is not None:
            yield ESCAPE.sub(_escaped, double)
        else:
            yield bare if single is None else single.replace(rb"\'", b"'")
        at = found.end() + 1
        assert line[found.end() : at] in (b" ", b""), line


def _escaped(found: re.Match[bytes]) -> bytes:
    name = found[1]
    return bytes([int(name[1:], 16)]) if len(name) == 3 else BRIEF.get(name, name)


def feed(server: LiveServer, text: str) -> None:
    """Has the server do what the lines say; each has to go well."""
    program = shutil.which("redis-cli")
    if program:
        place = server.address.removeprefix("unix://")
        where = ["-s", place] if place != server.address else ["-u", server.address]
        fed = subprocess.run([program, *where], input=text.encode(), capture_output=True)
        assert (fed.returncode, fed.stderr) == (0, b"")
        assert not re.search(rb"(?m)^(?:ERR|WRONGTYPE|BUSY\w+|Invalid) ", fed.stdout), fed.stdout
        return
    if os.environ.get("CI"):
        pytest.fail(
            "there is no redis-cli on the PATH: Debian has it in redis-tools", pytrace=False
        )
    with server.client() as client:
        commands = [tuple(words(line)) for line in text.encode().split(b"\n")[:-1]]
        send(client, [*commands, ("SELECT", 0)])
