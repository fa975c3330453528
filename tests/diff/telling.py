"""Tells a pair of entries as `diff` does: as text, and to a program."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from typing import Any

import click

from gitbackup.diff.values import diff_entries
from gitbackup.model.changes import Action, KeyChange
from gitbackup.model.keys import Entry, Key
from gitbackup.report.json.diff import to_json
from gitbackup.report.text.diff import DiffView, change_lines

NOW = datetime(2027, 1, 12, 8, tzinfo=UTC)
SOON, LATER = "2027-01-15T08:00:00.123Z", "2028-01-15T08:00:00.123Z"


def entry(kind: str, value: Any, **more: Any) -> Entry:
    return {"type": kind, "value": value, **more}  # type: ignore[typeddict-item]


def change(before: Entry | None, after: Entry | None, key: Key) -> KeyChange:
    action = Action.CHANGED if before and after else Action.ADDED if after else Action.REMOVED
    return KeyChange(key, action, before and "f.json", after and "f.json")


def text(
    before: Entry | None, after: Entry | None, name: str = "k:1", db: int = 0, **how: Any
) -> str:
    values = diff_entries(before, after) if before and after else []
    view = DiffView(now=NOW, **how)
    lines = change_lines(change(before, after, Key(db, name)), before, after, values, view)
    return "".join(f"{click.unstyle(line)}\n" for line in lines)


def machine(
    before: Entry | None, after: Entry | None, db: int = 0, rank: bool = False
) -> dict[str, Any]:
    values = diff_entries(before, after) if before and after else []
    told = to_json(change(before, after, Key(db, "k:1")), before, after, values, rank=rank)
    assert told == json.loads(json.dumps(told))
    return told
