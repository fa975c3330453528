"""Labels of keys: what a person calls them, taken from a part of their values.

A rule is `GLOB=PART`, such as `apikey:*=name`: the label of a key that the glob matches is what its
part of that name holds.
"""

from __future__ import annotations

import json
from collections.abc import Iterable

from gitbackup.diff.part_named import field
from gitbackup.format import codec
from gitbackup.format.patterns import Matcher, matcher
from gitbackup.model.keys import MASK, Entry, Key

LONGEST = 40
"""Characters of a label that is not cut."""


class Labels:
    """The rules of a data repository, of which the first that fits counts."""

    def __init__(self, rules: Iterable[str] = ()) -> None:
        self._rules: list[tuple[Matcher, str]] = []
        for rule in rules:
            glob, _, part = rule.rpartition("=")
            self._rules.append((matcher([glob]), part))

    def concern(self, key: Key) -> bool:
        """Return whether a rule is about the key."""
        return self._part(key) is not None

    def of(self, key: Key, *entries: Entry | None) -> str:
        """Return the label of a key by the first of its entries that has one; empty for none.

        What is masked or not text is no label.
        """
        part = self._part(key)
        if part is None:
            return ""
        found = (_text(entry, part) for entry in entries if entry)
        return next(filter(None, found), "")

    def _part(self, key: Key) -> str | None:
        name = codec.data(key.name)
        return next((part for matches, part in self._rules if matches(name)), None)


NO_LABELS = Labels()


def _text(entry: Entry, part: str) -> str:
    """Return what a part of an entry holds, in a few characters; empty if there is no such part."""
    try:
        value = field(entry, part).value
    except LookupError:
        return ""
    text = value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)
    if MASK in text or text.startswith(codec.PREFIX):
        return ""
    return text if len(text) <= LONGEST else f"{text[: LONGEST - 1]}…"
