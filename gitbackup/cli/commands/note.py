"""`gitbackup note`."""

from __future__ import annotations

from pathlib import Path

import click

from gitbackup.cli.after_commit import expect_done, say_after_commit
from gitbackup.cli.arguments.message import from_editor, message_options
from gitbackup.cli.arguments.options import (
    OwnFirst,
    alone,
    examples,
    json_option,
    lock_wait_option,
    open_backup,
    repo_option,
)
from gitbackup.cli.completion import completions
from gitbackup.cli.output import terminal
from gitbackup.report.json.objects import note_object
from gitbackup.report.text.sentences import note_lines


@click.command(
    cls=OwnFirst,
    epilog=examples(
        "gitbackup note 91bda08 -m 'added the account of a customer'",
        "gitbackup note HEAD~2                show its note",
        "gitbackup note HEAD~2 --append -m 'see ticket 7'",
        "gitbackup note HEAD~2 --edit",
        "gitbackup note HEAD~2 --remove",
        failed="failed, or the commit has no note",
    ),
)
@repo_option
@lock_wait_option
@json_option
@message_options("The note. Repeatable: each is a paragraph.")
@click.option("--append", is_flag=True, help="Add to the note that the commit has.")
@click.option("--replace", is_flag=True, help="Replace the note that the commit has.")
@click.option("--edit", is_flag=True, help="Write the note in your editor, as for git.")
@click.option("--remove", is_flag=True, help="Remove the note.")
@click.argument(
    "commit_ish", metavar="[COMMIT-ISH]", default="HEAD", shell_complete=completions.commits
)
@click.pass_context
def note(
    ctx: click.Context,
    repo: Path | None,
    as_json: bool,
    message: str | None,
    append: bool,
    replace: bool,
    edit: bool,
    remove: bool,
    commit_ish: str,
) -> None:
    """Say afterwards why a commit was made, or show what was said.

    The note is shown by log, show and the HTML report, and found by `log --grep`. push, pull
    and clone copy it. The commit itself does not change. If the commit has a note already,
    nothing is changed, unless you give --append or --replace.

    Without any option, the note is shown. It is an ordinary git note, in
    refs/notes/gitbackup-words.
    """
    if remove:
        others = {"append": append, "replace": replace, "edit": edit}
        alone("--remove removes the note,", message=message is not None, **others)
    if append:
        alone("--append adds to the note,", replace=replace)
    backup = open_backup(repo)
    commit, words = backup.resolve(commit_ish), backup.words
    before = words.note(commit)
    if remove:
        now = ""
        words.remove(commit)
    elif message is None and not (append or replace or edit):
        _show(ctx, commit, before, as_json)
        return
    else:
        if message is None or edit:
            begun = message or ("" if append else before)
            message = from_editor(backup, begun, f"The note on commit {commit[:7]}.")
            replace = replace or (edit and not append)
        now = words.put(message, commit, append=append, replace=replace)
    terminal.changed()
    if as_json:
        terminal.say_json(note_object(commit, now, before))
    else:
        terminal.say(note_lines(commit, now))
    expect_done(say_after_commit(backup, as_json, words=True))


def _show(ctx: click.Context, commit: str, note: str, as_json: bool) -> None:
    if as_json:
        terminal.say_json(note_object(commit, note, note))
    elif note:
        terminal.say(note_lines(commit, note))
    else:
        terminal.warn(f"commit {commit[:7]} has no note")
    if not note:
        ctx.exit(1)
