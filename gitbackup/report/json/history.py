"""Commits, and what they have of keys, as objects for a program."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from gitbackup.diff.labels import NO_LABELS, Labels
from gitbackup.format import codec
from gitbackup.kinds import kind_of
from gitbackup.model.changes import Counts, KeyDiff, Summary, counts_object, summary_object
from gitbackup.model.keys import Entry, Key, key_object
from gitbackup.report.json.diff import to_json

if TYPE_CHECKING:  # to print one result, nothing that makes another is loaded
    from gitbackup.model.commits import BlameLine, CommitInfo, KeyLine, Rehearsal


def log_object(info: CommitInfo) -> dict[str, Any]:
    """Return a commit of the history.

    `counts` is null for a commit made with plain git, `rehearsal` for one that was never verified.
    """
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
        "rehearsal": _rehearsal(info.rehearsal) if info.rehearsal else None,
        "note": info.note or None,
    }


def _rehearsal(rehearsal: Rehearsal) -> dict[str, Any]:
    return {
        "at": rehearsal.at.isoformat(),
        "result": rehearsal.verdict.value,
        "server": rehearsal.server,
        "gitbackup": rehearsal.version,
        "problem": rehearsal.problem or None,
    }


def traced_object(
    info: CommitInfo, keys: Sequence[KeyDiff], damage: str, left: int, labels: Labels = NO_LABELS
) -> dict[str, Any]:
    """Return a commit of the history, and each key asked for that it changed.

    `left` counts the keys that the commit lacks only because its scope is another.
    """
    changed = [
        to_json(
            *(k.change, k.before, k.after, k.values, k.redacted),
            label=labels.of(k.change.key, k.after, k.before),
        )
        for k in keys
    ]
    return log_object(info) | {"keys": changed, "damage": damage or None, "out_of_scope": left}


def summary_of_commit(
    info: CommitInfo, summary: Summary | None, hidden: Counts, damage: str
) -> dict[str, Any]:
    """Return a commit of the history, and what it changed by namespace; `hidden` as in a status.

    Without a summary, `damage` says why.
    """
    stat = {**summary_object(summary), "hidden": counts_object(hidden)} if summary else None
    return log_object(info) | {"stat": stat, "damage": damage or None}


def _redacted(redacted: bool) -> dict[str, Any]:
    """Return the member that tells that something of a key is masked; none if nothing is."""
    return {"redacted": True} if redacted else {}


def blame_object(key: Key, line: BlameLine, redacted: bool, label: str = "") -> dict[str, Any]:
    """Return a part of a key, and the commit that it is from."""
    return {
        "schema": "gitbackup.blame/1",
        **key_object(key),
        **_redacted(redacted),
        **({"label": label} if label else {}),
        "part": line.part.value,
        "name": line.name,
        "path": list(line.path),
        "value": line.value,
        "commit": line.info.id,
        "date": line.info.date.isoformat(),
        "subject": line.info.subject,
    }


def keys_object(line: KeyLine) -> dict[str, Any]:
    """Return a key of a list of keys; `elements` is null if its type has none."""
    return {
        "schema": "gitbackup.keys/1",
        **key_object(line.key),
        "type": line.type,
        "expires_at": line.expires_at,
        "elements": line.elements,
        "size": line.size,
        **({"label": line.label} if line.label else {}),
    }


def entry_object(commit: str, key: Key, entry: Entry, redacted: bool) -> dict[str, Any]:
    """Return a key's entry in a commit."""
    return {
        "schema": "gitbackup.entry/1",
        "commit": commit,
        **key_object(key),
        **_redacted(redacted),
        "entry": entry,
    }


def entry_as_stored(key: Key, entry: Entry) -> bytes:
    """Return the entry as its file holds it, or a library's source or an index's definition."""
    if not key.in_database:
        return codec.data(entry["value"])
    entry = {**entry, "value": kind_of(entry).written(entry["value"])}
    return codec.encode({key.name: entry})


def field_object(commit: str, key: Key, field: str, value: Any, redacted: bool) -> dict[str, Any]:
    """Return one part of a key's entry in a commit, as it is stored."""
    return {
        "schema": "gitbackup.field/1",
        "commit": commit,
        **key_object(key),
        **_redacted(redacted),
        "field": field,
        "value": value,
    }
