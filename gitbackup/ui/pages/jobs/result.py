"""What the page of a job says of what was done."""

from __future__ import annotations

from typing import Any

from gitbackup.history.stat import CommitSummary
from gitbackup.model.changes import Counts
from gitbackup.model.commits import Verdict
from gitbackup.report.text import restored
from gitbackup.ui.jobs.bring_back import BringBack
from gitbackup.ui.jobs.commit_now import CommitNow
from gitbackup.ui.jobs.safeguards import Verify
from gitbackup.ui.site import Site
from gitbackup.ui.words.commands import quoted
from gitbackup.ui.words.language import Language, later

VERDICTS = {
    Verdict.PASSED: later("passed"),
    Verdict.PARTLY: later("passed in part"),
    Verdict.FAILED: later("failed"),
}

AT_FIRST = 1.0
"""Seconds that summing up a commit may take before its page is shown."""

FINDINGS = 20
"""Findings of a restore test that are listed."""


def committed(site: Site, job: CommitNow) -> dict[str, Any]:
    """Return what the template of a commit is to know."""
    summary = _summary(site, job.result.commit) if job.result else None
    return {
        "prefixes": [(*space, counts, "") for space, counts in summary.prefixes.items()]
        if summary
        else [],
        "hidden": summary.hidden if summary else Counts(),
        "amend": f"gitbackup commit --amend -m {quoted(job.message or '')}",
    }


def _summary(site: Site, commit: str | None) -> CommitSummary | None:
    """Return what a commit changed by prefix; None if that is too much to be summed up unasked."""
    backup = site.backup()
    if commit is None or backup.repository is None:
        return None
    info = backup.repository.commit_info(commit)
    return site.summaries.of(backup, [info], AT_FIRST, large=False).get(info.id)


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
