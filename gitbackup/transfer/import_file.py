"""`import`: write the contents of a file to the live database, planned and verified as a restore
is."""

from __future__ import annotations

import json
from contextlib import closing
from dataclasses import replace
from typing import BinaryIO

from gitbackup import wording
from gitbackup.commit.message import one_line
from gitbackup.errors import UsageError
from gitbackup.format import codec
from gitbackup.live.server import keyspace
from gitbackup.model.keys import FORMAT
from gitbackup.plan.plan import RestoreOptions
from gitbackup.plan.plan_json import how_object
from gitbackup.snapshot.sources import Spool
from gitbackup.store.repository.repository import Repository
from gitbackup.transfer.entries import EntriesToImport
from gitbackup.transfer.export_reader import read
from gitbackup.transfer.incoming import Destination, Incoming, visible


def begin(
    file: BinaryIO, name: str, how: RestoreOptions, place: Destination, encoding: str | None = None
) -> Importing:
    """Read and check a whole file; `encoding` is as for `export_reader.read`.

    Raises UsageError, naming line and key, for a file that cannot be read as it stands.
    """
    with closing(place.server.dial()) as connection:
        now = keyspace.clock(connection)
    name = visible(name)
    return Importing(read(file, name, now, Spool(), encoding), name, how, place)


class Importing(Incoming):
    """The import of a file called `name`, to plan or to carry out."""

    def __init__(
        self, dump: EntriesToImport, name: str, how: RestoreOptions, place: Destination
    ) -> None:
        how = _narrowed(dump, how)
        asked = json.dumps(["import", dump.digest(), how_object(how)])
        super().__init__(name, asked, how, place, dump.warnings)
        self._dump = dump

    def _begun(self) -> str | None:
        return self._unfinished.commit if self._unfinished else None

    def _record(self, repository: Repository) -> str:
        message = f"import of {one_line(self._name)}\n\nFormat: {FORMAT}\nTaken-At: "
        with repository.lock(), repository.commit_writer(None) as writer:
            files = {path: writer.blob(content) for path, content in self._dump.files()}
            commit = writer.commit(message + f"{codec.instant(self._dump.taken_at)}\n", files)
            writer.hold()
        return commit


def _narrowed(dump: EntriesToImport, how: RestoreOptions) -> RestoreOptions:
    """Return the options, narrowed by the file.

    Only keys that the file is a copy of can be deleted; a file that names no database goes into
    the chosen one. Raises UsageError for key globs if the file has its own, and keys are deleted.
    """
    if not dump.placed and how.databases is not None and len(how.databases) == 1:
        how = replace(how, databases=tuple((0, to) for _, to in how.databases))
    if not (how.delete and dump.patterns):
        return how
    if how.patterns:
        raise UsageError(
            "the file contains only keys that match"
            f" {' '.join(map(repr, dump.patterns))}: with"
            f" {wording.option('--delete')}, give no key globs"
        )
    return replace(how, patterns=dump.patterns)
