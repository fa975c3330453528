"""Sets: the value is a sorted array of text."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import pairwise
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


class Set:
    name = "set"
    watched = False

    def read(self, key: bytes, server: Abilities) -> Reading:
        members: set[str] = set()
        cursor = "0"
        while True:
            ((cursor, piece),) = yield [("SSCAN", key, cursor, "COUNT", PIECE)]
            members.update(piece)
            if cursor == "0":
                return {"type": self.name, "value": sorted(members)} if members else None

    def normal(self, value: Any) -> Any:
        check_not_empty(value)
        members = sorted(normal_texts(value))
        for member, following in pairwise(members):
            if member == following:
                raise ValueError(f"the member {member!r} stands there twice")
        return members

    def write(self, key: bytes, entry: Entry, server: Abilities) -> Iterator[Command]:
        for piece in pieces(entry["value"], ARGUMENTS):
            yield "SADD", key, *map(codec.data, piece)
