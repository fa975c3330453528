"""English, and every other language of the pages by its catalogue in `catalogues/`.

A catalogue is JSON: each English text, and its translation. A text is what a template has in `_()`
or `ngettext()`, or the first argument of `Language.say`, `Language.count`, `later` and `forms`;
`tests/ui/test_language.py` finds them all. In `%(name)s` the same values are put in every language.
What the engine says has catalogues of its own, see `sentences.py`.
"""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from datetime import UTC, datetime
from functools import cache
from importlib.resources import files
from typing import Any

from gitbackup.model import amounts
from gitbackup.ui.words.sentences import Sentences

NAMES = {"en": "English", "zh-CN": "中文"}
"""Each language by its code, as its own readers call it."""

COOKIE = "gitbackup-language"
"""Names the cookie with the code that a reader chose by hand."""


DAY = 86_400
SHORT, YEAR = 3 * DAY, 300 * DAY
"""Seconds below which an axis of time tells hours, and days."""


def later(text: str) -> str:
    """Return a text as it is: one that is said in the reader's language later."""
    return text


def forms(one: str, many: str) -> tuple[str, str]:
    """Return both forms of a text as they are: `count` says one of them later."""
    return one, many


AGES = {
    "year": forms("%(num)s year ago", "%(num)s years ago"),
    "day": forms("%(num)s day ago", "%(num)s days ago"),
    "hour": forms("%(num)s hour ago", "%(num)s hours ago"),
    "minute": forms("%(num)s minute ago", "%(num)s minutes ago"),
    "second": forms("%(num)s second ago", "%(num)s seconds ago"),
}

DURATIONS = {
    86_400: forms("%(num)s day", "%(num)s days"),
    3_600: forms("%(num)s hour", "%(num)s hours"),
    60: forms("%(num)s minute", "%(num)s minutes"),
    1: forms("%(num)s second", "%(num)s seconds"),
}
"""Units by their seconds, the largest first."""

MONTHS = (
    *(later("January"), later("February"), later("March"), later("April"), later("May")),
    *(later("June"), later("July"), later("August"), later("September"), later("October")),
    *(later("November"), later("December")),
)

SHORT_MONTHS = (
    *(later("Jan"), later("Feb"), later("Mar"), later("Apr"), later("May"), later("Jun")),
    *(later("Jul"), later("Aug"), later("Sep"), later("Oct"), later("Nov"), later("Dec")),
)


@dataclass(frozen=True, eq=False)
class Language:
    """A language, what it calls each English text, and how it says what the engine says."""

    code: str
    texts: dict[str, str]
    sentences: Sentences = field(default_factory=lambda: Sentences({}))

    def say(self, text: str, **told: Any) -> str:
        """Return a text in this language, with what is told in its places; the English one where
        it has none."""
        found = self.texts.get(text, text)
        return found % told if told else found

    def count(self, one: str, many: str, count: int, **told: Any) -> str:
        """Return the form of a text for so many; `one` is what the catalogue knows it by."""
        found = self.texts.get(one) or (one if count == 1 else many)
        return found % told if told else found

    def known(self, sentence: str) -> str | None:
        """Return a sentence of the engine in this language; None if that is not known."""
        if self.code == "en" or not sentence:
            return sentence
        return self.texts.get(sentence) or self.sentences.said(sentence)

    def told(self, sentence: str) -> str:
        """Return a sentence of the engine in this language; in English if that is not known."""
        return self.known(sentence) or sentence

    def server(self, named: str) -> str:
        """Return a server as the engine names it: `Redis 8.0 standalone at localhost:6379`."""
        name, at, place = named.rpartition(" at ")
        return self.say("%(name)s at %(place)s", name=name, place=place) if at else place

    def number(self, count: int) -> str:
        """Return a whole number with its thousands apart: `1,164`."""
        return f"{count:,}"

    def size(self, count: int) -> str:
        """Return a number of bytes, in a larger unit from 1,000 on: `999 bytes`, `1.5 MB`."""
        if count < amounts.STEP:
            return self.count("%(num)s byte", "%(num)s bytes", count, num=count)
        return amounts.size(count)

    def age(self, moment: datetime, now: datetime | None = None) -> str:
        """Return how long ago that was, in one unit, rounded down: `3 hours ago`."""
        passed = int(((now or datetime.now(UTC)) - moment).total_seconds())
        for length, unit in amounts.TIMES:
            if passed >= length:
                count = passed // length
                return self.count(*AGES[unit], count, num=self.number(count))
        return self.say("just now")

    def duration(self, seconds: int) -> str:
        """Return a number of seconds in the largest unit that it is a whole number of: `1 hour`."""
        length, unit = next(
            (each for each in DURATIONS.items() if seconds and seconds % each[0] == 0),
            (1, DURATIONS[1]),
        )
        return self.count(*unit, seconds // length, num=self.number(seconds // length))

    def day(self, moment: datetime) -> str:
        """Return a date with its month in words: `1 December 2026`."""
        month = self.say(MONTHS[moment.month - 1])
        return self.say("%(day)s %(month)s %(year)s", day=moment.day, month=month, year=moment.year)

    def short_day(self, moment: datetime) -> str:
        """Return a date without its year: `1 Dec`."""
        month = self.say(SHORT_MONTHS[moment.month - 1])
        return self.say("%(day)s %(month)s", day=moment.day, month=month)

    def mark(self, moment: float, span: float) -> str:
        """Return how an axis that spans so many seconds names a moment, in UTC: by the time of
        day, with seconds where the minute is not full, by the day or the month."""
        at = datetime.fromtimestamp(moment, UTC)
        if span < SHORT and moment % DAY:
            return f"{at:%H:%M:%S}" if at.second else f"{at:%H:%M}"
        return self.short_day(at) if span < YEAR else f"{at:%Y-%m}"

    @classmethod
    @cache
    def every(cls) -> dict[str, Language]:
        """Return each language by its code."""
        others = [code for code in NAMES if code != "en"]
        return {"en": cls("en", {})} | {
            code: cls(code, _read(code), Sentences(_read("sentences", code))) for code in others
        }


def _read(*path: str) -> Any:
    """Return what a catalogue holds."""
    return json.loads(
        files(__package__).joinpath("catalogues", *path[:-1], f"{path[-1]}.json").read_text("utf-8")
    )


def chosen(wanted: str, by_hand: str = "") -> Language:
    """Return the language of a code chosen by hand, or else the one that a header Accept-Language
    prefers; English for none that we have."""
    every = Language.every()
    if by_hand in every:
        return every[by_hand]
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
