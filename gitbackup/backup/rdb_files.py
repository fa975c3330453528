"""`Backup.rdb`: RDB files, for any Python program.

Each method imports what it needs when it is called, as those of Backup do.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from gitbackup import wording
from gitbackup.backup.context import Context
from gitbackup.errors import UsageError
from gitbackup.model.server.rdb import RdbListed, RdbSaved, RdbVerified
from gitbackup.model.ttl import Ttl

if TYPE_CHECKING:
    from gitbackup.commit.commit import CommitResult
    from gitbackup.plan.plan import Plan
    from gitbackup.rdb.import_as_branch import RdbAdopted, RdbSnapshotReader
    from gitbackup.restore.restore import See


class RdbFiles:
    """Files in the server's own format: of the server of a Backup, or of any other.

    `program`, of methods that load a file, is the redis-server or valkey-server to load it with;
    by default it is one of those at hand that takes the file. `modules` are files that this
    server loads first, for data of a module's types. Each method takes the folder of a cluster's
    files where it takes a file.
    """

    def __init__(self, context: Context) -> None:
        self._context = context

    def __repr__(self) -> str:
        return f"{self._context!r}.rdb"

    @property
    def folder(self) -> Path:
        """Where files are kept unless another folder is named."""
        return self._context.rdb_folder

    def save(
        self,
        folder: str | Path | None = None,
        keep: int | None = None,
        *,
        copy: bool = False,
        file: str | Path | None = None,
    ) -> RdbSaved:
        """Save the server's data to a new file of a folder, whole and checked.

        Of the files that this method has made there, the newest `keep` are kept, with None all.
        The file comes over the replication protocol; with `copy` the server saves on this
        machine, and its file is copied: `file`, or where the server says that it is. Of a cluster
        of several primaries it is a folder with a file of each, and `copy` raises UsageError.
        """
        from gitbackup.rdb import files

        source = partial(files.copy, Path(file) if file else None) if copy else files.sync
        at = self._context
        at.expect_writable()
        chosen = at.rdb_in(folder)
        server = at.source
        if copy and len(server.nodes) > 1:
            raise UsageError(
                f"{wording.option('--via copy', 'copy=True')} takes one file, but the cluster at"
                f" {server.label} has one at each primary: use"
                f" {wording.option('--via sync', 'copy=False')}"
            )
        return files.save(server, chosen, keep, source, at.progress, at.lock_wait)

    def list(self, folder: str | Path | None = None) -> list[RdbListed]:
        """Return the files of a folder, the newest first."""
        from gitbackup.rdb import files

        return files.listed(Path(folder) if folder else self.folder)

    def verify(
        self,
        file: str | Path,
        program: str | Path | None = None,
        *,
        modules: Sequence[str | Path] = (),
    ) -> RdbVerified:
        """Check a file, load it into a server of our own, and count its keys."""
        from gitbackup.rdb import files

        chosen = Path(program) if program else None
        return files.verify(Path(file), chosen, [*map(Path, modules)])

    def commit(
        self,
        file: str | Path,
        message: str | None = None,
        program: str | Path | None = None,
        *,
        modules: Sequence[str | Path] = (),
        allow_empty: bool = False,
        dry_run: bool = False,
    ) -> CommitResult:
        """Commit what a file holds, dated when it was written; the rest as for Backup.commit."""
        from gitbackup.commit.commit import expect_text
        from gitbackup.rdb import import_as_branch

        expect_text(message)
        with self._loaded(file, program, modules) as live:
            result = self._context.commit(live, message, allow_empty, dry_run)
            return import_as_branch.with_warnings(self._context.repository, live, result)

    def adopt(
        self,
        file: str | Path,
        program: str | Path | None = None,
        *,
        modules: Sequence[str | Path] = (),
    ) -> RdbAdopted:
        """Make a commit of a file on a branch of its own, to be restored as any other is."""
        from gitbackup.rdb import import_as_branch

        with self._loaded(file, program, modules) as live:
            return import_as_branch.import_as_branch(
                self._context.repository or self._context.create(), live
            )

    def plan(
        self,
        file: str | Path,
        program: str | Path | None = None,
        *,
        modules: Sequence[str | Path] = (),
        patterns: Sequence[str] = (),
        databases: Mapping[int, int] | None = None,
        delete: bool = True,
        ttl: Ttl = Ttl.KEEP,
        field_expiry: bool = True,
        to: str | None = None,
        skip_unsupported: bool = False,
        see: See | None = None,
    ) -> Plan:
        """Return what a restore of a file would do; nothing is written. The plan is passed to `see`
        while its `differences` can be looked at.

        `adopt` and then `Backup.restorer` carry it out; the other arguments are as for that.
        """
        from gitbackup.rdb import import_as_branch
        from gitbackup.restore.planner import RestoreRequest
        from gitbackup.store.repository.scratch import scratch

        how = patterns, databases, to, delete, ttl, field_expiry
        options = self._context.restore_options(*how)
        with (
            self._loaded(file, program, modules) as live,
            scratch(self._context.repository) as aside,
        ):
            adopted = import_as_branch.import_as_branch(aside, live)
            server, request = self._context.server_of(to), RestoreRequest(adopted.commit, options)

            def warned(plan: Plan) -> Plan:
                return replace(plan, warnings=[*plan.warnings, *adopted.warnings])

            skips = (False, skip_unsupported)
            restorer = self._context.restorer(request, server, to, aside, *skips)
            return warned(restorer.plan(see and (lambda plan: see(warned(plan)))))

    def _loaded(
        self, file: str | Path, program: str | Path | None, modules: Sequence[str | Path]
    ) -> AbstractContextManager[RdbSnapshotReader]:
        from gitbackup.rdb import import_as_branch

        chosen = Path(program) if program else None
        at = self._context
        return import_as_branch.loaded(
            Path(file), chosen, [*map(Path, modules)], at.scope(), at.progress
        )
