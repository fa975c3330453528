"""What every page is made of: its frame, its search, its counts and its marked text.

The head of a page lets only our own style and script in.
"""

from __future__ import annotations

import html
import re
from base64 import b64encode
from collections.abc import Iterable, Iterator, Sequence
from datetime import datetime
from functools import cache
from hashlib import sha256
from importlib.resources import files
from typing import NamedTuple

from gitbackup.format.names import escape
from gitbackup.model.changes import Counts, KeyChange
from gitbackup.model.keys import PLACES, Space
from gitbackup.model.list_edits import edits

MOST_TEXT = 32_000_000
"""Characters of a page, beyond which keys are only counted: what a browser still opens at ease."""

SIGNS = {"added": "+", "changed": "~", "removed": "\N{MINUS SIGN}"}

WORD = re.compile(
    r"[\u3040-\u30ff\u3400-\u9fff\uf900-\ufaff\U00020000-\U0003ffff]"  # has no spaces around it
    r"|[^\W\u3040-\u30ff\u3400-\u9fff\uf900-\ufaff\U00020000-\U0003ffff]+"
    r"|[\U0001f1e6-\U0001f1ff]{2}"  # a flag
    r"|\W(?:[\ufe0f\U0001f3fb-\U0001f3ff]|\u200d\W)*"  # an emoji, with all that belongs to it
)
"""What is marked as a whole: a word, a Chinese or Japanese character, an emoji, a sign."""

QUOTES = 2
"""Characters around a text, which two texts have in common in any case."""


def safe(text: str) -> str:
    """Return text as it stands in markup or in an attribute. It holds no lone surrogates."""
    return html.escape(text, quote=True)


def marked(before: str, after: str) -> tuple[str, str]:
    """Return two texts as markup, the words that differ in `mark`; none if all do."""
    old, new = WORD.findall(before), WORD.findall(after)
    blocks = edits(old, new)
    removed = [(block.before_start, block.before_end) for block in blocks or ()]
    added = [(block.after_start, block.after_end) for block in blocks or ()]
    if blocks is None or len(old) - sum(end - start for start, end in removed) <= QUOTES:
        return safe(before), safe(after)
    return "".join(_pieces(old, removed)), "".join(_pieces(new, added))


def _pieces(words: Sequence[str], differ: Iterable[tuple[int, int]]) -> Iterator[str]:
    """Yield the words, those that differ marked."""
    done = 0
    for start, end in differ:
        yield safe("".join(words[done:start]))
        if start < end:
            yield f"<mark>{safe(''.join(words[start:end]))}</mark>"
        done = end
    yield safe("".join(words[done:]))


class SideTitle(NamedTuple):
    """One side of a diff, or a history: its name, and what else a person knows it by."""

    name: str
    more: str = ""

    @property
    def markup(self) -> str:
        more = f" <small>{safe(escape(self.more))}</small>" if self.more else ""
        return f'<span class="side"><code>{safe(escape(self.name))}</code>{more}</span>'


class Titled(NamedTuple):
    """What a page is about: its kind in a word or two, and its title as markup."""

    kind: str
    title: str
    heading: str


class Tools(NamedTuple):
    """What the search of a page is called."""

    items: str
    key: str
    text: str
    actions: bool


def framed(title: Titled, created: datetime, tools: Tools, body: Iterable[str]) -> Iterator[str]:
    """Yield a whole page around its body, a piece at a time."""
    style, script = _own("look/look.css") + _own("page.css"), _own("page.js")
    yield (
        '<!doctype html>\n<html lang="en">\n<head>\n<meta charset="utf-8">\n'
        f'<meta http-equiv="Content-Security-Policy" content="{_policy(style, script)}">\n'
        '<meta name="viewport" content="width=device-width, initial-scale=1">\n'
        '<meta name="color-scheme" content="light dark">\n'
        '<meta name="referrer" content="no-referrer">\n'
        '<meta name="robots" content="noindex">\n'
        f"<title>{safe(escape(title.title))}</title>\n<style>{style}</style>\n</head>\n<body>\n"
    )
    yield f'<header><p class="kind">{safe(title.kind)}</p>\n<h1>{title.heading}</h1>\n'
    yield from body
    yield (
        f"<footer><p>Made by gitbackup on {created:%Y-%m-%d at %H:%M} UTC. It holds data of the"
        " database: keep it as private as that.</p></footer>\n"
        f"<script>{script}</script>\n</body>\n</html>\n"
    )


def toolbar(tools: Tools) -> str:
    """Return the search, which the script shows."""
    quiet = 'autocomplete="off" spellcheck="false" autocapitalize="off"'
    parts = [
        f'<form class="tools" role="search" data-items="{tools.items}" hidden>',
        f'<label><span>{tools.key}</span><input type="search" id="key" {quiet}'
        f' placeholder="{tools.key}, as api or *:42"></label>',
        f'<label><span>{tools.text}</span><input type="search" id="text" {quiet}'
        f' placeholder="{tools.text}"></label>',
    ]
    if tools.actions:
        parts.append('<fieldset><legend class="unseen">Show</legend>')
        parts += [
            f'<label class="{action}"><input type="checkbox" value="{action}" checked>'
            f"<b>{sign}</b> <span>{action}</span></label>"
            for action, sign in SIGNS.items()
        ]
        parts.append("</fieldset>")
    parts += [
        '<span class="buttons"><button type="button" id="unfold">Expand all</button>'
        '<button type="button" id="fold">Collapse all</button></span>',
        '<output aria-live="polite"></output></form>\n',
    ]
    return "".join(parts)


def label(text: str) -> str:
    """Return a key's label as it stands behind the name; it is found as that is."""
    return f' <span class="name label">{safe(escape(text))}</span>' if text else ""


def counted(counts: Counts) -> str:
    """Return how many were added, changed and removed, each with its sign."""
    parts = [
        f'<span class="count {action}"><b>{sign}</b>{count:,}'
        f'<span class="word"> {action}</span></span>'
        for action, sign in SIGNS.items()
        if (count := getattr(counts, action))
    ]
    return f'<span class="counts">{" ".join(parts)}</span>'


def bar(counts: Counts, most: int) -> str:
    """Return the counts as a bar, whose whole length is `most`."""
    at, rects = 0.0, []
    for action in SIGNS:
        count = getattr(counts, action)
        width = max(1.0, 100 * count / most) if count else 0
        if width:
            rects.append(f'<rect class="{action}" x="{at:.1f}" width="{width:.1f}" height="8"/>')
        at += width
    return (
        '<svg class="bar" viewBox="0 0 100 8" preserveAspectRatio="none" aria-hidden="true">'
        f"{''.join(rects)}</svg>"
    )


def title_of(space: Space) -> str:
    """Return a prefix as markup, without the place that it is in."""
    if space.name:
        return f"<code>{safe(escape(space.name.removesuffix(':') or space.name))}</code>"
    return space.place if space.place in PLACES.values() else "<i>(no prefix)</i>"


def order(change: KeyChange) -> tuple[int, Space, str]:
    """Return how the keys of a page are sorted: by database, by prefix, by name."""
    return change.key.db, change.key.space, change.key.name


@cache
def _own(name: str) -> str:
    """Return one of our own files, which the page contains."""
    return files(__package__).joinpath(name).read_text("utf-8")


def _policy(*own: str) -> str:
    """Return the policy that nothing may be loaded, sent or run, but our style and script."""
    style, script = (b64encode(sha256(text.encode()).digest()).decode() for text in own)
    return (
        f"default-src 'none'; style-src 'sha256-{style}'; script-src 'sha256-{script}';"
        " base-uri 'none'; form-action 'none'"
    )
