"""Finding a data repository in a folder, telling whether it is ours, and making one."""

from __future__ import annotations

import glob
import os
import shutil
import stat
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from gitbackup.errors import Damaged, GitbackupError, NoRepository, UsageError
from gitbackup.model.keys import FORMAT
from gitbackup.store.git import diff_driver, lock, ownership, settings
from gitbackup.store.git.command import SETTINGS, Commands, file_errors, text
from gitbackup.system.atomic_file import followed

ASIDE = ".gitbackup-new-"
"""How the names of repositories begin that are being made."""

_MARK = "gitbackup.format"
_YOUNG = 10.0  # seconds in which a run that has made a folder locks it


def find(path: Path) -> Commands | None:
    """Return git in the repository of this very folder, never of one around it.

    Raises NoRepository if it is of a kind that we cannot use, or another user's, and
    GitbackupError where another user's link, in a folder that all write to, leads to it. Raises
    Damaged if it borrows objects from a folder that is not there, and so lacks commits.
    """
    with file_errors("open the data repository"):
        folder = followed(path)
    if folder.name == ".git":
        folder = folder.parent
    link = folder / ".git"
    with file_errors("open the data repository"):
        if link.is_file():
            ownership.check(folder, link, folder)  # before it is read
        inner = _linked(link)
        if _is_git_dir(inner):
            ownership.check(folder, link, folder, inner)
            git = Commands(inner, folder)
        elif _is_git_dir(folder):
            ownership.check(folder, folder)
            git = Commands(folder, folder)
        else:
            return None
        if lender := _lost_lender(git):
            _expect_commits(git, lender)
        return git


def _lost_lender(git: Commands) -> Path | None:
    """Return a folder that it borrows objects from, by `git clone --shared`, and that is not
    there."""
    objects = git.git_dir / "objects"
    try:
        listed = (objects / "info" / "alternates").read_bytes()
    except FileNotFoundError:
        return None
    lines = [text(line) for line in listed.splitlines() if line[:1] not in (b"", b"#", b'"')]
    return next((path for line in lines if not (path := objects / line).is_dir()), None)


def _expect_commits(git: Commands, lender: Path) -> None:
    """Raise Damaged if commits are missing, for their lender is not there."""
    if git.attempt("rev-list", "--quiet", "--all").status:
        raise Damaged(
            f"{git.folder} is damaged: it borrows objects from {lender} (see git clone --shared),"
            f" which is not there; put that folder back, or rename {git.folder} and clone another"
            " copy of the history"
        )


def is_ours(git: Commands) -> bool:
    """Return whether we made it, or it is a clone of one that we made.

    Raises NoRepository for SHA-256, Damaged for a format of the future.
    """
    config = settings.local(git)
    if config.get("extensions.objectformat", "sha1") != "sha1":
        raise NoRepository(f"{git.folder} is a SHA-256 repository; a data repository uses SHA-1")
    mark = config.get(_MARK)
    if mark is not None and mark != str(FORMAT):
        raise Damaged(
            f"{git.folder} has format {mark}, and this gitbackup reads up to {FORMAT};"
            " upgrade gitbackup"
        )
    return mark is not None or git.attempt("cat-file", "-e", "HEAD:gitbackup.json").status == 0


def is_blank(git: Commands) -> bool:
    """Return whether it has no ref: as `git init` makes it, or an earlier version that was
    killed."""
    return not git.run("for-each-ref", "--count=1")


def make(path: Path, bare: bool) -> Commands:
    """Make the data repository, or adopt one that is there: ours, or one without a commit.

    Raises NoRepository if the folder holds something else, UsageError where a
    repository is there that has a work tree and should have none, or the reverse.
    """
    git = find(path) or _initial(path, bare)
    if git.bare != bare:
        has = "no work tree" if bare is False else "a work tree"
        raise UsageError(f"there is already a repository in {path}, and it has {has}")
    if not is_ours(git) and not is_blank(git):
        raise NoRepository(f"{path} is a git repository, but not a gitbackup data repository")
    _configure(git, bare)
    return git


def _initial(path: Path, bare: bool) -> Commands:
    """Make a repository aside, and give it its name once it is whole: killed, it is not there."""
    with file_errors("make the data repository"):
        existed = path.is_dir()
        path.mkdir(mode=0o700, parents=True, exist_ok=True)
        folder = path.resolve()
        ownership.check(folder, folder)
        if bare and any(folder.iterdir()):
            raise NoRepository(
                f"{path} is not empty; a bare repository needs an empty or new folder"
            )
    target = folder if bare else folder / ".git"
    try:
        with file_errors("make the data repository"), _aside(target) as made:
            _fill(Commands(made, made if bare else folder), bare, target)
    except GitbackupError:
        if found := find(path):
            return found  # another run was quicker
        if not existed:
            with suppress(OSError):
                folder.rmdir()  # where it is empty
        raise
    return Commands(target, folder)


def _fill(git: Commands, bare: bool, target: Path) -> None:
    with lock.hold(git):
        settings.begin(git, {**SETTINGS, _MARK: str(FORMAT), **diff_driver.SETTINGS})
        diff_driver.begin(git)
        git.run("init", "--quiet", "--template=", "--object-format=sha1", "--initial-branch=main")
        settings.write(git, {"core.worktree": []})  # which git sets, for it is in an odd place
        _configure(git, bare)
        git.git_dir.replace(target)


@contextmanager
def _aside(target: Path) -> Iterator[Path]:
    """Yield a folder beside the target, in which to make it."""
    sweep(target)
    made = Path(tempfile.mkdtemp(prefix=_prefix(target), dir=target.parent))
    try:
        yield made
    finally:
        shutil.rmtree(made, ignore_errors=True)


def sweep(target: Path) -> None:
    """Remove what runs that were killed have left of making this git directory."""
    for left in target.parent.glob(f"{glob.escape(_prefix(target))}*"):
        if ownership.is_own(left):
            _remove_dead(left)


def _prefix(target: Path) -> str:
    return f"{ASIDE}{target.name}-"


def _remove_dead(left: Path) -> None:
    """Remove what a run began to make, unless it holds its lock still or has just begun."""
    with suppress(GitbackupError, OSError):
        age = time.time() - left.stat().st_mtime  # before the lock's own files make it young
        with lock.hold(Commands(left, left), wait=0) as killed:
            if killed or age > _YOUNG:
                shutil.rmtree(left, ignore_errors=True)


def _configure(git: Commands, bare: bool) -> None:
    """Write what is not there yet; all of it may be."""
    # `git init --bare` refuses to run where GIT_WORK_TREE is set, as it is
    wanted = {**SETTINGS, _MARK: str(FORMAT), "core.bare": str(bare).lower()}
    config = settings.local(git)
    changes = {name: [value] for name, value in wanted.items() if config.get(name) != value}
    if bare and "core.worktree" in config:
        changes["core.worktree"] = []
    if changes:
        settings.write(git, changes)
    with file_errors("set up the data repository"):
        for place, mode in ((git.folder, 0o700), (git.git_dir / "config", 0o600)):
            if stat.S_IMODE(place.stat().st_mode) != mode:  # else what is known of it stays known
                place.chmod(mode)
        if not bare:
            # the project's own checkout has the format's reference in this folder
            diff_driver.add_line(git, "exclude", "/README.md")
    diff_driver.install(git)


def _is_git_dir(folder: Path) -> bool:
    return (folder / "HEAD").is_file() and all((folder / n).is_dir() for n in ("objects", "refs"))


def _linked(inner: Path) -> Path:
    """Return `.git`, or the git directory that it names if it is a file, as in a submodule."""
    if not inner.is_file():
        return inner
    target = os.fsdecode(inner.read_bytes()).removeprefix("gitdir:").strip()
    if "\0" in target:
        raise NoRepository(f"{inner} is damaged: it does not name a git directory")
    git_dir = (inner.parent / target).resolve()
    if (git_dir / "commondir").exists():
        sentence = f"{inner.parent} is a linked work tree; name the repository itself"
        raise NoRepository(sentence)
    return git_dir
