"""`copy`: write what one live server holds to another, planned and verified as a restore is."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import replace

from gitbackup import wording
from gitbackup.capture.capture import Capture, take
from gitbackup.capture.reader import SnapshotReader
from gitbackup.commit.message import compose, origin
from gitbackup.commit.warnings import doubts
from gitbackup.errors import UsageError
from gitbackup.format.patterns import may_name_library
from gitbackup.live.connection.connect import Server
from gitbackup.live.server.keyspace import runs
from gitbackup.model.keys import Scope
from gitbackup.plan.plan import RestoreOptions
from gitbackup.plan.plan_json import how_object
from gitbackup.snapshot.sources import CommitSource, Spool
from gitbackup.store.repository.repository import Repository
from gitbackup.transfer.incoming import Destination, Incoming, visible


def pairs(
    databases: Mapping[int, int] | None, source: int | None, target: int | None
) -> tuple[tuple[int, int], ...] | None:
    """Return which of the source's databases go into which of the target's; None for all.

    `source` and `target` are those that the URLs name; `databases` counts instead, if given.
    Raises UsageError if these leave open what goes where.
    """
    if databases is not None:
        if len({*databases.values()}) < len(databases):
            raise UsageError("two databases cannot be copied into the same one")
        return tuple(sorted(databases.items()))
    if source is None and target is not None:
        raise UsageError(
            f"the target's URL names database {target}, but the source's names none: name one"
            f" there, too, or give {wording.option(f'--db N:{target}', 'databases')}"
        )
    if source is None:
        return None
    return ((source, source if target is None else target),)


def begin(source: Server, how: RestoreOptions, place: Destination) -> Copying:
    """Read what is to be copied: all keys that `how` chooses, also those that the repository's
    settings exclude.

    Raises UsageError if a database would be copied onto itself.
    """
    _expect_apart(source, place.server, how)
    chosen = None if how.databases is None else tuple(of for of, _ in how.databases)
    with_functions = chosen is None and may_name_library(how.patterns)
    scope = Scope(chosen, how.patterns, functions=with_functions)
    place = replace(place, scope=how.scope(scope))
    live, spool = SnapshotReader(source, scope, place.progress), Spool()
    capture = take(live, CommitSource(None, None), Repository.blob_id, spool)
    return Copying(capture, spool, how, place)


class Copying(Incoming):
    """A copy of what was read, to plan or to carry out.

    Whether it was cut off is known by the two servers and the options. The next run copies what
    the source holds by then.
    """

    copied = True

    def __init__(
        self, capture: Capture, spool: Spool, how: RestoreOptions, place: Destination
    ) -> None:
        source = capture.live.server
        asked = json.dumps(["copy", source.label, how_object(how)])
        super().__init__(visible(str(source)), asked, how, place, doubts(capture))
        self._capture = capture
        self._spool = spool

    def _record(self, repository: Repository) -> str:
        capture = self._capture
        message = compose(f"copy of {self._name}", capture.summary, origin(capture))
        with repository.lock(), repository.commit_writer(None) as writer:
            for path in capture.fresh:
                writer.blob(self._spool.read(capture.files[path]))
            commit = writer.commit(message, capture.files)
            writer.hold()
        return commit


def _expect_apart(source: Server, target: Server, how: RestoreOptions) -> None:
    if how.databases is not None and not any(of == to for of, to in how.databases):
        return
    if source.label == target.label or not runs(source).isdisjoint(runs(target)):
        raise UsageError("the source and the target are the same server: name another one")
