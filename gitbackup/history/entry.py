"""The entries of one commit: one key's, a part of it, and lists of many."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from typing import NamedTuple

from gitbackup import kinds
from gitbackup.errors import UsageError
from gitbackup.format import codec
from gitbackup.history.key_locator import KeyLocator
from gitbackup.history.selector import KeySelector, entry_of
from gitbackup.model.commits import KeyLine
from gitbackup.model.keys import Entry, Key
from gitbackup.snapshot import file_format
from gitbackup.snapshot.manifests import Manifests
from gitbackup.snapshot.sources import content_of
from gitbackup.store.repository.repository import Repository


class StoredEntry(NamedTuple):
    """A key and its entry in a commit; `redacted` tells whether something of it is masked."""

    key: Key
    entry: Entry
    redacted: bool


def find_entry(repository: Repository, commit: str, name: str, db: int | None) -> tuple[Key, Entry]:
    """A key's entry in a commit, wherever its file is; in any database where `db` is None.

    Raises UsageError where the commit does not have it, or several databases do.
    """
    wanted = KeySelector.key(codec.data(stored(name)), None if db is None else [db])
    found = dict(entries(repository, commit, wanted))
    if len(found) != 1:
        raise UsageError(_not_one(name, commit, [*found]))
    return next(iter(found.items()))


def entries(
    repository: Repository, commit: str, wanted: KeySelector
) -> Iterator[tuple[Key, Entry]]:
    """Such entries of a commit, file by file; files that cannot hold any are not read.

    Raises NewerFormat for a commit of such a format.
    """
    record = repository.history.record(commit)
    Manifests(repository).expect_known(record)
    if record.canonical:
        for path, _, blob in KeyLocator(repository, wanted).changes(None, record.tree):
            if blob:
                for key, picked in wanted.pick(path, content_of(repository, path, blob)).items():
                    yield key, entry_of(path, key, picked)
    else:
        for path, blob in repository.files(commit).items():
            if wanted.in_place(path.partition("/")[0]):
                yield from wanted.read(path, content_of(repository, path, blob)).items()


def lines(entries: Iterable[tuple[Key, Entry]]) -> Iterator[KeyLine]:
    """Entries in brief."""
    for key, entry in entries:
        elements = kinds.kind_of(entry).elements(entry["value"])
        yield KeyLine(key, entry["type"], entry.get("expires_at"), elements, _size(key, entry))


def stored(name: str) -> str:
    """A name that a person typed, as a snapshot stores it."""
    if not name.startswith(codec.PREFIX):
        return codec.strict(name)
    try:
        return kinds.normal_text(name, "the name")
    except ValueError as error:
        raise UsageError(f"{name!r} is not a key: {error}") from None


def _size(key: Key, entry: Entry) -> int:
    if entry["type"] == file_format.FUNCTION:
        return len(codec.data(entry["value"]))
    return len(file_format.encode_entry(key.name, entry)) - len(b"{\n\n}\n")


def _not_one(name: str, commit: str, found: Sequence[Key]) -> str:
    if not found:
        return f"commit {commit[:7]} has no key {name!r}"
    places = ", ".join(key.place for key in sorted(found))
    return f"commit {commit[:7]} has a key {name!r} in {places}: choose one with --db"
