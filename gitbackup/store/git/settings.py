"""The settings of a data repository: `gitbackup.*` in git's own config."""

from __future__ import annotations

import os
import re
import secrets
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import NamedTuple

from gitbackup.errors import Busy, GitbackupError, UsageError
from gitbackup.store.git import environment, lock, ownership
from gitbackup.store.git.command import Commands, failure, file_errors, text

_NAME = re.compile(r"[A-Za-z][A-Za-z0-9-]*")
_REMOTE = re.compile(r"^remote\.(.*)\.url$")
_ESCAPES = {"\\": "\\\\", '"': '\\"', "\n": "\\n", "\t": "\\t", "\b": "\\b"}


class Configured:
    """Something with a git config: `gitbackup.<name>` is a setting."""

    _git: Commands

    def get(self, name: str) -> str | None:
        """Return the setting `gitbackup.<name>` of git's config; None if it is not set."""
        return next(reversed(self.get_all(name)), None)

    def get_all(self, name: str) -> list[str]:
        """Return every value of the setting `gitbackup.<name>`, the user's global ones first."""
        return get_all(self._git, name)

    def own(self, name: str) -> list[str]:
        """Return the repository's own values of the setting `gitbackup.<name>`."""
        found = self.sourced()
        return [v for n, v, scope, _ in found if n == name.lower() and scope == "local"]

    def sourced(self) -> list[tuple[str, str, str, str]]:
        """Return every value of ours in git's config, in git's order: the setting's name in lower
        case, the value, its scope (`local`, `global`, `system`), and the file."""
        return sourced(self._git)

    def set(self, name: str, value: str) -> None:
        """Set `gitbackup.<name>` in the repository's own config."""
        self.set_all(name, [value])

    def set_all(self, name: str, values: Sequence[str]) -> None:
        """Set all values of `gitbackup.<name>` in the repository's own config; none unsets."""
        set_all(self._git, name, values)

    def is_trusted(self, name: str) -> bool:
        """Return whether the setting in force is the user's own, and not from a repository of a
        stranger.

        Where `safe.directory` permits a repository of another user, its settings are that user's.
        """
        return is_trusted(self._git, name)

    def config(self) -> dict[str, str]:
        """Return git's whole config here, the user's global one included, by names in lower
        case."""
        return every(self._git)


class ConfigValue(NamedTuple):
    """A value of git's config: its variable, with section and key in lower case, the value, None if
    nothing is said, its scope as git names it, and the file that it is in."""

    name: str
    value: str | None
    scope: str
    file: str


def read(git: Commands) -> Sequence[ConfigValue]:
    """Return all of git's config in a repository, the user's and the system's included, in the
    order in which git takes it.

    It is read again where one of its files has changed, and each time where it includes others.
    """
    before = _state(git)
    known: tuple[object, Sequence[ConfigValue]] | None = git.memo.get(__name__)
    if known is not None and known[0] == before:
        return known[1]
    result = git.attempt("config", "-z", "--list", "--show-scope", "--show-origin", as_user=True)
    if result.status:
        raise failure("config", result)
    fields = text(result.out).split("\0")
    values = []
    for scope, origin, item in zip(fields[::3], fields[1::3], fields[2::3], strict=False):
        name, equals, value = item.partition("\n")
        file = origin.removeprefix("file:")
        values.append(ConfigValue(name, value if equals else None, scope, file))
    files = {Path(each.file) for each in values if each.scope != "command"}
    included = any(each.name.startswith("include") for each in values)
    if not included and files <= {*_files(git)} and before == _state(git):
        git.memo[__name__] = before, values
    return values


def _files(git: Commands) -> list[Path]:
    """Return the files that git's config is made of, whether they are there or not."""
    own = (git.git_dir / "config", git.git_dir / "config.worktree")
    return [*own, *environment.config_files()]


def _state(git: Commands) -> object:
    """Return what is another value as soon as git's config may be another one."""
    around = environment.of_git(git.git_dir, git.folder)
    # HEAD is no part of it, but what is included may depend on the branch
    return around, [stamp(file) for file in (git.git_dir / "HEAD", *_files(git))]


def stamp(file: Path) -> tuple[int, ...] | None:
    """Return what is another value as soon as a file is another one; None if there is none."""
    try:
        found = file.stat()
    except OSError:
        return None
    return found.st_ino, found.st_size, found.st_mtime_ns, found.st_ctime_ns


def get_all(git: Commands, name: str) -> list[str]:
    """Return all values of `gitbackup.<name>`: the user's global ones, then the repository's
    own."""
    variable = _variable(name).lower()
    return [each.value or "" for each in read(git) if each.name == variable]


def is_trusted(git: Commands, name: str) -> bool:
    """Return whether `gitbackup.<name>` is set by the user, or in a repository of theirs."""
    if ownership.is_own(git.folder, git.git_dir):
        return True
    variable = _variable(name).lower()
    scopes = [each.scope for each in read(git) if each.name == variable]
    return not scopes or scopes[-1] not in ("local", "worktree")


def sourced(git: Commands) -> list[tuple[str, str, str, str]]:
    """Return every `gitbackup.*` in git's config: its name, value, scope and file."""
    return [
        (each.name.partition(".")[2].lower(), each.value or "", each.scope, each.file)
        for each in read(git)
        if each.name.startswith("gitbackup.")
    ]


def set_all(git: Commands, name: str, values: Sequence[str]) -> None:
    """Make `values` the repository's own values of `gitbackup.<name>`; none unsets it.

    Raises UsageError for a value that a config cannot hold, Busy where another holds it.
    """
    write(git, {_variable(name): values})


def remotes(git: Commands) -> list[tuple[str, str]]:
    """Return the names and URLs of git's remotes, of the repository's own config, in its order."""
    config = read(git)
    if any(each.name.startswith("include") for each in config):  # by whoever's settings
        result = git.attempt("config", "-z", "--get-regexp", _REMOTE.pattern)
        pairs = [item.partition("\n")[::2] for item in text(result.out).split("\0")[:-1]]
    else:
        pairs = [(v.name, v.value or "") for v in config if v.scope in ("local", "worktree")]
    return [(found[1], url) for name, url in pairs if (found := _REMOTE.fullmatch(name))]


def local(git: Commands) -> dict[str, str]:
    """Return the repository's own config, the last value of each name in lower case.

    It is read also where git makes nothing of the rest, or of the repository.
    """
    own = str(git.git_dir / "config")
    with suppress(GitbackupError):
        if found := {v.name.lower(): v.value or "" for v in read(git) if v.file == own}:
            return found
    out = git.run("config", "--file", own, "-z", "--list")
    pairs = (item.partition("\n") for item in text(out).split("\0")[:-1])
    return {name.lower(): value for name, _, value in pairs}


def every(git: Commands) -> dict[str, str]:
    """Return git's whole config for the repository, by names in lower case; the last value of each.

    A name without a value is true, as git has it.
    """
    return {v.name.lower(): "true" if v.value is None else v.value for v in read(git)}


def write(git: Commands, wanted: Mapping[str, Sequence[str]]) -> None:
    """Give each variable in the repository's own config exactly those values.

    Git edits the file, and so keeps what a person wrote there, but it never sees a value:
    a URL may hold a password, and a command line is for all to read. It is given marks,
    and the values take their places before the file takes its own.
    """
    marks: dict[str, str] = {}
    with _editing(git) as draft:
        for name, values in wanted.items():
            if not values:
                _unset(git, draft, name)
            for at, value in enumerate(values):
                marks[mark := secrets.token_hex(16)] = _quoted(value)
                how = "--add" if at else "--replace-all"
                git.run("config", "--file", str(draft), how, name, mark)
        data = draft.read_bytes()
        for mark, value in marks.items():
            data = data.replace(mark.encode(), value.encode("utf-8", "surrogateescape"))
        draft.write_bytes(data)


def begin(git: Commands, wanted: Mapping[str, str]) -> None:
    """Write the config of a repository that is not there yet: `git init` adds what is its own."""
    lines = []
    for name, value in wanted.items():
        section, *inner, key = name.split(".")
        header = f'[{section} "{inner[0]}"]' if inner else f"[{section}]"
        lines += [*[header] * (header not in lines), f"\t{key} = {_quoted(value)}"]
    (git.git_dir / "config").write_text("\n".join([*lines, ""]))


def _unset(git: Commands, config: Path, name: str) -> None:
    result = git.attempt("config", "--file", str(config), "--unset-all", name)
    if result.status not in (0, 5):  # 5: there was none
        raise failure("config", result)


def _variable(name: str) -> str:
    if not _NAME.fullmatch(name):
        raise UsageError(f"{name!r} is not a setting name: use letters, digits and '-'")
    return f"gitbackup.{name}"


def _quoted(value: str) -> str:
    if "\0" in value:
        raise UsageError("a setting cannot contain a null byte")
    return '"' + "".join(_ESCAPES.get(character, character) for character in value) + '"'


@contextmanager
def _editing(git: Commands) -> Iterator[Path]:
    """Yield a copy of the config, which replaces it if the block succeeds. It is git's own lock
    file."""
    config = git.git_dir / "config"
    draft = config.with_name("config.lock")
    changing = lock.hold(git, "settings.lock", busy="changing the settings of {}")
    with changing as killed, file_errors("change the repository's settings"):
        if killed:
            lock.sweep(git, killed, draft.name)
        try:
            flags = os.O_CREAT | os.O_EXCL | os.O_WRONLY | getattr(os, "O_BINARY", 0)
            handle = os.open(draft, flags, 0o600)
        except FileExistsError as error:
            sentence = f"another git process is changing {config}; if not, remove {draft}"
            raise Busy(sentence) from error
        try:
            with os.fdopen(handle, "wb") as file:
                file.write(config.read_bytes())
            yield draft
            draft.replace(config)
        finally:
            draft.unlink(missing_ok=True)
