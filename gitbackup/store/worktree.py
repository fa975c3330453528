"""The work tree follows HEAD; a person's own edits there are never overwritten."""

from __future__ import annotations

import os
import re
from collections.abc import Mapping, Set
from pathlib import Path, PurePosixPath

from gitbackup.errors import Busy, GitbackupError
from gitbackup.model import FileChange
from gitbackup.store import refs
from gitbackup.store.command import Commands, Result, failure, file_errors, text
from gitbackup.store.objects import Blobs, blob_id
from gitbackup.store.trees import EMPTY_TREE, changed_files

_NAMED = re.compile(r"'(.*)'|^\t(.*)$", re.MULTILINE)


def check(git: Commands, old: str | None, new: str, seeing: Mapping[str, str]) -> None:
    """Whether the work tree can follow from `old` to `new`; changes nothing.

    `seeing` is the environment in which git finds `new`. Raises GitbackupError that names
    the file that is in the way, and what to do.
    """
    _read_tree(git, old, new, "--dry-run", environment=seeing)
    ignored = text(git.run("ls-files", "--others", "--ignored", "--exclude-standard", "-z"))
    if ignored:  # git would overwrite these, as files that anything can make again
        changes = changed_files(git, old, new, seeing)
        new_files = {change.path for change in changes if change.before is None}
        for path in ignored.split("\0")[:-1]:
            if _collides(path, new_files):
                raise _yours(git, path)


def _collides(path: str, new_files: Set[str]) -> bool:
    """Whether a file is where a new file or its folder comes, or in a folder where one comes."""
    if any(str(place) in new_files for place in (path, *PurePosixPath(path).parents)):
        return True
    return any(new.startswith(path + "/") for new in new_files)


def advance(git: Commands, old: str | None, new: str) -> None:
    """Moves HEAD, and the work tree after it: the files that differ, and those only.

    A journal tells the next run to end it, where this one is killed in between. Raises
    Busy, with nothing moved, where HEAD is not at `old`.
    """
    file = _journal(git)
    with file_errors("write to the data repository"):
        _write_whole(file, f"{old or EMPTY_TREE} {new}\n")
    try:
        refs.move(git, "HEAD", new, old)
    except GitbackupError:
        file.unlink()
        raise
    _read_tree(git, old, new)
    file.unlink()


def finish(git: Commands, head: str | None) -> None:
    """Ends what a killed run began, if one did; under the lock.

    Raises GitbackupError where a person's edits are in the way.
    """
    file = _journal(git)
    if not file.exists():
        return
    with file_errors("read what a killed run left"):
        old, new = file.read_text().split()
    if head == new:  # else HEAD did not move, or went on with a person
        (git.git_dir / "index.lock").unlink(missing_ok=True)
        _stage_written(git, changed_files(git, old, new))
        _read_tree(git, old, new)
    file.unlink()


def _stage_written(git: Commands, changes: list[FileChange]) -> None:
    """Tells the index of the files that the killed run had written already."""
    blobs = Blobs(git)
    lines = []
    for change in changes:
        if _is_written(blobs, git.folder / change.path, change):
            mode, blob = ("100644", change.after) if change.after else ("0", "0" * 40)
            lines.append(f"{mode} {blob}\t{change.path}\0")
    blobs.close()
    talk = git.start("update-index", "-z", "--index-info")
    talk.stdin.write("".join(lines).encode("utf-8", "surrogateescape"))
    result = talk.finish()
    if result.status:
        raise failure("update-index", result)


def _is_written(blobs: Blobs, file: Path, change: FileChange) -> bool:
    """Whether the file is as it shall be; one that was cut off is taken out of the way."""
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
    if blobs.read(change.after).startswith(data):
        file.unlink()
    return False


def _read_tree(
    git: Commands,
    old: str | None,
    new: str,
    *options: str,
    environment: Mapping[str, str] | None = None,
) -> None:
    """The two-tree merge; once more with fresh stats, for a copied work tree's are stale."""
    words = ("read-tree", "-m", "-u", *options, old or EMPTY_TREE, new)
    result = git.attempt(*words, environment=environment)
    if result.status:
        git.attempt("update-index", "-q", "--refresh")
        result = git.attempt(*words, environment=environment)
    if result.status:
        raise _in_the_way(git, result)


def _in_the_way(git: Commands, result: Result) -> GitbackupError:
    if "index.lock" in result.error:
        lock = git.git_dir / "index.lock"
        return Busy(f"another git process is at work in {git.folder}; if none is, remove {lock}")
    named = _NAMED.search(result.error)
    if named is None or "fatal:" in result.error:
        return failure("read-tree", result)
    return _yours(git, named[1] or named[2])


def _yours(git: Commands, path: str) -> GitbackupError:
    file = git.folder / path
    return GitbackupError(
        f"{file} has changes of your own that would be overwritten;"
        " commit, stash or remove them with git, then run again"
    )


def _journal(git: Commands) -> Path:
    return git.git_dir / "gitbackup" / "following"


def _write_whole(file: Path, content: str) -> None:
    """Writes aside and moves, so that nobody ever reads half of it."""
    file.parent.mkdir(mode=0o700, exist_ok=True)
    draft = file.with_name(file.name + ".new")
    with draft.open("w") as stream:
        stream.write(content)
        stream.flush()
        os.fsync(stream.fileno())
    draft.replace(file)
