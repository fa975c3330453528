"""Reading again what a restore has written: whether each key holds what it should."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from contextlib import closing
from itertools import groupby, islice
from typing import cast

from gitbackup.format import codec
from gitbackup.kinds import same
from gitbackup.live.connection.connect import Server
from gitbackup.live.connection.connection import Connection
from gitbackup.live.read.file_replies import File, FileReplies, FileReplyReader
from gitbackup.live.read.key_reader import KeyReader
from gitbackup.live.server import keyspace
from gitbackup.model.file_groups import parts
from gitbackup.model.keys import FUNCTIONS, Entry, Key
from gitbackup.plan import Arrivals, Clock, Plan, PlannedKey, Ttl, timed
from gitbackup.progress import Progress
from gitbackup.restore.preflight import Entries, sources
from gitbackup.snapshot import file_format
from gitbackup.store.objects.blobs import blob_id
from gitbackup.store.repository.reply_cache import CachedBlob, ReplyCache


class _Now:
    """The server's clock, asked on one connection, and only where what it told last is too old."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection
        self._last = 0  # milliseconds since 1970

    def is_wrong(self, entry: Entry | None, due: Entry | None) -> bool:
        """Whether a key that was read is not as it should be: less what has expired by now."""
        if same(entry, due) or (due and same(entry, self._living(due))):
            return False
        self._last = keyspace.clock(self._connection)
        return not (due and same(entry, self._living(due)))

    def _living(self, due: Entry) -> Entry | None:
        return timed(due, Ttl.KEEP, Clock(self._last, 0))


def differing(
    server: Server,
    plan: Plan,
    entries: Entries,
    arrived: Sequence[Arrivals],
    progress: Progress,
) -> list[Key]:
    """Reads again what the plan was about: the keys that do not hold what they should.

    Of the files that arrived whole, only these are in doubt.
    """
    found: list[Key] = []
    few = [*parts(plan.keys)[0]]
    progress.start("verifying", len(few) + sum(len(file.names) for file in arrived))
    try:
        with KeyReader(server) as reader, closing(server.dial()) as connection:
            now = _Now(connection)
            for db, planned in groupby(few, key=lambda planned: planned.key.db):
                group = list(planned)
                if db == FUNCTIONS:
                    found += _differing_libraries(server, group, entries)
                else:
                    found += _differing(now, reader, group, entries, progress)
            for _, files in groupby(arrived, key=lambda each: each.db):
                found += _differing_files(now, reader, list(files), entries, progress)
    finally:
        progress.finish()
    return sorted(found)


def unproved(
    raw: FileReplyReader | None,
    arrived: Iterable[tuple[Arrivals, bytes | None]],
    entries: Entries,
    seen: ReplyCache,
) -> Iterator[Arrivals]:
    """The files that are not seen at once to be just what they should, each once it arrived.

    Each comes with the replies that it most likely is read by. While some are read, others
    arrive: they are not asked for all at once.
    """
    if raw is None:
        yield from (file for file, _ in arrived)
        return
    waiting: dict[str, tuple[Arrivals, bytes | None]] = {}
    for file, replies in raw.read(_asked(arrived, waiting)):
        each, likely = waiting.pop(file.path)
        if replies and replies.replies == likely:
            seen.add(replies.digest(), CachedBlob(entries.blob_id(each), entries.due(each)))
        elif not (replies and _is_made_of(raw, replies, each, entries, seen)):
            yield each


def _asked(
    arrived: Iterable[tuple[Arrivals, bytes | None]],
    waiting: dict[str, tuple[Arrivals, bytes | None]],
) -> Iterator[File]:
    for each, likely in arrived:
        waiting[each.path] = each, likely
        yield File(each.path, [*map(str.encode, each.names)], each.types, each.comes)


def _differing(
    now: _Now,
    reader: KeyReader,
    group: list[PlannedKey],
    entries: Entries,
    progress: Progress,
) -> Iterator[Key]:
    names = [codec.data(planned.key.name) for planned in group]
    found = reader.entries(group[0].key.db, names)
    for planned, (_, entry) in zip(group, found, strict=True):
        if now.is_wrong(entry, entries.restored(planned)):
            yield planned.key
        progress.advance(1)


def _is_made_of(
    raw: FileReplyReader, replies: FileReplies, file: Arrivals, entries: Entries, seen: ReplyCache
) -> bool:
    """Whether a file that arrives is what these replies make."""
    digest, blob = replies.digest(), entries.blob_id(file)
    known = seen.get(digest)
    if known:
        return known.blob == blob
    read = raw.entries(replies)
    if not {dict}.issuperset(map(type, read)):
        return False
    held = cast(dict[str, Entry], dict(zip(file.names, read, strict=True)))
    if blob_id(file_format.encode_loose(held)) != blob:
        return False
    seen.add(digest, CachedBlob(blob, entries.due(file)))
    return True


def _differing_files(
    now: _Now,
    reader: KeyReader,
    files: list[Arrivals],
    entries: Entries,
    progress: Progress,
) -> Iterator[Key]:
    """The same of whole files: only in those that are others than the commit's it looks closer."""
    names = (name.encode() for file in files for name in file.names)
    found = reader.entries(files[0].db, names)
    for file in files:
        held = {codec.loose(name): entry for name, entry in islice(found, len(file.names))}
        living = {name: entry for name, entry in held.items() if entry}
        if blob_id(file_format.encode_loose(living)) != entries.blob_id(file):
            due = entries.arriving(file)
            wrong = (name for name in file.names if now.is_wrong(held[name], due[name]))
            yield from (Key(file.db, name) for name in wrong)
        progress.advance(len(file.names))


def _differing_libraries(
    server: Server, group: list[PlannedKey], entries: Entries
) -> Iterator[Key]:
    held = sources(server) or {}
    for planned in group:
        due = entries.restored(planned)
        if held.get(planned.key.name) != (due["value"] if due else None):
            yield planned.key
