"""Commits, the status, and what went to and came from other places, as lines for a person."""

from __future__ import annotations

import shlex
from collections.abc import Iterable, Iterator
from datetime import datetime
from typing import TYPE_CHECKING

from gitbackup.format.names import escape
from gitbackup.model.amounts import age, counted, size
from gitbackup.model.changes import Counts
from gitbackup.model.commits import CommitInfo, Pushed, Verdict
from gitbackup.model.safety.alarm import Alarm, alarm_in
from gitbackup.report.style import Style, paint
from gitbackup.report.text.namespaces import changed, namespace_lines

if TYPE_CHECKING:  # to print one result, nothing that makes another is loaded
    from gitbackup.commit.commit import CommitResult
    from gitbackup.commit.words import Amended
    from gitbackup.compare.diff import Status
    from gitbackup.remotes.sync import CloneResult, PullResult, PushResult
    from gitbackup.transfer.export import ExportResult

RESTORE_TESTED = {
    Verdict.PASSED: "restore-tested",
    Verdict.PARTLY: "restore-tested in part",
    Verdict.FAILED: "restore test FAILED",
}


def keys(count: int) -> str:
    """Return `1 key`, `1,164 keys`."""
    return counted(count, "key")


def commit_lines(result: CommitResult) -> Iterator[str]:
    """Yield what a commit recorded, or that there was nothing to commit."""
    if result.commit is None:
        yield unchanged_line(result)
        return
    yield from namespace_lines(result.summary.namespaces)
    yield f"[{result.commit[:7]}] {escape(result.subject)}"
    yield f"{keys(result.keys)}: {changed(result.summary)}"


def unchanged_line(result: CommitResult) -> str:
    """Return that there is nothing to commit."""
    if result.keys == 1:
        what = "the only key has not changed"
    else:
        what = f"none of {result.keys:,} keys changed" if result.keys else "the database is empty"
    since = f" since {result.parent[:7]}" if result.parent else ""
    return f"nothing to commit: {what}{since}"


def preview_lines(result: CommitResult) -> Iterator[str]:
    """Yield what a commit would record."""
    yield from namespace_lines(result.summary.namespaces)
    yield f"would commit: {escape(result.subject)}"
    yield f"{keys(result.keys)}: {changed(result.summary)}"
    if result.alarm:
        gone = f"{result.alarm.removed} of {result.alarm.of} keys"
        yield f"would raise an alarm: it removes {gone}, so the commit would end with exit code 4"


def note_lines(commit: str, note: str) -> Iterator[str]:
    """Yield the note on a commit, or that it is removed."""
    yield f"{paint(Style.COMMIT, commit[:7])}  {'note:' if note else 'its note was removed'}"
    yield from _indented(note)


def amended_lines(result: Amended) -> Iterator[str]:
    """Yield what an amend did."""
    if result.why:
        yield f"commit {result.commit[:7]} keeps its message, because {result.why}; its note is:"
        yield from _indented(result.note)
    else:
        yield f"[{result.commit[:7]}] {escape(result.subject)}"
        if result.commit != result.before:
            yield f"commit {result.before[:7]} has these words and this id now"


def keep_words_lines(head: CommitInfo, words: str, repo: str) -> Iterator[str]:
    """Yield how a person keeps the words of a commit that was not made, since HEAD has it all.

    `repo` are the words that name the repository to a command.
    """
    shown = shlex.quote(words)
    if escape(shown) != shown:
        shown = "TEXT"
    which = f"{head.short_id} ({age(head.date)}: {escape(head.subject)})"
    yield f"to give the last commit, {which}, these words:"
    yield f"  gitbackup commit --amend -m {shown}{repo}"
    yield f"to put them on an earlier one: gitbackup note COMMIT -m {shown}{repo}"


def alarm_line(commit: str, alarm: Alarm, repo: str = "") -> str:
    """Return that a commit removed most of the keys, and what to do.

    `repo` are the words that name the repository to a command.
    """
    short = commit[:7]
    return (
        f"ALARM: commit {short} {alarm}; if that was a mistake, `gitbackup revert {short}{repo}`"
        " brings them back; if it was meant, accept it:"
        f" `gitbackup config add accept-alarm {short}{repo}`"
    )


def more_before_line(steps: int, count: int, repo: str = "") -> str:
    """Return that the commit so many steps before HEAD has keys that HEAD has not."""
    name = f"HEAD~{steps}"
    return (
        f"{name} has {counted(count, 'key')} more; to see them:"
        f" gitbackup restore {name} --dry-run{repo}"
    )


def log_lines(info: CommitInfo, now: datetime | None = None) -> Iterator[str]:
    """Yield the lines of a commit in the history: its id and date, what changed, and why."""
    yield from head_lines(info, now)
    if info.counts is None:
        yield f"    made with plain git by {escape(info.author)}"
    else:
        yield f"    {info.counts}"
    if alarm := alarm_in(info.trailers):
        yield f"    {paint(Style.REMOVED, 'alarm')}: {alarm}"
    yield from _note(info)
    if info.rehearsal:
        yield f"    {RESTORE_TESTED[info.rehearsal.verdict]} {age(info.rehearsal.at, now)}"


def _note(info: CommitInfo) -> Iterator[str]:
    """Yield what was said of a commit afterwards, in a list: its first line."""
    if info.note:
        first, *more = info.note.splitlines()
        yield f"    note: {escape(first)}{' …' if more else ''}"


def head_lines(info: CommitInfo, now: datetime | None = None) -> Iterator[str]:
    """Yield a commit's id, date and subject, the head of what is told of it."""
    short = paint(Style.COMMIT, info.short_id)
    yield f"{short}  {info.date:%Y-%m-%d %H:%M} ({age(info.date, now)})"
    yield f"    {escape(info.subject)}"


def short_line(info: CommitInfo, what: str = "") -> str:
    """Return a commit on one line, and what it changed."""
    line = f"{paint(Style.COMMIT, info.short_id)}  {info.date:%Y-%m-%d}  {escape(info.subject)}"
    return f"{line}  ({what})" if what else line


def show_lines(info: CommitInfo) -> Iterator[str]:
    """Yield the head of a commit that is shown whole."""
    facts = {"commit": info.id, "author": info.author, "date": info.date.isoformat()}
    facts |= {title.lower(): fact for title, fact in info.trailers.items()}
    width = max(map(len, facts))
    yield from (f"{title:<{width}}  {escape(fact)}" for title, fact in facts.items())
    yield ""
    for line in [info.subject, *reason(info)]:
        yield f"    {escape(line)}".rstrip()
    yield ""
    if info.note:
        yield "note:"
        yield from _indented(info.note)
        yield ""


def _indented(words: str) -> Iterator[str]:
    for line in words.splitlines():
        yield f"    {escape(line, limit=len(words))}".rstrip()


def reason(info: CommitInfo) -> list[str]:
    """Return the body of the message, without the list of changes that we write at its end."""
    paragraphs = info.body.split("\n\n") if info.body else []
    if info.counts and paragraphs and paragraphs[-1].startswith(("+ ", "~ ", "- ")):
        del paragraphs[-1]
    return [line for paragraph in paragraphs for line in ("", *paragraph.split("\n"))]


def hidden_lines(hidden: Counts) -> Iterator[str]:
    """Yield how many quiet keys differ, and how to see them; no line if none does."""
    if hidden:
        yield paint(Style.FAINT, f"quiet keys, not shown: {hidden} (--with-quiet shows them)")


def status_lines(status: Status) -> Iterator[str]:
    """Yield the live database against HEAD, in brief."""
    head = status.head
    yield f"{escape(status.server)}: {keys(status.keys)}"
    if head is None:
        yield "no commit yet: run `gitbackup commit`"
        return
    yield f"HEAD {head.short_id} ({age(head.date)}): {escape(head.subject)}"
    if status.summary.counts:
        yield f"changed since: {changed(status.summary)}"
        yield from namespace_lines(status.summary.namespaces, called=status.called)
    else:
        yield "nothing changed since"
    yield from hidden_lines(status.hidden)
    if status.excluded:
        yield paint(Style.FAINT, f"excluded keys, not shown: {status.excluded}")


def pushed_lines(remotes: Iterable[Pushed]) -> Iterator[str]:
    """Yield what each remote has of HEAD, and since when."""
    for remote in remotes:
        name = escape(remote.remote)
        since = f" {age(remote.when)}" if remote.when else ""
        if remote.commit is None:
            yield f"never pushed to {name}"
        elif remote.missing:
            commits = f"{counted(remote.missing, 'commit')} since {remote.commit[:7]}"
            yield f"not pushed to {name}: {commits}{since and f' (pushed{since})'}"
        else:
            yield f"pushed to {name}{since}"


def push_line(result: PushResult) -> str:
    """Return what a push did."""
    if result.commits:
        what = f"pushed {counted(result.commits, 'commit')} to"
    elif result.also:
        others = " and ".join(filter(None, [", ".join(result.also[:-1]), result.also[-1]]))
        what = f"pushed {others} but no commits to"
    else:
        what = "nothing to push, everything is in"
    locked = f", encrypted to {counted(len(to), 'key')}" if (to := result.encrypted_to) else ""
    place = f"{escape(result.remote)} ({escape(result.place)})"
    return f"{what} {place}: HEAD {result.head[:7]}{locked}"


def pull_line(result: PullResult) -> str:
    """Return what a pull did."""
    unmoved = result.head == result.before
    what = "nothing to pull" if unmoved else f"pulled {counted(result.commits, 'commit')}"
    return f"{what} from {escape(result.remote)} ({escape(result.place)}): HEAD {result.head[:7]}"


def clone_line(result: CloneResult) -> str:
    """Return what a clone made."""
    commits, path = counted(result.commits, "commit"), escape(str(result.path))
    return f"cloned {commits} of {escape(result.place)} into {path}: HEAD {result.head[:7]}"


def export_line(path: str, result: ExportResult) -> str:
    """Return what an export wrote."""
    source = f"commit {result.commit[:7]}" if result.commit else "the live database"
    what = [keys(result.keys)]
    what += [counted(result.libraries, "library", "libraries")] if result.libraries else []
    what += [counted(result.indexes, "search index", "search indexes")] if result.indexes else []
    written = f"{escape(path)}: {result.form}, {size(result.size)}"
    return f"exported {' and '.join(what)} of {source} to {written}"
