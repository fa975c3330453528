"""The servers that are measured: the system's own where there is one, and no others' business."""

from __future__ import annotations

import os
import re
import select
import shutil
import socket
import subprocess
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from gitbackup.live.server.embedded import EmbeddedServer, find_server

OLDEST = 7
SETTINGS = {"repl-diskless-sync": "yes", "repl-diskless-sync-delay": "0", "bind": "127.0.0.1"}
"""With which `redis-cli --rdb` begins at once, and writes no file but its own."""

LAST = b"*2\r\n$4\r\nECHO\r\n$8\r\nall-done\r\n", b"$8\r\nall-done\r\n"


@dataclass(frozen=True)
class Address:
    """Where a server is: by its socket, but for who can only use a port."""

    socket: Path
    port: int

    @property
    def url(self) -> str:
        return f"unix://{self.socket}"

    def send(self, commands: Iterable[bytes]) -> None:
        """Has the server carry out commands, and waits for the last one's reply."""
        with socket.socket(socket.AF_UNIX) as line:
            line.connect(str(self.socket))
            for part in commands:
                line.sendall(part)
                _drain(line)
            line.sendall(LAST[0])
            told = b""
            while not told.endswith(LAST[1]):
                told = told[-64:] + line.recv(1 << 16)

    def send_file(self, path: Path) -> None:
        with path.open("rb") as file:
            self.send(iter(lambda: file.read(1 << 20), b""))

    def empty(self) -> None:
        self.send([b"FLUSHALL\r\n"])


def _drain(line: socket.socket) -> None:
    """Reads what has been replied, and fails where that is an error."""
    while select.select([line], [], [], 0)[0]:
        told = line.recv(1 << 16)
        found = re.search(rb"(?:^|\n)-([^\r]*)", told)
        assert not found, found


@contextmanager
def running(program: Path) -> Iterator[Address]:
    """A server with no data and no files, for as long as the context lasts."""
    port = _free_port()
    with EmbeddedServer(program, {**SETTINGS, "port": str(port)}) as server:
        yield Address(Path(server.url.removeprefix("unix://")), port)


def program() -> Path:
    """The newest redis-server of the system, where that is new enough; else the one we carry."""
    folders = [*os.environ.get("PATH", os.defpath).split(os.pathsep), "/usr/bin"]
    for folder in folders:
        found = shutil.which("redis-server", path=folder)
        if found and _major(found) >= OLDEST:
            return Path(found)
    return find_server()


def version(program: Path) -> str:
    """`Redis 7.0.15`, as the program gives itself."""
    said = subprocess.run([program, "--version"], capture_output=True, text=True, check=True)
    found = re.search(r"(\w+) server v=([\d.]+)", said.stdout, re.IGNORECASE)
    return " ".join(found.groups()) if found else "unknown"


def _major(program: str) -> int:
    number = version(Path(program)).rpartition(" ")[2].partition(".")[0]
    return int(number) if number.isdigit() else 0


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])
