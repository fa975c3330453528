"""The files of a snapshot, and those that differ between two."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from typing import NamedTuple

from gitbackup.errors import Damaged
from gitbackup.model import FileChange
from gitbackup.store.command import Commands, failure, text

EMPTY_TREE = "4b825dc642cb6eb9a060e54bf8d69288fbee4904"
"""The id of the tree without files; git knows it in every repository."""

_SUBMODULE = "160000"
_FOLDER = "40000"


class Place(NamedTuple):
    """What stands at one path of a tree: git's mode for it, and its id."""

    mode: str
    id: str


def files(git: Commands, commit: str) -> dict[str, str]:
    """Every file of a commit's snapshot: its path, and the id of its blob.

    Raises Damaged where the commit or one of its trees cannot be read.
    """
    found = listing(git, commit).items()
    return {path: place.id for path, place in found if place.mode != _SUBMODULE}


def listing(git: Commands, commit: str) -> dict[str, Place]:
    """All that a commit's tree holds but folders. May raise Damaged."""
    out = _read(git, "ls-tree", "-r", "-z", "--full-tree", commit)
    found = {}
    for line in text(out).split("\0")[:-1]:
        about, _, path = line.partition("\t")
        mode, _kind, id_ = about.split(" ")
        found[path] = Place(mode, id_)
    return found


def tree_id(listing: Mapping[str, Place]) -> str:
    """The id of the tree that holds just this; reckoned, not written anywhere."""
    here: dict[str, Place] = {}
    folders: dict[str, dict[str, Place]] = {}
    for path, place in listing.items():
        name, slash, rest = path.partition("/")
        if slash:
            folders.setdefault(name, {})[rest] = place
        else:
            here[name] = place
    here |= {name: Place(_FOLDER, tree_id(inside)) for name, inside in folders.items()}
    data = b"".join(_line(name, here[name]) for name in sorted(here, key=lambda n: _order(n, here)))
    return hashlib.sha1(b"tree %d\0" % len(data) + data, usedforsecurity=False).hexdigest()


def _order(name: str, places: Mapping[str, Place]) -> bytes:
    """Git sorts a folder as if its name ended in a slash."""
    slash = "/" if places[name].mode == _FOLDER else ""
    return (name + slash).encode("utf-8", "surrogateescape")


def _line(name: str, place: Place) -> bytes:
    path = name.encode("utf-8", "surrogateescape")
    return place.mode.encode("ascii") + b" " + path + b"\0" + bytes.fromhex(place.id)


def changed_files(
    git: Commands, a: str | None, b: str, seeing: Mapping[str, str] | None = None
) -> list[FileChange]:
    """The files whose blobs differ between two snapshots; `a` None is the empty one.

    Subtrees that are equal are never opened. A move is one file less and one more.
    `seeing` is the environment in which git finds both. Raises Damaged where one of their
    trees cannot be read.
    """
    options = ("-r", "-z", "--raw", "--no-renames", "--no-abbrev", "--no-commit-id")
    out = _read(git, "diff-tree", *options, a or EMPTY_TREE, b, environment=seeing)
    fields = text(out).split("\0")[:-1]
    changes = (_change(about, path) for about, path in zip(fields[::2], fields[1::2], strict=True))
    return [change for change in changes if change.before != change.after]


def _read(git: Commands, *words: str, environment: Mapping[str, str] | None = None) -> bytes:
    """What git reads of commits that have been resolved: where it cannot, they are damaged."""
    result = git.attempt(*words, environment=environment)
    if result.status:
        raise Damaged(f"{git.folder} is damaged: {failure(words[0], result)} (see `git fsck`)")
    return result.out


def _change(about: str, path: str) -> FileChange:
    mode_before, mode_after, before, after, _status = about.removeprefix(":").split(" ")
    return FileChange(path, _blob(mode_before, before), _blob(mode_after, after))


def _blob(mode: str, blob_id: str) -> str | None:
    return None if mode == _SUBMODULE or not blob_id.strip("0") else blob_id
