"""`diff --format redis`: the commands that turn one side of a comparison into the other."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace

from gitbackup.format import codec
from gitbackup.kinds import Command
from gitbackup.kinds.rewrite import turn
from gitbackup.live.server.search_indexes import IndexChange, changing
from gitbackup.model.changes import KeyChange
from gitbackup.model.keys import FUNCTIONS, SEARCH
from gitbackup.plan.plan import Clock, Ttl, timed
from gitbackup.snapshot.compare import Comparison

LEEWAY = 86_400_000  # milliseconds after which the commands need not be right any more


def commands(comparison: Comparison, now: int) -> Iterator[Command]:
    """Yield the commands that make a server which holds the first side hold the second.

    Search indexes and libraries come first, then each database's keys after a SELECT. Keys of the
    second side that have expired by `now`, in milliseconds since 1970, are not written.
    """
    changes = sorted(comparison.changes, key=lambda change: change.key)
    yield from _deletions([change for change in changes if change.key.db == FUNCTIONS])
    db = FUNCTIONS
    for change, before, after in replace(comparison, changes=changes).pairs():
        key = codec.data(change.key.name)
        if change.key.db == SEARCH:
            old, new = (each and codec.data(each["value"]) for each in (before, after))
            yield from changing(IndexChange(change.key.name, old, new))
            continue
        if change.key.db == FUNCTIONS:
            if after:
                yield "FUNCTION", "LOAD", "REPLACE", codec.data(after["value"])
            continue
        left = timed(after, Ttl.KEEP, Clock(now, now)) if after else None
        if before is None and left is None:
            continue
        if change.key.db != db:
            db = change.key.db
            yield "SELECT", db
        yield from turn(key, before, left, now + LEEWAY)


def _deletions(libraries: Sequence[KeyChange]) -> Iterator[Command]:
    """Yield the commands that delete libraries before others are loaded: no function may be in two
    libraries.

    If only one is loaded, it replaces the library of its name, which is not deleted.
    """
    alone = sum(change.after is not None for change in libraries) == 1
    for change in libraries:
        if change.before is not None and not (change.after and alone):
            yield "FUNCTION", "DELETE", codec.data(change.key.name)
