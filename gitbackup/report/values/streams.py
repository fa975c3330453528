"""What changed in a stream, as a person says it: appended, trimmed, read on, acknowledged."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from itertools import zip_longest
from typing import Any

from gitbackup.format import codec
from gitbackup.format.names import name, shown
from gitbackup.model.amounts import counted
from gitbackup.model.changes import Action, Part, ValueChange
from gitbackup.model.keys import Entry
from gitbackup.report.style import Style, paint

FEW = 5
"""Entries that are shown one by one; more are summed up."""

COUNTERS = {
    "entries_added": "entries ever added",
    "last_id": "last id",
    "max_deleted_id": "highest deleted id",
}
ConsumerGroup = Mapping[str, Any]


def stream_lines(before: Entry, after: Entry, values: Sequence[ValueChange]) -> Iterator[str]:
    """The differences between two states of one stream."""
    old, new = before["value"], after["value"]
    entries = [value for value in values if value.part is Part.STREAM_ENTRY]
    for action in (Action.REMOVED, Action.CHANGED, Action.ADDED):
        yield from _entries([value for value in entries if value.action is action], old, new)
    for counter, title in COUNTERS.items():
        was, now = _counter(old, counter), _counter(new, counter)
        if was != now and (counter in old or counter in new):
            yield f"{title}: {was} -> {now}"
    yield from _groups(old.get("groups", {}), new.get("groups", {}))


def fields(held: Any) -> str:
    """An entry's fields, each with its value."""
    if not isinstance(held, list):
        return shown(held)
    pairs = zip_longest(held[::2], held[1::2], fillvalue="")
    return ", ".join(f"{name(field)}: {shown(value)}" for field, value in pairs)


def _counter(value: Mapping[str, Any], counter: str) -> str:
    """What a counter is, or would be by the entries, where that is so and nothing is stored."""
    entries = value.get("entries", {})
    if counter == "entries_added":
        return f"{value.get(counter, len(entries)):,}"
    newest = max(entries, key=position, default="0-0") if counter == "last_id" else "0-0"
    return name(value.get(counter, newest))


def _entries(values: Sequence[ValueChange], old: Any, new: Any) -> Iterator[str]:
    if not values:
        return
    added = values[0].action is Action.ADDED
    sign, style = ("+ ", Style.ADDED) if added else ("- ", Style.REMOVED)
    if values[0].action is Action.CHANGED:
        yield from (f"{name(v.name)}: {fields(v.before)} -> {fields(v.after)}" for v in values)
    elif len(values) <= FEW:
        for value in values:
            held = value.after if added else value.before
            yield paint(style, f"{sign}{name(value.name)}: {fields(held)}")
    else:
        how = _how(values, old.get("entries", {}), new.get("entries", {}))
        ids = f"{name(values[0].name)} to {name(values[-1].name)}"
        yield paint(style, f"{sign}{len(values):,} entries {how}: {ids}")


def _how(values: Sequence[ValueChange], old: Mapping[str, Any], new: Mapping[str, Any]) -> str:
    """Whether the entries came at the end of the stream, or went from its beginning."""
    first, last = position(values[0].name), position(values[-1].name)
    if values[0].action is Action.ADDED:
        appended = not old or max(map(position, old)) < first
        return "appended" if appended else "added"
    trimmed = not new or last < min(map(position, new))
    return "trimmed" if trimmed else "deleted"


def position(id_: Any) -> tuple[int, int]:
    """An id as the numbers that it is ordered by."""
    ms, _, sequence = str(id_).partition("-")
    return codec.whole_number(ms) or 0, codec.whole_number(sequence) or 0


def _groups(old: Mapping[str, ConsumerGroup], new: Mapping[str, ConsumerGroup]) -> Iterator[str]:
    for group in sorted(old.keys() | new.keys()):
        title = f"group {name(group)}"
        if group not in new:
            yield paint(Style.REMOVED, f"- {title}: {_told(old[group])}")
        elif group not in old:
            yield paint(Style.ADDED, f"+ {title}: {_told(new[group])}")
        elif old[group] != new[group]:
            yield from (f"{title}: {line}" for line in _progress(old[group], new[group]))


def _told(group: ConsumerGroup) -> str:
    """Where a group that came or went stands."""
    told = [f"has read to {name(str(group.get('last_id')))}"]
    for part, one, many in (
        ("consumers", "consumer", "consumers"),
        ("pending", "pending", "pending"),
    ):
        count = len(group.get(part, ()))
        if count:
            told.append(counted(count, one, many))
    return ", ".join(told)


def _progress(old: ConsumerGroup, new: ConsumerGroup) -> Iterator[str]:
    was, now = old.get("last_id"), new.get("last_id")
    if was != now:
        how = "has read on" if position(now) > position(was) else "was set back"
        read = _difference(old.get("entries_read"), new.get("entries_read"))
        yield f"{how} from {name(str(was))} to {name(str(now))}{read}"
    elif old.get("entries_read") != new.get("entries_read"):
        sides = old.get("entries_read"), new.get("entries_read")
        yield f"entries read: {' -> '.join('unknown' if s is None else f'{s:,}' for s in sides)}"
    yield from _pending(old.get("pending", {}), new.get("pending", {}))
    consumers = set(old.get("consumers", ())), set(new.get("consumers", ()))
    yield from (f"consumer {name(one)} removed" for one in sorted(consumers[0] - consumers[1]))
    yield from (f"consumer {name(one)} added" for one in sorted(consumers[1] - consumers[0]))


def _difference(was: Any, now: Any) -> str:
    """How many entries further that is, where both are known."""
    if not isinstance(was, int) or not isinstance(now, int) or now <= was:
        return ""
    return f", {counted(now - was, 'entry', 'entries')}"


def _pending(old: Mapping[str, Any], new: Mapping[str, Any]) -> Iterator[str]:
    """How many entries are delivered and not acknowledged, and what became of them."""
    if old == new:
        return
    counts = {
        "delivered": len(new.keys() - old.keys()),
        "acknowledged": len(old.keys() - new.keys()),
        "delivered again": sum(old[id_] != new[id_] for id_ in old.keys() & new.keys()),
    }
    told = ", ".join(f"{count:,} {what}" for what, count in counts.items() if count)
    yield f"pending {len(old):,} -> {len(new):,} ({told})"
