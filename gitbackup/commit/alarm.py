"""The alarm: when a commit removes most of the keys, and for how long that is worth saying.

Such a commit is made like any other, for it is what the database holds, and its trailer tells of
the alarm. It stands until somebody accepts it, or most of those keys are there again.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import cache

from gitbackup.capture.capture import Capture
from gitbackup.capture.expiries import living
from gitbackup.errors import Damaged
from gitbackup.format import codec
from gitbackup.format.patterns import apart, matcher
from gitbackup.model.changes import Action, KeyChange
from gitbackup.model.commits import CommitInfo, Selection
from gitbackup.model.keys import Key
from gitbackup.model.safety.alarm import TRAILER, Alarm, AlarmRule, alarm_in
from gitbackup.settings import ACCEPT_ALARM, alarm_rule
from gitbackup.snapshot.compare import compare
from gitbackup.snapshot.entry_sources import EntrySource, decoded
from gitbackup.snapshot.sources import Source, sources_of
from gitbackup.store.repository.repository import Repository

FAR = 1_000  # commits that are searched for an alarm


def raised(
    capture: Capture, known: Source, quiet: Sequence[str], rule: AlarmRule | None
) -> Alarm | None:
    """Return the alarm that a commit of this capture raises, by the rule; None for none.

    `known` is the snapshot that it was compared with. Keys that have expired, and those that match
    one of the globs `quiet`, do not count.
    """
    counts, live = capture.summary.counts, capture.live
    if rule is None or counts.removed < rule.least:
        return None
    loud, hidden = apart(capture.changes, quiet)
    removed = [change for change in loud if change.action is Action.REMOVED]
    if len(removed) < rule.least:
        return None
    now = codec.instant(live.taken_at)
    gone = _not_expired(removed, decoded(known), str(now))
    expired = len(removed) - len(gone)
    of = sum(live.keys.values()) - counts.added + counts.removed - expired
    if quiet:
        of -= live.count(matcher(quiet)) + sum(_before(change) for change in hidden)
    return Alarm(len(gone), of) if rule.raises(len(gone), of) else None


def _before(change: KeyChange) -> int:
    """Return how many more keys there were before a change than after it."""
    return {Action.REMOVED: 1, Action.ADDED: -1, Action.CHANGED: 0}[change.action]


def _not_expired(removed: Sequence[KeyChange], known: EntrySource, now: str) -> list[KeyChange]:
    """Return the changes that removed a key which had not expired by an instant."""

    @cache
    def some_expired(path: str) -> bool:
        summary = known.outline(path)
        return not summary.plain or bool(summary.due and summary.due < now)

    def expired(change: KeyChange) -> bool:
        try:
            if change.before is None or not some_expired(change.before):
                return False
            entry = known.entry(change.before, change.key)
        except (Damaged, KeyError):  # what cannot be read was not seen to expire
            return False
        return entry is not None and living(entry, now) is None

    return [change for change in removed if not expired(change)]


def trailers(alarm: Alarm | None) -> Mapping[str, str]:
    """Return the trailers of a commit that raises an alarm; none for None."""
    return {TRAILER: str(alarm)} if alarm else {}


@dataclass(frozen=True, slots=True)
class StandingAlarm:
    """An alarm that stands: the commit that raised it, so many commits `back` from HEAD along
    first parents, and how many of the keys that it removed are `missing` in HEAD."""

    info: CommitInfo
    alarm: Alarm
    missing: int
    back: int


def standing(repository: Repository) -> StandingAlarm | None:
    """Return the last alarm of HEAD's history that stands; None if there is none.

    An alarm that cannot be looked into, for its commit is damaged, stands.
    """
    rule, accepted = alarm_rule(repository), repository.get_all(ACCEPT_ALARM)
    quiet = repository.get_all("quiet")
    for back, info in enumerate(repository.log(Selection(limit=FAR, first_parent=True))):
        alarm = alarm_in(info.trailers)
        if alarm is None or not info.parents or is_accepted(info.id, accepted):
            continue
        try:
            missing = _missing(repository, info, quiet)
        except Damaged:
            missing = alarm.removed
        if rule.raises(missing, alarm.of):
            return StandingAlarm(info, alarm, missing, back)
    return None


def is_accepted(commit: str, accepted: Sequence[str]) -> bool:
    """Return whether one of these ids, which may be short, is that of a commit."""
    return any(commit.startswith(each.lower()) for each in accepted if each)


def _missing(repository: Repository, info: CommitInfo, quiet: Sequence[str]) -> int:
    """Return how many of the keys that a commit removed HEAD lacks, and that would not have
    expired by now."""
    head, parent = repository.resolve("HEAD"), info.parents[0]
    removed = _removed(repository, parent, info.id, quiet)
    if head == info.id:
        return len(removed)
    return len(removed & _removed(repository, parent, head, quiet))


def _removed(repository: Repository, a: str, b: str, quiet: Sequence[str]) -> set[Key]:
    found = compare(*sources_of(repository, repository.changed_files(a, b)))
    loud, _ = apart(found.changes, quiet)
    removed = [change for change in loud if change.action is Action.REMOVED]
    now = str(codec.instant(int(datetime.now(UTC).timestamp() * 1000)))
    return {change.key for change in _not_expired(removed, decoded(found.before), now)}
