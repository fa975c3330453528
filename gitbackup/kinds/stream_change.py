"""How one stream becomes another in place: appended to, trimmed, its groups moved on."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, NamedTuple

from gitbackup.format import codec
from gitbackup.kinds.base import Command, each
from gitbackup.kinds.stream_form import NONE, position
from gitbackup.kinds.stream_groups import claim, set_group, write_group

Value = dict[str, Any]


class State(NamedTuple):
    """The counters that a stream has beside its entries."""

    last: str
    added: int
    deleted: str


def change_stream(
    key: bytes, before: Value, after: Value, counted: bool
) -> Iterator[Command] | None:
    """The commands that make the stream `before` be `after`; None where it has to be built anew.

    `counted` tells whether the server may be asked to set counters.
    """
    old, new = before["entries"], after["entries"]
    came = sorted((id_ for id_ in new if id_ not in old), key=position)
    gone = sorted((id_ for id_ in old if id_ not in new), key=position)
    was, wanted = _state(before), _state(after)
    if came and position(came[0]) <= position(was.last):
        return None
    if any(old[id_] != fields for id_, fields in new.items() if id_ in old):
        return None
    if not _claimable(before, after):
        return None
    trimmed = was.deleted == wanted.deleted and gone == sorted(old, key=position)[: len(gone)]
    deleted = max(was.deleted, gone[-1], key=position) if gone and not trimmed else was.deleted
    reached = State(came[-1] if came else was.last, was.added + len(came), deleted)
    setting = _setting(key, reached, wanted, counted)
    return None if setting is None else _steps(key, before, after, came, gone, trimmed, setting)


def _steps(
    key: bytes,
    before: Value,
    after: Value,
    came: list[str],
    gone: list[str],
    trimmed: bool,
    setting: list[Command],
) -> Iterator[Command]:
    """What is pending can be claimed only while its entry is there: so entries go last."""
    for id_ in came:
        yield "XADD", key, id_, *map(codec.data, after["entries"][id_])
    yield from _change_groups(key, before.get("groups", {}), after.get("groups", {}))
    if gone and trimmed:
        yield "XTRIM", key, "MAXLEN", len(after["entries"])
    else:
        yield from each("XDEL", key, gone)
    yield from setting


def _state(value: Value) -> State:
    entries = value["entries"]
    newest = max(entries, key=position, default=NONE)
    return State(
        value.get("last_id", newest),
        value.get("entries_added", len(entries)),
        value.get("max_deleted_id", NONE),
    )


def _setting(key: bytes, reached: State, wanted: State, counted: bool) -> list[Command] | None:
    """What sets the counters that are not right yet; None where no server would do so.

    A server forgets no deleted id but for another, and none may come after the last id.
    """
    if reached == wanted:
        return []
    forgotten = wanted.deleted == NONE != reached.deleted
    if forgotten or position(wanted.last) < position(reached.deleted):
        return None
    if reached[1:] == wanted[1:]:
        return [("XSETID", key, wanted.last)]
    counters = "ENTRIESADDED", wanted.added, "MAXDELETEDID", wanted.deleted
    return [("XSETID", key, wanted.last, *counters)] if counted else None


def _claimable(before: Value, after: Value) -> bool:
    """Whether all that is newly pending is of entries that are there at some time."""
    there = before["entries"].keys() | after["entries"].keys()
    known = before.get("groups", {})
    return all(
        id_ in there
        for name, group in after.get("groups", {}).items()
        for id_ in _moved(known.get(name, {}), group)
    )


def _moved(old: Value, new: Value) -> list[str]:
    """What is pending in a group otherwise than it was."""
    was = old.get("pending", {})
    return [id_ for id_, pending in new.get("pending", {}).items() if was.get(id_) != pending]


def _change_groups(key: bytes, old: Value, new: Value) -> Iterator[Command]:
    for name in (name for name in old if name not in new):
        yield "XGROUP", "DESTROY", key, codec.data(name)
    for name, group in new.items():
        if name not in old:
            yield from write_group(key, codec.data(name), group)
            yield from claim(key, codec.data(name), group, _moved({}, group))
            if "entries_read" in group:
                yield set_group(key, codec.data(name), group)
        elif group != old[name]:
            yield from _change_group(key, codec.data(name), old[name], group)


def _change_group(key: bytes, name: bytes, old: Value, new: Value) -> Iterator[Command]:
    """A consumer goes once nothing is pending for it that others have now."""
    if any(old.get(part) != new.get(part) for part in ("last_id", "entries_read")):
        yield set_group(key, name, new)
    was, now = old.get("consumers", []), new.get("consumers", [])
    for consumer in (one for one in now if one not in was):
        yield "XGROUP", "CREATECONSUMER", key, name, codec.data(consumer)
    done = [id_ for id_ in old.get("pending", {}) if id_ not in new.get("pending", {})]
    for command, _, *ids in each("XACK", key, done):
        yield command, key, name, *ids
    yield from claim(key, name, new, set(_moved(old, new)))
    for consumer in (one for one in was if one not in now):
        yield "XGROUP", "DELCONSUMER", key, name, codec.data(consumer)
