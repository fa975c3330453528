"""Whose a repository is: another user's is refused, as git refuses it.

A repository's settings name programs to run and servers to log in to. git looks at its owner
where it finds the repository by itself; we name it in GIT_DIR, so that is ours to do. See
`safe.directory` in git-config(1).
"""

from __future__ import annotations

import os
import shlex
from pathlib import Path

from gitbackup import wording
from gitbackup.errors import NoRepository
from gitbackup.store.git.command import Commands, failure, text
from gitbackup.store.git.environment import protected, sudo_user

_NOWHERE = Path(os.devnull)


def is_own(*parts: Path) -> bool:
    """Return whether each of these belongs to the user who runs this; what is not there does.

    A link counts by itself, not by where it leads. For root, run by sudo, so does what belongs
    to the user who ran that.
    """
    return all(_owner(part) in (None, *_users()) for part in parts)


def check(place: Path, *parts: Path) -> None:
    """Raise NoRepository if a part of the repository is another user's.

    `place` is its work tree, or itself where it has none: what `safe.directory` names.
    """
    foreign = next((part for part in parts if not is_own(part)), None)
    if foreign is not None and not _is_permitted(place.resolve()):
        raise NoRepository(
            f"detected dubious ownership in repository at {str(place)!r}: {foreign}"
            f" belongs to user {_owner(foreign)}, and you are {os.geteuid()}, so its"
            " settings were not read, because they could run programs as you. If you"
            " trust it: git config --global --add safe.directory"
            f" {shlex.quote(str(place.resolve()))}"
        )


def expect_named(bare: Path) -> None:
    """Raise NoRepository for a bare repository that nobody named, where the user's or the system's
    `safe.bareRepository` wants that."""
    if _users_values("safe.bareRepository", bare)[-1:] == ["explicit"]:
        raise NoRepository(
            f"cannot use bare repository {str(bare)!r} (safe.bareRepository is 'explicit'): name it"
            f" with {wording.option('--repo', 'repository')}"
        )


def _owner(part: Path) -> int | None:
    try:
        return part.lstat().st_uid
    except (FileNotFoundError, NotADirectoryError):
        return None


def _users() -> tuple[int, ...]:
    """Return the users whose files are ours, by git's own rule."""
    if not hasattr(os, "geteuid"):  # Windows has no such owners
        return (0,)
    user = os.geteuid()
    by_sudo = sudo_user() if user == 0 else None
    return (user,) if by_sudo is None else (user, by_sudo)


def _is_permitted(place: Path) -> bool:
    """Return whether the user's or the system's `safe.directory` has a place; never its own."""
    permitted = False
    for value in _users_values("safe.directory", place):
        permitted = value != "" and (permitted or _names(value, place))  # an empty one resets
    return permitted


def _users_values(name: str, place: Path) -> list[str]:
    """Return the values of a setting that the user's or the system's config gives it, never a
    repository's own."""
    git = Commands(_NOWHERE, Path(place.anchor))
    words = ("config", "--null", "--get-all", name)
    result = git.attempt(*words, environment=protected(), as_user=True)
    if result.status > 1:  # 1: there is none
        raise failure("config", result)
    return text(result.out).split("\0")[:-1]


def _names(value: str, place: Path) -> bool:
    """Return whether a value of `safe.directory` is about a place."""
    if value == "*":
        return True
    try:
        named = Path(value).expanduser()
    except RuntimeError:  # there is no such user
        return False
    if value == ".":
        return place == Path.cwd()
    if not named.is_absolute():
        return False
    if named.name == "*":
        return place.is_relative_to(named.parent.resolve()) and place != named.parent.resolve()
    return place == named.resolve()
