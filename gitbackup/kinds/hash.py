"""Hashes: the value is an object, field to text; fields that expire in `field_expires_at`."""

from __future__ import annotations

from collections.abc import Generator, Iterator, Mapping, Sequence
from itertools import chain
from typing import Any, ClassVar

from gitbackup.format import codec
from gitbackup.kinds.base import (
    ARGUMENTS,
    FEW,
    Abilities,
    Command,
    Holds,
    Kind,
    Mask,
    MergeParts,
    PartOf,
    ReadBack,
    Reading,
    Row,
    Rows,
    Shape,
    SingleReply,
    TextChanges,
    TextParts,
    all_scanned,
    are_all_text,
    check_not_empty,
    each,
    expect_new,
    normal_object,
    normal_text,
    pairs,
    pieces,
)
from gitbackup.kinds.comparing import by_name
from gitbackup.kinds.shapes import are_numbers, is_scan
from gitbackup.model.changes import ABSENT, Part, ValueChange
from gitbackup.model.keys import MASK, Entry
from gitbackup.model.merging import Versions

EARLIER = "2000-01-01T00:00:00.000Z"
EXPIRED = -2  # in place of an instant: the field, or the key, has gone since it was read
PLAIN = ("listpack", "ziplist")  # encodings that cannot hold a field's expiry


def _is_scan_of_pairs(reply: Any) -> bool:
    return is_scan(reply) and len(reply[1]) % 2 == 0


def _are_moments(reply: Any) -> bool:
    return reply is None or (type(reply) is list and are_numbers(reply))


class Hash(Kind):
    name = "hash"
    holds = Holds.FIELDS
    canonical_as_made = True
    documents = True
    takes_written = True
    fields_expire = True
    read_back = ReadBack.SCAN  # in that order if the hash is small
    replies: ClassVar[Mapping[str, Shape]] = {
        "HSCAN": _is_scan_of_pairs,
        "HPEXPIRETIME": _are_moments,
    }

    def single_reply(self, server: Abilities, sized: bool) -> SingleReply | None:
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
            fields.update(_pairs(flat))
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

    def more_reads(self, key: bytes, server: Abilities) -> Iterator[Command]:
        if server.field_expiry:
            yield "HPEXPIRETIME", key, "FIELDS", 1, ""

    def canonicalize(self, value: Any) -> Any:
        fields = normal_object(value)
        check_not_empty(fields)
        return {
            field: normal_text(content, f"field {field!r}") for field, content in fields.items()
        }

    def are_canonical(self, values: Sequence[Any]) -> bool:
        filled = {*map(type, values)} == {dict} and all(values)
        return filled and are_all_text(chain.from_iterable(map(dict.values, values)))

    def sample(self, server: Abilities) -> Entry:
        entry: Entry = {"type": self.name, "value": {"": ""}}
        if server.field_expiry:
            entry["field_expires_at"] = {"": EARLIER}
        return entry

    def write(self, key: bytes, entry: Entry, server: Abilities) -> Iterator[Command]:
        yield from _set(key, entry["value"])
        yield from _expire(key, entry.get("field_expires_at", {}))

    def create(self, name: str, value: Any) -> Command | None:
        if len(value) > ARGUMENTS:
            return None
        return "HSET", name, *chain.from_iterable(value.items())

    def change(
        self, key: bytes, before: Entry, after: Entry, server: Abilities
    ) -> Iterator[Command] | None:
        """Return commands that set, delete and expire fields. A field that is set loses its expiry,
        which is set again."""
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

    def part(self, value: Any, name: str) -> Any:
        return value[name]

    def parts(self, value: Any, text: TextParts) -> Iterator[PartOf]:
        for field, content in value.items():
            yield from text(Part.FIELD, field, content)

    def diff(self, before: Any, after: Any, texts: TextChanges) -> list[ValueChange]:
        return by_name(Part.FIELD, before, after, texts)

    def merge(self, versions: Versions, parts: MergeParts) -> Any:
        return parts.named(Part.FIELD, versions, parts.text) or ABSENT

    def masked(self, value: Any, mask: Mask) -> Any:
        return {
            field: MASK if mask.hides(field) else mask.text(content)
            for field, content in value.items()
        }

    def rows(self, value: Any) -> Rows:
        found = (Row(field, content) for field, content in value.items())
        return Rows(found, len(value), "field", "fields")


def _pairs(flat: list[Any]) -> Iterator[tuple[str, Any]]:
    """Return the pairs of a reply whose large texts are written: a name is not."""
    if codec.Written not in map(type, flat[::2]):
        return pairs(flat)
    names = (codec.unwritten(n) if type(n) is codec.Written else n for n in flat[::2])
    return zip(names, flat[1::2], strict=True)


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
    """Return when each field expires, in milliseconds since 1970: EXPIRED if it has, another
    negative number if it never does."""
    moments: dict[str, int] = {}
    for piece in pieces(fields, ARGUMENTS):
        names = [codec.raw(field) for field in piece]
        (answer,) = yield [("HPEXPIRETIME", key, "FIELDS", len(names), *names)]
        moments.update(zip(piece, answer or [EXPIRED] * len(piece), strict=True))
    return moments
