"""Write a commit and its files as one pack, in quarantine until all of it is written."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator, Mapping
from contextlib import contextmanager
from datetime import datetime
from typing import Self

from gitbackup.errors import Busy, GitbackupError, UsageError
from gitbackup.store.git.command import Commands, file_errors
from gitbackup.store.git.identity import signature
from gitbackup.store.objects import attributes, refs, tree_writer, trees
from gitbackup.store.objects.object_reader import blob_id, reader_of
from gitbackup.store.objects.quarantine import Quarantine
from gitbackup.store.pack.index import PackedIds
from gitbackup.store.pack.writer import PackWriter, object_id


class CommitWriter:
    """Takes blobs, then one commit of them; a context manager, under the repository's lock.

    Nothing of it is in the repository before publish(), save() or hold(), and nothing stays if the
    block ends without one of them. What a pack of the repository holds is not written again.
    """

    def __init__(
        self,
        git: Commands,
        parent: str | None,
        publish: Callable[[str, str | None, Collection[str], Quarantine | None], None],
        save: Callable[[str, str, Quarantine | None], None],
        base: str | None,
        check: Callable[[bytes], None] | None = None,
    ) -> None:
        self._git = git
        self._parent = parent
        self._base = base  # whose files it starts from
        self._publish = publish
        self._save = save
        self._apart: Quarantine | None = None
        self._known: PackedIds | None = None
        self._pack: PackWriter | None = None
        self._commit: str | None = None
        self._check = check  # raises for what may not be in a commit
        self._written: Collection[str] = ()  # the paths of files that it writes

    def blob(self, data: bytes) -> str:
        """Take the bytes of a file; return its blob's id."""
        id_ = blob_id(data)
        self.put(id_, data)
        return id_

    def put(self, blob_id: str, content: bytes) -> None:
        """Take the bytes of a file, whose blob's id is known.

        Raises GitbackupError if it may not be written: it has a value that was forgotten.
        """
        if self._check:
            self._check(content)
        with self._writing() as pack:
            pack.put(b"blob", content, bytes.fromhex(blob_id))

    def read(self, blob_id: str) -> bytes:
        """Return the bytes of a blob that was taken."""
        with self._writing() as pack:
            content = pack.read(bytes.fromhex(blob_id))
        return reader_of(self._git).read(blob_id) if content is None else content

    def commit(
        self, message: str, changes: Mapping[str, str | None], when: datetime | None = None
    ) -> str:
        """Commit the base's files with `changes`, a blob's id by path, None to remove the file.

        The blobs were taken before, or are in the repository. Author and committer are those of
        git's settings, at `when` or now. Returns the commit's id. Raises GitbackupError if it
        cannot be written (a full disk), if a blob is missing, or if a git attribute would change a
        file, UsageError for a message with a null byte.
        """
        if "\0" in message:
            raise UsageError("a commit message cannot contain a null byte")
        attributes.check(self._git, changes)
        with self._writing() as pack:
            self._expect_blobs(pack, changes)
            tree = tree_writer.write(self._files(), changes, self._folder, self._put_tree)
            self._commit = self._put(
                b"commit", _content(self._git, tree, self._parent, message, when)
            )
            pack.finish()
            self._expect_kept(pack.left_out)
        self._written = [path for path, blob in changes.items() if blob]
        refs.keep_subject(self._git, self._commit, message)
        return self._commit

    def publish(self) -> None:
        """Move HEAD from the parent to the commit; the work tree follows.

        Raises Busy if HEAD has moved meanwhile, GitbackupError if a person's files in the work tree
        are in the way; in both cases the repository is as it was.
        """
        self._publish(self._made(), self._parent, self._written, self._apart)

    def save(self, branch: str) -> None:
        """Put the commit on another branch, made or moved forward; HEAD stays."""
        self._save(branch, self._made(), self._apart)

    def hold(self) -> None:
        """Keep the commit on no branch, until another is kept so; HEAD stays."""
        commit = self._made()
        if self._apart is not None:
            self._apart.admit()
        refs.hold(self._git, commit)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        if self._pack is not None:
            self._pack.close()
        if self._known is not None:
            self._known.close()
        if self._apart is not None:
            self._apart.remove()

    def _made(self) -> str:
        if self._commit is None:
            raise GitbackupError("no commit to publish: call commit() first")
        return self._commit

    @contextmanager
    def _writing(self) -> Iterator[PackWriter]:
        """Give the pack that is written, begun if need be. Raises GitbackupError if the disk does
        not take it."""
        with file_errors("write to the data repository"):
            if self._pack is None:
                self._apart = Quarantine(self._git)
                self._known = PackedIds(self._git.git_dir / "objects" / "pack")
                self._pack = PackWriter(self._apart.packs, self._known.have)
            yield self._pack

    def _expect_blobs(self, pack: PackWriter, changes: Mapping[str, str | None]) -> None:
        """Raise GitbackupError for a file whose blob was not taken, and is not in the
        repository."""
        reader = reader_of(self._git)
        for path, id_ in changes.items():
            if id_ and bytes.fromhex(id_) not in pack and not reader.is_blob(id_):
                raise GitbackupError(
                    f"{self._git.folder} has no blob {id_} for {path}; nothing was committed"
                )

    def _expect_kept(self, ids: Collection[bytes]) -> None:
        """Raise Busy if another git has just removed objects that are not written again."""
        now = PackedIds(self._git.git_dir / "objects" / "pack")
        try:
            gone = [id_ for id_ in ids if not now.have(id_)]
        finally:
            now.close()
        if not all(reader_of(self._git).find(id_.hex()) for id_ in gone):
            raise Busy(
                f"another git removes objects from {self._git.folder}; nothing was committed,"
                " run again"
            )

    def _files(self) -> tree_writer.Folder:
        """Return the entries of the base's tree."""
        return self._folder(self._base) if self._base else {}

    def _folder(self, tree_ish: str) -> tree_writer.Folder:
        return trees.inside(reader_of(self._git).tree(tree_ish))

    def _put_tree(self, content: bytes) -> str:
        return self._put(b"tree", content)

    def _put(self, kind: bytes, content: bytes) -> str:
        id_ = object_id(kind, content)
        with self._writing() as pack:
            pack.put(kind, content, id_)
        return id_.hex()


def _content(
    git: Commands, tree: str, parent: str | None, message: str, when: datetime | None
) -> bytes:
    """Return the content of a commit."""
    lines = [
        b"tree " + tree.encode("ascii"),
        *([b"parent " + parent.encode("ascii")] if parent else []),
        b"author " + signature(git, "AUTHOR", when),
        b"committer " + signature(git, "COMMITTER", when),
        b"",
        message.encode("utf-8", "replace"),
    ]
    return b"\n".join(lines)
