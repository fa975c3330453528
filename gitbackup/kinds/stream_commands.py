"""The commands that make a stream: all of it, or what changed in place.

XCLAIM does not set deliveries after the server's now, or before 1970: it takes such an instant
for a mistake, and sets the server's now instead. But a server holds one where its clock was set
back since, or where the stream is of another machine, whose clock is ahead. So the stream is
built with a mark in place of each, and they are put into the server's own dump of it: there
every pending entry is its id, 16 bytes, and its instant, 8 bytes.
"""

from __future__ import annotations

import secrets
from collections.abc import Container, Iterator, Mapping
from struct import Struct
from typing import Any, NamedTuple

from gitbackup.format import codec
from gitbackup.kinds.base import Command, each
from gitbackup.model.keys import Entry

NONE = "0-0"
LARGEST = 2**64 - 1
LONGEST = 20  # digits of that
BUILDER = "gitbackup"  # a group that is there only while an empty stream is made
ID = Struct(">QQ")
INSTANT = Struct("<q")
MARKS = 39  # bits of an instant that is a mark: it is before all that a clock tells today
Value = dict[str, Any]


def position(id_: Any) -> tuple[int, int]:
    """Return a stream id as the two numbers that it is ordered by. Raises ValueError if it is not
    an id."""
    first, dash, second = id_.partition("-") if isinstance(id_, str) else ("", "", "")
    if not (dash and _digits(first) and _digits(second)):
        raise ValueError(f"{id_!r} is not a stream ID")
    return int(first), int(second)


def place(id_: str) -> tuple[int, ...]:
    """Return a stream id, known to be one, as its two numbers."""
    return tuple(map(int, id_.split("-")))


def _digits(word: str) -> bool:
    canonical = word.isascii() and word.isdecimal() and (word == "0" or word[0] != "0")
    return canonical and len(word) <= LONGEST and int(word) <= LARGEST


def write_stream(key: bytes, value: Value, counted: bool) -> Iterator[Command]:
    """Yield the commands that make a stream at a key that does not exist.

    `counted` tells whether the server may be asked to set counters.
    """
    entries = value["entries"]
    groups = value.get("groups", {})
    yield "XGROUP", "CREATE", key, BUILDER, "0", "MKSTREAM"
    yield "XGROUP", "DESTROY", key, BUILDER
    for name, group in groups.items():
        yield from _write_group(key, codec.data(name), group)
    yield from _claim_gone(key, entries, groups)
    ordered = sorted(entries, key=place)
    for id_ in ordered:
        yield "XADD", key, id_, *map(codec.data, entries[id_])
    for name, group in groups.items():
        yield from _claim(key, codec.data(name), group, entries.keys())
    yield _write_state(key, value, ordered[-1] if ordered else NONE, counted)
    if counted:
        yield from _write_counts(key, groups)


def _claim_gone(key: bytes, entries: Value, groups: Value) -> Iterator[Command]:
    """Yield commands that make entries pending which the stream itself has no more.

    They can be claimed only while they are there. They come and go before all others, by
    XTRIM: what XDEL takes away would stay on record as the greatest deleted id.
    """
    gone = {id_ for group in groups.values() for id_ in group.get("pending", {})} - entries.keys()
    if not gone:
        return
    for id_ in sorted(gone, key=place):
        yield "XADD", key, id_, "", ""
    for name, group in groups.items():
        yield from _claim(key, codec.data(name), group, gone)
    yield "XTRIM", key, "MAXLEN", 0
    yield "XSETID", key, NONE


def _write_state(key: bytes, value: Value, newest: str, counted: bool) -> Command:
    last, deleted = value.get("last_id", newest), value.get("max_deleted_id", NONE)
    added = value.get("entries_added", len(value["entries"]))
    counters = ("ENTRIESADDED", added, "MAXDELETEDID", deleted) if counted else ()
    return "XSETID", key, last, *counters


def _write_counts(key: bytes, groups: Value) -> Iterator[Command]:
    """Yield commands that say how far each group has read, once the stream knows how many entries
    were ever added."""
    for name, group in groups.items():
        if "entries_read" in group:
            yield _set_group(key, codec.data(name), group)


def _write_group(key: bytes, name: bytes, group: Value) -> Iterator[Command]:
    """Yield commands that make a group with its consumers, and nothing pending."""
    yield "XGROUP", "CREATE", key, name, group["last_id"]
    for consumer in group.get("consumers", []):
        yield "XGROUP", "CREATECONSUMER", key, name, codec.data(consumer)


def _claim(key: bytes, name: bytes, group: Value, ids: Container[str]) -> Iterator[Command]:
    """Yield commands that make entries of these ids pending in a group."""
    for id_, pending in group.get("pending", {}).items():
        if id_ in ids:
            at, count = codec.milliseconds(pending["delivered_at"]), pending["deliveries"]
            claim = ("XCLAIM", key, name, codec.data(pending["consumer"]), 0, id_)
            yield *claim, "TIME", at, "RETRYCOUNT", count, "FORCE", "JUSTID"


def _set_group(key: bytes, name: bytes, group: Value) -> Command:
    """Return the command that sets where a group is, and how many entries it has read, if that is
    known."""
    read = ("ENTRIESREAD", group["entries_read"]) if "entries_read" in group else ()
    return "XGROUP", "SETID", key, name, group["last_id"], *read


class State(NamedTuple):
    """The counters that a stream has beside its entries."""

    last: str
    added: int
    deleted: str


def change_stream(
    key: bytes, before: Value, after: Value, counted: bool
) -> Iterator[Command] | None:
    """Return the commands that make the stream `before` be `after`; None if it has to be built
    anew.

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
    """Yield the commands. Entries are deleted last, for what is pending can be claimed only while
    its entry exists."""
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
    """Return commands that set the counters that differ; None if no server could.

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
    """Return whether each newly pending entry exists before the change, or after it."""
    there = before["entries"].keys() | after["entries"].keys()
    known = before.get("groups", {})
    return all(
        id_ in there
        for name, group in after.get("groups", {}).items()
        for id_ in _moved(known.get(name, {}), group)
    )


def _moved(old: Value, new: Value) -> list[str]:
    """Return what is pending in a group and was not pending in the same way before."""
    was = old.get("pending", {})
    return [id_ for id_, pending in new.get("pending", {}).items() if was.get(id_) != pending]


def _change_groups(key: bytes, old: Value, new: Value) -> Iterator[Command]:
    for name in (name for name in old if name not in new):
        yield "XGROUP", "DESTROY", key, codec.data(name)
    for name, group in new.items():
        if name not in old:
            yield from _write_group(key, codec.data(name), group)
            yield from _claim(key, codec.data(name), group, _moved({}, group))
            if "entries_read" in group:
                yield _set_group(key, codec.data(name), group)
        elif group != old[name]:
            yield from _change_group(key, codec.data(name), old[name], group)


def _change_group(key: bytes, name: bytes, old: Value, new: Value) -> Iterator[Command]:
    """Yield commands that change a group. A consumer goes after others have what was pending for
    it."""
    if any(old.get(part) != new.get(part) for part in ("last_id", "entries_read")):
        yield _set_group(key, name, new)
    was, now = old.get("consumers", []), new.get("consumers", [])
    for consumer in (one for one in now if one not in was):
        yield "XGROUP", "CREATECONSUMER", key, name, codec.data(consumer)
    done = [id_ for id_ in old.get("pending", {}) if id_ not in new.get("pending", {})]
    for command, _, *ids in each("XACK", key, done):
        yield command, key, name, *ids
    yield from _claim(key, name, new, set(_moved(old, new)))
    for consumer in (one for one in was if one not in now):
        yield "XGROUP", "DELCONSUMER", key, name, codec.data(consumer)


class Marked(NamedTuple):
    """A stream's entry with marks; for each mark, what the dump has to hold: instants by id."""

    entry: Entry
    marks: Mapping[bytes, Mapping[bytes, bytes]]


def marked(entry: Entry, now: int) -> Marked:
    """Return the entry with a mark, one of each group's own, for what XCLAIM does not set.

    `now` is the server's, in milliseconds since 1970. An entry without any is returned itself.
    """
    groups = entry["value"].get("groups", {}) if entry["type"] == "stream" else {}
    first = secrets.randbits(MARKS)
    marks: dict[bytes, dict[bytes, bytes]] = {}
    changed: Value = {}
    for mark, (name, group) in enumerate(groups.items(), first):
        pending = group.get("pending", {})
        odd = {id_: at for id_, one in pending.items() if not 0 <= (at := _at(one)) <= now}
        if odd:
            given = {id_: {**pending[id_], "delivered_at": codec.instant(mark)} for id_ in odd}
            changed[name] = {**group, "pending": {**pending, **given}}
            dates = {ID.pack(*place(id_)): INSTANT.pack(at) for id_, at in odd.items()}
            marks[INSTANT.pack(mark)] = dates
    if not marks:
        return Marked(entry, {})
    value = {**entry["value"], "groups": {**groups, **changed}}
    return Marked({**entry, "value": value}, marks)


def put_into(dump: bytes, marks: Mapping[bytes, Mapping[bytes, bytes]]) -> bytes:
    """Return what a dump holds, with the instants in place of their marks.

    Raises ValueError if the marks in it are not just those.
    """
    for mark, dates in marks.items():
        pieces = dump.split(mark)
        ids = [piece[-ID.size :] for piece in pieces[:-1]]
        if sorted(ids) != sorted(dates):
            raise ValueError("the dump is not as expected")
        dump = b"".join(piece + dates[id_] for piece, id_ in zip(pieces, ids, strict=False))
        dump += pieces[-1]
    return dump


def _at(pending: Mapping[str, Any]) -> int:
    return codec.milliseconds(pending["delivered_at"])
