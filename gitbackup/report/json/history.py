"""The history's results as objects for a program, each with its schema and version first."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from gitbackup.model.changes import Counts, KeyDiff, Summary, counts_object
from gitbackup.model.commits import BlameLine, CommitInfo, KeyLine
from gitbackup.model.keys import Key, key_object
from gitbackup.report.json.diff import to_json
from gitbackup.report.json.objects import (
    log_object,
    mark,
    summary_object,
)


def traced_object(
    info: CommitInfo, keys: Sequence[KeyDiff], damage: str, left: int
) -> dict[str, Any]:
    """A commit of the history, and each key asked for that it changed; `left` is how many it
    lacks since its scope is another."""
    told = [to_json(k.change, k.before, k.after, k.values, k.redacted) for k in keys]
    return log_object(info) | {"keys": told, "damage": damage or None, "out_of_scope": left}


def summary_of_commit(info: CommitInfo, summary: Summary, hidden: Counts) -> dict[str, Any]:
    """A commit of the history, and what it changed by namespace; `hidden` as in a status."""
    stat = {**summary_object(summary), "hidden": counts_object(hidden)}
    return log_object(info) | {"stat": stat}


def blame_object(key: Key, line: BlameLine, redacted: bool) -> dict[str, Any]:
    """A part of a key, and the commit that it is from."""
    return {
        "schema": "gitbackup.blame/1",
        **key_object(key),
        **mark(redacted),
        "part": line.part.value,
        "name": line.name,
        "path": list(line.path),
        "value": line.value,
        "commit": line.info.id,
        "date": line.info.date.isoformat(),
        "subject": line.info.subject,
    }


def keys_object(line: KeyLine) -> dict[str, Any]:
    """A key in a list of keys; `elements` is null where its type has none."""
    return {
        "schema": "gitbackup.keys/1",
        **key_object(line.key),
        "type": line.type,
        "expires_at": line.expires_at,
        "elements": line.elements,
        "size": line.size,
    }


def field_object(commit: str, key: Key, field: str, value: Any, redacted: bool) -> dict[str, Any]:
    """One part of a key's entry in a commit, as it is stored."""
    return {
        "schema": "gitbackup.field/1",
        "commit": commit,
        **key_object(key),
        **mark(redacted),
        "field": field,
        "value": value,
    }
