"""What commands share: where the repository and the server are, exit codes, JSON."""

from __future__ import annotations

import os
import shlex
import shutil
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from copy import copy
from functools import partial
from pathlib import Path
from typing import Any, TypeVar

import click

from gitbackup import Backup
from gitbackup.cli.arguments.before_command import SHARED
from gitbackup.cli.arguments.parameter_types import Folder, Natural, named
from gitbackup.cli.output import pager, terminal
from gitbackup.cli.output.exit_codes import of_command
from gitbackup.errors import NoRepository, PasswordNeeded, ServerError, UsageError
from gitbackup.model.server.access import LONGEST, Access
from gitbackup.progress import Progress

Command = TypeVar("Command", bound=Callable[..., Any])
Opened = Callable[[str | None, Progress | None], Backup]

FOLDER = Path("data-git-backup")
LOCK_WAIT = "gitbackup.lock-wait"
FROM_REPLICAS = "gitbackup.from-replicas"
ACCESS = "gitbackup.access"
INSECURE = "--insecure: the server's certificate is not verified; use --cacert FILE to verify it"

repo_option = click.option(
    "--repo",
    type=Folder(path_type=Path),
    metavar="DIR",
    envvar="GITBACKUP_REPO",
    help="Data repository. [default: data-git-backup]",
)


def _set_access(ctx: click.Context, param: click.Parameter, value: Any) -> None:
    if value:
        ctx.meta.setdefault(ACCESS, {})[param.name] = value
        if param.name == "insecure":
            terminal.warn(INSECURE)


def _access_option(name: str, told: str, **how: Any) -> Callable[[Command], Command]:
    return click.option(name, expose_value=False, callback=_set_access, help=told, **how)


_timeout_option = _access_option(
    "--timeout",
    "How long to wait for an answer of the server. [default: 30]",
    type=click.FloatRange(0, LONGEST, min_open=True),
    metavar="SECONDS",
    envvar="GITBACKUP_TIMEOUT",
)
TLS_OPTIONS = (
    _access_option(
        "--cacert", "With rediss://: CA certificate that signed the server's.", metavar="FILE"
    ),
    _access_option("--cacertdir", "With rediss://: folder of CA certificates.", metavar="DIR"),
    _access_option("--cert", "With rediss://: client certificate.", metavar="FILE"),
    _access_option("--key", "With rediss://: key of the client certificate.", metavar="FILE"),
    _access_option("--sni", "With rediss://: name in the server's certificate.", metavar="NAME"),
    _access_option(
        "--insecure", "With rediss://: do not verify the server's certificate.", is_flag=True
    ),
)
_url_option = click.option(
    "--url",
    metavar="URL",
    callback=named,
    envvar="REDIS_URL",
    help="URL of the server: redis://, rediss://, unix:// or redis+sentinel://."
    " [default: redis://localhost:6379]",
)


def tls_options(command: Command) -> Command:
    """Give a command the options for TLS."""
    for option in reversed(TLS_OPTIONS):
        command = option(command)
    return command


def access_options(command: Command) -> Command:
    """Give a command the options for the way to a server."""
    return _timeout_option(tls_options(command))


def url_option(command: Command) -> Command:
    """Give a command the options for the server and the way to it."""
    return _url_option(access_options(command))


def _databases(default: str) -> Callable[[Command], Command]:
    return click.option(
        "--db",
        "databases",
        type=Natural(),
        metavar="N",
        multiple=True,
        help=f"Only database N. Repeatable. [default: {default}]",
    )


db_option = _databases("all, or the URL's")
stored_db_option = _databases("all")
key_db_option = click.option("--db", type=Natural(), metavar="N", help="Database of the key.")
full_option = click.option(
    "--full", is_flag=True, help="Show every line, also of large values and many changes."
)


class Renamed(click.Option):
    """An option that older names mean, too; the help tells the first only."""

    def get_help_record(self, ctx: click.Context) -> tuple[str, str] | None:
        told = copy(self)
        told.opts = self.opts[:1]
        return click.Option.get_help_record(told, ctx)


def quiet_option(told: str) -> Callable[[Command], Command]:
    """Return the option that asks for quiet keys, too; `told` is its help."""
    return click.option("--with-quiet", "--all", "every", cls=Renamed, is_flag=True, help=told)


all_option = quiet_option("Show quiet keys too (see config).")
exclude_option = click.option(
    "--exclude",
    multiple=True,
    metavar="GLOB",
    help="Hide matching keys in this output (they are still committed). Repeatable.",
)
redact_option = click.option(
    "--redact",
    multiple=True,
    metavar="GLOB",
    help="Mask the values of matching keys, fields and JSON members. Repeatable.",
)
to_option = click.option("--to", metavar="URL", help="Write to another server.")
json_option = click.option("--json", "as_json", is_flag=True, help="Print JSON, for programs.")


def _set_color(ctx: click.Context, _: click.Parameter, when: str) -> None:
    if when != "auto":
        ctx.color = when == "always"


def _set_lock_wait(ctx: click.Context, _: click.Parameter, seconds: float) -> None:
    ctx.meta[LOCK_WAIT] = seconds


lock_wait_option = click.option(
    "--lock-wait",
    type=click.FloatRange(0, 86_400),
    default=10.0,
    show_default=True,
    metavar="SECONDS",
    envvar="GITBACKUP_LOCK_WAIT",
    expose_value=False,
    callback=_set_lock_wait,
    help="How long to wait for another run of gitbackup to end.",
)


def _set_from_replicas(ctx: click.Context, _: click.Parameter, chosen: bool) -> None:
    ctx.meta[FROM_REPLICAS] = chosen


from_replicas_option = click.option(
    "--from-replicas",
    is_flag=True,
    expose_value=False,
    callback=_set_from_replicas,
    help="Read from a replica of each primary, if one is in sync.",
)


def _set_pager(ctx: click.Context, _: click.Parameter, no_pager: bool) -> None:
    ctx.meta[pager.NO_PAGER] = no_pager


color_option = click.option(
    "--color",
    type=click.Choice(["auto", "always", "never"]),
    default="auto",
    expose_value=False,
    callback=_set_color,
    help="When to use colours. auto: on a terminal, unless git's color.ui or NO_COLOR forbids it.",
)
pager_option = click.option(
    "--no-pager",
    is_flag=True,
    expose_value=False,
    callback=_set_pager,
    help="Do not page the output (with git's core.pager or GIT_PAGER).",
)


def read_at_length(command: Command) -> Command:
    """Add the options of a command whose output may fill a screen, and is written in
    `pager.reading`."""
    return color_option(pager_option(command))


html_option = click.option(
    "--html",
    metavar="FILE",
    type=click.Path(dir_okay=False, allow_dash=True),
    help="Write an HTML page; - is standard output.",
)


def connected(command: Command) -> Command:
    """Add the options of a command that talks to a server."""
    return repo_option(url_option(db_option(json_option(command))))


def program(ctx: click.Context, param: click.Parameter, named: str | None) -> Path | None:
    """Return the path of a server's program, given as a path or as a name on the PATH. A
    callback."""
    if named is None:
        return None
    found = shutil.which(named)
    if found is None:
        raise UsageError(f"no program {named!r}: name a redis-server or valkey-server")
    return Path(found)


server_option = click.option(
    "--server",
    metavar="PROGRAM",
    callback=program,
    help="With --rdb: the redis-server or valkey-server that loads the file.",
)


def _modules(told: str) -> Callable[[Command], Command]:
    return click.option(
        "--module",
        "modules",
        type=click.Path(exists=True, dir_okay=False, path_type=Path),
        metavar="FILE",
        multiple=True,
        help=f"{told} to load, if the data has types of a module. Repeatable.",
    )


module_option = _modules("Module")
rdb_module_option = _modules("With --rdb: module")


def expect_rdb(rdb: Path | None, **given: Any) -> None:
    """Raise UsageError for an option that only serves an RDB file, where there is none."""
    for name, value in given.items():
        if value and not rdb:
            raise UsageError(f"--{name} needs --rdb")


def examples(*lines: str, failed: str = "failed", more: Iterable[int] = ()) -> str:
    """Return the end of a command's help: examples and exit codes; `failed` says what exit code 1
    means, and `more` are other codes that the command often has."""
    shown = "\n".join(f"  {line}" for line in lines)
    return f"\b\nExamples:\n{shown}\n\n\b\n{of_command(failed, more)}"


class OwnFirst(click.Command):
    """Tells in its help what is its own before what most commands have."""

    def format_options(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        own, shared = list[tuple[str, str]](), list[tuple[str, str]]()
        options = [param for param in self.get_params(ctx) if isinstance(param, click.Option)]
        for option in options:
            if told := option.get_help_record(ctx):
                (shared if {*SHARED, "--help"} & {*option.opts} else own).append(told)
        for title, rows in (("Options", own), ("Common options", shared)):
            if rows:
                with formatter.section(title):
                    formatter.write_dl(rows)


PAGE = "--html writes a page"


def alone(claim: str, **others: bool) -> None:
    """Raise UsageError if others are given besides an option that does what `claim` says."""
    if any(others.values()):
        names = " and ".join(f"--{name}" for name, given in others.items() if given)
        raise UsageError(f"{claim}, {names} something else: choose one")


def access_words(ctx: click.Context) -> str:
    """Return the options for the way to a server as they were given, a space before each."""
    words = ""
    for name, value in ctx.meta.get(ACCESS, {}).items():
        words += f" --{name}"
        if value is not True:
            words += f" {value:g}" if isinstance(value, float) else f" {shlex.quote(value)}"
    return words


def typed(ctx: click.Context, option: str) -> bool:
    """Return whether an option was given by hand, so that it has to be given again."""
    return ctx.get_parameter_source(option) is click.core.ParameterSource.COMMANDLINE


def repository_folder(repo: Path | None) -> Path:
    """Return where the data repository is: as told, in this folder, or around it.

    Raises NoRepository for a bare one that nobody named and that another project may hold.
    """
    if repo is not None:
        return repo
    found = _found_here()
    _expect_ours(found)
    return found


def repo_words(folder: Path | None) -> str:
    """Return the words with which a command finds that repository, a space before them."""
    return "" if folder in (None, FOLDER) else f" --repo {shlex.quote(str(folder))}"


def _expect_ours(folder: Path) -> None:
    """Raise NoRepository for a bare repository inside a project, unless it is named. Whoever checks
    out the project gets its files, and a bare repository among them has settings that run programs.
    The same holds for one that the user's git does not trust unless it is named."""
    if not ((folder / "HEAD").is_file() and (folder / "objects").is_dir()):
        return
    for place in {folder.absolute(), folder.resolve()}:
        for outer in place.parents:
            if (outer / ".git").exists():
                raise NoRepository(
                    f"{place} is a bare repository inside the project {outer}, and may"
                    " be part of what was checked out there; if it is yours, name it"
                    " with --repo"
                )
    from gitbackup.store.git.ownership import (
        expect_named,  # it loads what no other folder has need of
    )

    expect_named(folder.resolve())


def _found_here() -> Path:
    here = Path.cwd()
    if not (here / FOLDER).exists():
        for folder in (here, *here.parents):
            if (folder / "gitbackup.json").is_file() and (folder / ".git").exists():
                return folder
        if (here / "HEAD").is_file() and (here / "objects").is_dir():
            return here  # a bare repository
    return FOLDER


def open_backup(
    repo: Path | None,
    url: str | None = None,
    databases: tuple[int, ...] = (),
    progress: Progress | None = None,
) -> Backup:
    """Return the library's object for a command's options; nothing is opened yet."""
    return _opener(repo, url, databases)(_password_given(), progress)


def logged_in(
    repo: Path | None,
    url: str | None = None,
    databases: tuple[int, ...] = (),
    progress: Progress | None = None,
) -> Backup:
    """Return the same Backup, connected to its server; ask for the password if only that is
    missing."""
    return _log_in(_opener(repo, url, databases), progress)[1]


def opener(
    repo: Path | None,
    url: str | None = None,
    databases: tuple[int, ...] = (),
    *,
    read_only: bool = False,
) -> Callable[[Progress], Backup]:
    """Return what makes the same as often as it is called, in any thread. The password is asked
    for now; a server that does not answer now may do so later."""
    opened, password = _opener(repo, url, databases, read_only), _password_given()
    try:
        password, _ = _log_in(opened, None)
    except PasswordNeeded:
        raise
    except ServerError as error:
        terminal.warn(str(error))
    return partial(opened, password)


def _log_in(opened: Opened, progress: Progress | None) -> tuple[str | None, Backup]:
    """Return the password of the server, and a Backup that is connected to it."""
    password = _password_given()
    backup = opened(password, progress)
    try:
        backup.connect()
    except PasswordNeeded:
        if not terminal.asks():
            raise
        password = click.prompt("Password of the server", hide_input=True, err=True)
        backup = opened(password, progress)
        backup.connect()
    if backup.insecure and "insecure" not in access_given():
        terminal.warn(INSECURE)
    return password, backup


def _password_given() -> str | None:
    return os.environ.get("REDISCLI_AUTH") or None


@contextmanager
def password_in_url(
    of: str = "the server of --to", advice: str = "put it in that URL"
) -> Iterator[None]:
    """Raise ServerError inside the block if a password is missing: that of another server is not
    asked for."""
    try:
        yield
    except PasswordNeeded:
        raise ServerError(f"{of} requires a password: {advice}") from None


def access_given() -> dict[str, Any]:
    """Return the options for the way to a server that this command was given."""
    ctx = click.get_current_context(silent=True)
    return dict(ctx.meta.get(ACCESS, {})) if ctx else {}


def _from_replicas() -> bool:
    ctx = click.get_current_context(silent=True)
    return bool(ctx and ctx.meta.get(FROM_REPLICAS))


def _lock_wait() -> dict[str, float]:
    ctx = click.get_current_context(silent=True)
    given = ctx.meta.get(LOCK_WAIT) if ctx else None
    return {} if given is None else {"lock_wait": given}


def _opener(
    repo: Path | None, url: str | None, databases: tuple[int, ...], read_only: bool = False
) -> Opened:
    """Return what makes a Backup with a password. The options are read now: click knows them in
    this thread only."""
    options: dict[str, Any] = {
        "databases": databases or None,
        **_lock_wait(),
        "access": Access(**access_given()),
        "sentinel_password": os.environ.get("GITBACKUP_SENTINEL_PASSWORD") or None,
        "from_replicas": _from_replicas(),
        "read_only": read_only,
    }
    folder = repository_folder(repo)

    def opened(password: str | None, progress: Progress | None) -> Backup:
        progress = progress or terminal.Line()
        return Backup(folder, url or None, password=password, progress=progress, **options)

    return opened
