"""The frame of a page: its head, which lets only our own style and script in, and its foot."""

from __future__ import annotations

from base64 import b64encode
from collections.abc import Iterable, Iterator
from datetime import datetime
from functools import cache
from hashlib import sha256
from importlib.resources import files
from typing import NamedTuple

from gitbackup.format.names import escape
from gitbackup.model.changes import Counts
from gitbackup.report.html.marks import safe

MOST_TEXT = 32_000_000
"""Characters of a page, beyond which keys are only counted: what a browser still opens at ease."""

SIGNS = {"added": "+", "changed": "~", "removed": "\N{MINUS SIGN}"}


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


def framed(title: Titled, made: datetime, tools: Tools, body: Iterable[str]) -> Iterator[str]:
    """A whole page around its body, a piece at a time."""
    style, script = _own("page.css"), _own("page.js")
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
        f"<footer><p>Made by gitbackup on {made:%Y-%m-%d at %H:%M} UTC. It holds data of the"
        " database: keep it as private as that.</p></footer>\n"
        f"<script>{script}</script>\n</body>\n</html>\n"
    )


def toolbar(tools: Tools) -> str:
    """The search, which the script shows."""
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


def counted(counts: Counts) -> str:
    """How many came, changed and went, each with its sign."""
    named = (("added", counts.added), ("changed", counts.changed), ("removed", counts.removed))
    parts = [
        f'<span class="count {action}"><b>{SIGNS[action]}</b>{count:,}'
        f'<span class="word"> {action}</span></span>'
        for action, count in named
        if count
    ]
    return f'<span class="counts">{" ".join(parts)}</span>'


def bar(counts: Counts, most: int) -> str:
    """The counts as a bar, `most` being its whole length."""
    at, rects = 0.0, []
    for action in ("added", "changed", "removed"):
        count = getattr(counts, action)
        width = max(1.0, 100 * count / most) if count else 0
        if width:
            rects.append(f'<rect class="{action}" x="{at:.1f}" width="{width:.1f}" height="8"/>')
        at += width
    return (
        '<svg class="bar" viewBox="0 0 100 8" preserveAspectRatio="none" aria-hidden="true">'
        f"{''.join(rects)}</svg>"
    )


@cache
def _own(name: str) -> str:
    """One of our own files, which the page carries along."""
    return files(__package__).joinpath(name).read_text("utf-8")


def _policy(style: str, script: str) -> str:
    """Nothing may be loaded, sent or run, but this style and this script."""
    return (
        f"default-src 'none'; style-src '{_digest(style)}'; script-src '{_digest(script)}';"
        " base-uri 'none'; form-action 'none'"
    )


def _digest(text: str) -> str:
    return f"sha256-{b64encode(sha256(text.encode()).digest()).decode()}"
