"""What changed inside one key, part by part.

The changes of a text that holds a JSON document carry a path into it (see documents). An
item of a list goes by its position after, a removed one by its position before.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Any

from gitbackup.diff.documents import (
    LARGEST_DOCUMENT,
    Comparison,
    compare_texts,
    looks_like_json,
)
from gitbackup.diff.exact import same
from gitbackup.format import codec
from gitbackup.model.changes import Action, Part, ValueChange
from gitbackup.model.keys import Entry
from gitbackup.model.list_edits import edits

ABSENT = object()

MOST_COMPARED = 5_000_000
"""Characters of documents that are compared inside, in one key; the others are told whole."""

ONE_COMPARISON = 2_000
"""Characters that a comparison counts for besides its own: so long takes a small one."""


def diff_entries(before: Entry, after: Entry) -> list[ValueChange]:
    """What differs between two entries of one key; empty only where they are exactly equal."""
    expiry = _leaf(
        Part.EXPIRY, "", before.get("expires_at", ABSENT), after.get("expires_at", ABSENT)
    )
    if before["type"] != after["type"]:
        kind = ValueChange(Part.TYPE, Action.CHANGED, before=before["type"], after=after["type"])
        return [kind, *expiry]
    compare = COMPARE.get(before["type"], _opaque)
    changes = [*expiry, *compare(before["value"], after["value"])]
    changes = _with_field_expiry(changes, before, after)
    return changes or _written_differently(before, after)


def _leaf(part: Part, name: str, before: Any, after: Any, note: str = "") -> list[ValueChange]:
    """The change of a part that is compared as a whole; none where it is the same."""
    if before is ABSENT:
        return (
            []
            if after is ABSENT
            else [ValueChange(part, Action.ADDED, name, (), None, after, note)]
        )
    if after is ABSENT:
        return [ValueChange(part, Action.REMOVED, name, (), before, None, note)]
    return [] if same(before, after) else [_whole(part, name, before, after, note)]


def _whole(part: Part, name: str, before: Any, after: Any, note: str = "") -> ValueChange:
    return ValueChange(part, Action.CHANGED, name, (), before, after, note)


def _with_field_expiry(
    changes: list[ValueChange], before: Entry, after: Entry
) -> list[ValueChange]:
    """Adds the expiry of single fields, each after what else changed in its field."""
    old, new = before.get("field_expires_at", {}), after.get("field_expires_at", {})
    expiries = _by_name(Part.FIELD_EXPIRY, old, new, _leaf)
    return sorted(changes + expiries, key=lambda change: change.name) if expiries else changes


def _written_differently(before: Entry, after: Entry) -> list[ValueChange]:
    """The last resort: entries that mean the same but are not the same, as a person may write."""
    if same(before, after):
        return []
    note = "same value, written differently"
    return [_whole(Part.VALUE, "", before["value"], after["value"], note)]


def _by_name(
    part: Part,
    before: Mapping[str, Any],
    after: Mapping[str, Any],
    compare: Callable[[Part, str, Any, Any], list[ValueChange]],
    order: Callable[[str], Any] | None = None,
) -> list[ValueChange]:
    """The members of two objects that differ, sorted by name."""
    names = [name for name, value in before.items() if not same(value, after.get(name, ABSENT))]
    names += [name for name in after if name not in before]
    return [
        change
        for name in sorted(names, key=order)
        for change in compare(part, name, before.get(name, ABSENT), after.get(name, ABSENT))
    ]


class _Texts:
    """Compares texts: inside where both are JSON documents, until that is enough for one key."""

    def __init__(self) -> None:
        self._left = MOST_COMPARED

    def __call__(self, part: Part, name: str, before: Any, after: Any) -> list[ValueChange]:
        if before is ABSENT or after is ABSENT:
            return _leaf(part, name, before, after, binary_note(before, after))
        if before == after:
            return []
        note = binary_note(before, after)
        if self._left <= 0 or not (looks_like_json(before) and looks_like_json(after)):
            return [_whole(part, name, before, after, note)]
        self._left -= ONE_COMPARISON + min(max(len(before), len(after)), LARGEST_DOCUMENT)
        return _inside(part, name, before, after, compare_texts(before, after), note)


def _inside(
    part: Part, name: str, before: Any, after: Any, found: Comparison, note: str = ""
) -> list[ValueChange]:
    if not found.changes:
        return [_whole(part, name, before, after, found.note or note)]
    return [
        ValueChange(part, action, name, path, old, new) for action, path, old, new in found.changes
    ]


def _string(before: str, after: str) -> list[ValueChange]:
    return _Texts()(Part.VALUE, "", before, after)


def _function(before: str, after: str) -> list[ValueChange]:
    return _leaf(Part.VALUE, "", before, after)


def _hash(before: dict[str, str], after: dict[str, str]) -> list[ValueChange]:
    return _by_name(Part.FIELD, before, after, _Texts())


def _set(before: list[str], after: list[str]) -> list[ValueChange]:
    old, new = dict.fromkeys(before), dict.fromkeys(after)
    members = sorted(old.keys() ^ new.keys())
    return [_member(name, Action.REMOVED if name in old else Action.ADDED) for name in members]


def _member(name: str, action: Action) -> ValueChange:
    before, after = (name, None) if action is Action.REMOVED else (None, name)
    return ValueChange(Part.MEMBER, action, name, (), before, after, binary_note(name))


def _zset(before: dict[str, Any], after: dict[str, Any]) -> list[ValueChange]:
    return _by_name(Part.SCORE, before, after, _leaf)


def _list(before: list[str], after: list[str]) -> list[ValueChange]:
    blocks = edits(before, after)
    if blocks is None:
        note = f"too large to compare inside: {len(before):,} -> {len(after):,} items"
        return [_whole(Part.VALUE, "", before, after, note)]
    text, changes = _Texts(), list[ValueChange]()
    for block in blocks:
        went = range(block.before_start, block.before_end)
        came = range(block.after_start, block.after_end)
        if block.even:
            pairs = zip(went, came, strict=True)
            changes += [c for i, j in pairs for c in text(Part.ITEM, str(j), before[i], after[j])]
        else:
            changes += [c for i in went for c in text(Part.ITEM, str(i), before[i], ABSENT)]
            changes += [c for j in came for c in text(Part.ITEM, str(j), ABSENT, after[j])]
    return sorted(changes, key=_list_order)


def _list_order(change: ValueChange) -> tuple[int, bool]:
    """By position; what went from there before what is there now."""
    return int(change.name), change.action is not Action.REMOVED or change.path != ()


def _stream(before: dict[str, Any], after: dict[str, Any]) -> list[ValueChange]:
    old, new = before.get("entries", {}), after.get("entries", {})
    return [
        *_by_name(Part.STREAM_ENTRY, old, new, _leaf, _stream_order),
        *(
            change
            for name in sorted((before.keys() | after.keys()) - {"entries"})
            for change in _state(name, (), before.get(name, ABSENT), after.get(name, ABSENT))
        ),
    ]


def _stream_order(name: str) -> tuple[list[int], str]:
    """Ids by their two numbers."""
    numbers = name.split("-")
    return [int(n) for n in numbers if n.isascii() and n.isdigit()], name


def _state(name: str, path: tuple[str, ...], before: Any, after: Any) -> Iterator[ValueChange]:
    """What changed in a stream's counters and groups, by path into the state called name."""
    if isinstance(before, dict) and isinstance(after, dict):
        for part in sorted(before.keys() | after.keys()):
            sides = before.get(part, ABSENT), after.get(part, ABSENT)
            yield from _state(name, (*path, part), *sides)
    elif _is_set(before) and _is_set(after):
        old, new = ({member: member for member in side} for side in (before, after))
        yield from _state(name, path, old, new)
    else:
        for change in _leaf(Part.STREAM_STATE, name, before, after):
            yield ValueChange(change.part, change.action, name, path, change.before, change.after)


def _is_set(value: Any) -> bool:
    """Whether it is a list of names, such as a group's consumers."""
    return isinstance(value, list) and value == sorted(set(value))


def _opaque(before: Any, after: Any) -> list[ValueChange]:
    dumps = (f"base64:{side.get('dump', '')}" for side in (before, after) if isinstance(side, dict))
    return _leaf(Part.VALUE, "", before, after, binary_note(*dumps))


COMPARE: dict[str, Callable[[Any, Any], Iterable[ValueChange]]] = {
    "string": _string,
    "hash": _hash,
    "list": _list,
    "set": _set,
    "zset": _zset,
    "stream": _stream,
    "function": _function,
}
"""How to compare the values of a type; all others are opaque."""


def binary_note(*sides: Any) -> str:
    """Says how large texts are of which one is not text, and their hashes; else it is empty."""
    texts = [side for side in sides if isinstance(side, str)]
    kinds = ["binary" if text.startswith(codec.PREFIX) else "text" for text in texts]
    if "binary" not in kinds:
        return ""
    briefs = map(codec.in_brief, texts)
    if len(set(kinds)) == 1:
        return f"binary, {' -> '.join(briefs)}"
    return " -> ".join(f"{kind}, {brief}" for kind, brief in zip(kinds, briefs, strict=True))
