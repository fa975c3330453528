"""`gitbackup export`."""

from __future__ import annotations

import sys
from io import BytesIO
from pathlib import Path
from typing import TYPE_CHECKING

import click

from gitbackup import Backup
from gitbackup.cli.arguments.options import (
    connected,
    examples,
    logged_in,
    open_backup,
    redact_option,
)
from gitbackup.cli.arguments.revision_arguments import GLOB, KEYS, AfterDashes, is_key, neither
from gitbackup.cli.completion import completions
from gitbackup.cli.output import streams, terminal
from gitbackup.errors import UsageError
from gitbackup.report.json import objects
from gitbackup.report.text import sentences

if TYPE_CHECKING:  # it loads what `export --help` has no need of
    from gitbackup.transfer.export import ExportResult


STDOUT = "-"


@click.command(
    cls=AfterDashes,
    epilog=examples(
        "gitbackup export -o now.json                    the live database",
        "gitbackup export HEAD~1 -o then.json            a commit",
        "gitbackup export 'apikey:*' --format jsonl | gzip > apikeys.gz",
        "gitbackup export --format resp | redis-cli -u redis://other --pipe",
    ),
)
@connected
@click.option(
    "-o",
    "--output",
    type=click.Path(path_type=Path, dir_okay=False),
    metavar="FILE",
    help="File to write; - is standard output. [default: standard output, if it is not a terminal]",
)
@click.option(
    "--format",
    "form",
    type=click.Choice(["json", "jsonl", "resp"]),
    default="json",
    show_default=True,
    help="json: one document. jsonl: one entry a line. resp: commands for redis-cli --pipe.",
)
@redact_option
@click.argument(
    "words",
    metavar="[COMMIT-ISH] [KEY-GLOB]...",
    nargs=-1,
    type=click.UNPROCESSED,
    shell_complete=completions.commit_then_keys,
)
@click.pass_context
def export(
    ctx: click.Context,
    repo: Path | None,
    url: str | None,
    databases: tuple[int, ...],
    as_json: bool,
    output: Path | None,
    form: str,
    redact: tuple[str, ...],
    words: tuple[str, ...],
) -> None:
    """Write a commit, or the live database, to one portable file.

    Without COMMIT-ISH, the live database is exported; this needs no data repository.
    `gitbackup import` and any other program can read json and jsonl. resp restores without
    gitbackup: redis-cli --pipe < FILE; it replaces the keys that it names and keeps all
    others. FILE gets its name once it is complete, and only its owner can read it.
    """
    backup = open_backup(repo, url, databases)
    commit, patterns = _side(backup, list(words))
    patterns += ctx.meta[KEYS]
    _expect_place(output, form, as_json)
    if commit is None:
        backup = logged_in(repo, url, databases)
    seen = BytesIO() if sys.stdout.isatty() else sys.stdout.buffer
    to = seen if output is None or _is_stdout(output) else output
    result = backup.export(to, commit, form=form, patterns=patterns, redact=redact)
    terminal.warn_all(result.warnings)
    if isinstance(to, Path):
        terminal.changed()
        _say(result, to, as_json)
    elif isinstance(seen, BytesIO):
        terminal.say_stored(seen.getvalue())


def _side(backup: Backup, words: list[str]) -> tuple[str | None, list[str]]:
    """Return the commit to export, None for the live database, and key globs.

    Raises UsageError for a first word that is neither.
    """
    if not words:
        return None, []
    if backup.repository is not None:
        try:
            return backup.resolve(words[0]), words[1:]
        except UsageError:
            pass
    if not GLOB.search(words[0]) and not is_key(backup, [], words[0]):
        raise neither(words[0])
    return None, words


def _is_stdout(output: Path | None) -> bool:
    return output is None or str(output) == STDOUT


def _expect_place(output: Path | None, form: str, as_json: bool) -> None:
    """Raise UsageError if the export would go to a place where it is of no use."""
    shown = sys.stdout.isatty()
    if _is_stdout(output) and streams.is_closed_output():
        raise UsageError("standard output is closed: name a file with -o FILE")
    if output is None and shown:
        raise UsageError("name a file with -o FILE, or use -o - to print the export here")
    if shown and _is_stdout(output) and form == "resp":
        raise UsageError("resp is for programs, not for a terminal: name a file with -o FILE")
    if as_json and _is_stdout(output):
        raise UsageError("--json describes the file that is written: name it with -o FILE")


def _say(result: ExportResult, output: Path, as_json: bool) -> None:
    if as_json:
        terminal.say_json(objects.export_object(str(output), result))
    else:
        terminal.say([sentences.export_line(str(output), result)])
