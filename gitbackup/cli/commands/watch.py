"""`gitbackup watch`: commits by itself, for as long as it is let."""

from __future__ import annotations

import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from types import FrameType
from typing import TYPE_CHECKING

import click

from gitbackup import Backup, HookQueue
from gitbackup.cli import terminal
from gitbackup.cli.after_commit import failure_hook, say_after_commit, say_failure
from gitbackup.cli.options import OwnFirst, Renamed, connected, examples, logged_in, open_backup
from gitbackup.errors import GitbackupError
from gitbackup.format.names import escape
from gitbackup.report.json import objects
from gitbackup.report.text import sentences

if TYPE_CHECKING:  # it loads what `watch --help` has no need of
    from gitbackup.commit.watch import Event

ENDS = (signal.SIGINT, signal.SIGTERM)


@click.command(
    cls=OwnFirst,
    epilog=examples(
        "gitbackup watch",
        "gitbackup watch --match 'account:*' --match 'apikey:*'",
        "gitbackup watch --idle 30 --max-wait 600 -m 'relay: {changes}'",
        "gitbackup watch --json | jq .subject",
    ),
)
@connected
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
def watch(
    repo: Path | None,
    url: str | None,
    databases: tuple[int, ...],
    as_json: bool,
    match: tuple[str, ...],
    quiet: float,
    max_wait: float,
    message: str,
) -> None:
    """Commit automatically whenever keys change.

    First it commits all changes since HEAD. Then it reads only the keys that change, and
    commits them once writes pause, or at the latest after --max-wait: one line for each
    commit. A key that expires is a change. Changes of keys that do not match --match, or that
    are quiet, do not cause a commit; the next commit includes them.

    The server must permit client tracking. If the connection is lost, watch connects again
    and reads all keys once. Ctrl-C or SIGTERM ends it with exit code 0. Other commits and
    restores may run meanwhile. If gitbackup.push is on-commit, each commit is pushed. The
    settings on-commit and on-failure name commands that are run then; watch does not wait for
    them (see gitbackup config).
    """
    with _stopped_by_signals() as stop, failure_hook(open_backup(repo, url), "watch"):
        backup = logged_in(repo, url, databases, _Reading(stop))
        events = backup.watch(stop, match=match, quiet=quiet, max_wait=max_wait, message=message)
        with HookQueue(terminal.warn) as queue:
            _follow(backup, events, as_json, queue)


def _follow(backup: Backup, events: Iterator[Event], as_json: bool, queue: HookQueue) -> None:
    """Tell of each event, and do what follows it."""
    from gitbackup.commit.watch import Trouble, Watching

    is_well = True
    for event in events:
        _say(event, as_json)
        if isinstance(event, Trouble):
            if is_well:  # it is told once, and not at each try
                say_failure(backup, "watch", GitbackupError(event.sentence), queue)
            is_well = False
            continue
        is_well, made = True, [] if isinstance(event, Watching) else [event]
        done = say_after_commit(backup, as_json, made, bool(made), queue)
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
    """Tells what happened."""
    from gitbackup.commit.watch import Trouble, Watching

    if isinstance(event, Trouble):
        terminal.warn(f"{event.sentence}; trying again in {event.wait:.0f} s")
        return
    if isinstance(event, Watching):
        keys = sentences.keys(event.keys)
        line = f"watching {escape(event.server)}: {keys}, HEAD {event.head[:7]}"
        terminal.say([line], err=as_json)
        return
    terminal.warn_all(event.warnings)
    if as_json:
        terminal.say_json(objects.watch_object(event))
    elif event.commit:
        terminal.say([f"[{event.commit[:7]}] {escape(event.subject)}"])


@contextmanager
def _stopped_by_signals() -> Iterator[threading.Event]:
    """What Ctrl-C and SIGTERM set, so that a commit under way is made; twice is at once."""
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
