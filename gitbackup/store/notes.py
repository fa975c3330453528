"""A git note on each commit that was rehearsed: when, how it ended, and by what.

They are in a ref of their own, apart from the notes of a person, and `git notes` reads them:
`git notes --ref=gitbackup show HEAD`.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime

from gitbackup.model import Rehearsal, Verdict
from gitbackup.store import message, refs
from gitbackup.store.apart import Apart
from gitbackup.store.command import Commands
from gitbackup.store.importer import Importer

REF = "refs/notes/gitbackup"
_LONGEST = 200  # characters of a problem


def write(git: Commands, rehearsals: Mapping[str, Rehearsal]) -> None:
    """Notes each commit's rehearsal, in place of an earlier one; under the repository's lock.

    A note is a file named for its commit in a tree of such, and so as good as any to write.
    """

    def publish(new: str, old: str | None, written: Apart | None) -> None:
        if written:
            written.admit()
        refs.move(git, REF, new, old)

    def save(_: str, new: str, written: Apart | None) -> None:
        publish(new, refs.read(git, REF), written)

    with Importer(git, refs.read(git, REF), publish, save) as importer:
        changes: dict[str, str | None] = {}
        for commit, rehearsal in rehearsals.items():
            changes |= dict.fromkeys(_paths(commit))
            changes[_paths(commit)[0]] = importer.blob(compose(rehearsal).encode())
        count = len(rehearsals)
        importer.commit(f"{count} commit{'' if count == 1 else 's'} rehearsed\n", changes)
        importer.publish()


def _paths(commit: str) -> list[str]:
    """Where a commit's note may be, by how many there are; git reads them anywhere."""
    return [
        f"{commit[:2]}/{commit[2:]}",
        commit,
        f"{commit[:2]}/{commit[2:4]}/{commit[4:]}",
    ]


def compose(rehearsal: Rehearsal) -> str:
    """A note: its subject, and git trailers, a fact each."""
    facts = {
        "Rehearsed-At": rehearsal.at.astimezone(UTC).isoformat(timespec="seconds"),
        "Result": rehearsal.verdict.value,
        "Server": rehearsal.server,
        "Gitbackup": rehearsal.version,
        "Problem": " ".join(rehearsal.problem.split())[:_LONGEST],
    }
    lines = (f"{name}: {fact}" for name, fact in facts.items() if fact)
    return "\n".join([f"rehearsed: {rehearsal.verdict.value}", "", *lines]) + "\n"


def parse(note: str) -> Rehearsal | None:
    """The rehearsal that a note tells of; None where there is no note, or not such a one."""
    facts = message.parse(note).trailers if note else {}
    try:
        return Rehearsal(
            datetime.fromisoformat(facts["Rehearsed-At"]),
            Verdict(facts["Result"]),
            facts.get("Server", ""),
            facts.get("Gitbackup", ""),
            facts.get("Problem", ""),
        )
    except (KeyError, ValueError):
        return None
