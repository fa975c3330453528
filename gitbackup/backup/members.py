"""What a Backup has besides its verbs: its repository and server, and objects for its settings,
RDB files, words, events and secrets.

Each is imported when it is asked for, as the methods of Backup do.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from gitbackup.backup.context import Context

if TYPE_CHECKING:
    from gitbackup.backup.events import Events
    from gitbackup.backup.rdb_files import RdbFiles
    from gitbackup.backup.secrets import Secrets
    from gitbackup.commit.words import Words
    from gitbackup.live.connection.connect import Server
    from gitbackup.settings import Config
    from gitbackup.store.repository.repository import Repository


class Members:
    """The base of Backup, which sets what they are about: `_context`."""

    _context: Context

    @property
    def path(self) -> Path:
        """The folder of the data repository, whether it exists yet or not."""
        return self._context.path

    @property
    def repository(self) -> Repository | None:
        """The data repository, None if there is none. Raises NoRepository for another's."""
        return self._context.repository

    @property
    def server(self) -> Server:
        """The server, connected and logged in to."""
        return self._context.server

    @property
    def insecure(self) -> bool:
        """Whether the server's certificate is not checked."""
        return self._context.address.insecure

    @property
    def config(self) -> Config:
        """The repository's settings, to read and to change."""
        from gitbackup.settings import Config

        return Config(lambda: self._context.history, self._context.url)

    @property
    def words(self) -> Words:
        """What a person says of commits afterwards: the last message anew, and notes."""
        from gitbackup.commit.words import Words

        return Words(lambda: self._context.history)

    @property
    def events(self) -> Events:
        """What follows a commit or a failure: hooks, and the push of a commit."""
        from gitbackup.backup.events import Events

        return Events(self._context)

    @property
    def secrets(self) -> Secrets:
        """What is taken out of the history, so that it is in no commit."""
        from gitbackup.backup.secrets import Secrets

        return Secrets(self._context)

    @property
    def rdb(self) -> RdbFiles:
        """The server's data as RDB files: to save, list, verify and commit."""
        from gitbackup.backup.rdb_files import RdbFiles

        return RdbFiles(self._context)
