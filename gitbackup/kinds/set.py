"""Sets: the value is a sorted array of text."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from itertools import chain, pairwise
from typing import Any, ClassVar

from gitbackup.kinds.base import (
    ARGUMENTS,
    FEW,
    Abilities,
    Command,
    Form,
    Holds,
    Kind,
    Mask,
    MergeParts,
    PartOf,
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
    normal_texts,
)
from gitbackup.kinds.comparing import binary_note
from gitbackup.kinds.shapes import is_scan
from gitbackup.model.changes import ABSENT, Action, Part, ValueChange
from gitbackup.model.keys import Entry
from gitbackup.model.merging import Versions


class Set(Kind):
    name = "set"
    holds = Holds.MEMBERS
    canonical_as_made = True
    replies: ClassVar[Mapping[str, Shape]] = {"SSCAN": is_scan}

    def single_reply(self, server: Abilities, sized: bool) -> SingleReply | None:
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
                raise ValueError(f"duplicate member {member!r}")
        return members

    def are_canonical(self, values: Sequence[Any]) -> bool:
        filled = {*map(type, values)} == {list} and all(values)
        return (
            filled
            and are_all_text(chain.from_iterable(values))
            and all(len(set(value)) == len(value) and sorted(value) == value for value in values)
        )

    def sample(self, server: Abilities) -> Entry:
        return {"type": self.name, "value": [""]}

    def write(self, key: bytes, entry: Entry, server: Abilities) -> Iterator[Command]:
        return each("SADD", key, entry["value"])

    def create(self, name: str, value: Any) -> Command | None:
        return ("SADD", name, *value) if len(value) <= ARGUMENTS else None

    def change(
        self, key: bytes, before: Entry, after: Entry, server: Abilities
    ) -> Iterator[Command] | None:
        old, new = set(before["value"]), set(after["value"])
        return chain(
            each("SADD", key, [member for member in after["value"] if member not in old]),
            each("SREM", key, [member for member in before["value"] if member not in new]),
        )

    def part(self, value: Any, name: str) -> Any:
        if name not in value:
            raise LookupError(name)
        return value[value.index(name)]  # which a mask may have taken the place of

    def parts(self, value: Any, text: TextParts) -> Iterator[PartOf]:
        return (PartOf(Part.MEMBER, member, (), member) for member in value)

    def diff(self, before: Any, after: Any, texts: TextChanges) -> list[ValueChange]:
        old, new = dict.fromkeys(before), dict.fromkeys(after)
        return [
            _removed(member) if member in old else _added(member)
            for member in sorted(old.keys() ^ new.keys())
        ]

    def merge(self, versions: Versions, parts: MergeParts) -> Any:
        return sorted(parts.named(Part.MEMBER, versions.each(dict.fromkeys), parts.leaf)) or ABSENT

    def masked(self, value: Any, mask: Mask) -> Any:
        return [mask.text(member) for member in value]

    def rows(self, value: Any) -> Rows:
        found = (Row(None, member, Form.NAME) for member in value)
        return Rows(found, len(value), "member", "members")


def _removed(member: str) -> ValueChange:
    note = binary_note(member)
    return ValueChange(Part.MEMBER, Action.REMOVED, member, (), member, None, note)


def _added(member: str) -> ValueChange:
    return ValueChange(Part.MEMBER, Action.ADDED, member, (), None, member, binary_note(member))
