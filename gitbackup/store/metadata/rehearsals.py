"""The notes of restore tests: when a commit was rehearsed, how it ended, and by what.

They are in a ref of their own, apart from the notes of a person: `git notes --ref=gitbackup show
HEAD`. A note is one line of JSON, so that what git makes of two notes that are merged, the lines of
both, is read as well: the latest counts.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from datetime import MAXYEAR, MINYEAR, UTC, datetime

from gitbackup.model.amounts import counted
from gitbackup.model.commits import Rehearsal, Verdict
from gitbackup.store.git.command import Commands
from gitbackup.store.metadata import notes

REF = "refs/notes/gitbackup"
WHAT = "notes of restore tests"
_LONGEST = 200  # characters of a problem
_TOLD = ("server", "gitbackup", "problem")
_MOST_LINES = 100
_LONGEST_LINE = 10_000  # characters; ours have some hundred


def write(git: Commands, rehearsals: Mapping[str, Rehearsal]) -> None:
    """Note each commit's rehearsal, in place of an earlier one; under the repository's lock."""
    told = {commit: compose(rehearsal).encode() for commit, rehearsal in rehearsals.items()}
    notes.store(git, REF, told, f"{counted(len(rehearsals), 'commit')} rehearsed\n")


def compose(rehearsal: Rehearsal) -> str:
    """Return a note, a member for each fact."""
    facts = {
        "rehearsed_at": rehearsal.at.astimezone(UTC).isoformat(timespec="seconds"),
        "result": rehearsal.verdict.value,
        "server": rehearsal.server,
        "gitbackup": rehearsal.version,
        "problem": rehearsal.problem[:_LONGEST],
    }
    told = {name: fact for name, fact in facts.items() if fact}
    return json.dumps(told, ensure_ascii=False) + "\n"


def parse(note: str) -> Rehearsal | None:
    """Return the latest rehearsal that a note tells of; None if it tells of none."""
    return max(_rehearsals(note), key=lambda one: one.at, default=None)


def _rehearsals(note: str) -> Iterator[Rehearsal]:
    """Yield a rehearsal for each line that is one of ours; other lines are passed over."""
    for line in note.split("\n", _MOST_LINES)[:_MOST_LINES]:
        if not 0 < len(line) <= _LONGEST_LINE:
            continue
        try:
            facts = json.loads(line)
            at, verdict = moment(facts["rehearsed_at"]), Verdict(facts["result"])
            others = [str(facts.get(name, ""))[:_LONGEST] for name in _TOLD]
        except (AttributeError, KeyError, TypeError, ValueError, RecursionError):
            continue
        if at is not None:
            yield Rehearsal(at, verdict, *others)


def moment(written: str) -> datetime | None:
    """Return a date that others wrote, in ISO 8601; None if no calendar has it.

    It can be reckoned with in every time zone: a date near the first or the last year cannot.
    """
    try:
        found = datetime.fromisoformat(written).astimezone(UTC)
    except (TypeError, ValueError, OverflowError):
        return None
    return found if MINYEAR + 1 < found.year < MAXYEAR else None
