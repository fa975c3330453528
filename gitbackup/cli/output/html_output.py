"""`--html FILE`: a diff or the history as one page for a browser."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import replace
from datetime import UTC, datetime
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING

import click

from gitbackup import Backup
from gitbackup.cli.output import terminal
from gitbackup.diff.labels import Labels
from gitbackup.errors import Damaged, NewerFormat, UsageError
from gitbackup.model.commits import CommitInfo, Selection
from gitbackup.report.html import LoggedCommit, SideTitle, diff_page, log_page, order
from gitbackup.report.text.namespaces import changed
from gitbackup.report.text.sentences import hidden_lines
from gitbackup.system.atomic_file import new_file

if TYPE_CHECKING:  # `log` has no need of it
    from gitbackup.compare.diff import Diff


LABELS = 500
"""Keys of one commit whose labels are looked up."""


def write_diff(html: str, backup: Backup, found: Diff, labels: Labels) -> None:
    """Write every key that differs to a page."""
    ordered = found.ordered(order)
    items = ((key.change, key.before, key.after, key.values) for key in ordered)
    sides = _side(backup, found.before), _side(backup, found.after)
    page = sides, datetime.now(UTC), ordered.changes, items, found.hidden
    pieces = diff_page(*page, labels)
    write(html, pieces)
    _say(html, changed(found.summary))
    terminal.say(hidden_lines(found.hidden), err=True)


def _side(backup: Backup, name: str) -> SideTitle:
    """Return a commit by its short id, subject and date; the live database by its server."""
    if name == "live":
        return SideTitle("live database", str(backup.server))
    info = next(backup.log(name, limit=1))
    return SideTitle(info.short_id, f"{info.subject}, {info.date:%Y-%m-%d %H:%M}")


def write_log(
    html: str, backup: Backup, selection: Selection, labels: Labels, every: bool = False
) -> None:
    """Write the selected commits to a page; with `every`, quiet keys too.

    Raises Damaged, once the page is written, if it lacks commits that cannot be read.
    """
    named = " ".join(selection.revisions)
    title = SideTitle(backup.path.name, "" if named == "HEAD" else named)
    damage: list[Damaged] = []
    commits = _commits(backup, selection, labels, every, damage)
    write(html, log_page(title, datetime.now(UTC), commits))
    _say(html, f"the history of {backup.path}")
    if damage:
        raise damage[0]


def _commits(
    backup: Backup, selection: Selection, labels: Labels, every: bool, damage: list[Damaged]
) -> Iterator[LoggedCommit]:
    """Yield the commits that can be listed, and add to `damage` why others cannot."""
    try:
        for info in backup.log(selection):
            yield _logged(backup, info, every, labels)
    except NewerFormat:
        raise
    except Damaged as error:
        damage.append(error)


def _logged(backup: Backup, info: CommitInfo, every: bool, labels: Labels) -> LoggedCommit:
    """Return a commit with the keys that it changed, or why they cannot be read."""
    try:
        diff = backup.show(info.id, every=every).diff
        called = {
            key.change.key: labels.of(key.change.key, key.after, key.before)
            for key in _with_labels(diff, labels)
        }
    except NewerFormat:
        raise
    except Damaged as damage:
        return LoggedCommit(info, damage)
    return LoggedCommit(info, diff.changes, diff.hidden, called)


def _with_labels(diff: Diff, labels: Labels) -> Diff:
    """Return a diff of the first keys that may have a label."""
    concerned = (change for change in diff.changes if labels.concern(change.key))
    changes = [*islice(concerned, LABELS)]
    return replace(diff, comparison=replace(diff.comparison, changes=changes))


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
