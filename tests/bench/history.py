"""How long `gitbackup log -- KEY` takes, `git log -- FILE` on the same repository being 1.

Run by hand: `python -m tests.bench.history [FOLDER]`. It writes 2,000 commits on 100,000 keys,
twenty keys changed in each, into FOLDER (or a temporary one) unless they are there already.
"""

from __future__ import annotations

import hashlib
import os
import random
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

from gitbackup.format import codec
from gitbackup.model.keys import Entry, Scope
from gitbackup.snapshot import file_format
from gitbackup.store.repository.repository import Repository
from tests.store.plain import git

COMMITS = 2_000
CHANGED = 20
KEYS = ("user:48213", "usage:daily:0007:2026-02-03", "config:limits", "session:0b99")
ROUNDS = 9
UNKEPT = "PYTHONDONTWRITEBYTECODE"
GLOBS = ("user:4821*", "usage:daily:0007:*", "config:*")
SETTINGS = (
    "-c",
    "pack.compression=1",
    "-c",
    "core.compression=1",
    "-c",
    "fastimport.unpackLimit=0",
)
MESSAGE = """number {n}

Format: 1
Server: Valkey 9.1.0 standalone at localhost:6379
Taken-At: 2026-11-22T10:00:00.123Z
Consistency: per-key
Keys: db0=100000
Added: 0
Changed: {changed}
Removed: 0
"""


def names() -> list[bytes]:
    """Flat numbers, random tokens and nested counters, as an application has them."""
    tokens = (hashlib.sha256(b"%d" % n).hexdigest()[:16] for n in range(25_000))
    keys = [b"user:%d" % n for n in range(50_000)]
    keys += [f"session:{token}".encode() for token in tokens]
    keys += [b"usage:daily:%04d:2026-02-%02d" % (n, day) for n in range(2_500) for day in range(10)]
    return sorted([*keys, b"config:limits", b"session:0b99"])


class History:
    """A database that changes, and the stream of commits that tells so."""

    def __init__(self) -> None:
        self._random = random.Random(1)
        self._versions = dict.fromkeys(names(), 0)
        self._files = list(file_format.place_files(0, sorted(self._versions)))
        self._starts = {key: at for at, (_, keys) in enumerate(self._files) for key in keys}

    def stream(self) -> Iterator[bytes]:
        manifest = {"gitbackup.json": file_format.manifest(Scope())}
        yield _commit(
            0, len(self._versions), {**manifest, **dict(map(self._file, range(len(self._files))))}
        )
        keys = list(self._versions)
        for n in range(1, COMMITS):
            chosen = [*self._random.sample(keys, CHANGED - 1), KEYS[n % 4].encode()]
            for key in chosen if n % 10 < 4 else chosen[:-1]:
                self._versions[key] += 1
            yield _commit(
                n, CHANGED, dict(self._file(at) for at in {self._starts[key] for key in chosen})
            )

    def _file(self, at: int) -> tuple[str, bytes]:
        path, keys = self._files[at]
        return path, codec.encode({key.decode(): self._entry(key) for key in keys})

    def _entry(self, key: bytes) -> Entry:
        value = {"name": key.decode(), "status": "active", "requests": str(self._versions[key])}
        return {"type": "hash", "value": value, "expires_at": "2027-01-15T08:00:00.123Z"}


def _commit(n: int, changed: int, files: dict[str, bytes]) -> bytes:
    message = MESSAGE.format(n=n, changed=changed).encode()
    who = b"gitbackup <gitbackup@localhost> %d +0000" % (1_790_000_000 + n * 60)
    head = b"commit refs/heads/main\nauthor %b\ncommitter %b\ndata %d\n%b\n" % (
        who,
        who,
        len(message),
        message,
    )
    parts = (
        b"M 100644 inline %b\ndata %d\n%b\n" % (path.encode(), len(data), data)
        for path, data in files.items()
    )
    return head + b"".join(parts)


def build(folder: Path) -> None:
    Repository.create(folder, bare=True)
    talk = subprocess.Popen(
        ["git", *SETTINGS, "fast-import", "--quiet", "--depth=0"], cwd=folder, stdin=subprocess.PIPE
    )
    assert talk.stdin
    for part in History().stream():
        talk.stdin.write(part)
    talk.stdin.close()
    assert talk.wait() == 0
    git(folder, "gc", "--quiet")


def milliseconds(*commands: Sequence[str]) -> list[float]:
    """How long each takes, the best of many: in turn, so that others hinder all alike.

    Modules are compiled once and kept, as they are where gitbackup is installed.
    """
    surroundings = {name: value for name, value in os.environ.items() if name != UNKEPT}
    taken: list[list[float]] = [[] for _ in commands]
    for _ in range(1 + ROUNDS):
        for words, times in zip(commands, taken, strict=True):
            start = time.perf_counter()
            subprocess.run(words, check=True, stdout=subprocess.DEVNULL, env=surroundings)
            times.append(1_000 * (time.perf_counter() - start))
    return [min(times[1:]) for times in taken]


def path_of(key: str) -> str:
    files = list(file_format.place_files(0, names()))
    return next(path for path, keys in files if key.encode() in keys)


def main(folder: Path) -> None:
    if not (folder / "HEAD").exists():
        build(folder)
    ours = (sys.executable, "-m", "gitbackup", "log", "--repo", str(folder), "--oneline")
    print("milliseconds; the ratios to git: all of it, and without start-up (log -n 1)")
    for key in KEYS:
        path = path_of(key)
        git_log = ("git", "-C", str(folder), "log", "--oneline", "--", path)
        plain, start, took = milliseconds(git_log, (*ours, "-n", "1"), (*ours, "--", key))
        ratios = f"{took / plain:.1f}  {(took - start) / plain:.1f}"
        print(f"{key:<28} git {plain:.0f}  start {start:.0f}  gitbackup {took:.0f}  {ratios}")
    for glob in GLOBS:
        print(f"{glob:<28} gitbackup {milliseconds((*ours, '--', glob))[0]:.0f}")


def in_folder(work: Callable[[Path], None]) -> None:
    """Do some work in the folder that the command line names, or else in a temporary one."""
    if len(sys.argv) > 1:
        work(Path(sys.argv[1]))
    else:
        with tempfile.TemporaryDirectory() as temporary:
            work(Path(temporary))


if __name__ == "__main__":
    in_folder(main)
