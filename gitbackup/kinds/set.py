"""Sets: the value is a sorted array of text."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import chain, pairwise
from typing import Any

from gitbackup.kinds.base import (
    FEW,
    Abilities,
    Command,
    Reading,
    SingleReply,
    all_scanned,
    check_not_empty,
    each,
    expect_new,
    normal_texts,
)
from gitbackup.model.keys import Entry


class Set:
    name = "set"

    def whole(self, server: Abilities, sized: bool) -> SingleReply | None:
        return SingleReply(
            "SSCAN", ("0", "COUNT", str(FEW)), lambda reply: sorted({*all_scanned(reply)})
        )

    def read(self, key: bytes, server: Abilities) -> Reading:
        members: set[str] = set()
        cursor, seen = "0", set[str]()
        while True:
            ((cursor, piece),) = yield [("SSCAN", key, cursor, "COUNT", server.piece)]
            members.update(piece)
            expect_new(cursor, seen)
            if cursor == "0":
                return {"type": self.name, "value": sorted(members)} if members else None

    def canonicalize(self, value: Any) -> Any:
        check_not_empty(value)
        members = sorted(normal_texts(value))
        for member, following in pairwise(members):
            if member == following:
                raise ValueError(f"the member {member!r} stands there twice")
        return members

    def write(self, key: bytes, entry: Entry, server: Abilities) -> Iterator[Command]:
        return each("SADD", key, entry["value"])

    def change(
        self, key: bytes, before: Entry, after: Entry, server: Abilities
    ) -> Iterator[Command] | None:
        old, new = set(before["value"]), set(after["value"])
        return chain(
            each("SADD", key, [member for member in after["value"] if member not in old]),
            each("SREM", key, [member for member in before["value"] if member not in new]),
        )
