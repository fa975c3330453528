"""Keys, their entries, and which of them a snapshot covers."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, NamedTuple, NotRequired, TypedDict

FORMAT = 1
"""The version of the stored format that this gitbackup writes."""


FUNCTIONS, SEARCH = -1, -2
"""Stand where a database number would, for the server's function libraries and search indexes."""

PLACES = {FUNCTIONS: "functions", SEARCH: "search"}
"""The top folders of a snapshot that hold what belongs to no database."""


class Masked(str):
    """Text in place of masked data, of which it shows nothing."""

    __slots__ = ()


MASK = Masked("***")


class Space(NamedTuple):
    """A place, and the prefix that some of its keys have (`Key.prefix`); empty for the others."""

    place: str
    name: str


class Key(NamedTuple):
    """One key: the number of its database, and its name under the text rule.

    A library of Redis Functions is a key of the place FUNCTIONS, and a search index one of the
    place SEARCH.
    """

    db: int
    name: str

    @property
    def place(self) -> str:
        """The top folder of a snapshot that holds it: `db0`, `functions` or `search`."""
        return place_of(self.db)

    @property
    def in_database(self) -> bool:
        """Return whether it is a key, and no library or index."""
        return self.db >= 0

    @property
    def namespace(self) -> str:
        """The name up to its first colon; the whole name where there is none."""
        return self.name.partition(":")[0] if not self.name.startswith("base64:") else "base64"

    @property
    def prefix(self) -> str:
        """The namespace with its colon; empty for a key without a colon, a library or an index."""
        text = self.in_database and not self.name.startswith("base64:")
        start, colon, _ = self.name.partition(":") if text else ("", "", "")
        return start + colon if colon else ""

    @property
    def space(self) -> Space:
        """The place and prefix that a page shows it under."""
        return Space(self.place, self.prefix)

    def __str__(self) -> str:
        return self.name if self.db == 0 else f"{self.place} {self.name}"


def place_of(db: int) -> str:
    """Return the top folder of what has this database, or of libraries or indexes."""
    return PLACES.get(db) or f"db{db}"


def db_of(place: str) -> int:
    """Return the number that `place_of` makes this folder of."""
    found = (db for db, name in PLACES.items() if name == place)
    return next(found, None) or int(place.removeprefix("db"))


class Entry(TypedDict):
    """One key's data exactly as a snapshot stores it; all text is under the text rule.

    `expires_at` and the values of `field_expires_at` are instants such as
    `2027-01-15T08:00:00.123Z`, or a number of milliseconds past the year 9999.
    """

    type: str
    value: Any
    expires_at: NotRequired[str | int]
    field_expires_at: NotRequired[dict[str, str | int]]


@dataclass(frozen=True, slots=True)
class Scope:
    """Which databases and keys a snapshot covers.

    `databases` is None for all of them. A key is covered when it matches one of
    `include` (all do where that is empty) and none of `exclude`. `functions` tells
    whether the libraries of Redis Functions are covered, and `search` whether search indexes are:
    only if all databases are, and no manifest says it.
    """

    databases: tuple[int, ...] | None = None
    include: tuple[str, ...] = ()
    exclude: tuple[str, ...] = ()
    functions: bool = True
    search: bool = True

    @property
    def every_key(self) -> bool:
        """Whether all keys of all databases are covered; libraries and indexes are no keys."""
        return self.databases is None and not self.include and not self.exclude


def place_object(key: Key) -> dict[str, Any]:
    """Return a key's place for a program; libraries of functions and search indexes have no
    database."""
    return {"db": key.db} if key.in_database else {key.place: True}


def key_object(key: Key) -> dict[str, Any]:
    """Return a key's place and name for a program."""
    return {**place_object(key), "key": key.name}
