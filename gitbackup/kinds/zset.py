"""Sorted sets: the value is an object, member to score; scores are doubles, kept exactly."""

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
    normal_object,
    pairs,
    pieces,
)
from gitbackup.model import Entry


class SortedSet:
    name = "zset"
    watched = False

    def read(self, key: bytes, server: Abilities) -> Reading:
        scores: dict[str, Any] = {}
        start = 0
        while True:
            command: Command = ("ZRANGE", key, start, start + PIECE - 1, "WITHSCORES")
            (reply,) = yield [command]
            piece = reply if server.resp3 else list(pairs(reply))
            scores.update((member, codec.score(float(score))) for member, score in piece)
            start += PIECE
            if len(piece) < PIECE:
                return {"type": self.name, "value": scores} if scores else None

    def normal(self, value: Any) -> Any:
        check_not_empty(value)
        scores = normal_object(value)
        return {member: codec.score(codec.number(score)) for member, score in scores.items()}

    def write(self, key: bytes, entry: Entry, server: Abilities) -> Iterator[Command]:
        for piece in pieces(list(entry["value"].items()), ARGUMENTS):
            words: list[bytes | str] = []
            for member, score in piece:
                words += repr(codec.number(score)), codec.data(member)
            yield "ZADD", key, *words
