"""Merge three versions of a list by the edits that lead from one to another.

What became of the list since the commit, and what takes the commit back, are edits of the version
after the commit. They go together unless they are of the same items, or the order of what they
insert is open. What both insert at the same end of the list is in the order of time: what came
later is further out.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any, NamedTuple

from gitbackup.model.list_edits import Edit, Items, edits
from gitbackup.model.merging import Versions

MergeAt = Callable[[int, Versions], Any]
"""Merges what is at a place of the list."""


def merge_lists(
    versions: Versions, keys: Versions, item: MergeAt, run: MergeAt
) -> list[Any] | None:
    """Return the merged list; None if the versions differ too much to tell how.

    `keys` are, for each version, texts that are equal for equal items. `item` merges one item that
    both sides have replaced, `run` chooses between runs of items that cannot be merged.
    """
    (before, after, now), (before_keys, after_keys, now_keys) = versions, keys
    back, since = edits(after_keys, before_keys), edits(after_keys, now_keys)
    if back is None or since is None:
        return None
    merged: list[Any] = []
    end = 0
    for region in _regions(back, since):
        merged += after[end : region.start]
        end = region.end
        theirs = _Side(region, region.back, before, before_keys)
        ours = _Side(region, region.since, now, now_keys)
        found = _together(region, theirs, ours, after)
        if found is None:
            gone = [*after[region.start : region.end]]
            merged += run(len(merged), Versions(theirs.run(before), gone, ours.run(now)))
            continue
        for one in found:
            merged.append(item(len(merged), one) if isinstance(one, Versions) else one)
    return [*merged, *after[end:]]


@dataclass(slots=True)
class _Region:
    """Items after[start:end], and the edits of both sides in there; none is next to another's."""

    start: int
    end: int
    back: list[Edit] = field(default_factory=list)
    since: list[Edit] = field(default_factory=list)


def _regions(back: Sequence[Edit], since: Sequence[Edit]) -> Iterator[_Region]:
    """Gather the edits that touch each other."""
    both = [(edit, False) for edit in back] + [(edit, True) for edit in since]
    region: _Region | None = None
    for edit, later in sorted(both):
        if region is None or edit.before_start > region.end:
            if region is not None:
                yield region
            region = _Region(edit.before_start, edit.before_end)
        region.end = max(region.end, edit.before_end)
        (region.since if later else region.back).append(edit)
    if region is not None:
        yield region


class _Run(NamedTuple):
    """Items that came, and their keys; if they replace others, these are after[start:end]."""

    start: int
    end: int
    items: Sequence[Any]
    keys: Items


class _Side:
    """What one side did in a region: what it inserted, replaced and only deleted."""

    def __init__(
        self, region: _Region, edits: Sequence[Edit], version: Sequence[Any], keys: Items
    ) -> None:
        self.inserted: dict[int, _Run] = {}
        self.replaced: dict[int, _Run] = {}
        self.deleted: set[int] = set()
        self._bounds = region.start, region.end
        self._edits = edits
        for edit in edits:
            start, end, came, until = edit
            if start == end:
                self.inserted[start] = _Run(start, end, version[came:until], keys[came:until])
            elif came == until:
                self.deleted.update(range(start, end))
            elif edit.even:
                for at, new in zip(range(start, end), range(came, until), strict=True):
                    one = slice(new, new + 1)
                    self.replaced[at] = _Run(at, at + 1, version[one], keys[one])
            else:
                self.replaced[start] = _Run(start, end, version[came:until], keys[came:until])

    def run(self, version: Sequence[Any]) -> list[Any]:
        """Return what the region's items are on this side."""
        (start, end), first, last = self._bounds, self._edits[0], self._edits[-1]
        return [
            *version[first.after_start - (first.before_start - start) : last.after_end],
            *version[last.after_end : last.after_end + end - last.before_end],
        ]

    def clashes(self, other: _Side) -> bool:
        """Return whether what it replaced is not as the other side left it."""
        for run in self.replaced.values():
            twin = other.replaced.get(run.start)
            if twin and twin.end == run.end:
                one_each = run.end - run.start == len(run.items) == len(twin.items) == 1
                if twin.keys != run.keys and not one_each:
                    return True
                continue
            taken = range(run.start, run.end)
            inside = any(run.start < gap < run.end for gap in other.inserted)
            if inside or not other.deleted.isdisjoint(taken):
                return True
            if any(
                each.start < run.end and run.start < each.end for each in other.replaced.values()
            ):
                return True
        return False


def _together(
    region: _Region, theirs: _Side, ours: _Side, after: Sequence[Any]
) -> list[Any] | None:
    """Return the items of a region with the edits of both sides, three Versions in place of one
    that both have replaced; None if they clash."""
    if theirs.clashes(ours) or ours.clashes(theirs):
        return None
    found: list[Any] = []
    at = region.start
    while at <= region.end:
        inserted = _inserted(theirs.inserted.get(at), ours.inserted.get(at), len(after))
        if inserted is None:
            return None
        found += inserted
        there, here = theirs.replaced.get(at), ours.replaced.get(at)
        run = there or here
        if run is None:
            if at < region.end and at not in theirs.deleted | ours.deleted:
                found.append(after[at])
            at += 1
            continue
        if there and here and there.keys != here.keys:
            found.append(Versions(there.items[0], after[at], here.items[0]))
        else:
            found += run.items
        at = run.end
    return found


def _inserted(theirs: _Run | None, ours: _Run | None, length: int) -> Sequence[Any] | None:
    """Return what both sides have inserted at one place, in order; None if that is open.

    If what goes back is there already, it is not inserted twice.
    """
    if theirs is None or ours is None or _contains(ours.keys, theirs.keys):
        run = ours or theirs
        return run.items if run else []
    if ours.start == 0 < length:
        return [*ours.items, *theirs.items]
    return [*theirs.items, *ours.items] if ours.start == length > 0 else None


def _contains(keys: Items, part: Items) -> bool:
    """Return whether one run has another, without a gap."""
    size = len(part)
    return any(keys[at : at + size] == part for at in range(len(keys) - size + 1))
