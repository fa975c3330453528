"""What was forgotten and must not come back unnoticed: keys, fields, and digests of their values.

The values themselves are nowhere. The records are a file beside the settings that travel with the
history, so a clone knows them, too. Each file of a new commit is compared with them.
"""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import suppress
from dataclasses import asdict, dataclass, fields
from typing import Any

from gitbackup import wording
from gitbackup.errors import Damaged, GitbackupError
from gitbackup.format import codec
from gitbackup.kinds import kind_of
from gitbackup.kinds.base import Holds
from gitbackup.store.git.command import Commands
from gitbackup.store.objects import refs
from gitbackup.store.objects.object_reader import reader_of

REF = "refs/gitbackup/settings"
FILE = "forgotten.json"
FORMAT = 1
MOST = 64 << 20  # bytes of the file
MOST_DIGESTS = 20_000  # of a record
SHORT = 8
"""Bytes of a part of a value that many values may have: only as a whole it is forgotten."""

_WORD = re.compile("[A-Za-z][A-Za-z_.-]{0,31}")
"""A field's name that is no secret: those have digits, or are longer."""


@dataclass(frozen=True, slots=True)
class Forgotten:
    """A key, or a field of it, that was forgotten.

    - `id`: of this record; also the key of its `digests`;
    - `key`, `field`: under the text rule; a `field` of None is the whole key, or one whose name
      may be a secret itself: then there is only `field_digest`;
    - `at`: when, as an instant; `digests`: of the values that it had.
    """

    id: str
    key: str
    field: str | None
    field_digest: str | None
    at: str
    digests: Sequence[str]

    def __str__(self) -> str:
        if self.field is not None:
            return f"{self.key}, field {self.field}"
        return self.key if self.field_digest is None else f"{self.key}, one field"

    @property
    def needle(self) -> bytes:
        """What each file of a snapshot has that has the key."""
        return needle(self.key)

    def digest(self, value: bytes) -> str:
        """Return the digest of a value."""
        return digest(self.id, value)

    def concerns(self, key: str, field: str | None) -> bool:
        """Return whether it is of this key, and this field or, if that is None, the whole key."""
        if field is None:
            return self.key == key and self.field is None and self.field_digest is None
        is_field = self.field == field or self.field_digest == self.digest(field.encode())
        return self.key == key and is_field


def is_plain(field: str) -> bool:
    """Return whether a field's name is a word that tells nothing: it may be shown for good."""
    return bool(_WORD.fullmatch(field))


def needle(key: str) -> bytes:
    """Return what a canonical file of a snapshot has if it has the key."""
    return codec.line(key) + b": {"


def digest(key: str, value: bytes) -> str:
    """Return the digest of a value, with the key of a record, which is in hex."""
    return hashlib.blake2b(value, key=bytes.fromhex(key), digest_size=16).hexdigest()


def values_of(entry: Any, field: str | None) -> list[bytes]:
    """Return what of a stored entry is forgotten: the field, or the whole and its longer parts."""
    value = entry["value"]
    if field is not None:
        found = value.get(field) if _has_fields(entry) else None
        return [found.encode()] if isinstance(found, str) else []
    whole = codec.line([entry["type"], value])
    parts = [part.encode() for part in _parts(value, _has_members(entry))]
    return [whole, *(part for part in parts if len(part) >= SHORT)]


def _has_fields(entry: Any) -> bool:
    return kind_of(entry).holds is Holds.FIELDS and isinstance(entry["value"], dict)


def _has_members(entry: Any) -> bool:
    return kind_of(entry).holds in (Holds.MEMBERS, Holds.RANKS)


def _parts(value: Any, names: bool) -> Iterator[str]:
    if isinstance(value, str):
        yield value
    elif isinstance(value, dict):
        for name, part in value.items():
            if names:
                yield name
            yield from _parts(part, False)
    elif isinstance(value, list):
        for part in value:
            yield from _parts(part, names)


def read(git: Commands, ref: str = REF) -> list[Forgotten]:
    """Return the records at a ref, or in a commit; none if none can be read."""
    if ref.startswith("refs/") and refs.is_absent(git, ref):
        return []
    with suppress(Damaged):
        reader = reader_of(git)
        if found := reader.find(f"{ref}:{FILE}"):
            return parse(reader.read(found.id, MOST))
    return []


def parse(content: bytes) -> list[Forgotten]:
    """Return the records in a file, whoever wrote it."""
    try:
        document = json.loads(content)
        if document["format"] != FORMAT:
            return []
        return [*map(_record, document["forgotten"])]
    except (ValueError, TypeError, KeyError, AttributeError, RecursionError):
        return []


def _record(document: Any) -> Forgotten:
    known = {each.name: document[each.name] for each in fields(Forgotten)}
    record = Forgotten(**known)
    names = [record.field or "", record.field_digest or ""]
    texts = [record.id, record.key, record.at, *record.digests, *names]
    if not all(isinstance(each, str) for each in texts) or not 0 < len(record.id) <= 128:
        raise ValueError("not text")
    bytes.fromhex(record.id)
    return record


def compose(records: Iterable[Forgotten]) -> bytes:
    """Return the file, each record once: without digests if its values are allowed again."""
    by_digests = sorted(records, key=lambda record: -len(record.digests))
    once = {record.id: asdict(record) for record in by_digests}
    return codec.encode({"format": FORMAT, "forgotten": [once[id_] for id_ in sorted(once)]})


def unknown(git: Commands, ref: str) -> list[Forgotten]:
    """Return the records at another ref that are not here."""
    own = {record.id for record in read(git)}
    return [record for record in read(git, ref) if record.id not in own]


def finder(git: Commands) -> Callable[[bytes], Forgotten | None] | None:
    """Return what finds a forgotten value in a file of a snapshot; None if none was forgotten."""
    records = [record for record in read(git) if record.digests]
    if not records:
        return None

    def find(content: bytes) -> Forgotten | None:
        return next((each for each in records if _is_in(each, content)), None)

    return find


def checker(git: Commands) -> Callable[[bytes], None] | None:
    """Return a function that raises GitbackupError for a file with a value that was forgotten;
    None if none was."""
    find = finder(git)

    def check(content: bytes) -> None:
        if find and (record := find(content)):
            raise _is_back(record)

    return check if find else None


def _is_in(record: Forgotten, content: bytes) -> bool:
    if record.needle not in content:
        return False
    try:
        entry = codec.load(content)[record.key]
        if record.field_digest is not None:
            names = entry["value"] if _has_fields(entry) else ()
            return record.field_digest in {record.digest(name.encode()) for name in names}
        values = values_of(entry, record.field)
    except (ValueError, TypeError, KeyError, AttributeError):
        return False
    return not {*record.digests}.isdisjoint(map(record.digest, values))


def _is_back(record: Forgotten) -> GitbackupError:
    """Return the error to raise if the database has a forgotten value that would be committed."""
    exclude = wording.command("config add exclude KEY", "config.add('exclude', key)")
    return GitbackupError(
        f"{record} has a value again that was forgotten on {record.at[:10]}, so nothing was"
        " committed: change it or delete it in the database, or leave it out with"
        f" {exclude}; {allow()} lets it be committed"
    )


def allow() -> str:
    """Return the command that lets a forgotten value be committed again."""
    return wording.command("forget KEY --allow", "secrets.allow(key)")
