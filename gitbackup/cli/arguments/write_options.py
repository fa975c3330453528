"""Options of `restore`, `import` and `copy`: which databases go where, and how keys are written."""

from __future__ import annotations

import re
from functools import wraps
from typing import Any, cast

import click

from gitbackup.cli.arguments.options import Command
from gitbackup.errors import UsageError
from gitbackup.model.ttl import Ttl

_MOVE = re.compile(r"([0-9]{1,10})(?::([0-9]{1,10}))?")


def _databases(
    ctx: click.Context, param: click.Parameter, values: tuple[str, ...]
) -> dict[int, int] | None:
    """Return the database that each of a commit's goes into: `3` means 3 into 3, `3:5` means 3 into
    5."""
    databases: dict[int, int] = {}
    for value in values:
        found = _MOVE.fullmatch(value)
        if found is None:
            wrong = f"{value!r} is neither a database, such as 3, nor a pair, such as 3:5."
            raise click.BadParameter(wrong, ctx, param)
        of, to = int(found[1]), int(found[2] or found[1])
        if databases.setdefault(of, to) != to:
            raise UsageError(f"--db: database {of} can be restored into one database only")
    return databases or None


def write_options(command: Command) -> Command:
    """Add these options to a command, which is given them as `values`, by their names in Python."""

    @click.option(
        "--db",
        "databases",
        callback=_databases,
        metavar="N[:M]",
        multiple=True,
        help="Only database N; with :M, write it into database M. Repeatable."
        " [default: all, or the URL's]",
    )
    @click.option(
        "--ttl",
        type=click.Choice([policy.value for policy in Ttl]),
        default=Ttl.KEEP.value,
        show_default=True,
        help="Expiry of restored keys: the same instant, the time that was left, or none.",
    )
    @click.option(
        "--without-field-expiry",
        is_flag=True,
        help="Leave out the expiry of hash fields, which Redis before 7.4 and Valkey before 9 do"
        " not support.",
    )
    @click.option(
        "--skip-unsupported",
        is_flag=True,
        help="Leave out keys whose type the server does not know, such as one of a module.",
    )
    @wraps(command)
    def given_values(
        *given: Any, databases: Any, ttl: str, without_field_expiry: bool, **words: Any
    ) -> Any:
        values = {
            "databases": databases,
            "ttl": Ttl(ttl),
            "field_expiry": not without_field_expiry,
            "skip_unsupported": words.pop("skip_unsupported"),
        }
        return command(*given, values=values, **words)

    return cast(Command, given_values)
