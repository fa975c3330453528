"""What a restore is going to do: a step for each key, settled before anything is written."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from gitbackup.format import codec
from gitbackup.kinds import kind_of
from gitbackup.model.changes import Action, Counts
from gitbackup.model.file_groups import count_by_namespace, parts, total
from gitbackup.model.keys import Entry, Key, Scope
from gitbackup.model.ttl import Ttl as Ttl

KEY = 40  # bytes that each key takes besides its name and value, at the very least
MOST_FREED = 10  # bytes of memory that a byte of JSON stands for, at the very most


@dataclass(frozen=True, slots=True)
class RestoreOptions:
    """Which keys a restore is about, and what becomes of them.

    `patterns` and `databases` narrow it; no patterns, and None, are all. `databases` are pairs:
    the commit's database, and the live one that it goes into, in their order. Without
    `delete`, live keys that the commit does not have stay. `undoes` is the id of a restore's
    commit: then it is about the keys alone that that one was to change.
    """

    patterns: tuple[str, ...] = ()
    databases: tuple[tuple[int, int], ...] | None = None
    delete: bool = True
    ttl: Ttl = Ttl.KEEP
    undoes: str | None = None

    @property
    def narrowed(self) -> bool:
        """Whether it is about some keys only; of databases, it is about no function libraries."""
        return bool(self.patterns) or self.databases is not None

    def scope(self, commits: Scope) -> Scope:
        """What is touched of the live database, where the commit's own scope is `commits`: of
        each chosen database as much as the commit covers of the one that goes into it."""
        if self.databases is None:
            return commits
        held = commits.databases
        into = tuple(sorted(to for of, to in self.databases if held is None or of in held))
        return replace(commits, databases=into, functions=False)


@dataclass(frozen=True, slots=True)
class PlannedKey:
    """One key of a plan: what is done to it, and the files its entry is in on either side.

    ADDED creates the key, CHANGED overwrites it, REMOVED deletes it. `before` is a path of
    the live snapshot, `after` one of the commit's; a key that is CHANGED in its expiry only
    has no `before`, for it holds what the commit does. `digest` is of what the key holds,
    empty where it is not there; `goes` and `comes` are how many bytes of JSON that takes
    that it holds and that it shall hold; `least` is how much memory the server needs for that.
    """

    key: Key
    action: Action
    type: str
    before: str | None = None
    after: str | None = None
    digest: str = ""
    goes: int = 0
    comes: int = 0
    least: int = 0


@dataclass(frozen=True, slots=True)
class NewKeys:
    """Keys of the commit that the server does not have: many steps that create one each, told
    once.

    They are all keys of the commit's file at `path`, sorted by name. `comes` is how many bytes of
    JSON they take in all; `item` gives each step the same share of it.
    """

    db: int
    path: str
    names: Sequence[str]
    types: Sequence[str]
    comes: int
    action: Action = Action.ADDED

    def item(self, at: int) -> PlannedKey:
        share = self.comes // len(self.names)
        key = Key(self.db, self.names[at])
        return PlannedKey(key, self.action, self.types[at], None, self.path, comes=share)


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
    `expired` are the snapshot's keys that are left out since their instant has passed, `soon`
    those that are restored and expire within the hour; `kept` are live keys that the snapshot
    does not have and that stay. `warnings` are sentences for the user. `name`
    is that of the file whose content the commit holds, if it is a file's.
    """

    commit: str
    server: str
    how: RestoreOptions
    clock: Clock
    keys: Sequence[PlannedKey]
    expired: Sequence[Key] = ()
    soon: Sequence[Key] = ()
    kept: Sequence[Key] = ()
    warnings: Sequence[str] = ()
    name: str = ""

    @property
    def source(self) -> str:
        """What is restored, in a word."""
        return self.name or f"commit {self.commit[:7]}"

    @property
    def loses(self) -> bool:
        """Whether some live value is overwritten or deleted."""
        return self.counts != Counts(added=len(self.keys))

    @property
    def counts(self) -> Counts:
        """How many keys are created, overwritten and deleted in all."""
        return total(self.keys)

    @property
    def namespaces(self) -> Mapping[tuple[str, str], Counts]:
        """How many keys are created, overwritten and deleted, by place and namespace."""
        return count_by_namespace(self.keys)

    @property
    def steps(self) -> Collection[PlannedKey]:
        """The steps that are planned one by one, sorted: all but those of `new_keys`."""
        return [*parts(self.keys)[0]]

    @property
    def new_keys(self) -> Sequence[NewKeys]:
        """The steps that create keys in bulk."""
        return [block for block in parts(self.keys)[1] if isinstance(block, NewKeys)]

    @property
    def samples(self) -> Collection[PlannedKey]:
        """A step of each database, action and type."""
        samples: dict[tuple[object, ...], PlannedKey] = {}
        for step in parts(self.keys)[0]:
            samples.setdefault((step.key.db, step.action, step.type), step)
        for new in self.new_keys:
            for type_ in {*new.types}:
                sample = new.db, new.action, type_
                if sample not in samples:
                    samples[sample] = new.item(new.types.index(type_))
        return samples.values()

    @property
    def growth(self) -> Mapping[int, int]:
        """How many more keys each database has once the plan is carried out."""
        few, blocks = parts(self.keys)
        growth: Counter[int] = Counter()
        for step in few:
            growth[step.key.db] += (step.action is Action.ADDED) - (step.action is Action.REMOVED)
        for block in blocks:
            growth[block.db] += len(block.names)
        return growth

    @property
    def goes(self) -> int:
        """How many bytes are overwritten or deleted, counted as a snapshot stores them."""
        return sum(step.goes for step in parts(self.keys)[0])

    @property
    def comes(self) -> int:
        """How many bytes are written, counted in the same way."""
        few = sum(step.comes for step in parts(self.keys)[0])
        return few + sum(new.comes for new in self.new_keys)

    @property
    def adds(self) -> int:
        """How many more bytes of memory the server needs in the end, at the very least, not
        counting what `new_keys` take."""
        return sum(step.least - MOST_FREED * step.goes for step in parts(self.keys)[0])

    @property
    def adds_new(self) -> int:
        """Bytes of memory that surely cover the least that the server needs for `new_keys`."""
        new_keys = self.new_keys
        names = (KEY + len(name) for new in new_keys for name in new.names)
        return sum(new.comes for new in new_keys) + sum(names)


def least(name: str, entry: Entry) -> int:
    """How many bytes of memory a server needs for a key, at the very least.

    A text takes as many as it has, but a number may be packed, a list compressed, and a stream
    keep the names of fields once.
    """
    return KEY + len(name) + kind_of(entry["type"]).least_memory(entry["value"])


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
