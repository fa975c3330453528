"""Git notes: a text about each commit, in refs of their own, which `git notes` reads too."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from contextlib import suppress

from gitbackup.errors import Damaged, TooLarge
from gitbackup.store.git.command import Commands, failure
from gitbackup.store.objects import refs
from gitbackup.store.objects.commit_writer import CommitWriter
from gitbackup.store.objects.object_reader import reader_of
from gitbackup.store.objects.quarantine import Quarantine

_LONGEST = 16 * 1024 * 1024  # bytes


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
    with CommitWriter(git, tip, publish, save, tip) as writer:
        changes: dict[str, str | None] = {}
        for commit, note in notes.items():
            changes |= dict.fromkeys(_paths(commit))
            if note is not None:
                changes[_paths(commit)[0]] = writer.blob(note)
        writer.commit(message, changes)
        writer.publish()


def read(git: Commands, commit: str, ref: str) -> str:
    """Return a commit's note; empty if it has none, or none that can be read."""
    reader = reader_of(git)
    for path in _paths(commit):
        with suppress(Damaged, TooLarge):
            if found := reader.find(f"{ref}:{path}"):
                return reader.read(found.id, _LONGEST).decode("utf-8", "replace")
    return ""


def problem(git: Commands, ref: str, what: str) -> str | None:
    """Return why git cannot read the notes of a ref, which are `what`; None if it can, or if there
    are none."""
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
