"""`gitbackup check`."""

from __future__ import annotations

import re
import shlex
from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import TYPE_CHECKING

import click

from gitbackup.cli.arguments.options import (
    OwnFirst,
    alone,
    color_option,
    connected,
    examples,
    logged_in,
)
from gitbackup.cli.arguments.pasted import pasting
from gitbackup.cli.output import pager, terminal
from gitbackup.errors import UsageError
from gitbackup.model.safety.risk import Level, Risk
from gitbackup.report.json.check import check_object
from gitbackup.report.text.check import check_lines

if TYPE_CHECKING:
    from gitbackup.checks.rights import Rights

UNITS = {"s": "seconds", "m": "minutes", "h": "hours", "d": "days", "w": "weeks"}
AGE = re.compile(r"(\d{1,6})([smhdw])")


def _length(told: str) -> timedelta:
    """Return a length of time, such as `7d`."""
    found = AGE.fullmatch(told)
    if found is None:
        raise UsageError(f"not a valid age: {told}; write it as 90m, 12h, 7d or 2w")
    return timedelta(**{UNITS[found[2]]: int(found[1])})


@click.command(
    cls=OwnFirst,
    epilog=examples(
        "gitbackup check",
        "gitbackup check --quick --max-age 1d --json  from a monitor, every hour",
        "gitbackup check --strict                     fail unless every verdict is ok",
        "gitbackup check --rights restore             what a restore needs and lacks",
    ),
)
@connected
@color_option
@click.option(
    "--max-age",
    metavar="AGE",
    default="7d",
    show_default=True,
    callback=lambda _, __, told: _length(told),
    help="Maximum age of the last commit, save, push and restore test: 12h, 7d, 2w.",
)
@click.option("--quick", is_flag=True, help="Do not read the database to see what changed.")
@click.option(
    "--rights",
    "verb",
    type=click.Choice(["commit", "restore", "watch"]),
    help="Print the minimum ACL rights for that command, and which of them the user lacks.",
)
@click.option("--strict", is_flag=True, help="Exit with code 1 unless every verdict is ok.")
@click.pass_context
def check(
    ctx: click.Context,
    repo: Path | None,
    url: str | None,
    databases: tuple[int, ...],
    as_json: bool,
    max_age: timedelta,
    quick: bool,
    strict: bool,
    verb: str | None,
) -> None:
    """Check whether your data is safe: each risk, the protection against it, and what to do.

    Checks the server (append-only file, RDB saves, where their files are, what happens when
    memory is full, replicas, password) and the backups (the last commit and what changed since
    then, pushes, restore tests, RDB files, and who can read them). It changes nothing. It sends
    the server INFO and CONFIG GET, and reads the keys as `gitbackup status` does, unless --quick
    is given. Where the user lacks a right, the verdict is unknown.

    Verdicts, worst first: bad (data can be lost or stolen), warn (a protection is missing),
    unknown, and ok. The exit code is 1 if a verdict is bad; with --strict, if any is not ok. An
    old commit is not a risk while nothing has changed since then.

    With --rights, it checks only what the ACL user that gitbackup logs in as may do. It prints an
    ACL SETUSER line with the minimum rights for the command, and the rights that the user lacks.
    The exit code is 1 if one is missing.
    """
    if verb:
        alone("--rights prints a line for redis-cli", json=as_json, quick=quick, strict=strict)
    backup = logged_in(repo, url, databases)
    if verb:
        ctx.exit(_tell_rights(backup.rights(verb)))
    ctx.meta[pager.NO_PAGER] = True  # it is short, and its last line is what counts
    with pager.reading(backup):
        found = backup.check(max_age, quick=quick)
        pasted = pasting(ctx, lambda: backup)
        found = replace(found, risks=[_to_paste(risk, pasted) for risk in found.risks])
        if as_json:
            terminal.say_json(check_object(found))
        else:
            terminal.say(check_lines(found.server, found.risks, terminal.width()))
    if found.level is Level.BAD or (strict and found.level is not Level.OK):
        ctx.exit(1)


def _tell_rights(found: Rights) -> int:
    """Print what a verb takes; return the exit code: 1 where the user lacks some of it."""
    lacking, user = " ".join(found.lacking), shlex.quote(found.user)
    terminal.say([found.line])
    if lacking:
        terminal.say([f"the user {user} lacks {lacking}: ACL SETUSER {user} {lacking}"])
    else:
        terminal.say([f"the user {user} has all of these rights"])
    if not found.all_keys:
        terminal.say(
            [
                f"the user {user} may use only some keys: name these with `gitbackup init --include"
                " GLOB` before a commit, and as key globs in a restore"
            ]
        )
    return 1 if lacking else 0


def _to_paste(risk: Risk, pasted: Callable[[str], str]) -> Risk:
    return replace(risk, commands=[*map(pasted, risk.commands)])
