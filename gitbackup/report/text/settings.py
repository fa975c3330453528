"""Settings as lines of text for a person."""

from __future__ import annotations

import shlex
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING

from gitbackup.format.names import escape
from gitbackup.report.style import pad, width

if TYPE_CHECKING:
    from gitbackup.remotes.shared_settings import ArrivedSettings
    from gitbackup.settings import InForce

CUT = "(not shown in full)"

SOURCES = {
    "environment": "from {}",
    "repository": "this repository",
    "history": "this repository, copied with its history",
    "user": "your git config, {}",
    "system": "system git config, {}",
}


def settings_lines(settings: Sequence[InForce]) -> Iterator[str]:
    """Yield a line for each value that is in force, and where it comes from."""
    rows = []
    for setting in settings:
        value = escape(setting.value)
        place = SOURCES.get(setting.source, setting.source).format(escape(setting.origin))
        rows.append((setting.name, f"{value} {CUT}".strip() if setting.secret else value, place))
    names = max((width(name) for name, _, _ in rows), default=0)
    values = max((width(value) for _, value, _ in rows), default=0)
    yield from (f"{pad(name, names)}  {pad(value, values)}  {place}" for name, value, place in rows)


def arrived_lines(settings: ArrivedSettings, repo: str) -> Iterator[str]:
    """Yield which settings came with a history, and which are kept here only.

    `repo` are the words that name the repository to a command.
    """
    if settings.globs:
        listed = (
            f"{name} {' '.join(map(_quoted, globs))}" for name, globs in settings.globs.items()
        )
        yield f"copied settings: {'; '.join(listed)}"
    for name, values in settings.kept.items():
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
    """Yield what a clone did not copy, and the commands that set it."""
    if url:
        yield (
            f"the server there is {escape(url)} (its login was not copied); to use it,"
            f" run: gitbackup config set url {_quoted(url)}{repo}"
        )
    yield (
        f"push on commit is off here; to turn it on, run: gitbackup config set push on-commit{repo}"
    )


def _quoted(value: str) -> str:
    """Return a value as a shell takes it."""
    return escape(shlex.quote(value))
