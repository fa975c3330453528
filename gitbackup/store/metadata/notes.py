"""Git notes, and those on each commit that was rehearsed: when, how it ended, and by what.

These are in a ref of their own, apart from the notes of a person, and `git notes` reads them:
`git notes --ref=gitbackup show HEAD`. A note is one line of JSON, so that what git makes of two
notes that are merged, the lines of both, is read as well: the latest counts.
"""

from __future__ import annotations

import json
from collections.abc import Collection, Iterator, Mapping
from contextlib import suppress
from datetime import MAXYEAR, MINYEAR, UTC, datetime

from gitbackup.errors import Damaged, TooLarge
from gitbackup.model.amounts import counted
from gitbackup.model.commits import Rehearsal, Verdict
from gitbackup.store.git.command import Commands, failure
from gitbackup.store.objects import refs
from gitbackup.store.objects.commit_writer import CommitWriter
from gitbackup.store.objects.object_reader import reader_of
from gitbackup.store.objects.quarantine import Quarantine

REF = "refs/notes/gitbackup"
WHAT = "notes of restore tests"
_LONGEST = 200  # characters of a problem
_TOLD = ("server", "gitbackup", "problem")
_LONGEST_NOTE = 16 * 1024 * 1024  # bytes
_MOST_LINES = 100
_LONGEST_LINE = 10_000  # characters; ours have some hundred


def write(git: Commands, rehearsals: Mapping[str, Rehearsal]) -> None:
    """Note each commit's rehearsal, in place of an earlier one; under the repository's lock."""
    told = {commit: compose(rehearsal).encode() for commit, rehearsal in rehearsals.items()}
    store(git, REF, told, f"{counted(len(rehearsals), 'commit')} rehearsed\n")


def store(git: Commands, ref: str, notes: Mapping[str, bytes | None], message: str) -> None:
    """Give each commit its note in a ref of notes, in place of the one it had; None removes that.

    Under the repository's lock. A note is a file named for its commit in a tree of such, and so as
    good as any to write. `message` is that of the ref's own commit.
    """

    def publish(
        new: str, old: str | None, paths: Collection[str], written: Quarantine | None
    ) -> None:
        if written:
            written.admit()
        refs.move(git, ref, new, old)

    def save(_: str, new: str, written: Quarantine | None) -> None:
        publish(new, refs.read(git, ref), (), written)

    tip = refs.read(git, ref)
    with CommitWriter(git, tip, publish, save, tip) as importer:
        changes: dict[str, str | None] = {}
        for commit, note in notes.items():
            changes |= dict.fromkeys(_paths(commit))
            if note is not None:
                changes[_paths(commit)[0]] = importer.blob(note)
        importer.commit(message, changes)
        importer.publish()


def read(git: Commands, commit: str, ref: str = REF) -> str:
    """Return a commit's note; empty if it has none, or none that can be read."""
    reader = reader_of(git)
    for path in _paths(commit):
        with suppress(Damaged, TooLarge):
            if found := reader.find(f"{ref}:{path}"):
                return reader.read(found.id, _LONGEST_NOTE).decode("utf-8", "replace")
    return ""


def problem(git: Commands, ref: str = REF, what: str = WHAT) -> str | None:
    """Return why git cannot read the notes, a sentence; None where it can, or there are none."""
    if refs.read(git, ref) is None:
        return None
    result = git.attempt("notes", f"--ref={ref}", "list")
    if not result.status:
        return None
    said, mend = failure("notes", result), f"`git update-ref -d {ref}` removes them"
    return f"cannot read the {what} ({said}); {mend}"


def _paths(commit: str) -> list[str]:
    """Return where a commit's note may be, by how many there are; git reads them anywhere."""
    return [
        f"{commit[:2]}/{commit[2:]}",
        commit,
        f"{commit[:2]}/{commit[2:4]}/{commit[4:]}",
    ]


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
    """Return the latest rehearsal that a note tells of; None where it tells of none."""
    return max(_rehearsals(note), key=lambda one: one.at, default=None)


def _rehearsals(note: str) -> Iterator[Rehearsal]:
    """One for each line that is one of ours; whatever else somebody wrote there is passed over."""
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
    """Return a date that others wrote, in ISO 8601; None where no calendar has it.

    It can be reckoned with in every time zone: a date near the first or the last year cannot.
    """
    try:
        found = datetime.fromisoformat(written).astimezone(UTC)
    except (TypeError, ValueError, OverflowError):
        return None
    return found if MINYEAR + 1 < found.year < MAXYEAR else None
