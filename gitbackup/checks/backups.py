"""What we keep of the data, the history and RDB files: judged by age, place and restore tests."""

from __future__ import annotations

import shlex
import stat
import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from functools import partial
from pathlib import Path

from gitbackup import wording
from gitbackup.checks.persistence import unknown
from gitbackup.checks.places import synced, synced_folder
from gitbackup.commit.alarm import StandingAlarm
from gitbackup.model.amounts import age, counted, span
from gitbackup.model.commits import CommitInfo, Pushed, Verdict
from gitbackup.model.safety.risk import Level, Risk
from gitbackup.model.server.rdb import RdbFile

DELETED = "keys were deleted by mistake"
MISTAKE, LOST = "a mistake deletes data", "this machine is lost"
NEEDED, READ = "a backup is needed", "others look at the files"
BROKEN = "the history is damaged"
ELSEWHERE = "Push to another machine, or to a folder of a cloud drive or another disk:"
MS = timedelta(milliseconds=1)


@dataclass(frozen=True, slots=True)
class Backups:
    """What is known of the history, and of what stands beside it.

    `changed` is how many keys differ from HEAD, None if nobody looked, and `why` then tells
    why not. `rehearsed` is the newest commit that was verified, `since` how many came after
    it. `near` tells where those remotes are that would be lost with the repository, `at_once`
    whether every commit is pushed. `rdb` is the
    newest RDB file that was saved. `alarm` is that of a commit that removed most of the keys, if it
    stands. `open` are files with secrets that other users of this machine can read, or the folders
    that should keep them out; `foreign` are those of another user.
    """

    head: CommitInfo | None = None
    changed: int | None = None
    why: str = ""
    remotes: Sequence[Pushed] = ()
    rehearsed: CommitInfo | None = None
    since: int = 0
    rdb: RdbFile | None = None
    alarm: StandingAlarm | None = None
    open: Sequence[Path] = ()
    foreign: Sequence[Path] = ()
    near: Mapping[str, str] = field(default_factory=dict)
    at_once: bool = False


def judge(backups: Backups, max_age: timedelta, now: datetime) -> Iterator[Risk]:
    """Yield a Risk for the last commit, the pushes, the restore test, RDB files and file modes."""
    if backups.alarm:
        yield _alarm(backups.alarm, now)
    yield _commit(backups, max_age, now)
    if backups.head:
        yield _push(backups, max_age, now)
        yield _rehearsal(backups, max_age, now)
    yield _rdb(backups.rdb, max_age, now)
    yield _secrets(backups)


def _commit(backups: Backups, max_age: timedelta, now: datetime) -> Risk:
    risk, head, commands = partial(Risk, "commit", MISTAKE), backups.head, ("gitbackup commit",)
    if head is None:
        return risk("there is no commit", Level.BAD, "Make the first commit:", commands)
    if backups.changed is None:
        changed = (
            "changes since then are unknown"
            if backups.why
            else f"not compared ({wording.option('--quick')})"
        )
    elif backups.changed:
        changed = f"{counted(backups.changed, 'key')} changed since"
    else:
        changed = "nothing changed since"
    state = f"commit {head.short_id}, {age(head.date, now)}; {changed}"
    old = now - head.date > max_age
    if backups.changed == 0 or (not old and not backups.why):
        return risk(state, Level.OK)
    if old:
        advice = f"It is older than {span(max_age // MS)}; make another:"
        return risk(state, Level.BAD, advice, commands)
    return unknown("commit", MISTAKE, backups.why, state)


def _alarm(standing: StandingAlarm, now: datetime) -> Risk:
    info = standing.info
    missing = f"{standing.missing:,} of them are still missing"
    state = f"commit {info.short_id}, {age(info.date, now)}, {standing.alarm}; {missing}"
    commands = (
        f"gitbackup revert {info.short_id}",
        f"gitbackup config add accept-alarm {info.short_id}",
    )
    advice = "If that was a mistake, bring them back; if it was meant, accept it:"
    return Risk("alarm", DELETED, state, Level.BAD, advice, commands)


def _push(backups: Backups, max_age: timedelta, now: datetime) -> Risk:
    remotes, risk = backups.remotes, partial(Risk, "push", LOST)
    pushed = [remote for remote in remotes if remote.commit]
    if not pushed:
        never = f"never pushed to {remotes[0].remote}" if remotes else "never pushed"
        state = f"{never}: the only copy of the history is on this machine"
        place = remotes[0].remote if remotes and remotes[0].remote not in backups.near else ""
        return risk(state, Level.BAD, ELSEWHERE, (_push_to(place),))
    away = [remote for remote in pushed if remote.remote not in backups.near]
    if not away:
        where = ", ".join(f"{name} is {where}" for name, where in backups.near.items())
        state = f"pushed to no other place: {where}"
        return risk(state, Level.BAD, ELSEWHERE, (_push_to(""),))
    best = min(away, key=lambda remote: remote.missing)
    when = f" {age(best.when, now)}" if best.when else ""
    if not best.missing:
        program = synced(best.place)
        once = f", and is safe once {program} has copied it" if program else ""
        return risk(f"everything was pushed to {best.remote}{when}{once}", Level.OK)
    last = f"the last push was{when or ' at an unknown time'}"
    state = f"{counted(best.missing, 'commit')} not pushed to {best.remote}; {last}"
    old = best.when is not None and now - best.when > max_age
    level = Level.BAD if old else Level.WARN
    commands: tuple[str, ...] = (f"gitbackup push {best.remote}",)
    advice = "Push them:"
    if not backups.at_once:
        commands += ("gitbackup config set push on-commit",)
        advice = "Push them; with the second line, every later commit is pushed, too:"
    return risk(state, level, advice, commands)


def _push_to(place: str) -> str:
    """Return the command that pushes to a remote, or else to a folder that is copied elsewhere."""
    return (
        f"gitbackup push {shlex.quote(place) if place else synced_folder() or 'FOLDER-OR-GIT-URL'}"
    )


def _rehearsal(backups: Backups, max_age: timedelta, now: datetime) -> Risk:
    risk, commit = partial(Risk, "rehearsal", NEEDED), backups.rehearsed
    commands, advice = ("gitbackup verify",), "Test the last commit:"
    if commit is None or commit.rehearsal is None:
        state = "no commit was ever restore-tested: it is unknown whether one restores"
        return risk(state, Level.WARN, advice, commands)
    rehearsal = commit.rehearsal
    place = f"{backups.since:,} before the last" if backups.since else "the last"
    if backups.since == 1:
        place = "the one before the last"
    which, when = f"commit {commit.short_id}, {place},", age(rehearsal.at, now)
    problem = rehearsal.problem.rstrip(".")
    if rehearsal.verdict is Verdict.FAILED:
        advice = f"The problem: {problem}. To see everything:"
        return risk(f"{which} FAILED its restore test {when}", Level.BAD, advice, commands)
    if rehearsal.verdict is Verdict.PARTLY:
        advice = f"Not tested: {problem}. Test it with a server that knows the type:"
        commands = ("gitbackup verify --server PROGRAM --module FILE",)
        return risk(f"{which} passed its test in part {when}", Level.WARN, advice, commands)
    state = f"{which} passed its test {when}"
    if backups.since and now - rehearsal.at > max_age:
        return risk(state, Level.WARN, advice, commands)
    return risk(state, Level.OK)


def _rdb(file: RdbFile | None, max_age: timedelta, now: datetime) -> Risk:
    risk, commands = partial(Risk, "rdb", BROKEN), ("gitbackup rdb save",)
    if file is None:
        state = "no RDB file was saved: git history is the only backup"
        return risk(state, Level.WARN, "Save an RDB file, which needs no git:", commands)
    state = f"RDB file {file.path.name}, {age(file.taken_at, now)}"
    if now - file.taken_at > max_age:
        advice = f"It is older than {span(max_age // MS)}; save another:"
        return risk(state, Level.WARN, advice, commands)
    return risk(state, Level.OK)


def _secrets(backups: Backups) -> Risk:
    risk, paths = partial(Risk, "secrets", READ), backups.open
    if sys.platform == "win32":
        return unknown("secrets", READ, "who can read files is not looked at on Windows")
    if not paths:
        return risk("no other user of this machine can read the files", Level.OK)
    state = f"every user of this machine can read {', '.join(map(str, paths))}"
    shared = [path for path in paths if _is_shared(path)]
    commands = [
        f"{'sudo ' * (path in backups.foreign)}chmod go= {shlex.quote(str(path))}"
        for path in paths
        if path not in shared
    ]
    advice = "They contain every value of the database. "
    if shared:
        folder = ", ".join(map(str, shared))
        advice += f"Let the server keep its files in a folder of its own, not in {folder}. "
    return risk(state, Level.BAD, advice + "Keep other users out:" * bool(commands), commands)


def _is_shared(path: Path) -> bool:
    """Return whether others have to get into a folder: the root, or one that all may write to."""
    with suppress(OSError):
        return path.parent == path or bool(path.is_dir() and path.stat().st_mode & stat.S_ISVTX)
    return False
