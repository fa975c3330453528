"""A key, or a field of it, whose value is to be forgotten: out of the files, and out of words."""

from __future__ import annotations

import re
from collections.abc import Iterable

from gitbackup import wording
from gitbackup.errors import Damaged
from gitbackup.format import codec
from gitbackup.kinds import kind_of
from gitbackup.kinds.base import Holds
from gitbackup.model.keys import Entry, Key
from gitbackup.snapshot import file_format
from gitbackup.store.commits.rewrite import Cut
from gitbackup.store.metadata import forgotten

_PATH = "db0/_.json"  # of any file: which database it is of makes no difference here
_MOST = 1_000  # values that are looked for in messages
_MOST_SEEN = 20  # values that are looked for in other keys
GONE = b"(forgotten)"


class Secret:
    """The values that a key has in the files it was cut out of; `field` None is all of it."""

    def __init__(self, key: str, field: str | None) -> None:
        self.key = key
        self.field = field
        self.values: dict[bytes, None] = {}
        """What is forgotten, as stored, in the order in which it was found."""
        self.versions: set[bytes] = set()
        """The values that the key, or the field, had."""
        self.types: set[str] = set()
        """Types of the key that have no fields, if only a field is to go."""

    def cut(self, content: bytes) -> Cut | None:
        """Return a file without the secret; None if it has none of it.

        Raises Damaged for a file that cannot be read and may have it.
        """
        try:
            found = file_format.decode_file(_PATH, content)
        except Damaged as error:
            if not content.lstrip().startswith(b"{"):
                return None  # no file of entries
            verify = wording.command("verify --all", "verify(None)")
            raise Damaged(
                f"a file of the history may have {self.key} and cannot be read ({error}), so"
                f" nothing was changed; {verify} names its commits"
            ) from error
        entries = {key.name: entry for key, entry in found.items()}
        entry = entries.get(self.key)
        if entry is None:
            return None
        if self.field is not None and not _has(entry, self.field):
            self.types |= {entry["type"]} if kind_of(entry).holds is not Holds.FIELDS else set()
            return None
        self._note(entry)
        left = None if self.field is None else _without(entry, self.field)
        if left is None:
            del entries[self.key]
        else:
            entries[self.key] = left
        parts = "keys=1" if left is None else "fields=1"
        return Cut(file_format.encode_stored(entries) if entries else None, parts)

    def scrub(self, text: bytes) -> bytes:
        """Return a text in which no value of the secret is."""
        found = _pattern(self._words(_MOST))
        return found.sub(GONE, text) if found else text

    def seen_in(self, path: str, content: bytes) -> list[Key]:
        """Return the keys in a file of a snapshot that have a value of the secret, too."""
        pattern = _pattern(codec.line(codec.loose(word))[1:-1] for word in self._words(_MOST_SEEN))
        if pattern is None or not pattern.search(content):
            return []
        return [
            key
            for key, entry in file_format.decode_file(path, content).items()
            if pattern.search(codec.line(key.name))
            or pattern.search(file_format.encode_entry(key.name, entry))
        ]

    def _note(self, entry: Entry) -> None:
        stored = codec.load(file_format.encode_stored({self.key: entry}))[self.key]
        values = forgotten.values_of(stored, self.field)
        self.values |= dict.fromkeys(values)
        self.versions |= {*values[:1]}

    def _words(self, most: int) -> list[bytes]:
        """Return the newest values that are too long to be there by chance, as bytes."""
        words = []
        if self.field is not None and not forgotten.is_plain(self.field):
            words.append(_bytes(self.field.encode()))
        for value in self.values:
            if self.field is None and value.startswith(b"["):
                continue  # a whole value, with its type
            word = _bytes(value)
            if len(word) >= forgotten.SHORT:
                words.append(word)
        return words[-most:]


def _bytes(value: bytes) -> bytes:
    try:
        return codec.data(value.decode())
    except ValueError:
        return value


def _pattern(words: Iterable[bytes]) -> re.Pattern[bytes] | None:
    longest_first = sorted(words, key=len, reverse=True)
    return re.compile(b"|".join(map(re.escape, longest_first))) if longest_first else None


def _has(entry: Entry, field: str) -> bool:
    value = entry["value"]
    return kind_of(entry).holds is Holds.FIELDS and isinstance(value, dict) and field in value


def _without(entry: Entry, field: str) -> Entry | None:
    """Return a hash without a field; None if it has no other, for no hash is empty."""
    value = {name: text for name, text in entry["value"].items() if name != field}
    if not value:
        return None
    left: Entry = {**entry, "value": value}
    expiries = {k: v for k, v in entry.get("field_expires_at", {}).items() if k != field}
    left.pop("field_expires_at", None)
    if expiries:
        left["field_expires_at"] = expiries
    return left
