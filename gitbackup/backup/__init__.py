"""The public class: a data repository, a server, and a method for each verb.

Each method imports what it needs when it is called: redis, deepdiff and git take longer to
load than `log` takes to run, and most methods need but one of them.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, BinaryIO

from gitbackup.backup.past import Past
from gitbackup.backup.standing import Standing
from gitbackup.backup.workspace import Workspace
from gitbackup.model.access import Access
from gitbackup.model.commits import Consistency, Pushed, Rehearsal
from gitbackup.model.ttl import Ttl
from gitbackup.progress import SILENT, Progress

if TYPE_CHECKING:
    from gitbackup.backup.config import Config
    from gitbackup.backup.rdb import RdbFiles
    from gitbackup.commit.commit import CommitResult
    from gitbackup.live.connection.connect import Server
    from gitbackup.model.proof import Proof
    from gitbackup.plan import Plan
    from gitbackup.remotes.sync import CloneResult, PullResult, PushResult
    from gitbackup.restore.restore import Confirm, Restorer
    from gitbackup.restore.result import RestoreResult
    from gitbackup.store.repository.repository import Repository
    from gitbackup.transfer.import_file import Importing
    from gitbackup.verify.verify import Verified


ANYHOW = Access()


@dataclass(frozen=True, slots=True)
class InitResult:
    """What `init` did: where the repository is, and whether it was there already."""

    path: Path
    existed: bool


class Backup(Past, Standing):
    """Git for one Redis database.

    `repository` is the folder of the data repository. `url` names the server, such as
    `redis://user:password@host:6379/0`; without it the repository's setting `gitbackup.url`
    does, or it is `redis://localhost:6379`. `password` serves where the URL has none.
    `databases` are the numbers of those to cover; all, but for a URL that names one. Where
    another run holds the repository, a method waits for it `lock_wait` seconds. `access` tells
    how long a server may take to answer, and what its certificate has to be.

    Every method raises a GitbackupError whose message says what to do, and changes nothing
    then; `exit_code` tells the sorts apart.
    """

    def __init__(
        self,
        repository: str | Path = "data-git-backup",
        url: str | None = None,
        *,
        password: str | None = None,
        databases: Sequence[int] | None = None,
        progress: Progress = SILENT,
        lock_wait: float = 10.0,
        access: Access = ANYHOW,
    ) -> None:
        self._at = Workspace(
            Path(repository), url, password, databases, progress, lock_wait, access
        )

    @property
    def path(self) -> Path:
        """The folder of the data repository, whether it is there yet or not."""
        return self._at.path

    def init(
        self,
        include: Sequence[str] = (),
        exclude: Sequence[str] = (),
        bare: bool = False,
        *,
        quiet: Sequence[str] = (),
        redact: Sequence[str] = (),
    ) -> InitResult:
        """Makes the data repository, or adopts the one that is there; keeps its settings.

        The URL given, the key patterns that commits include and exclude, those of keys that
        are committed but kept out of sight (`quiet`), and what is masked wherever values are
        shown (`redact`) go to the repository's own git config: patterns are added to those that
        are there. `config` takes them away.
        """
        from gitbackup import settings

        kept = {"include": include, "exclude": exclude, "quiet": quiet, "redact": redact}
        for name, patterns in kept.items():
            settings.check(name, patterns)
        if self._at.url:
            _ = self._at.address  # a URL that is none is to be kept nowhere
        existed = self.repository is not None
        repository = self._at.create(bare)
        if self._at.url:
            repository.set("url", self._at.url)
        for name, patterns in kept.items():
            if patterns:
                settings.add(repository, name, patterns)
        return InitResult(self.path, existed)

    def commit(
        self,
        message: str | None = None,
        *,
        allow_empty: bool = False,
        dry_run: bool = False,
        consistency: Consistency = Consistency.AUTO,
    ) -> CommitResult:
        """Commits every key in scope; makes the repository where there is none.

        Without a message the subject tells what changed. Where nothing changed there is no
        commit, unless `allow_empty`; for a `dry_run` there is none either. The commit is of
        one point in time where the server permits; `consistency` tells what else to do for it.
        """
        from gitbackup.commit import commit

        commit.expect_text(message)
        live, quiet = self._at.live(consistency), self._at.quiet()
        if dry_run:
            return commit.preview(self.repository, live, message, quiet)
        repository = self.repository or self._at.create()
        return commit.commit(repository, live, message, allow_empty, quiet)

    def restore(
        self,
        commit_ish: str,
        confirm: Confirm,
        *,
        patterns: Sequence[str] = (),
        databases: Mapping[int, int] | None = None,
        delete: bool = True,
        ttl: Ttl = Ttl.KEEP,
        to: str | None = None,
    ) -> RestoreResult:
        """Makes the live database hold what a commit does, and nothing that it does not.

        `confirm` is given the plan, and True from it carries the plan out. What goes is
        committed first. The rest is as for `restorer`.
        """
        how = self.restorer(
            commit_ish, patterns=patterns, databases=databases, delete=delete, ttl=ttl, to=to
        )
        return how.run(confirm)

    def undo(self, confirm: Confirm) -> RestoreResult:
        """Puts back what the last restore replaced, as `restore` does it."""
        return self.undoer().run(confirm)

    def restorer(
        self,
        commit_ish: str,
        *,
        patterns: Sequence[str] = (),
        databases: Mapping[int, int] | None = None,
        delete: bool = True,
        ttl: Ttl = Ttl.KEEP,
        to: str | None = None,
        skip_damaged: bool = False,
    ) -> Restorer:
        """A restore to be planned (`plan()`), or carried out (`run(confirm)`).

        `patterns` narrow it, and so do `databases`: which of the commit's go into which live
        ones; without them, the databases of this object. Without `delete`, keys that the
        commit does not have stay; `ttl` tells what becomes of expiries; `to` is the URL,
        password included, of another server to restore into. With `skip_damaged`, files of the
        commit that are damaged are left out, and nothing is deleted; `damaged` of the result
        tells which.
        """
        from gitbackup.restore import request

        how = self._at.how(patterns, databases, to, delete and not skip_damaged, ttl)
        target = request.Target(self._at.place_of(to).label, to is None)
        wanted = request.by_words(self._at.history, commit_ish, how, target)
        server = self._at.server_of(to)
        return self._at.restorer(wanted, server, to, skip_damaged=skip_damaged)

    def planned(self, plan: Plan, to: str | None = None) -> Restorer:
        """A restore that carries out this plan, drawn before, and no other.

        It raises GitbackupError, naming the keys, where one has changed since.
        """
        from gitbackup.restore import request

        server = self._at.server_of(to)
        wanted = request.by_plan(self._at.history, plan, server, home=to is None)
        return self._at.restorer(wanted, server, to)

    def undoer(self) -> Restorer:
        """The undoing of the last restore, to be planned or carried out.

        It is about the keys that the restore was to change. Raises UsageError where HEAD's
        history tells of none.
        """
        from gitbackup.restore import request

        wanted = request.by_undo(self._at.history, self._at.server)
        return self._at.restorer(wanted, self._at.server, None)

    def importer(
        self,
        file: BinaryIO,
        name: str,
        *,
        patterns: Sequence[str] = (),
        databases: Mapping[int, int] | None = None,
        delete: bool = False,
        ttl: Ttl = Ttl.KEEP,
        to: str | None = None,
        encoding: str | None = None,
    ) -> Importing:
        """An import of an export, or another tool's dump, to be planned or carried out.

        `name` stands for the file in what is said; `encoding` is what another tool took the
        server's bytes for, which has to be told where its file does not. The rest is as for
        `restorer`.
        """
        from gitbackup.transfer import import_file

        how = self._at.how(patterns, databases, to, delete, ttl)
        return import_file.begin(file, name, how, self._at.destination(to), encoding)

    def push(self, target: str | None = None) -> PushResult:
        """Pushes the whole history to a git remote or URL, or as one bundle into a folder.

        Without `target` it is where the setting `gitbackup.push-to` says, or the only remote.
        Raises a GitbackupError that says what to do where the target has what is not here.
        """
        from gitbackup.remotes import sync

        return sync.push(self._at.history, target)

    def push_after_commit(self, made: bool = True) -> PushResult | None:
        """Pushes where the setting `gitbackup.push` is `on-commit`; None where it is not.

        Unless a commit was `made`, only what earlier commits have left unpushed.
        """
        from gitbackup.remotes import sync

        return sync.push_on_commit(self._at.history, made)

    def pushed(self) -> list[Pushed]:
        """What each remote has of HEAD's branch, as far as was told by pushes and pulls."""
        return self._at.history.pushed()

    def pull(self, target: str | None = None) -> PullResult:
        """Fetches what `target` has, and moves HEAD's branch forward to it.

        Raises a GitbackupError that says what to do where both sides have gone on.
        """
        from gitbackup.remotes import sync

        return sync.pull(self._at.history, target)

    def clone(self, source: str, bare: bool = False) -> CloneResult:
        """Makes this object's data repository, in an empty folder, of one that is elsewhere.

        `source` is a git URL, a repository's folder, a bundle, or a folder with one.
        """
        from gitbackup.remotes import sync

        result = sync.clone(source, self.path, bare)
        self._at.look_again()
        return result

    def verify(
        self,
        commit_ish: str | None = "HEAD",
        *,
        server: str | Path | None = None,
        modules: Sequence[str | Path] = (),
        tell: Callable[[Proof], None] = lambda proof: None,
    ) -> Verified:
        """Proves that a commit is whole and that every value in it restores to itself.

        It is restored into a server of our own, which takes as much memory as the database;
        yours is not touched. None verifies all commits that HEAD and the branches lead to.
        `server` is the program to run, a redis-server or a valkey-server, and `modules` are files
        that it loads; `tell` is given each proof as it is made. The verdicts are kept as git
        notes: see `rehearsal`.
        """
        from gitbackup.verify import verify
        from gitbackup.verify.drill_server import DrillServer

        own = DrillServer(Path(server) if server else None, tuple(map(Path, modules)))
        return verify.verify(self._at.history, commit_ish, own, self._at.progress, tell)

    def rehearsal(self, commit_ish: str = "HEAD") -> Rehearsal | None:
        """When a commit was last verified, and how that ended; None where it never was."""
        return self._at.history.commit_info(self.resolve(commit_ish)).rehearsal

    @property
    def rdb(self) -> RdbFiles:
        """The server's data as RDB files: to save, to list, to verify, to commit."""
        from gitbackup.backup.rdb import RdbFiles

        return RdbFiles(self._at)

    @property
    def config(self) -> Config:
        """The settings: to look at, to add to, to take away from."""
        from gitbackup.backup.config import Config

        return Config(self._at)

    @property
    def repository(self) -> Repository | None:
        """The data repository; None where the folder has none. Raises NoRepository where
        the folder is another git repository."""
        return self._at.repository

    @property
    def server(self) -> Server:
        """The server, logged in to."""
        return self._at.server

    @property
    def insecure(self) -> bool:
        """Whether whoever answers at the server's place is believed to be it."""
        return self._at.address.insecure

    def connect(self) -> Server:
        """Connects to the server now, as every method that needs it does by itself."""
        return self._at.server
