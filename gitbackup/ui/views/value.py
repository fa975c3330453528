"""A value as a template shows it: readable, and never more of it than a browser opens at ease."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Sequence
from datetime import datetime
from typing import NamedTuple

from gitbackup.format import codec, unprintable
from gitbackup.format.names import name
from gitbackup.kinds import kind_of
from gitbackup.kinds.base import Form, Row
from gitbackup.model.keys import Entry, Masked
from gitbackup.report.html.rows import SHOWN_FORMS
from gitbackup.report.values.short import instant
from gitbackup.report.words import Words
from gitbackup.ui.views.differences.shown import texts

LARGEST_DOCUMENT = 4_000_000
"""Characters of a text that is formatted if it is JSON."""

HEX_BYTES = 256
"""Bytes of a binary value that are shown."""

WORD = re.compile(r'"(?:[^"\\]|\\.)*"|[{}\[\],:]|[^\s{}\[\],:"]+')


class Limits(NamedTuple):
    """How much is shown: so many rows, and so many characters of one value and of all."""

    rows: int
    text: int
    all: int


USUAL = Limits(200, 4_000, 400_000)
WHOLE = Limits(20_000, 2_000_000, 8_000_000)
"""What is shown where a reader asks for all of it."""


class Text(NamedTuple):
    """A text to show: what it is (`text`, `json`, `binary` or `short`), and how many characters
    more there are."""

    kind: str
    text: str
    left: int = 0


class ShownRow(NamedTuple):
    """A row of a value: its title, the name of the part to be downloaded, and its text."""

    title: str
    part: str
    text: Text


class Shown(NamedTuple):
    """The rows of a value; `left` is how many more there are, `cut` whether some is not shown."""

    rows: Sequence[ShownRow]
    left: int
    cut: bool


def shown_value(entry: Entry, limits: Limits = USUAL, wanted: str = "") -> Shown:
    """Return what is shown of an entry's value: of its rows those that contain a text, in small
    letters or large ones."""
    kind = kind_of(entry)
    whole = kind.document(entry["value"])
    if whole is not None:
        text = _text(whole, Form.TEXT, limits.text * 10)
        return Shown([ShownRow("", "", text)], 0, text.left > 0)
    value, folded = kind.rows(entry["value"]), wanted.casefold()
    found = (row for row in value.rows if not folded or _has(row, folded))
    room, rows, left = limits.all, list[ShownRow](), 0
    for row in found:
        if room <= 0 or len(rows) == limits.rows:
            left = 1 + sum(1 for _ in found) if folded else value.total - len(rows)
            break
        title = f"[{row.label}]" if isinstance(row.label, int) else name(row.label or "")
        text = _text(row.value, row.form, min(limits.text, room))
        part = "" if row.label is None else str(row.label)
        rows.append(ShownRow("" if row.label is None else title, part, text))
        room -= len(text.text)
    return Shown(rows, left, left > 0 or any(row.text.left for row in rows))


def _has(row: Row, folded: str) -> bool:
    return any(folded in text.casefold() for text in texts([row.label, row.value]))


def _text(value: object, form: Form, limit: int) -> Text:
    if form is Form.LINE and isinstance(value, str):
        return _cut("text", value, limit)
    if form is not Form.TEXT or not isinstance(value, str) or isinstance(value, Masked):
        return Text("short", SHOWN_FORMS[form](value))
    if value.startswith(codec.PREFIX):
        return _binary(codec.data(value))
    pretty = formatted(value) if len(value) <= LARGEST_DOCUMENT else None
    return _cut("text" if pretty is None else "json", value if pretty is None else pretty, limit)


def _cut(kind: str, text: str, limit: int) -> Text:
    return Text(kind, with_lines(text[:limit]), max(len(text) - limit, 0))


def _binary(data: bytes) -> Text:
    return Text("binary", data[:HEX_BYTES].hex(" "), max(len(data) - HEX_BYTES, 0))


def expiry(at: str | int | None, words: Words) -> datetime | str | None:
    """Return when something expires, as text where no clock goes so far."""
    if at is None:
        return None
    try:
        return datetime.fromisoformat(at) if isinstance(at, str) else instant(at, words)
    except ValueError:
        return instant(at, words)


def with_lines(text: str) -> str:
    """Return a text with its lines, and without all that has no form of its own."""
    return unprintable.escaped(text, but="\n\t")


def formatted(text: str) -> str | None:
    """Return a JSON document, each member on a line of its own; None for any other text.

    Names, texts and numbers stand there as they are written.
    """
    if text.lstrip()[:1] not in ("{", "["):
        return None
    try:
        json.loads(text)
    except (ValueError, RecursionError):
        return None
    return "".join(_pieces(WORD.findall(text)))


def _pieces(words: Sequence[str]) -> Iterator[str]:
    depth = 0
    for at, each in enumerate(words):
        if each in "{[":
            depth += 1
            empty = words[at + 1 : at + 2] in (["}"], ["]"])
            yield each if empty else f"{each}\n{'  ' * depth}"
        elif each in "}]":
            depth -= 1
            yield each if words[at - 1] in "{[" else f"\n{'  ' * depth}{each}"
        elif each == ",":
            yield f",\n{'  ' * depth}"
        else:
            yield ": " if each == ":" else each
