"""Lists: the value is an array of text, in order."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from gitbackup import codec
from gitbackup.kinds.base import (
    ARGUMENTS,
    PIECE,
    Abilities,
    Command,
    Reading,
    check_not_empty,
    normal_texts,
    pieces,
)
from gitbackup.model import Entry


class List:
    name = "list"
    watched = False

    def read(self, key: bytes, server: Abilities) -> Reading:
        items: list[str] = []
        while True:
            (piece,) = yield [("LRANGE", key, len(items), len(items) + PIECE - 1)]
            items += piece
            if len(piece) < PIECE:
                return {"type": self.name, "value": items} if items else None

    def normal(self, value: Any) -> Any:
        check_not_empty(value)
        return normal_texts(value)

    def write(self, key: bytes, entry: Entry, server: Abilities) -> Iterator[Command]:
        for piece in pieces(entry["value"], ARGUMENTS):
            yield "RPUSH", key, *map(codec.data, piece)
