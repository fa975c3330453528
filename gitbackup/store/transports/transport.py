"""What a kind of remote has to do: the protocol of each module that is in `transports`."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import NamedTuple, Protocol

from gitbackup.store.git.command import Commands
from gitbackup.store.transports.remote_url import Remote, RemoteUrl


class PushedRefs(NamedTuple):
    """What a push did: the branches that the remote has now, and their ids; sentences that warn;
    why it did not take all, empty if it did; the public keys that it is encrypted to; and which
    refs the remote has anew."""

    branches: Mapping[str, str]
    warnings: Sequence[str] = ()
    refused: str = ""
    encrypted_to: Sequence[str] = ()
    changed: Sequence[str] = ()


class Transport(Protocol):
    """A kind of place that a history is pushed to and fetched from."""

    fetches_detached: bool
    """Whether a pull gets the commits of a detached HEAD, which are on no branch there."""

    def handles(self, place: RemoteUrl) -> bool:
        """Return whether a place is of this kind."""

    def target(self, path: Path, word: str, name: str) -> str | None:
        """Return the URL to push to that a person means by `word`; None if it is not this kind.

        `path` is the word as a path, and `name` that of the repository's folder.
        """

    def source(self, path: Path, word: str) -> str | None:
        """Return the URL to clone from that a person means; None if it is not this kind."""

    def is_in(self, place: RemoteUrl, folder: Path) -> bool:
        """Return whether a person who names this folder means the place."""

    def expect(self, git: Commands, place: RemoteUrl) -> None:
        """Raise UsageError if it can be told without a fetch that there is nothing to get."""

    def heads(self, git: Commands, place: RemoteUrl) -> dict[str, str]:
        """Return every ref that a place has, HEAD among them, and its id.

        Raises GitbackupError if it cannot be read.
        """

    def branch(self, git: Commands, place: RemoteUrl) -> str:
        """Return the full name of the branch that HEAD is on there; empty for unknown."""

    def fetch(self, git: Commands, place: RemoteUrl, refspecs: Sequence[str]) -> None:
        """Get refs, and all that they hold; git checks that it is all there and whole.

        Raises Damaged if what is there is not whole, GitbackupError where fetching fails: a
        full disk is no damage.
        """

    def push(self, git: Commands, remote: Remote) -> PushedRefs:
        """Push all branches, tags and notes, none by force.

        Raises GitbackupError if the place cannot be reached, or is left as it was.
        """

    def encrypted(self, place: RemoteUrl) -> RemoteUrl | None:
        """Return where the encrypted copy is, or would be, of what is pushed to a place; None for
        a kind that cannot be encrypted."""

    def encrypted_to(self, git: Commands, place: RemoteUrl) -> Sequence[str]:
        """Return the public keys that what was fetched last is encrypted to; none if it is in
        plain, or if that cannot be told."""
