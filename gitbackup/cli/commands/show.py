"""`gitbackup show`."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import click

from gitbackup import Backup
from gitbackup.cli.arguments.options import (
    OwnFirst,
    all_option,
    alone,
    examples,
    full_option,
    json_option,
    key_db_option,
    open_backup,
    read_at_length,
    redact_option,
    repo_option,
)
from gitbackup.cli.completion import completions
from gitbackup.cli.output import terminal
from gitbackup.cli.output.pager import reading
from gitbackup.errors import UsageError
from gitbackup.report.json.history import entry_as_stored, entry_object, log_object
from gitbackup.report.text import sentences

if TYPE_CHECKING:  # `show --help` has no need of it
    from gitbackup.history.entry import StoredEntry


@click.command(
    cls=OwnFirst,
    epilog=examples(
        "gitbackup show",
        "gitbackup show HEAD~1",
        "gitbackup show HEAD apikey:hash_map",
        "gitbackup show --raw HEAD:config > config.json",
        "gitbackup show HEAD:counters --db 3",
        "gitbackup show HEAD:apikey:42 --field icon > icon.png",
        "gitbackup show HEAD:config --field limits.daily",
    ),
)
@repo_option
@json_option
@read_at_length
@full_option
@redact_option
@all_option
@key_db_option
@click.option(
    "--raw", is_flag=True, help="Print the bytes of a string, or the text of a JSON document."
)
@click.option(
    "--field",
    metavar="F",
    help="Print one part of a key: the bytes of a field, the score of a member, the list"
    " item at a position, a stream entry, or a path in a JSON document.",
)
@click.argument(
    "what",
    metavar="[COMMIT-ISH[:KEY]]",
    default="HEAD",
    shell_complete=completions.commit_or_key,
)
@click.argument("key", metavar="[KEY]", required=False)
def show(
    repo: Path | None,
    as_json: bool,
    full: bool,
    redact: tuple[str, ...],
    every: bool,
    db: int | None,
    raw: bool,
    field: str | None,
    what: str,
    key: str | None,
) -> None:
    """Show what a commit changed, or the entry of one key in a commit.

    The key follows the commit, after a colon or as a separate argument. A name that is not
    UTF-8 is written as base64: followed by its base64.
    """
    if raw:
        alone("--raw prints bytes", json=as_json, field=field is not None)
    backup = open_backup(repo)
    commit_ish, colon, named = what.partition(":")
    if key is not None and not colon:
        colon, named = ":", key
    elif key is not None:
        raise UsageError(f"{what!r} names a key already: leave out {key!r}")
    with reading(backup):
        if colon:
            held = backup.entry(commit_ish or "HEAD", named, db, redact=redact)
            _show_key(backup.resolve(commit_ish or "HEAD"), held, raw, field, as_json)
        elif db is not None or raw or field is not None:
            option = "--raw" if raw else "--db N" if field is None else "--field F"
            where = f"gitbackup show COMMIT-ISH:KEY {option}"
            raise UsageError(f"{option.partition(' ')[0]} needs a key: {where}")
        else:
            _show_commit(backup, commit_ish, redact, every, full, as_json)


def _show_commit(
    backup: Backup, commit_ish: str, redact: Sequence[str], every: bool, full: bool, as_json: bool
) -> None:
    from gitbackup.cli.output import diff_output  # it loads what a key's entry has no need of

    shown = backup.show(commit_ish, redact=redact, every=every)
    terminal.warn_all(shown.diff.warnings)
    if as_json:
        terminal.say_json(log_object(shown.info))
        diff_output.say_objects(shown.diff, diff_output.view(backup))
    else:
        terminal.say(sentences.show_lines(shown.info))
        diff_output.say_changes(shown.diff, diff_output.view(backup, full))


def _show_key(commit: str, held: StoredEntry, raw: bool, field: str | None, as_json: bool) -> None:
    if raw:
        _show_raw(held)
    elif field is not None:
        _show_field(commit, held, field, as_json)
    elif as_json:
        terminal.say_json(entry_object(commit, *held))
    else:
        terminal.say_stored(entry_as_stored(held.key, held.entry))


def _show_raw(held: StoredEntry) -> None:
    from gitbackup.diff.part_named import whole_bytes

    try:
        terminal.say_stored(whole_bytes(held.entry))
    except LookupError:
        what = f"{held.key} is a {held.entry['type']}, which is not one text"
        raise UsageError(f"{what}: name a part of it with --field") from None


def _show_field(commit: str, held: StoredEntry, wanted: str, as_json: bool) -> None:
    from gitbackup.diff.part_named import field, field_bytes
    from gitbackup.report.json.history import field_object

    key, entry, redacted = held
    try:
        part = field(entry, wanted)
    except LookupError:
        raise UsageError(f"{key} is a {entry['type']} without {wanted!r}") from None
    if as_json:
        terminal.say_json(field_object(commit, key, wanted, part.value, redacted))
    else:
        terminal.say_stored(field_bytes(part))
