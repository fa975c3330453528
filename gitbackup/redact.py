"""Mask values that not everybody may see; that they exist, or have changed, is still shown.

A glob is compared with the names of keys, hash fields, stream fields, members of sorted sets,
and members of JSON documents at any depth, without regard to the case of ASCII letters: a mask
too many does less harm than a mask too few. Of a key that matches, all values are masked, and
of sets and sorted sets the members too; of a field or member that matches, all that it contains.
No mask tells a length. The names of keys, fields and documents' members are shown, and so are
ids, positions and expiries.
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
from gitbackup.model.merging import Clash

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
"""Changes that are shown even if all values of the key are masked."""

NAMED_BY_VALUE = (Part.MEMBER, Part.SCORE)
"""Changes whose name is data itself."""

Hides = Callable[[str], bool]


class Redaction:
    """What to mask, by globs; without globs nothing is masked."""

    def __init__(self, globs: Iterable[str] = ()) -> None:
        self.globs = tuple(globs)
        matches = matcher(self.globs, caseless=True)
        self._hides: Hides = lambda name: bool(matches(_bytes(name)))

    def __bool__(self) -> bool:
        return bool(self.globs)

    def entry(self, key: Key, entry: Entry) -> Entry:
        """Return the entry with the values masked whose key or whose own name matches."""
        if not self:
            return entry
        mask = _Everything() if self._hides(key.name) else _Names(self._hides)
        return {**entry, "value": kind_of(entry).masked(entry["value"], mask)}

    def clash(self, key: Key, clash: Clash) -> Clash:
        """Return a part that cannot be merged, masked in the same way."""
        if not self:
            return clash
        if clash.part is Part.TYPE:
            masked = clash.versions.each(lambda entry: self.entry(key, entry))
            return clash._replace(versions=masked)
        whole = self._hides(key.name)

        def mask(version: Any) -> ValueChange:
            alone = ValueChange(clash.part, Action.REMOVED, clash.name, clash.path, version)
            return _change(alone, whole, self._hides)

        name, path = (change := mask(None)).name, change.path
        return clash._replace(
            name=name, path=path, versions=clash.versions.each(lambda each: mask(each).before)
        )

    def values(self, key: Key, values: Sequence[ValueChange]) -> Sequence[ValueChange]:
        """Return the changes inside a key, masked in the same way."""
        if not self:
            return values
        whole, changes = self._hides(key.name), list[ValueChange]()
        for value in values:
            masked = _change(value, whole, self._hides)
            if masked.path == value.path or masked not in changes[-1:]:  # of one mask, once
                changes.append(masked)
        return changes


NOT_MASKED = Redaction()
"""Masks nothing."""


def _bytes(name: str) -> bytes:
    """Return the bytes that globs are compared with."""
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


def _fields(flat: Sequence[str], hides: Hides) -> list[str]:
    """Return a stream entry's fields, each followed by its value, masked."""
    masked = list(flat)
    for at in range(1, len(flat), 2):
        masked[at] = MASK if hides(flat[at - 1]) else _text(flat[at], hides)
    return masked


def _document(value: Any, hides: Hides) -> Any:
    """Return a JSON value, masked."""
    if isinstance(value, dict):
        return {
            name: MASK if hides(name) else _document(item, hides) for name, item in value.items()
        }
    if isinstance(value, list):
        return [_document(item, hides) for item in value]
    return _text(value, hides) if isinstance(value, str) else value


def _text(text: str, hides: Hides) -> str:
    """Return a text, which may contain JSON, with the values of matching members masked.

    If such a value is not JSON, its end is not known, and the rest of the text is masked.
    """
    if '"' not in text or text.startswith(PREFIX):
        return text
    kept, at = [], 0
    for match in NAME.finditer(text):
        if match.start() < at or not hides(_unescaped(match[1] if match[2] is None else match[2])):
            continue
        kept.append(text[at : match.end()])
        at = _end(text, match.end())
    return "".join(part + f'"{MASK}"' for part in kept) + text[at:] if kept else text


def _unescaped(name: str) -> str:
    """Return a member's name with its escapes resolved."""
    if "\\" not in name:
        return name
    try:
        return str(json.loads(f'"{name}"', strict=False))
    except ValueError:
        return name


def _end(text: str, start: int) -> int:
    """Return where the JSON value ends that begins at `start`."""
    try:
        return json.JSONDecoder(strict=False).raw_decode(text, start)[1]
    except (ValueError, RecursionError):
        return len(text)


def _change(value: ValueChange, whole: bool, hides: Hides) -> ValueChange:
    if value.part in BARE:
        return value
    if value.part is Part.STREAM_ENTRY:
        return _sides(value, lambda flat: _fields(flat, _everything if whole else hides))
    named = value.part in (Part.FIELD, Part.SCORE) and hides(value.name)
    if value.part in NAMED_BY_VALUE:
        value = replace(value, name=MASK if whole else _text(value.name, hides))
    if whole or named:
        return _masked(value, ())
    for at, step in enumerate(value.path, 1):
        if isinstance(step, str) and hides(step):
            return _masked(value, value.path[:at])
    return _sides(value, lambda document: _document(document, hides))


def _everything(name: str) -> bool:
    return True


def _masked(value: ValueChange, path: tuple[str | int, ...]) -> ValueChange:
    """Return the change without its values: what is left is that it is one, and where."""
    action = value.action if path == value.path else Action.CHANGED
    before = None if action is Action.ADDED else MASK
    after = None if action is Action.REMOVED else MASK
    return ValueChange(value.part, action, value.name, path, before, after, NOTE)


def _sides(value: ValueChange, mask: Callable[[Any], Any]) -> ValueChange:
    """Return the change with both values masked: completely, if they would be equal otherwise."""
    before = None if value.action is Action.ADDED else mask(value.before)
    after = None if value.action is Action.REMOVED else mask(value.after)
    if (before, after) == (value.before, value.after):
        return value
    if value.action is Action.CHANGED and before == after:
        before = after = MASK
    return replace(value, before=before, after=after, note=NOTE)
