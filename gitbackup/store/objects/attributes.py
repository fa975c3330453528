"""The attributes that git gives to our files: none may make it keep other bytes than a snapshot's.

A commit of ours goes past what filters and encodings would do to a file that is added, and the
work tree would hold something else. See gitattributes(5).
"""

from __future__ import annotations

import os
import re
import tempfile
from collections.abc import Iterable, Iterator, Mapping, Set
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import NamedTuple

from gitbackup.errors import Damaged, GitbackupError
from gitbackup.store.git import index_file, settings
from gitbackup.store.git.command import Commands, failure, text
from gitbackup.store.git.environment import users_file
from gitbackup.store.objects import refs, trees

OURS = re.compile(r"gitbackup\.json|(?:db[0-9]+|functions|search)/.*", re.DOTALL)
"""Files of ours, and what else is in our folders."""

_ASKED = ("filter", "working-tree-encoding", "ident", "eol", "text")
_NAME = b".gitattributes"
_NONE = ("unspecified", "unset")
_FILE = "core.attributesfile"


def check(git: Commands, paths: Iterable[str]) -> None:
    """Raise GitbackupError that names the attribute by which one of our files is kept otherwise.

    The user's own attributes are ours as well where they name a filter, as one that encrypts
    does; what else they say is not followed. Paths that were checked before are not checked again
    as long as all files that could give them attributes are as they were.
    """
    ours = [path for path in paths if OURS.fullmatch(path)]
    if not ours:
        return
    users = _users_file(git)
    now = _Checked(_around(git, users), _in_folders(git, ours), set())
    known = git.memo.get(__name__)
    if known is not None and known.holds(now):
        ours = [path for path in ours if path not in known.paths]
        now = _Checked(now.around, known.folders | now.folders, known.paths)
    if not ours:
        return
    with _where_they_stand(git) as where:
        harmful = _told(git, ours, users, where)
        if harmful and not harmful[0][1].startswith("filter"):
            harmful = _told(git, ours, None, where)
    if harmful:
        path, told = harmful[0]
        raise GitbackupError(
            f"{_named(git, told, users)} gives {path} the attribute {told}, with which"
            " git would change the bytes of the snapshot, so nothing was written:"
            " remove the attribute; to encrypt a history, encrypt the place that it"
            " is pushed to"
        )
    git.memo[__name__] = now._replace(paths=now.paths | {*ours})


class _Checked(NamedTuple):
    """Paths that were checked, and what the files were then that could give them attributes:
    those in their `folders`, and those `around`."""

    around: object
    folders: Mapping[str, object]
    paths: Set[str]

    def holds(self, now: _Checked) -> bool:
        """Return whether the files are the same now."""
        shared = self.folders.keys() & now.folders.keys()
        alike = all(self.folders[folder] == now.folders[folder] for folder in shared)
        return alike and self.around == now.around


def _around(git: Commands, users: Path) -> object:
    """Return what is another value as soon as attributes outside of a work tree may be others."""
    staged = index_file.read(git.git_dir / "index")
    return (
        settings.stamp(git.git_dir / "info" / "attributes"),
        (users, settings.stamp(users)),
        # of no use where only git can tell what is in the index
        object() if staged is None else [each for each in staged if each.path.endswith(_NAME)],
        refs.head(git) if git.bare else None,
    )


def _in_folders(git: Commands, paths: Iterable[str]) -> dict[str, object]:
    """Return the same of the files in each folder that a path is in."""
    folders = {""}
    for path in paths:
        while (path := path.rpartition("/")[0]) and path not in folders:
            folders.add(path)
    return {each: settings.stamp(git.folder / each / ".gitattributes") for each in folders}


@contextmanager
def _where_they_stand(git: Commands) -> Iterator[dict[str, str]]:
    """Yield the environment in which git finds HEAD's attributes if there is no work tree.

    They are in an index then, for an older git knows no other way. Empty where they are not.
    """
    names: Iterable[str] = ()
    with suppress(Damaged):  # nothing of HEAD is kept then
        names = trees.listing(git, "HEAD") if git.bare and refs.head(git) else ()
    if not any(name.rpartition("/")[2] == ".gitattributes" for name in names):
        yield {}
        return
    with tempfile.TemporaryDirectory(prefix="index-", dir=git.git_dir / "gitbackup") as folder:
        where = {"GIT_INDEX_FILE": f"{folder}/index"}
        git.run("read-tree", "HEAD", environment=where)
        yield where


def _told(
    git: Commands, paths: list[str], users: Path | None, where: Mapping[str, str]
) -> list[tuple[str, str]]:
    """Return each path that has an attribute which matters, and the attribute; with the user's own
    file, or without.

    A filter comes first.
    """
    result = git.attempt(
        *("-c", f"{_FILE}={users or os.devnull}"),
        *("check-attr", *(["--cached"] if where else []), "--stdin", "-z", *_ASKED),
        environment={"GIT_ATTR_NOSYSTEM": str(users is None).lower(), **where},
        stdin="".join(f"{path}\0" for path in paths).encode("utf-8", "surrogateescape"),
    )
    if result.status:
        raise failure("check-attr", result)
    fields = text(result.out).split("\0")[:-1]
    values: dict[str, dict[str, str]] = {}
    for path, name, value in zip(fields[::3], fields[1::3], fields[2::3], strict=True):
        values.setdefault(path, {})[name] = value
    found = [(path, told) for path, given in values.items() if (told := _harmful(given))]
    return sorted(found, key=lambda one: not one[1].startswith("filter"))


def _harmful(found: dict[str, str]) -> str:
    """Return the first attribute that changes bytes, as one writes it; empty if none does.

    `text` by itself changes none: there is no carriage return in a snapshot's files.
    """
    if found["filter"] not in (*_NONE, "set"):
        return f"filter={found['filter']}"
    encoding = found["working-tree-encoding"]
    if encoding not in _NONE and encoding.upper() not in ("UTF-8", "UTF8"):
        return f"working-tree-encoding={encoding}"
    if found["ident"] == "set":
        return "ident"
    return "eol=crlf" if found["eol"] == "crlf" and found["text"] != "unset" else ""


def _users_file(git: Commands) -> Path:
    """Return the user's own attributes; where there are none, a file that is not there."""
    named = (value for value in settings.read(git) if value.name == _FILE)
    if all(value.scope == "command" for value in named):  # what every command of ours is given
        return users_file("attributes")
    result = git.attempt("config", "-z", "--type=path", "--get-all", _FILE, as_user=True)
    told = text(result.out).split("\0")[:-2]  # the last is ours
    return Path(told[-1]) if told else users_file("attributes")


def _named(git: Commands, told: str, users: Path) -> str:
    """Return the file that gives an attribute, as far as it can be told by looking for its name."""
    name = told.partition("=")[0]
    for file in (git.git_dir / "info" / "attributes", git.folder / ".gitattributes", users):
        if file.is_file() and name in file.read_text("utf-8", "replace"):
            return str(file)
    return "a .gitattributes"
