"""Clone a data repository from elsewhere: for a machine that was lost, or a second one."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

from gitbackup.errors import Damaged, NoRepository
from gitbackup.model.encryption import NO_KEYS, EncryptionKeys
from gitbackup.store.commits import commits
from gitbackup.store.git import open_repository
from gitbackup.store.git.command import Commands, file_errors
from gitbackup.store.objects import refs
from gitbackup.store.remotes import push_pull, remotes
from gitbackup.store.transports import remote_url, transports
from gitbackup.store.transports.remote_url import BRANCHES, Remote, RemoteUrl

_MARK = "gitbackup/cloning"
_NOT_IN_THE_WAY = {"README.md"}  # of the project's own checkout


@contextmanager
def making(path: Path, bare: bool) -> Iterator[Commands]:
    """Yield a new data repository in an empty folder; it is removed if the block fails.

    One that was killed is gone on with. Raises NoRepository if the folder is not empty.
    """
    with file_errors("make the clone"):
        there = {file.name for file in path.iterdir()} if path.is_dir() else set()
        there = {name for name in there if not name.startswith(open_repository.ASIDE)}
        begun = _begun(path)
        if (there - _NOT_IN_THE_WAY or (path.exists() and not path.is_dir())) and not begun:
            raise NoRepository(f"{path} is not empty; a clone needs an empty or new folder")
        existed = path.exists()
    try:
        git = open_repository.make(path, bare)
        with file_errors("make the clone"):
            mark = git.git_dir / _MARK
            mark.parent.mkdir(mode=0o700, exist_ok=True)
            mark.touch()
        yield git
        with file_errors("make the clone"):
            mark.unlink(missing_ok=True)
    except BaseException:
        _remove(path, there & _NOT_IN_THE_WAY if begun else there, existed)
        raise


def _begun(path: Path) -> bool:
    """Return whether a clone began here and was killed: it has left its mark, or no commit yet."""
    git = open_repository.find(path)
    return git is not None and ((git.git_dir / _MARK).exists() or open_repository.is_blank(git))


def fill(
    git: Commands,
    source: str,
    advance: Callable[[str, str | None], None],
    keys: EncryptionKeys = NO_KEYS,
) -> list[str]:
    """Fetch all of a source into a new repository, move HEAD by `advance`; return what to warn of.
    `keys` open an encrypted bundle.

    The source becomes the remote `origin`. Raises UsageError if there is none, NoRepository if it
    is not a data repository, Damaged or GitbackupError if it cannot be read.
    """
    remote = Remote("origin", replace(remote_url.at(transports.source(source)), keys=keys))
    push_pull.get(git, remote)
    theirs = refs.under(git, remote.tracking)
    branch, theirs = _with_head(git, remote, theirs)
    if not branch or git.attempt("cat-file", "-e", f"{theirs[branch]}:gitbackup.json").status:
        raise NoRepository(f"{remote.place} is not a gitbackup data repository")
    commit, warnings = _readable(git, theirs[branch])
    remotes.keep(git, remote, transports.of(remote.place).encrypted_to(git, remote.place))
    git.run("symbolic-ref", "HEAD", BRANCHES + branch)
    others = {name: id_ for name, id_ in theirs.items() if name not in (branch, "HEAD")}
    warnings += push_pull.follow(git, remote, others)
    if (head := refs.head(git)) != commit:
        advance(commit, head)
    return warnings


def _readable(git: Commands, commit: str) -> tuple[str, list[str]]:
    """Return the newest commit, this one or one before it, that can be checked out, and what to
    warn of if the history has commits that cannot. Raises Damaged if there is no such commit.
    """
    why = push_pull.beyond_measure(git, commit, None)
    if not why:
        return commit, []
    for candidate in [commit, *commits.ancestors(git, commit)]:
        if not push_pull.beyond_measure(git, candidate, f"{candidate}^@"):
            newest = f"HEAD here is commit {candidate[:7]}, the newest that can be read"
            return candidate, [f"{why}; {newest}"]
    raise Damaged(f"nothing was fetched: {why}")


def _with_head(git: Commands, remote: Remote, theirs: dict[str, str]) -> tuple[str, dict[str, str]]:
    """Return the branch that HEAD is on there, empty if there is none; and all branches.

    Where HEAD is detached there, at a commit that no branch has, it gets a branch here.
    """
    told = transports.of(remote.place).branch(git, remote.place).removeprefix(BRANCHES)
    if told in theirs:
        return told, theirs
    if commit := push_pull.get_detached(git, remote):
        names = ("detached", *(f"detached-{number}" for number in range(2, len(theirs) + 3)))
        name = next(name for name in names if name not in theirs)
        return name, {**theirs, name: commit}
    return _branch(git, remote.place, theirs), theirs


def _branch(git: Commands, place: RemoteUrl, theirs: dict[str, str]) -> str:
    """Return the branch whose commit is HEAD there, or the likeliest one; empty if there is
    none."""
    head = transports.of(place).heads(git, place).get("HEAD")
    fitting = [name for name, ident in theirs.items() if ident == head] or list(theirs)
    return min(fitting, key=lambda name: (name != "main", name), default="")


def _remove(path: Path, keep: set[str], existed: bool) -> None:
    """Remove what a clone that failed has made."""
    if not existed:
        shutil.rmtree(path, ignore_errors=True)
        return
    for left in path.iterdir():
        if left.name in keep:
            continue
        if left.is_dir():
            shutil.rmtree(left, ignore_errors=True)
        else:
            left.unlink(missing_ok=True)
