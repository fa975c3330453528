"""A database of one size, on a server, and an empty server beside it: where rows are measured."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from itertools import count
from pathlib import Path

from tests.bench import database, servers
from tests.bench.measure import GITBACKUP, Run, output, run
from tests.bench.servers import Address

Say = Callable[[str], None]


@dataclass
class Stage:
    """`data` is the database as a file of commands, with which `live` was filled."""

    keys: int
    repeat: int
    folder: Path
    data: Path
    live: Address
    spare: Address
    say: Say
    _numbers: Iterator[int] = field(default_factory=count)

    @property
    def few(self) -> int:
        """How many keys change where few do: a hundred."""
        return min(100, self.keys // 10)

    def new(self, name: str) -> Path:
        """The path of a folder or file that there has never been."""
        return self.folder / f"{name}-{next(self._numbers)}"

    def change(self, keys: int) -> None:
        """Changes so many keys of the live database."""
        turn = next(self._numbers)
        self.live.send(database.changes(self.keys, keys, turn))

    def bare(self) -> Path:
        """A new repository without a work tree; each is a copy of the first."""
        first = self.folder / "bare"
        if not first.exists():
            output(*GITBACKUP, "init", "--bare", "--repo", first, "--url", self.live.url)
        return Path(shutil.copytree(first, self.new("bare")))

    def commit(self, repository: Path) -> Run:
        """`gitbackup commit` of the live database."""
        return self.gitbackup("commit", "--repo", repository, "--url", self.live.url)

    def gitbackup(self, *words: str | Path) -> Run:
        return run(*GITBACKUP, *words)


@contextmanager
def stage(keys: int, repeat: int, folder: Path, say: Say) -> Iterator[Stage]:
    """Everything in place, for as long as the context lasts; then its files are gone."""
    at = folder / str(keys)
    at.mkdir()
    data = at / "data.resp"
    say(f"{keys:,} keys: making them up")
    database.write(data, keys)
    program = servers.program()
    with servers.running(program) as live, servers.running(program) as spare:
        say(f"{keys:,} keys: into a server")
        live.send_file(data)
        yield Stage(keys, repeat, at, data, live, spare, say)


def git(repository: Path, *words: str) -> str:
    """What plain git says there."""
    return output("git", "-C", repository, *words)


def remove(path: Path) -> None:
    """A repository that is done with: at a million keys each takes its place on the disk."""
    shutil.rmtree(path)
