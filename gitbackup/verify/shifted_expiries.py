"""A snapshot as a server of our own can hold it today: what has expired gets a later expiry."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from gitbackup.format import codec
from gitbackup.kinds import kind_of
from gitbackup.live.connection.connect import Server
from gitbackup.live.server.keyspace import MOST_DATABASES
from gitbackup.live.server.search_indexes import has_search
from gitbackup.model.keys import FUNCTIONS, SEARCH, Entry, Key
from gitbackup.snapshot import file_format
from gitbackup.store.repository.repository import Repository

DAY = 24 * 60 * 60 * 1000


class ShiftedExpiries:
    """The source that a server restored from a commit is compared with.

    It is the commit's snapshot, except for instants that no server would keep as they are: see
    `movable`. `files` has each path's blob id after that; `past` counts the keys that have
    expired, or will within a day, or whose fields have or will.
    """

    def __init__(self, repository: Repository, files: Mapping[str, str], now: int) -> None:
        self.files = dict(files)
        self.past = 0
        self._repository = repository
        self._stored = files
        self._now = now

    def entries(self, path: str) -> Mapping[Key, Entry]:
        """Return the entries of a file as the server is to hold them; note which are moved."""
        stored = file_format.decode_file(path, self._repository.read(self._stored[path]))
        due = self._due(stored)
        self.past += sum(_expiry(due[key]) != _expiry(entry) for key, entry in stored.items())
        if any(due[key] is not entry for key, entry in stored.items()):
            self.files[path] = Repository.blob_id(_encoded(due))
        return due

    def read(self, path: str) -> bytes:
        content = self._repository.read(self._stored[path])
        if self.files[path] == self._stored[path]:
            return content
        return _encoded(self._due(file_format.decode_file(path, content)))

    def _due(self, stored: Mapping[Key, Entry]) -> Mapping[Key, Entry]:
        return {key: movable(entry, self._now) for key, entry in stored.items()}

    def original(self, path: str, blob_id: str) -> str:
        """Return the blob id of a file of the server with its instants moved back: the commit's
        own if the file is as it was to be."""
        return self._stored[path] if self.files.get(path) == blob_id else blob_id


def _encoded(entries: Mapping[Key, Entry]) -> bytes:
    return file_format.encode_stored({key.name: entry for key, entry in entries.items()})


def movable(entry: Entry, now: int) -> Entry:
    """Return the entry as a server keeps it at `now`: the same object if it is kept as it is.

    A server drops at once what has expired. So such instants, and those within a day, are moved
    ahead, all by the same time.
    """
    changed: Any = {}
    if "expires_at" in entry and (moment := _ahead(entry["expires_at"], now)):
        changed["expires_at"] = moment
    fields = entry.get("field_expires_at", {})
    moved = {field: _ahead(moment, now) for field, moment in fields.items()}
    if any(moved.values()):
        changed["field_expires_at"] = {f: moved[f] or moment for f, moment in fields.items()}
    return {**entry, **changed} if changed else entry


def _ahead(instant: str | int, now: int) -> str | int | None:
    """Return the instant moved by all the time since 1970, and a day; None for a later one."""
    moment = codec.milliseconds(instant)
    return codec.instant(moment + now + DAY) if moment < now + DAY else None


def _expiry(entry: Entry) -> tuple[Any, Any]:
    return entry.get("expires_at"), entry.get("field_expires_at")


def beyond(key: Key, entry: Entry, server: Server) -> str:
    """Return what a server would have to know to hold that entry; empty if it knows it."""
    known = server.abilities
    if key.db == FUNCTIONS:
        return "" if known.functions else "functions (Redis 7.0, Valkey)"
    if key.db == SEARCH:
        return "" if has_search(server) else "search indexes (RediSearch)"
    if key.db >= MOST_DATABASES:
        return f"enough databases for {key.place}"
    needed = kind_of(entry).needs(entry)
    if needed.field_expiry and not known.field_expiry:
        return "expiring hash fields (Redis 7.4, Valkey 9.0)"
    if needed.stream_counters and not known.stream_counters:
        return "stream counters (Redis 7.0, Valkey)"
    return ""
