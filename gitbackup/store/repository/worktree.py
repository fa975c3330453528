"""The work tree follows HEAD; a person's own edits there are never overwritten."""

from __future__ import annotations

import os
import re
import shutil
import time
from collections.abc import Collection, Iterator, Mapping, Set
from contextlib import contextmanager
from pathlib import Path, PurePosixPath

from gitbackup import wording
from gitbackup.errors import Busy, Damaged, GitbackupError
from gitbackup.store.git import index_file
from gitbackup.store.git.command import Commands, Result, failure, file_errors, text
from gitbackup.store.objects.attributes import OURS
from gitbackup.store.objects.trees import EMPTY_TREE, changed_files, listing

_HALF_WAY = {
    "MERGE_HEAD": "merge",
    "CHERRY_PICK_HEAD": "cherry-pick",
    "REVERT_HEAD": "revert",
    "rebase-merge": "rebase",
    "rebase-apply": "rebase",
}
"""What git leaves in its folder while a command of its has stopped, for a person to go on."""

_FORBIDDEN = re.compile(r"(?:^|/)(?:\.git[ .]*|git~1)(?:/|$)", re.IGNORECASE)
"""Paths that would reach into the git directory, on some systems."""

_PATIENCE = 10.0
"""Seconds that another git may hold the index, as one does that stages a few files."""

_NAMED = re.compile(r"'(.*)'|^\t(.*)$", re.MULTILINE)
_YOURS = re.compile(r"would be (?:overwritten|removed)|would lose|not uptodate")
"""What git says of files that are not as it left them; else it says what the system did."""


def check(
    git: Commands,
    old: str | None,
    new: str,
    paths: Collection[str],
    seeing: Mapping[str, str],
    lost: bool = False,
) -> None:
    """Check that the work tree can follow from `old` to `new`; change nothing.

    `paths` are those of the files of `new` that `old` does not have, or not as they are. `seeing`
    is the environment in which git finds `new`. With `lost`, the files of `old` cannot be read:
    those in the index stand for them. Raises GitbackupError that names
    the file that is in the way and what to do, Busy where another git is at work.
    """
    if lost:
        paths = [change.path for change in changed_files(git, None, new, seeing) if change.after]
    for path in filter(_FORBIDDEN.search, paths):
        bare = wording.command("clone --bare", "clone(bare=True)")
        raise Damaged(
            f"a commit contains {path}, which git cannot write to a work tree: use a"
            f" repository without one ({bare}), or the commit before it"
        )
    _check_by_git(git, old, new, seeing, lost)
    known = {} if lost or old is None else listing(git, old)
    new_files = {path for path in paths if path not in known}
    if not _is_taken(git.folder, new_files):
        return
    # git would overwrite what is ignored, as files that anything can make again
    ignored = text(git.run("ls-files", "--others", "--ignored", "--exclude-standard", "-z"))
    for path in ignored.split("\0")[:-1]:
        if _collides(path, new_files):
            raise _yours(git, path)


def expect_finished(git: Commands) -> None:
    """Raise GitbackupError if a merge or the like has stopped half-way."""
    for file, command in _HALF_WAY.items():
        if (git.git_dir / file).exists():
            go_on = "commit" if command == "merge" else f"{command} --continue"
            raise GitbackupError(
                f"a {command} is in progress in {git.folder}: finish it with `git"
                f" {go_on}`, or cancel it with `git {command} --abort`; then run again"
            )


def expect_resolved(git: Commands) -> None:
    """Raise GitbackupError if files are in conflict."""
    if git.bare:
        return
    staged = index_file.read(git.git_dir / "index")
    if staged is None:
        conflicts = bool(git.run("ls-files", "--unmerged", "-z"))
    else:
        conflicts = any(each.stage for each in staged)
    if conflicts:
        raise _in_conflict(git)


@contextmanager
def holding_index(git: Commands) -> Iterator[Mapping[str, str]]:
    """Hold git's index while HEAD moves and the files follow, as git does: a `git commit` of a
    person in between would make the old files the newest ones.

    Yields the environment in which git writes a copy, which becomes the index at the end. Raises
    Busy if another git holds the index for long.
    """
    index = git.git_dir / "index"
    lock = index.with_name("index.lock")
    if git.bare:
        yield {}
        return
    if not _take(lock):
        raise _busy(git)
    try:
        copy = _copied_index(git)
        yield {"GIT_INDEX_FILE": str(copy)}
        with file_errors("write to the data repository"):
            copy.replace(index)
    finally:
        lock.unlink(missing_ok=True)


def follow(
    git: Commands,
    old: str | None,
    new: str,
    lost: bool = False,
    environment: Mapping[str, str] = {},
) -> None:
    """Write and remove the files that differ between two commits, and those only.

    With `lost`, the files of `old` cannot be read: those in the index stand for them. The
    `environment` says where git finds its index.
    """
    _read_tree(git, old, new, (), environment, lost)


def _check_by_git(
    git: Commands, old: str | None, new: str, seeing: Mapping[str, str], lost: bool
) -> None:
    """Let git check it on a copy of the index, so that a killed check leaves no lock on the real
    one."""
    if (git.git_dir / "index.lock").exists():
        raise _busy(git)
    copy = _copied_index(git)
    try:
        _read_tree(git, old, new, ("--dry-run",), {**seeing, "GIT_INDEX_FILE": str(copy)}, lost)
    finally:
        copy.unlink(missing_ok=True)


def _copied_index(git: Commands) -> Path:
    """Return the path of a copy of git's index; without an index, of no file.

    It keeps the index's time, by which git knows which files may have changed right after it.
    """
    index, copy = git.git_dir / "index", git.git_dir / "gitbackup" / "index"
    with file_errors("read the index of the data repository"):
        copy.unlink(missing_ok=True)
        copy.with_name("index.lock").unlink(missing_ok=True)
        if index.exists():
            shutil.copy2(index, copy)
    return copy


def _take(lock: Path) -> bool:
    """Make a lock file of git's; return whether that was possible within a while."""
    until = time.monotonic() + _PATIENCE
    with file_errors("write to the data repository"):
        while time.monotonic() < until:
            try:
                lock.touch(exist_ok=False)
            except FileExistsError:
                time.sleep(0.01)
            else:
                return True
    return False


def _is_taken(folder: Path, new_files: Set[str]) -> bool:
    """Return whether something is where one of the files comes, or a folder that it is in."""
    folders: set[str] = set()
    for path in new_files:
        while (path := path.rpartition("/")[0]) and path not in folders:
            folders.add(path)
    above = (folder / place for place in folders)
    if any(place.is_symlink() or place.is_file() for place in above):
        return True
    return any(os.path.lexists(f"{folder}/{path}") for path in new_files)


def _collides(path: str, new_files: Set[str]) -> bool:
    """Return whether a file is in the place of a new file or of its folder, or in a folder in the
    place of one."""
    if any(str(place) in new_files for place in (path, *PurePosixPath(path).parents)):
        return True
    return any(new.startswith(path + "/") for new in new_files)


def _read_tree(
    git: Commands,
    old: str | None,
    new: str,
    options: tuple[str, ...],
    environment: Mapping[str, str],
    lost: bool,
) -> None:
    """Merge two trees into the work tree; try again with fresh stats, for those of a copied work
    tree are stale."""
    if lost:
        _let_go(git, new, environment)
    words = ("read-tree", "-m", "-u", *options, *([] if lost else [old or EMPTY_TREE]), new)
    result = git.attempt(*words, environment=environment)
    if result.status and _YOURS.search(result.error):
        git.attempt("update-index", "-q", "--refresh", environment=environment)
        result = git.attempt(*words, environment=environment)
    if result.status:
        raise _in_the_way(git, result)


def _let_go(git: Commands, new: str, environment: Mapping[str, str]) -> None:
    """Take a person's files that `new` does not have out of the index, so that they stay."""
    tracked = text(git.run("ls-files", "-z", environment=environment)).split("\0")[:-1]
    comes = {change.path for change in changed_files(git, None, new, environment)}
    theirs = [path for path in tracked if path not in comes and not OURS.fullmatch(path)]
    stdin = "".join(f"{path}\0" for path in theirs).encode("utf-8", "surrogateescape")
    git.run("update-index", "-z", "--force-remove", "--stdin", environment=environment, stdin=stdin)


def _in_the_way(git: Commands, result: Result) -> GitbackupError:
    if "index.lock" in result.error:
        return _busy(git)
    if "resolve your current index" in result.error:
        return _in_conflict(git)
    named = _NAMED.search(result.error)
    if named is None or "fatal:" in result.error or not _YOURS.search(result.error):
        return failure("read-tree", result)
    return _yours(git, named[1] or named[2])


def _in_conflict(git: Commands) -> GitbackupError:
    return GitbackupError(
        f"files in {git.folder} are in conflict: resolve and commit them with git,"
        " or discard the merge with `git reset --merge`; then run again"
    )


def _busy(git: Commands) -> Busy:
    lock = git.git_dir / "index.lock"
    return Busy(f"another git process is running in {git.folder}; if not, remove {lock}")


def _yours(git: Commands, path: str) -> GitbackupError:
    file = git.folder / path
    return GitbackupError(
        f"{file} has uncommitted changes that would be overwritten; commit, stash or"
        " discard them with git, then run again"
    )
