"""What changed inside a JSON document: the paths, by deepdiff.

A path of something removed is its path in the document before; of something added or
changed, its path in the document after. They differ only behind items that came or went
in a list. So before becomes after by taking out what was removed, last path first, then
putting in what was added, first path first, then setting what changed.
"""

from __future__ import annotations

import json
from contextlib import suppress
from decimal import Decimal, InvalidOperation
from typing import Any, NamedTuple

from gitbackup.format.exact import canonical, same
from gitbackup.format.nesting import is_too_deep
from gitbackup.model.amounts import size
from gitbackup.model.changes import Action
from gitbackup.model.list_edits import edits

LARGEST_DOCUMENT = 1_000_000
"""Bytes of a text that is compared inside; deepdiff takes some seconds for that."""

MOST_CHANGES = 1_000
"""Differences inside one document that anyone would read."""

TOO_DEEP = "nested too deeply to compare inside"
TOO_MANY = f"more than {MOST_CHANGES:,} differences inside"

Path = tuple[str | int, ...]


class Inside(NamedTuple):
    """One difference inside a document."""

    action: Action
    path: Path
    before: Any = None
    after: Any = None


class Comparison(NamedTuple):
    """What changed inside; where that is nothing, the whole changed, and the note says why so."""

    changes: list[Inside] = []  # noqa: RUF012  a NamedTuple's default, never written to
    note: str = ""


class _UnfitError(ValueError):
    """A document whose text says more than its parsed form."""


class _TooManyError(Exception):
    """More differences than anyone would read: it is no use to go on."""


def compare_texts(before: str, after: str) -> Comparison:
    """Compare two texts as JSON if both are an object or an array."""
    if not (looks_like_json(before) and looks_like_json(after)):
        return Comparison()
    if max(len(before), len(after)) > LARGEST_DOCUMENT:
        return Comparison(note=too_large(max(_bytes(before), _bytes(after))))
    try:
        old, new = _parse(before), _parse(after)
    except _UnfitError as reason:
        return Comparison(note=str(reason))
    except (ValueError, RecursionError):  # not JSON after all
        return Comparison()
    return _bounded(old, new)


def too_large(count: int) -> str:
    return f"too large to compare inside: {size(count)}"


def _bounded(before: Any, after: Any) -> Comparison:
    try:
        if same(before, after):
            return Comparison(note="same document, written differently")
        if is_too_deep(before) or is_too_deep(after):
            return Comparison(note=TOO_DEEP)
        changes = sorted(_changes(before, after), key=_order)
    except RecursionError:
        return Comparison(note=TOO_DEEP)
    except _TooManyError:
        return Comparison(note=TOO_MANY)
    if len(changes) > MOST_CHANGES:
        return Comparison(note=TOO_MANY)
    if changes[0].path == ():
        both_lists = isinstance(before, list) and isinstance(after, list)
        return Comparison(note=TOO_MANY if both_lists else "")
    return Comparison(changes)


def _order(change: Inside) -> tuple[list[tuple[bool, int, str]], bool]:
    """Return the sort key of a change: its path, with positions as numbers; at one path, what was
    removed comes first."""
    parts = [(True, p, "") if isinstance(p, int) else (False, 0, p) for p in change.path]
    return parts, change.action is not Action.REMOVED


def _changes(before: Any, after: Any, old: Path = (), new: Path = ()) -> list[Inside]:
    """Return the differences between two documents at these paths, in no order."""
    if isinstance(before, dict) and isinstance(after, dict):
        return _object_changes(before, after, old, new)
    if isinstance(before, list) and isinstance(after, list):
        return _list_changes(before, after, old, new)
    return [Inside(Action.CHANGED, new, before, after)]


def _object_changes(
    before: dict[str, Any], after: dict[str, Any], old: Path, new: Path
) -> list[Inside]:
    from deepdiff import DeepDiff  # 140 ms, and most commands never need it

    exactly = _Exactly(old, new)
    tree = DeepDiff(
        before,
        after,
        view="tree",
        custom_operators=[exactly],
        ignore_private_variables=False,  # a name that begins with __ is a name
        threshold_to_diff_deeper=0,  # objects of few common names are still compared by name
    )
    came, went = tree.get("dictionary_item_added", ()), tree.get("dictionary_item_removed", ())
    return [
        *exactly.found,
        *(Inside(Action.ADDED, (*new, *_path(level)), None, level.t2) for level in came),
        *(Inside(Action.REMOVED, (*old, *_path(level)), level.t1) for level in went),
    ]


class _Exactly:
    """Leaves deepdiff the objects; lists and single values are compared here, exactly.

    deepdiff takes -0.0 for 0.0, runs difflib over every pair of long texts, and is not
    exact about lists (see edits).
    """

    def __init__(self, old: Path, new: Path) -> None:
        self.old, self.new = old, new
        self.found: list[Inside] = []

    def match(self, level: Any) -> bool:
        return True

    def give_up_diffing(self, level: Any, diff_instance: Any) -> bool:
        if same(level.t1, level.t2):
            return True
        if isinstance(level.t1, dict) and isinstance(level.t2, dict):
            return False
        path = _path(level)
        self.found += _changes(level.t1, level.t2, (*self.old, *path), (*self.new, *path))
        if len(self.found) > MOST_CHANGES:
            raise _TooManyError
        return True


def _path(level: Any) -> Path:
    return tuple(level.path(output_format="list"))


def _list_changes(before: list[Any], after: list[Any], old: Path, new: Path) -> list[Inside]:
    blocks = edits([canonical(item) for item in before], [canonical(item) for item in after])
    if blocks is None:
        return [Inside(Action.CHANGED, new, before, after)]
    changes: list[Inside] = []
    for block in blocks:
        went = range(block.before_start, block.before_end)
        came = range(block.after_start, block.after_end)
        if block.even:
            for i, j in zip(went, came, strict=True):
                changes += _changes(before[i], after[j], (*old, i), (*new, j))
        else:
            changes += [Inside(Action.REMOVED, (*old, i), before[i]) for i in went]
            changes += [Inside(Action.ADDED, (*new, j), None, after[j]) for j in came]
    return changes


def looks_like_json(text: str) -> bool:
    """Return whether a text begins as an object or an array does."""
    return text.lstrip(" \t\r\n")[:1] in ("{", "[")


def _bytes(text: str) -> int:
    return len(text.encode("utf-8", "surrogatepass"))


def _parse(text: str) -> Any:
    return json.loads(
        text, parse_float=_number, parse_constant=_constant, object_pairs_hook=_object
    )


def _number(literal: str) -> float:
    """Return a number that a double holds exactly as it is written. Raises _UnfitError for
    another."""
    number = float(literal)
    with suppress(InvalidOperation):  # an exponent that no Decimal has
        if Decimal(literal) == Decimal(repr(number)):
            return number
    raise _UnfitError("contains a number too precise to compare inside")


def _constant(name: str) -> Any:
    raise ValueError(f"{name} is not JSON")


def _object(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    members = dict(pairs)
    if len(members) != len(pairs):
        raise _UnfitError("has a duplicate member, so it is not compared inside")
    return members
