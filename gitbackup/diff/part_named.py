"""One part of a key's entry, named as a diff names it."""

from __future__ import annotations

import json
import re
from typing import Any, NamedTuple

from gitbackup.format import codec
from gitbackup.kinds import kind_of
from gitbackup.model.keys import Entry

STEP = re.compile(
    r'\.?(?:\[(?P<at>[0-9]{1,18})\]|"(?P<quoted>(?:[^"\\]|\\.)*)"|(?P<plain>[^.\[\]"]+))'
)
"""A step of a path into a document: `.daily`, `[3]`, `."a name"`."""


class EntryPart(NamedTuple):
    """A part of an entry: as stored, or from inside a document, where the text rule is not used."""

    value: Any
    in_document: bool = False


def field(entry: Entry, name: str) -> EntryPart:
    """Return a part of an entry.

    That is a field of a hash, the score of a member, the item of a list at a position, an entry
    of a stream, or what is at a path in the document of a string, a field or an item. Raises
    LookupError if there is none.
    """
    value, kind = entry["value"], kind_of(entry)
    try:
        return EntryPart(kind.part(value, name))
    except LookupError:
        if not kind.documents:
            raise
    whole = kind.document(value)
    if whole is not None:
        return EntryPart(_at(whole, name), True)
    step = STEP.match(name) or _none()  # an item as `[3]`, or the name before a path
    item, path = _step(value, step), name[step.end() :]
    return EntryPart(_at(item, path), True) if path else EntryPart(item)


def whole_bytes(entry: Entry) -> bytes:
    """Return the bytes of a value that is one text, or a JSON document. Raises LookupError for any
    other."""
    kind, value = kind_of(entry), entry["value"]
    text = kind.document(value)
    if text is None:
        return _none()  # type: ignore[no-any-return]  # it raises
    return codec.data(text) if text is value else text.encode("utf-8", "surrogatepass")


def field_bytes(part: EntryPart) -> bytes:
    """Return the bytes of a part: those of a text, of anything else its JSON."""
    if isinstance(part.value, str) and not part.in_document:
        return codec.data(part.value)
    if isinstance(part.value, int | float) and not part.in_document:  # a score
        return codec.encode(codec.written(part.value)).rstrip(b"\n")
    if isinstance(part.value, str):
        return part.value.encode("utf-8", "surrogatepass")
    return json.dumps(part.value, ensure_ascii=False).encode("utf-8", "surrogatepass")


def _at(text: str, path: str) -> Any:
    """Return what a JSON document has at a path such as `limits.daily` or `items[3].price`."""
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
    name = step["plain"]
    if step["quoted"] is not None:
        try:
            name = json.loads(f'"{step["quoted"]}"')
        except ValueError:
            return _none()
    return document[name] if isinstance(document, dict) else _none()


def _none() -> Any:
    raise LookupError
