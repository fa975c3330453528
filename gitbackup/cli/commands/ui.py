"""`gitbackup ui`: the pages in a browser."""

from __future__ import annotations

from pathlib import Path

import click

from gitbackup import Backup
from gitbackup.cli.options import (
    OwnFirst,
    db_option,
    examples,
    open_backup,
    repo_option,
    url_option,
)
from gitbackup.cli.pasted import pasting
from gitbackup.errors import UsageError
from gitbackup.progress import SILENT, Progress


@click.command(cls=OwnFirst, epilog=examples("gitbackup ui", "gitbackup ui --read-only"))
@repo_option
@url_option
@db_option
@click.option("--host", metavar="ADDRESS", default="127.0.0.1", help="Where to listen.")
@click.option("--port", type=click.IntRange(0, 65535), default=0, help="Port to listen on.")
@click.option("--read-only", is_flag=True, help="Show all, change nothing.")
@click.option("--no-browser", is_flag=True, help="Do not open a browser.")
@click.pass_context
def ui(
    ctx: click.Context,
    repo: Path | None,
    url: str | None,
    databases: tuple[int, ...],
    host: str,
    port: int,
    read_only: bool,
    no_browser: bool,
) -> None:
    """Look at all of it in a browser, and bring back what you need."""
    try:
        from gitbackup.ui.serve import serve
        from gitbackup.ui.site import Site
    except ModuleNotFoundError as error:
        raise UsageError(f"{error.name} is not installed: pip install 'gitbackup[ui]'") from None

    def opened(progress: Progress) -> Backup:
        return open_backup(repo, url, databases, progress)

    pasted = pasting(ctx, lambda: opened(SILENT))
    serve(Site(opened, pasted, read_only=read_only), host, port, click.echo)
