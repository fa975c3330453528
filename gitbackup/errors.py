"""Every error that gitbackup raises, each with the exit code its caller can act on."""

from __future__ import annotations

from typing import Self

AGAIN = "run the command again"  # how the sentence of a lost connection ends


class GitbackupError(Exception):
    """The base of all: one clear sentence that says what to do. Exit code 1, failed."""

    exit_code = 1

    def reworded(self, sentence: str) -> Self:
        """Return this error with another sentence; what else it tells is the same."""
        other = type(self).__new__(type(self), sentence)
        other.__dict__.update(self.__dict__)
        return other


class UsageError(GitbackupError):
    """What was asked for makes no sense: a bad URL, a commit-ish that names nothing."""

    exit_code = 2


class Ambiguous(UsageError):
    """The words of an interrupted restore meant the commit `then`, and mean `now` by now."""

    def __init__(self, sentence: str, then: str, now: str) -> None:
        super().__init__(sentence)
        self.then = then
        self.now = now


class ReadOnly(UsageError):
    """What was asked for would change the data repository or the server; it was opened so that it
    cannot."""

    def __init__(
        self,
        sentence: str = "opened read-only: neither the data repository nor the server is changed",
    ) -> None:
        super().__init__(sentence)


class PartlyDone(GitbackupError):
    """The work was done but for the keys that the message names."""

    exit_code = 3


class MostKeysRemoved(GitbackupError):
    """The commit was made, and it removed most of the keys: an alarm."""

    exit_code = 4


class NoRepository(GitbackupError):
    """There is no data repository, or the folder has another git repository."""

    exit_code = 10


class Busy(GitbackupError):
    """Another run holds the data repository, or moved it meanwhile; run again."""

    exit_code = 11


class ServerError(GitbackupError):
    """The server cannot be reached, does not let us in, or refuses a command."""

    exit_code = 12


class Forbidden(ServerError):
    """The user may not run a command."""


class ForbiddenKey(ServerError):
    """The user may not read or write a key."""


class NoDatabase(ServerError):
    """The server does not have the database `db`."""

    def __init__(self, sentence: str, db: int) -> None:
        super().__init__(sentence)
        self.db = db


class PasswordNeeded(ServerError):
    """The server wants a password, and was given none."""


class Damaged(GitbackupError):
    """The repository's data are damaged, or of a newer format."""

    exit_code = 13


class TooLarge(Damaged):
    """What the repository holds has more bytes than may be read."""


class NewerFormat(Damaged):
    """The data are of a format that a newer gitbackup writes: upgrade."""
