"""`import`: what a file holds goes into the live database, planned and proved as a restore is.

The file's entries become a commit that no branch has, and that is what is restored.
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

    `repository` is None where there is none yet, and `make` makes it. `scope` and `home` are as
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
    """Reads and checks a whole file; `encoding` is as for exported.read().

    Raises UsageError, naming line and key, for one that cannot be read as it stands.
    """
    with closing(place.server.dial()) as connection:
        now = keyspace.clock(connection)
    name = "".join("?" if hides(character) else character for character in name)
    return Importing(read(file, name, now, Spool(), encoding), name, how, place)


class Importing:
    """The import of a file called `name`, to be planned or carried out."""

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
        """Whether it goes on with an import that was cut off."""
        return self._unfinished is not None

    def plan(self) -> Plan:
        """The plan alone; nothing is written anywhere. It warns of what the server would refuse."""
        with scratch(self._place.repository) as repository:
            return self._restorer(repository, self._record(repository)).plan()

    def run(self, confirm: Confirm, tell: Tell | None = None) -> RestoreResult:
        """Gives the plan to `confirm`, and where that is true carries it out.

        `tell` is given what it did. It makes the data repository where there is none. Raises
        what a restore does; the same import, run again, finishes then.
        """
        if self._place.repository is None:
            plan = self.plan()
            if not plan.keys or not confirm(plan):
                return RestoreResult(plan, applied=False)
            confirm = _yes
        repository = self._place.repository or self._place.make()
        if self._unfinished is not None:
            return self._restorer(repository, self._unfinished.commit).run(confirm, tell)
        with self._held(repository) as commit:
            return self._restorer(repository, commit).run(confirm, tell)

    @contextmanager
    def _held(self, repository: Repository) -> Iterator[str]:
        """The file as a commit, which stays only where something has come of it: then the
        import can be finished, and undone."""
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
        wanted = RestoreRequest(commit, self._how, self._asked, note, name=self._name)
        return Restorer(repository, place.server, wanted, place.scope, place.home, place.progress)

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
    """How, as far as the file settles it.

    What is not of the keys that the file is a copy of is never deleted, and what tells no
    database goes into the one that is chosen.
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


def _yes(_: Plan) -> bool:
    return True
