"""Strings: the value is text."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any, ClassVar

from gitbackup.format import codec
from gitbackup.kinds.base import (
    SHORT,
    STRETCH,
    Abilities,
    Command,
    Holds,
    Incomplete,
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
    are_all_text,
    normal_text,
)
from gitbackup.kinds.shapes import is_number, large_text_or_none, text_or_none
from gitbackup.model.changes import Part, ValueChange
from gitbackup.model.keys import Entry
from gitbackup.model.merging import Versions


class String(Kind):
    name = "string"
    holds = Holds.TEXT
    canonical_as_made = True
    documents = True
    takes_written = True
    create_if_absent = ("NX",)
    create_until = "PXAT"
    read_back = ReadBack.WORD
    replies: ClassVar[Mapping[str, Shape]] = {
        "GET": large_text_or_none,
        "GETRANGE": text_or_none,
        "STRLEN": is_number,
    }

    def single_reply(self, server: Abilities, sized: bool) -> SingleReply | None:
        if sized:
            return SingleReply("GET", (), _text)
        return SingleReply("GETRANGE", ("0", str(SHORT - 1)), _all_of_it)

    def read(self, key: bytes, server: Abilities) -> Reading:
        if server.share > 1:
            return (yield from _in_pieces(key, STRETCH // server.share))
        (value,) = yield [("GET", key)]
        return None if value is None else {"type": self.name, "value": value}

    def canonicalize(self, value: Any) -> Any:
        return normal_text(value, "the value")

    def are_canonical(self, values: Sequence[Any]) -> bool:
        return are_all_text(values)

    def sample(self, server: Abilities) -> Entry:
        return {"type": self.name, "value": ""}

    def write(self, key: bytes, entry: Entry, server: Abilities) -> Iterator[Command]:
        yield "SET", key, codec.data(entry["value"])

    def create(self, name: str, value: Any) -> Command:
        return "SET", name, value

    def change(
        self, key: bytes, before: Entry, after: Entry, server: Abilities
    ) -> Iterator[Command] | None:
        return iter(()) if before["value"] == after["value"] else None

    def elements(self, value: Any) -> None:
        return None

    def document(self, value: Any) -> str | None:
        return str(value) if isinstance(value, str) else None

    def part(self, value: Any, name: str) -> Any:
        raise LookupError(name)

    def parts(self, value: Any, text: TextParts) -> Iterator[PartOf]:
        return text(Part.VALUE, "", value)

    def diff(self, before: Any, after: Any, texts: TextChanges) -> list[ValueChange]:
        return texts(Part.VALUE, "", before, after)

    def merge(self, versions: Versions, parts: MergeParts) -> Any:
        return parts.text(Part.VALUE, "", versions)

    def masked(self, value: Any, mask: Mask) -> Any:
        return mask.text(value)

    def rows(self, value: Any) -> Rows:
        return Rows([Row(None, value)])


def _in_pieces(key: bytes, most: int) -> Reading:
    """Read a large string in pieces, which may end within a character. If they are empty, the key
    is read whole, for there may be none."""
    pieces: list[bytes] = []
    while True:
        start = most * len(pieces)
        length, reply = yield [("STRLEN", key), ("GETRANGE", key, start, start + most - 1)]
        pieces.append(piece := codec.raw(reply))
        if len(piece) < most:
            break
    if b"".join(pieces) and length == sum(map(len, pieces)):
        return {"type": String.name, "value": codec.loose(b"".join(pieces))}
    if length:
        raise Incomplete("its length changes on every read")
    (value,) = yield [("GET", key)]
    return None if value is None else {"type": String.name, "value": value}


def _text(reply: Any) -> str | None:
    if reply is not None and type(reply) is not str:
        raise Incomplete
    return reply


def _all_of_it(text: str) -> str:
    """Return the text if it surely is whole. Raises Incomplete if it may be cut short, or is empty,
    for then there may be no key. A character takes four bytes at most."""
    if not _text(text) or (len(text) >= SHORT // 4 and len(codec.raw(text)) >= SHORT):
        raise Incomplete
    return text
