"""`gitbackup demo`: the tool at work, on a server of its own."""

from __future__ import annotations

import os
import shlex
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory

import click

from gitbackup import Backup
from gitbackup.cli.arguments.options import OwnFirst, examples
from gitbackup.cli.arguments.pasted import naming
from gitbackup.cli.browser import Opening, expect_installed, serve
from gitbackup.errors import GitbackupError, UsageError
from gitbackup.live.server.embedded import EmbeddedServer
from gitbackup.progress import SILENT, Progress

Words = tuple[str, ...]

DATABASE: tuple[Words, ...] = (
    ("HSET", "apikey:42", "name", "alice", "createdAt", "2026-11-22", "limit", "100"),
    ("HSET", "apikey:43", "name", "bob 👋", "createdAt", "2026-11-22", "limit", "20"),
    ("HSET", "apikey:hash_map", "9f2c", "42", "c41b", "43"),
    ("SADD", "account:index", "eu-1", "us-1"),
    ("HSET", "account:eu-1", "status", "active", "token", "tok-eu"),
    ("HSET", "account:us-1", "status", "active", "token", "tok-us"),
    ("SET", "config", '{"limits": {"daily": 100, "hourly": 10}, "theme": "dark"}'),
    ("ZADD", "cost_rank:today", "0.30000000000000004", "42", "12.5", "43"),
    ("RPUSH", "usage:records:42", '{"cost": 0.1}', '{"cost": 0.2}'),
    ("HSET", "usage:daily:42:2026-11-22", "requests", "17", "tokens", "5120"),
    ("PEXPIREAT", "usage:daily:42:2026-11-22", "4102444800000"),
    ("XADD", "billing:events", "1795331417871-0", "key", "42", "cost", "0.2"),
)

SCENES: tuple[tuple[str, tuple[Words, ...]], ...] = (
    (
        "Commit the whole database: every key, with its type and expiry.",
        (("gitbackup", "commit", "-m", "first commit"),),
    ),
    (
        "Something changes: an account is added, and a limit is raised.",
        (
            ("redis-cli", "HSET", "account:eu-2", "status", "active", "token", "tok-eu2"),
            ("redis-cli", "SADD", "account:index", "eu-2"),
            (
                "redis-cli",
                "SET",
                "config",
                '{"limits": {"daily": 250, "hourly": 10}, "theme": "dark"}',
            ),
            ("gitbackup", "status"),
            ("gitbackup", "commit", "-m", "added account"),
        ),
    ),
    (
        "What changed between the two commits, down to the path in the JSON?",
        (("gitbackup", "diff", "HEAD~1", "HEAD"),),
    ),
    (
        "An accident: the accounts are deleted, and a key is overwritten.",
        (
            ("redis-cli", "DEL", "account:eu-1", "account:us-1", "account:eu-2", "account:index"),
            ("redis-cli", "SET", "apikey:42", "oops"),
            ("gitbackup", "status"),
        ),
    ),
    (
        "Restore the last good commit. The current state is committed first.",
        (("gitbackup", "restore", "HEAD", "--yes"),),
    ),
    (
        "Nothing is lost, not even the accident: it is in the history.",
        (("gitbackup", "log"),),
    ),
)

FOR_THE_PAGES: tuple[str, tuple[Words, ...]] = (
    "One more accident: bring it back on the pages.",
    (
        ("redis-cli", "DEL", "account:us-1"),
        ("redis-cli", "HSET", "apikey:43", "limit", "0"),
    ),
)


@click.command(
    cls=OwnFirst,
    epilog=examples("gitbackup demo", "gitbackup demo try-gitbackup", "gitbackup demo --ui"),
)
@click.option("--ui", "pages", is_flag=True, help="Then look around in a browser, until Ctrl-C.")
@click.option("--no-browser", is_flag=True, help="With --ui: do not open a browser.")
@click.argument("folder", metavar="[DIR]", required=False, type=click.Path(path_type=Path))
@click.pass_obj
def demo(
    code_of: Callable[[list[str]], int], pages: bool, no_browser: bool, folder: Path | None
) -> None:
    """Try gitbackup: commit, change, diff, accident, restore.

    Starts a temporary server, fills it with a small database, and runs the commands that it
    prints. It does not touch your server or your files. With DIR, the data repository is kept
    there for you to look at.
    """
    if pages:
        expect_installed()
    with _scratch(folder) as place, EmbeddedServer() as server:
        repository = place / "data-git-backup"
        backup = Backup(repository, server.url)
        with _environment(REDIS_URL=server.url, GITBACKUP_REPO=str(repository)):
            _redis(backup, DATABASE)
            click.echo(f"This demo runs a temporary server with {len(DATABASE) - 1} keys.")
            for title, commands in (*SCENES, FOR_THE_PAGES) if pages else SCENES:
                click.echo(f"\n# {title}")
                for words in commands:
                    _run(code_of, backup, words)
            if pages:
                click.echo("\nCtrl-C ends it.")
                _serve(repository, server.url, Opening(browser=not no_browser))
    if folder:
        click.echo(f"\nLook around: git -C {shlex.quote(str(repository))} log -p")
    click.echo(
        "\nNow commit your own database: gitbackup commit --url redis://[:password@]host:6379"
    )


def _serve(repository: Path, url: str, how: Opening) -> None:
    """Serve the pages; the commands on them work in another terminal meanwhile."""

    def opened(progress: Progress) -> Backup:
        return Backup(repository, url, progress=progress)

    repo = f" --repo {shlex.quote(str(repository))}"
    serve(opened, naming(lambda: opened(SILENT), repo, f" --url {url}"), how)


@contextmanager
def _scratch(folder: Path | None) -> Iterator[Path]:
    """Yield the folder that was given, which must be empty or new, or a temporary one."""
    if folder is None:
        with TemporaryDirectory(prefix="gitbackup-demo-") as made:
            yield Path(made)
        return
    if folder.exists() and (not folder.is_dir() or any(folder.iterdir())):
        raise UsageError(f"{folder} is not empty: name an empty folder, or one that does not exist")
    folder.mkdir(parents=True, exist_ok=True)
    yield folder


@contextmanager
def _environment(**variables: str) -> Iterator[None]:
    before = {name: os.environ.get(name) for name in (*variables, "REDISCLI_AUTH")}
    os.environ.update(variables)
    os.environ.pop("REDISCLI_AUTH", None)
    try:
        yield
    finally:
        for name, value in before.items():
            if value is None:
                os.environ.pop(name, None)
            else:
                os.environ[name] = value


def _run(code_of: Callable[[list[str]], int], backup: Backup, words: Words) -> None:
    """Print a command as one would type it, and run it in this process."""
    click.echo(f"$ {' '.join(map(_typed, words))}")
    if words[0] == "redis-cli":
        _redis(backup, [words[1:]])
    elif code := code_of(list(words[1:])):
        raise GitbackupError(f"the demo's command failed with exit code {code}")


def _typed(word: str) -> str:
    """Return a word as a person types it: a tilde inside one needs no quotes, as in HEAD~1."""
    return (
        word if shlex.quote(word.replace("~", "_")) == word.replace("~", "_") else shlex.quote(word)
    )


def _redis(backup: Backup, commands: tuple[Words, ...] | list[Words]) -> None:
    connection = backup.server.dial()
    try:
        for words in commands:
            connection.call(*(word.encode() for word in words))
    finally:
        connection.close()
