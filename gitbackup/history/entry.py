"""The entries of one commit: a key's, those that a selector picks, and lists of them."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import replace
from typing import NamedTuple

from gitbackup import kinds, wording
from gitbackup.diff.labels import Labels
from gitbackup.errors import UsageError
from gitbackup.format import codec
from gitbackup.history.key_locator import KeyLocator
from gitbackup.history.selector import KeySelector, Picked, entry_of
from gitbackup.model.commits import KeyLine
from gitbackup.model.keys import Entry, Key
from gitbackup.redact import Redaction
from gitbackup.snapshot import file_format
from gitbackup.snapshot.compare import compare
from gitbackup.snapshot.manifests import Manifests
from gitbackup.snapshot.sources import content_of, differing_sources
from gitbackup.store.repository.repository import Repository


class StoredEntry(NamedTuple):
    """A key and its entry in a commit; `redacted` tells whether something of it is masked."""

    key: Key
    entry: Entry
    redacted: bool


def find_entry(repository: Repository, commit: str, name: str, db: int | None) -> tuple[Key, Entry]:
    """Return a key and its entry in a commit, whichever file it is in; `db` None is any database.

    Raises UsageError if the commit does not have the key, or if several databases do.
    """
    selector = KeySelector.key(codec.data(stored(name)), None if db is None else [db])
    selected = dict(entries(repository, commit, selector))
    if not selected:
        raise UsageError(f"commit {commit[:7]} has no key {name!r}")
    if len(selected) > 1:
        places = ", ".join(key.place for key in sorted(selected))
        raise UsageError(
            f"commit {commit[:7]} has a key {name!r} in {places}: choose one with"
            f" {wording.option('--db')}"
        )
    return next(iter(selected.items()))


def entries(
    repository: Repository, commit: str, selector: KeySelector
) -> Iterator[tuple[Key, Entry]]:
    """Yield the selected keys of a commit with their entries, file by file.

    Files that cannot hold any are not read. Raises NewerFormat for a commit of a newer format.
    """
    for path, found in _picked(repository, commit, selector):
        for key, picked in found.items():
            yield key, entry_of(path, key, picked)


def keys(repository: Repository, commit: str, selector: KeySelector) -> Iterator[Key]:
    """Yield the selected keys of a commit, as `entries()` does; most entries are not decoded."""
    for _, found in _picked(repository, commit, selector):
        yield from found


def _picked(
    repository: Repository, commit: str, selector: KeySelector
) -> Iterator[tuple[str, Picked]]:
    """Yield the path of each file of a commit that may hold selected keys, and those."""
    # to decode a whole file takes less than to decode each of its entries
    every = selector.takes_all
    for path, content, canonical in files(repository, commit, selector):
        yield path, (selector.pick if canonical and not every else selector.read)(path, content)


def files(
    repository: Repository, commit: str, selector: KeySelector, start: str = ""
) -> Iterator[tuple[str, bytes, bool]]:
    """Yield the files of a commit that may hold selected keys, in order from a path on: the path,
    the content, and whether gitbackup wrote it. Raises NewerFormat for a commit of a newer format.
    """
    record = repository.history.record(commit)
    Manifests(repository).expect_known(record)
    if record.canonical:
        found = KeyLocator(repository, selector).changes(None, record.tree)
        blobs = {path: blob for path, _, blob in found if blob}
    else:
        every = repository.files(commit).items()
        blobs = {path: blob for path, blob in every if selector.in_place(path.partition("/")[0])}
    paths = sorted(path for path in blobs if path >= start)
    for path in paths:
        yield path, content_of(repository, path, blobs[path]), record.canonical


def changed(
    repository: Repository, before: str, after: str, selector: KeySelector
) -> Iterator[tuple[Key, Entry]]:
    """Yield the selected keys of a commit that another one does not have, or has otherwise."""
    comparison = compare(*differing_sources(repository, before, after))
    chosen = [each for each in comparison.changes if each.after and each.key in selector]
    for change, _, entry in replace(comparison, changes=chosen).pairs():
        if entry:
            yield change.key, entry


def lines(
    entries: Iterable[tuple[Key, Entry]], labels: Labels, redaction: Redaction
) -> Iterator[KeyLine]:
    """Yield a line of a list for each entry, with its label unless that is masked."""
    for key, entry in entries:
        elements = kinds.kind_of(entry).elements(entry["value"])
        label = labels.of(key, redaction.entry(key, entry)) if labels.concern(key) else ""
        size = size_of(key, entry)
        yield KeyLine(key, entry["type"], entry.get("expires_at"), elements, size, label)


def stored(name: str) -> str:
    """Return a name that a person typed as a snapshot stores it.

    Raises UsageError for a name that begins with base64: and is not valid base64.
    """
    if not name.startswith(codec.PREFIX):
        return codec.strict(name)
    try:
        return kinds.normal_text(name, "the name")
    except ValueError as error:
        raise UsageError(f"{name!r} is not a key: {error}") from None


def size_of(key: Key, entry: Entry) -> int:
    """Return how many bytes an entry takes in a snapshot."""
    if file_format.is_source(entry):
        return len(codec.data(entry["value"]))
    return len(file_format.encode_entry(key.name, entry)) - len(b"{\n\n}\n")
