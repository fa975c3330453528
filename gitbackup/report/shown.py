"""Data as text for a terminal: nothing in it can steer the terminal, nothing is too long."""

from __future__ import annotations

import json
import re
from typing import Any

from gitbackup.model import Masked

LIMIT = 200
"""The most characters of one value on a line."""

CONTEXT = 24
"""Characters shown of what two long texts have in common before they differ."""

PLAIN = re.compile(r"(?!\[)[^\s\"]*[^\s\":]")
"""A name that needs no quotes: no spaces, no quotes, and nothing like a position."""

POSITION = re.compile(r"\[\d+\]")
"""A position in a list, as it is written before a path."""

STEP = re.compile(r"[^\s\"'.:\[\]]+")
"""A name that needs no quotes inside a dotted path."""


def escape(text: str, limit: int = LIMIT) -> str:
    r"""Text without anything that a terminal would act on, and cut in the middle where long.

    Controls, direction marks, lone surrogates and all else that has no form of its own
    are shown as \n, \x1b, \u202e; a backslash as \\, so that none of it is ambiguous.
    """
    if len(text) <= limit:
        return _clean(text)
    head, tail = limit - limit // 3, limit // 3
    cut = f"… {len(text) - head - tail:,} more characters …"
    return _clean(text[:head]) + cut + _clean(text[len(text) - tail :])


def _clean(text: str) -> str:
    if text.isprintable() and "\\" not in text:
        return text
    return "".join(c if c.isprintable() and c != "\\" else _escaped(c) for c in text)


def _escaped(character: str) -> str:
    return character.encode("unicode_escape").decode()


def shown(value: Any, limit: int = LIMIT) -> str:
    """A value on one line: text in quotes, of other bytes how many, all else as JSON."""
    if isinstance(value, Masked):
        return value
    if isinstance(value, str) and value.startswith("base64:"):
        size = len(value.removeprefix("base64:").rstrip("=")) * 3 // 4
        return f"binary, {size:,} {'byte' if size == 1 else 'bytes'}"
    if not isinstance(value, str):
        return escape(json.dumps(value, ensure_ascii=False), limit)
    body = escape(value, limit)
    if '"' in body and "'" not in body:
        return f"'{body}'"
    return '"' + body.replace('"', '\\"') + '"'


def shown_pair(before: Any, after: Any) -> str:
    """Two values that differ; of long texts the part where they begin to."""
    skipped = 0
    if isinstance(before, str) and isinstance(after, str) and max(len(before), len(after)) > LIMIT:
        skipped = max(0, _shared(before, after) - CONTEXT)
    if skipped:
        before, after = before[skipped:], after[skipped:]
    pair = f"{shown(before)} -> {shown(after)}"
    return f"(after {skipped:,} same characters) {pair}" if skipped else pair


def _shared(before: str, after: str) -> int:
    """How many first characters are the same."""
    low, high = 0, min(len(before), len(after))
    while low < high:
        middle = (low + high + 1) // 2
        if before.startswith(after[:middle]):
            low = middle
        else:
            high = middle - 1
    return low


def name(text: str) -> str:
    """A key's, field's or member's name; in quotes where it could be misread without."""
    if isinstance(text, Masked):
        return text
    return escape(text) if PLAIN.fullmatch(text) else shown(text)


def dotted(first: str, path: tuple[str | int, ...]) -> str:
    """A path as `limits.daily` or `items[3].price`, behind the name of what holds the document."""
    start = first if POSITION.fullmatch(first) or not first else _step(first)
    steps = [f"[{step}]" if isinstance(step, int) else f".{_step(step)}" for step in path]
    return (start + "".join(steps)).removeprefix("." if not first else "")


def _step(text: str) -> str:
    return escape(text) if STEP.fullmatch(text) else shown(text)


def instant(value: str | int | None) -> str:
    """An expiry; a number is one past the year 9999."""
    if value is None:
        return "never"
    return escape(value) if isinstance(value, str) else f"{value} ms after 1970"
