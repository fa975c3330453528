"""The public class: a data repository, a server, and a method for each verb.

Each method imports what it needs when it is called: ssl, deepdiff and git take longer to
load than `log` takes to run, and most methods need only one of them.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from datetime import timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any, BinaryIO, Self

from gitbackup.backup import views
from gitbackup.backup.context import Context, Passwords
from gitbackup.backup.members import Members
from gitbackup.model.commits import CommitInfo, Consistency, KeyLine, Pushed, Rehearsal, Selection
from gitbackup.model.encryption import NO_KEYS, EncryptionKeys
from gitbackup.model.merging import Side
from gitbackup.model.server.access import Access
from gitbackup.model.ttl import Ttl
from gitbackup.progress import SILENT, Progress

if TYPE_CHECKING:
    from gitbackup.backup.events import AfterCommit
    from gitbackup.backup.init import InitResult
    from gitbackup.checks.check import Checked
    from gitbackup.checks.rights import Rights
    from gitbackup.commit.commit import CommitResult
    from gitbackup.commit.watch import Event, Stop
    from gitbackup.compare.diff import Diff, Shown, Status
    from gitbackup.compare.suggest import Suggestions
    from gitbackup.history.blame import Blame
    from gitbackup.history.entry import StoredEntry
    from gitbackup.history.key_log import CommitChanges
    from gitbackup.history.stat import CommitSummary
    from gitbackup.live.connection.connect import Server
    from gitbackup.model.safety.proof import Proof
    from gitbackup.plan.plan import Plan
    from gitbackup.remotes.sync import CloneResult, PullResult, PushResult
    from gitbackup.restore.restore import Confirm, Restorer
    from gitbackup.restore.result import RestoreResult
    from gitbackup.transfer.copy import Copying
    from gitbackup.transfer.export import ExportResult
    from gitbackup.transfer.import_file import Importing
    from gitbackup.verify.verify import Verified

DEFAULT_ACCESS = Access()
FROM_HEAD = Selection()  # every commit


class Backup(Members):
    """Git for one Redis database.

    `repository` is the folder of the data repository. `url` names the server; without it the
    setting `gitbackup.url` does, or it is `redis://localhost:6379`. Where it has none, `password`
    serves, and for sentinels `sentinel_password`. `databases` are those to cover: without them, the
    one that the URL names, or all. Where another run holds the repository, a method waits
    `lock_wait` seconds. `access` says how long a server may take, and what its certificate is.
    With `from_replicas`, `commit`, `status`, `diff`, `watch` and `rdb.save` read a replica of each
    primary that has one in sync. With `read_only`, whatever would change the data repository or
    the server raises ReadOnly.

    It is a context manager: leaving it calls `close()`. Every method raises a GitbackupError whose
    message says what to do, and changes nothing then.
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
        access: Access = DEFAULT_ACCESS,
        sentinel_password: str | None = None,
        from_replicas: bool = False,
        read_only: bool = False,
    ) -> None:
        path, passwords = Path(repository), Passwords(password, sentinel_password)
        how = progress, lock_wait, access, from_replicas, read_only
        self._context = Context(path, url, passwords, databases, *how)

    def __repr__(self) -> str:
        return repr(self._context)

    def close(self) -> None:
        """End the git processes that read the history; connections end with each method.

        The object can be used again: it opens anew what it needs.
        """
        self._context.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def connect(self) -> Server:
        """Connect to the server now, as every method that needs it does by itself."""
        return self._context.server

    def resolve(self, commit_ish: str) -> str:
        """Return the id of the commit that a git revision names. Raises UsageError for none."""
        return self._context.history.resolve(commit_ish)

    def init(
        self,
        include: Sequence[str] = (),
        exclude: Sequence[str] = (),
        bare: bool = False,
        *,
        quiet: Sequence[str] = (),
        redact: Sequence[str] = (),
    ) -> InitResult:
        """Make the data repository, or adopt the one that exists, and write its settings.

        They go to the repository's own git config: this object's URL, if it has one; the key
        patterns that commits `include` and `exclude`; those of keys that are committed but not
        shown (`quiet`); and what is masked where values are shown (`redact`). They are added.
        """
        from gitbackup.backup.init import init

        return init(self._context, include, exclude, quiet, redact, bare)

    def commit(
        self,
        message: str | None = None,
        *,
        allow_empty: bool = False,
        dry_run: bool = False,
        consistency: Consistency = Consistency.AUTO,
    ) -> CommitResult:
        """Commit every key in scope; make the repository where there is none.

        Without a message the subject says what changed. Where nothing changed none is made,
        unless `allow_empty`, nor with `dry_run`. It is of one point in time where the server
        permits that; `consistency` says what else to do for it.
        """
        from gitbackup.commit.commit import expect_text

        expect_text(message)
        live = self._context.live(consistency)
        return self._context.commit(live, message, allow_empty, dry_run)

    def watch(
        self,
        stop: Stop,
        *,
        match: Sequence[str] = (),
        quiet: float = 2.0,
        max_wait: float = 60.0,
        message: str = "{changes}",
    ) -> Iterator[Event]:
        """Commit whenever keys have changed, until `stop`, a threading.Event, is set. First it
        commits what differs. Then it commits once no key that matches one of the globs `match` has
        changed for `quiet` seconds, after `max_wait` seconds at the latest; changes of other keys,
        and of quiet ones, are included. In `message`, `{changes}` stands for what changed,
        `{counts}` for how many keys. Yields each commit as it is made, and each failure, after
        which it tries again. Makes the repository where there is none. Raises Busy if another run
        watches, and ServerError where the server does not report writes to us."""
        from gitbackup.commit.policy import CommitPolicy
        from gitbackup.commit.watch import Watch

        at = self._context
        policy = CommitPolicy(match, at.quiet(), quiet, max_wait, message)
        follow = at.followers()  # connects, before a repository is made
        return Watch(at.repository or at.create(), follow, policy, stop).run()

    def status(self, *, exclude: Sequence[str] = (), every: bool = False) -> Status:
        """Return what a commit would record now; `exclude` and `every` are as for `diff`."""
        from gitbackup.compare.diff import Narrow

        narrow = Narrow(exclude=exclude, quiet=self._context.quiet(every))
        return views.status(self._context, narrow)

    def diff(
        self,
        a: str = "HEAD",
        b: str | None = None,
        patterns: Sequence[str] = (),
        *,
        exclude: Sequence[str] = (),
        redact: Sequence[str] = (),
        every: bool = False,
    ) -> Diff:
        """Return what differs between two commits, or a commit and, without `b`, the database.

        `patterns` are globs of the keys to compare, `exclude` of those to leave out; the databases
        of this object keep theirs. Keys that the setting `gitbackup.quiet` matches are only
        counted, unless `patterns` or `every` ask for them. `redact` are globs of keys and fields
        whose values are masked, besides the setting `gitbackup.redact`.
        """
        from gitbackup.compare.diff import Narrow

        quiet = self._context.quiet(every or bool(patterns))
        narrow = Narrow(patterns, self._context.databases, exclude, quiet)
        return views.diff(self._context, a, b, narrow, redact)

    def show(
        self, commit_ish: str = "HEAD", *, redact: Sequence[str] = (), every: bool = False
    ) -> Shown:
        """Return a commit and what it changed; `redact` and `every` are as for `diff`."""
        return views.show(self._context, commit_ish, redact, every)

    def suggest(self, limit: int = 30, *, live: bool = True) -> Suggestions:
        """Return which keys to silence by the settings quiet and exclude, and which not, by what
        changed in the last commits and, unless `live` is false, since HEAD."""
        return views.suggest(self._context, limit, live)

    def entry(
        self, commit_ish: str, key: str, db: int | None = None, *, redact: Sequence[str] = ()
    ) -> StoredEntry:
        """Return a key's entry as a commit stores it; `key` is text, or `base64:` and base64."""
        return views.entry(self._context, commit_ish, key, db, redact)

    def log(
        self, revision: str | Selection = "HEAD", limit: int | None = None
    ) -> Iterator[CommitInfo]:
        """Yield the commits from `revision` back, newest first; or those that are selected."""
        return self._context.history.log(revision, limit)

    def summaries(
        self, selection: Selection = FROM_HEAD, *, every: bool = False
    ) -> Iterator[CommitSummary]:
        """Yield the selected commits with how many keys each changed; `every` as for `diff`."""
        from gitbackup.history.stat import summaries

        return summaries(self._context.history, selection, self._context.quiet(every))

    def summary(self, commit_ish: str = "HEAD", *, every: bool = False) -> CommitSummary:
        """Return a commit with how many keys it changed; `every` as for `diff`."""
        from gitbackup.history.stat import summary

        history = self._context.history
        return summary(history, history.resolve(commit_ish), self._context.quiet(every))

    def trace(
        self,
        patterns: Sequence[str],
        selection: Selection = FROM_HEAD,
        *,
        redact: Sequence[str] = (),
        text: str | None = None,
        when: str | None = None,
    ) -> Iterator[CommitChanges]:
        """Yield the commits that changed a key which matches a pattern, and what they changed.
        `patterns` are names of keys and globs of Redis; the databases of this object narrow them.
        With `text`, only changes count after which a key has that more often, or less often; with
        `when`, such as `config limits.daily = 99`, those that make it so. `redact`: see `diff`."""
        return views.trace(self._context, patterns, selection, redact, text, when)

    def keys(
        self,
        commit_ish: str = "HEAD",
        patterns: Sequence[str] = (),
        *,
        changed_since: str | None = None,
    ) -> Iterator[KeyLine]:
        """Yield the keys of a commit; those that have `changed_since` another, if given.
        `patterns` and the databases of this object narrow them."""
        return views.keys(self._context, commit_ish, patterns, changed_since)

    def blame(
        self,
        key: str,
        commit_ish: str = "HEAD",
        db: int | None = None,
        *,
        redact: Sequence[str] = (),
    ) -> Blame:
        """Return which commit last changed each field, member, item or JSON path of a key."""
        return views.blame(self._context, commit_ish, key, db, redact)

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
        """Make the live database equal a commit. The state before is committed first. `confirm` is
        given the plan, and returns True to carry it out; see `restorer` for the rest."""
        return self.restorer(
            commit_ish, patterns=patterns, databases=databases, delete=delete, ttl=ttl, to=to
        ).run(confirm)

    def revert(self, commit_ish: str, confirm: Confirm, **how: Any) -> RestoreResult:
        """Take back what one commit changed; what came later stays. `how` is as for `reverter`."""
        return self.reverter(commit_ish, **how).run(confirm)

    def undo(self, confirm: Confirm) -> RestoreResult:
        """Put back what the last restore replaced, as `restore` does it."""
        return self.undoer().run(confirm)

    def restorer(
        self,
        commit_ish: str,
        *,
        patterns: Sequence[str] = (),
        databases: Mapping[int, int] | None = None,
        delete: bool = True,
        ttl: Ttl = Ttl.KEEP,
        field_expiry: bool = True,
        to: str | None = None,
        skip_damaged: bool = False,
        skip_unsupported: bool = False,
    ) -> Restorer:
        """Return a restore to plan (`plan()`) or to carry out (`run(confirm)`).

        `databases` maps the commit's to the live ones. `delete` removes keys that the commit does
        not have; `to` is another server's URL. Without `field_expiry`, fields of hashes do not
        expire, which an older server cannot have. `skip_damaged` leaves out damaged files and
        deletes nothing; `skip_unsupported` leaves out keys of types that the server does not know.
        """
        from gitbackup.backup import restores

        which = patterns, databases, to, delete, ttl, field_expiry
        skips = (skip_damaged, skip_unsupported)
        return restores.restorer(self._context, commit_ish, *which, *skips)

    def reverter(
        self,
        commit_ish: str,
        *,
        patterns: Sequence[str] = (),
        side: Side | None = None,
        counters: bool = False,
        exclude: Sequence[str] = (),
        every: bool = False,
    ) -> Restorer:
        """Return the revert of a commit, to plan or to carry out: what it changed goes back, what
        came later stays. What has changed in it and again since stays, too, and is named in the
        `conflicts` of plan and result, unless a `side` decides. With `counters`, whole numbers get
        the commit's difference taken off. `exclude` and `every` are as for `diff`. Raises
        UsageError if the commit changed no such key."""
        from gitbackup.backup import restores

        how = patterns, side, counters, exclude, every
        return restores.reverter(self._context, commit_ish, *how)

    def planned(self, plan: Plan, to: str | None = None) -> Restorer:
        """Return a restore of exactly this plan. It raises GitbackupError if a key has changed."""
        from gitbackup.backup import restores

        return restores.planned(self._context, plan, to)

    def undoer(self) -> Restorer:
        """Return the undoing of the last restore. Raises UsageError if HEAD's past has none."""
        from gitbackup.backup import restores

        return restores.undoer(self._context)

    def export(
        self,
        to: Path | BinaryIO,
        commit_ish: str | None = None,
        *,
        form: str = "json",
        patterns: Sequence[str] = (),
        redact: Sequence[str] = (),
    ) -> ExportResult:
        """Write a commit, or without one the live database, to a file: `json`, `jsonl`, `resp`.

        A file named by its path is replaced once the new one is whole. `patterns` and the databases
        of this object narrow it. With `redact`, as for `diff`, it cannot be imported.
        """
        from gitbackup.transfer import export

        at = self._context
        redaction = at.redaction(redact) if redact else export.NOTHING
        options = export.ExportOptions(form, tuple(patterns), at.databases, redaction)
        if commit_ish is None:
            return export.of_live(at.server, at.scope(), options, to, at.progress)
        return export.of_commit(at.history, self.resolve(commit_ish), options, to)

    def importer(
        self,
        file: BinaryIO,
        name: str,
        *,
        patterns: Sequence[str] = (),
        databases: Mapping[int, int] | None = None,
        delete: bool = False,
        ttl: Ttl = Ttl.KEEP,
        field_expiry: bool = True,
        to: str | None = None,
        encoding: str | None = None,
        skip_unsupported: bool = False,
    ) -> Importing:
        """Return an import of an export, or of another tool's dump, to plan or to carry out.
        `name` stands for the file in messages; `encoding` is how another tool decoded the bytes,
        needed where its file does not say so. The rest is as for `restorer`."""
        from gitbackup.backup import restores

        how = patterns, databases, to, delete, ttl, field_expiry
        return restores.importer(self._context, file, name, *how, encoding, skip_unsupported)

    def copier(
        self,
        to: str,
        *,
        patterns: Sequence[str] = (),
        databases: Mapping[int, int] | None = None,
        delete: bool = False,
        ttl: Ttl = Ttl.KEEP,
        field_expiry: bool = True,
        to_password: str | None = None,
        skip_unsupported: bool = False,
    ) -> Copying:
        """Return a copy of this server into that at the URL `to`, with `to_password` if it has
        none. The rest is as for `restorer`, but what the settings exclude is copied, too."""
        from gitbackup.backup import restores

        how = patterns, databases, delete, ttl, field_expiry
        return restores.copier(self._context, to, to_password, skip_unsupported, *how)

    def push(self, target: str | None = None, *, keys: EncryptionKeys = NO_KEYS) -> PushResult:
        """Push the whole history to a git remote or URL, or as one bundle into a folder, encrypted
        to the `keys` or those of the settings; without `target` where the setting says, or to the
        only remote. Raises a GitbackupError where the target has commits that are not here."""
        from gitbackup.remotes import sync

        return sync.push(self._context.history, target, keys)

    def after_commit(self, made: bool = True) -> AfterCommit:
        """Push as the settings say: for programs that know no `events`, as of gitbackup 0.1."""
        return self.events.after_commit(words=made)

    def pushed(self) -> list[Pushed]:
        """Return what each remote has of HEAD's branch, by the pushes and pulls made from here."""
        return self._context.history.pushed()

    def pull(self, target: str | None = None, *, keys: EncryptionKeys = NO_KEYS) -> PullResult:
        """Fetch what `target` has, which the `keys` open, and move HEAD's branch forward to it.
        Raises a GitbackupError that says what to do where both have commits of their own."""
        from gitbackup.remotes import sync

        return sync.pull(self._context.history, target, keys)

    def clone(self, source: str, bare: bool = False, keys: EncryptionKeys = NO_KEYS) -> CloneResult:
        """Make this object's data repository, in an empty folder, a copy of another one. `source`
        is a git URL, a repository's folder, a bundle, which the `keys` open, or a folder of one."""
        from gitbackup.remotes import sync

        self._context.expect_writable()
        result = sync.clone(source, self.path, bare, keys)
        self._context.look_again()
        return result

    def verify(
        self,
        commit_ish: str | None = "HEAD",
        *,
        server: str | Path | None = None,
        modules: Sequence[str | Path] = (),
        tell: Callable[[Proof], None] = lambda proof: None,
    ) -> Verified:
        """Prove that a commit is whole and that every value in it restores to itself.

        It is restored into a temporary server, which takes as much memory as the database. None
        verifies all commits of HEAD and the branches. `server` is the server to run, `modules` are
        files that it loads; `tell` gets each proof. The verdicts are kept as git notes.
        """
        from gitbackup.verify.drill_server import DrillServer
        from gitbackup.verify.verify import verify

        own = DrillServer(Path(server) if server else None, tuple(map(Path, modules)))
        return verify(self._context.history, commit_ish, own, self._context.progress, tell)

    def rehearsal(self, commit_ish: str = "HEAD") -> Rehearsal | None:
        """Return when a commit was last verified, and with what verdict; None if never."""
        return self._context.history.commit_info(self.resolve(commit_ish)).rehearsal

    def check(self, max_age: timedelta = timedelta(days=7), *, quick: bool = False) -> Checked:
        """Return what puts the data at risk, by the server's settings and the history. `max_age`
        is how old the last commit, save, push and rehearsal may be, unless nothing has changed
        since. The whole database is compared with the last commit, unless `quick`."""
        from gitbackup.checks import check

        at = self._context
        return check.check(self.repository, at.rdb_folder, at.live(), max_age, quick)

    def rights(self, verb: str) -> Rights:
        """Return the least rights for `commit`, `restore` or `watch`, and which of them lack."""
        from gitbackup.checks import rights

        return rights.rights(self._context.server, verb)
