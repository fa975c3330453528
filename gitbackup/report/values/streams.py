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
    """Yield the differences between two states of one stream."""
    old, new = before["value"], after["value"]
    entries = [value for value in values if value.part is Part.STREAM_ENTRY]
    for action in (Action.REMOVED, Action.CHANGED, Action.ADDED):
        yield from _entries([value for value in entries if value.action is action], old, new)
    for counter, title in COUNTERS.items():
        was, now = _counter(old, counter), _counter(new, counter)
        if was != now and (counter in old or counter in new):
            yield f"{title}: {was} -> {now}"
    yield from _groups(old.get("groups", {}), new.get("groups", {}))


def fields(entry: Any) -> str:
    """Return an entry's fields, each with its value."""
    if not isinstance(entry, list):
        return shown(entry)
    pairs = zip_longest(entry[::2], entry[1::2], fillvalue="")
    return ", ".join(f"{name(field)}: {shown(value)}" for field, value in pairs)


def _counter(value: Mapping[str, Any], counter: str) -> str:
    """Return a counter; if it is not stored, as it follows from the entries."""
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
            entry = value.after if added else value.before
            yield paint(style, f"{sign}{name(value.name)}: {fields(entry)}")
    else:
        others = (old if added else new).get("entries", {})
        if added:
            at_end = not others or max(map(position, others)) < position(values[0].name)
            how = "appended" if at_end else "added"
        else:
            at_start = not others or position(values[-1].name) < min(map(position, others))
            how = "trimmed" if at_start else "deleted"
        ids = f"{name(values[0].name)} to {name(values[-1].name)}"
        yield paint(style, f"{sign}{len(values):,} entries {how}: {ids}")


def position(id_: Any) -> tuple[int, int]:
    """Return an id as the numbers that it is ordered by."""
    ms, _, sequence = str(id_).partition("-")
    return codec.whole_number(ms) or 0, codec.whole_number(sequence) or 0


def _groups(old: Mapping[str, ConsumerGroup], new: Mapping[str, ConsumerGroup]) -> Iterator[str]:
    for group in sorted(old.keys() | new.keys()):
        title = f"group {name(group)}"
        if group not in new:
            yield paint(Style.REMOVED, f"- {title}: {_state(old[group])}")
        elif group not in old:
            yield paint(Style.ADDED, f"+ {title}: {_state(new[group])}")
        elif old[group] != new[group]:
            yield from (f"{title}: {line}" for line in _progress(old[group], new[group]))


def _state(group: ConsumerGroup) -> str:
    """Return how far a group that was added or removed has read."""
    parts = [f"has read to {name(str(group.get('last_id')))}"]
    if consumers := len(group.get("consumers", ())):
        parts.append(counted(consumers, "consumer"))
    if pending := len(group.get("pending", ())):
        parts.append(f"{pending:,} pending")
    return ", ".join(parts)


def _progress(old: ConsumerGroup, new: ConsumerGroup) -> Iterator[str]:
    was, now = old.get("last_id"), new.get("last_id")
    read = old.get("entries_read"), new.get("entries_read")
    if was != now:
        how = "has read on" if position(now) > position(was) else "was set back"
        further = ""
        if isinstance(read[0], int) and isinstance(read[1], int) and read[1] > read[0]:
            further = f", {counted(read[1] - read[0], 'entry', 'entries')}"
        yield f"{how} from {name(str(was))} to {name(str(now))}{further}"
    elif read[0] != read[1]:
        yield f"entries read: {' -> '.join('unknown' if n is None else f'{n:,}' for n in read)}"
    yield from _pending(old.get("pending", {}), new.get("pending", {}))
    before, after = set(old.get("consumers", ())), set(new.get("consumers", ()))
    yield from (f"consumer {name(consumer)} removed" for consumer in sorted(before - after))
    yield from (f"consumer {name(consumer)} added" for consumer in sorted(after - before))


def _pending(old: Mapping[str, Any], new: Mapping[str, Any]) -> Iterator[str]:
    """Yield how many entries are delivered and not acknowledged, and what happened to them."""
    if old == new:
        return
    counts = {
        "delivered": len(new.keys() - old.keys()),
        "acknowledged": len(old.keys() - new.keys()),
        "delivered again": sum(old[id_] != new[id_] for id_ in old.keys() & new.keys()),
    }
    changes = ", ".join(f"{count:,} {what}" for what, count in counts.items() if count)
    yield f"pending {len(old):,} -> {len(new):,} ({changes})"
