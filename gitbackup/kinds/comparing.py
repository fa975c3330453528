"""What differs between two values of one type, part by part, where a part is compared whole."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from gitbackup.format import codec
from gitbackup.format.exact import same
from gitbackup.model.changes import ABSENT, Action, Part, ValueChange


def leaf(part: Part, name: str, before: Any, after: Any, note: str = "") -> list[ValueChange]:
    """Return the change of a part that is compared as a whole; none where it is the same.

    Either side may be ABSENT.
    """
    if before is ABSENT:
        added = ValueChange(part, Action.ADDED, name, (), None, after, note)
        return [] if after is ABSENT else [added]
    if after is ABSENT:
        return [ValueChange(part, Action.REMOVED, name, (), before, None, note)]
    return [] if same(before, after) else [changed(part, name, before, after, note)]


def changed(part: Part, name: str, before: Any, after: Any, note: str = "") -> ValueChange:
    """Return the change of a part that is another as a whole."""
    return ValueChange(part, Action.CHANGED, name, (), before, after, note)


def by_name(
    part: Part,
    before: Mapping[str, Any],
    after: Mapping[str, Any],
    compare: Callable[[Part, str, Any, Any], list[ValueChange]],
    order: Callable[[str], Any] | None = None,
) -> list[ValueChange]:
    """Return the members of two objects that differ, sorted by name."""
    names = [name for name, value in before.items() if not same(value, after.get(name, ABSENT))]
    names += [name for name in after if name not in before]
    return [
        change
        for name in sorted(names, key=order)
        for change in compare(part, name, before.get(name, ABSENT), after.get(name, ABSENT))
    ]


def binary_note(*sides: Any) -> str:
    """Return how large texts are of which one is not text, and their hashes; else nothing."""
    texts = [side for side in sides if isinstance(side, str)]
    kinds = ["binary" if text.startswith(codec.PREFIX) else "text" for text in texts]
    if "binary" not in kinds:
        return ""
    briefs = map(codec.in_brief, texts)
    if len(set(kinds)) == 1:
        return f"binary, {' -> '.join(briefs)}"
    return " -> ".join(f"{kind}, {brief}" for kind, brief in zip(kinds, briefs, strict=True))
