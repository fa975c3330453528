"""Lists: the value is an array of text, in order."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

from gitbackup.format import codec
from gitbackup.kinds.base import (
    FEW,
    Abilities,
    Command,
    Reading,
    SingleReply,
    all_of,
    check_not_empty,
    each,
    normal_texts,
    texts,
)
from gitbackup.model.keys import Entry
from gitbackup.model.list_edits import Edit, edits

MOST_SET = 100  # items replaced one by one; for more the list is built anew


class List:
    name = "list"

    def whole(self, server: Abilities, sized: bool) -> SingleReply | None:
        return SingleReply("LRANGE", ("0", str(FEW - 1)), _items)

    def read(self, key: bytes, server: Abilities) -> Reading:
        items: list[str] = []
        while True:
            (piece,) = yield [("LRANGE", key, len(items), len(items) + server.piece - 1)]
            items += piece
            if len(piece) < server.piece:
                return {"type": self.name, "value": items} if items else None

    def canonicalize(self, value: Any) -> Any:
        check_not_empty(value)
        return normal_texts(value)

    def write(self, key: bytes, entry: Entry, server: Abilities) -> Iterator[Command]:
        return each("RPUSH", key, entry["value"])

    def change(
        self, key: bytes, before: Entry, after: Entry, server: Abilities
    ) -> Iterator[Command] | None:
        """Items that others replace, and what came and went at either end."""
        found = edits(before["value"], after["value"])
        if found is None:
            return None
        replaced = [edit for edit in found if edit.even]
        others = [edit for edit in found if not edit.even]
        ends = [0, len(before["value"])]
        at_ends = all(ends[0] == edit.before_start or ends[1] == edit.before_end for edit in others)
        whole = any(ends == [edit.before_start, edit.before_end] for edit in others)
        most = sum(edit.before_end - edit.before_start for edit in replaced)
        if not at_ends or whole or most > MOST_SET:
            return None
        return self._steps(key, after["value"], replaced, others)

    def _steps(
        self, key: bytes, items: list[str], replaced: list[Edit], others: list[Edit]
    ) -> Iterator[Command]:
        """Positions are those of the list as it was, so they go first."""
        for edit in replaced:
            for at in range(edit.after_end - edit.after_start):
                item = codec.data(items[edit.after_start + at])
                yield "LSET", key, edit.before_start + at, item
        for edit in others:
            gone, came = (
                edit.before_end - edit.before_start,
                items[edit.after_start : edit.after_end],
            )
            end = "L" if edit.before_start == 0 else "R"
            if gone:
                yield "LTRIM", key, *((gone, -1) if end == "L" else (0, -1 - gone))
            yield from each(f"{end}PUSH", key, came[::-1] if end == "L" else came)


def _items(reply: Any) -> Sequence[str]:
    texts(reply)
    return all_of(reply)
