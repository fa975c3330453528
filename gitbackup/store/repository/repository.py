"""The data repository: an ordinary git repository that holds snapshots."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, contextmanager
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Self

from gitbackup import wording
from gitbackup.errors import Damaged, NoRepository
from gitbackup.model.changes import FileChange
from gitbackup.model.commits import CommitInfo, Pushed, RefName, Rehearsal, Selection
from gitbackup.model.encryption import NO_KEYS, EncryptionKeys
from gitbackup.store import remotes
from gitbackup.store.commits import commits
from gitbackup.store.commits import reword as rewording
from gitbackup.store.commits.commits import History
from gitbackup.store.git import diff_driver, lock, open_repository, settings
from gitbackup.store.git.command import Commands
from gitbackup.store.git.settings import Configured
from gitbackup.store.metadata import forgotten, rehearsals, settings_ref, word_notes
from gitbackup.store.metadata.forgotten import Forgotten
from gitbackup.store.objects import attributes, quarantine, refs, trees
from gitbackup.store.objects.commit_writer import CommitWriter
from gitbackup.store.objects.object_reader import blob_id, reader_of
from gitbackup.store.objects.quarantine import Quarantine
from gitbackup.store.objects.trees import TreeEntry
from gitbackup.store.repository import checkout, forgetting, fsck, worktree
from gitbackup.store.repository.forgetting import HistoryRewriting
from gitbackup.store.repository.reply_cache import ReplyCache
from gitbackup.store.repository.restore_journal import Journal
from gitbackup.store.transports.remote_url import BRANCHES, Remote

if TYPE_CHECKING:
    from gitbackup.store.remotes.push_pull import PullOutcome, PushOutcome

_MOST_PACKS, _MOST_LOOSE = 50, 6700 // 256


class Repository(Configured):
    """The data repository in a folder; made by create() or open().

    Every method raises GitbackupError, with git's own words, if git fails.
    """

    def __init__(self, path: Path, git: Commands) -> None:
        self.path = path
        self.bare = git.bare
        self._git = git
        self._objects = reader_of(git)
        self.history = History(git)
        self.journal = Journal(git)
        self._locked = False
        self.lock_wait = lock.WAIT
        """Seconds to wait for another run that holds the repository."""

    @classmethod
    def create(cls, path: Path | str, bare: bool = False) -> Self:
        """Make the repository in a folder, or adopt the one there: ours, or an empty one.

        Raises NoRepository if the folder holds another git repository.
        """
        return cls(Path(path), open_repository.make(Path(path), bare))

    @classmethod
    @contextmanager
    def clone(
        cls, source: str, path: Path | str, bare: bool = False, keys: EncryptionKeys = NO_KEYS
    ) -> Iterator[tuple[Self, list[str]]]:
        """Copy a repository from elsewhere into an empty folder; the source becomes its remote.

        Yields it with what to warn of: a commit, a branch or notes that cannot be taken over.

        `source` is a git URL, a repository's folder, a bundle, which `keys` open if it is
        encrypted, or a folder with one bundle. Raises UsageError if there is none, NoRepository if
        it is not a data repository or the folder is not empty, Damaged if it is not complete. If it
        or the block fails, nothing is left behind.
        """
        with remotes.clone.making(Path(path), bare) as git:
            repository = cls(Path(path), git)
            with repository.lock():
                warnings = remotes.clone.fill(git, source, repository.advance, keys)
            yield repository, warnings

    @classmethod
    def find(cls, path: Path | str, read_only: bool = False) -> Self | None:
        """Return the repository in a folder, not one around it; None if there is none yet.

        One that is empty and not made by gitbackup counts as none. A `read_only` one raises
        ReadOnly for whatever would write. Raises NoRepository if it is not a data repository,
        Damaged if it is of a newer format.
        """
        git = open_repository.find(Path(path))
        if git is None:
            return None
        git.read_only = read_only
        if not open_repository.is_ours(git):
            if open_repository.is_blank(git):
                return None
            raise NoRepository(
                f"{path} is a git repository, but not a gitbackup data repository;"
                f" name the right one with {wording.option('--repo', 'repository')}"
            )
        return cls(Path(path), git)

    @classmethod
    def open(cls, path: Path | str) -> Self:
        """Do as `find()`, but raise NoRepository if there is none yet."""
        found = cls.find(path)
        if found is None:
            raise missing(path)
        return found

    def head(self) -> str | None:
        """Return the id of HEAD's commit; None before the first. Raises Damaged if it is lost."""
        return refs.head(self._git)

    def branch(self) -> str:
        """Return the name of the branch that HEAD is on; an empty string if it is detached."""
        return refs.branch(self._git).removeprefix(BRANCHES)

    def resolve(self, commit_ish: str) -> str:
        """Return the id of the commit that any of git's names stands for.

        Raises UsageError if there is none, or if a short id fits several.
        """
        return refs.resolve(self._git, commit_ish)

    def names(self) -> list[RefName]:
        """Return branches and tags, the newest first."""
        return refs.names(self._git)

    def go_back(self) -> str:
        """Return the command by which a person makes an earlier commit HEAD again."""
        return refs.go_back(self._git)

    def tree_id(self, commit: str) -> str:
        """Return the id of a commit's tree, which equal data in an equal scope always have.

        Raises Damaged if the commit, or its tree, is missing.
        """
        return trees.id_of(self._git, commit)

    def files(self, commit: str) -> dict[str, str]:
        """Return every file of a snapshot: its path, and the id of its blob. May raise Damaged."""
        return trees.files(self._git, commit)

    def listing(self, commit: str) -> dict[str, TreeEntry]:
        """Return all that a snapshot holds, with git's modes: what the tree's id is reckoned of."""
        return trees.listing(self._git, commit)

    def changed_files(self, a: str | None, b: str) -> list[FileChange]:
        """Return the files that differ between two commits, given by id; None is no files."""
        return trees.changed_files(self._git, a, b)

    def read(self, blob_id: str, most: int | None = None) -> bytes:
        """Return the bytes of a blob. For one thread.

        Raises Damaged if it is missing or corrupt, TooLarge if it has more bytes than `most`, or
        than there is memory for.
        """
        return self._objects.read(blob_id, most)

    def prefetch(self, blob_ids: Iterable[str]) -> None:
        """Announce the blobs that `read()` is called for next, in this order, to make it faster."""
        self._objects.prefetch(blob_ids)

    def read_all(self, blob_ids: Iterable[str]) -> Iterator[bytes]:
        """Yield the bytes of each blob, faster than `read()`, which must not be used meanwhile."""
        return self._objects.read_all(blob_ids)

    @staticmethod
    def blob_id(data: bytes) -> str:
        """Return the id that the blob of a file with these bytes has."""
        return blob_id(data)

    def folder(self, tree_ish: str) -> dict[str, TreeEntry]:
        """Return the entries of a folder, by its tree's id or its commit's. For one thread."""
        return trees.inside(self._objects.tree(tree_ish))

    def folders(self, tree_ids: Iterable[str]) -> Iterator[dict[str, TreeEntry]]:
        """Yield the entries of each of these folders, by their trees' ids, faster than `folder()`,
        which must not be used meanwhile."""
        return map(trees.inside, self._objects.trees(tree_ids))

    def log(
        self, selection: Selection | str = "HEAD", limit: int | None = None
    ) -> Iterator[CommitInfo]:
        """Yield the selected commits, or those from a commit-ish back, newest first."""
        chosen = Selection((selection,), limit) if isinstance(selection, str) else selection
        return (record.info for record in self.history.records(chosen))

    def commit_info(self, commit: str) -> CommitInfo:
        """Return what a commit's message tells of it."""
        return self.history.record(commit).info

    @contextmanager
    def lock(self, wait: float | None = None) -> Iterator[None]:
        """Hold the repository for this run inside the block, which everything needs that writes.

        First it finishes or removes what a killed run has left. Raises Busy if another run holds it
        for so many seconds, `lock_wait` by default; GitbackupError if a person's edits keep the
        work tree from following HEAD.
        """
        with lock.hold(self._git, wait=self.lock_wait if wait is None else wait) as killed:
            self._locked = True
            try:
                if killed:
                    lock.sweep(self._git, killed)
                quarantine.sweep(self._git)
                checkout.finish(self._git)
                forgetting.finish(self._git)
                diff_driver.install(self._git)
                yield
            finally:
                self._locked = False

    def beside(self, what: str, wait: float | None = None) -> AbstractContextManager[object]:
        """Hold another lock, such as `watching`, beside which other runs may commit.

        Raises Busy if another run holds it for so many seconds, `lock_wait` by default.
        """
        seconds = self.lock_wait if wait is None else wait
        return lock.hold(self._git, f"{what}.lock", seconds, f"{what} in {{}} already")

    def unpushed(self) -> AbstractContextManager[bool]:
        """Let no push run inside the block; gives whether the last one was cut off, so that what it
        has sent is not known. Raises Busy if another run pushes for `lock_wait` seconds."""
        return remotes.push_pull.alone(self._git, self.lock_wait)

    def commit_writer(
        self, parent: str | None, base: str | None = None, lost: bool = False
    ) -> CommitWriter:
        """Write one commit on `parent`, None for a first one; under lock(), in a `with`.

        With `lost`, the parent's files cannot be read: those of the commit `base`, None for
        none, take their place.
        """
        self._need_lock()
        publish, start = partial(self._publish, lost=lost), base if lost else parent
        check = forgotten.checker(self._git)
        return CommitWriter(self._git, parent, publish, self._save, start, check)

    def ancestors(self, commit: str) -> list[str]:
        """Return some commits before a commit, along first parents, each with another tree.

        Raises Damaged, which says what to do, if the commit itself cannot be read.
        """
        return commits.ancestors(self._git, commit)

    def advance(self, new: str, old: str | None) -> None:
        """Move HEAD from one commit to another; the work tree follows. Under lock().

        If it raises, nothing has changed: Busy if HEAD is not at `old`, GitbackupError if a
        person's files in the work tree are in the way, or a git attribute would change ours.
        """
        lost = False
        try:
            changes = self.changed_files(old, new)
        except Damaged:
            lost, changes = True, self.changed_files(None, new)
        paths = [change.path for change in changes if change.after]
        if old:
            attributes.check(self._git, paths)
        self._publish(new, old, paths, None, lost)

    def maintain(self) -> None:
        """Let git repack if there is enough to pack, and remove leftovers. Under lock()."""
        self._need_lock()
        open_repository.sweep(self._git.git_dir)
        if _may_be_untidy(self._git):
            self._git.run("gc", "--auto", "--quiet")

    def gather(self) -> None:
        """Join the packs of many small commits, and leave large ones alone. Under lock()."""
        self._need_lock()
        if self._git.attempt("repack", "-d", "-q", "--geometric=2").status:  # git before 2.32
            self.maintain()

    def remote(self, word: str | None = None) -> Remote:
        """Return the remote that a name, a URL or a folder means; where pushes go to, without one.

        Raises UsageError if there is none.
        """
        return remotes.remotes.choose(self._git, word)

    def recipients(self, remote: Remote) -> list[str]:
        """Return the public keys that a remote's bundle is encrypted to, as somebody named them."""
        return remotes.remotes.recipients(self._git, remote)

    def push(self, remote: Remote) -> PushOutcome:
        """Push all branches, tags and notes, none by force. It needs no lock.

        Raises GitbackupError, which says what to do, if the remote has commits that are not here.
        """
        return remotes.push_pull.push(self._git, remote, self.lock_wait)

    def pull(self, remote: Remote) -> PullOutcome:
        """Fetch all, and move HEAD's branch forward; the work tree follows. Under lock().

        Raises GitbackupError, which says what to do, if each side has commits that the other lacks.
        """
        self._need_lock()
        return remotes.push_pull.pull(self._git, remote, self.advance)

    def carried(self, remote: Remote | None = None) -> bytes | None:
        """Return the file of settings that travels with the history, or a remote's; None if there
        is none."""
        commit = settings_ref.commit(
            self._git, settings_ref.aside(remote.name) if remote else settings_ref.REF
        )
        return settings_ref.read(self._git, commit) if commit else None

    def carried_by_both(self, remote: Remote) -> bytes | None:
        """Return the version of that file that both the remote's and the one here descend from."""
        ours, theirs = (
            settings_ref.commit(self._git, ref)
            for ref in (settings_ref.REF, settings_ref.aside(remote.name))
        )
        base = settings_ref.base(self._git, ours, theirs) if ours and theirs else None
        return settings_ref.read(self._git, base) if base else None

    def has_news(self, remote: Remote) -> bool:
        """Return whether a remote's file of settings has a version that the one here lacks."""
        ours, theirs = (
            settings_ref.commit(self._git, ref)
            for ref in (settings_ref.REF, settings_ref.aside(remote.name))
        )
        return bool(theirs and not (ours and refs.holds(self._git, theirs, ours)))

    def carry(self, content: bytes, remote: Remote | None = None) -> None:
        """Make this the file that travels, as a descendant of the remote's too if one is given."""
        with settings_ref.changing(self._git, self.lock_wait):
            ours = settings_ref.commit(self._git, settings_ref.REF)
            aside = settings_ref.aside(remote.name) if remote else None
            theirs = settings_ref.commit(self._git, aside) if aside else None
            forward = theirs and (ours is None or refs.holds(self._git, ours, theirs))
            if theirs and forward and settings_ref.read(self._git, theirs) == content:
                settings_ref.move(self._git, theirs)
            else:
                parents = [theirs] if forward else [ours, theirs]
                settings_ref.write(self._git, content, [each for each in parents if each])

    def detached_there(self, remote: Remote) -> str | None:
        """Return the commit of a remote's detached HEAD when it was fetched; None if it is on a
        branch there."""
        return remotes.push_pull.detached_there(self._git, remote)

    def pushed(self) -> list[Pushed]:
        """Return what each remote has of HEAD's branch, as far as is known here."""
        return [remotes.remotes.pushed(self._git, remote) for remote in self.remotes()]

    def reply_cache(self) -> ReplyCache:
        """Return the cache of the blobs that were made of the server's replies."""
        return ReplyCache(self._git.git_dir / "gitbackup" / "seen")

    @property
    def hook_log(self) -> Path:
        """The file that has what hooks have printed."""
        return self._git.git_dir / "gitbackup" / "hooks.log"

    def problems(self) -> list[str]:
        """Return what `git fsck` finds wrong with the whole repository, a sentence each."""
        return fsck.check(self._git)

    def note(self, results: Mapping[str, Rehearsal]) -> None:
        """Keep the results of restore tests, by commit, as git notes. Under lock()."""
        self._need_lock()
        rehearsals.write(self._git, results)

    def put_words(self, commit: str, words: str | None) -> None:
        """Make these the words that were put on a commit afterwards; None removes them.

        Under lock(). Raises UsageError if they are too long.
        """
        self._need_lock()
        word_notes.write(self._git, commit, words)

    def message(self, commit: str) -> str:
        """Return a commit's message as it is stored."""
        return rewording.message_of(self._git, commit)

    def named_by(self, commit: str) -> str:
        """Return what else than HEAD's branch leads to HEAD's commit, or names it, in words;
        empty if nothing does, so that it may get another message."""
        if any(commit in each.named for each in self.journal.known()):
            return "a restore that was interrupted names it"
        return rewording.named_by(self._git, commit)

    def reword(self, commit: str, message: str) -> str:
        """Give HEAD's commit another message; return its id. Under lock().

        All else of it stays, its notes too. Raises Busy if HEAD is at another commit.
        """
        self._need_lock()
        refs.check(self._git, "HEAD", commit)
        return rewording.reword(self._git, commit, message)

    def expect_finished(self) -> None:
        """Raise GitbackupError, which says what to do, if a person's merge, rebase or the like has
        stopped half-way: a commit would end up in the middle of it."""
        worktree.expect_finished(self._git)

    def expect_resolved(self) -> None:
        """Do as `expect_finished()`, and raise it if files are in conflict, too."""
        worktree.expect_finished(self._git)
        worktree.expect_resolved(self._git)

    def expect_kept(self, commit: str) -> None:
        """Raise GitbackupError if a git attribute would change the files of a commit in the work
        tree."""
        attributes.check(self._git, self.files(commit))

    def end(self) -> None:
        """Take the restore of this run out of the journal, for its result was printed."""
        self.journal.end()

    def imported(self) -> str | None:
        """Return the last imported commit, which is on no branch; None if there is none."""
        return refs.read(self._git, refs.HELD)

    def keep_imported(self, commit: str | None) -> None:
        """Keep a commit that is on no branch, in place of the one before; None keeps none."""
        refs.hold(self._git, commit)

    def is_past(self, commit: str) -> bool:
        """Return whether a commit is HEAD's, or in its history."""
        return refs.is_past(self._git, commit)

    def rewriting(self) -> AbstractContextManager[HistoryRewriting]:
        """Rewrite the whole history inside the block, or not; under lock() and all other locks.
        Raises GitbackupError if something of the repository could not follow."""
        self._need_lock()
        return forgetting.rewriting(self._git)

    def forgotten(self) -> list[Forgotten]:
        """Return what was forgotten here, or where the history comes from."""
        return forgotten.read(self._git)

    def allow(self, records: Sequence[Forgotten], settings: bytes) -> None:
        """Let the values of these records be committed again. Under lock()."""
        self._need_lock()
        forgetting.allow(self._git, records, settings)

    def remotes(self) -> list[Remote]:
        """Return all places that the history was pushed to, or fetched from."""
        return remotes.remotes.every(self._git)

    def close(self) -> None:
        """End the git processes that read; they end with this object, too."""
        self._objects.close()
        self.history.close()

    def _publish(
        self,
        new: str,
        old: str | None,
        paths: Collection[str],
        written: Quarantine | None,
        lost: bool = False,
    ) -> None:
        """Move HEAD to a commit that writes the files at these paths."""
        self._need_lock()
        refs.check(self._git, "HEAD", old)
        if not self.bare:
            seeing = written.seeing() if written else {}
            worktree.check(self._git, old, new, paths, seeing, lost)
        if written:
            written.admit()
        with self.journal.moving(old, new):
            checkout.advance(self._git, old, new, lost)

    def _save(self, branch: str, commit: str, written: Quarantine | None) -> None:
        self._need_lock()
        if written:
            written.admit()
        refs.save(self._git, branch, commit)

    def _need_lock(self) -> None:
        if not self._locked:
            raise RuntimeError("writing to the data repository needs its lock()")


def _may_be_untidy(git: Commands) -> bool:
    """Return whether `git gc --auto` may find enough to pack: see gc.auto in git-config(1)."""
    if not {"gc.auto", "gc.autopacklimit"}.isdisjoint(settings.every(git)):
        return True
    packs = (git.git_dir / "objects" / "pack").glob("*.pack")
    loose = (git.git_dir / "objects" / "17").glob("*")  # git takes one folder for a 256th of all
    return len([*packs]) > _MOST_PACKS or len([*loose]) > _MOST_LOOSE


def missing(path: Path | str) -> NoRepository:
    """Return the error to raise if a folder has no data repository, and should have one."""
    return NoRepository(
        f"no data repository at {path}; {wording.command('commit', 'commit()')} creates one, and"
        f" {wording.option('--repo', 'repository')} names another"
    )
