"""Results as objects for a program, each with its schema and version first."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from gitbackup.format import codec
from gitbackup.kinds import kind_of
from gitbackup.model.changes import Counts, Summary, counts_object
from gitbackup.model.commits import CommitInfo, Pushed, Rehearsal
from gitbackup.model.keys import FUNCTIONS, Entry, Key, key_object
from gitbackup.plan.plan import Plan, PlannedKey


def mark(redacted: bool) -> dict[str, Any]:
    """The sign that something of a key is masked; nothing where it is not."""
    return {"redacted": True} if redacted else {}


def commit_object(
    commit: str | None,
    parent: str | None,
    subject: str,
    count: int,
    summary: Summary,
    consistency: str,
) -> dict[str, Any]:
    """What `commit` did; `commit` is null where it made none."""
    return {
        "schema": "gitbackup.commit/1",
        "commit": commit,
        "parent": parent,
        "subject": subject,
        "keys": count,
        "consistency": consistency,
        **summary_object(summary),
    }


def watch_object(
    commit: str | None,
    parent: str | None,
    subject: str,
    count: int,
    summary: Summary,
    consistency: str,
) -> dict[str, Any]:
    """A commit that `watch` made; the members are those of `commit`."""
    made = commit_object(commit, parent, subject, count, summary, consistency)
    return {**made, "schema": "gitbackup.watch/1"}


def log_object(info: CommitInfo) -> dict[str, Any]:
    """A commit of the history; `counts` is null for one made with plain git, `rehearsal` for
    one that was never verified."""
    return {
        "schema": "gitbackup.log/1",
        "commit": info.id,
        "parents": list(info.parents),
        "author": info.author,
        "date": info.date.isoformat(),
        "subject": info.subject,
        "body": info.body,
        "trailers": dict(info.trailers),
        "counts": None if info.counts is None else counts_object(info.counts),
        "rehearsal": rehearsal_object(info.rehearsal) if info.rehearsal else None,
    }


def rehearsal_object(rehearsal: Rehearsal) -> dict[str, Any]:
    """What is kept of a commit's last rehearsal."""
    return {
        "at": rehearsal.at.isoformat(),
        "result": rehearsal.verdict.value,
        "server": rehearsal.server,
        "gitbackup": rehearsal.version,
        "problem": rehearsal.problem or None,
    }


def entry_object(commit: str, key: Key, entry: Entry, redacted: bool) -> dict[str, Any]:
    """A key's entry in a commit."""
    return {
        "schema": "gitbackup.entry/1",
        "commit": commit,
        **key_object(key),
        **mark(redacted),
        "entry": entry,
    }


def entry_as_stored(key: Key, entry: Entry) -> bytes:
    """The entry as its file holds it, or a library's source."""
    if key.db == FUNCTIONS:
        return codec.data(entry["value"])
    if kind_of(entry["type"]).floats:  # which have a form that not every library writes
        scores = {member: codec.written(score) for member, score in entry["value"].items()}
        entry = {**entry, "value": scores}
    return codec.encode({key.name: entry})


def status_object(
    server: str,
    head: CommitInfo | None,
    count: int,
    summary: Summary,
    hidden: Counts,
    pushed: Sequence[Pushed],
) -> dict[str, Any]:
    """The live database against HEAD, and HEAD against the remotes.

    `hidden` counts the quiet keys, and those that were excluded, which are in no sum.
    """
    return {
        "schema": "gitbackup.status/1",
        "server": server,
        "head": head.id if head else None,
        "head_date": head.date.isoformat() if head else None,
        "keys": count,
        **summary_object(summary),
        "hidden": counts_object(hidden),
        "pushed": [_pushed(remote) for remote in pushed],
    }


def _pushed(remote: Pushed) -> dict[str, Any]:
    return {
        "remote": remote.remote,
        "place": remote.place,
        "commit": remote.commit,
        "missing": remote.missing,
        "date": remote.when.isoformat() if remote.when else None,
    }


def stat_object(before: str, after: str, summary: Summary, hidden: Counts) -> dict[str, Any]:
    """What differs between two sides, in numbers; `hidden` as in a status."""
    return {
        "schema": "gitbackup.stat/1",
        "before": before,
        "after": after,
        **summary_object(summary),
        "hidden": counts_object(hidden),
    }


def hidden_object(hidden: Counts) -> dict[str, Any]:
    """The last of a diff: how many quiet keys differ that it does not tell of."""
    return {"schema": "gitbackup.hidden/1", **counts_object(hidden)}


def push_object(
    remote: str, place: str, head: str, commits: int, first: bool, settings: bool
) -> dict[str, Any]:
    """What a push did; `commits` is how many the place did not have."""
    return {
        "schema": "gitbackup.push/1",
        "remote": remote,
        "place": place,
        "head": head,
        "commits": commits,
        "first": first,
        "settings": settings,
    }


def pull_object(
    remote: str, place: str, before: str | None, head: str, commits: int, came: dict[str, Any]
) -> dict[str, Any]:
    """What a pull did; `commits` is by how many HEAD went forward."""
    return {
        "schema": "gitbackup.pull/1",
        "remote": remote,
        "place": place,
        "before": before,
        "head": head,
        "commits": commits,
        **came,
    }


def clone_object(
    path: str, place: str, head: str, commits: int, came: dict[str, Any]
) -> dict[str, Any]:
    """What a clone made, and of what."""
    return {
        "schema": "gitbackup.clone/1",
        "path": path,
        "place": place,
        "head": head,
        "commits": commits,
        **came,
    }


def export_object(
    path: str, commit: str | None, form: str, count: int, libraries: int, size: int
) -> dict[str, Any]:
    """What an export wrote; `commit` is null where it was the live database."""
    return {
        "schema": "gitbackup.exported/1",
        "path": path,
        "commit": commit,
        "format": form,
        "keys": count,
        "libraries": libraries,
        "bytes": size,
    }


def config_object(
    name: str, value: str, source: str, origin: str, travels: bool, secret: bool
) -> dict[str, Any]:
    """A value of a setting that is in force, and where it comes from."""
    return {
        "schema": "gitbackup.config/1",
        "name": name,
        "value": value,
        "source": source,
        "origin": origin,
        "travels": travels,
        "secret": secret,
    }


def came_object(
    globs: Mapping[str, Sequence[str]], kept: Mapping[str, Sequence[str]], url: str | None
) -> dict[str, Any]:
    """Which settings came along with a history: a part of what tells of that."""
    told = {name: [*values] for name, values in globs.items()}
    left = {name: [*values] for name, values in kept.items()}
    return {"settings": told, "kept": left, "url": url}


def error_object(message: str, exit_code: int) -> dict[str, Any]:
    """What went wrong."""
    return {"schema": "gitbackup.error/1", "error": message, "exit_code": exit_code}


def summary_object(summary: Summary) -> dict[str, Any]:
    """How many keys were added, changed and removed, in all and by namespace."""
    return {
        **counts_object(summary.counts),
        "namespaces": [
            {"place": place, "namespace": name, **counts_object(counts)}
            for (place, name), counts in summary.namespaces.items()
        ],
    }


def restore_object(
    plan: Plan,
    commits: Mapping[str, Any],
    done: Sequence[PlannedKey],
    left: Mapping[str, Sequence[Key]],
    seen: Mapping[Key, str],
) -> dict[str, Any]:
    """What a restore did: `commits` by what they hold, `done` the keys that hold what they
    should, and `left`, by reason, those that do not; of some it was `seen` why."""
    return {
        "schema": "gitbackup.restore/1",
        "commit": plan.commit,
        **({"file": plan.name} if plan.name else {}),
        "server": plan.server,
        "undoes": plan.how.undoes,
        **commits,
        "verified": len(done),
        "keys": [
            {**key_object(step.key), "action": step.action.value, "type": step.type}
            for step in done
        ],
        **{
            why: [
                {**key_object(key), **({"why": str(seen[key])} if key in seen else {})}
                for key in keys
            ]
            for why, keys in left.items()
        },
    }
