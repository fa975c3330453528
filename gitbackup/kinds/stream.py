"""Streams: entries by id, the counters, and each group with its consumers and pending entries.

The value is an object. `entries` gives each id its fields and values in order, flat. What has
the value that re-adding the entries would give it is left out: `last_id`, `entries_added`,
`max_deleted_id`, `groups`, and in a group `entries_read`, `consumers` and `pending`.
"""

from __future__ import annotations

import re
from collections.abc import Generator, Iterator, Mapping, Sequence
from itertools import chain, takewhile
from typing import Any, ClassVar

from gitbackup.format import codec
from gitbackup.kinds import shapes
from gitbackup.kinds.base import (
    Abilities,
    Command,
    Form,
    Holds,
    Incomplete,
    Kind,
    Mask,
    MergeParts,
    PartOf,
    Reading,
    Row,
    Rows,
    Settled,
    Shape,
    TextChanges,
    TextParts,
    mapping,
    normal_instant,
    normal_object,
    normal_text,
    normal_texts,
    text_bytes,
)
from gitbackup.kinds.comparing import by_name, leaf
from gitbackup.kinds.shapes import are_numbers, are_texts, is_number, is_text, number_or_none
from gitbackup.kinds.stream_commands import NONE, change_stream, place, position, write_stream
from gitbackup.model.changes import ABSENT, Part, ValueChange
from gitbackup.model.keys import Entry
from gitbackup.model.merging import Versions

TRIES = 8  # askings for all that is pending, until no more has come meanwhile
IDS = re.compile(r"(?:[0-9]{1,20}-[0-9]{1,20}\n)*")
ENTRY_ID = re.compile(r"(?!0-0)(?:0|[1-9]\d{0,18})-(?:0|[1-9]\d{0,18})", re.ASCII)
STREAM = {"entries", "last_id", "entries_added", "max_deleted_id", "groups"}
GROUP = {"last_id", "entries_read", "consumers", "pending"}
PENDING = {"consumer", "delivered_at", "deliveries"}
SAMPLE = {
    "entries": {"1-2": ["", ""]},
    "groups": {
        "g": {
            "last_id": "0-0",
            "consumers": ["c"],
            "pending": {
                "1-1": {
                    "consumer": "c",
                    "delivered_at": "2000-01-01T00:00:00.000Z",
                    "deliveries": 1,
                }
            },
        }
    },
}
Value = dict[str, Any]
Asking = Generator[list[Command], list[Any], Any]


def _are_entry_replies(reply: Any) -> bool:
    ids = [id_ for id_, _ in reply]
    flat = all(are_texts(fields) and fields and not len(fields) % 2 for _, fields in reply)
    return type(reply) is list and flat and bool(IDS.fullmatch("".join(f"{id_}\n" for id_ in ids)))


def _is_full(reply: Any) -> bool:
    full = shapes.mapping(reply)
    needed = is_number(full["length"]) and is_text(full["last-generated-id"])
    counted = is_number(full.get("entries-added", 0)) and is_text(
        full.get("max-deleted-entry-id", "")
    )
    return (
        needed
        and counted
        and _are_entry_replies(full["entries"])
        and all(map(_is_group, full["groups"]))
    )


def _is_group(reply: Any) -> bool:
    group = shapes.mapping(reply)
    named = is_text(group["name"]) and is_text(group["last-delivered-id"])
    counted = is_number(group["pel-count"]) and number_or_none(group.get("entries-read"))
    consumers = all(is_text(shapes.mapping(consumer)["name"]) for consumer in group["consumers"])
    pending = all(map(_is_pending, group["pending"]))
    return named and counted and consumers and pending


def _is_pending(reply: Any) -> bool:
    id_, owner, delivered_at, deliveries = reply
    return is_text(id_) and is_text(owner) and are_numbers((delivered_at, deliveries))


class Stream(Kind):
    name = "stream"
    holds = Holds.ENTRIES
    canonical_as_made = True
    command_families = ("XINFO", "XGROUP")
    replies: ClassVar[Mapping[str, Shape]] = {
        "XRANGE": _are_entry_replies,
        "XINFO STREAM": _is_full,
    }
    silent_commands = (
        *("xgroup", "xreadgroup", "xclaim", "xautoclaim", "xack", "xsetid"),
        *("xackdel", "xdelex", "xnack", "xcfgset"),
    )

    def read(self, key: bytes, server: Abilities) -> Reading:
        """Read a small stream by one reply. Of a large one, read the entries in pieces, then the
        state, and the entries added until then. As no entry ever changes, all of them were there at
        one time, unless some that were read have been deleted meanwhile, and not at the start."""
        (reply,) = yield [_full(key, server.piece)]
        full, entries = mapping(reply), dict(mapping(reply)["entries"])
        if full["length"] == len(entries) and not _cut_pending(full):
            return _entry(full, entries, server)
        yield from _read_on(key, server.piece, entries, full["last-generated-id"])
        full = yield from _read_state(key, full)
        yield from _read_on(key, server.piece, entries, full["last-generated-id"])
        _forget_trimmed(entries, full["entries"])
        entry = _entry(full, entries, server)
        return Settled(entry) if full["length"] == len(entries) else entry

    def more_reads(self, key: bytes, server: Abilities) -> Iterator[Command]:
        yield "XRANGE", key, "-", "+", "COUNT", 1  # of a large one

    def canonicalize(self, value: Any) -> Any:
        _expect_members(value, STREAM, {"entries"}, "the value")
        given = normal_object(value["entries"])
        return _with_entries(
            value, {id_: _normal_fields(id_, fields) for id_, fields in given.items()}
        )

    def are_canonical(self, values: Sequence[Any]) -> bool:
        return all(map(_is_canonical, values))

    def sample(self, server: Abilities) -> Entry:
        return {"type": self.name, "value": SAMPLE}

    def needs(self, entry: Entry) -> Abilities:
        """Return what a server must know. A stream without counters is of a server that keeps none,
        or has the counters that adding its entries gives."""
        value = entry["value"]
        groups = value.get("groups", {}).values()
        counted = "entries_added" in value or "max_deleted_id" in value
        return Abilities(
            stream_counters=counted or any("entries_read" in group for group in groups),
            makes_consumers=any("consumers" in group for group in groups),
        )

    def write(self, key: bytes, entry: Entry, server: Abilities) -> Iterator[Command]:
        return write_stream(key, entry["value"], server.stream_counters)

    def change(
        self, key: bytes, before: Entry, after: Entry, server: Abilities
    ) -> Iterator[Command] | None:
        return change_stream(key, before["value"], after["value"], server.stream_counters)

    def elements(self, value: Any) -> int:
        return len(value["entries"])

    def least_memory(self, value: Any) -> int:
        """Return a lower bound of its memory: a server may store the names of fields only once."""
        return text_bytes([fields[1::2] for fields in value["entries"].values()])

    def part(self, value: Any, name: str) -> Any:
        return value["entries"][name]

    def parts(self, value: Any, text: TextParts) -> Iterator[PartOf]:
        """Yield how many entries there are, with the first and last id, for these never change; the
        counters, and each group."""
        ids = sorted(value["entries"], key=place)
        numbers = {"count": len(ids), "ids": ids[:: max(len(ids) - 1, 1)]}
        yield PartOf(Part.STREAM_STATE, "entries", (), numbers)
        for name, state in value.items():
            if name == "groups":
                groups = state.items()
                yield from (PartOf(Part.STREAM_STATE, name, (group,), it) for group, it in groups)
            elif name != "entries":
                yield PartOf(Part.STREAM_STATE, name, (), state)

    def diff(self, before: Any, after: Any, texts: TextChanges) -> list[ValueChange]:
        old, new = before.get("entries", {}), after.get("entries", {})
        changes = by_name(Part.STREAM_ENTRY, old, new, leaf, _order)
        for name in sorted((before.keys() | after.keys()) - {"entries"}):
            changes += _state_changes(name, (), before.get(name, ABSENT), after.get(name, ABSENT))
        return changes

    def merge(self, versions: Versions, parts: MergeParts) -> Any:
        """Merge entries by their ids, and each group as a whole. The rest is as it is now, as after
        an XDEL of the entries that go."""
        if versions.now is ABSENT:
            return parts.leaf(Part.VALUE, "", versions)
        held = versions.each(lambda value: value["entries"])
        entries = parts.named(Part.STREAM_ENTRY, held, parts.leaf)
        read = versions.each(lambda value: value.get("groups", {}))
        groups = parts.named(Part.STREAM_STATE, read, parts.leaf)
        if versions.before is ABSENT and not (entries or groups):
            return ABSENT
        state = _state_after(versions.now, entries)
        return self.canonicalize({"entries": entries, "groups": groups, **state})

    def masked(self, value: Any, mask: Mask) -> Any:
        entries = value.get("entries", {})
        return {**value, "entries": {id_: mask.pairs(held) for id_, held in entries.items()}}

    def rows(self, value: Any) -> Rows:
        entries = value.get("entries", {})
        state = {name: part for name, part in value.items() if name != "entries"}
        rows = chain(
            (Row(name, part) for name, part in state.items()),
            (Row(id_, held, Form.PAIRS) for id_, held in entries.items()),
        )
        return Rows(rows, len(state) + len(entries), "entry", "entries")


def _full(key: bytes, most: int) -> Command:
    """Return the command that reads all at one moment; COUNT limits the entries, and what is
    pending in each group."""
    return "XINFO", "STREAM", key, "FULL", "COUNT", most


def _cut_pending(full: Value) -> int:
    """Return the largest number of entries pending in a group of which not all were listed; 0 if
    all were."""
    groups = map(mapping, full["groups"])
    cut = [group["pel-count"] for group in groups if len(group["pending"]) < group["pel-count"]]
    return max(cut, default=0)


def _read_state(key: bytes, full: Value) -> Asking:
    """Read counters, groups, and the first entry. Each time more may be pending."""
    most = max((mapping(group)["pel-count"] for group in full["groups"]), default=0)
    for _ in range(TRIES):
        (reply,) = yield [_full(key, max(most, 1))]
        full = mapping(reply)
        if not (pending := _cut_pending(full)):
            return full
        most = 2 * pending
    raise Incomplete("it has more pending entries than the server returns")


def _read_on(key: bytes, most: int, entries: Value, last: str) -> Asking:
    """Add the entries after those that are known, up to the id that was the last."""
    start = f"({newest}" if (newest := next(reversed(entries), "")) else "-"
    while True:
        (piece,) = yield [("XRANGE", key, start, last, "COUNT", most)]
        entries.update((id_, fields) for id_, fields in piece)
        if len(piece) < most:
            return
        if (following := f"({piece[-1][0]}") == start:
            raise Incomplete("reading it returns the same entries again and again")
        start = following


def _forget_trimmed(entries: Value, first: Sequence[Any]) -> None:
    """Remove the entries before the first that still exists."""
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
    rest = {name: part for name, part in value.items() if name != "entries"}
    try:  # counters, or groups, that no stream has
        _with_entries({**codec.tighten(rest), "entries": {}}, entries)
    except ValueError as wrong:
        raise Incomplete(wrong) from None
    return {"type": Stream.name, "value": value}


def _group(group: Value) -> Value:
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
    """Remove counters that a server made up when it loaded the file of one which keeps none."""
    for counter in ("entries_added", "max_deleted_id"):
        value.pop(counter, None)
    for group in value.get("groups", {}).values():
        group.pop("entries_read", None)


def _is_canonical(value: Any) -> bool:
    """Return whether a value is canonical; its entries, of which there may be many, are looked at
    in C."""
    if type(value) is not dict or not _are_entries(value.get("entries")):
        return False
    entries, rest = value["entries"], {name: value[name] for name in value if name != "entries"}
    try:
        normal = _with_entries(value, entries)
    except (TypeError, ValueError):
        return False
    del normal["entries"]
    return codec.encode(normal) == codec.encode(rest)


def _are_entries(entries: Any) -> bool:
    if type(entries) is not dict or not all(map(ENTRY_ID.fullmatch, entries)):
        return False
    fields = [*entries.values()]
    if {*map(type, fields)} - {list}:
        return False
    sizes, texts = {*map(len, fields)}, {*map(type, chain.from_iterable(fields))}
    return texts <= {str} and all(size > 0 and size % 2 == 0 for size in sizes)


def _with_entries(value: Value, entries: Value) -> Value:
    """Return a stream in its canonical form, whose entries are already. Raises ValueError."""
    _expect_members(value, STREAM, {"entries"}, "the value")
    normal: Value = {"entries": entries, **_normal_state(value, entries)}
    groups = normal_object(value.get("groups", {}), "groups")
    if groups:
        normal["groups"] = {name: _normal_group(name, group) for name, group in groups.items()}
    return normal


def _normal_fields(id_: str, fields: Any) -> list[str]:
    if position(id_) == (0, 0):
        raise ValueError("an entry cannot have the ID 0-0")
    texts = normal_texts(fields, f"entry {id_}")
    if not texts or len(texts) % 2:
        raise ValueError(f"entry {id_} is not a list of field and value pairs")
    return texts


def _normal_state(value: Value, entries: Value) -> Value:
    """Return counters and ids that differ from what re-adding the entries would give."""
    newest = max(entries, key=place, default=NONE)
    last, deleted = value.get("last_id", newest), value.get("max_deleted_id", NONE)
    added = _count(value.get("entries_added", len(entries)), "entries_added")
    if position(last) < position(newest):
        raise ValueError("last_id is before the last entry")
    if position(last) < position(deleted):
        raise ValueError("max_deleted_id is after last_id")
    if added < len(entries):
        raise ValueError("entries_added is less than the number of entries")
    state = {"last_id": last, "entries_added": added, "max_deleted_id": deleted}
    plain = {"last_id": newest, "entries_added": len(entries), "max_deleted_id": NONE}
    return {name: item for name, item in state.items() if item != plain[name]}


def _state_after(value: Value, entries: Value) -> Value:
    """Return the state of a stream once it has these entries and no others.

    The state has counters only if the stream shows that its server keeps them.
    """
    last = max([*entries, value.get("last_id", NONE), *value["entries"]], key=place)
    groups = value.get("groups", {}).values()
    counted = {"entries_added", "max_deleted_id"} & value.keys()
    if not counted and not any("entries_read" in group for group in groups):
        return {"last_id": last}
    gone = value["entries"].keys() - entries.keys()
    deleted = max([value.get("max_deleted_id", NONE), *gone], key=place)
    added = max(value.get("entries_added", len(value["entries"])), len(entries))
    return {"last_id": last, "entries_added": added, "max_deleted_id": deleted}


def _normal_group(name: str, group: Any) -> Value:
    _expect_members(group, GROUP, {"last_id"}, f"group {name!r}")
    position(group["last_id"])
    normal: Value = {"last_id": group["last_id"]}
    if "entries_read" in group:
        normal["entries_read"] = _count(group["entries_read"], "entries_read")
    if consumers := sorted(normal_texts(group.get("consumers", []), "consumers")):
        if len({*consumers}) < len(consumers):
            raise ValueError(f"group {name!r} has a duplicate consumer")
        normal["consumers"] = consumers
    if pending := normal_object(group.get("pending", {}), f"pending of {name!r}"):
        normal["pending"] = {
            id_: _normal_pending(id_, one, consumers) for id_, one in pending.items()
        }
    return normal


def _normal_pending(id_: str, pending: Any, consumers: list[str]) -> Value:
    position(id_)
    _expect_members(pending, PENDING, PENDING, f"pending {id_}")
    consumer = normal_text(pending["consumer"], "consumer")
    if consumer not in consumers:
        raise ValueError(
            f"pending {id_} belongs to {consumer!r}, which is not a consumer of its group"
        )
    return {
        "consumer": consumer,
        "delivered_at": normal_instant(pending["delivered_at"]),
        "deliveries": _count(pending["deliveries"], "deliveries"),
    }


def _expect_members(value: Any, known: set[str], needed: set[str], what: str) -> None:
    if not isinstance(value, dict):
        raise ValueError(f"{what} is not an object")
    if missing := needed - value.keys():
        raise ValueError(f"{what} lacks {min(missing)}")
    if unknown := value.keys() - known:
        raise ValueError(f"{what} has an unknown member {min(unknown)!r}")


def _count(value: Any, what: str) -> int:
    if isinstance(value, float) and value.is_integer():
        value = int(value)  # JSON has one sort of number: 1.0 is 1
    if isinstance(value, bool) or not isinstance(value, int) or not 0 <= value <= codec.LARGEST:
        raise ValueError(f"{what} is not a count")
    return value


def _order(id_: str) -> tuple[list[int], str]:
    """Return the sort key of a change: the two numbers of its id."""
    numbers = id_.split("-")
    return [int(n) for n in numbers if n.isascii() and n.isdigit()], id_


def _state_changes(
    name: str, path: tuple[str, ...], before: Any, after: Any
) -> Iterator[ValueChange]:
    """Yield what changed in the counters and groups, by path into the state called name."""
    if isinstance(before, dict) and isinstance(after, dict):
        for part in sorted(before.keys() | after.keys()):
            sides = before.get(part, ABSENT), after.get(part, ABSENT)
            yield from _state_changes(name, (*path, part), *sides)
    elif _is_set(before) and _is_set(after):
        old, new = ({member: member for member in side} for side in (before, after))
        yield from _state_changes(name, path, old, new)
    else:
        for change in leaf(Part.STREAM_STATE, name, before, after):
            yield ValueChange(change.part, change.action, name, path, change.before, change.after)


def _is_set(value: Any) -> bool:
    """Return whether it is a list of names, such as a group's consumers."""
    return isinstance(value, list) and value == sorted(set(value))
