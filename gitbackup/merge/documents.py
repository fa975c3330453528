"""JSON documents that are texts: read to be merged, and written as the program writes them that
owns them.

Numbers stay the digits that they are, so that none is rounded. A text that is not written as one of
the `STYLES` has it cannot be merged inside, for nobody could tell how to write it again.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import dataclass
from itertools import product
from typing import Any, NamedTuple

from gitbackup.format.nesting import is_too_deep
from gitbackup.model.merging import Versions

BLANK = " \t\r\n"


@dataclass(frozen=True, slots=True)
class Literal:
    """A number in a document, as it is written there."""

    digits: str


def number_like(model: Any, number: int) -> Any:
    """Return a whole number in the form of another: as a literal, a text, or a number."""
    if isinstance(model, Literal):
        return Literal(str(number))
    return str(number) if isinstance(model, str) else number


def told(item: Any) -> Any:
    """Return what of a document a person is told, its literals as numbers; as texts if a number
    would be written in other digits."""
    if isinstance(item, Literal):
        with suppress(ValueError):  # more digits than Python makes a number of
            number = json.loads(item.digits)
            return number if repr(number) == item.digits else item.digits
        return item.digits
    if isinstance(item, dict):
        return {name: told(inner) for name, inner in item.items()}
    return [told(inner) for inner in item] if isinstance(item, list) else item


def read_all(texts: Versions) -> Versions | None:
    """Return the documents that texts hold; None unless all hold an object, or all an array, that
    is not nested too deeply."""
    if not all(isinstance(text, str) and text.lstrip(BLANK)[:1] in ("{", "[") for text in texts):
        return None
    try:
        found = texts.each(_read)
    except (ValueError, RecursionError):
        return None
    if any(map(is_too_deep, found)):
        return None
    return found if len({*map(type, found)}) == 1 else None


def _read(text: str) -> Any:
    return json.loads(
        text,
        parse_int=Literal,
        parse_float=Literal,
        parse_constant=_refuse,
        object_pairs_hook=_object,
    )


def key_of(item: Any) -> str:
    """Return a text that only equal items of a document share."""
    return json.dumps(item, sort_keys=True, default=lambda number: {"": number.digits})


def _refuse(constant: str) -> None:
    raise ValueError(f"{constant} is not JSON")


def _object(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    members = dict(pairs)
    if len(members) < len(pairs):
        raise ValueError("duplicate member")
    return members


class Layout(NamedTuple):
    """What stands between the parts of a document; with an `indent`, each has its own line."""

    item: str
    name: str
    indent: str | None = None


LAYOUTS = (
    Layout(",", ":"),  # JavaScript, Go, PHP, Redis's own cjson
    Layout(", ", ": "),  # Python
    *(Layout(",", ": ", indent) for indent in ("  ", "    ", "\t", " ", "   ")),
)
SLASH = {"/": r"\/"}  # PHP
TAGS = {"<": r"\u003c", ">": r"\u003e", "&": r"\u0026"}  # Go
LINES = {"\u2028": r"\u2028", "\u2029": r"\u2029"}  # Go
ESCAPES: tuple[dict[str, str], ...] = ({}, SLASH, {**TAGS, **LINES}, LINES)


@dataclass(frozen=True, slots=True)
class Style:
    """How a program writes a document: with `ascii`, only ASCII characters; `escapes` are what it
    writes for characters that need no escape. `head` and `tail` stand around the document."""

    layout: Layout
    ascii: bool
    escapes: int
    head: str = ""
    tail: str = ""

    def written(self, document: Any) -> str | None:
        """Return the text of a document; None if it cannot be text of Redis."""
        text = self.head + "".join(_parts(document, self.layout, self._quoted, "\n")) + self.tail
        try:
            text.encode()
        except UnicodeEncodeError:  # half a pair of surrogates
            return None
        return text

    def _quoted(self, text: str) -> str:
        quoted = json.dumps(text, ensure_ascii=self.ascii)
        for character, escape in ESCAPES[self.escapes].items():
            quoted = quoted.replace(character, escape)
        return quoted


STYLES = [Style(*how) for how in product(LAYOUTS, (False, True), range(len(ESCAPES)))]


def style_of(text: str, document: Any) -> Style | None:
    """Return the style that a document's text is written in; None for one that is not known."""
    head = text[: len(text) - len(text.lstrip(BLANK))]
    tail = text[len(text.rstrip(BLANK)) :]
    bare = text.strip(BLANK)
    for style in STYLES:
        if style.written(document) == bare:
            return Style(style.layout, style.ascii, style.escapes, head, tail)
    return None


def _parts(item: Any, layout: Layout, quoted: Callable[[str], str], line: str) -> Iterator[str]:
    """Yield the text of a document in pieces; `line` is the end of a line and its indent."""
    if isinstance(item, Literal):
        yield item.digits
    elif isinstance(item, str):
        yield quoted(item)
    elif not isinstance(item, dict | list):
        yield json.dumps(item)
    elif not item:
        yield "{}" if isinstance(item, dict) else "[]"
    else:
        inner = "" if layout.indent is None else line + layout.indent
        opening, closing = "{}" if isinstance(item, dict) else "[]"
        names = (quoted(name) + layout.name for name in item) if isinstance(item, dict) else None
        before = opening + inner
        for value in item.values() if isinstance(item, dict) else item:
            yield before + (next(names) if names else "")
            yield from _parts(value, layout, quoted, inner)
            before = layout.item + inner
        yield ("" if layout.indent is None else line) + closing
