"""Where the members of a sorted set stand: 1 has the highest score."""

from __future__ import annotations

from collections.abc import Mapping

from gitbackup.kinds import kind_of
from gitbackup.model.keys import Entry

Ranks = Mapping[str, int]


def ranks(entry: Entry | None) -> Ranks:
    """Return the rank of every member, members of one score in the order of ZREVRANGE.

    Where a score is masked there are none.
    """
    return kind_of(entry).ranks(entry["value"]) if entry else {}
