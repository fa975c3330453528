"""List the files of a snapshot, and those that differ between two."""

from __future__ import annotations

import os
import re
from collections.abc import Iterable, Mapping, Sequence
from typing import NamedTuple

from gitbackup.errors import Damaged, GitbackupError
from gitbackup.model.changes import FileChange
from gitbackup.store.git.command import Commands, GitProcess, Result, failure, text
from gitbackup.store.objects import tree_size
from gitbackup.store.objects.object_reader import reader_of
from gitbackup.store.objects.tree_size import COPIES, LONGEST, MANY
from gitbackup.store.pack.writer import object_id

EMPTY_TREE = "4b825dc642cb6eb9a060e54bf8d69288fbee4904"
"""The id of the empty tree, which git knows in every repository."""

RAW = ("--no-renames", "--no-abbrev", "-t")
"""Options of git, besides --raw and -z, to list the files that differ, and folders to count."""

_SUBMODULE = "160000"
FOLDER = "40000"
_NO_FILES = (_SUBMODULE, f"0{FOLDER}")  # as git lists them
_ENTRY = re.compile(rb"([0-7]+) ([^\0]+)\0(.{20})", re.DOTALL)
_AROUND = 22  # bytes of an entry besides its mode and name
_IDS = re.compile(rb"([0-9a-f]{40}(?:\t| [0-9a-f]{40} [A-Z]\d*\0))(db\d+/)?")
"""What --raw tells of a file or folder: its ids; and its database."""

_ID = re.compile("[0-9a-f]{40}")
_KEPT, _FEW = 2, 20_000  # listings that are kept, of so many files at most
_CHUNK = 1 << 16
_MUCH = 8 << 20
"""Bytes of a listing, beyond which we look whether it has the same files again and again."""

_LINE = 53  # bytes of a listing for an entry, besides its path
_MOST_ALIKE = 50_000
"""Files of a listing that may equal others: keys differ, so files of data do."""

_SILENCE = 0.5
"""Seconds without output, after which trees are measured: git compares any real ones faster."""

_DONE = b"done\n"  # git echoes a line that is no id, so we know where an answer ends


class TreeEntry(NamedTuple):
    """An entry of a tree: git's mode for it, and its id."""

    mode: str
    id: str

    @property
    def folder(self) -> bool:
        return self.mode == FOLDER


def inside(tree: bytes) -> dict[str, TreeEntry]:
    """Return the entries of a folder by name, from its tree object.

    Raises Damaged if that is none that git can read.
    """
    found = _ENTRY.findall(tree)
    if sum(len(mode) + len(name) + _AROUND for mode, name, _ in found) != len(tree):
        raise Damaged(
            "the data repository is damaged: a folder of a commit is malformed (see `git fsck`)"
        )
    return {text(name): TreeEntry(mode.decode("ascii"), id_.hex()) for mode, name, id_ in found}


class Said:
    """What git says, as it comes."""

    def __init__(self) -> None:
        self.data = bytearray()

    def add(self, chunk: bytes) -> None:
        """Take the next piece."""
        self.data += chunk


class Told(Said):
    """What git says about many files.

    A tree that names one other ten times, which does the same, and so on, is small, and has more
    files than any disk could hold: it is known by files that are the same as others.
    """

    def __init__(self, git: Commands) -> None:
        super().__init__()
        self._git = git
        self._enough = _MUCH

    def add(self, chunk: bytes) -> None:
        """Take the next piece. Raise Damaged if it tells of the same files over and over."""
        super().add(chunk)
        if len(self.data) > self._enough:
            self._enough *= 2
            _expect_possible(self._git, len(self.data), _IDS.findall(self.data))


def _expect_possible(git: Commands, size: int, found: Sequence[tuple[object, object]]) -> None:
    """Raise Damaged for a listing that no database has: of so many bytes, and of files and folders
    given by id and place."""
    alike = len(found) - len(set(found))
    copied = len(found) - COPIES * len({ids for ids, _ in found})
    if size > LONGEST * len(found) + _MUCH // 2:
        why = "endlessly nested folders"
    elif alike > _MOST_ALIKE or copied > MANY:
        why = "the same files again and again"
    else:
        return
    raise Damaged(
        f"{git.folder} is damaged: a commit has {why}, which cannot come from a database and is"
        " too much to read"
    )


class TreePairs:
    """Compares trees, through one `git diff-tree` that stays open."""

    def __init__(self, git: Commands) -> None:
        self._git = git
        self._process: GitProcess | None = None

    def differ(self, a: str | None, b: str) -> list[FileChange]:
        """Return the files that differ between two trees, given by id; None is the empty tree.

        Raises Damaged if one of them cannot be read.
        """
        if self._process is None:
            self._process = self._git.start("diff-tree", "--stdin", "-r", "-z", "--raw", *RAW)
        question = f"{a or EMPTY_TREE} {b}\n".encode("ascii")
        try:
            self._process.stdin.write(question + _DONE)
            self._process.stdin.flush()
            expect_measure(self._git, self._process, (tree for tree in (a, b) if tree))
            answer = _answer(self._process, Told(self._git))
        except OSError as error:
            raise self._damaged() from error
        except Damaged:
            self.close()
            raise
        head, _, fields = answer.partition(b"\n")
        if head + b"\n" != question:
            raise self._damaged()
        return changes_in(text(fields).split("\0"))

    def close(self) -> None:
        """End the process if it runs."""
        if self._process is not None:
            self._process.kill()
        self._process = None

    def _damaged(self) -> GitbackupError:
        process, self._process = self._process, None
        result = process.finish() if process else Result(1, b"", "")
        return damaged(self._git, "diff-tree", result)


def expect_measure(git: Commands, process: GitProcess, trees: Iterable[str]) -> bool:
    """Return whether git is silent for a while, so that these trees were measured.

    Raises Damaged if git would compare them for ever.
    """
    if not process.is_silent(_SILENCE):
        return False
    if why := tree_size.beyond(git, trees):
        process.kill()
        raise Damaged(
            f"{git.folder} is damaged: a commit has a tree that cannot come from a"
            f" database, with {why}"
        )
    return True


def _answer(process: GitProcess, answer: Told) -> bytes:
    """Return what git writes for one pair of trees."""
    while not answer.data.endswith(_DONE):
        chunk = os.read(process.stdout.fileno(), _CHUNK)
        if not chunk:
            raise BrokenPipeError
        answer.add(chunk)
    return bytes(answer.data.removesuffix(_DONE))


def files(git: Commands, commit: str) -> dict[str, str]:
    """Return the id of the blob of every file of a commit's snapshot, by path.

    Raises Damaged if the commit or one of its trees cannot be read.
    """
    found = listing(git, commit).items()
    return {path: place.id for path, place in found if place.mode != _SUBMODULE}


def listing(git: Commands, commit: str) -> dict[str, TreeEntry]:
    """Return everything in a commit's tree except folders, by path. Raises Damaged as `files()`.

    The last two listings are kept, for a restore asks for two of them in turn.
    """
    kept: dict[str, dict[str, TreeEntry]] = git.memo.setdefault(__name__, {})
    if commit in kept:
        return {**kept[commit]}
    found = _walked(git, f"{commit}^{{tree}}")
    if _ID.fullmatch(commit) and len(found) <= _FEW:
        for oldest in [*kept][: len(kept) - _KEPT + 1]:
            del kept[oldest]
        kept[commit] = {**found}
    return found


def _walked(git: Commands, tree: str) -> dict[str, TreeEntry]:
    """Return everything in a tree except folders, sorted by path. Raises Damaged as `files()`."""
    found: dict[str, TreeEntry] = {}
    level = {"": TreeEntry(FOLDER, tree)}
    size, enough = 0, _MUCH
    while folders := {path: entry.id for path, entry in level.items() if entry.folder}:
        level = {}
        for folder, data in zip(folders, reader_of(git).trees(folders.values()), strict=True):
            for name, entry in inside(data).items():
                level[f"{folder}{name}{'/' * entry.folder}"] = entry
                size += _LINE + len(folder) + len(name)
            if size > enough:
                enough *= 2
                told = [(each.id, path.partition("/")[0]) for path, each in (found | level).items()]
                _expect_possible(git, size, told)
        found |= level
    return {path: found[path] for path in sorted(found) if not found[path].folder}


def id_of(git: Commands, commit: str) -> str:
    """Return the id of a commit's tree. Raises Damaged if the commit, or the tree, is missing."""
    found = reader_of(git).find(f"{commit}^{{tree}}")
    if found is None:
        raise Damaged(f"{git.folder} is damaged: the tree of {commit} is missing (see `git fsck`)")
    return found.id


def tree_id(listing: Mapping[str, TreeEntry]) -> str:
    """Compute the id of the tree that holds exactly these entries. Nothing is written."""
    folders: dict[str, dict[str, TreeEntry]] = {"": {}}
    for path, place in listing.items():
        folder, _, name = path.rpartition("/")
        folders.setdefault(folder, {})[name] = place
    for folder in [*folders]:
        while (folder := folder.rpartition("/")[0]) not in folders:
            folders[folder] = {}
    for folder in sorted(folders, key=lambda path: path.count("/"), reverse=True):
        if folder:  # those in it are known by now
            around, _, name = folder.rpartition("/")
            folders[around][name] = TreeEntry(FOLDER, _id(folders[folder]))
    return _id(folders[""])


def _id(here: Mapping[str, TreeEntry]) -> str:
    """Return the id of the tree of a folder."""
    return object_id(b"tree", encode(here)).hex()


def encode(here: Mapping[str, TreeEntry]) -> bytes:
    """Return the content of the tree of a folder: the inverse of `inside()`."""
    return b"".join(_line(name, here[name]) for name in sorted(here, key=lambda n: _order(n, here)))


def _order(name: str, places: Mapping[str, TreeEntry]) -> bytes:
    """Return the sort key of an entry: git sorts a folder as if its name ended in a slash."""
    slash = "/" if places[name].mode == FOLDER else ""
    return (name + slash).encode("utf-8", "surrogateescape")


def _line(name: str, place: TreeEntry) -> bytes:
    path = name.encode("utf-8", "surrogateescape")
    return place.mode.encode("ascii") + b" " + path + b"\0" + bytes.fromhex(place.id)


def changed_files(
    git: Commands, a: str | None, b: str, seeing: Mapping[str, str] | None = None
) -> list[FileChange]:
    """Return the files whose blobs differ between two snapshots; `a` None is the empty one.

    Subtrees that are equal are never opened. A move is one file less and one more.
    `seeing` is the environment in which git finds both. Raises Damaged if one of their
    trees cannot be read.
    """
    options = ("-r", "-z", "--raw", *RAW, "--no-commit-id")
    trees = [f"{commit}^{{tree}}" for commit in (a, b) if commit and not seeing]
    words = ("diff-tree", *options, a or EMPTY_TREE, b)
    out = _read(git, *words, environment=seeing, trees=trees)
    return changes_in(text(out).split("\0"))


def changes_in(fields: Sequence[str]) -> list[FileChange]:
    """Return the changes that git lists, pairs of what and where, up to an empty field or the
    end."""
    pairs = zip(fields[::2], fields[1::2], strict=False)
    changes = (_change(about, path) for about, path in pairs)
    return [change for change in changes if change.before != change.after]


def _read(
    git: Commands,
    *words: str,
    environment: Mapping[str, str] | None = None,
    trees: Iterable[str] = (),
) -> bytes:
    """Return what git reads of commits that have been resolved: where it cannot, they are damaged.

    It may compare these trees before it says a word.
    """
    process = git.start(*words, environment=environment)
    expect_measure(git, process, trees)
    told = Told(git)
    while chunk := os.read(process.stdout.fileno(), _CHUNK):
        told.add(chunk)
    result = process.finish()
    if result.status:
        raise damaged(git, words[0], result)
    return bytes(told.data)


def damaged(git: Commands, name: str, result: Result) -> GitbackupError:
    """Return the error to raise where `git <name>` cannot read commits that are there.

    That is Damaged, but where git was killed: then nobody knows.
    """
    said = failure(name, result)
    if result.status < 0:
        return said
    return Damaged(f"{git.folder} is damaged: {said} (see `git fsck`)")


def _change(about: str, path: str) -> FileChange:
    mode_before, mode_after, before, after, _status = about.removeprefix(":").split(" ")
    return FileChange(path, _blob(mode_before, before), _blob(mode_after, after))


def _blob(mode: str, blob_id: str) -> str | None:
    return None if mode in _NO_FILES or not blob_id.strip("0") else blob_id
