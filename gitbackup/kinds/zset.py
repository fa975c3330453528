"""Sorted sets: the value is an object, member to score; scores are doubles, kept exactly."""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Mapping, Sequence
from itertools import chain
from typing import Any, ClassVar

from gitbackup.format import codec
from gitbackup.kinds.base import (
    ARGUMENTS,
    FEW,
    Abilities,
    Command,
    Form,
    Holds,
    Incomplete,
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
    all_of,
    check_not_empty,
    each,
    expect_texts,
    normal_object,
    pairs,
    pieces,
)
from gitbackup.kinds.comparing import by_name, leaf
from gitbackup.kinds.shapes import are_texts
from gitbackup.model.changes import ABSENT, Part, ValueChange
from gitbackup.model.keys import MASK, Entry, Masked
from gitbackup.model.merging import Versions

UNPACKED = 10_000  # bytes: no server packs so long a member

Scores = Mapping[str, int | float | str]


def _are_scores(reply: Any) -> bool:
    if type(reply) is not list:
        return False
    if {*map(type, reply)} <= {str}:  # RESP2
        members, scores = reply[::2], reply[1::2]
    else:
        members, scores = [member for member, _ in reply], [score for _, score in reply]
    numbers = [*map(float, scores)]
    return len(members) == len(numbers) and are_texts(members) and not any(map(math.isnan, numbers))


class SortedSet(Kind):
    name = "zset"
    holds = Holds.RANKS
    floats = True
    replies: ClassVar[Mapping[str, Shape]] = {"ZRANGE": _are_scores}

    def single_reply(self, server: Abilities, sized: bool) -> SingleReply | None:
        def value(reply: Any) -> dict[str, Any]:
            return _scores(all_of(reply if server.resp3 else [*pairs(reply)]))

        return SingleReply("ZRANGE", ("0", str(FEW - 1), "WITHSCORES"), value)

    def read(self, key: bytes, server: Abilities) -> Reading:
        scores: dict[str, Any] = {}
        start = 0
        while True:
            command: Command = ("ZRANGE", key, start, start + server.piece - 1, "WITHSCORES")
            (reply,) = yield [command]
            piece = reply if server.resp3 else list(pairs(reply))
            known = len(scores)
            scores.update(_scores(piece))
            start += server.piece
            if piece and len(scores) == known:
                raise Incomplete("reading it returns the same members again and again")
            if len(piece) < server.piece:
                return {"type": self.name, "value": scores} if scores else None

    def canonicalize(self, value: Any) -> Any:
        check_not_empty(value)
        scores = normal_object(value)
        return {member: codec.score(codec.number(score)) for member, score in scores.items()}

    def are_canonical(self, values: Sequence[Any]) -> bool:
        filled = {*map(type, values)} == {dict} and all(values)
        return filled and all(map(_is_score, chain.from_iterable(map(dict.values, values))))

    def written(self, value: Any) -> Any:
        if not any(map(codec.is_odd, value.values())):
            return value
        return {member: codec.written(score) for member, score in value.items()}

    def sample(self, server: Abilities) -> Entry:
        return {"type": self.name, "value": {"": -0.0}}

    def write(self, key: bytes, entry: Entry, server: Abilities) -> Iterator[Command]:
        scores = entry["value"]
        filler = _filler(scores)
        if filler:
            yield "ZADD", key, 0, filler
        yield from _add(key, scores)
        if filler:
            yield "ZREM", key, filler

    def create(self, name: str, value: Any) -> Command | None:
        if len(value) > ARGUMENTS:
            return None
        scored = ((str(score), member) for member, score in value.items())
        return "ZADD", name, *chain.from_iterable(scored)

    def change(
        self, key: bytes, before: Entry, after: Entry, server: Abilities
    ) -> Iterator[Command] | None:
        """Return commands that change a sorted set; None if a zero changes its sign, which a server
        takes for no change."""
        old, new = before["value"], after["value"]
        told = {member: score for member, score in new.items() if not _same(old.get(member), score)}
        if any(map(_is_negative_zero, [*told.values(), *map(old.get, told)])):
            return None
        gone = [member for member in old if member not in new]
        return chain(_add(key, told), each("ZREM", key, gone))

    def part(self, value: Any, name: str) -> Any:
        return value[name]

    def parts(self, value: Any, text: TextParts) -> Iterator[PartOf]:
        return (PartOf(Part.SCORE, member, (), score) for member, score in value.items())

    def diff(self, before: Any, after: Any, texts: TextChanges) -> list[ValueChange]:
        return by_name(Part.SCORE, before, after, leaf)

    def merge(self, versions: Versions, parts: MergeParts) -> Any:
        return parts.named(Part.SCORE, versions, parts.leaf) or ABSENT

    def masked(self, value: Any, mask: Mask) -> Any:
        """Return the value masked; members that would become equal are numbered."""
        if mask.whole:
            return {f"{MASK}{at}": MASK for at in range(1, len(value) + 1)}
        masked: dict[str, Any] = {}
        for member, score in value.items():
            name = mask.text(member)
            name = f"{name} {len(masked)}" if name in masked else name
            masked[name] = MASK if mask.hides(member) else score
        return masked

    def rows(self, value: Any) -> Rows:
        found = (Row(member, score, Form.SCORE) for member, score in value.items())
        return Rows(found, len(value), "member", "members")

    def ranks(self, value: Any) -> Mapping[str, int]:
        """Return the rank of each member, as in ZREVRANGE; nothing if a score is masked."""
        if any(isinstance(score, Masked) for score in value.values()):
            return {}
        members = sorted(value.items(), key=_order, reverse=True)
        return {member: at for at, (member, _) in enumerate(members, 1)}


def _order(item: tuple[str, Any]) -> tuple[float, bytes]:
    member, score = item
    return codec.number(score), codec.data(member)


def _is_score(value: Any) -> bool:
    """Return whether it is a finite number in its canonical form."""
    if type(value) is int:
        return -codec.EXACT < value < codec.EXACT
    return type(value) is float and not value.is_integer()


def _scores(piece: Iterable[tuple[str, Any]]) -> dict[str, Any]:
    scores = {member: codec.score(float(score)) for member, score in piece}
    expect_texts(scores)
    if "nan" in scores.values():
        raise Incomplete("a score is not a number")
    return scores


def _add(key: bytes, scores: Scores) -> Iterator[Command]:
    for piece in pieces(list(scores.items()), ARGUMENTS):
        words: list[bytes | str] = []
        for member, score in piece:
            words += str(score), codec.data(member)
        yield "ZADD", key, *words


def _same(one: int | float | str | None, other: int | float | str) -> bool:
    return one == other and _is_negative_zero(one) == _is_negative_zero(other)


def _is_negative_zero(score: int | float | str | None) -> bool:
    return isinstance(score, float) and score == 0 and math.copysign(1, score) < 0


def _filler(scores: Scores) -> str:
    """Return a member that makes the server unpack the set while it is built; none is needed
    without a -0.0.

    Some servers keep the sign of a zero in a set of their large form only.
    """
    if not any(map(_is_negative_zero, scores.values())):
        return ""
    filler = "x" * UNPACKED
    while filler in scores:
        filler += "x"
    return filler
