"""Random histories of a data repository: commits of gitbackup's, a person's own, and merges."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from random import Random

from gitbackup.format import codec
from gitbackup.model.keys import Entry, Key, Scope
from gitbackup.snapshot import file_format
from gitbackup.store.repository.repository import Repository
from tests.store.plain import git, quote_path

State = Mapping[bytes, str]
"""The keys of one database, each a string's text."""

OURS = """a commit

Format: 1
Server: Valkey 9.1.0 standalone at localhost:6379
Taken-At: 2026-11-22T10:00:00.123Z
Consistency: per-key
Keys: db0=2
Added: 0
Changed: 1
Removed: 0
"""


@dataclass(frozen=True)
class Commit:
    """One commit to make: the numbers of its parents, and the keys of two databases."""

    parents: tuple[int, ...]
    state: State
    other: State
    by_hand: bool = False


class Names:
    """Names of keys that make layouts change: nested, flat, hostile."""

    def __init__(self, random: Random) -> None:
        words = [
            b"a",
            b"b",
            b"user",
            b"User",
            b"\xc3\xa9",
            b"x y",
            b"\xff",
            b"0",
            b"`",
            b"long" * 30,
        ]
        self._words = random.sample(words, 4)
        self._flat = [b"s:%x" % random.getrandbits(12) for _ in range(12)]
        self._flat += [bytes(random.choices(b"ab", k=random.randint(2, 5))) for _ in range(12)]
        self._random = random

    def __call__(self) -> bytes:
        if self._random.random() < 0.4:
            return self._random.choice(self._flat)
        count = self._random.choice([1, 1, 2, 2, 3, 4])
        return b":".join(self._random.choice(self._words) for _ in range(count)) + (
            b"%d" % self._random.randrange(12) if self._random.random() < 0.7 else b""
        )


def history(random: Random, length: int) -> list[Commit]:
    """Commits, each on the one before, a branch of it, or a merge; the first one first."""
    name, commits = Names(random), list[Commit]()
    branchy, by_hand = random.choice([0, 0, 0.2]), random.choice([0, 0, 0.2])
    for number in range(length):
        parents: tuple[int, ...] = (number - 1,) if number else ()
        if number > 2 and random.random() < branchy:
            parents = (number - 2,)
        elif number > 2 and random.random() < branchy:
            parents = (number - 1, number - 2)
        on = commits[parents[0]] if parents else Commit((), {}, {})
        state, other = dict(on.state), dict(on.other)
        for parent in parents[1:]:
            state |= commits[parent].state
        edit(random, name, state)
        if random.random() < 0.2:
            edit(random, name, other)
        commits.append(Commit(parents, state, other, random.random() < by_hand))
    return commits


def edit(random: Random, name: Names, state: dict[bytes, str]) -> None:
    """A few changes, or many."""
    if random.random() < 0.05:
        state.clear()
    for _ in range(random.choice([1, 1, 2, 3, 25])):
        if state and random.random() < 0.35:
            state.pop(random.choice(sorted(state)))
        else:
            key = random.choice(sorted(state)) if state and random.random() < 0.5 else name()
            state[key] = str(random.randrange(4)) * random.choice([1, 1, 1, 400])


def write(folder: Path, commits: list[Commit], random: Random) -> list[str]:
    """Makes the repository of these commits; their ids."""
    Repository.create(folder, bare=True)
    stream = b"".join(_commit(number, each, random) for number, each in enumerate(commits))
    setting = ("-c", "fastimport.unpackLimit=0")  # one pack, however few objects
    git(folder, *setting, "fast-import", "--quiet", "--export-marks=marks", stdin=stream)
    marks = dict(line.split() for line in (folder / "marks").read_text().splitlines())
    git(folder, "symbolic-ref", "HEAD", "refs/heads/main")
    git(folder, "update-ref", "refs/heads/main", marks[f":{len(commits)}"])
    return [marks[f":{number + 1}"] for number in range(len(commits))]


def _commit(number: int, commit: Commit, random: Random) -> bytes:
    at = 1_790_000_000 + number * 60
    who = b"a <a@b> %d +0000" % at
    message = b"by hand" if commit.by_hand else OURS.encode()
    if commit.by_hand and random.random() < 0.5:  # amended: the message is still ours
        message = OURS.encode()
        committer = b"p <p@b> %d +0000" % (at + 5)
    else:
        committer = who
    lines = [
        b"commit refs/heads/b%d\nmark :%d\nauthor %b\ncommitter %b\ndata %d\n%b\n"
        % (number, number + 1, who, committer, len(message), message)
    ]
    lines += [
        b"%b :%d\n" % (b"merge" if at else b"from", parent + 1)
        for at, parent in enumerate(commit.parents)
    ]
    lines.append(b"deleteall\n")
    for path, data in files(commit, random).items():
        lines.append(b"M 100644 inline %b\ndata %d\n%b\n" % (quote_path(path), len(data), data))
    return b"".join(lines)


def files(commit: Commit, random: Random) -> dict[str, bytes]:
    """The files of a snapshot; in a person's, keys stand anywhere."""
    found = {file_format.MANIFEST: file_format.manifest(Scope())}
    for db, state in ((0, commit.state), (3, commit.other)):
        for path, names in file_format.place_files(db, sorted(state)):
            entries = {codec.loose(name): entry(state[name]) for name in names}
            if commit.by_hand and random.random() < 0.5:
                path = f"db{db}/mine/{len(found)}.json"
            found.update(file_format.encode_file(path, entries))
    return found


def entry(text: str) -> Entry:
    return {"type": "string", "value": text}


def entries(commit: Commit) -> dict[Key, Entry]:
    """All that a commit holds."""
    pairs = ((0, commit.state), (3, commit.other))
    return {Key(db, codec.text(k)): entry(v) for db, state in pairs for k, v in state.items()}


def ancestors(commits: list[Commit], number: int) -> Iterator[int]:
    """The commit and all that it comes from."""
    ahead, seen = [number], set[int]()
    while ahead:
        at = ahead.pop()
        if at not in seen:
            seen.add(at)
            yield at
            ahead += commits[at].parents
