"""Where a history can be pushed to: a git URL, a git repository in a folder, or a bundle.

A bundle is one file that holds a whole history, which git reads as it reads a remote. It is
what a folder gets that is no git repository: a cloud drive's, a mounted disk's.
"""

from __future__ import annotations

import hashlib
import re
from dataclasses import dataclass, field
from pathlib import Path
from typing import BinaryIO
from urllib.parse import unquote

from gitbackup.atomic_file import followed
from gitbackup.errors import UsageError
from gitbackup.store.git import open_repository
from gitbackup.store.git.command import file_errors

SUFFIX = ".bundle"
_LONGEST_LINE = 1 << 20
_TRAILER = 20  # bytes at the end of a pack: the SHA-1 of those before
_HEADERS = (b"# v2 git bundle\n", b"# v3 git bundle\n")
_LOGIN = re.compile(r"([a-z][a-z0-9+.-]*://)([^/@:]*)(?::([^/]*))?@", re.IGNORECASE)
_HOST = re.compile(r"(?:\[[^\]]*\]|[^/:]*)(?::\d+)?(?:/|\Z)")
_LOGINS = re.compile(r"(?<=://)[^/\s]*@")


@dataclass(frozen=True, slots=True)
class RemoteUrl:
    """A place that git can talk to.

    `url` is what may be shown: without the password, and for HTTP without the user, who may be
    a token. `given` is with both, as the repository's own config keeps it.
    """

    url: str
    user: str = field(default="", repr=False)
    password: str | None = field(default=None, repr=False)
    given: str = field(default="", repr=False)

    @property
    def path(self) -> Path | None:
        """Where it is on this machine; None where it is elsewhere."""
        if self.url.startswith("file://"):
            _, slash, path = self.url.removeprefix("file://").partition("/")
            return Path(unquote(slash + path))  # git takes any host for this one
        return Path(self.url) if is_local(self.url) else None

    @property
    def is_bundle(self) -> bool:
        """Whether it is a bundle, or a file that will be one."""
        path = self.path
        return path is not None and (
            path.is_file() or (path.suffix == SUFFIX and not path.is_dir())
        )

    def __str__(self) -> str:
        return self.url


def at(url: str) -> RemoteUrl:
    """The place that a URL names, as a git config may hold it.

    Raises UsageError, which does not repeat it, where its password cannot be told from the rest.
    """
    if "://" not in url:
        return RemoteUrl(url, given=url)
    login = _LOGIN.match(url)
    start, user, password = login.groups() if login else (url.partition("://")[0] + "://", "", None)
    rest = url[login.end() if login else len(start) :]
    user, password = unquote(user), None if password is None else unquote(password)
    if not _HOST.match(rest) or re.search(r"[\0\r\n]", user + (password or "")):
        raise UsageError("the URL has no host and port; in a password, / is %2F and @ is %40")
    if user and not start.lower().startswith("http"):
        return RemoteUrl(f"{start}{user}@{rest}", given=url)  # ssh asks for passwords itself
    return RemoteUrl(start + rest, user, password, url)


def check(place: RemoteUrl) -> None:
    """Raise UsageError for a place that git would take for an option.

    Raise NoRepository for another user's repository in a folder: its hooks would run as us.
    """
    _check_word(place.url)
    if place.path is not None and place.path.is_dir():
        open_repository.find(place.path)


def _check_word(word: str) -> None:
    if word.startswith("-"):
        raise UsageError(
            f"{hidden(word)!r} begins with a dash, so it is no place to push to or to get from;"
            " for a file or folder of that name, put ./ before it"
        )


def is_local(url: str) -> bool:
    """Whether it is a path, by git's rule: `host:path` is none, `./host:path` is one."""
    return "://" not in url and ":" not in url.partition("/")[0]


def hidden(text: str) -> str:
    """A text without the users and passwords of the URLs in it."""
    return _LOGINS.sub("", text)


def at_home(word: str) -> Path:
    """A path that a person wrote, `~` in its beginning resolved where it is known whose."""
    try:
        return Path(word).expanduser()
    except RuntimeError:
        return Path(word)


def bundle_name(folder: Path) -> str:
    """What the bundle of the data repository in this folder is called."""
    return folder.name.removesuffix(".git") + SUFFIX


def target(word: str, ours: str) -> str:
    """The URL of a place to push to that a person names by folder, bundle or URL.

    `ours` is what our bundle is called. Raises UsageError where there is no such place: a
    folder is never made, for it may be a disk that is not mounted.
    """
    path = _path(word)
    if path.is_dir():
        whole = _followed(path)
        return str(whole if open_repository.find(whole) else whole / ours)
    if path.is_file() or (path.suffix == SUFFIX and path.parent.is_dir()):
        return str(_followed(path.parent) / path.name)
    if is_local(word):
        raise UsageError(_nowhere(word))
    return word


def source(word: str) -> str:
    """The URL of a place to clone from; in a folder it is the one bundle there.

    Raises UsageError where there is no such place.
    """
    path = _path(word)
    if path.is_dir() and open_repository.find(path) is None:
        return str(_only_bundle(path.resolve()))
    if path.exists():
        return str(path.resolve())
    if is_local(word):
        raise UsageError(_nowhere(word))
    return word


def is_bundle_file(path: Path) -> bool:
    """Whether a file begins as git's bundles do: with one of two lines, and some of refs."""
    with path.open("rb") as file:
        return _is_past_head(file)


def _is_past_head(file: BinaryIO) -> bool:
    """Read the lines at the beginning of a bundle, up to an empty one; False where none is one."""
    if file.read(len(_HEADERS[0])) not in _HEADERS:
        return False
    while (line := file.readline(_LONGEST_LINE)) not in (b"\n", b""):
        if not line.endswith(b"\n"):
            return False
    return True


def is_whole(path: Path) -> bool:
    """Whether a bundle holds the bytes that were once written: its pack has the sum it tells."""
    with file_errors("read the bundle"), path.open("rb") as file:
        if not _is_past_head(file):
            return False
        left = path.stat().st_size - file.tell() - _TRAILER
        found = hashlib.sha1(usedforsecurity=False)
        while left > 0 and (piece := file.read(min(left, 1 << 20))):
            found.update(piece)
            left -= len(piece)
        return file.read() == found.digest()


def _local(word: str) -> Path:
    """The path that a word is, or would be. Raises UsageError for one like an option."""
    if word.startswith("-"):
        check(RemoteUrl(word))
    try:
        return Path(word).expanduser()
    except RuntimeError:  # there is no such user
        return Path(word)


def _followed(folder: Path) -> Path:
    """Where a folder is that something is to be written to: by nobody else's link."""
    with file_errors("push there"):
        return followed(folder)


def _path(word: str) -> Path:
    """The path that a word is, or would be. Raises UsageError for one like an option."""
    _check_word(word)
    return at_home(word)


def _only_bundle(folder: Path) -> Path:
    found = sorted(folder.glob("*" + SUFFIX))
    if len(found) == 1:
        return found[0]
    if found:
        names = ", ".join(file.name for file in found)
        raise UsageError(f"{folder} holds more than one bundle; name one of them: {names}")
    raise UsageError(f"{folder} is no git repository, and holds no {SUFFIX} file of one")


def _nowhere(word: str) -> str:
    return (
        f"{hidden(word)!r} is no remote of the data repository, no URL and no folder that is"
        " there; if it is on a disk, is that mounted?"
    )
