"""One part of a key's entry, named as a diff names it."""

from __future__ import annotations

import json
import re
from typing import Any

from gitbackup import codec
from gitbackup.model import Entry

STEP = re.compile(r'\.?(?:\[(?P<at>\d+)\]|"(?P<quoted>(?:[^"\\]|\\.)*)"|(?P<plain>[^.\[\]"]+))')
"""A step of a path into a document: `.daily`, `[3]`, `."a name"`."""


def field(entry: Entry, name: str) -> Any:
    """A part of an entry, as stored: of a hash a field, of a sorted set a score, of a list the
    item at a position, of a stream an entry, of a string the path into its document.

    Raises LookupError where there is none.
    """
    value, kind = entry["value"], entry["type"]
    if kind == "stream":
        return value["entries"][name]
    if kind in ("hash", "zset"):
        return value[name]
    if kind == "set":
        return value[value.index(name)] if name in value else _none()
    if kind == "list":
        return value[int(name)] if re.fullmatch(r"-?\d+", name) else _none()
    return _at(value, name) if kind == "string" else _none()


def field_bytes(entry: Entry, part: Any) -> bytes:
    """The bytes of a part: those of a text, and of anything else its JSON."""
    if isinstance(part, str) and entry["type"] != "string":
        return codec.data(part)
    if entry["type"] == "zset":
        return codec.encode(codec.written(part)).rstrip(b"\n")
    if isinstance(part, str):  # of a document, where no text rule is
        return part.encode("utf-8", "surrogatepass")
    return json.dumps(part, ensure_ascii=False).encode("utf-8", "surrogatepass")


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
        document, at = _inside(document, step), step.end()
    return document


def _inside(document: Any, step: re.Match[str]) -> Any:
    if step["at"] is not None:
        return document[int(step["at"])] if isinstance(document, list) else _none()
    name = step["plain"] if step["quoted"] is None else json.loads(f'"{step["quoted"]}"')
    return document[name] if isinstance(document, dict) else _none()


def _none() -> Any:
    raise LookupError
