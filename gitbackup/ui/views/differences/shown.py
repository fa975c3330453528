"""One key that differs, as a template shows it."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from hashlib import blake2b
from itertools import islice
from typing import NamedTuple

from markupsafe import Markup

from gitbackup.diff.labels import Labels
from gitbackup.model.changes import Action, KeyChange, KeyDiff
from gitbackup.model.keys import Key
from gitbackup.report.html.inside import inside
from gitbackup.report.html.rows import Row, rows
from gitbackup.report.words import Words
from gitbackup.ui.views.differences.asked import Asked

MOST_TEXT = 1_000_000
"""Characters of the rows on one page; keys that come then are shown without theirs."""

FIRST_ROWS = 12
"""Rows of a key in a list."""


class ShownKey(NamedTuple):
    """A key that differs, with the rows of what differs inside; None where they are too much, or
    were not read.

    `anchor` is its name within a page, `href` the page of its own, which has `more` rows if a list
    has not all. `redacted` tells whether something of it is masked.
    `held` is the commit that has the old value; empty if there is none.
    """

    change: KeyChange
    anchor: str
    href: str
    types: tuple[str, ...]
    label: str
    rows: Markup | None
    redacted: bool
    more: bool
    held: str

    @property
    def key(self) -> Key:
        return self.change.key


def shown(
    diffs: Iterable[KeyDiff], labels: Labels, asked: Asked, words: Words
) -> Iterator[ShownKey]:
    """Yield keys as a template shows them, each linked to its page; without rows those of which no
    entry was read."""
    left = MOST_TEXT
    for diff in diffs:
        key = diff.change.key
        anchor, href = _anchor(key), asked.whole().by(db=key.db, name=key.name).href()
        page = "" if asked.name else href
        full = left <= 0 or diff.before is diff.after is None
        most = None if asked.name else FIRST_ROWS + 1
        told = [] if full else [*islice(_rows(diff, words), most)]
        more = not asked.name and len(told) > FIRST_ROWS
        first = told[:FIRST_ROWS] if more else told
        text = "".join(inside(first, f"{anchor}-", page)) if not full else None
        left -= len(text or "")
        types = dict.fromkeys(entry["type"] for entry in (diff.before, diff.after) if entry)
        yield ShownKey(
            diff.change,
            anchor,
            href,
            tuple(types),
            labels.of(key, diff.after, diff.before),
            None if text is None else Markup(text),  # noqa: S704  what it is made of is escaped
            diff.redacted,
            more,
            "" if diff.change.action is Action.ADDED else asked.a,
        )


def _rows(diff: KeyDiff, words: Words) -> Iterator[Row]:
    return rows(diff.change, diff.before, diff.after, diff.values, words)


def _anchor(key: Key) -> str:
    digest = blake2b(f"{key.db}:{key.name}".encode("utf-8", "surrogatepass"), digest_size=6)
    return f"k{digest.hexdigest()}"


def says(diff: KeyDiff, wanted: str) -> bool:
    """Return whether what differs in a key contains a text, in small letters or large ones.

    It looks at what is shown: in a redacted diff, at nothing that is masked.
    """
    sides = [diff.before, diff.after] if not (diff.before and diff.after) else []
    found = [entry["value"] for entry in sides if entry]
    found += [each for value in diff.values for each in (value.name, value.before, value.after)]
    found += [[*value.path] for value in diff.values]
    return any(wanted in text.casefold() for text in texts(found))


def texts(value: object) -> Iterator[str]:
    """Yield every text within a JSON value, names and numbers too."""
    waiting = [value]
    while waiting:
        each = waiting.pop()
        if isinstance(each, str):
            yield each
        elif isinstance(each, dict):
            yield from each
            waiting += each.values()
        elif isinstance(each, list | tuple):
            waiting += each
        elif each is not None:
            yield str(each)
