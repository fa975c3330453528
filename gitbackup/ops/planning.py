"""Planning a restore: the live database against a commit, key by key."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field, replace

from gitbackup import codec, snapshot
from gitbackup.errors import Damaged
from gitbackup.model import FUNCTIONS, Action, Entry, Key, KeyChange, Scope
from gitbackup.ops.compare import Comparison
from gitbackup.ops.sides import Side
from gitbackup.patterns import covers, matcher
from gitbackup.plan import Clock, Plan, PlannedKey, Ttl, timed
from gitbackup.store.repository import Repository

UNSEEN = (
    "function libraries are left as they are, for the user may not list them: grant ACL SETUSER"
    " ... +function|list"
)


@dataclass(frozen=True, slots=True)
class Wanted:
    """What is to be restored: a commit's id, which of its keys, and how.

    `patterns` and `databases` narrow it; no patterns, and None, are all of them. Where
    `delete` is false, live keys that the commit does not have stay. `asked` is in what
    words it was asked for; `resumed` tells whether a restore in those words was cut off.
    """

    commit: str
    patterns: tuple[str, ...] = ()
    databases: tuple[int, ...] | None = None
    delete: bool = True
    ttl: Ttl = Ttl.KEEP
    asked: str = ""
    resumed: bool = False

    @property
    def everything(self) -> bool:
        """Whether the database is to be just what the commit holds."""
        return self.delete and self.ttl is Ttl.KEEP and not self.narrowed

    @property
    def narrowed(self) -> bool:
        """Whether it is about some keys only; then it is about no function libraries."""
        return bool(self.patterns) or self.databases is not None


@dataclass(slots=True)
class _Drawing:
    keys: list[PlannedKey] = field(default_factory=list)
    expired: list[Key] = field(default_factory=list)
    kept: list[Key] = field(default_factory=list)


def taken_at(repository: Repository, commit: str) -> int:
    """When a commit's snapshot was taken, in milliseconds since 1970; the commit's own date
    where it was made with plain git."""
    info = repository.commit_info(commit)
    try:
        return codec.milliseconds(info.trailers["Taken-At"])
    except (KeyError, ValueError):
        return int(info.date.timestamp() * 1000)


@dataclass(frozen=True, slots=True)
class Checked:
    """A snapshot that is well-formed: its scope, and how many keys each database has."""

    scope: Scope
    keys: Mapping[int, int]


def check_snapshot(side: Side) -> Checked:
    """Reads a whole snapshot.

    Raises Damaged, naming file, line and key, where a file is not well-formed, two hold the
    same key, or there is no manifest.
    """
    if snapshot.MANIFEST not in side.files:
        raise Damaged(f"the commit has no {snapshot.MANIFEST}: it is no snapshot of gitbackup")
    scope = snapshot.read_manifest(side.read(snapshot.MANIFEST))
    files = ((path, side.read(path)) for path in sorted(side.files) if snapshot.is_data(path))
    keys = Counter(key.db for _, entries in snapshot.decode_all(files) for key in entries)
    return Checked(scope, dict(keys))


def draw(comparison: Comparison, wanted: Wanted, scope: Scope, clock: Clock, server: str) -> Plan:
    """The plan that makes the live side (`before`) hold what the commit (`after`) does.

    Keys that the snapshot's `scope` does not cover are left alone, and so are all function
    libraries where the live side does not cover them: it could not be told what is lost.
    """
    drawing = _Drawing()
    seen = snapshot.read_manifest(comparison.before.read(snapshot.MANIFEST)).functions
    unseen = scope.functions and not seen and not wanted.narrowed
    concerns = _concerns(wanted, replace(scope, functions=scope.functions and seen))
    for change, live, stored in _candidates(comparison, wanted.ttl):
        if concerns(change.key):
            _draw_key(drawing, change, live, stored, wanted, clock)
    drawing.keys.sort(key=lambda step: step.key)
    return Plan(
        wanted.commit,
        server,
        wanted.ttl,
        clock,
        drawing.keys,
        drawing.expired,
        drawing.kept,
        [UNSEEN] if unseen else [],
    )


def _concerns(wanted: Wanted, scope: Scope) -> Callable[[Key], bool]:
    within, matches = covers(scope), matcher(wanted.patterns)

    def concerns(key: Key) -> bool:
        if key.db == FUNCTIONS:
            return within(key) and not wanted.narrowed
        chosen = wanted.databases is None or key.db in wanted.databases
        return chosen and within(key) and bool(matches(codec.data(key.name)))

    return concerns


def _candidates(
    comparison: Comparison, ttl: Ttl
) -> Iterator[tuple[KeyChange, Entry | None, Entry | None]]:
    """The keys that differ; and where expiries are to change, all that have one."""
    yield from comparison.pairs()
    if ttl is Ttl.KEEP:
        return
    differing = {change.key for change in comparison.changes}
    for path in sorted(filter(snapshot.is_data, comparison.after.files)):
        for key, entry in snapshot.decode_file(path, comparison.after.read(path)).items():
            if key not in differing and entry.keys() & {"expires_at", "field_expires_at"}:
                yield KeyChange(key, Action.CHANGED, None, path), entry, entry


def _draw_key(
    drawing: _Drawing,
    change: KeyChange,
    live: Entry | None,
    stored: Entry | None,
    wanted: Wanted,
    clock: Clock,
) -> None:
    restored = timed(stored, wanted.ttl, clock) if stored else None
    if stored and restored is None:
        drawing.expired.append(change.key)
    if restored is None and live is not None and not wanted.delete:
        drawing.kept.append(change.key)
    elif codec.encode(restored) != codec.encode(live):
        entry = restored or live
        action = _action(live, restored)
        kind = entry["type"] if entry else ""
        drawing.keys.append(PlannedKey(change.key, action, kind, change.before, change.after))


def _action(live: Entry | None, restored: Entry | None) -> Action:
    if live is None:
        return Action.ADDED
    return Action.REMOVED if restored is None else Action.CHANGED
