"""An encrypted bundle: NAME.bundle.age, which `age -d` turns into the bundle that git reads.

The bundle is written and proved on the disk of the repository. Only its encrypted form gets into
the folder that was named. A push needs the public keys alone: what it wrote last it knows again by
its SHA-256, and so knows which commits the file there has. A file that somebody else has written is
opened with a private key, or nothing is changed.
"""

from __future__ import annotations

import hashlib
import json
import shutil
import tempfile
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, BinaryIO, cast

from gitbackup import wording
from gitbackup.errors import Damaged, GitbackupError, UsageError
from gitbackup.store.encryption import age, key_file
from gitbackup.store.git.command import Commands, file_errors
from gitbackup.store.transports import restore_txt
from gitbackup.store.transports.bundle import (
    ENCRYPTED,
    Bundle,
    branches_in,
    drafted,
    expect_complete,
    expect_kept,
    new_in,
    ours,
    path_of,
    put,
    written,
)
from gitbackup.store.transports.bundle import SUFFIX as PLAIN
from gitbackup.store.transports.remote_url import Remote, RemoteUrl, followed
from gitbackup.store.transports.transport import PushedRefs
from gitbackup.system.atomic_file import STALE, new_file

SUFFIX = PLAIN + ENCRYPTED
_KNOWN = "gitbackup/encrypted.json"
DECRYPTED = "decrypted-"
"""How the folders begin, in the repository's, in which bundles are in plain for a while."""


class EncryptedBundle:
    """A path that ends in .bundle.age, or a file that age has encrypted."""

    fetches_detached = True

    def handles(self, place: RemoteUrl) -> bool:
        path = place.path
        if path is None or path.is_dir():
            return False
        with file_errors("read the bundle"):
            return path.name.endswith(SUFFIX) or (path.is_file() and age.is_encrypted(path))

    def target(self, path: Path, word: str, name: str) -> str | None:
        """Return the path of the bundle to push to; of a folder, only if it has an encrypted bundle
        of that name."""
        if path.is_dir():
            there = followed(path) / (name + SUFFIX)
            return str(there) if there.is_file() else None
        if path.name.endswith(SUFFIX) and path.parent.is_dir():
            return str(followed(path.parent) / path.name)
        return None

    def source(self, path: Path, word: str) -> str | None:
        return None  # as that of a bundle

    def is_in(self, place: RemoteUrl, folder: Path) -> bool:
        return path_of(place).parent.resolve() == folder

    def expect(self, git: Commands, place: RemoteUrl) -> None:
        if not _is_there(place):
            raise UsageError(f"there is no bundle {place}")

    def heads(self, git: Commands, place: RemoteUrl) -> dict[str, str]:
        """Return the refs of the bundle; none if the file does not exist yet. It is decrypted
        unless it is the one that was pushed or fetched last."""
        if not _is_there(place):
            return {}
        if known := _known(git, path_of(place)):
            return dict(known["refs"])
        with _decrypted(git, place) as plain:
            return Bundle().heads(git, plain)

    def branch(self, git: Commands, place: RemoteUrl) -> str:
        return ""

    def fetch(self, git: Commands, place: RemoteUrl, refspecs: Sequence[str]) -> None:
        with _decrypted(git, place) as plain, _naming(plain, place):
            Bundle().fetch(git, plain, refspecs)

    def push(self, git: Commands, remote: Remote) -> PushedRefs:
        """Write the bundle, unless the one that is there holds the same for the same keys.

        A plain bundle of the same name is removed: all that it has is in the encrypted one.
        """
        place, path = remote.place, path_of(remote.place)
        expect_complete(git)
        before = self._expect_kept(git, remote)
        to = _recipients(git, place)
        known = _known(git, path)
        held: Mapping[str, str] = ours(git)
        if not known or known["refs"] != held or known.get("to") != [*to]:
            with _aside(git) as folder, written(git, folder / path.stem) as (plain, held):
                _write(git, remote, plain, held, to)
        by_key = key_file.put(git.git_dir, path, to)
        warnings = [*_replaced(path), *restore_txt.write(path, to, key_file.beside(path), by_key)]
        changed = new_in(held, before)
        return PushedRefs(branches_in(held), warnings, encrypted_to=to, changed=changed)

    def encrypted(self, place: RemoteUrl) -> RemoteUrl | None:
        return place

    def encrypted_to(self, git: Commands, place: RemoteUrl) -> Sequence[str]:
        known = _known(git, path_of(place)) or {}
        return known.get("to") or ()

    def _expect_kept(self, git: Commands, remote: Remote) -> Mapping[str, str]:
        """Raise GitbackupError if the bundle there, or the plain one, has what is not here; return
        the refs that the place has."""
        try:
            theirs = self.heads(git, remote.place)
            expect_kept(git, remote, theirs)
        except UsageError as error:
            raise error.reworded(
                f"{error}. Nothing was pushed: it is not the file that was pushed from here last,"
                " so it must be opened to see whether it has commits that are not here"
            ) from None
        plain = Bundle().heads(git, RemoteUrl(str(_plain_beside(remote.place))))
        expect_kept(git, remote, plain)
        return theirs or plain


def _is_there(place: RemoteUrl) -> bool:
    """Return whether there is a file. Raises UsageError if there is no folder or no file."""
    path = path_of(place)
    if not path.parent.is_dir():
        raise UsageError(f"no folder for {place}; if it is on a disk, is the disk mounted?")
    if path.exists() and not path.is_file():
        raise UsageError(f"{place} is neither a file nor a folder")
    return path.exists()


def _plain_beside(place: RemoteUrl) -> Path:
    return path_of(place).with_name(path_of(place).name.removesuffix(ENCRYPTED))


def _recipients(git: Commands, place: RemoteUrl) -> tuple[str, ...]:
    """Return the public keys to encrypt to. Raises UsageError if there is none."""
    keys, path = place.keys, path_of(place)
    for word in keys.recipients:
        age.check_recipient(word)
    found = [*keys.recipients]
    if keys.by_passphrase:
        found.append(key_file.public_key(git.git_dir, key_file.beside(path), keys.passphrase))
    if not found:
        key, word = wording.option("--encrypt-to KEY", "recipients"), wording.option("--passphrase")
        raise UsageError(
            f"{path} is encrypted, and no key is known here to encrypt to: name it with"
            f" {key} or the setting encrypt-to, or encrypt with {word}"
        )
    return tuple(dict.fromkeys(found))


def _write(
    git: Commands, remote: Remote, plain: Path, held: Mapping[str, str], to: Sequence[str]
) -> None:
    """Encrypt a bundle into the folder, read it back, and give it its name."""
    path = path_of(remote.place)
    with drafted(path, lambda file: age.encrypt(plain, to, file)) as (draft, digest):
        if _sha256(draft) != digest:
            raise GitbackupError(f"what was written to {path.parent} reads back as something else")
        EncryptedBundle()._expect_kept(git, remote)  # it may have come meanwhile
        key_file.put(git.git_dir, path, to)
        put(draft, path)
    _remember(git, path, digest, held, to)


def _replaced(path: Path) -> list[str]:
    """Remove the plain bundle that the encrypted one replaces; return what to warn of."""
    plain = path.with_name(path.name.removesuffix(ENCRYPTED))
    if plain == path or not plain.is_file():
        return []
    with file_errors("remove the plain bundle"):
        plain.unlink()
    return [
        f"removed the plain bundle {plain}, which the encrypted one replaces; a cloud drive or a"
        " backup of that folder may keep older versions of it"
    ]


@contextmanager
def _decrypted(git: Commands, place: RemoteUrl) -> Iterator[RemoteUrl]:
    """Yield the bundle decrypted, in a private temporary folder of the repository."""
    path = path_of(place)
    with file_errors("read the bundle"):
        if not age.is_encrypted(path):
            raise Damaged(
                f"{path} is not encrypted, though its name says so: it is not the file that"
                " gitbackup wrote, so it was not used"
            )
    identities = age.identities_of(place.keys, key_file.beside(path), path)
    with _aside(git) as folder:
        plain = folder / "history.bundle"
        with file_errors("write the decrypted bundle"), plain.open("wb") as file:
            digest = age.decrypt(path, identities, cast("BinaryIO", file))
        opened = RemoteUrl(str(plain))
        with _naming(opened, place):
            held = Bundle().heads(git, opened)
        key = age.only_key(path, identities)
        if key and not place.keys.identities:
            key_file.keep(git.git_dir, age.read_key(key_file.beside(path)), key)
        _remember(git, path, digest, held, (key,) if key else None)
        yield opened


@contextmanager
def _naming(plain: RemoteUrl, place: RemoteUrl) -> Iterator[None]:
    """Name the encrypted bundle in errors, not the one in plain."""
    try:
        yield
    except GitbackupError as error:
        raise error.reworded(str(error).replace(str(plain), str(place))) from error


@contextmanager
def _aside(git: Commands) -> Iterator[Path]:
    """Yield a private temporary folder on the disk of the repository."""
    home = git.git_dir / "gitbackup"
    with file_errors("make a folder for the bundle"):
        home.mkdir(mode=0o700, exist_ok=True)
        for left in home.glob(DECRYPTED + "*"):
            if time.time() - left.stat().st_mtime > STALE:
                shutil.rmtree(left, ignore_errors=True)
        folder = tempfile.TemporaryDirectory(prefix=DECRYPTED, dir=home)
    with folder as name:
        yield Path(name)


def _known(git: Commands, path: Path) -> dict[str, Any] | None:
    """Return what is known of the file that is there, `refs` and perhaps `to`; None if it is not
    the one that was pushed or fetched last."""
    known = _all_known(git).get(str(path))
    if not isinstance(known, dict) or not isinstance(known.get("refs"), dict):
        return None
    with file_errors("read the bundle"):
        return known if path.is_file() and known.get("sha256") == _sha256(path) else None


def _all_known(git: Commands) -> dict[str, Any]:
    try:
        document = json.loads((git.git_dir / _KNOWN).read_text("utf-8"))
    except (OSError, ValueError):
        return {}
    return document if isinstance(document, dict) else {}


def _remember(
    git: Commands, path: Path, digest: str, held: Mapping[str, str], to: Sequence[str] | None = None
) -> None:
    """Note the SHA-256 of a bundle, the refs that it has, and what it is encrypted to."""
    known = {name: each for name, each in _all_known(git).items() if Path(name).exists()}
    before = known.get(str(path))
    if to is None and isinstance(before, dict) and before.get("sha256") == digest:
        return
    known[str(path)] = {"sha256": digest, "refs": dict(held), "to": None if to is None else [*to]}
    with new_file(git.git_dir / _KNOWN) as file:
        file.write(json.dumps(known).encode())


def _sha256(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
