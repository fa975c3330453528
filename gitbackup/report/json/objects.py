"""Results of few members as objects for a program: errors, words, states, numbers, settings."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from gitbackup.model.changes import Counts, Summary, counts_object, summary_object
from gitbackup.model.server.replicas import replicas_object

if TYPE_CHECKING:  # to print one result, nothing that makes another is loaded
    from gitbackup.backup.hooks import HookRun
    from gitbackup.commit.commit import CommitResult
    from gitbackup.commit.words import Amended
    from gitbackup.compare.diff import Status
    from gitbackup.model.commits import Pushed
    from gitbackup.settings import InForce
    from gitbackup.transfer.export import ExportResult


def error_object(message: str, exit_code: int) -> dict[str, Any]:
    """Return what went wrong."""
    return {"schema": "gitbackup.error/1", "error": message, "exit_code": exit_code}


def amend_object(result: Amended) -> dict[str, Any]:
    """Return what `commit --amend` did; `why` is null if the commit got another message."""
    return {
        "schema": "gitbackup.amend/1",
        "commit": result.commit,
        "before": result.before,
        "subject": result.subject,
        "note": result.note or None,
        "why": result.why or None,
    }


def note_object(commit: str, note: str, before: str) -> dict[str, Any]:
    """Return the note on a commit, and what it was; null if there is none."""
    return {
        "schema": "gitbackup.note/1",
        "commit": commit,
        "note": note or None,
        "before": before or None,
    }


def hooks_object(runs: Sequence[HookRun]) -> dict[str, Any]:
    """Return the member that tells of the hooks that have run; none if none has."""
    told = [
        {"event": run.event, "ok": run.ok, "how": run.how, "output": run.output} for run in runs
    ]
    return {"hooks": told} if told else {}


def watch_object(result: CommitResult) -> dict[str, Any]:
    """Return a commit that `watch` made; the members are those of `commit`."""
    from gitbackup.commit.commit import commit_object  # deferred, as all that makes a result

    return {**commit_object(result), "schema": "gitbackup.watch/1"}


def status_object(status: Status, pushed: Sequence[Pushed]) -> dict[str, Any]:
    """Return the live database against HEAD, and HEAD against the remotes.

    `hidden` counts the keys that are quiet or were excluded; no other number includes them.
    """
    head = status.head
    return {
        "schema": "gitbackup.status/1",
        "server": status.server,
        "head": head.id if head else None,
        "head_date": head.date.isoformat() if head else None,
        "keys": status.keys,
        "replicas": replicas_object(status.replicas),
        **summary_object(status.summary),
        "hidden": counts_object(status.hidden + status.excluded),
        "pushed": [
            {
                "remote": remote.remote,
                "place": remote.place,
                "commit": remote.commit,
                "missing": remote.missing,
                "date": remote.when.isoformat() if remote.when else None,
            }
            for remote in pushed
        ],
    }


def stat_object(before: str, after: str, summary: Summary, hidden: Counts) -> dict[str, Any]:
    """Return what differs between two sides, in numbers; `hidden` as in a status."""
    return {
        "schema": "gitbackup.stat/1",
        "before": before,
        "after": after,
        **summary_object(summary),
        "hidden": counts_object(hidden),
    }


def hidden_object(hidden: Counts) -> dict[str, Any]:
    """Return the last object of a diff: how many quiet keys differ that it leaves out."""
    return {"schema": "gitbackup.hidden/1", **counts_object(hidden)}


def export_object(path: str, result: ExportResult) -> dict[str, Any]:
    """Return what an export wrote; `commit` is null if it was the live database."""
    return {
        "schema": "gitbackup.exported/1",
        "path": path,
        "commit": result.commit,
        "format": result.form,
        "keys": result.keys,
        "libraries": result.libraries,
        "indexes": result.indexes,
        "bytes": result.size,
    }


def config_object(setting: InForce) -> dict[str, Any]:
    """Return a value of a setting that is in force, and where it comes from."""
    return {
        "schema": "gitbackup.config/1",
        "name": setting.name,
        "value": setting.value,
        "source": setting.source,
        "origin": setting.origin,
        "travels": setting.travels,
        "secret": setting.secret,
    }
