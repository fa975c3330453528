"""`diff --format redis`: the commands that turn one side of a comparison into the other."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace

from gitbackup.format import codec
from gitbackup.kinds import Command
from gitbackup.kinds.rewrite import turn
from gitbackup.model.changes import KeyChange
from gitbackup.model.keys import FUNCTIONS
from gitbackup.plan.plan import Clock, Ttl, timed
from gitbackup.snapshot.compare import Comparison

LEEWAY = 86_400_000  # milliseconds: how long after they are made the commands still hold


def commands(comparison: Comparison, now: int) -> Iterator[Command]:
    """The commands that make a server which holds the one side hold the other.

    Libraries come first, then each database's keys, a SELECT before them. Of the other side,
    what has expired `now` is taken for gone.
    """
    changes = sorted(comparison.changes, key=lambda change: change.key)
    yield from _going([change for change in changes if change.key.db == FUNCTIONS])
    db = FUNCTIONS
    for change, before, after in replace(comparison, changes=changes).pairs():
        key = codec.data(change.key.name)
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


def _going(libraries: Sequence[KeyChange]) -> Iterator[Command]:
    """What goes before anything comes: no function may be in two libraries.

    A library that comes alone takes the place of the one of its name.
    """
    alone = sum(change.after is not None for change in libraries) == 1
    for change in libraries:
        if change.before is not None and not (change.after and alone):
            yield "FUNCTION", "DELETE", codec.data(change.key.name)
