"""What templates call to show a key, a count, a bar or a moment."""

from __future__ import annotations

from datetime import UTC, datetime
from functools import partial

from jinja2 import Environment
from markupsafe import Markup, escape

from gitbackup.format import names, unprintable
from gitbackup.model.changes import Counts
from gitbackup.report.html import frame
from gitbackup.ui.views import links
from gitbackup.ui.words.language import NAMES, Language


def add(environment: Environment, language: Language) -> None:
    """Give the templates of a language these filters, the names of all `languages`, and links."""
    environment.globals |= {
        "languages": NAMES,
        "of_key": links.of_key,
        "raw_of": links.raw_of,
        "restore_of": links.restore_of,
        "restore_prefix": links.restore_prefix,
        "revert_of": links.revert_of,
    }
    environment.filters |= {
        "address": address,
        "age": language.age,
        "bar": bar,
        "brand": brand,
        "command": unprintable.escaped,
        "day": language.day,
        "duration": language.duration,
        "keyed": names.key_name,
        "marked": marked,
        "moment": moment,
        "name": names.name,
        "number": language.number,
        "printable": printable,
        "server": partial(server, language),
        "size": language.size,
        "told": partial(told, language),
        "utc": utc,
    }


def printable(text: str, limit: int = 10_000) -> str:
    """Return text without controls, direction marks and all else that has no form of its own."""
    return names.escape(text, limit)


def told(language: Language, sentence: str, limit: int = 10_000) -> Markup:
    """Return a sentence of the engine in the reader's language, its English as a title; where it is
    not known in the language, the English, marked as that."""
    said, english = language.known(sentence), printable(sentence, limit)
    if said is None:
        return Markup('<span lang="en">{}</span>').format(english)
    if said == sentence:
        return escape(english)
    return Markup('<span title="{}">{}</span>').format(english, printable(said, limit))


def server(language: Language, named: str) -> str:
    """Return a server's brand, version and mode, and where it is, in a language."""
    return language.server(printable(named))


def brand(server: str) -> str:
    """Return the brand of a server, as `Valkey`, which a plan has with all else of it."""
    return printable(server.partition(" ")[0])


def address(server: str) -> str:
    """Return where a server is, as `localhost:6379`."""
    return printable(server.rpartition(" at ")[2])


def bar(counts: Counts, most: int) -> Markup:
    """Return counts as a bar, whose whole length is `most`."""
    return Markup(frame.bar(counts, max(most, 1)))  # noqa: S704  it holds numbers only


def marked(sides: tuple[str, str]) -> tuple[Markup, Markup]:
    """Return two texts with the words that differ in `mark`."""
    before, after = frame.marked(*sides)
    return Markup(before), Markup(after)  # noqa: S704  what it is made of is escaped


def moment(at: datetime) -> str:
    """Return a moment in UTC, for an attribute `datetime`."""
    return at.astimezone(UTC).isoformat(timespec="seconds").replace("+00:00", "Z")


def utc(at: datetime) -> str:
    """Return a moment in UTC as a person reads it: `2026-12-01 09:31:45 UTC`."""
    return f"{at.astimezone(UTC):%Y-%m-%d %H:%M:%S} UTC"
