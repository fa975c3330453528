"""Deliveries that XCLAIM does not set: those after the server's now, and before 1970.

It takes such an instant for a mistake, and sets the server's now instead. But a server holds one
where its clock was set back since, or where the stream is of another machine, whose clock is
ahead. So the stream is built with a mark in place of each, and they are put into the server's
own dump of it: there every pending entry is its id, 16 bytes, and its instant, 8 bytes.
"""

from __future__ import annotations

import secrets
from collections.abc import Mapping
from struct import Struct
from typing import Any, NamedTuple

from gitbackup.format import codec
from gitbackup.kinds.stream_form import place
from gitbackup.model.keys import Entry

ID = Struct(">QQ")
INSTANT = Struct("<q")
MARKS = 39  # bits of an instant that is a mark: it is before all that a clock tells today


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
    changed: dict[str, Any] = {}
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

    Raises ValueError where the marks in it are not just those.
    """
    for mark, dates in marks.items():
        pieces = dump.split(mark)
        ids = [piece[-ID.size :] for piece in pieces[:-1]]
        if sorted(ids) != sorted(dates):
            raise ValueError("its dump is not as expected")
        dump = b"".join(piece + dates[id_] for piece, id_ in zip(pieces, ids, strict=False))
        dump += pieces[-1]
    return dump


def _at(pending: Mapping[str, Any]) -> int:
    return codec.milliseconds(pending["delivered_at"])
