"""What a restore is going to do: a step for each key, settled before anything is written."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

from gitbackup import codec
from gitbackup.model import Action, Entry, Key


class Ttl(StrEnum):
    """What becomes of expiries: the same instant, as much time as was left, or none."""

    KEEP = "keep"
    REMAINING = "remaining"
    NONE = "none"


@dataclass(frozen=True, slots=True)
class PlannedKey:
    """One key of a plan: what is done to it, and the files its entry is in on either side.

    ADDED creates the key, CHANGED overwrites it, REMOVED deletes it. `before` is a path of
    the live snapshot, `after` one of the commit's; a key that is CHANGED in its expiry only
    has no `before`, for it holds what the commit does.
    """

    key: Key
    action: Action
    type: str
    before: str | None
    after: str | None


@dataclass(frozen=True, slots=True)
class Clock:
    """The instants, in milliseconds since 1970, that expiries are reckoned by.

    `now` is the server's; `taken_at` is when the snapshot was taken.
    """

    now: int
    taken_at: int


@dataclass(frozen=True, slots=True)
class Plan:
    """What a restore is going to do, readable before it does it.

    `commit` is the snapshot's, `server` names where it goes. `keys` are the steps, sorted;
    `expired` are the snapshot's keys that are left out since their instant has passed;
    `kept` are live keys that the snapshot does not have and that stay. `warnings` are
    sentences for the user.
    """

    commit: str
    server: str
    ttl: Ttl
    clock: Clock
    keys: Sequence[PlannedKey]
    expired: Sequence[Key] = ()
    kept: Sequence[Key] = ()
    warnings: Sequence[str] = ()

    @property
    def loses(self) -> bool:
        """Whether some live value is overwritten or deleted."""
        return any(step.action is not Action.ADDED for step in self.keys)


def timed(entry: Entry, ttl: Ttl, clock: Clock) -> Entry | None:
    """The entry as it is to be restored; None where it has expired.

    Fields of a hash that expire follow the same policy; one that has expired is left out,
    and the key with it where no field is left.
    """
    changed: Any = {name: part for name, part in entry.items() if "expires_at" not in name}
    if "expires_at" in entry:
        moment = _moment(entry["expires_at"], ttl, clock)
        if moment is not None and moment <= clock.now:
            return None
        if moment is not None:
            changed["expires_at"] = codec.instant(moment)
    if "field_expires_at" in entry and not _time_fields(changed, entry, ttl, clock):
        return None
    result: Entry = changed
    return result


def _time_fields(changed: Any, entry: Entry, ttl: Ttl, clock: Clock) -> bool:
    """Sets the fields that live, and when they expire; False where none is left."""
    moments = {
        field: _moment(instant, ttl, clock) for field, instant in entry["field_expires_at"].items()
    }
    gone = {field for field, moment in moments.items() if moment and moment <= clock.now}
    living = {field: moment for field, moment in moments.items() if moment and field not in gone}
    if living:
        changed["field_expires_at"] = {f: codec.instant(moment) for f, moment in living.items()}
    changed["value"] = {f: text for f, text in entry["value"].items() if f not in gone}
    return bool(changed["value"])


def _moment(instant: str | int, ttl: Ttl, clock: Clock) -> int | None:
    moment = codec.milliseconds(instant)
    if ttl is Ttl.NONE:
        return None
    return moment if ttl is Ttl.KEEP else clock.now + moment - clock.taken_at
