"""Restores that were cut off: what is told of them above the timeline, and what finishes them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from starlette.requests import Request
from starlette.responses import Response

from gitbackup import Backup
from gitbackup.commit.warnings import cut_off, finishing
from gitbackup.errors import UsageError
from gitbackup.restore.trailers import restored_in
from gitbackup.ui.jobs.bring_back import BringBack
from gitbackup.ui.jobs.jobs import Job, State
from gitbackup.ui.jobs.wish import Wish
from gitbackup.ui.pages.jobs.bring_back import planned
from gitbackup.ui.site import Site
from gitbackup.ui.words.language import later


class Unfinished(NamedTuple):
    """A restore that was cut off: `verb` and `commit` tell which, `wish` what finishes it here,
    and `command` elsewhere; empty if only the words do that it was asked for with."""

    verb: str
    commit: str
    wish: Wish | None
    command: str


class Standing(NamedTuple):
    """What is to be known before anything else: the job that writes now, plans that are being made
    and those that wait for an answer, restores that were cut off, and whether HEAD is the last
    restore, to be undone."""

    writing: Job | None
    planning: Sequence[BringBack]
    asking: Sequence[BringBack]
    unfinished: Sequence[Unfinished]
    undoable: bool


def standing(site: Site, backup: Backup) -> Standing:
    """Return what stands now."""
    writing = site.jobs.writing
    plans = [job for job in site.jobs.newest() if isinstance(job, BringBack)]
    planning = [job for job in plans if job.state is State.PLANNING and not job.meter.cancelled]
    asking = [job for job in plans if job.asks]
    found = () if writing else unfinished(backup)
    undoable = not (writing or found) and _is_restore(backup)
    return Standing(writing, planning, asking, found, undoable)


def _is_restore(backup: Backup) -> bool:
    """Return whether HEAD's commit is that of the state after a restore."""
    if backup.repository is None or (head := backup.repository.head()) is None:
        return False
    told = restored_in(backup.repository.commit_info(head))
    return told is not None and not told.begun


def unfinished(backup: Backup) -> list[Unfinished]:
    """Return the restores that were cut off, the last one first."""
    if backup.repository is None:
        return []
    found = []
    for begun in reversed(cut_off(backup.repository)):
        wish = Wish.unfinished(begun)
        verb = "undo" if begun.undoes else wish.verb if wish else "restore"
        commit = (begun.undoes or begun.commit)[:7]
        found.append(Unfinished(verb, commit, wish, finishing(backup.repository, begun)))
    return found


def finish(site: Site, request: Request) -> Response:
    """Begin to plan the rest of a restore that was cut off."""
    number = site.form(request).get("number")
    known = {f"{at} {each.commit}": each.wish for at, each in enumerate(unfinished(site.backup()))}
    wish = known.get(number)
    if wish is None:
        raise UsageError(later("This restore is finished, or goes on elsewhere."))
    return planned(site, request, wish)
