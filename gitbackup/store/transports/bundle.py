"""A bundle: one file that holds a whole history, which git reads as it reads a remote.

It is what a folder gets that is no git repository: a cloud drive's, a mounted disk's. It is
written aside, proved by fetching all of it, and only then put in its place: whoever finds a
bundle under its name finds a whole one, of this push or the one before. The name aside, ~*.tmp,
is one that Dropbox and Nextcloud do not synchronise.
"""

from __future__ import annotations

import hashlib
import os
import shutil
import tempfile
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import BinaryIO, TypeVar, cast

from gitbackup import wording
from gitbackup.errors import Damaged, GitbackupError, UsageError
from gitbackup.store.commits import rewrite
from gitbackup.store.git.command import Commands, GitProcess, failure, file_errors, text
from gitbackup.store.metadata import settings_ref
from gitbackup.store.objects import refs
from gitbackup.store.transports import restore_txt
from gitbackup.store.transports.git_url import fetch_words
from gitbackup.store.transports.remote_url import (
    BRANCHES,
    NOTES,
    Remote,
    RemoteUrl,
    check_word,
    followed,
    unreachable,
)
from gitbackup.store.transports.transport import PushedRefs
from gitbackup.system.atomic_file import SUFFIX as DRAFT
from gitbackup.system.atomic_file import sweep, sync_folder

T = TypeVar("T")

SUFFIX, ENCRYPTED = ".bundle", ".age"
_LONGEST_LINE = 1 << 20
_TRAILER = 20  # bytes at the end of a pack: the SHA-1 of those before
_HEADERS = (b"# v2 git bundle\n", b"# v3 git bundle\n")
_PROOF = "proof-"
_FLEETING = ("-c", "core.fsync=none", "-c", "core.logallrefupdates=false")
"""The settings of a repository that nobody needs after a crash: to sync each of thousands of refs
takes most of the time."""

_A_FILE = {"GIT_ALLOW_PROTOCOL": "file"}  # goes before all that a config permits or forbids


class Bundle:
    """A file, or a path that ends in .bundle and is no folder."""

    fetches_detached = True

    def handles(self, place: RemoteUrl) -> bool:
        path = place.path
        return path is not None and (
            path.is_file() or (path.suffix == SUFFIX and not path.is_dir())
        )

    def target(self, path: Path, word: str, name: str) -> str | None:
        if path.is_dir():
            return str(followed(path) / (name + SUFFIX))
        if path.is_file() or (path.suffix == SUFFIX and path.parent.is_dir()):
            return str(followed(path.parent) / path.name)
        return None

    def source(self, path: Path, word: str) -> str | None:
        """Return the path of the bundle that is named; of a folder, the one bundle in it."""
        if path.is_dir():
            return str(_only_bundle(path.resolve()))
        return str(path.resolve()) if path.exists() else None

    def is_in(self, place: RemoteUrl, folder: Path) -> bool:
        return path_of(place).parent.resolve() == folder

    def expect(self, git: Commands, place: RemoteUrl) -> None:
        if not self.heads(git, place):
            raise UsageError(f"there is no bundle {place}")

    def heads(self, git: Commands, place: RemoteUrl) -> dict[str, str]:
        """Return the refs of the bundle; none if the file does not exist yet.

        Raises Damaged for a file that does not tell what it holds.
        """
        path = path_of(place)
        if not path.parent.is_dir():
            raise UsageError(f"no folder for {place}; if it is on a disk, is the disk mounted?")
        if not path.exists():
            return {}
        if not path.is_file():
            raise UsageError(f"{place} is neither a file nor a folder")
        with file_errors("read the bundle"):
            begins = _is_bundle_file(path)  # git would read a line to its end, were it endless
        result = git.attempt("bundle", "list-heads", str(path.absolute())) if begins else None
        if result is None or result.status:
            raise Damaged(f"{place} is not a git bundle, or its beginning is missing")
        return refs.listed(result.out, " ")

    def branch(self, git: Commands, place: RemoteUrl) -> str:
        return ""

    def fetch(self, git: Commands, place: RemoteUrl, refspecs: Sequence[str]) -> None:
        _fetch(git, place, refspecs)

    def push(self, git: Commands, remote: Remote) -> PushedRefs:
        """Write the bundle, unless the one that is there holds the same."""
        path = path_of(remote.place)
        expect_complete(git)
        _expect_plain(path)
        theirs = self.heads(git, remote.place)
        expect_kept(git, remote, theirs)
        if theirs == ours(git) and is_whole(path):
            return PushedRefs(refs.under(git, BRANCHES), restore_txt.write(path))
        with written(git, path) as (draft, held):
            expect_kept(git, remote, self.heads(git, remote.place))  # it may have come meanwhile
            put(draft, path)
        return PushedRefs(branches_in(held), restore_txt.write(path), changed=new_in(held, theirs))

    def encrypted(self, place: RemoteUrl) -> RemoteUrl | None:
        return replace(place, url=place.url + ENCRYPTED, given=place.given + ENCRYPTED)

    def encrypted_to(self, git: Commands, place: RemoteUrl) -> Sequence[str]:
        return ()


def branches_in(held: Mapping[str, str]) -> dict[str, str]:
    """Return the branches among the refs of a bundle."""
    return {r.removeprefix(BRANCHES): i for r, i in held.items() if r.startswith(BRANCHES)}


def new_in(held: Mapping[str, str], before: Mapping[str, str]) -> list[str]:
    """Return the refs of a bundle that the one before had not, or had at something else."""
    return [ref for ref, ident in held.items() if before.get(ref) != ident]


def expect_complete(git: Commands) -> None:
    """Raise GitbackupError for a shallow clone."""
    if text(git.run("rev-parse", "--is-shallow-repository")).strip() == "true":
        raise GitbackupError(
            f"{git.folder} is a shallow clone, which lacks older commits, so it"
            " cannot be bundled; `git fetch --unshallow` fetches them"
        )


def _expect_plain(path: Path) -> None:
    """Raise UsageError if a folder has encrypted bundles: no plain one is written beside them."""
    there = sorted(path.parent.glob(f"*{SUFFIX}{ENCRYPTED}"))
    if there:
        keys = wording.option("--encrypt-to KEY or --passphrase", "keys")
        raise UsageError(
            f"{path.parent} has an encrypted bundle ({there[0].name}), so nothing was written there"
            f" in plain: encrypt this one too, with {keys}, or push to"
            " another folder"
        )


def path_of(place: RemoteUrl) -> Path:
    if place.path is None:
        raise ValueError(place)
    return place.path


def _fetch(
    git: Commands, place: RemoteUrl, refspecs: Sequence[str], more: Sequence[str] = ()
) -> None:
    """Fetch from a file: no setting of the user's concerns it, nor of the repository's; `more` are
    those of this fetch alone."""
    check_word(place.url)
    path = path_of(place).absolute()  # git knows no bundle by a file:// URL
    words = [*more, *fetch_words(str(path), refspecs)]
    result = git.attempt(*words, environment=_A_FILE | _as_it_is(path))
    if result.status and Bundle().handles(place) and not is_whole(path):
        raise Damaged(
            f"the bundle {place} is not complete ({failure('fetch', result)}); if a"
            " cloud drive is still copying it, wait and try again"
        )
    if result.status:
        raise unreachable(place, "fetch", result)


def _as_it_is(path: Path) -> dict[str, str]:
    """Return the environment in which git takes this path literally, whatever `url.*.insteadOf`
    says."""
    if "\n" in str(path):  # no setting has such a name
        return {}
    return {
        "GIT_CONFIG_COUNT": "1",
        "GIT_CONFIG_KEY_0": f"url.{path}.insteadOf",
        "GIT_CONFIG_VALUE_0": str(path),
    }


def ours(git: Commands) -> dict[str, str]:
    """Return the refs that a bundle of ours has."""
    head = refs.head(git)
    travelling = (BRANCHES, "refs/tags/", NOTES, settings_ref.REF)
    every = {f"refs/{name}": ident for name, ident in refs.under(git, "refs/").items()}
    kept = {ref: ident for ref, ident in every.items() if ref.startswith(travelling)}
    return ({"HEAD": head} if head else {}) | kept


def expect_kept(git: Commands, remote: Remote, theirs: Mapping[str, str]) -> None:
    """Raise GitbackupError if the bundle that is there has commits that ours would not hold."""
    kept, rewritten = set(ours(git).values()), rewrite.known(git)
    now = {ref: rewritten.get(ident, ident) for ref, ident in theirs.items()}
    if lost := {ref: ident for ref, ident in now.items() if _beyond(git, ident, kept)}:
        pull = wording.command("pull", "pull()")
        called = {settings_ref.REF: "settings"}
        names = [called.get(r, r.removeprefix(BRANCHES)) for r in lost if r != "HEAD"]
        if not names:
            raise GitbackupError(
                f"{remote} has commits of a detached HEAD that are not here, so it was"
                f" not changed: {pull} fetches them, and then git -C"
                f" {git.folder} branch NAME {lost['HEAD'][:7]} creates a branch for"
                " them"
            )
        raise GitbackupError(
            f"{remote} has commits that are not here ({', '.join(names)}), pushed from"
            f" elsewhere, so it was not changed: {pull} fetches them. If it"
            " belongs to another database, push to another file name in that folder"
        )


def _beyond(git: Commands, ident: str, kept: Collection[str]) -> bool:
    """Return whether some commit of a ref is in none of those kept; or is not here at all."""
    if ident in kept:
        return False
    missing = git.attempt("cat-file", "-e", ident).status
    return bool(missing or refs.count_beyond(git, ident, kept))


@contextmanager
def written(git: Commands, path: Path) -> Iterator[tuple[Path, dict[str, str]]]:
    """Yield a new bundle of all branches, tags and notes, beside `path` in its folder.

    Gives its path and its refs, proved. It goes with the context, unless it was moved.
    Raises GitbackupError if it cannot be written, Damaged where our objects are.
    """

    def create(file: BinaryIO) -> GitProcess:
        # `git bundle create` leaves out a ref whose name could mean another one, too
        lines = [f"{ident} {ref}\n" for ref, ident in ours(git).items()]
        head = _HEADERS[0] + "".join(lines).encode("utf-8", "surrogateescape") + b"\n"
        file.write(head)
        process = git.start("pack-objects", "--quiet", "--stdout", "--revs", "--delta-base-offset")
        process.ask("".join(f"{line.split()[0]}\n" for line in lines).encode())
        shutil.copyfileobj(process.stdout, file, 1 << 20)
        return process

    with drafted(path, create) as (draft, process):
        result = process.finish()
        if result.status:
            raise failure("pack-objects", result)
        yield draft, _prove(git, draft)


@contextmanager
def drafted(path: Path, write: Callable[[BinaryIO], T]) -> Iterator[tuple[Path, T]]:
    """Yield the path of a new file in the folder of `path`, synced to the disk, and what `write`
    returned, which has filled it. The file is removed after the block, unless it was moved."""
    with file_errors("write the bundle"):
        sweep(path.parent, prefix := f"~{path.stem}-")
        handle, name = tempfile.mkstemp(DRAFT, prefix, path.parent)
    draft = Path(name)
    try:
        with file_errors("write the bundle"), os.fdopen(handle, "wb") as file:
            done = write(cast("BinaryIO", file))
            file.flush()
            os.fsync(file.fileno())
        yield draft, done
    finally:
        draft.unlink(missing_ok=True)


def put(draft: Path, path: Path) -> None:
    """Give a bundle that is whole its name."""
    with file_errors("move the bundle to its place"):
        draft.replace(path)
        sync_folder(path.parent)


def _prove(git: Commands, bundle: Path) -> dict[str, str]:
    """Fetch all of a bundle into an empty repository; return its refs, with all of their history.

    That is more than `git bundle verify` does, which reads the first lines only. Raises
    Damaged where something is missing.
    """
    with _emptied(git) as empty:
        place = RemoteUrl(str(bundle))
        _fetch(empty, place, ["+refs/*:refs/proof/*", "+HEAD:refs/proof/HEAD"], _FLEETING)
        found = refs.under(empty, "refs/proof/")
    return {_named(name): ident for name, ident in found.items()}


def _named(name: str) -> str:
    return name if name == "HEAD" else f"refs/{name}"


@contextmanager
def _emptied(git: Commands) -> Iterator[Commands]:
    """Yield an empty temporary repository on the same disk as ours."""
    home = git.git_dir / "gitbackup"
    with file_errors("make a folder to verify the bundle in"):
        for left in home.glob(_PROOF + "*"):
            shutil.rmtree(left, ignore_errors=True)
        folder = tempfile.TemporaryDirectory(prefix=_PROOF, dir=home)
    with folder as name:
        empty = Commands(Path(name) / ".git", Path(name))
        empty.run("init", "--quiet", "--template=", "--object-format=sha1")
        yield empty


def _is_bundle_file(path: Path) -> bool:
    """Return whether a file begins as git's bundles do: with one of two lines, and some of refs."""
    with path.open("rb") as file:
        return _is_past_head(file)


def _is_past_head(file: BinaryIO) -> bool:
    """Read the lines at the beginning of a bundle, up to an empty one; False if none is one."""
    if file.read(len(_HEADERS[0])) not in _HEADERS:
        return False
    while (line := file.readline(_LONGEST_LINE)) not in (b"\n", b""):
        if not line.endswith(b"\n"):
            return False
    return True


def is_whole(path: Path) -> bool:
    """Return whether a bundle is complete: whether its pack has the checksum at its end."""
    with file_errors("read the bundle"), path.open("rb") as file:
        if not _is_past_head(file):
            return False
        left = path.stat().st_size - file.tell() - _TRAILER
        found = hashlib.sha1(usedforsecurity=False)
        while left > 0 and (piece := file.read(min(left, 1 << 20))):
            found.update(piece)
            left -= len(piece)
        return file.read() == found.digest()


def _only_bundle(folder: Path) -> Path:
    found = sorted([*folder.glob("*" + SUFFIX), *folder.glob("*" + SUFFIX + ENCRYPTED)])
    if len(found) == 1:
        return found[0]
    if found:
        names = ", ".join(file.name for file in found)
        raise UsageError(f"{folder} contains more than one bundle; name one of them: {names}")
    raise UsageError(f"{folder} is not a git repository, and contains no {SUFFIX} file")
