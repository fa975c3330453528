"""Streams: entries by id, the counters, and each group with its consumers and pending entries.

The value is an object. `entries` gives each id its fields and values in order, flat. What has
the value that re-adding the entries would give it is left out: `last_id`, `entries_added`,
`max_deleted_id`, `groups`, and in a group `entries_read`, `consumers` and `pending`.
"""

from __future__ import annotations

from collections.abc import Generator, Iterator
from typing import Any

from gitbackup import codec
from gitbackup.kinds.base import PIECE, Abilities, Command, Reading, Whole, mapping
from gitbackup.kinds.stream_change import change_stream
from gitbackup.kinds.stream_form import NONE, normal_stream, place
from gitbackup.kinds.stream_groups import claim, set_group, write_group
from gitbackup.model import Entry

BUILDER = "gitbackup"  # a group that is there only while an empty stream is made
Asking = Generator[list[Command], list[Any], Any]


class Stream:
    name = "stream"
    watched = True

    def whole(self, server: Abilities, sized: bool) -> Whole | None:
        return None

    def read(self, key: bytes, server: Abilities) -> Reading:
        info, groups = yield [("XINFO", "STREAM", key), ("XINFO", "GROUPS", key)]
        state = mapping(info)
        entries = yield from _entries(key)
        value: dict[str, Any] = {"entries": entries}
        if state["last-generated-id"] != next(reversed(entries), NONE):
            value["last_id"] = state["last-generated-id"]
        if state.get("entries-added", len(entries)) != len(entries):
            value["entries_added"] = state["entries-added"]
        if state.get("max-deleted-entry-id", NONE) != NONE:
            value["max_deleted_id"] = state["max-deleted-entry-id"]
        if groups:
            most = max(mapping(group)["pending"] for group in groups)
            value["groups"] = yield from _groups(key, max(most, 1))
        if not server.stream_counters:
            _forget_counters(value)
        return {"type": self.name, "value": value}

    def read_at_once(self, key: bytes, server: Abilities) -> Reading:
        """The same in one round; it asks for more where the stream is too large for that."""
        info, groups, entries, full = yield [
            ("XINFO", "STREAM", key),
            ("XINFO", "GROUPS", key),
            ("XRANGE", key, "-", "+", "COUNT", PIECE),
            ("XINFO", "STREAM", key, "FULL", "COUNT", PIECE),
        ]
        rounds = self.read(key, server)
        next(rounds)
        rounds.send([info, groups])
        try:
            (asked,) = rounds.send([entries])
            if asked[0] == "XINFO" and int(asked[-1]) <= PIECE:
                rounds.send([full])
        except StopIteration as done:
            return done.value  # type: ignore[no-any-return]
        yield []
        return None

    def normal(self, value: Any) -> Any:
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


def _entries(key: bytes) -> Asking:
    entries: dict[str, list[str]] = {}
    start = "-"
    while True:
        (piece,) = yield [("XRANGE", key, start, "+", "COUNT", PIECE)]
        entries.update((id_, fields) for id_, fields in piece)
        if len(piece) < PIECE:
            return entries
        start = f"({piece[-1][0]}"


def _groups(key: bytes, most_pending: int) -> Asking:
    """XINFO STREAM FULL alone gives instants of delivery; its COUNT bounds pending entries too."""
    (full,) = yield [("XINFO", "STREAM", key, "FULL", "COUNT", most_pending)]
    groups = [mapping(group) for group in mapping(full)["groups"]]
    return {group["name"]: _group(group) for group in groups}


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
