"""What `suggest` proposes, for a program."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from gitbackup.model.changes import counts_object

if TYPE_CHECKING:  # to print a result, nothing that makes another is loaded
    from gitbackup.compare.suggest import Evidence, Suggestions


def suggestions_object(found: Suggestions, applied: bool) -> dict[str, Any]:
    """Return what is proposed, and what must stay in sight; `applied` tells whether it was set."""
    return {
        "schema": "gitbackup.suggest/1",
        "commits": found.commits,
        "live": found.since,
        "changes": found.changes,
        "suggestions": [
            {"setting": each.setting, **_evidence_object(each)} for each in found.found
        ],
        "keep": [
            {
                **_evidence_object(each),
                "fields": list(each.fields),
                "by_hand": each.by_hand.id if each.by_hand else None,
                "hidden": each.hidden,
            }
            for each in found.keep
        ],
        "applied": applied,
    }


def _evidence_object(each: Evidence) -> dict[str, Any]:
    return {
        "pattern": each.pattern,
        "keys": each.keys,
        **counts_object(each.counts),
        "commits": each.commits,
        "holds": [nature.value for nature in each.natures],
    }
