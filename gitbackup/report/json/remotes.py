"""What went to another place and came from there, as objects for a program."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:  # to print one result, nothing that makes another is loaded
    from gitbackup.remotes.shared_settings import ArrivedSettings
    from gitbackup.remotes.sync import CloneResult, PullResult, PushResult


def push_object(result: PushResult) -> dict[str, Any]:
    """Return what a push did; `commits` is how many the place did not have."""
    return {
        "schema": "gitbackup.push/1",
        "remote": result.remote,
        "place": result.place,
        "head": result.head,
        "commits": result.commits,
        "first": result.first,
        "settings": result.settings,
        "encrypted_to": [*result.encrypted_to],
        "also": [*result.also],
    }


def pull_object(result: PullResult) -> dict[str, Any]:
    """Return what a pull did; `commits` is by how many HEAD went forward."""
    return {
        "schema": "gitbackup.pull/1",
        "remote": result.remote,
        "place": result.place,
        "before": result.before,
        "head": result.head,
        "commits": result.commits,
        **_arrived(result.came),
    }


def clone_object(result: CloneResult) -> dict[str, Any]:
    """Return what a clone made, and of what."""
    return {
        "schema": "gitbackup.clone/1",
        "path": str(result.path),
        "place": result.place,
        "head": result.head,
        "commits": result.commits,
        **_arrived(result.came),
    }


def _arrived(settings: ArrivedSettings) -> dict[str, Any]:
    """Return the settings that came along with a history, and those that are kept here only."""
    return {
        "settings": {name: [*globs] for name, globs in settings.globs.items()},
        "kept": {name: [*globs] for name, globs in settings.kept.items()},
        "url": settings.url,
    }
