"""How many keys of each prefix there were along the history, and how many bytes these took.

Between two commits only the files that differ are looked at, and each file once, however many
commits have it. Of a long history some commits stand for all: the last of each part of its time.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import NamedTuple

from gitbackup.errors import Damaged, NewerFormat
from gitbackup.model.commits import CommitInfo, Selection
from gitbackup.model.keys import Entry, Key, Space, db_of
from gitbackup.progress import SILENT, Progress
from gitbackup.snapshot import file_format
from gitbackup.snapshot.manifests import Manifests
from gitbackup.store.commits.commits import Record
from gitbackup.store.repository.repository import Repository

MOST_COMMITS = 10_000
"""Commits that are looked at, the newest ones."""

MOST_FILES = 200_000
"""Files whose amounts are kept."""


class Amount(NamedTuple):
    """How many keys, and how many bytes these take in the files of a commit, uncompressed."""

    keys: int
    bytes: int


class State(NamedTuple):
    """A commit, and what it has of each namespace."""

    info: CommitInfo
    amounts: Mapping[Space, Amount]

    @property
    def total(self) -> Amount:
        """All of it."""
        found = self.amounts.values()
        return Amount(sum(each.keys for each in found), sum(each.bytes for each in found))


@dataclass(frozen=True, slots=True)
class Growth:
    """States along the history, the oldest first, out of so many `commits`.

    `damaged` commits were left out, since they cannot be read.
    """

    states: Sequence[State]
    commits: int
    damaged: int = 0


@dataclass(slots=True)
class Tallies:
    """What files hold, by place and blob, for one call of `growth` and those after it."""

    known: dict[tuple[str, str], Mapping[str, Amount]] = field(default_factory=dict)

    def of(self, repository: Repository, path: str, blob: str) -> Mapping[str, Amount]:
        """Return what a file holds of each prefix. Raises Damaged if it cannot be read."""
        place = path.partition("/")[0], blob
        if place not in self.known:
            if len(self.known) >= MOST_FILES:
                self.known.clear()
            self.known[place] = _tally(path, repository.read(blob))
        return self.known[place]


def growth(
    repository: Repository, points: int, tallies: Tallies, progress: Progress = SILENT
) -> Growth:
    """Return at most so many states of HEAD's history, along first parents.

    `tallies` remember what was read. Raises NewerFormat for a commit of a newer format.
    """
    selection = Selection(limit=MOST_COMMITS, first_parent=True)
    records = [*repository.history.records(selection)][::-1]
    chosen, manifests = sampled(records, points), Manifests(repository)
    progress.start("measuring commits", len(chosen), "commits")
    keys, sizes = Counter[Space](), Counter[Space]()
    states, before, damaged = list[State](), None, 0
    try:
        for record in chosen:
            try:
                manifests.expect_known(record)
                _step(repository, tallies, before, record.tree, (keys, sizes))
            except NewerFormat:
                raise
            except Damaged:
                damaged += 1
                continue
            finally:
                progress.advance(1)
            before = record.tree
            amounts = {each: Amount(keys[each], sizes[each]) for each in keys if keys[each]}
            states.append(State(record.info, amounts))
    finally:
        progress.finish()
    return Growth(states, len(records), damaged)


def amounts(repository: Repository, commit: str, tallies: Tallies) -> Mapping[Space, Amount]:
    """Return what a commit, given by id, has of each prefix.

    Raises Damaged if it cannot be read, NewerFormat if it is of a newer format.
    """
    record = repository.history.record(commit)
    Manifests(repository).expect_known(record)
    keys, sizes = Counter[Space](), Counter[Space]()
    _step(repository, tallies, None, record.tree, (keys, sizes))
    return {each: Amount(keys[each], sizes[each]) for each in keys}


def sampled(records: Sequence[Record], points: int) -> Sequence[Record]:
    """Return the first commit, and the last one of each of the equal parts of their time."""
    if len(records) <= points:
        return records
    moments = [record.info.date.timestamp() for record in records]
    start, length = min(moments), max(moments) - min(moments) or 1
    parts = {
        min(int((moment - start) / length * (points - 1)), points - 2): record
        for moment, record in zip(moments, records, strict=True)
    }
    kept = {record.id for record in (records[0], records[-1], *parts.values())}
    return [record for record in records if record.id in kept]


def _step(
    repository: Repository,
    tallies: Tallies,
    before: str | None,
    after: str,
    sums: tuple[Counter[Space], Counter[Space]],
) -> None:
    """Go from one tree to another. Raises Damaged before anything is added."""
    more = list[tuple[Space, int, Amount]]()
    changes = [each for each in repository.history.differ(before, after) if _is_data(each.path)]
    repository.prefetch(
        blob
        for path, *blobs in changes
        for blob in blobs
        if blob and (path.partition("/")[0], blob) not in tallies.known
    )
    for path, *blobs in changes:
        for sign, blob in zip((-1, 1), blobs, strict=True):
            found = tallies.of(repository, path, blob) if blob else {}
            place = path.partition("/")[0]
            more += [(Space(place, name), sign, each) for name, each in found.items()]
    keys, sizes = sums
    for namespace, sign, amount in more:
        keys[namespace] += sign * amount.keys
        sizes[namespace] += sign * amount.bytes


def _is_data(path: str) -> bool:
    return file_format.is_data(path) and path != file_format.MANIFEST


def _tally(path: str, content: bytes) -> Mapping[str, Amount]:
    """Return how many keys of each prefix a file holds, and its bytes shared among them."""
    plain = file_format.decode_plain(content) if file_format.DATABASE.match(path) else None
    if plain:  # its names are sorted
        db = db_of(path.partition("/")[0])
        first, last = Key(db, min(plain)).prefix, Key(db, max(plain)).prefix
        if first == last != "":
            return {first: Amount(len(plain), len(content))}
    entries = file_format.decode_file(path, content)
    counts = Counter(key.prefix for key in entries)
    if len(counts) == 1:
        return {name: Amount(count, len(content)) for name, count in counts.items()}
    sizes = Counter[str]()
    for key, entry in entries.items():
        sizes[key.prefix] += _size(key, entry)
    return {name: Amount(count, sizes[name]) for name, count in counts.items()}


def _size(key: Key, entry: Entry) -> int:
    return len(file_format.encode_entry(key.name, entry)) - len(b"{\n}\n")
