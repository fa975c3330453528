"""What we keep of the data, the history and RDB files: judged by age, place, and rehearsals."""

from __future__ import annotations

import shlex
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path

from gitbackup.model.amounts import age, counted, span
from gitbackup.model.commits import CommitInfo, Pushed, Verdict
from gitbackup.model.rdb import RdbFile
from gitbackup.model.risk import Level, Risk

MISTAKE, LOST = "a mistake deletes data", "this machine is lost"
NEEDED, READ = "a backup is needed", "others look at the files"
BROKEN = "the history is damaged"


@dataclass(frozen=True, slots=True)
class Backups:
    """What is known of the history, and of what stands beside it.

    `changed` is how many keys differ from HEAD, None where nobody looked, and `why` then tells
    why not. `rehearsed` is the newest commit that was verified, `since` how many came after
    it. `rdb` is the newest RDB file that was saved. `open` are files with secrets that other
    users of this machine can read.
    """

    head: CommitInfo | None = None
    changed: int | None = None
    why: str = ""
    remotes: Sequence[Pushed] = ()
    rehearsed: CommitInfo | None = None
    since: int = 0
    rdb: RdbFile | None = None
    open: Sequence[Path] = ()


def judge(copies: Backups, max_age: timedelta, now: datetime) -> Iterator[Risk]:
    """A Risk for the last commit, what is pushed, the drill, RDB files, and the files' modes."""
    yield _commit(copies, max_age, now)
    if copies.head:
        yield _push(copies, max_age, now)
        yield _rehearsal(copies, max_age, now)
    yield _rdb(copies, max_age, now)
    yield _secrets(copies)


def _commit(copies: Backups, max_age: timedelta, now: datetime) -> Risk:
    check, head, command = "commit", copies.head, ("gitbackup commit",)
    if head is None:
        told = "there is no commit"
        return Risk(check, MISTAKE, told, Level.BAD, "Make the first commit:", command)
    told = f"commit {head.short_id}, {age(head.date, now)}; {_changed(copies)}"
    old = now - head.date > max_age
    if copies.changed == 0 or (not old and not copies.why):
        return Risk(check, MISTAKE, told, Level.OK)
    if old:
        advice = f"It is older than {span(_milliseconds(max_age))}; make another:"
        return Risk(check, MISTAKE, told, Level.BAD, advice, command)
    return Risk(check, MISTAKE, told, Level.UNKNOWN, f"{copies.why[:1].upper()}{copies.why[1:]}.")


def _changed(copies: Backups) -> str:
    if copies.changed is None:
        return "changes since then are unknown" if copies.why else "not compared (--quick)"
    if copies.changed == 0:
        return "nothing changed since"
    return f"{counted(copies.changed, 'key')} changed since"


def _milliseconds(length: timedelta) -> int:
    return length // timedelta(milliseconds=1)


def _push(copies: Backups, max_age: timedelta, now: datetime) -> Risk:
    check, there = "push", [remote for remote in copies.remotes if remote.commit]
    if not there:
        where = f"never pushed to {copies.remotes[0].remote}" if copies.remotes else "never pushed"
        advice = "Push to another machine, or to a folder of a cloud drive or another disk:"
        word = copies.remotes[0].remote if copies.remotes else "FOLDER-OR-GIT-URL"
        told = f"{where}: the only copy of the history is on this machine"
        return Risk(check, LOST, told, Level.BAD, advice, (f"gitbackup push {word}",))
    best = min(there, key=lambda remote: remote.missing)
    when = f" {age(best.when, now)}" if best.when else ""
    if not best.missing:
        return Risk(check, LOST, f"everything was pushed to {best.remote}{when}", Level.OK)
    lacks = counted(best.missing, "commit")
    told = f"{lacks} not pushed to {best.remote}; the last push was{when or ' at an unknown time'}"
    old = best.when is not None and now - best.when > max_age
    advice = "Push them; if gitbackup.push is on-commit, every commit is pushed:"
    level = Level.BAD if old else Level.WARN
    return Risk(check, LOST, told, level, advice, (f"gitbackup push {best.remote}",))


def _rehearsal(copies: Backups, max_age: timedelta, now: datetime) -> Risk:
    check, commit, command = "rehearsal", copies.rehearsed, ("gitbackup verify",)
    if commit is None or commit.rehearsal is None:
        told = "no commit was ever restore-tested: it is unknown whether one restores"
        return Risk(check, NEEDED, told, Level.WARN, "Test the last commit:", command)
    rehearsal = commit.rehearsal
    which, when = _which(copies, commit), age(rehearsal.at, now)
    if rehearsal.verdict is Verdict.FAILED:
        told = f"{which} FAILED its restore test {when}"
        advice = f"The problem: {rehearsal.problem.rstrip('.')}. To see everything:"
        return Risk(check, NEEDED, told, Level.BAD, advice, command)
    if rehearsal.verdict is Verdict.PARTLY:
        told = f"{which} passed its test in part {when}"
        advice = (
            f"Not tested: {rehearsal.problem.rstrip('.')}. Test it with a server that"
            " knows the type:"
        )
        commands = ("gitbackup verify --server PROGRAM --module FILE",)
        return Risk(check, NEEDED, told, Level.WARN, advice, commands)
    told = f"{which} passed its test {when}"
    if copies.since and now - rehearsal.at > max_age:
        return Risk(check, NEEDED, told, Level.WARN, "Test the last commit:", command)
    return Risk(check, NEEDED, told, Level.OK)


def _which(copies: Backups, commit: CommitInfo) -> str:
    if not copies.since:
        return f"commit {commit.short_id}, the last,"
    before = "the one before the last" if copies.since == 1 else f"{copies.since:,} before the last"
    return f"commit {commit.short_id}, {before},"


def _rdb(copies: Backups, max_age: timedelta, now: datetime) -> Risk:
    check, file, command = "rdb", copies.rdb, ("gitbackup rdb save",)
    if file is None:
        told = "no RDB file was saved: git history is the only backup"
        return Risk(
            check, BROKEN, told, Level.WARN, "Save an RDB file, which needs no git:", command
        )
    told = f"RDB file {file.path.name}, {age(file.taken_at, now)}"
    if now - file.taken_at > max_age:
        advice = f"It is older than {span(_milliseconds(max_age))}; save another:"
        return Risk(check, BROKEN, told, Level.WARN, advice, command)
    return Risk(check, BROKEN, told, Level.OK)


def _secrets(copies: Backups) -> Risk:
    check = "secrets"
    if not copies.open:
        told = "no other user of this machine can read the files"
        return Risk(check, READ, told, Level.OK)
    told = f"every user of this machine can read {', '.join(map(str, copies.open))}"
    commands = [f"chmod go= {shlex.quote(str(path))}" for path in copies.open]
    advice = "They contain every value of the database. Keep other users out:"
    return Risk(check, READ, told, Level.BAD, advice, commands)
