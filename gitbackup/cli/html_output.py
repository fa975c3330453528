"""`--html FILE`: a diff or the history as one page for a browser."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

import click

from gitbackup import Backup
from gitbackup.cli import terminal
from gitbackup.errors import Damaged, NewerFormat, UsageError
from gitbackup.model.changes import Counts, KeyChange
from gitbackup.model.commits import Selection
from gitbackup.report.html import SideTitle, diff_page, log_page, order
from gitbackup.report.text.namespaces import changed
from gitbackup.report.text.sentences import hidden_lines
from gitbackup.system.atomic_file import new_file

if TYPE_CHECKING:  # `log` has no need of it
    from gitbackup.compare.diff import Diff
    from gitbackup.report.html.log import Commit


def write_diff(html: str, backup: Backup, found: Diff) -> None:
    """Every key that differs, as a page."""
    ordered = found.ordered(order)
    items = ((key.change, key.before, key.after, key.values) for key in ordered)
    sides = _side(backup, found.before), _side(backup, found.after)
    pieces = diff_page(sides, datetime.now(UTC), ordered.changes, items, found.hidden)
    write(html, pieces)
    _say(html, changed(found.summary))
    terminal.say(hidden_lines(found.hidden), err=True)


def _side(backup: Backup, name: str) -> SideTitle:
    """Return a commit by its short id, subject and date; the live database by its server."""
    if name == "live":
        return SideTitle("live database", str(backup.server))
    info = next(backup.log(name, limit=1))
    return SideTitle(info.short_id, f"{info.subject}, {info.date:%Y-%m-%d %H:%M}")


def write_log(html: str, backup: Backup, selection: Selection, every: bool = False) -> None:
    """The commits that are selected, as a page; with `every`, quiet keys too.

    Raises Damaged, once the page is written, if it lacks commits that cannot be read.
    """
    named = " ".join(selection.revisions)
    title = SideTitle(backup.path.name, "" if named == "HEAD" else named)
    damage: list[Damaged] = []
    commits = _commits(backup, selection, every, damage)
    write(html, log_page(title, datetime.now(UTC), commits))
    _say(html, f"the history of {backup.path}")
    if damage:
        raise damage[0]


def _commits(
    backup: Backup, selection: Selection, every: bool, damage: list[Damaged]
) -> Iterator[Commit]:
    """Yield the commits that can be listed, and add to `damage` why others cannot."""
    try:
        for info in backup.log(selection):
            yield info, *_changes(backup, info.id, every)
    except NewerFormat:
        raise
    except Damaged as error:
        damage.append(error)


def _changes(
    backup: Backup, commit: str, every: bool
) -> tuple[Sequence[KeyChange] | Damaged, Counts]:
    """Return the keys that a commit changed, or why they cannot be read, and its quiet keys."""
    try:
        diff = backup.show(commit, every=every).diff
    except NewerFormat:
        raise
    except Damaged as damage:
        return damage, Counts()
    return diff.changes, diff.hidden


def write(html: str, pieces: Iterable[str]) -> None:
    """Write a page aside and move it into place; only its owner may read it."""
    encoded = (piece.encode() for piece in pieces)
    if html == "-":
        for piece in encoded:
            click.echo(piece, nl=False)
        return
    place = Path(html)
    if not place.parent.is_dir():
        raise UsageError(f"cannot write {place.name}: there is no folder {place.parent}")
    with new_file(place) as file:
        file.writelines(encoded)


def _say(html: str, what: str) -> None:
    if html != "-":
        terminal.say([f"wrote {html}: {what}"])
