"""What the verbs of a Backup work on: its data repository, its server, and the keys in scope.

Nothing is opened before it is asked for: redis and git take longer to load than `log` takes
to run, and most verbs need only one of them.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from gitbackup import wording
from gitbackup.errors import PasswordNeeded, ReadOnly, ServerError, UsageError
from gitbackup.model.commits import Consistency
from gitbackup.model.keys import Scope
from gitbackup.model.server.access import NAMES, Access
from gitbackup.progress import Progress

if TYPE_CHECKING:
    from gitbackup.capture.reader import SnapshotReader
    from gitbackup.commit.commit import CommitResult
    from gitbackup.commit.follower import LiveFollower
    from gitbackup.live.connection.address import Address
    from gitbackup.live.connection.connect import Server
    from gitbackup.model.ttl import Ttl
    from gitbackup.plan.plan import RestoreOptions
    from gitbackup.redact import Redaction
    from gitbackup.restore.planner import RestoreRequest
    from gitbackup.restore.restore import Restorer
    from gitbackup.store.repository.repository import Repository
    from gitbackup.transfer.incoming import Destination


class Passwords(NamedTuple):
    """Those that serve where a URL has none: the server's, and that of its sentinels."""

    server: str | None = None
    sentinels: str | None = None

    def __repr__(self) -> str:
        return "Passwords(...)"


class Context:
    """A folder for the data repository, a server, and the databases to cover.

    If `url` is None, the repository's settings or the default are used. `databases` are numbers;
    None or none are all, unless the URL names one. `lock_wait` is how many seconds to wait for
    another run. `access` has the options of the connection. With `replicas`, what is only read is
    read from replicas. With `read_only`, neither the repository nor a server is written to.
    """

    def __init__(
        self,
        path: Path,
        url: str | None,
        passwords: Passwords,
        databases: Sequence[int] | None,
        progress: Progress,
        lock_wait: float,
        access: Access,
        replicas: bool = False,
        read_only: bool = False,
    ) -> None:
        self.path = path
        self.url = url
        self.databases = tuple(databases or ()) or None
        self.progress = progress
        self.lock_wait = lock_wait
        self._passwords = passwords
        self.access = access
        self._replicas = replicas
        self.read_only = read_only
        self._server: Server | None = None

    def __repr__(self) -> str:
        """Return what a Backup of it is made with, without a password."""
        words = [repr(str(self.path))]
        if self.url is not None:
            from gitbackup.settings import without_password

            words.append(f"url={without_password(self.url) or '...'!r}")
        if self.databases is not None:
            words.append(f"databases={[*self.databases]}")
        return f"Backup({', '.join(words)})"

    @cached_property
    def repository(self) -> Repository | None:
        """The data repository; None if there is none. Raises NoRepository if the folder is
        another git repository."""
        from gitbackup.store.repository.repository import Repository

        repository = Repository.find(self.path, self.read_only)
        if repository is not None:
            repository.lock_wait = self.lock_wait
        return repository

    @property
    def history(self) -> Repository:
        """The data repository. Raises NoRepository if there is none."""
        if self.repository is None:
            from gitbackup.store.repository.repository import missing

            raise missing(self.path)
        return self.repository

    def create(self, bare: bool = False) -> Repository:
        """Make the data repository, or adopt the one that is there."""
        self.expect_writable()
        from gitbackup.store.repository.repository import Repository

        Repository.create(self.path, bare)
        self.look_again()
        return self.history

    def expect_writable(self) -> None:
        """Raise ReadOnly if it is opened read-only."""
        if self.read_only:
            raise ReadOnly

    def look_again(self) -> None:
        """Forget the data repository, and end its git processes."""
        repository: Repository | None = self.__dict__.pop("repository", None)
        if repository:
            repository.close()

    def close(self) -> None:
        """Forget the data repository and the server; both are looked for again when needed."""
        self.look_again()
        self._server = None

    @property
    def server(self) -> Server:
        """The server, logged in to. Where sentinels name it, they are asked each time."""
        if self._server is None or self._server.address.sentinels:
            self._server = self._connected()
        return self._server

    @property
    def source(self) -> Server:
        """The server as it is read: its replicas, if these were asked for."""
        return self._by_replicas(self.server)

    def _by_replicas(self, server: Server) -> Server:
        from gitbackup.live.server.replicas import from_replicas

        return from_replicas(server) if self._replicas else server

    def _connected(self) -> Server:
        from gitbackup.live.connection.connect import connect

        try:
            return connect(self.address)
        except PasswordNeeded:
            if self._may_log_in():
                raise
            raise ServerError(
                f"the server {self.address.label} requires a password, but your"
                " password is not sent there, because that server is named by the"
                f" settings of {self.path}, which belongs to another user; if it is"
                f" your server, name it with {wording.option('--url or REDIS_URL', 'url')}"
            ) from None

    def _may_log_in(self) -> bool:
        """Return whether the password may go to the server: no stranger's settings name it."""
        return bool(self.url) or self.repository is None or self.repository.is_trusted("url")

    @property
    def address(self) -> Address:
        """Where the server of the commits is. Raises UsageError for a URL that is not valid."""
        from gitbackup.live.connection.address import DEFAULT_URL, access_of, parse

        settings = self.repository.config() if self.repository else {}
        configured = settings.get("gitbackup.url")
        named = {name: settings.get(f"gitbackup.{name}") for name in NAMES}
        kept = access_of({name: value for name, value in named.items() if value is not None})
        address = self._opened(parse(self.url or configured or DEFAULT_URL).by(self.access, kept))
        if not self._may_log_in():
            return address
        server, sentinels = self._passwords
        return address.with_password(server or "").with_sentinel_password(sentinels or "")

    def address_of(self, other: str | None) -> Address:
        """Return where the server of that URL is; None means this one."""
        from gitbackup.live.connection.address import parse

        return self.address if other is None else self._opened(parse(other).by(self.access))

    def _opened(self, address: Address) -> Address:
        """Return an address that is written to only if this may write."""
        return replace(address, read_only=self.read_only)

    def server_of(self, other: str | None, password: str | None = None) -> Server:
        """Return the server of that URL, logged in to; None means this one. The password counts
        if the URL has none."""
        from gitbackup.live.connection.connect import connect

        if other is None:
            return self.server
        return connect(self.address_of(other).with_password(password or ""))

    def chosen_databases(
        self, databases: Mapping[int, int] | None, other: str | None
    ) -> tuple[tuple[int, int], ...] | None:
        """Return which of a commit's databases go into which live ones, as pairs; None for all."""
        named = self.address_of(other).db
        same = self.databases or (None if named is None else [named])
        if databases is None:
            return None if same is None else tuple((db, db) for db in sorted({*same}))
        if len({*databases.values()}) < len(databases):
            raise UsageError("two databases cannot be restored into the same one")
        return tuple(sorted(databases.items()))

    def restore_options(
        self,
        patterns: Sequence[str],
        databases: Mapping[int, int] | None,
        other: str | None,
        delete: bool,
        ttl: Ttl,
        field_expiry: bool = True,
    ) -> RestoreOptions:
        """Return which keys go into the server of the URL `other`, None for this one, and how."""
        from gitbackup.plan.plan import RestoreOptions

        chosen = self.chosen_databases(databases, other)
        return RestoreOptions(tuple(patterns), chosen, delete, ttl, field_expiry=field_expiry)

    def restorer(
        self,
        wanted: RestoreRequest,
        server: Server,
        other: str | None,
        repository: Repository | None = None,
        skip_damaged: bool = False,
        skip_unsupported: bool = False,
    ) -> Restorer:
        """Return a restore into that server; `other` is its URL, None for this one.

        The commit is in `repository`, by default the data repository.
        """
        from gitbackup.restore.restore import Restorer

        repository, scope = repository or self.history, self._scope_at(other)
        home, progress = other is None, self.progress
        at = repository, server, wanted, scope, home, progress
        return Restorer(*at, skip_damaged, skip_unsupported, self.redaction(()))

    def destination(
        self, other: str | None, password: str | None = None, skip_unsupported: bool = False
    ) -> Destination:
        """Return where an import or a copy goes: to the server of the URL `other`, None for this
        one."""
        from gitbackup.transfer.incoming import Destination

        scope, server = self._scope_at(other), self.server_of(other, password)
        repository, home = self.repository, other is None
        at = repository, self.create, server, scope, home, self.progress
        return Destination(*at, skip_unsupported, self.redaction(()))

    def _scope_at(self, other: str | None) -> Scope:
        named = self.address_of(other).db
        return self.scope_of(None if named is None else [named])

    @property
    def rdb_folder(self) -> Path:
        """Where RDB files are kept: by the repository's settings, or else in a folder beside it,
        one for each repository, since old files are removed by their number."""
        from gitbackup.store.transports.remote_url import at_home

        configured = self.repository.get("rdbDir") if self.repository else None
        beside = f"../{self.path.absolute().name.removesuffix('.git')}-rdb"
        return Path(os.path.normpath(self.path / at_home(configured or beside)))

    def rdb_in(self, folder: str | Path | None) -> Path:
        """Return a folder to save RDB files to. Raises UsageError for one inside the repository."""
        chosen = Path(folder) if folder else self.rdb_folder
        if chosen.resolve().is_relative_to(self.path.resolve()):
            raise UsageError(f"{chosen} is inside the data repository; name a folder outside it")
        return chosen

    def live(self, consistency: Consistency = Consistency.AUTO) -> SnapshotReader:
        """Return the live database as the files of a snapshot."""
        from gitbackup.capture.reader import SnapshotReader

        return SnapshotReader(self.source, self.scope(), self.progress, consistency)

    def commit(
        self, live: SnapshotReader, message: str | None, allow_empty: bool, dry_run: bool
    ) -> CommitResult:
        """Commit what a reader reads, by the settings; with `dry_run`, tell what that would do."""
        from gitbackup.commit import commit
        from gitbackup.settings import alarm_rule

        if dry_run:
            rule = alarm_rule(self.repository) if self.repository else None
            return commit.preview(self.repository, live, message, self.quiet(), rule)
        repository = self.repository or self.create()
        rule = alarm_rule(repository)
        return commit.commit(repository, live, message, allow_empty, self.quiet(), rule=rule)

    def followers(self) -> Callable[[], LiveFollower]:
        """Return a function that makes a live follower, with a new connection each time.

        The first uses the server that is known; by the next, another may answer there. The nodes of
        a cluster are asked each time that all is read.
        """
        from gitbackup.commit.follower import LiveFollower
        from gitbackup.live.connection.connect import connect

        first = self.source
        servers = iter([first])

        def follow() -> LiveFollower:
            known = first if first.cluster else next(servers, None)
            server = known or self._by_replicas(connect(self.address))
            return LiveFollower(server, self.scope(), self.progress)

        return follow

    def scope(self) -> Scope:
        """Return what a commit covers: by the databases asked for, the URL, the settings."""
        named = self.address.db
        return self.scope_of(self.databases or (None if named is None else [named]))

    def scope_of(self, databases: Sequence[int] | None) -> Scope:
        """Return the scope of these databases, None for all, by the repository's settings."""
        from gitbackup.format.patterns import may_name_library

        include = self.globs("include")
        return Scope(
            None if databases is None else tuple(sorted(set(databases))),
            include,
            self.globs("exclude"),
            functions=databases is None and may_name_library(include),
        )

    def quiet(self, every: bool = False) -> Sequence[str]:
        """Return the globs of quiet keys, which are not shown; none if `every` key is asked for."""
        return () if every else self.globs("quiet")

    def redaction(self, globs: Sequence[str]) -> Redaction:
        """Return what to mask: what is asked for, and what the repository's setting has."""
        from gitbackup.redact import Redaction

        return Redaction([*globs, *self.globs("redact")])

    def globs(self, name: str) -> tuple[str, ...]:
        """Return the key patterns that the repository's setting `gitbackup.<name>` has."""
        return tuple(self.repository.get_all(name)) if self.repository else ()
