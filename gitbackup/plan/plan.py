"""What a restore is going to do: a step for each key, decided before anything is written."""

from __future__ import annotations

from array import array
from collections import Counter
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, NamedTuple, Protocol, Self, TypeVar

from gitbackup.format import codec
from gitbackup.kinds import kind_of
from gitbackup.model.changes import Action, Counts, KeyDiff
from gitbackup.model.file_groups import count_by_namespace, listed, parts, total
from gitbackup.model.keys import Entry, Key, Scope
from gitbackup.model.merging import Conflict, MergeRule
from gitbackup.model.ttl import Ttl as Ttl

KEY = 40  # bytes of memory that a key takes besides its name and value, at the very least
MOST_FREED = 10  # bytes of memory that are freed for a byte of JSON, at the very most


@dataclass(frozen=True, slots=True)
class Revert:
    """How a commit is reverted: by which rule its keys are merged, and which it leaves alone.

    Keys that a glob of `exclude` matches are not reverted, nor those that match one of `quiet`.
    """

    rule: MergeRule = MergeRule()  # noqa: RUF009  frozen
    exclude: tuple[str, ...] = ()
    quiet: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class RestoreOptions:
    """Which keys are restored, and how.

    `patterns` and `databases` narrow it; no patterns, and None, mean all. `databases` are sorted
    pairs: the commit's database, and the live one that it goes into. Without `delete`, live keys
    that the commit does not have are kept. `undoes` is the id of a restore's commit: then only
    the keys that that restore was to change are restored. If there is a `revert`, the commit is
    not restored but reverted. Without `field_expiry`, the fields of hashes do not expire.
    """

    patterns: tuple[str, ...] = ()
    databases: tuple[tuple[int, int], ...] | None = None
    delete: bool = True
    ttl: Ttl = Ttl.KEEP
    undoes: str | None = None
    revert: Revert | None = None
    field_expiry: bool = True

    def restored(self, entry: Entry, clock: Clock) -> Entry | None:
        """Return an entry of the commit as it is to be restored; None if it has expired."""
        restored = timed(entry, self.ttl, clock)
        if restored and not self.field_expiry:
            restored.pop("field_expires_at", None)
        return restored

    @property
    def narrowed(self) -> bool:
        """Whether only some keys are restored; chosen databases leave out function libraries."""
        return bool(self.patterns) or self.databases is not None

    def scope(self, commits: Scope) -> Scope:
        """Return the scope of the live database that a commit of scope `commits` is restored to:
        of each chosen database as much as the commit covers of the one that goes into it."""
        if self.databases is None:
            return commits
        covered = commits.databases
        into = (to for db, to in self.databases if covered is None or db in covered)
        return replace(commits, databases=tuple(sorted(into)), functions=False)


class PlannedKey(NamedTuple):
    """One key of a plan: what is done to it, and the files its entry is in on either side.

    ADDED creates the key, CHANGED overwrites it, REMOVED deletes it. `before` is a path of
    the live snapshot, `after` one of the commit's; a key of which only the expiry is CHANGED
    has no `before`. `digest` is of the live entry, empty if there is none; `goes` and `comes`
    are the bytes of JSON that are removed and written; `least` is the bytes of memory that the
    server needs for the new entry, at the very least.
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
    """Keys of the commit that the server does not have: many steps, each of which creates one.

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
class OldKeys:
    """Keys of the server that the commit does not have: many steps, each of which deletes one.

    They are all keys of the live snapshot's file at `path`, sorted by name. `goes` is how many
    bytes of JSON they take in all; `item` gives each step the same share of it, and no digest.
    """

    db: int
    path: str
    names: Sequence[str]
    types: Sequence[str]
    goes: int
    action: Action = Action.REMOVED

    def item(self, at: int) -> PlannedKey:
        share = self.goes // len(self.names)
        key = Key(self.db, self.names[at])
        return PlannedKey(key, self.action, self.types[at], self.path, goes=share)


@dataclass(frozen=True, slots=True)
class FileSteps:
    """Steps about keys of one file, each as it was planned: the same happens to all of them.

    They are sorted by name. `digests` has 16 bytes for each, or none at all, and `amounts` what
    `goes` and `comes`, and the `least` memory, of one after the other; of all of them they are
    the sums.
    """

    db: int
    action: Action
    before: str | None
    after: str | None
    names: Sequence[str]
    types: Sequence[str]
    digests: bytes
    amounts: array[int]

    @classmethod
    def of(cls, steps: Sequence[PlannedKey]) -> Self:
        """Return steps that were planned of keys of one file, sorted by key."""
        one = steps[0]
        return cls(
            one.key.db,
            one.action,
            one.before,
            one.after,
            tuple(step.key.name for step in steps),
            tuple(step.type for step in steps),
            bytes.fromhex("".join(step.digest for step in steps)),
            array(
                "Q", [amount for step in steps for amount in (step.goes, step.comes, step.least)]
            ),
        )

    @property
    def goes(self) -> int:
        return sum(self.amounts[0::3])

    @property
    def comes(self) -> int:
        return sum(self.amounts[1::3])

    @property
    def least(self) -> int:
        return sum(self.amounts[2::3])

    def item(self, at: int) -> PlannedKey:
        key, digest = Key(self.db, self.names[at]), self.digests[16 * at : 16 * at + 16].hex()
        amounts = self.amounts[3 * at : 3 * at + 3]
        return PlannedKey(
            key, self.action, self.types[at], self.before, self.after, digest, *amounts
        )


@dataclass(frozen=True, slots=True)
class Clock:
    """The instants, in milliseconds since 1970, that expiries are computed from.

    `now` is the server's; `taken_at` is when the snapshot was taken.
    """

    now: int
    taken_at: int


Block = TypeVar("Block", NewKeys, OldKeys, FileSteps)


class Differences(Protocol):
    """Yields what steps change inside their keys; without any, all steps of a plan."""

    def __call__(self, steps: Iterable[PlannedKey] | None = None, /) -> Iterable[KeyDiff]: ...


Sides = tuple["Entry | None", "Entry | None"]
"""The entries of a key before and after."""


def _no_differences(steps: Iterable[PlannedKey] | None = None) -> Iterable[KeyDiff]:
    return ()


def _no_sides(step: PlannedKey) -> Sides:
    return None, None


@dataclass(frozen=True, slots=True)
class Plan:
    """What a restore is going to do, before it does it.

    `commit` is the snapshot's, `server` names where it goes, and `nodes` has the ids of its
    primaries if it is a cluster, which has a name for each of its nodes. `runs` names the run of
    that server, or of each of its nodes, if the plan is to be compared with another one.
    `keys` are the steps, sorted;
    `expired` are the snapshot's keys that are left out since they have expired, `soon` those that
    are restored and expire within the hour; `kept` are live keys that the snapshot does not have
    and that are kept; `unsupported` keys of the snapshot are left out, for the server cannot hold
    their types. `warnings` are sentences for the user. `name` is that of the imported file,
    or of the server if it is `copied` from one; empty for a commit. `conflicts` of a revert are
    parts of keys that are left as they are, since they cannot be merged. `live_keys` is how many
    keys the live database has in all, and `refused` why the plan cannot be carried out, which is
    one of the warnings; empty if it can. `differences` yields what each step changes inside its
    key, or each of the steps that it is given, and `sides` returns the entry that a step's key has
    and the one that it gets; both can be called as long as somebody is shown the plan, or asked
    about it.
    """

    commit: str
    server: str
    how: RestoreOptions
    clock: Clock
    keys: Sequence[PlannedKey]
    expired: Sequence[Key] = ()
    soon: Sequence[Key] = ()
    kept: Sequence[Key] = ()
    unsupported: Sequence[Key] = ()
    warnings: Sequence[str] = ()
    name: str = ""
    copied: bool = False
    conflicts: Sequence[Conflict] = ()
    live_keys: int = 0
    refused: str = ""
    nodes: tuple[str, ...] = ()
    runs: frozenset[str] = frozenset()
    differences: Differences = field(default=_no_differences, compare=False, repr=False)
    sides: Callable[[PlannedKey], Sides] = field(default=_no_sides, compare=False, repr=False)

    def warned(self, *warnings: str) -> Plan:
        """Return the plan with more sentences for the user."""
        return replace(self, warnings=[*self.warnings, *warnings])

    def alone(self) -> Plan:
        """Return the plan without what its differences and sides are read from."""
        return replace(self, differences=_no_differences, sides=_no_sides)

    @property
    def source(self) -> str:
        """The name of what is restored: the file, or `commit` and its short id."""
        return self.name or f"commit {self.commit[:7]}"

    @property
    def loses(self) -> bool:
        """Whether a live value is overwritten or deleted."""
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
    def steps(self) -> Sequence[PlannedKey]:
        """The steps that are planned one by one, sorted: all but those of `new_keys` and
        `old_keys`."""
        return listed([*parts(self.keys)[0]], self._blocks(FileSteps))

    def steps_of(self, types: Collection[str]) -> Iterator[PlannedKey]:
        """Yield those of the `steps` that are about keys of these types."""
        few = [step for step in parts(self.keys)[0] if step.type in types]
        many = [block for block in self._blocks(FileSteps) if not {*block.types}.isdisjoint(types)]
        return (step for step in listed(few, many) if step.type in types)

    @property
    def new_keys(self) -> Sequence[NewKeys]:
        """The steps that create keys in bulk."""
        return self._blocks(NewKeys)

    @property
    def old_keys(self) -> Sequence[OldKeys]:
        """The steps that delete keys in bulk."""
        return self._blocks(OldKeys)

    def _blocks(self, kind: type[Block]) -> list[Block]:
        return [block for block in parts(self.keys)[1] if isinstance(block, kind)]

    @property
    def samples(self) -> Collection[PlannedKey]:
        """A step of each database, action and type."""
        samples: dict[tuple[object, ...], PlannedKey] = {}
        for step in parts(self.keys)[0]:
            samples.setdefault((step.key.db, step.action, step.type), step)
        bulk: list[NewKeys | OldKeys] = [*self.old_keys, *self.new_keys]
        for block in (*bulk, *self._blocks(FileSteps)):
            for type_ in {*block.types}:
                sample = block.db, block.action, type_
                if sample not in samples:
                    samples[sample] = block.item(block.types.index(type_))
        return samples.values()

    @property
    def growth(self) -> Mapping[int, int]:
        """How many more keys each database has once the plan is carried out."""
        few, blocks = parts(self.keys)
        growth: Counter[int] = Counter()
        for step in few:
            growth[step.key.db] += (step.action is Action.ADDED) - (step.action is Action.REMOVED)
        for block in blocks:
            more = (block.action is Action.ADDED) - (block.action is Action.REMOVED)
            growth[block.db] += more * len(block.names)
        return growth

    @property
    def goes(self) -> int:
        """How many bytes are overwritten or deleted, counted as a snapshot stores them."""
        few = sum(step.goes for step in parts(self.keys)[0])
        many = (steps.goes for steps in self._blocks(FileSteps))
        return few + sum(many) + sum(old.goes for old in self.old_keys)

    @property
    def comes(self) -> int:
        """How many bytes are written, counted in the same way."""
        few = sum(step.comes for step in parts(self.keys)[0])
        many = (steps.comes for steps in self._blocks(FileSteps))
        return few + sum(many) + sum(new.comes for new in self.new_keys)

    @property
    def adds(self) -> int:
        """How many more bytes of memory the server needs in the end, at the very least, not
        counting what `new_keys` take."""
        few = sum(step.least for step in parts(self.keys)[0])
        many = (steps.least for steps in self._blocks(FileSteps))
        return few + sum(many) - MOST_FREED * self.goes

    @property
    def adds_new(self) -> int:
        """Bytes of memory that surely cover the least that the server needs for `new_keys`."""
        new_keys = self.new_keys
        names = (KEY + len(name) for new in new_keys for name in new.names)
        return sum(new.comes for new in new_keys) + sum(names)


def least(name: str, entry: Entry) -> int:
    """Return how many bytes of memory a server needs for a key, at the very least.

    A text takes as many as it has, but a number may be packed, a list compressed, and a stream
    may store the names of fields once.
    """
    return KEY + len(name) + kind_of(entry).least_memory(entry["value"])


def timed(entry: Entry, ttl: Ttl, clock: Clock) -> Entry | None:
    """Return the entry as it is to be restored; None if it has expired.

    Fields of a hash that expire follow the same policy. A field that has expired is left out, and
    so is the key if no field is left.
    """
    changed: Any = {name: part for name, part in entry.items() if "expires_at" not in name}
    if "expires_at" in entry:
        moment = _moment(entry["expires_at"], ttl, clock)
        if moment is not None and moment <= clock.now:
            return None
        if moment is not None:
            changed["expires_at"] = codec.instant(moment)
    if "field_expires_at" in entry:
        expiries = entry["field_expires_at"].items()
        moments = {field: _moment(instant, ttl, clock) for field, instant in expiries}
        gone = {field for field, moment in moments.items() if moment and moment <= clock.now}
        living = {
            f: codec.instant(moment) for f, moment in moments.items() if moment and f not in gone
        }
        if living:
            changed["field_expires_at"] = living
        changed["value"] = {f: text for f, text in entry["value"].items() if f not in gone}
        if not changed["value"]:
            return None
    result: Entry = changed
    return result


def _moment(instant: str | int, ttl: Ttl, clock: Clock) -> int | None:
    moment = codec.milliseconds(instant)
    if ttl is Ttl.NONE:
        return None
    return moment if ttl is Ttl.KEEP else clock.now + moment - clock.taken_at
