"""Commits, status and plans as lines of text for a person."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from datetime import datetime

from gitbackup.format.names import escape
from gitbackup.model import amounts
from gitbackup.model.amounts import age, counted
from gitbackup.model.changes import Counts, Summary
from gitbackup.model.commits import CommitInfo, Pushed, Rehearsal, Verdict
from gitbackup.report.style.color import Style, paint
from gitbackup.report.style.columns import fit, pad, width

LONGEST = 40
"""Columns of a namespace's name in a summary."""

NONE = Counts()

NAMESPACES = 25
"""Lines of namespaces that a summary has at most."""


def keys(count: int) -> str:
    """`1 key`, `1,164 keys`."""
    return counted(count, "key")


def unchanged(count: int) -> str:
    """`none of 8 keys changed`, `the only key has not changed`."""
    if count == 1:
        return "the only key has not changed"
    return f"none of {count:,} keys changed" if count else "the database is empty"


def summary_lines(summary: Summary) -> Iterator[str]:
    """One line for each namespace that changed, the names aligned."""
    rows = [(titled(*space), counts) for space, counts in summary.namespaces.items()]
    shown = biggest(rows)
    wide = max((width(title) for title, _ in shown), default=0)
    yield from (f"  {pad(title, wide)}  {counts}" for title, counts in shown)
    if len(rows) > len(shown):
        rest = len(rows) - len(shown)
        yield f"  and {counted(rest, 'more prefix', 'more prefixes')}"


def titled(place: str, space: str) -> str:
    """A namespace as a person reads it; its place where that is not db0."""
    short = fit(escape(space), LONGEST) or '""'
    return short if place == "db0" else f"{place} {short}"


def biggest(rows: Sequence[tuple[str, Counts]]) -> list[tuple[str, Counts]]:
    """The rows with the most changes, in their order."""
    sizes = sorted((-size(counts), at) for at, (_, counts) in enumerate(rows))
    return [rows[at] for at in sorted(at for _, at in sizes[:NAMESPACES])]


def size(counts: Counts) -> int:
    """How many keys changed in one way or another."""
    return counts.added + counts.changed + counts.removed


def changed(summary: Summary) -> str:
    """What changed, in numbers; function libraries, which are no keys, apart."""
    keys_, libraries = (
        [c for (place, _), c in summary.namespaces.items() if (place == "functions") is apart]
        for apart in (False, True)
    )
    told = [str(together(keys_))] if keys_ else []
    told += [f"functions {together(libraries)}"] if libraries else []
    return "; ".join(told) or "none changed"


def together(counts: Sequence[Counts]) -> Counts:
    """Counts of some keys and of others."""
    return Counts(
        sum(each.added for each in counts),
        sum(each.changed for each in counts),
        sum(each.removed for each in counts),
    )


def commit_lines(
    commit: str | None, subject: str, count: int, summary: Summary, parent: str | None
) -> Iterator[str]:
    """What a commit recorded; `commit` is None where there was none to make."""
    if commit is None:
        yield from unchanged_lines(count, parent)
        return
    yield from summary_lines(summary)
    yield f"[{commit[:7]}] {escape(subject)}"
    yield f"{keys(count)}: {changed(summary)}"


def unchanged_lines(count: int, parent: str | None) -> Iterator[str]:
    """That there is nothing to commit."""
    since = f" since {parent[:7]}" if parent else ""
    yield f"nothing to commit: {unchanged(count)}{since}"


def watching_lines(server: str, count: int, head: str) -> Iterator[str]:
    """What a watch says once all is committed."""
    yield f"watching {escape(server)}: {keys(count)}, HEAD {head[:7]}"


def watch_line(commit: str, subject: str) -> str:
    """A commit of a watch, in a line of its log."""
    return f"[{commit[:7]}] {escape(subject)}"


def preview_lines(subject: str, count: int, summary: Summary) -> Iterator[str]:
    """What a commit would record."""
    yield from summary_lines(summary)
    yield f"would commit: {escape(subject)}"
    yield f"{keys(count)}: {changed(summary)}"


def log_lines(info: CommitInfo, now: datetime | None = None) -> Iterator[str]:
    """A commit in the history: its id and date, what changed, and why."""
    yield from head_lines(info, now)
    if info.counts is None:
        yield f"    made with plain git by {escape(info.author)}"
    else:
        yield f"    {info.counts}"
    if info.rehearsal:
        yield f"    {rehearsed(info.rehearsal, now)}"


def rehearsed(rehearsal: Rehearsal, now: datetime | None = None) -> str:
    """When a commit was last verified, and how that ended."""
    ended = {
        Verdict.PASSED: "restore-tested",
        Verdict.PARTLY: "restore-tested in part",
        Verdict.FAILED: "restore test FAILED",
    }
    return f"{ended[rehearsal.verdict]} {age(rehearsal.at, now)}"


def head_lines(info: CommitInfo, now: datetime | None = None) -> Iterator[str]:
    """A commit's id, date and subject, above what is to be told of it."""
    short = paint(Style.COMMIT, info.short_id)
    yield f"{short}  {info.date:%Y-%m-%d %H:%M} ({age(info.date, now)})"
    yield f"    {escape(info.subject)}"


def short_line(info: CommitInfo, what: str = "") -> str:
    """A commit on one line, and what it changed."""
    line = f"{paint(Style.COMMIT, info.short_id)}  {info.date:%Y-%m-%d}  {escape(info.subject)}"
    return f"{line}  ({what})" if what else line


def show_lines(info: CommitInfo) -> Iterator[str]:
    """The head of a commit that is shown whole."""
    facts = {"commit": info.id, "author": info.author, "date": info.date.isoformat()}
    facts |= {title.lower(): fact for title, fact in info.trailers.items()}
    width = max(map(len, facts))
    yield from (f"{title:<{width}}  {escape(fact)}" for title, fact in facts.items())
    yield ""
    for line in [info.subject, *reason(info)]:
        yield f"    {escape(line)}".rstrip()
    yield ""


def reason(info: CommitInfo) -> list[str]:
    """The body of the message, without the list of changes that we write at its end."""
    paragraphs = info.body.split("\n\n") if info.body else []
    if info.counts and paragraphs and paragraphs[-1].startswith(("+ ", "~ ", "- ")):
        del paragraphs[-1]
    return [line for paragraph in paragraphs for line in ("", *paragraph.split("\n"))]


def hidden_lines(hidden: Counts) -> Iterator[str]:
    """How many quiet keys there are besides, and how to see them; no line for none."""
    if hidden:
        yield paint(Style.FAINT, f"quiet keys, not shown: {hidden} (--all shows them)")


def status_lines(
    server: str,
    head: CommitInfo | None,
    count: int,
    summary: Summary,
    hidden: Counts,
    excluded: Counts = NONE,
    now: datetime | None = None,
) -> Iterator[str]:
    """The live database against HEAD, in brief."""
    yield f"{escape(server)}: {keys(count)}"
    if head is None:
        yield "no commit yet: run `gitbackup commit`"
        return
    yield f"HEAD {head.short_id} ({age(head.date, now)}): {escape(head.subject)}"
    if summary.counts:
        yield f"changed since: {changed(summary)}"
        yield from summary_lines(summary)
    else:
        yield "nothing changed since"
    yield from hidden_lines(hidden)
    if excluded:
        yield paint(Style.FAINT, f"excluded keys, not shown: {excluded}")


def pushed_lines(remotes: Iterable[Pushed], now: datetime | None = None) -> Iterator[str]:
    """What each remote has of HEAD, and since when."""
    for each in remotes:
        since = f" {age(each.when, now)}" if each.when else ""
        if each.commit is None:
            yield f"never pushed to {escape(each.remote)}"
        elif each.missing:
            yield (
                f"not pushed to {escape(each.remote)}: {_commits(each.missing)} since"
                f" {each.commit[:7]}{since and f' (pushed{since})'}"
            )
        else:
            yield f"pushed to {escape(each.remote)}{since}"


def push_lines(
    remote: str, place: str, head: str, commits: int, settings: bool = False
) -> Iterator[str]:
    """What a push did."""
    what = f"pushed {_commits(commits)} to" if commits else "nothing to push, everything is in"
    if settings and not commits:
        what = "pushed settings but no commits to"
    yield f"{what} {escape(remote)} ({escape(place)}): HEAD {head[:7]}"


def pull_lines(
    remote: str, place: str, before: str | None, head: str, commits: int
) -> Iterator[str]:
    """What a pull did."""
    where = f"{escape(remote)} ({escape(place)})"
    if head == before:
        yield f"nothing to pull from {where}: HEAD {head[:7]}"
    else:
        yield f"pulled {_commits(commits)} from {where}: HEAD {head[:7]}"


def clone_lines(path: str, place: str, head: str, commits: int) -> Iterator[str]:
    """What a clone made."""
    yield f"cloned {_commits(commits)} of {escape(place)} into {escape(path)}: HEAD {head[:7]}"


def export_lines(
    path: str, commit: str | None, form: str, count: int, libraries: int, size: int
) -> Iterator[str]:
    """What an export wrote."""
    of = f"commit {commit[:7]}" if commit else "the live database"
    more = f" and {counted(libraries, 'library', 'libraries')}" if libraries else ""
    yield f"exported {keys(count)}{more} of {of} to {escape(path)}: {form}, {amounts.size(size)}"


def _commits(count: int) -> str:
    return counted(count, "commit")
