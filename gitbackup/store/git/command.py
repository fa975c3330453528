"""Running git in one repository, in an environment that nothing outside can bend."""

from __future__ import annotations

import os
import re
import select
import shutil
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from functools import cache
from pathlib import Path
from subprocess import DEVNULL, PIPE, Popen
from typing import IO, Any, NamedTuple

from gitbackup.errors import GitbackupError
from gitbackup.store.git.environment import OF_THE_REPOSITORY_ALONE, of_git, surroundings

OLDEST = (2, 30)
"""The oldest version of git that works."""

AHEAD = 1024 * 1024  # bytes: the most that Linux lets any user have

SETTINGS = {
    "core.ignorecase": "false",  # true folds names that differ by case, and drops one in silence
    "core.autocrlf": "false",
    "core.fsync": "committed,reference",
    "core.logallrefupdates": "always",
    "commitgraph.changedpaths": "true",
    "gc.autodetach": "false",  # a repack in the background would outlive our lock
}
"""What a data repository's config holds, and every command of ours is given besides."""

_EVERY_TIME = {
    "core.attributesfile": os.devnull,
    "core.disambiguate": "committish",
    "core.eol": "lf",
    "core.fsmonitor": "false",
    "core.hookspath": os.devnull,
    "i18n.commitencoding": "utf-8",
    "i18n.logoutputencoding": "utf-8",
    "core.splitindex": "false",  # split and without its sum, an index loses what is in its base
    "index.skiphash": "false",
    "log.follow": "false",
    "log.showsignature": "false",
    "submodule.recurse": "false",
}

_MOST_SHOWN = 200  # bytes of what a program prints that is no git
_NOT_FOR_PEOPLE = ("hint:", "warning: notes ref")


class Result(NamedTuple):
    """How a git command ended, and what it wrote."""

    status: int
    out: bytes
    error: str


class Commands:
    """Git's commands in the repository whose git directory and folder are given.

    `folder` is the work tree, and the git directory itself where there is none.
    """

    def __init__(self, git_dir: Path, folder: Path) -> None:
        self.git_dir = git_dir
        self.folder = folder
        self.bare = git_dir == folder
        self.read_only = False
        """Whether no lock of the repository can be had, and so nothing be written."""
        self.inherited: list[int] = []
        """The handles of locks that last until the commands which are started now have ended."""
        self.struck = False
        """Whether a command has ended by a signal since a lock was taken: it may have left its own
        lock files."""
        self.memo: dict[str, Any] = {}
        """What modules have read here, and would read again as it was, each under its own name."""

    def run(
        self,
        *words: str,
        environment: Mapping[str, str] | None = None,
        stdin: bytes | None = None,
    ) -> bytes:
        """Return what `git <words>` writes; GitbackupError with git's own words where it fails."""
        result = self.attempt(*words, environment=environment, stdin=stdin)
        if result.status:
            raise failure(_command(words), result)
        return result.out

    def attempt(
        self,
        *words: str,
        environment: Mapping[str, str] | None = None,
        as_user: bool = False,
        stdin: bytes | None = None,
    ) -> Result:
        """Return how `git <words>` ends, well or not; GitbackupError where it cannot even start.

        So it is where git is killed, which is no answer to what was asked.
        Git reads the repository's settings; with `as_user` those of the user and the system, too.
        """
        process = self._popen(words, environment, as_user, DEVNULL if stdin is None else PIPE)
        out, error = process.communicate(stdin)
        result = Result(process.returncode, out, error.decode("utf-8", "replace"))
        if result.status < 0:
            self.struck = True
            raise failure(_command(words), result)
        return result

    def start(self, *words: str, environment: Mapping[str, str] | None = None) -> GitProcess:
        """Start `git <words>`, to talk with; it dies with the object returned."""
        return GitProcess(self._popen(words, environment, False, PIPE))

    def _popen(
        self, words: Sequence[str], more: Mapping[str, str] | None, as_user: bool, stdin: int
    ) -> Popen[bytes]:
        environment = of_git(self.git_dir, self.folder)
        if not as_user:
            environment |= OF_THE_REPOSITORY_ALONE
        command = [_program(), *_SETTINGS, *words]
        # what is the user's own, such as a daemon that keeps passwords, may go on for long
        inherited = () if as_user or os.name == "nt" else tuple(self.inherited)
        with _starting():
            return Popen(
                command,
                cwd=self.folder,
                env={**environment, **(more or {})},
                stdin=stdin,
                stdout=PIPE,
                stderr=PIPE,
                pass_fds=inherited,
            )


class GitProcess:
    """A git command that runs: what is written to `stdin` it reads, and answers on `stdout`."""

    def __init__(self, process: Popen[bytes]) -> None:
        if process.stdin is None or process.stdout is None:
            raise ValueError("a talk needs pipes")
        self._popen = process
        self.stdin: IO[bytes] = process.stdin
        self.stdout: IO[bytes] = process.stdout

    def __del__(self) -> None:
        with suppress(OSError), self._popen:  # its pipes are closed, too
            if self._popen.poll() is None:
                self._popen.kill()

    def widen(self) -> None:
        """Let either side write far ahead of what the other has read, where the system can."""
        with suppress(ImportError, AttributeError, OSError):  # not Linux, or more than is allowed
            import fcntl

            for pipe in (self.stdin, self.stdout):
                fcntl.fcntl(pipe, fcntl.F_SETPIPE_SZ, AHEAD)

    def ask(self, words: bytes) -> None:
        """Write all of its input, and end it; of one that has ended, `finish()` tells why."""
        with suppress(BrokenPipeError), self.stdin:
            self.stdin.write(words)
        self._popen.stdin = None  # or it would be flushed

    def is_silent(self, seconds: float) -> bool:
        """Return whether it writes nothing for so long, and does not end; not told on Windows."""
        if os.name == "nt":
            return False
        waiting = select.poll()
        waiting.register(self.stdout, select.POLLIN)
        return not waiting.poll(seconds * 1000)

    def finish(self) -> Result:
        """End its input and wait; return how it ended, and what of its output was not read."""
        out, error = self._popen.communicate()
        return Result(self._popen.returncode, out, error.decode("utf-8", "replace"))

    def kill(self) -> Result:
        """End it at once."""
        self._popen.kill()
        return self.finish()


def failure(name: str, result: Result) -> GitbackupError:
    """Return the error to raise where `git <name>` ended so, with what it wrote and advises."""
    lines = [line.strip(" \t\r\0") for line in result.error.split("\n")]
    lines = [line for line in lines if line and not line.startswith(_NOT_FOR_PEOPLE)]
    fatal = [at for at, line in enumerate(lines) if line.startswith("fatal:")]
    if fatal:  # what is advised comes after the first; a second one says how git fell
        advice = lines[fatal[0] + 1 : fatal[1] if len(fatal) > 1 else None]
        advice = [line for line in advice if not line.startswith("warning:")]
        lines = [*lines[: fatal[0] + 1], *advice]
    said = "".join(line + (" " if line.endswith((":", ".")) else "; ") for line in lines)
    ended = f"signal {-result.status}" if result.status < 0 else f"status {result.status}"
    return GitbackupError(f"git {name} failed: {said.rstrip(' ;') or f'it ended with {ended}'}")


def _command(words: Sequence[str]) -> str:
    """Return the name of the command among git's words, behind settings for it alone."""
    pairs = zip(("", *words), words, strict=False)
    return next(word for before, word in pairs if "-c" not in (before, word))


def text(data: bytes) -> str:
    """Return what git wrote, as text that gives the same bytes back."""
    return data.decode("utf-8", "surrogateescape")


@contextmanager
def file_errors(doing: str) -> Iterator[None]:
    """Turn the system's errors inside the block into GitbackupError: cannot `doing`, and why."""
    try:
        yield
    except OSError as error:
        where = f": {error.filename}" if error.filename else ""
        raise GitbackupError(f"cannot {doing}: {error.strerror or error}{where}") from error


@contextmanager
def _starting() -> Iterator[None]:
    try:
        yield
    except OSError as error:
        raise GitbackupError(f"cannot start git: {error.strerror or error}") from error


@cache
def _found(path: str) -> str:
    """Return the git on this PATH, once it is known to run and to be new enough."""
    program = shutil.which("git", path=path)
    if program is None:
        raise GitbackupError(f"git is not installed, or not on the PATH; {_INSTALL}")
    around = surroundings(os.environ)
    with _starting():
        process = Popen(
            [program, "version"],
            # what GIT_* and the user's settings say is told by the first command that they concern
            env={name: value for name, value in around.items() if not name.startswith("GIT_")}
            | OF_THE_REPOSITORY_ALONE,
            stdin=DEVNULL,
            stdout=PIPE,
            stderr=PIPE,
        )
    out, error = process.communicate()
    result = Result(process.returncode, out, error.decode("utf-8", "replace"))
    found = re.fullmatch(rb"git version (\d+)\.(\d+).*\r?\n?", out)
    if out.strip() and not result.status and not found:  # such as a wrapper, which says hello
        said = out[:_MOST_SHOWN].decode("utf-8", "replace").split("\n")
        raise GitbackupError(
            f"{program} cannot be used: `git version` prints more than git's version"
            f" ({'; '.join(filter(None, map(str.strip, said)))}), and so may every command"
        )
    if result.status or found is None:
        raise GitbackupError(f"{failure('version', result)} ({program}); {_INSTALL}")
    if (int(found[1]), int(found[2])) < OLDEST:
        version = out.decode("ascii", "replace").split()[2]
        raise GitbackupError(f"git {version} ({program}) is too old; {_INSTALL}")
    return program


def _program() -> str:
    return _found(os.environ.get("PATH") or os.defpath)


_INSTALL = "install git {}.{} or newer".format(*OLDEST)
_CONFIG = {**SETTINGS, **_EVERY_TIME}
_SETTINGS = [word for name, value in _CONFIG.items() for word in ("-c", f"{name}={value}")]
