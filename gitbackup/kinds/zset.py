"""Sorted sets: the value is an object, member to score; scores are doubles, kept exactly."""

from __future__ import annotations

import math
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

UNPACKED = 10_000  # bytes: no server packs so long a member


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
        scores = {member: codec.number(score) for member, score in entry["value"].items()}
        filler = _filler(scores)
        if filler:
            yield "ZADD", key, 0, filler
        for piece in pieces(list(scores.items()), ARGUMENTS):
            words: list[bytes | str] = []
            for member, score in piece:
                words += repr(score), codec.data(member)
            yield "ZADD", key, *words
        if filler:
            yield "ZREM", key, filler


def _filler(scores: dict[str, float]) -> str:
    """A member that makes the server unpack the set while it is built; none without a -0.0.

    Some servers keep the sign of a zero in a set of their large form only.
    """
    if not any(score == 0 and math.copysign(1, score) < 0 for score in scores.values()):
        return ""
    filler = "x" * UNPACKED
    while filler in scores:
        filler += "x"
    return filler
