"""What comes from elsewhere, a file or another server, and is written to a live database.

It becomes a commit that is on no branch, and that commit is restored.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass

from gitbackup.format.unprintable import hides
from gitbackup.live.connection.connect import Server
from gitbackup.model.keys import Scope
from gitbackup.plan.plan import Plan, RestoreOptions
from gitbackup.progress import Progress
from gitbackup.redact import NOT_MASKED, Redaction
from gitbackup.restore.planner import RestoreRequest
from gitbackup.restore.request import Target, unfinished
from gitbackup.restore.restore import Confirm, Restorer, See, Tell
from gitbackup.restore.result import RestoreResult
from gitbackup.store.repository.repository import Repository
from gitbackup.store.repository.restore_journal import JournalEntry
from gitbackup.store.repository.scratch import scratch


@dataclass(frozen=True, slots=True)
class Destination:
    """Where an import or a copy goes: the server, and what it is to the data repository.

    `repository` is None if there is none yet, and `make` makes it. `scope`, `home` and
    `skip_unsupported` and `redaction` are as for a Restorer.
    """

    repository: Repository | None
    make: Callable[[], Repository]
    server: Server
    scope: Scope
    home: bool
    progress: Progress
    skip_unsupported: bool = False
    redaction: Redaction = NOT_MASKED


class Incoming(ABC):
    """An import or a copy, to plan or to carry out.

    `name` is that of the file, or of the server if it is `copied` from one. `asked` are the words
    by which the same one is known if it was cut off.
    """

    copied = False

    def __init__(
        self,
        name: str,
        asked: str,
        how: RestoreOptions,
        place: Destination,
        warnings: Sequence[str],
    ) -> None:
        self.warnings = tuple(warnings)
        self._name = name
        self._asked = asked
        self._how = how
        self._place = place
        self._unfinished = self._note(place.repository)

    def __repr__(self) -> str:
        return f"<{type(self).__name__} of {self._name}>"

    @property
    def resumes(self) -> bool:
        """Whether it continues one that was cut off."""
        return self._unfinished is not None

    def plan(self, see: See | None = None) -> Plan:
        """Return the plan, which warns of what the server would refuse. Nothing is written.

        It is passed to `see` while its `differences` can be looked at.
        """
        with scratch(self._place.repository) as repository:
            return self._restorer(repository, self._record(repository)).plan(see)

    def run(self, confirm: Confirm, tell: Tell | None = None) -> RestoreResult:
        """Pass the plan to `confirm`, carry it out if that returns true, and return what was done.

        The result is passed to `tell`, too. The data repository is made if there is none. Raises
        what a restore does; the same one, run again, then finishes.
        """
        if self._place.repository is None:
            answers: list[bool] = []
            plan = self.plan(lambda plan: answers.append(bool(plan.keys) and confirm(plan)))
            if not all(answers):
                return RestoreResult(plan, applied=False)
            confirm = _confirmed
        repository = self._place.repository or self._place.make()
        if begun := self._begun():
            return self._restorer(repository, begun).run(confirm, tell)
        with self._recorded(repository) as commit:
            return self._restorer(repository, commit).run(confirm, tell)

    @abstractmethod
    def _record(self, repository: Repository) -> str:
        """Make the commit, which is held though no branch has it, and return its id."""

    def _begun(self) -> str | None:
        """Return the commit of the one that was cut off, if it is to be continued with that."""
        return None

    @contextmanager
    def _recorded(self, repository: Repository) -> Iterator[str]:
        """Make the commit, and keep it only if it has begun to be written: then it can be
        finished, and undone."""
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
        request = RestoreRequest(
            commit, self._how, self._asked, note, name=self._name, copied=self.copied
        )
        at = repository, place.server, request, place.scope, place.home, place.progress
        return Restorer(*at, skip_unsupported=place.skip_unsupported, redaction=place.redaction)

    def _note(self, repository: Repository | None) -> JournalEntry | None:
        if repository is None:
            return None
        server = self._place.server
        target = Target(server.label, self._place.home, lambda: server.node_ids)
        return unfinished(repository, self._asked, target)


def visible(name: str) -> str:
    """Return a name with ? for each character that could not be seen."""
    return "".join("?" if hides(character) else character for character in name)


def _confirmed(_: Plan) -> bool:
    return True
