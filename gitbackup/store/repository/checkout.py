"""Move HEAD to a new commit and the work tree after it; a run that is killed is finished later."""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path

from gitbackup.errors import Busy, GitbackupError
from gitbackup.model.changes import FileChange
from gitbackup.store.git.command import Commands, file_errors
from gitbackup.store.objects import refs
from gitbackup.store.objects.object_reader import ObjectReader, blob_id, reader_of
from gitbackup.store.objects.trees import EMPTY_TREE, changed_files
from gitbackup.store.repository import worktree
from gitbackup.system.atomic_file import new_file

_LOST = "lost"
"""What the journal has for a commit whose files cannot be read."""

_TOLD = re.compile(rb"([0-9a-f]{40}|lost) ([0-9a-f]{40})\n")
"""The journal: the commits that HEAD was moved from and to."""


def advance(git: Commands, old: str | None, new: str, lost: bool = False) -> None:
    """Move HEAD, and the work tree after it where there is one.

    With `lost`, the files of `old` cannot be read.

    A journal tells the next run to end it, where this one is killed in between. Raises
    Busy, with nothing moved, where HEAD is not at `old`.
    """
    journal = _journal(git)
    with worktree.holding_index(git) as environment:
        with file_errors("write to the data repository"):
            write_whole(journal, f"{_LOST if lost else old or EMPTY_TREE} {new}\n")
        try:
            refs.move(git, "HEAD", new, old)
        except GitbackupError:
            journal.unlink()
            raise
        if not git.bare:
            _follow(git, old, new, lost, environment)
    journal.unlink()


def _follow(
    git: Commands, old: str | None, new: str, lost: bool, environment: Mapping[str, str]
) -> None:
    """Update the work tree. No person's files are in the way; what fails now is the system."""
    try:
        worktree.follow(git, old, new, lost, environment)
    except Busy:
        raise
    except GitbackupError as error:
        said = f"commit {new[:7]} was made, but the work tree could not be updated: {error}"
        raise GitbackupError(f"{said}; the next run updates it") from error


def finish(git: Commands) -> None:
    """Finish what a killed run has begun, if one has; under the repository's lock.

    Raises GitbackupError if a person's edits are in the way.
    """
    journal = _journal(git)
    if not journal.exists():
        return
    with file_errors("read what a killed run left"):
        told = _TOLD.fullmatch(journal.read_bytes())
        for lock in ("HEAD.lock", "index.lock", f"{refs.branch(git)}.lock"):
            (git.git_dir / lock).unlink(missing_ok=True)  # killed, git leaves them for good
    old, new = (word.decode("ascii") for word in told.groups()) if told else ("", "")
    # else HEAD did not move, or a person went on, or the journal is none of ours
    if told and refs.head(git) == new and not git.bare:
        lost = old == _LOST
        _stage_written(git, changed_files(git, None if lost else old, new))
        worktree.follow(git, old, new, lost)
    journal.unlink()


def _stage_written(git: Commands, changes: list[FileChange]) -> None:
    """Add the files that the killed run had written already to git's index."""
    reader = reader_of(git)
    lines = []
    for change in changes:
        if _is_written(reader, git.folder / change.path, change):
            mode, blob = ("100644", change.after) if change.after else ("0", "0" * 40)
            lines.append(f"{mode} {blob}\t{change.path}\0")
    stdin = "".join(lines).encode("utf-8", "surrogateescape")
    git.run("update-index", "-z", "--index-info", stdin=stdin)


def _is_written(reader: ObjectReader, file: Path, change: FileChange) -> bool:
    """Return whether the file is as it has to be; remove one that was cut off."""
    try:
        data = file.read_bytes()
    except (FileNotFoundError, NotADirectoryError):
        return change.after is None
    except IsADirectoryError:
        return False
    if change.after is None or blob_id(data) == change.before:
        return False
    if blob_id(data) == change.after:
        return True
    if reader.read(change.after).startswith(data):
        file.unlink()
    return False


def _journal(git: Commands) -> Path:
    return git.git_dir / "gitbackup" / "following"


def write_whole(file: Path, content: str) -> None:
    """Write a file of ours in the git directory, in one step, so that nobody reads half of it."""
    file.parent.mkdir(mode=0o700, exist_ok=True)
    with new_file(file) as stream:
        stream.write(content.encode())
