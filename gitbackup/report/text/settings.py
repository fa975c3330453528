"""Settings as lines of text for a person."""

from __future__ import annotations

import shlex
from collections.abc import Iterator, Mapping, Sequence

from gitbackup.format.names import escape
from gitbackup.report.style.columns import pad, width

CUT = "(login not shown)"

SOURCES = {
    "environment": "from {}",
    "repository": "this repository",
    "history": "this repository, copied with its history",
    "user": "your git config, {}",
    "system": "system git config, {}",
}

Row = tuple[str, str, str, str, bool, bool]
"""A value that is in force: name, value, source, origin, whether it travels, and is cut."""


def settings_lines(rows: Sequence[Row]) -> Iterator[str]:
    """A line for each value that is in force, and where it comes from."""
    told = [
        (name, _value(value, secret), _where(*where)) for name, value, *where, _, secret in rows
    ]
    names = max((width(name) for name, _, _ in told), default=0)
    values = max((width(value) for _, value, _ in told), default=0)
    yield from (f"{pad(name, names)}  {pad(value, values)}  {where}" for name, value, where in told)


def _value(value: str, secret: bool) -> str:
    return f"{escape(value)} {CUT}".strip() if secret else escape(value)


def _where(source: str, origin: str) -> str:
    return SOURCES.get(source, source).format(escape(origin))


def came_lines(
    globs: Mapping[str, Sequence[str]], kept: Mapping[str, Sequence[str]], repo: str
) -> Iterator[str]:
    """Which settings came with a history, and which stay that the other side has no more;
    `repo` are the words that name the repository to a command."""
    if globs:
        yield f"copied settings: {_listed(globs)}"
    for name, values in kept.items():
        for shown in map(_quoted, values):
            if name == "include":
                yield (
                    f"included there but not here: {shown}; to include it, run:"
                    f" gitbackup config add include {shown}{repo}"
                )
            else:
                yield (
                    f"removed from {name} there, but kept here: {shown}; to remove it,"
                    f" run: gitbackup config remove {name} {shown}{repo}"
                )


def offered_lines(url: str | None, repo: str) -> Iterator[str]:
    """What did not come with a clone, and how it is had."""
    if url:
        yield (
            f"the server there is {escape(url)} (its login was not copied); to use it,"
            f" run: gitbackup config set url {_quoted(url)}{repo}"
        )
    yield (
        f"push on commit is off here; to turn it on, run: gitbackup config set push on-commit{repo}"
    )


def _listed(globs: Mapping[str, Sequence[str]]) -> str:
    return "; ".join(f"{name} {' '.join(map(_quoted, values))}" for name, values in globs.items())


def _quoted(value: str) -> str:
    """As a shell takes it."""
    return escape(shlex.quote(value))
