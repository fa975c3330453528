"""The key file beside a bundle: NAME.key.age, a key that a passphrase opens.

What was made here, or opened here, is kept in the git directory, too. So a push needs no
passphrase, and a key file that is lost from the folder comes back.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from gitbackup import wording
from gitbackup.errors import GitbackupError, UsageError
from gitbackup.model.encryption import AskPassphrase
from gitbackup.store.encryption import age
from gitbackup.store.git.command import file_errors
from gitbackup.system.atomic_file import new_file, replace_file

SUFFIX = ".key.age"
_KEPT = "gitbackup/keys"
"""The folder in the git directory: each file there is named for its public key."""


def beside(bundle: Path) -> Path:
    """Return the path of the key file of a bundle."""
    return bundle.with_name(bundle.name.removesuffix(".age").removesuffix(".bundle") + SUFFIX)


def public_key(git_dir: Path, path: Path, ask: AskPassphrase | None) -> str:
    """Return the public key of the key file at `path`, which is made if there is none.

    `ask` returns the passphrase. Raises UsageError if there is none, or it does not open the file.
    """
    if ask is None:
        given = wording.option("--passphrase-file FILE", "passphrase")
        raise UsageError(f"no passphrase: name a file that has it with {given}")
    if path.is_file():
        recipient = age.public_key(path, ask(str(path), False))
        content = age.read_key(path)
    else:
        content, recipient = age.new_key(ask(str(path), True))
    keep(git_dir, content, recipient)
    return recipient


def keep(git_dir: Path, content: bytes, recipient: str) -> None:
    """Keep what a key file has in the git directory; `recipient` is its public key."""
    with file_errors("keep the key"):
        folder = git_dir / _KEPT
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    with new_file(folder / recipient) as file:
        file.write(content)


def put(git_dir: Path, bundle: Path, to: Sequence[str]) -> str:
    """Put the key file that is kept here beside the bundle, if it is gone from there; return its
    public key, empty if the bundle is encrypted to none of a passphrase.

    Raises GitbackupError if another one is there: the passphrase would not open the bundle.
    """
    path = beside(bundle)
    kept = [each for each in to if each.isalnum() and (git_dir / _KEPT / each).is_file()]
    if not kept:
        return ""
    content = age.read_key(git_dir / _KEPT / kept[-1])
    if not path.is_file():
        with file_errors("write the key file"):
            replace_file(path, content)
    elif age.read_key(path) != content:
        anew = wording.command("push --passphrase", "push()")
        raise GitbackupError(
            f"{path} is not the key file that {bundle.name} is encrypted to: {anew}"
            " encrypts it to the one that is there"
        )
    return kept[-1]
