"""What the engine says, in another language: errors, warnings, verdicts and advice.

The engine says it in English, which commands print, and knows of no other language. A catalogue in
`catalogues/sentences/` has each sentence as a pattern, and what to say instead of it:

    "commit {.id} has no key {name}": "提交 {id} 中没有键 {name}"

A place holds what its sign allows:

| place | holds |
|---|---|
| `{name}` | any text, which stays as it is |
| `{.name}` | a text without spaces |
| `{~name}` | a text without colons and semicolons that a space follows, its quotes closed |
| `{#name}` | a number |
| `{&name}` | a list of keys, as `key_list` makes it |
| `{%name}` | an amount of the catalogue: `3 keys`, `2 hours ago` |
| `{=name}` | a sentence or phrase that is translated, too |
| `{+name}` | several of them, with commas between |
| `{?name}` | one that is translated if it is known; else a text without semicolons |

Of `[s]` there may be nothing; of `[has|have]` one is there. What a translation has in brackets is
said where all places in them are there.

Names of keys can hold any words. So a sentence that fits two patterns, or one in two ways, is left
in English, as is one that takes too long to tell.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property, lru_cache
from itertools import product

LONGEST = 4_000
"""Characters of a sentence that is translated."""

MOST_LOOKS, PHRASE = 6_000, 10
"""Places of a sentence that are looked at before it is left alone; a phrase counts as so many."""

DEEPEST, MOST_STOPS = 8, 10
"""Phrases within each other, and sentences in a row, that are read."""

STOPS = (". ", "; ")
"""What is between two sentences."""

PLACE = re.compile(r"\{([.~#%&=+?]?)(\w+)\}")
CHOICE = re.compile(r"\[([^\[\]]*)\]")
NUMBER = re.compile(r"[0-9][0-9,]*(\.[0-9]+)?")
NAME = r"""(?:\w+ )?(?:"(?:[^"\\]|\\.)*"|'[^']*'|[^\s"']*[^\s"',])"""
KEYS = re.compile(rf"({NAME}(?:, {NAME})*)(?: and ([0-9,]+) more)?")
HAN = re.compile("[\u3400-\u9fff]")
WORD = re.compile(r"[A-Za-z0-9'\"`/~@$+-]")

BRACKET = "\uff09"
"""The full-width one that closes."""

AMOUNTS = "amounts"
"""The part of a catalogue with counts, sizes and lengths of time."""

LISTS, COMMA, CUT = "lists", ", ", "{list} and {num} more"
"""The part of a catalogue that has no sentences: what is between the items of a list, and a list
of keys that is cut off."""


@dataclass(frozen=True)
class Pattern:
    """One spelling of a pattern: the words around its places, each place with its sign and name,
    and the translation."""

    words: tuple[str, ...]
    places: tuple[tuple[str, str], ...]
    translation: str
    is_amount: bool


def spellings(pattern: str) -> Iterator[str]:
    """Yield each way to spell a pattern, with and without what is in its brackets."""
    pieces = CHOICE.split(pattern)
    choices = [each.split("|") if "|" in each else ["", each] for each in pieces[1::2]]
    for chosen in product(*choices):
        yield "".join(
            word + choice for word, choice in zip(pieces[::2], (*chosen, ""), strict=True)
        )


class Sentences:
    """The sentences of a catalogue: of each room of the engine its patterns, by the room's name."""

    def __init__(self, catalogue: Mapping[str, Mapping[str, str]]) -> None:
        self._rooms = {room: told for room, told in catalogue.items() if room != LISTS}
        self.lists = catalogue.get(LISTS, {})

    @lru_cache(maxsize=1_000)  # noqa: B019  there are as many as languages
    def said(self, sentence: str) -> str | None:
        """Return what a sentence of the engine is in the language; None if that is not known."""
        if len(sentence) > LONGEST:
            return None
        try:
            return _Reading(self).paragraph(sentence)
        except _TooLong:
            return None

    @cached_property
    def plain(self) -> Mapping[str, str]:
        """The translation of each sentence that has no place."""
        found = (each for each in self._every if not each.places)
        return {each.words[0]: _filled(each.translation, {}) for each in found}

    @cached_property
    def placed(self) -> Sequence[Pattern]:
        """The patterns with places."""
        return [each for each in self._every if each.places]

    @cached_property
    def amounts(self) -> Sequence[Pattern]:
        """Those of amounts."""
        return [each for each in self.placed if each.is_amount]

    @cached_property
    def plain_amounts(self) -> frozenset[str]:
        """The amounts without a place, such as `just now`."""
        return frozenset(
            each.words[0] for each in self._every if each.is_amount and not each.places
        )

    @cached_property
    def _every(self) -> Sequence[Pattern]:
        return [
            Pattern(
                tuple(pieces[::3]),
                tuple(zip(pieces[1::3], pieces[2::3], strict=True)),
                said,
                room == AMOUNTS,
            )
            for room, patterns in self._rooms.items()
            for pattern, said in patterns.items()
            for spelling in spellings(pattern)
            for pieces in [PLACE.split(spelling)]
        ]


class _TooLong(Exception):
    """It would take too long to tell what a sentence means."""


class _Reading:
    """The reading of one sentence. Each phrase of it is read once."""

    def __init__(self, sentences: Sentences) -> None:
        self._sentences = sentences
        self._known: dict[str, str | None] = {}
        self._paragraphs: dict[str, str | None] = {}
        self._looks = self._depth = 0

    def paragraph(self, text: str) -> str | None:
        """Return several sentences in the language; None if one of them is not known."""
        if text not in self._paragraphs:
            self._paragraphs[text] = self._sentence(text) or _only({*self._in_two(text)})
        return self._paragraphs[text]

    def _in_two(self, text: str) -> Iterator[str]:
        """Yield each way to read a text as one sentence, and more of them."""
        if sum(map(text.count, STOPS)) > MOST_STOPS:
            return
        for stop in STOPS:
            for at in self._all(stop, text, 0, len(text)):
                first = self._sentence(text[:at].removesuffix(".") + stop.strip(" ;"))
                rest = self.paragraph(text[at + len(stop) :]) if first else None
                if rest:
                    yield f"{first}{self._sentences.lists.get(stop, '')}{rest}"

    def _sentence(self, text: str) -> str | None:
        """Return a sentence; also one that was made of a phrase, with a capital and a full stop."""
        found = self._phrase(text)
        if found is None and text.endswith("."):
            found = self._phrase(text[:-1]) or self._phrase(text[:1].lower() + text[1:-1])
            return found and f"{found}。"
        return found

    def _phrase(self, text: str) -> str | None:
        if text not in self._known:
            self._look(PHRASE)
            self._depth += 1
            if self._depth > DEEPEST:
                raise _TooLong
            said = self._sentences.plain.get(text)
            self._known[text] = said or _only({*self._fitting(text)})
            self._depth -= 1
        return self._known[text]

    def _amount(self, text: str) -> str | None:
        is_plain = text in self._sentences.plain_amounts
        return self._sentences.plain[text] if is_plain else _only({*self._fitting(text, True)})

    def _fitting(self, text: str, amounts: bool = False) -> Iterator[str]:
        """Yield each translation of a text that fits a pattern, of those of amounts only or all."""
        for pattern in self._sentences.amounts if amounts else self._sentences.placed:
            first, *_, last = words = pattern.words
            fits = text.startswith(first) and text.endswith(last)
            if fits and all(word in text for word in words):
                end = len(text) - len(last)
                for told in self._told(pattern, text, 0, len(first), end):
                    yield _filled(pattern.translation, dict(told))

    def _told(
        self, pattern: Pattern, text: str, number: int, start: int, end: int
    ) -> Iterator[tuple[tuple[str, str], ...]]:
        """Yield what the places of a pattern hold, from one of them on, each way that fits."""
        sign, name = pattern.places[number]
        is_last = number == len(pattern.places) - 1
        between = pattern.words[number + 1]
        for at in [end] if is_last else self._all(between, text, start + 1, end):
            held = self._held(sign, text[start:at])
            if held is None:
                continue
            if is_last:
                yield ((name, held),)
                continue
            rest = self._told(pattern, text, number + 1, at + len(between), end)
            yield from (((name, held), *told) for told in rest)

    def _held(self, sign: str, text: str) -> str | None:
        """Return what a place says that has a sign, and holds a text; None if it cannot."""
        if not text:
            return None
        if sign == "=":
            return self._phrase(text)
        if sign == "%":
            return self._amount(text)
        if sign == "?":
            return self._phrase(text) or (None if "; " in text else text)
        if sign == "+":
            items = [self._phrase(each) for each in text.split(COMMA)]
            between = self._sentences.lists.get(COMMA, COMMA)
            return between.join(filter(None, items)) if all(items) else None
        if sign == "&":
            return self._keys(text)
        fits = {
            "#": NUMBER.fullmatch(text),
            ".": not any(map(str.isspace, text)),
            "~": not any(mark in text for mark in (": ", "; ")) and _is_closed(text),
        }
        return text if fits.get(sign, True) else None

    def _keys(self, text: str) -> str | None:
        found = KEYS.fullmatch(text)
        if found is None or not found[2]:
            return found and text
        said = self._sentences.lists.get(CUT, CUT)
        return _filled(said, {"list": found[1], "num": found[2]})

    def _all(self, words: str, text: str, start: int, end: int) -> Iterator[int]:
        """Yield each place where these words are in a part of a text."""
        at = text.find(words, start, end)
        while at >= 0:
            self._look()
            yield at
            at = text.find(words, at + 1, end)

    def _look(self, count: int = 1) -> None:
        self._looks += count
        if self._looks > MOST_LOOKS:
            raise _TooLong


def _is_closed(text: str) -> bool:
    """Return whether there is an even number of each quote in a text."""
    return not any(text.count(quote) % 2 for quote in "'\"`")


def _only(found: set[str | None] | set[str]) -> str | None:
    """Return the one that was found; None if it is none, or not the only one."""
    known = found - {None}
    return known.pop() if len(known) == 1 else None


def _filled(translation: str, held: Mapping[str, str]) -> str:
    """Return a translation with what its places hold."""

    def group(found: re.Match[str]) -> str:
        return found[1] if all(name in held for _, name in PLACE.findall(found[1])) else ""

    pieces = PLACE.split(CHOICE.sub(group, translation))
    filled = pieces[0]
    for name, words in zip(pieces[2::3], pieces[3::3], strict=True):
        filled = joined(joined(filled, held[name]), words)
    return filled


def joined(left: str, right: str) -> str:
    """Return two texts as one, with a space between a Chinese character and a Latin one, and none
    after a full-width bracket."""
    if left.endswith(BRACKET):
        return left + right.lstrip(" ")
    ends, begins = left[-1:], right[:1]
    apart = (HAN.match(ends) and WORD.match(begins)) or (WORD.match(ends) and HAN.match(begins))
    return f"{left} {right}" if apart else left + right
