"""`gitbackup rdb save`, `rdb list` and `rdb verify`."""

from __future__ import annotations

from pathlib import Path

import click

from gitbackup.cli import terminal
from gitbackup.cli.options import (
    OwnFirst,
    examples,
    json_option,
    lock_wait_option,
    logged_in,
    open_backup,
    program,
    repo_option,
    url_option,
)
from gitbackup.cli.parameter_types import Natural
from gitbackup.errors import UsageError
from gitbackup.report.text import rdb as report

folder_argument = click.argument(
    "folder", metavar="[DIR]", required=False, type=click.Path(path_type=Path)
)


@click.group(
    epilog=examples(
        "gitbackup rdb save",
        "gitbackup rdb list",
        "gitbackup rdb verify data-git-backup-rdb/dump-20261122-123600.rdb",
    )
)
def rdb() -> None:
    """Save the server's data as RDB files, list them, put them to the test.

    An RDB file is the server's own format: it is a second protection beside the history,
    and independent of it. DIR is the setting gitbackup.rdbDir of the data repository's git
    config, a path from that repository, or the folder beside it: data-git-backup-rdb.
    """


@rdb.command(
    cls=OwnFirst,
    epilog=examples(
        "gitbackup rdb save",
        "gitbackup rdb save /mnt/backup/redis --keep 30",
        "gitbackup rdb save --via copy --file /var/lib/redis/dump.rdb",
    ),
)
@folder_argument
@repo_option
@lock_wait_option
@url_option
@json_option
@click.option(
    "--keep",
    type=Natural(),
    metavar="N",
    default=7,
    show_default=True,
    help="Then remove all but the newest N that rdb save made there; 0 keeps all.",
)
@click.option(
    "--via",
    type=click.Choice(["sync", "copy"]),
    default="sync",
    show_default=True,
    help="The replication protocol; or BGSAVE, and a copy of the file on this machine.",
)
@click.option(
    "--file",
    type=click.Path(path_type=Path),
    metavar="PATH",
    help="With --via copy: the server's RDB file. [default: by CONFIG GET]",
)
def save(
    folder: Path | None,
    repo: Path | None,
    url: str | None,
    as_json: bool,
    keep: int,
    via: str,
    file: Path | None,
) -> None:
    """Save the server's data to DIR/dump-YYYYMMDD-HHMMSS.rdb (UTC).

    It has that name only once it is whole, its checksum is right and it is on the disk; only
    its owner can read it. The server forks once, as for BGSAVE; a replica will do, too. The
    user needs +psync +replconf (or +sync); with --via copy +bgsave +info +config|get.
    """
    if file and via != "copy":
        raise UsageError("--file goes with --via copy")
    result = logged_in(repo, url).rdb.save(folder, keep or None, copy=via == "copy", file=file)
    terminal.warn_all(result.warnings)
    if as_json:
        terminal.say_json(report.saved_object(result))
    else:
        terminal.say(report.saved_lines(result))


@rdb.command(
    "list", cls=OwnFirst, epilog=examples("gitbackup rdb list", "gitbackup rdb list /old --json")
)
@folder_argument
@repo_option
@json_option
def list_(folder: Path | None, repo: Path | None, as_json: bool) -> None:
    """List the RDB files of DIR, the newest first.

    What a file is of, and by which server, it tells itself. Only its two ends are read: for
    the rest there is gitbackup rdb verify.
    """
    for each in open_backup(repo).rdb.list(folder):
        if as_json:
            terminal.say_json(report.listed_object(each))
        else:
            terminal.say([report.listed_line(each)])


@rdb.command(
    cls=OwnFirst,
    epilog=examples(
        "gitbackup rdb verify dump.rdb",
        "gitbackup rdb verify dump.rdb --server /usr/bin/redis-server",
    ),
    short_help="Check FILE, load it into a server of our own, and count.",
)
@click.argument("file", type=click.Path(path_type=Path))
@click.option(
    "--server",
    metavar="PROGRAM",
    callback=program,
    help="The redis-server or valkey-server to load it with. [default: one that takes it]",
)
@json_option
def verify(file: Path, server: Path | None, as_json: bool) -> None:
    """Prove that FILE is whole: check it, load it into a server of our own, count.

    The server is Valkey, which gitbackup carries along, or one on the PATH. A file of Redis
    7.4 or newer takes such a server. All keys in the file are counted, also those that have
    expired since it was written.
    """
    result = open_backup(None).rdb.verify(file, server)
    if as_json:
        terminal.say_json(report.verified_object(result))
    else:
        terminal.say(report.verified_lines(result))
