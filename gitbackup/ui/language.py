"""English, and every other language of the pages by its catalogue in `catalogues/`.

A catalogue is JSON: each English text of a template or of `Language.say`, and its translation.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from functools import cache
from importlib.resources import files

NAMES = {"en": "English", "zh-CN": "中文"}
"""Each language by its code, as its own readers call it."""


@dataclass(frozen=True, eq=False)
class Language:
    """A language, and what it calls each English text."""

    code: str
    texts: dict[str, str]

    def say(self, text: str) -> str:
        """Return a text in this language; the English one where it has none."""
        return self.texts.get(text, text)

    def count(self, one: str, many: str, count: int) -> str:
        """Return the form of a text for so many; `one` is what the catalogue knows it by."""
        return self.texts.get(one) or (one if count == 1 else many)

    @classmethod
    @cache
    def every(cls) -> dict[str, Language]:
        """Return each language by its code."""
        return {code: cls(code, _texts(code)) for code in NAMES}


def _texts(code: str) -> dict[str, str]:
    if code == "en":
        return {}
    path = files(__package__).joinpath("catalogues", f"{code}.json")
    return dict(json.loads(path.read_text("utf-8")))


def chosen(wanted: str) -> Language:
    """Return the language that a header Accept-Language prefers; English for none that we have."""
    every = Language.every()
    for word in _preferred(wanted):
        for code, language in every.items():
            if word.partition("-")[0] == code.partition("-")[0]:
                return language
    return every["en"]


def _preferred(wanted: str) -> list[str]:
    """Return the codes of a header, lower-case, the most wanted first (RFC 9110, 12.5.4)."""
    weighed = []
    for place, part in enumerate(wanted.split(",")[:20]):
        code, _, weight = part.strip().lower().partition(";q=")
        try:
            weighed.append((-float(weight or 1), place, code))
        except ValueError:
            continue
    return [code for weight, _, code in sorted(weighed) if weight and code]
