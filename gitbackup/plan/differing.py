"""Whether a plan that was seen is still the one that would be made now.

Both have digests of the values that are replaced or deleted, so nothing is deleted in bulk.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import NamedTuple

from gitbackup.model.file_groups import FileGroup, listed, parts
from gitbackup.plan.plan import Plan, PlannedKey


class Pair(NamedTuple):
    """What happens to a key by the plan that was seen, and by the one of now; None for nothing."""

    seen: PlannedKey | None
    now: PlannedKey | None

    @property
    def same(self) -> bool:
        """Whether the key holds what it held, and the same happens to it."""
        if self.seen is None or self.now is None:
            return False
        return (self.seen.action, self.seen.digest) == (self.now.action, self.now.digest)


def elsewhere(seen: Plan, now: Plan) -> bool:
    """Return whether another server answers than when the plan was seen, or the same one was
    started again. If nobody could be asked which run it was, its name tells."""
    return seen.runs != now.runs if seen.runs else seen.server != now.server


def pairs(seen: Plan, now: Plan) -> Iterator[Pair]:
    """Yield the steps of both plans by key, sorted, without files of which all is the same."""
    (few, blocks), (few_now, blocks_now) = parts(seen.keys), parts(now.keys)
    there = {_place(block): block for block in blocks}
    same = {at for block in blocks_now if there.get(at := _place(block)) == block}
    return _joined(
        listed([*few], [block for block in blocks if _place(block) not in same]),
        listed([*few_now], [block for block in blocks_now if _place(block) not in same]),
    )


def _place(block: FileGroup[PlannedKey]) -> tuple[int, str]:
    return block.db, block.names[0]


def _joined(seen: Iterable[PlannedKey], now: Iterable[PlannedKey]) -> Iterator[Pair]:
    all_seen, all_now = iter(seen), iter(now)
    one, other = next(all_seen, None), next(all_now, None)
    while one or other:
        if other is None or (one and one.key < other.key):
            yield Pair(one, None)
            one = next(all_seen, None)
        elif one is None or other.key < one.key:
            yield Pair(None, other)
            other = next(all_now, None)
        else:
            yield Pair(one, other)
            one, other = next(all_seen, None), next(all_now, None)
