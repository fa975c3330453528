"""Hashes: the value is an object, field to text; fields that expire in `field_expires_at`."""

from __future__ import annotations

from collections.abc import Generator, Iterator
from itertools import chain
from typing import Any

from gitbackup.format import codec
from gitbackup.kinds.base import (
    ARGUMENTS,
    FEW,
    Abilities,
    Command,
    Reading,
    SingleReply,
    all_scanned,
    check_not_empty,
    each,
    expect_new,
    normal_object,
    normal_text,
    pairs,
    pieces,
)
from gitbackup.model.keys import Entry

EXPIRED = -2  # in place of an instant: the field, or the key, has gone since it was read
PLAIN = ("listpack", "ziplist")  # encodings that cannot hold a field's expiry


class Hash:
    name = "hash"

    def whole(self, server: Abilities, sized: bool) -> SingleReply | None:
        return (
            None if server.field_expiry else SingleReply("HSCAN", ("0", "COUNT", str(FEW)), _fields)
        )

    def read(self, key: bytes, server: Abilities) -> Reading:
        fields: dict[str, str] = {}
        cursor, encoding, seen = "0", "", set[str]()
        while True:
            scan: Command = ("HSCAN", key, cursor, "COUNT", server.piece)
            if server.field_expiry and not encoding:
                (cursor, flat), encoding = yield [scan, ("OBJECT", "ENCODING", key)]
            else:
                ((cursor, flat),) = yield [scan]
            fields.update(pairs(flat))
            expect_new(cursor, seen)
            if cursor == "0":
                break
        if not fields:
            return None
        entry: Entry = {"type": self.name, "value": fields}
        if server.field_expiry and encoding not in PLAIN:
            moments = yield from _field_moments(key, list(fields))
            for field in [field for field, at in moments.items() if at == EXPIRED]:
                del fields[field]
            if expiries := {field: codec.instant(at) for field, at in moments.items() if at >= 0}:
                entry["field_expires_at"] = expiries
        return entry if fields else None

    def canonicalize(self, value: Any) -> Any:
        fields = normal_object(value)
        check_not_empty(fields)
        return {
            field: normal_text(content, f"field {field!r}") for field, content in fields.items()
        }

    def write(self, key: bytes, entry: Entry, server: Abilities) -> Iterator[Command]:
        yield from _set(key, entry["value"])
        yield from _expire(key, entry.get("field_expires_at", {}))

    def change(
        self, key: bytes, before: Entry, after: Entry, server: Abilities
    ) -> Iterator[Command] | None:
        """A field that is set lives for ever; so it is given its expiry again."""
        old, new = before["value"], after["value"]
        was, due = (side.get("field_expires_at", {}) for side in (before, after))
        told = {field: text for field, text in new.items() if old.get(field) != text}
        kept = [field for field in was if field in new and field not in told and field not in due]
        soon = {field: at for field, at in due.items() if field in told or was.get(field) != at}
        return chain(
            _set(key, told),
            each("HDEL", key, [field for field in old if field not in new]),
            (("HPERSIST", key, "FIELDS", 1, codec.data(field)) for field in sorted(kept)),
            _expire(key, soon),
        )


def _fields(reply: Any) -> dict[str, str]:
    return dict(pairs(all_scanned(reply)))


def _set(key: bytes, fields: dict[str, str]) -> Iterator[Command]:
    return each("HSET", key, list(chain.from_iterable(fields.items())), 2 * ARGUMENTS)


def _expire(key: bytes, moments: dict[str, str | int]) -> Iterator[Command]:
    for field, expires_at in sorted(moments.items()):
        moment = codec.milliseconds(expires_at)
        yield "HPEXPIREAT", key, moment, "FIELDS", 1, codec.data(field)


def _field_moments(
    key: bytes, fields: list[str]
) -> Generator[list[Command], list[Any], dict[str, int]]:
    """When each field expires, in milliseconds since 1970; EXPIRED or another negative: never."""
    moments: dict[str, int] = {}
    for piece in pieces(fields, ARGUMENTS):
        names = [codec.raw(field) for field in piece]
        (answer,) = yield [("HPEXPIRETIME", key, "FIELDS", len(names), *names)]
        moments.update(zip(piece, answer or [EXPIRED] * len(piece), strict=True))
    return moments
