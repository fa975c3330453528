"""`gitbackup watch`: commits by itself, for as long as it is let."""

from __future__ import annotations

import shlex
import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from itertools import pairwise
from pathlib import Path
from types import FrameType
from typing import TYPE_CHECKING

import click

from gitbackup import Backup, HookQueue
from gitbackup.cli.after_commit import failure_hook, say_after_commit, say_failure
from gitbackup.cli.arguments.options import (
    OwnFirst,
    Renamed,
    access_words,
    connected,
    examples,
    from_replicas_option,
    logged_in,
    open_backup,
    typed,
)
from gitbackup.cli.output import terminal
from gitbackup.errors import GitbackupError, UsageError
from gitbackup.format.names import escape
from gitbackup.model.server.access import FILES
from gitbackup.report.json import objects
from gitbackup.report.text import sentences

if TYPE_CHECKING:  # it loads what `watch --help` has no need of
    from gitbackup.commit.watch import Event

SERVICE = ("databases", "as_json", "match", "quiet", "max_wait", "message")
"""The parameters that a service takes over; access to the server is kept apart."""

ENDS = (signal.SIGINT, signal.SIGTERM)


@click.command(
    cls=OwnFirst,
    epilog=examples(
        "gitbackup watch",
        "gitbackup watch --match 'account:*' --match 'apikey:*'",
        "gitbackup watch --idle 30 --max-wait 600 -m 'relay: {changes}'",
        "gitbackup watch --json | jq .subject",
        "gitbackup watch --repo /var/backups/relay --install-service --user",
    ),
)
@connected
@from_replicas_option
@click.option(
    "--match",
    multiple=True,
    metavar="GLOB",
    help="Commit when a matching key changes; other changes are included. Repeatable.",
)
@click.option(
    "--idle",
    "--quiet",
    "quiet",
    cls=Renamed,
    type=click.FloatRange(min=0),
    default=2.0,
    metavar="SECONDS",
    help="Commit once nothing has changed for this long. [default: 2]",
)
@click.option(
    "--max-wait",
    type=click.FloatRange(min=0),
    default=60.0,
    metavar="SECONDS",
    help="Maximum delay after a change. [default: 60]",
)
@click.option(
    "-m",
    "--message",
    metavar="TEMPLATE",
    default="{changes}",
    help="Commit subject; {changes} stands for what changed, {counts} for the number of keys.",
)
@click.option(
    "--install-service",
    is_flag=True,
    help="Write a service of systemd or launchd that runs this command, instead of running it now.",
)
@click.option("--user", is_flag=True, help="With --install-service: for this user only.")
@click.option("--dry-run", is_flag=True, help="With --install-service: show it; write nothing.")
@click.option("-y", "--yes", is_flag=True, help="With --install-service: do not ask.")
@click.pass_context
def watch(
    ctx: click.Context,
    repo: Path | None,
    url: str | None,
    databases: tuple[int, ...],
    as_json: bool,
    match: tuple[str, ...],
    quiet: float,
    max_wait: float,
    message: str,
    install_service: bool,
    user: bool,
    dry_run: bool,
    yes: bool,
) -> None:
    """Commit automatically whenever keys change.

    First it commits all changes since HEAD. Then it reads only the keys that change, and
    commits them once writes pause, or at the latest after --max-wait: one line for each
    commit. A key that expires is a change. Changes of keys that do not match --match, or that
    are quiet, do not cause a commit; the next commit includes them.

    The server must permit client tracking. If the connection is lost, watch connects again and
    reads all keys once. Ctrl-C or SIGTERM ends it with exit code 0. Other commits and restores
    may run meanwhile. If the setting push has the value on-commit, each commit is
    pushed. The settings on-commit, on-alarm and on-failure name commands to run afterwards;
    watch does not wait for them (see gitbackup config).

    With --install-service, it is set up as a service of this machine, with the same options;
    the files are shown first. A password goes into a file that only its owner can read.
    """
    if install_service:
        _install(ctx, repo, url, user, dry_run, yes)
        return
    alone_options = {"user": user, "dry-run": dry_run, "yes": yes}
    if given := [name for name, value in alone_options.items() if value]:
        raise UsageError(f"--{given[0]} needs --install-service")
    with _stopped_by_signals() as stop, failure_hook(open_backup(repo, url), "watch"):
        backup = logged_in(repo, url, databases, _Reading(stop))
        events = backup.watch(stop, match=match, quiet=quiet, max_wait=max_wait, message=message)
        with HookQueue(terminal.warn) as queue:
            _follow(backup, events, as_json, queue)


def _install(
    ctx: click.Context, repo: Path | None, url: str | None, user: bool, dry_run: bool, yes: bool
) -> None:
    """Install the service; exit with 1 if the person does not want it."""
    from gitbackup.cli.install_service import install  # it loads what a watch has no need of

    backup = open_backup(repo, url)
    _ = backup.insecure  # raises UsageError for a URL that is not valid
    repository = backup.path.absolute()
    words = ["watch", "--repo", str(repository), *_given(ctx)]
    if not install(words, repository, url, user, dry_run, yes):
        ctx.exit(1)


def _given(ctx: click.Context) -> Iterator[str]:
    """Yield the options of this watch that the service is to have, too."""
    for before, word in pairwise(["", *shlex.split(access_words(ctx))]):
        yield str(Path(word).absolute()) if before.removeprefix("--") in FILES else word
    for param in ctx.command.params:
        if param.name in SERVICE and typed(ctx, param.name):
            value = ctx.params[param.name]
            for one in value if isinstance(value, tuple) else (value,):
                told = f"{one:g}" if isinstance(one, float) else f"{one}"
                yield from (param.opts[0],) if one is True else (param.opts[0], told)


def _follow(backup: Backup, events: Iterator[Event], as_json: bool, queue: HookQueue) -> None:
    """Tell of each event, and do what follows it."""
    from gitbackup.commit.watch import Trouble, Watching

    is_well = True
    for event in events:
        _say(event, as_json)
        if isinstance(event, Trouble):
            if is_well:  # it is told once, and not at each try
                error = GitbackupError(event.sentence)
                error.exit_code = event.exit_code
                say_failure(backup, "watch", error, queue)
            is_well = False
            continue
        is_well, made = True, [] if isinstance(event, Watching) else [event]
        done = say_after_commit(backup, as_json, *made, queue=queue)
        alarms = [sentences.alarm_line(one.commit or "", one.alarm) for one in made if one.alarm]
        for sentence in (*alarms, *done.failed):
            terminal.warn(sentence)


class _Stopped(KeyboardInterrupt):
    """Somebody has asked to stop while all was read, of which nothing is written yet."""


class _Reading(terminal.Line):
    """The line of progress of reading, which need not come to its end."""

    def __init__(self, stop: threading.Event) -> None:
        super().__init__()
        self._stop = stop

    def advance(self, keys: int) -> None:
        if self._stop.is_set():
            raise _Stopped
        super().advance(keys)


def _say(event: Event, as_json: bool) -> None:
    """Print what happened."""
    from gitbackup.commit.watch import Trouble, Watching

    if isinstance(event, Trouble):
        terminal.warn(f"{event.sentence}; trying again in {event.wait:.0f} s")
        return
    if isinstance(event, Watching):
        keys = sentences.keys(event.keys)
        line = f"watching {escape(event.server)}: {keys}, HEAD {event.head[:7]}"
        terminal.say([line], err=as_json)
        return
    terminal.changed()
    terminal.warn_all(event.warnings)
    if as_json:
        terminal.say_json(objects.watch_object(event))
    elif event.commit:
        terminal.say([f"[{event.commit[:7]}] {escape(event.subject)}"])


@contextmanager
def _stopped_by_signals() -> Iterator[threading.Event]:
    """Yield an event that Ctrl-C and SIGTERM set, so that a commit under way is made. A second
    signal ends the run at once."""
    stop = threading.Event()

    def on_signal(number: int, frame: FrameType | None) -> None:
        if stop.is_set():
            raise KeyboardInterrupt
        stop.set()

    before = {number: signal.signal(number, on_signal) for number in ENDS}
    try:
        yield stop
    except _Stopped:
        pass
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
