"""Read again what a restore has written, and check that each key holds what it should."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass, field
from itertools import chain, count, groupby, islice, tee
from typing import NamedTuple, cast

from gitbackup.format import codec
from gitbackup.kinds import is_opaque, same
from gitbackup.kinds.opaque import comparable
from gitbackup.live.connection.connect import Server
from gitbackup.live.connection.connection import Connection, CutOff
from gitbackup.live.read.absence import present
from gitbackup.live.read.cluster_read import key_reader
from gitbackup.live.read.file_replies import File, FileReplies, FileReplyReader
from gitbackup.live.read.key_reader import KeyReader
from gitbackup.live.server import keyspace
from gitbackup.live.server.search_indexes import search_indexes
from gitbackup.live.write.bulk_create import Created
from gitbackup.model.keys import FUNCTIONS, SEARCH, Entry, Key
from gitbackup.plan.plan import Clock, NewKeys, OldKeys, Plan, PlannedKey, Ttl, timed
from gitbackup.progress import Progress
from gitbackup.restore.preflight import Entries
from gitbackup.snapshot import file_format


class _Now:
    """The server's clock. It is asked only if the time that it gave last leaves a doubt."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection
        self._last = 0  # milliseconds since 1970

    def is_wrong(self, entry: Entry | None, due: Entry | None) -> bool:
        """Return whether a key that was read differs from what is due, less what has expired."""
        if same(entry, due) or (due and same(entry, self._living(due))):
            return False
        self._last = keyspace.clock(self._connection)
        return not (due and same(entry, self._living(due)))

    def _living(self, due: Entry) -> Entry | None:
        return timed(due, Ttl.KEEP, Clock(self._last, 0))


@dataclass(slots=True)
class Checked:
    """What was seen of the keys of a plan when they were read again.

    `wrong` do not hold what they should. Of the `accepted` the server took the dump, and returns
    another, which tells nothing: see `opaque.comparable`. `as_stored` is False if a key of the
    commit is read in another form than the commit stores it in.
    """

    wrong: list[Key] = field(default_factory=list)
    accepted: list[Key] = field(default_factory=list)
    as_stored: bool = True


def read_again(
    server: Server,
    plan: Plan,
    entries: Entries,
    unproved: Sequence[NewKeys],
    progress: Progress,
) -> Checked:
    """Read the keys of the plan again; return those that do not hold what they should.

    Of the keys that were created in bulk, only those that are `unproved` are read. A server that
    cuts off whoever is sent much at once is asked for less.
    """
    while True:
        try:
            return _checked(server, plan, entries, unproved, progress)
        except CutOff as error:
            server.ask_for_less(error)


def _checked(
    server: Server,
    plan: Plan,
    entries: Entries,
    unproved: Sequence[NewKeys],
    progress: Progress,
) -> Checked:
    checked = Checked()
    wrong = checked.wrong
    old_keys = plan.old_keys
    blocks: list[NewKeys | OldKeys] = [*old_keys, *unproved]
    progress.start("verifying", len(plan.steps) + sum(len(each.names) for each in blocks))
    try:
        with key_reader(server) as reader, closing(server.dial()) as connection:
            now = _Now(connection)
            for db, planned in groupby(plan.steps, key=lambda planned: planned.key.db):
                if db == FUNCTIONS:
                    wrong += _differing_libraries(server, [*planned], entries)
                elif db == SEARCH:
                    wrong += _differing_indexes(server, [*planned], entries)
                else:
                    wrong += _differing(now, reader, db, planned, entries, checked, progress)
            for db, deleted in groupby(old_keys, key=lambda old: old.db):
                wrong += _left(server, db, deleted, progress)
            for _, new_keys in groupby(unproved, key=lambda new: new.db):
                wrong += _differing_new(now, reader, list(new_keys), entries, progress)
    finally:
        progress.finish()
    wrong.sort()
    return checked


def unproved(
    raw: FileReplyReader | None, batches: Iterable[Created[list[NewKeys]]]
) -> Iterator[NewKeys]:
    """Read the keys of each file as soon as they are created; yield those that are in doubt.

    The others hold what they should. They are read while the next batch is created. Without a
    `raw` reader, which not every server permits, all keys are in doubt.
    """
    if raw is None:
        yield from chain.from_iterable(batch.label for batch in batches)
        return
    waiting: dict[str, _Written] = {}
    for read, replies in raw.read(_asked(batches, waiting)):
        written = waiting.pop(read.path)
        if replies is None or not (
            _are_likely(replies, written) or _give_entries(raw, replies, written)
        ):
            yield written.new


class _Written(NamedTuple):
    """Keys of one file that were created, their entries by name, and their `Created.reads`."""

    new: NewKeys
    entries: Mapping[str, Entry]
    reads: Sequence[bytes | None]


def _asked(
    batches: Iterable[Created[list[NewKeys]]], waiting: dict[str, _Written]
) -> Iterator[File]:
    """Yield what to read, file by file, under a number, and put it into `waiting`."""
    number = count()
    for batch in batches:
        reads = iter(batch.reads)
        for new in batch.label:
            entries = {name: batch.entries[name] for name in new.names}
            path = str(next(number))
            waiting[path] = _Written(new, entries, [*islice(reads, len(entries))])
            yield File(path, [*map(str.encode, new.names)], new.types, new.comes)


def _are_likely(replies: FileReplies, written: _Written) -> bool:
    """Return whether the replies are, byte for byte, those expected for these entries."""
    return None not in written.reads and replies.replies == b"".join(filter(None, written.reads))


def _give_entries(raw: FileReplyReader, replies: FileReplies, written: _Written) -> bool:
    """Return whether the replies give the entries that were written."""
    outcomes = raw.entries(replies)
    if not {dict}.issuperset(map(type, outcomes)):
        return False
    read = cast(dict[str, Entry], dict(zip(written.entries, outcomes, strict=True)))
    return _are_same(read, written.entries)


def _are_same(read: Mapping[str, Entry], due: Mapping[str, Entry]) -> bool:
    """Return whether entries that were read, of plain keys by name, are those that are due."""
    exact = file_format.FLOATING.isdisjoint(entry["type"] for entry in due.values())
    if exact and read == due:
        return True
    return file_format.encode_loose(read) == file_format.encode_stored(due)


def _differing(
    now: _Now,
    reader: KeyReader,
    db: int,
    steps: Iterable[PlannedKey],
    entries: Entries,
    checked: Checked,
    progress: Progress,
) -> Iterator[Key]:
    steps, same_steps = tee(steps)  # which are named a little before they are compared
    names = (codec.data(planned.key.name) for planned in same_steps)
    for planned, (name, entry) in zip(steps, reader.entries(db, names), strict=True):
        due = entries.restored(planned)
        if entry and due and is_opaque(due) and not is_opaque(entry):
            checked.as_stored = False
            entry = reader.dumped(db, name)
        if now.is_wrong(entry, due):
            if _tells_nothing(entry, due):
                checked.accepted.append(planned.key)
            else:
                yield planned.key
        progress.advance(1)


def _tells_nothing(entry: Entry | None, due: Entry | None) -> bool:
    """Return whether a dump that was read differs from the one that is due, though the value may
    be the same."""
    if not (entry and due and is_opaque(due) and entry["type"] == due["type"]):
        return False
    return entry.get("expires_at") == due.get("expires_at") and not comparable(entry, due)


def _left(
    server: Server, db: int, old_keys: Iterable[OldKeys], progress: Progress
) -> Iterator[Key]:
    """Look for keys that were deleted in bulk; yield those that there are."""

    def names() -> Iterator[bytes]:
        for old in old_keys:
            yield from map(str.encode, old.names)
            progress.advance(len(old.names))

    yield from (Key(db, name.decode()) for name in present(server, db, names()))


def _differing_new(
    now: _Now,
    reader: KeyReader,
    new_keys: Sequence[NewKeys],
    entries: Entries,
    progress: Progress,
) -> Iterator[Key]:
    """Read keys that were created in bulk; yield those that do not hold what they should."""
    entries.prefetch(new_keys)
    names = (name.encode() for new in new_keys for name in new.names)
    pairs = reader.entries(new_keys[0].db, names)
    for new in new_keys:
        due = entries.new(new)
        read = {codec.loose(name): entry for name, entry in islice(pairs, len(new.names))}
        if not _are_same({name: entry for name, entry in read.items() if entry}, due):
            wrong = (name for name in new.names if now.is_wrong(read[name], due[name]))
            yield from (Key(new.db, name) for name in wrong)
        progress.advance(len(new.names))


def _differing_libraries(
    server: Server, group: list[PlannedKey], entries: Entries
) -> Iterator[Key]:
    there, unlike = keyspace.libraries_of(server)
    found = keyspace.sources(there or [])
    for planned in group:
        due = entries.restored(planned)
        name = planned.key.name
        if found.get(name) != (due["value"] if due else None) or name in unlike:
            yield planned.key


def _differing_indexes(server: Server, group: list[PlannedKey], entries: Entries) -> Iterator[Key]:
    there = search_indexes(server)
    for planned in group:
        name, due = planned.key.name, entries.index(planned).after
        if there.defined.get(name) != due or name in there.untold or name in there.uneven:
            yield planned.key
