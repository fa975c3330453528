"""Names of keys, and short values, in a sentence: nothing in them can steer the terminal, and
nothing is too long. A commit's proof keeps such sentences, so they are made below the report."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterable
from typing import Any

from gitbackup.format import codec, unprintable
from gitbackup.model.keys import Key, Masked

LIMIT = 200
"""The most characters of one value on a line."""

LISTED = 10
"""Keys that a sentence names at most."""

PLAIN = re.compile(r"(?!\[)[^\s\"]*[^\s\":]")
"""A name that needs no quotes: no spaces, no quotes, and nothing like a position."""


def escape(text: str, limit: int = LIMIT, start: int = 0) -> str:
    r"""Return text without anything that a terminal would act on, cut in the middle if it is long.

    It is told from `start` on.
    Controls, direction marks, lone surrogates and all else that has no form of its own
    are shown as \n, \x1b, \u202e; a backslash as \\, so that none of it is ambiguous.
    """
    length = len(text) - start
    if length <= limit:
        return _clean(text[start:])
    head, tail = limit - limit // 3, limit // 3
    cut = f"… {length - head - tail:,} more characters …"
    return _clean(text[start : start + head]) + cut + _clean(text[len(text) - tail :])


def _clean(text: str) -> str:
    return unprintable.escaped(text, also="\\")


def shown(value: Any, limit: int = LIMIT, start: int = 0) -> str:
    """Return a value on one line: a text in quotes, other bytes by their number, all else as JSON.

    A text is told from `start` on.
    """
    if isinstance(value, Masked):
        return value
    if isinstance(value, str) and value.startswith(codec.PREFIX):
        return f"binary, {codec.in_brief(value)}"
    if not isinstance(value, str):
        return escape(json.dumps(value, ensure_ascii=False), limit)
    body = escape(value, limit, start)
    if '"' in body and "'" not in body:
        return f"'{body}'"
    return '"' + body.replace('"', '\\"') + '"'


def name(text: str) -> str:
    """Return the name of a key, field or member; in quotes if it could be misread without."""
    if isinstance(text, Masked):
        return text
    return escape(text) if PLAIN.fullmatch(text) else shown(text)


def key_name(key: Key) -> str:
    """Return a key as a person reads it, with its place if that is not db0."""
    return name(key.name) if key.db == 0 else f"{key.place} {name(key.name)}"


def key_list(keys_: Iterable[Key], named: Callable[[Key], str] = key_name) -> str:
    """Return a few keys for a sentence, each as `named` returns it."""
    listed = list(keys_)
    some = ", ".join(named(key) for key in listed[:LISTED])
    return some + (f" and {len(listed) - LISTED:,} more" if len(listed) > LISTED else "")
