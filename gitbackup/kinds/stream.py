"""Streams: entries by id, the counters, and each group with its consumers and pending entries.

The value is an object. `entries` gives each id its fields and values in order, flat. What has
the value that re-adding the entries would give it is left out: `last_id`, `entries_added`,
`max_deleted_id`, `groups`, and in a group `entries_read`, `consumers` and `pending`.
"""

from __future__ import annotations

from collections.abc import Generator, Iterator
from typing import Any

from gitbackup import codec
from gitbackup.kinds.base import PIECE, Abilities, Command, Reading, mapping
from gitbackup.kinds.stream_form import NONE, normal_stream, position
from gitbackup.model import Entry

BUILDER = "gitbackup"  # a group that is there only while an empty stream is made
Asking = Generator[list[Command], list[Any], Any]


class Stream:
    name = "stream"
    watched = True

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
        return {"type": self.name, "value": value}

    def normal(self, value: Any) -> Any:
        return normal_stream(value)

    def write(self, key: bytes, entry: Entry, server: Abilities) -> Iterator[Command]:
        value = entry["value"]
        entries = value["entries"]
        groups = value.get("groups", {})
        gone = {id_ for group in groups.values() for id_ in group.get("pending", {})} - set(entries)
        yield "XGROUP", "CREATE", key, BUILDER, "0", "MKSTREAM"
        yield "XGROUP", "DESTROY", key, BUILDER
        for id_ in sorted([*entries, *gone], key=position):
            # a pending entry may be deleted already, but can be claimed only while it is there
            yield "XADD", key, id_, *map(codec.data, entries.get(id_, ["", ""]))
        for name, group in groups.items():
            yield from _write_group(key, codec.data(name), group, server)
        if gone:
            yield "XDEL", key, *sorted(gone, key=position)
        yield from _write_state(key, value, server)


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
    if group.get("entries-read") is not None:
        stored["entries_read"] = group["entries-read"]
    if group["consumers"]:
        stored["consumers"] = sorted(mapping(consumer)["name"] for consumer in group["consumers"])
    if group["pending"]:
        stored["pending"] = {
            id_: {"consumer": owner, "delivered_at": codec.instant(at), "deliveries": count}
            for id_, owner, at, count in group["pending"]
        }
    return stored


def _write_group(
    key: bytes, name: bytes, group: dict[str, Any], server: Abilities
) -> Iterator[Command]:
    read = group.get("entries_read")
    counted = () if read is None or not server.stream_counters else ("ENTRIESREAD", read)
    yield "XGROUP", "CREATE", key, name, group["last_id"], *counted
    for consumer in group.get("consumers", []):
        yield "XGROUP", "CREATECONSUMER", key, name, codec.data(consumer)
    for id_, pending in group.get("pending", {}).items():
        at, count = codec.milliseconds(pending["delivered_at"]), pending["deliveries"]
        claim = ("XCLAIM", key, name, codec.data(pending["consumer"]), 0, id_)
        yield *claim, "TIME", at, "RETRYCOUNT", count, "FORCE", "JUSTID"


def _write_state(key: bytes, value: dict[str, Any], server: Abilities) -> Iterator[Command]:
    entries = value["entries"]
    last = value.get("last_id", max(entries, key=position, default=NONE))
    if not server.stream_counters:
        if last != NONE:
            yield "XSETID", key, last
        return
    added, deleted = value.get("entries_added", len(entries)), value.get("max_deleted_id", NONE)
    if last != NONE:
        yield "XSETID", key, last, "ENTRIESADDED", added, "MAXDELETEDID", deleted
