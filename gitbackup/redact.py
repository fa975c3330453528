"""Masks what is not for every eye, and leaves to see that it is there, or that it changed.

A glob is held against the names of keys, hash fields, stream fields, members of sorted sets,
and members of JSON documents at any depth; ASCII letters are the same large and small, for one
mask too many hides less than one too few shows. Of a key that matches, all values are masked,
and of sets and sorted sets the members too; of a field or member that matches, all that it
holds. No mask tells a length. The names of keys, fields and documents' members are shown, and
so are ids, positions and expiries.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterable, Sequence
from dataclasses import replace
from typing import Any

from gitbackup.format.codec import PREFIX, data
from gitbackup.format.patterns import matcher
from gitbackup.kinds import kind_of
from gitbackup.model.changes import Action, Part, ValueChange
from gitbackup.model.keys import MASK, Entry, Key

NOTE = "redacted"
"""The note of a change whose values are masked."""

NAME = re.compile(
    r"""
    (?<!\\)    " ((?: [^"\\] | \\. )*) "     \s* : \s*  # a member's name, up to its value
  | (?<!\\)\\+ " ([^"\\]*)             \\* " \s* : \s*  # in a document held as text in another
    """,
    re.VERBOSE | re.DOTALL,
)
BARE = (Part.EXPIRY, Part.FIELD_EXPIRY, Part.TYPE, Part.STREAM_STATE)
"""What is told of a key even where all its values are masked."""

NAMED_BY_VALUE = (Part.MEMBER, Part.SCORE)
"""Changes whose name is data itself."""

Hides = Callable[[str], bool]


class Redaction:
    """What to mask, by globs; nothing where there are none."""

    def __init__(self, globs: Iterable[str] = ()) -> None:
        self.globs = tuple(globs)
        matches = matcher(self.globs, caseless=True)
        self._hides: Hides = lambda name: bool(matches(_bytes(name)))

    def __bool__(self) -> bool:
        return bool(self.globs)

    def entry(self, key: Key, entry: Entry) -> Entry:
        """The entry with all values masked that its key's name or their own names ask for."""
        if not self:
            return entry
        mask = _Everything() if self._hides(key.name) else _Names(self._hides)
        return {**entry, "value": kind_of(entry).masked(entry["value"], mask)}

    def values(self, key: Key, values: Sequence[ValueChange]) -> Sequence[ValueChange]:
        """The changes inside a key, masked in the same way."""
        if not self:
            return values
        whole, told = self._hides(key.name), list[ValueChange]()
        for value in values:
            masked = _change(value, whole, self._hides)
            if masked.path == value.path or masked not in told[-1:]:  # of one mask, once
                told.append(masked)
        return told


def _bytes(name: str) -> bytes:
    """The bytes that a name is matched by."""
    try:
        return data(name)
    except ValueError:  # a document may hold any text
        return name.encode("utf-8", "surrogatepass")


class _Names:
    """Masks what has a name that `hides`."""

    whole = False

    def __init__(self, hides: Hides) -> None:
        self.hides = hides

    def text(self, text: str) -> str:
        return _text(text, self.hides)

    def pairs(self, flat: Sequence[str]) -> list[str]:
        return _fields(flat, self.hides)

    def document(self, value: Any) -> Any:
        return _document(value, self.hides)


class _Everything(_Names):
    """Masks all values: how much there is of them is left to see, and no more."""

    whole = True

    def __init__(self) -> None:
        super().__init__(_everything)

    def text(self, text: str) -> str:
        return MASK

    def document(self, value: Any) -> Any:
        return MASK


def _fields(held: Sequence[str], hides: Hides) -> list[str]:
    """A stream entry's fields, each followed by its value."""
    masked = list(held)
    for at in range(1, len(held), 2):
        masked[at] = MASK if hides(held[at - 1]) else _text(held[at], hides)
    return masked


def _document(value: Any, hides: Hides) -> Any:
    """A JSON value without what is masked in it."""
    if isinstance(value, dict):
        return {
            name: MASK if hides(name) else _document(held, hides) for name, held in value.items()
        }
    if isinstance(value, list):
        return [_document(item, hides) for item in value]
    return _text(value, hides) if isinstance(value, str) else value


def _text(text: str, hides: Hides) -> str:
    """A text, in which JSON may stand, without the values of members that match.

    Where such a value is no JSON, nobody knows where it ends, and the rest of the text goes.
    """
    if '"' not in text or text.startswith(PREFIX):
        return text
    kept, at = [], 0
    for found in NAME.finditer(text):
        if found.start() < at or not hides(_spelt(found[1] if found[2] is None else found[2])):
            continue
        kept.append(text[at : found.end()])
        at = _end(text, found.end())
    return "".join(part + f'"{MASK}"' for part in kept) + text[at:] if kept else text


def _spelt(name: str) -> str:
    """A member's name, its escapes resolved."""
    try:
        return str(json.loads(f'"{name}"', strict=False))
    except ValueError:
        return name


def _end(text: str, start: int) -> int:
    """Where the JSON value ends that begins at `start`."""
    try:
        return json.JSONDecoder(strict=False).raw_decode(text, start)[1]
    except (ValueError, RecursionError):
        return len(text)


def _change(value: ValueChange, whole: bool, hides: Hides) -> ValueChange:
    if value.part in BARE:
        return value
    if value.part is Part.STREAM_ENTRY:
        return _sides(value, lambda held: _fields(held, _everything if whole else hides))
    named = value.part in (Part.FIELD, Part.SCORE) and hides(value.name)
    if value.part in NAMED_BY_VALUE:
        value = replace(value, name=MASK if whole else _text(value.name, hides))
    if whole or named:
        return _masked(value, ())
    for at, step in enumerate(value.path, 1):
        if isinstance(step, str) and hides(step):
            return _masked(value, value.path[:at])
    return _sides(value, lambda held: _document(held, hides))


def _everything(name: str) -> bool:
    return True


def _masked(value: ValueChange, path: tuple[str | int, ...]) -> ValueChange:
    """The change of which nothing is left but that it is one, and where; not below `path`."""
    action = value.action if path == value.path else Action.CHANGED
    before = None if action is Action.ADDED else MASK
    after = None if action is Action.REMOVED else MASK
    return ValueChange(value.part, action, value.name, path, before, after, NOTE)


def _sides(value: ValueChange, mask: Callable[[Any], Any]) -> ValueChange:
    """Masks what stands on either side; all of it, where what is left would be the same."""
    before = None if value.action is Action.ADDED else mask(value.before)
    after = None if value.action is Action.REMOVED else mask(value.after)
    if (before, after) == (value.before, value.after):
        return value
    if value.action is Action.CHANGED and before == after:
        before = after = MASK
    return replace(value, before=before, after=after, note=NOTE)
