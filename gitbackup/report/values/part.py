"""One part of a key's entry, named as a diff names it."""

from __future__ import annotations

import json
import re
from typing import Any, NamedTuple

from gitbackup.format import codec
from gitbackup.kinds import kind_of
from gitbackup.model.keys import Entry

STEP = re.compile(r'\.?(?:\[(?P<at>\d+)\]|"(?P<quoted>(?:[^"\\]|\\.)*)"|(?P<plain>[^.\[\]"]+))')
"""A step of a path into a document: `.daily`, `[3]`, `."a name"`."""


class EntryPart(NamedTuple):
    """A part of an entry: as stored, or as a document has it, in which no text rule is."""

    value: Any
    in_document: bool = False


def field(entry: Entry, name: str) -> EntryPart:
    """A part of an entry: of a hash a field, of a sorted set a score, of a list the item at a
    position, of a stream an entry; of a string, a field or an item the path into its document.

    Raises LookupError where there is none.
    """
    value, kind = entry["value"], kind_of(entry)
    try:
        return EntryPart(kind.part(value, name))
    except LookupError:
        if not kind.documents:
            raise
    whole = kind.document(value)
    return EntryPart(_at(whole, name), True) if whole is not None else _inside_one(value, name)


def _inside_one(value: Any, name: str) -> EntryPart:
    """An item as `[3]`, or the path into a field's or an item's document, behind its name."""
    step = STEP.match(name) or _none()
    held, path = _step(value, step), name[step.end() :]
    return EntryPart(_at(held, path), True) if path else EntryPart(held)


def field_bytes(part: EntryPart) -> bytes:
    """The bytes of a part: those of a text, and of anything else its JSON."""
    if isinstance(part.value, str) and not part.in_document:
        return codec.data(part.value)
    if isinstance(part.value, int | float) and not part.in_document:  # a score
        return codec.encode(codec.written(part.value)).rstrip(b"\n")
    if isinstance(part.value, str):
        return part.value.encode("utf-8", "surrogatepass")
    return json.dumps(part.value, ensure_ascii=False).encode("utf-8", "surrogatepass")


def _at(text: str, path: str) -> Any:
    """What a JSON document holds at a path such as `limits.daily` or `items[3].price`."""
    try:
        document = json.loads(text)
    except (ValueError, RecursionError):
        return _none()
    at = 0
    while at < len(path):
        step = STEP.match(path, at)
        if step is None:
            return _none()
        document, at = _step(document, step), step.end()
    return document


def _step(document: Any, step: re.Match[str]) -> Any:
    if step["at"] is not None:
        return document[int(step["at"])] if isinstance(document, list) else _none()
    name = step["plain"] if step["quoted"] is None else _spelt(step["quoted"])
    return document[name] if isinstance(document, dict) else _none()


def _spelt(name: str) -> str:
    """A name in quotes, its escapes resolved."""
    try:
        return str(json.loads(f'"{name}"'))
    except ValueError:
        raise LookupError from None


def _none() -> Any:
    raise LookupError
