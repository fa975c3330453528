"""Find the files of a layout that differ once some names have come, gone or changed.

Both layouts are compared from the root down, and only where they differ: the time depends on the
size of the difference, not on the number of names.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Iterator, Sequence

from gitbackup.format.layout import KeyGroup, layout_of
from gitbackup.format.slices import Slices

Files = dict[str, Sequence[bytes]]


def differing(
    before: Sequence[bytes], after: Sequence[bytes], touched: Sequence[bytes]
) -> tuple[Files, Files]:
    """Return the files that hold other names than before, or a touched one: as they were, and are.

    `before` and `after` are the sorted names, and may be the same list; `touched` are, sorted
    too, all that are in one of them only, and any others.
    """
    old, new = _whole(before), _whole(after)
    comparison = _Comparison(touched)
    comparison.walk(old, old if before is after else new)
    return comparison.old, comparison.new


def _whole(names: Sequence[bytes]) -> KeyGroup:
    return KeyGroup("", Slices(names, [(0, len(names))] if names else []), 0)


class _Comparison:
    """Collects the files that differ, as they were (`old`) and as they are (`new`)."""

    def __init__(self, touched: Sequence[bytes]) -> None:
        self.old: Files = {}
        self.new: Files = {}
        self._touched = touched

    def walk(self, old: KeyGroup, new: KeyGroup) -> None:
        """Compare two groups with the same path, and all groups in them."""
        if old.is_file or new.is_file:
            self.old.update(layout_of(old))
            self.new.update(layout_of(new))
            return
        for before, after in _pairs(old, new):
            if before is None or after is None:
                self.old.update(layout_of(before) if before else ())
                self.new.update(layout_of(after) if after else ())
            elif self._differ(before, after):
                self.walk(before, after)

    def _differ(self, old: KeyGroup, new: KeyGroup) -> bool:
        if isinstance(old.keys, Slices) and isinstance(new.keys, Slices):
            bounds = old.keys.bounds()
            return any(map(self._between, bounds)) or (
                old is not new and bounds != new.keys.bounds()
            )
        return old.keys != new.keys or any(map(self._between, zip(old.keys, old.keys, strict=True)))

    def _between(self, bounds: tuple[bytes, bytes]) -> bool:
        """Return whether a name between these two, inclusive, was touched."""
        first, last = bounds
        at = bisect_left(self._touched, first)
        return at < len(self._touched) and self._touched[at] <= last


def _pairs(old: KeyGroup, new: KeyGroup) -> Iterator[tuple[KeyGroup | None, KeyGroup | None]]:
    """Yield the groups of a folder before and after, paired by path and kind."""
    if old is new:
        yield from ((group, group) for group in old.groups())
        return
    before = {(group.path, group.kind): group for group in old.groups()}
    for group in new.groups():
        yield before.pop((group.path, group.kind), None), group
    yield from ((group, None) for group in before.values())
