"""Some keys of a plan as the words of a restore of these only."""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Collection, Iterable, Iterator, Mapping
from typing import NamedTuple

from gitbackup.errors import UsageError
from gitbackup.format import codec
from gitbackup.format.patterns import matcher
from gitbackup.model.file_groups import unordered
from gitbackup.model.keys import PLACES, Key
from gitbackup.plan.plan import Plan

FEW = 20
"""Keys of a namespace that are named one by one; for more, a glob stands for the namespace."""

SPECIAL = re.compile(r"([*?\[\]\\])")


class Chosen(NamedTuple):
    """The keys that were chosen, as patterns and databases of a restore; no patterns are all."""

    patterns: tuple[str, ...]
    databases: Mapping[int, int] | None


def as_restore(plan: Plan, chosen: Collection[Key], by_database: bool = True) -> Chosen:
    """Return the patterns and databases that choose these keys and no others of the plan.

    Unless `by_database`, patterns alone do. Raises UsageError if none do.
    """
    keys = {step.key for step in unordered(plan.keys)}
    pairs = plan.how.databases
    if len(chosen) == len(keys):
        return Chosen(plan.how.patterns, None if pairs is None else dict(pairs))
    places = {key.db for key in chosen}
    if not (by_database and places.isdisjoint(PLACES)):
        databases = None
    elif pairs is None:
        databases = {db: db for db in sorted(places)}
    else:
        databases = {of: to for of, to in pairs if to in places}
    patterns = tuple(_patterns(sorted(keys), {*chosen}))
    matches = matcher(patterns)
    for key in sorted(keys.difference(chosen)):
        reached = databases is None or key.db in databases.values()
        if reached and matches(codec.data(key.name)):
            raise UsageError(
                f"{str(key)!r} has the name of a key that was chosen in another database: choose"
                " keys of one database at a time"
            )
    return Chosen(patterns, databases)


def _patterns(keys: Iterable[Key], chosen: set[Key]) -> Iterator[str]:
    """Yield a glob for each namespace that is chosen whole and has many keys; for each other key
    its name."""
    spaces = defaultdict[str, set[Key]](set)
    for key in keys:
        spaces[key.namespace].add(key)
    for space, some in spaces.items():
        if len(some) > FEW and some <= chosen and space != "base64":
            yield f"{literal(space)}:*"
        else:
            yield from sorted({literal(key.name) for key in some & chosen})


def literal(name: str) -> str:
    """Return the glob that matches this name only."""
    return SPECIAL.sub(r"\\\1", codec.loose(codec.data(name)))
