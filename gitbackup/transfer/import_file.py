"""`import`: write the contents of a file to the live database, planned and verified as a restore.

The file's entries become a commit that is on no branch, and that commit is restored.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass, replace
from typing import BinaryIO

from gitbackup.commit.message import one_line
from gitbackup.errors import UsageError
from gitbackup.format import codec
from gitbackup.format.unprintable import hides
from gitbackup.live.connection.connect import Server
from gitbackup.live.server import keyspace
from gitbackup.model.keys import FORMAT, Scope
from gitbackup.plan.plan import Plan, RestoreOptions
from gitbackup.plan.plan_json import how_object
from gitbackup.progress import Progress
from gitbackup.restore.planner import RestoreRequest
from gitbackup.restore.request import Target, unfinished
from gitbackup.restore.restore import Confirm, Restorer, Tell
from gitbackup.restore.result import RestoreResult
from gitbackup.snapshot.sources import Spool
from gitbackup.store.repository.repository import Repository
from gitbackup.store.repository.restore_journal import JournalEntry
from gitbackup.store.repository.scratch import scratch
from gitbackup.transfer.entries import EntriesToImport
from gitbackup.transfer.export_reader import read


@dataclass(frozen=True, slots=True)
class Destination:
    """Where an import goes: the server, and what it is to the data repository.

    `repository` is None if there is none yet, and `make` makes it. `scope` and `home` are as
    for a Restorer.
    """

    repository: Repository | None
    make: Callable[[], Repository]
    server: Server
    scope: Scope
    home: bool
    progress: Progress


def begin(
    file: BinaryIO, name: str, how: RestoreOptions, place: Destination, encoding: str | None = None
) -> Importing:
    """Read and check a whole file; `encoding` is as for `export_reader.read`.

    Raises UsageError, naming line and key, for a file that cannot be read as it stands.
    """
    with closing(place.server.dial()) as connection:
        now = keyspace.clock(connection)
    name = "".join("?" if hides(character) else character for character in name)
    return Importing(read(file, name, now, Spool(), encoding), name, how, place)


class Importing:
    """The import of a file called `name`, to plan or to carry out."""

    def __init__(
        self, dump: EntriesToImport, name: str, how: RestoreOptions, place: Destination
    ) -> None:
        self.warnings = tuple(dump.warnings)
        self._dump = dump
        self._name = name
        self._place = place
        self._how = _narrowed(dump, how)
        self._asked = json.dumps(["import", dump.digest(), how_object(self._how)])
        self._unfinished = self._note(place.repository)

    @property
    def resumes(self) -> bool:
        """Whether it continues an import that was cut off."""
        return self._unfinished is not None

    def plan(self) -> Plan:
        """Return the plan, which warns of what the server would refuse. Nothing is written."""
        with scratch(self._place.repository) as repository:
            return self._restorer(repository, self._record(repository)).plan()

    def run(self, confirm: Confirm, tell: Tell | None = None) -> RestoreResult:
        """Pass the plan to `confirm`, carry it out if that returns true, and return what was done.

        The result is passed to `tell`, too. The data repository is made if there is none. Raises
        what a restore does; the same import, run again, then finishes.
        """
        if self._place.repository is None:
            plan = self.plan()
            if not plan.keys or not confirm(plan):
                return RestoreResult(plan, applied=False)
            confirm = _confirmed
        repository = self._place.repository or self._place.make()
        if self._unfinished is not None:
            return self._restorer(repository, self._unfinished.commit).run(confirm, tell)
        with self._recorded(repository) as commit:
            return self._restorer(repository, commit).run(confirm, tell)

    @contextmanager
    def _recorded(self, repository: Repository) -> Iterator[str]:
        """Make a commit of the file, and keep it only if the import has begun to write: then it
        can be finished, and undone."""
        before = repository.imported()
        commit = self._record(repository)
        head = repository.head()
        try:
            yield commit
        finally:
            note = self._note(repository)
            if note is None and repository.head() == head:
                repository.keep_imported(before)

    def _restorer(self, repository: Repository, commit: str) -> Restorer:
        place, note = self._place, self._unfinished
        request = RestoreRequest(commit, self._how, self._asked, note, name=self._name)
        return Restorer(repository, place.server, request, place.scope, place.home, place.progress)

    def _note(self, repository: Repository | None) -> JournalEntry | None:
        if repository is None:
            return None
        target = Target(self._place.server.label, self._place.home)
        return unfinished(repository, self._asked, target)

    def _record(self, repository: Repository) -> str:
        message = f"import of {one_line(self._name)}\n\nFormat: {FORMAT}\nTaken-At: "
        with repository.lock(), repository.importer(None) as importer:
            files = {path: importer.blob(content) for path, content in self._dump.files()}
            commit = importer.commit(message + f"{codec.instant(self._dump.taken_at)}\n", files)
            importer.hold()
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
            f" {' '.join(map(repr, dump.patterns))}: with --delete, give no key globs"
        )
    return replace(how, patterns=dump.patterns)


def _confirmed(_: Plan) -> bool:
    return True
