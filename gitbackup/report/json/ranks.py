"""Where the members of a sorted set stand: 1 has the highest score."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from gitbackup.format import codec
from gitbackup.model.keys import Entry, Masked

Ranks = Mapping[str, int]


def ranks(entry: Entry | None) -> Ranks:
    """The rank of every member, of those with one score in the order of ZREVRANGE.

    Where a score is masked there are none.
    """
    if entry is None or entry["type"] != "zset":
        return {}
    if any(isinstance(score, Masked) for score in entry["value"].values()):
        return {}
    members = sorted(entry["value"].items(), key=_order, reverse=True)
    return {member: at for at, (member, _) in enumerate(members, 1)}


def _order(item: tuple[str, Any]) -> tuple[float, bytes]:
    member, score = item
    return codec.number(score), codec.data(member)
