"""Streams: entries by id, the counters, and each group with its consumers and pending entries.

The value is an object. `entries` gives each id its fields and values in order, flat. What has
the value that re-adding the entries would give it is left out: `last_id`, `entries_added`,
`max_deleted_id`, `groups`, and in a group `entries_read`, `consumers` and `pending`.
"""

from __future__ import annotations

from collections.abc import Generator, Iterator, Sequence
from itertools import takewhile
from typing import Any

from gitbackup.format import codec
from gitbackup.kinds.base import (
    Abilities,
    Command,
    Incomplete,
    Reading,
    Settled,
    SingleReply,
    mapping,
)
from gitbackup.kinds.stream_change import change_stream
from gitbackup.kinds.stream_form import NONE, expect_sum, normal_stream, place
from gitbackup.kinds.stream_groups import claim, set_group, write_group
from gitbackup.model.keys import Entry

BUILDER = "gitbackup"  # a group that is there only while an empty stream is made
TRIES = 8  # askings for all that is pending, until no more has come meanwhile
Value = dict[str, Any]
Asking = Generator[list[Command], list[Any], Any]


class Stream:
    name = "stream"

    def whole(self, server: Abilities, sized: bool) -> SingleReply | None:
        return None

    def read(self, key: bytes, server: Abilities) -> Reading:
        """One reply tells all of a small stream. A large one's entries come in pieces, then its
        state, and what has come until that: as no entry ever changes, they were there together
        unless some that were read were deleted meanwhile, and not from the start.
        """
        (reply,) = yield [_full(key, server.piece)]
        full, entries = mapping(reply), dict(mapping(reply)["entries"])
        if full["length"] == len(entries) and not _untold(full):
            return _entry(full, entries, server)
        yield from _read_on(key, server.piece, entries, full["last-generated-id"])
        full = yield from _state(key, full)
        yield from _read_on(key, server.piece, entries, full["last-generated-id"])
        _forget_trimmed(entries, full["entries"])
        entry = _entry(full, entries, server)
        return Settled(entry) if full["length"] == len(entries) else entry

    def canonicalize(self, value: Any) -> Any:
        return normal_stream(value)

    def write(self, key: bytes, entry: Entry, server: Abilities) -> Iterator[Command]:
        value = entry["value"]
        entries = value["entries"]
        groups = value.get("groups", {})
        yield "XGROUP", "CREATE", key, BUILDER, "0", "MKSTREAM"
        yield "XGROUP", "DESTROY", key, BUILDER
        for name, group in groups.items():
            yield from write_group(key, codec.data(name), group)
        yield from _claim_gone(key, entries, groups)
        for id_ in sorted(entries, key=place):
            yield "XADD", key, id_, *map(codec.data, entries[id_])
        for name, group in groups.items():
            yield from claim(key, codec.data(name), group, entries.keys())
        yield from _write_state(key, value, server)
        if server.stream_counters:
            yield from _write_counts(key, groups)

    def change(
        self, key: bytes, before: Entry, after: Entry, server: Abilities
    ) -> Iterator[Command] | None:
        return change_stream(key, before["value"], after["value"], server.stream_counters)


def _full(key: bytes, most: int) -> Command:
    """What tells all of one moment; COUNT bounds the entries, and what is pending in each group."""
    return "XINFO", "STREAM", key, "FULL", "COUNT", most


def _untold(full: Value) -> int:
    """How many entries are pending in the group of which most are, and not all were told; or 0."""
    groups = map(mapping, full["groups"])
    cut = [group["pel-count"] for group in groups if len(group["pending"]) < group["pel-count"]]
    return max(cut, default=0)


def _state(key: bytes, full: Value) -> Asking:
    """Counters, groups, and the first entry. Each time that it is asked more may be pending."""
    most = max((mapping(group)["pel-count"] for group in full["groups"]), default=0)
    for _ in range(TRIES):
        (reply,) = yield [_full(key, max(most, 1))]
        full = mapping(reply)
        if not (untold := _untold(full)):
            return full
        most = 2 * untold
    raise Incomplete("more is pending than the server tells")


def _read_on(key: bytes, most: int, entries: Value, last: str) -> Asking:
    """Adds the entries after those that are known, up to the id that was the last."""
    start = f"({newest}" if (newest := next(reversed(entries), "")) else "-"
    while True:
        (piece,) = yield [("XRANGE", key, start, last, "COUNT", most)]
        entries.update((id_, fields) for id_, fields in piece)
        if len(piece) < most:
            return
        if (following := f"({piece[-1][0]}") == start:
            raise Incomplete("it has the same entries again and again")
        start = following


def _forget_trimmed(entries: Value, first: Sequence[Any]) -> None:
    """Takes away the entries before the first that is left."""
    for id_ in [*takewhile(lambda id_: not first or id_ != first[0][0], entries)]:
        del entries[id_]


def _entry(full: Value, entries: Value, server: Abilities) -> Entry:
    value: Value = {"entries": entries}
    if full["last-generated-id"] != next(reversed(entries), NONE):
        value["last_id"] = full["last-generated-id"]
    if full.get("entries-added", len(entries)) != len(entries):
        value["entries_added"] = full["entries-added"]
    if full.get("max-deleted-entry-id", NONE) != NONE:
        value["max_deleted_id"] = full["max-deleted-entry-id"]
    if groups := [mapping(group) for group in full["groups"]]:
        value["groups"] = {group["name"]: _group(group) for group in groups}
    if not server.stream_counters:
        _forget_counters(value)
    try:
        expect_sum(value)
    except ValueError as wrong:
        raise Incomplete(wrong) from None
    return {"type": Stream.name, "value": value}


def _group(group: dict[str, Any]) -> dict[str, Any]:
    stored: dict[str, Any] = {"last_id": group["last-delivered-id"]}
    read = group.get("entries-read")
    if read is not None and read >= 0:  # counted past 2^63 it is negative, which nobody can set
        stored["entries_read"] = read
    if group["consumers"]:
        stored["consumers"] = sorted(mapping(consumer)["name"] for consumer in group["consumers"])
    if group["pending"]:
        stored["pending"] = {
            id_: {"consumer": owner, "delivered_at": codec.instant(at), "deliveries": count}
            for id_, owner, at, count in group["pending"]
        }
    return stored


def _forget_counters(value: dict[str, Any]) -> None:
    """Takes away what a server made up that loaded the file of one which keeps no counters."""
    for counter in ("entries_added", "max_deleted_id"):
        value.pop(counter, None)
    for group in value.get("groups", {}).values():
        group.pop("entries_read", None)


def _claim_gone(key: bytes, entries: dict[str, Any], groups: dict[str, Any]) -> Iterator[Command]:
    """Makes the pending entries that the stream itself has no more.

    They can be claimed only while they are there. They come and go before all others, by
    XTRIM: what XDEL takes away would stay on record as the greatest deleted id.
    """
    gone = {id_ for group in groups.values() for id_ in group.get("pending", {})} - entries.keys()
    if not gone:
        return
    for id_ in sorted(gone, key=place):
        yield "XADD", key, id_, "", ""
    for name, group in groups.items():
        yield from claim(key, codec.data(name), group, gone)
    yield "XTRIM", key, "MAXLEN", 0
    yield "XSETID", key, NONE


def _write_state(key: bytes, value: dict[str, Any], server: Abilities) -> Iterator[Command]:
    entries = value["entries"]
    last = value.get("last_id", max(entries, key=place, default=NONE))
    added, deleted = value.get("entries_added", len(entries)), value.get("max_deleted_id", NONE)
    if server.stream_counters:
        yield "XSETID", key, last, "ENTRIESADDED", added, "MAXDELETEDID", deleted
    else:
        yield "XSETID", key, last


def _write_counts(key: bytes, groups: dict[str, Any]) -> Iterator[Command]:
    """How far each group has read, once the stream knows how many were ever added."""
    for name, group in groups.items():
        if "entries_read" in group:
            yield set_group(key, codec.data(name), group)
