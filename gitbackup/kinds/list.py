"""Lists: the value is an array of text, in order."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
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
    all_of,
    are_all_text,
    check_not_empty,
    each,
    expect_texts,
    normal_texts,
    text_bytes,
)
from gitbackup.kinds.comparing import changed
from gitbackup.kinds.shapes import are_texts
from gitbackup.model.changes import ABSENT, Action, Part, ValueChange
from gitbackup.model.keys import Entry
from gitbackup.model.list_edits import Edit, edits
from gitbackup.model.merging import Versions

MOST_SET = 100  # items replaced one by one; for more the list is built anew


class List(Kind):
    name = "list"
    holds = Holds.ENTRIES
    canonical_as_made = True
    read_back = ReadBack.WORDS
    documents = True
    replies: ClassVar[Mapping[str, Shape]] = {"LRANGE": are_texts}

    def single_reply(self, server: Abilities, sized: bool) -> SingleReply | None:
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

    def are_canonical(self, values: Sequence[Any]) -> bool:
        filled = {*map(type, values)} == {list} and all(values)
        return filled and are_all_text(chain.from_iterable(values))

    def sample(self, server: Abilities) -> Entry:
        return {"type": self.name, "value": [""]}

    def write(self, key: bytes, entry: Entry, server: Abilities) -> Iterator[Command]:
        return each("RPUSH", key, entry["value"])

    def create(self, name: str, value: Any) -> Command | None:
        return ("RPUSH", name, *value) if len(value) <= ARGUMENTS else None

    def change(
        self, key: bytes, before: Entry, after: Entry, server: Abilities
    ) -> Iterator[Command] | None:
        """Return commands if items were only replaced, or came and went at either end; otherwise
        None."""
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
        """Yield the commands. Items are replaced first, since positions are those of the list as it
        was."""
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

    def least_memory(self, value: Any) -> int:
        return text_bytes(value) // 4  # it may be compressed

    def part(self, value: Any, name: str) -> Any:
        if not re.fullmatch(r"-?[0-9]{1,18}", name):
            raise LookupError(name)
        return value[int(name)]

    def parts(self, value: Any, text: TextParts) -> Iterator[PartOf]:
        return (PartOf(Part.ITEM, str(at), (), item) for at, item in enumerate(value))

    def diff(self, before: Any, after: Any, texts: TextChanges) -> list[ValueChange]:
        """Return what differs, an item by its position after, a removed one by its position
        before."""
        blocks = edits(before, after)
        if blocks is None:
            note = f"too large to compare inside: {len(before):,} -> {len(after):,} items"
            return [changed(Part.VALUE, "", before, after, note)]
        changes: list[ValueChange] = []
        for block in blocks:
            went = range(block.before_start, block.before_end)
            came = range(block.after_start, block.after_end)
            if block.even:
                for i, j in zip(went, came, strict=True):
                    changes += texts(Part.ITEM, str(j), before[i], after[j])
            else:
                changes += [c for i in went for c in texts(Part.ITEM, str(i), before[i], ABSENT)]
                changes += [c for j in came for c in texts(Part.ITEM, str(j), ABSENT, after[j])]
        return sorted(changes, key=_order)

    def merge(self, versions: Versions, parts: MergeParts) -> Any:
        return parts.items(Part.ITEM, versions) or ABSENT

    def masked(self, value: Any, mask: Mask) -> Any:
        return [mask.text(item) for item in value]

    def rows(self, value: Any) -> Rows:
        return Rows((Row(at, item) for at, item in enumerate(value)), len(value), "item", "items")


def _order(change: ValueChange) -> tuple[int, bool]:
    """Return the sort key of a change: its position, removed items first."""
    return int(change.name), change.action is not Action.REMOVED or change.path != ()


def _items(reply: Any) -> Sequence[str]:
    expect_texts(reply)
    return all_of(reply)
