"""`gitbackup ui`: the pages in a browser."""

from __future__ import annotations

import os
from pathlib import Path

import click

from gitbackup.cli.arguments.encryption import first_line_of
from gitbackup.cli.arguments.options import (
    OwnFirst,
    db_option,
    examples,
    from_replicas_option,
    lock_wait_option,
    opener,
    repo_option,
    url_option,
)
from gitbackup.cli.arguments.pasted import pasting
from gitbackup.cli.browser import Opening, expect_installed, serve
from gitbackup.cli.output import terminal
from gitbackup.errors import UsageError
from gitbackup.progress import SILENT

_VARIABLE = "GITBACKUP_UI_PASSWORD"
_HERE = ("127.0.0.1", "localhost", "::1")


@click.command(
    cls=OwnFirst,
    epilog=examples(
        "gitbackup ui",
        "gitbackup ui --read-only",
        "gitbackup ui --host 0.0.0.0 --tls-cert cert.pem --tls-key key.pem",
    ),
)
@repo_option
@lock_wait_option
@url_option
@db_option
@from_replicas_option
@click.option(
    "--host",
    metavar="ADDRESS",
    default="127.0.0.1",
    show_default=True,
    help="Where to listen. Where others can reach it, TLS and a password are required.",
)
@click.option(
    "--port",
    type=click.IntRange(0, 65535),
    help="Port to listen on; 0 is a free one. [default: 8379, or a free one]",
)
@click.option("--read-only", is_flag=True, help="Show all, change nothing.")
@click.option("--no-browser", is_flag=True, help="Do not open a browser.")
@click.option(
    "--idle",
    type=click.FloatRange(0, 24 * 60, min_open=True),
    default=30,
    show_default=True,
    metavar="MINUTES",
    help="End a login that is not used for so long.",
)
@click.option(
    "--tls-cert",
    type=click.Path(path_type=Path),
    metavar="FILE",
    help="Certificate of the pages, in PEM: https instead of http.",
)
@click.option(
    "--tls-key", type=click.Path(path_type=Path), metavar="FILE", help="Its private key, in PEM."
)
@click.option(
    "--password-file",
    metavar="FILE",
    help="Log in with the password on the first line of FILE, not with the address; - is standard"
    f" input. [default: {_VARIABLE}, or asked for]",
)
@click.pass_context
def ui(
    ctx: click.Context,
    repo: Path | None,
    url: str | None,
    databases: tuple[int, ...],
    host: str,
    port: int | None,
    read_only: bool,
    no_browser: bool,
    idle: float,
    tls_cert: Path | None,
    tls_key: Path | None,
    password_file: str | None,
) -> None:
    """Look at all of it in a browser, and bring back what you need.

    Prints an address that lets a browser in once, and opens it. Press Enter for another one, for
    another browser, or send the signal USR1. Ctrl-C ends it.


    It needs an extra: in a checkout, pipx install '.[ui]'
    """
    expect_installed()
    if (tls_cert is None) != (tls_key is None):
        raise UsageError("--tls-cert and --tls-key belong together: give both")
    password = _password(password_file, asks=host not in _HERE and tls_cert is not None)
    how = Opening(host, port, tls_cert, tls_key, idle * 60, password, not no_browser)
    opened = opener(repo, url, databases, read_only=read_only)
    serve(opened, pasting(ctx, lambda: opened(SILENT)), how, read_only=read_only)


def _password(file: str | None, *, asks: bool) -> str | None:
    """Return the password of the pages; somebody may type it where the pages cannot do without."""
    if file is not None:
        return first_line_of(file, "password")
    if given := os.environ.get(_VARIABLE):
        return given
    if asks and terminal.asks():
        typed = click.prompt(
            "New password of the pages", hide_input=True, confirmation_prompt=True, err=True
        )
        return str(typed)
    return None
