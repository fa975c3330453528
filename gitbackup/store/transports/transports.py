"""The kinds of remotes. A new kind is one module and one line in TRANSPORTS."""

from __future__ import annotations

from pathlib import Path

from gitbackup.errors import UsageError
from gitbackup.store.transports.bundle import Bundle
from gitbackup.store.transports.encrypted_bundle import EncryptedBundle
from gitbackup.store.transports.git_folder import GitFolder
from gitbackup.store.transports.git_url import GitUrl
from gitbackup.store.transports.remote_url import RemoteUrl, at_home, check_word, hidden
from gitbackup.store.transports.transport import Transport

TRANSPORTS: tuple[Transport, ...] = (
    GitFolder(),
    EncryptedBundle(),
    Bundle(),
    GitUrl(),
)
"""Each kind of remote; the first that handles a place counts."""


def of(place: RemoteUrl) -> Transport:
    """Return the kind that a place is of."""
    return next(transport for transport in TRANSPORTS if transport.handles(place))


def encrypted(place: RemoteUrl) -> RemoteUrl | None:
    """Return where the encrypted copy is, or would be, of what is pushed to a place; None for a
    git repository."""
    return of(place).encrypted(place)


def target(word: str, repository: Path) -> str:
    """Return the URL of a place to push to that a person names by folder, bundle or URL.

    `repository` is the folder that is pushed from. Raises UsageError if there is no such
    place: a folder is never made, for it may be a disk that is not mounted.
    """
    check_word(word)
    path, name = at_home(word), repository.name.removesuffix(".git")
    found = (transport.target(path, word, name) for transport in TRANSPORTS)
    return next(filter(None, found), None) or _nowhere(word)


def source(word: str) -> str:
    """Return the URL of a place to clone from. Raises UsageError if there is no such place."""
    check_word(word)
    found = (transport.source(at_home(word), word) for transport in TRANSPORTS)
    return next(filter(None, found), None) or _nowhere(word)


def _nowhere(word: str) -> str:
    raise UsageError(
        f"{hidden(word)!r} is neither a remote of the data repository, nor a URL, nor"
        " an existing folder; if it is on a disk, is the disk mounted?"
    )
