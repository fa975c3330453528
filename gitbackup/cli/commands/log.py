"""`gitbackup log`."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from gitbackup import Backup
from gitbackup.cli.arguments.options import (
    PAGE,
    alone,
    examples,
    html_option,
    json_option,
    open_backup,
    quiet_option,
    read_at_length,
    redact_option,
    repo_option,
    stored_db_option,
)
from gitbackup.cli.arguments.parameter_types import Natural
from gitbackup.cli.arguments.revision_arguments import KEYS, Numbered, revisions
from gitbackup.cli.completion import completions
from gitbackup.cli.output import terminal
from gitbackup.cli.output.pager import reading
from gitbackup.errors import UsageError
from gitbackup.model.changes import Counts
from gitbackup.model.commits import CommitInfo, Selection
from gitbackup.report.json.history import log_object
from gitbackup.report.text import sentences

if TYPE_CHECKING:
    from gitbackup.history.key_log import CommitChanges
    from gitbackup.history.stat import CommitSummary


@click.command(
    cls=Numbered,
    epilog=examples(
        "gitbackup log -n 5",
        "gitbackup log HEAD~10.. --stat",
        "gitbackup log --since '2 weeks ago' --grep upgrade",
        "gitbackup log -- 'apikey:*'   only commits that changed such a key",
        "gitbackup log -p -- config    with all that changed in it",
        "gitbackup log -S 'tok-eu'     which changes brought or removed that text",
        "gitbackup log --when 'config limits.daily >= 250'",
        "gitbackup log --html history.html",
    ),
)
@repo_option
@json_option
@read_at_length
@click.option(
    "-n", "--max-count", type=Natural(), metavar="N", help="Show at most N commits; also -N."
)
@click.option("--oneline", is_flag=True, help="Show one line for each commit.")
@click.option("--stat", is_flag=True, help="Show how many keys each commit changed, by key prefix.")
@quiet_option("With --stat or --html: show quiet keys too.")
@click.option("-p", "--patch", is_flag=True, help="With KEY-GLOB: show all changes in the keys.")
@click.option("--since", metavar="DATE", help="Show commits since DATE: 2026-11-22, '2 weeks ago'.")
@click.option("--until", metavar="DATE", help="Show commits up to DATE.")
@click.option(
    "--grep",
    multiple=True,
    metavar="PATTERN",
    help="Show commits whose message matches. Repeatable.",
)
@click.option(
    "-S",
    "text",
    metavar="TEXT",
    help="Show changes that add TEXT to the name or value of a key, or remove it.",
)
@click.option(
    "--when",
    metavar="CONDITION",
    help="Show when a condition became true: 'config limits.daily = 99' (also != < <= > >=).",
)
@click.option("--reverse", is_flag=True, help="Show the oldest commit first.")
@click.option("--first-parent", is_flag=True, help="Leave out the commits of merged branches.")
@stored_db_option
@redact_option
@html_option
@click.argument(
    "words",
    metavar="[COMMIT-ISH]... [-- KEY-GLOB...]",
    nargs=-1,
    type=click.UNPROCESSED,
    shell_complete=completions.commits_then_keys,
)
@click.pass_context
def log(
    ctx: click.Context,
    /,
    repo: Path | None,
    as_json: bool,
    oneline: bool,
    stat: bool,
    every: bool,
    patch: bool,
    databases: tuple[int, ...],
    redact: tuple[str, ...],
    html: str | None,
    text: str | None,
    when: str | None,
    words: tuple[str, ...],
    **which: Any,
) -> None:
    """Show the commits from COMMIT-ISH back, newest first: what changed, when and why.

    COMMIT-ISH is anything that git resolves (HEAD~2, a tag, a branch, a short id,
    @{yesterday}) or a range: A..B means the commits of B that are not in A. With KEY-GLOB (a
    Redis glob), show only the commits that changed a matching key, and what changed in it.
    """
    backup = open_backup(repo, databases=databases)
    chosen, patterns = revisions(backup, [*words])
    patterns += ctx.meta[KEYS]
    selection = _selection(chosen, **which)
    of_keys = bool(patterns) or text is not None or when is not None
    _go_together(of_keys, patch or bool(databases), stat or bool(html), every)
    if html:
        alone(PAGE, json=as_json, oneline=oneline, stat=stat, patch=patch)
        _write(html, backup, selection, of_keys, every)
        return
    with reading(backup):
        if of_keys:
            found = backup.trace(patterns, selection, redact=redact, text=text, when=when)
            _say_traced(backup, found, (as_json, oneline, stat, patch))
        elif stat:
            _say_stats(backup.summaries(selection, every=every), as_json, oneline)
        else:
            _say_log(backup.log(selection), as_json, oneline)
    if backup.repository and (problem := backup.repository.history.notes_problem):
        terminal.warn_all([problem])


def _go_together(of_keys: bool, needs_keys: bool, counts: bool, every: bool) -> None:
    """Raise UsageError for an option that needs another one which is missing."""
    if needs_keys and not of_keys:
        raise UsageError("-p and --db need a key: gitbackup log -p -- KEY-GLOB")
    if every and not counts:
        raise UsageError("--with-quiet needs --stat or --html; to see another branch, name it")


def _write(html: str, backup: Backup, selection: Selection, of_keys: bool, every: bool) -> None:
    from gitbackup.cli.output.diff_output import labels_of
    from gitbackup.cli.output.html_output import (
        write_log,  # it loads what a terminal has no need of
    )

    if of_keys:
        raise UsageError("log --html shows all keys: leave out the key patterns, -S and --when")
    write_log(html, backup, selection, labels_of(backup), every)


def _selection(
    chosen: Sequence[str],
    max_count: int | None,
    since: str | None,
    until: str | None,
    grep: tuple[str, ...],
    reverse: bool,
    first_parent: bool,
) -> Selection:
    return Selection(
        tuple(chosen) or ("HEAD",), max_count, since, until, grep, reverse, first_parent
    )


def _say_log(commits: Iterator[CommitInfo], as_json: bool, oneline: bool) -> None:
    for info in commits:
        if as_json:
            terminal.say_json(log_object(info))
        elif oneline:
            terminal.say([sentences.short_line(info)])
        else:
            terminal.say(sentences.log_lines(info))


def _say_stats(found: Iterable[CommitSummary], as_json: bool, oneline: bool) -> None:
    # deferred: they load what a plain log does not need
    from gitbackup.report.json.history import summary_of_commit
    from gitbackup.report.text import history

    for told in found:
        if as_json:
            terminal.say_json(summary_of_commit(told.info, told.summary, told.hidden, told.damage))
        else:
            terminal.say(
                [sentences.short_line(told.info)] if oneline else sentences.head_lines(told.info)
            )
            if told.summary:
                lines = history.numbers_lines(told.summary, told.hidden, terminal.width())
                terminal.say(lines)
            terminal.say(history.damage_lines(told.damage))


def _say_traced(backup: Backup, found: Iterable[CommitChanges], how: tuple[bool, ...]) -> None:
    from gitbackup.cli.output.diff_output import view  # they load what a plain log has no need of
    from gitbackup.report.json.history import traced_object
    from gitbackup.report.text import history

    as_json, oneline, stat, patch = how
    seen = replace(view(backup, patch), stored=False)
    for told in found:
        if as_json:
            terminal.say_json(
                traced_object(told.info, told.keys, told.damage, told.left, seen.labels)
            )
        elif oneline:
            terminal.say(
                [sentences.short_line(told.info, history.what_changed(told.keys, seen.labels))]
            )
        else:
            terminal.say(sentences.head_lines(told.info))
            if stat:
                terminal.say(history.numbers_lines(told.summary, Counts(), terminal.width()))
                terminal.say(history.damage_lines(told.damage))
            else:
                lines = history.traced_lines(told.keys, told.damage, seen, patch, told.left)
                terminal.say(lines)
