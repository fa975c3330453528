"""Running git in one repository, in an environment that nothing outside can bend."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from subprocess import PIPE, Popen
from typing import IO, NamedTuple

from gitbackup.errors import GitbackupError

# Importing GitPython raises where git is not installed; we say so when git is first needed.
os.environ.setdefault("GIT_PYTHON_REFRESH", "quiet")

import git

AHEAD = 1024 * 1024  # bytes: the most that Linux lets any user have

SETTINGS = {
    "core.ignorecase": "false",  # true folds names that differ by case, and drops one in silence
    "core.autocrlf": "false",
    "core.fsync": "committed,reference",
    "core.logallrefupdates": "always",
    "commitgraph.changedpaths": "true",
    "fastimport.unpacklimit": "0",  # packs of that many objects, or fewer, become loose files
    "gc.autodetach": "false",  # a repack in the background would outlive our lock
}
"""What a data repository's config holds, and every command of ours is given besides."""

_EVERY_TIME = {
    "core.attributesfile": os.devnull,
    "core.disambiguate": "committish",
    "core.eol": "lf",
    "core.fsmonitor": "false",
    "core.hookspath": os.devnull,
    "log.follow": "false",
    "log.showsignature": "false",
    "submodule.recurse": "false",
}

_TRACES = (
    *("TRACE", "TRACE_CURL", "TRACE_FSMONITOR", "TRACE_PACKET", "TRACE_PACK_ACCESS"),
    *("TRACE_PACKFILE", "TRACE_PERFORMANCE", "TRACE_REFS", "TRACE_SETUP", "TRACE_SHALLOW"),
    *("TRACE2", "TRACE2_EVENT", "TRACE2_PERF"),
)


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
        self._git = git.Git(str(folder))
        self._git.update_environment(**_environment(git_dir, folder))

    def run(self, *words: str, environment: Mapping[str, str] | None = None) -> bytes:
        """What `git <words>` writes; GitbackupError with git's own words where it fails."""
        result = self.attempt(*words, environment=environment)
        if result.status:
            raise failure(words[0], result)
        return result.out

    def attempt(self, *words: str, environment: Mapping[str, str] | None = None) -> Result:
        """How `git <words>` ends, well or not; GitbackupError where it cannot even start."""
        with _starting():
            status, out, error = self._git.execute(
                _command(words),
                env=environment,
                with_extended_output=True,
                with_exceptions=False,
                stdout_as_string=False,
                strip_newline_in_stdout=False,
            )
        return Result(status, out if isinstance(out, bytes) else out.encode(), str(error))

    def start(self, *words: str, environment: Mapping[str, str] | None = None) -> Talk:
        """`git <words>`, to talk with; it dies with the object returned."""
        with _starting():
            command = _command(words)
            return Talk(self._git.execute(command, env=environment, as_process=True, istream=PIPE))


class Talk:
    """A git command that runs: what is written to `stdin` it reads, and answers on `stdout`."""

    def __init__(self, process: git.Git.AutoInterrupt) -> None:
        self._guard = process  # GitPython ends the process with this object
        popen = process.proc
        if popen is None or popen.stdin is None or popen.stdout is None:
            raise ValueError("a talk needs pipes")
        self._popen: Popen[bytes] = popen
        self.stdin: IO[bytes] = popen.stdin
        self.stdout: IO[bytes] = popen.stdout

    def widen(self) -> None:
        """Lets either side write far ahead of what the other has read, where the system can."""
        with suppress(ImportError, AttributeError, OSError):  # not Linux, or more than is allowed
            import fcntl

            for pipe in (self.stdin, self.stdout):
                fcntl.fcntl(pipe, fcntl.F_SETPIPE_SZ, AHEAD)

    def finish(self) -> Result:
        """Ends its input and waits: how it ended, and what of its output was not read."""
        out, error = self._popen.communicate()
        return Result(self._popen.returncode, out, error.decode("utf-8", "replace"))

    def kill(self) -> Result:
        """Ends it at once."""
        self._popen.kill()
        return self.finish()


def failure(name: str, result: Result) -> GitbackupError:
    """The error to raise where `git <name>` ended so, with what it wrote."""
    lines = [line.strip() for line in result.error.split("\n")]
    fatal = [at for at, line in enumerate(lines) if line.startswith("fatal:")]
    lines = lines[: fatal[0] + 1] if fatal else lines  # what follows is how it fell
    said = "; ".join(line for line in lines if line and not line.startswith("hint:"))
    ended = f"signal {-result.status}" if result.status < 0 else f"status {result.status}"
    return GitbackupError(f"git {name} failed: {said or f'it ended with {ended}'}")


def asking() -> dict[str, str]:
    """The environment in which git may ask for a password, unless the user's own says no."""
    return {"GIT_TERMINAL_PROMPT": os.environ.get("GIT_TERMINAL_PROMPT", "1")}


def text(data: bytes) -> str:
    """What git wrote, as text that gives the same bytes back."""
    return data.decode("utf-8", "surrogateescape")


@contextmanager
def file_errors(doing: str) -> Iterator[None]:
    """Turns the system's errors on our own files into GitbackupError: cannot `doing`, and why."""
    try:
        yield
    except OSError as error:
        where = f": {error.filename}" if error.filename else ""
        raise GitbackupError(f"cannot {doing}: {error.strerror or error}{where}") from error


@contextmanager
def _starting() -> Iterator[None]:
    try:
        yield
    except git.GitCommandNotFound as error:
        if shutil.which(git.Git.GIT_PYTHON_GIT_EXECUTABLE or "git") is None:
            sentence = "git is not installed, or not on the PATH; install git 2.31 or newer"
            raise GitbackupError(sentence) from error
        raise GitbackupError(f"git does not start: {error.__cause__}") from error
    except OSError as error:
        raise GitbackupError(f"git does not start: {error}") from error


def _command(words: Sequence[str]) -> list[str]:
    settings = {**SETTINGS, **_EVERY_TIME}
    options = [word for name, value in settings.items() for word in ("-c", f"{name}={value}")]
    return [git.Git.GIT_PYTHON_GIT_EXECUTABLE or "git", *options, *words]


def _environment(git_dir: Path, folder: Path) -> dict[str, str]:
    """Values for every variable that could lead git elsewhere; GitPython passes the rest on."""
    return {
        "GIT_DIR": str(git_dir),
        "GIT_COMMON_DIR": str(git_dir),
        "GIT_WORK_TREE": str(folder),
        "GIT_INDEX_FILE": str(git_dir / "index"),
        "GIT_OBJECT_DIRECTORY": str(git_dir / "objects"),
        "GIT_ALTERNATE_OBJECT_DIRECTORIES": "",
        "GIT_GRAFT_FILE": str(git_dir / "info" / "grafts"),
        "GIT_SHALLOW_FILE": str(git_dir / "shallow"),
        "GIT_NAMESPACE": "",
        "GIT_NO_REPLACE_OBJECTS": "1",
        "GIT_CONFIG_PARAMETERS": "",
        "GIT_CONFIG_COUNT": "0",
        "GIT_ATTR_NOSYSTEM": "1",
        "GIT_ATTR_SOURCE": "",
        "GIT_DEFAULT_HASH": "sha1",
        "GIT_DEFAULT_REF_FORMAT": "files",
        "GIT_LITERAL_PATHSPECS": "1",
        "GIT_GLOB_PATHSPECS": "0",
        "GIT_NOGLOB_PATHSPECS": "0",
        "GIT_ICASE_PATHSPECS": "0",
        "GIT_TERMINAL_PROMPT": "0",
        **{f"GIT_{name}": "0" for name in _TRACES},
    }
