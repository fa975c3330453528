"""Writing a bundle: aside, proved by fetching all of it, and only then in its place.

Whoever finds a bundle under its name finds a whole one, of this push or the one before. The
name aside, ~*.tmp, is one that Dropbox and Nextcloud do not synchronise.
"""

from __future__ import annotations

import os
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from gitbackup.atomic_file import SUFFIX, sweep, sync_names
from gitbackup.errors import GitbackupError
from gitbackup.store.git.command import Commands, failure, file_errors
from gitbackup.store.remotes import network
from gitbackup.store.remotes.remote_url import RemoteUrl

_PROOF = "proof-"
_SETTINGS = "--glob=refs/gitbackup/setting[s]"  # without a wildcard it would be a folder's name
_REVISIONS = ("HEAD", "--branches", "--tags", "--glob=refs/notes/*", _SETTINGS)


@contextmanager
def written(git: Commands, path: Path) -> Iterator[tuple[Path, dict[str, str]]]:
    """A whole new bundle of all branches, tags and notes, aside in the folder of `path`.

    Gives its path and its refs, proved. It goes with the context, unless it was moved.
    Raises GitbackupError where it cannot be written, Damaged where our objects are.
    """
    with file_errors("write the bundle"):
        sweep(path.parent, prefix := f"~{path.stem}-")
        handle, name = tempfile.mkstemp(SUFFIX, prefix, path.parent)
    draft = Path(name)
    try:
        with file_errors("write the bundle"), os.fdopen(handle, "wb") as file:
            process = git.start("bundle", "create", "--quiet", "-", *_REVISIONS)
            shutil.copyfileobj(process.stdout, file, 1 << 20)
            file.flush()
            os.fsync(file.fileno())
        result = process.finish()
        if result.status:
            raise failure("bundle", result)
        yield draft, prove(git, draft)
    finally:
        draft.unlink(missing_ok=True)


def put(draft: Path, path: Path) -> None:
    """Gives a bundle that is whole its name."""
    with file_errors("move the bundle to its place"):
        draft.replace(path)
    sync_names(path.parent)


def prove(git: Commands, bundle: Path) -> dict[str, str]:
    """Fetches all of a bundle into an empty repository: its refs, all of whose history is there.

    That is more than `git bundle verify` does, which reads the first lines only. Raises
    Damaged where something is missing.
    """
    with _emptied(git) as empty:
        place = RemoteUrl(str(bundle))
        network.fetch(empty, place, ["+refs/*:refs/proof/*", "+HEAD:refs/proof/HEAD"])
        fetched = empty.run("for-each-ref", "--format=%(objectname) %(refname)", "refs/proof/")
        found = network.listed(fetched, " ")
    return {_named(ref.removeprefix("refs/proof/")): ident for ref, ident in found.items()}


def _named(name: str) -> str:
    return name if name == "HEAD" else f"refs/{name}"


@contextmanager
def _emptied(git: Commands) -> Iterator[Commands]:
    """An empty repository for as long as the context lasts, on the disk of ours."""
    home = git.git_dir / "gitbackup"
    with file_errors("make a place to prove the bundle in"):
        for left in home.glob(_PROOF + "*"):
            shutil.rmtree(left, ignore_errors=True)
        folder = tempfile.TemporaryDirectory(prefix=_PROOF, dir=home)
    with folder as name:
        empty = Commands(Path(name) / ".git", Path(name))
        empty.run("init", "--quiet", "--template=", "--object-format=sha1")
        yield empty


def missing(git: Commands, place: RemoteUrl) -> dict[str, str]:
    """The refs of the bundle that is there whose commits a new one of ours would not hold.

    Raises Damaged for a file that does not tell what it holds.
    """
    theirs = network.heads(git, place)
    kept = ("--not", *_REVISIONS)
    return {ref: ident for ref, ident in theirs.items() if _beyond(git, ident, kept)}


def _beyond(git: Commands, ident: str, kept: tuple[str, ...]) -> bool:
    """Whether some commit of a ref is in none of those kept; or is not here at all."""
    if git.attempt("cat-file", "-e", ident).status:
        return True
    result = git.attempt("rev-list", "--max-count=1", ident, *kept)
    if result.status:
        raise GitbackupError(str(failure("rev-list", result)))
    return bool(result.out)
