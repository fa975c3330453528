"""What the page of a job says of what was done."""

from __future__ import annotations

from typing import Any

from gitbackup.model.commits import Verdict
from gitbackup.report.text import restored
from gitbackup.ui.jobs.bring_back import BringBack
from gitbackup.ui.jobs.commit_now import CommitNow
from gitbackup.ui.jobs.safeguards import Verify
from gitbackup.ui.words.commands import quoted
from gitbackup.ui.words.language import Language, later

VERDICTS = {
    Verdict.PASSED: later("passed"),
    Verdict.PARTLY: later("passed in part"),
    Verdict.FAILED: later("failed"),
}

FINDINGS = 20
"""Findings of a restore test that are listed."""


def committed(job: CommitNow) -> dict[str, Any]:
    """Return what the template of a commit is to know."""
    named = job.result.summary.namespaces.items() if job.result else ()
    return {
        "spaces_of": [(*place, counts, "") for place, counts in named],
        "amend": f"gitbackup commit --amend -m {quoted(job.message or '')}",
    }


def verified(job: Verify) -> dict[str, Any]:
    """Return what the template of a restore test is to know."""
    return {"verdicts": VERDICTS, "shown": FINDINGS}


def brought_back(job: BringBack, language: Language) -> dict[str, Any]:
    """Return what the template of a restore is to know, in the reader's language."""
    result = job.result
    if result is None or not result.applied:
        return {"result": None}
    clashes = dict.fromkeys(conflict.key for conflict in result.conflicts)
    return {
        "result": result,
        "outcome": [*restored.outcome(result, words=language)],
        "undone": [*restored.undone(result, job.damaged, words=language)],
        "conflicting": restored.listed(clashes, words=language) if clashes else "",
    }
