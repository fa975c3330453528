"""The URL of a place that a history can be pushed to, and the remote that git knows it as."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from pathlib import Path
from typing import NamedTuple
from urllib.parse import unquote

from gitbackup.errors import GitbackupError, UsageError
from gitbackup.model.encryption import NO_KEYS, EncryptionKeys
from gitbackup.store.git.command import Result, failure, file_errors
from gitbackup.system import atomic_file

BRANCHES = "refs/heads/"
NOTES = "refs/notes/"
_LOGIN = re.compile(r"([a-z][a-z0-9+.-]*://)([^/@:]*)(?::([^/]*))?@", re.IGNORECASE)
_HOST = re.compile(r"(?:\[[^\]]*\]|[^/:]*)(?::\d+)?(?:/|\Z)")
_HOST_WITH_A_DASH = re.compile(r"[a-z][a-z0-9+.-]*://(?:[^/@]*@)?-", re.IGNORECASE)
_LOGINS = re.compile(r"(?<=://)[^/\s]*@")
_FORBIDDEN = re.compile("transport '.*' not allowed")
_POLICY = " (see git's settings protocol.*.allow, or GIT_ALLOW_PROTOCOL)"


@dataclass(frozen=True, slots=True)
class RemoteUrl:
    """A place that git can talk to.

    `url` is what may be shown: without the password, and for HTTP without the user, who may be
    a token. `given` is with both, as the repository's own config keeps it. `keys` are those of an
    encrypted bundle.
    """

    url: str
    user: str = field(default="", repr=False)
    password: str | None = field(default=None, repr=False)
    given: str = field(default="", repr=False)
    keys: EncryptionKeys = field(default=NO_KEYS, repr=False, compare=False)

    @property
    def path(self) -> Path | None:
        """Where it is on this machine; None if it is elsewhere."""
        if self.url.startswith("file://"):
            _, slash, path = self.url.removeprefix("file://").partition("/")
            return Path(unquote(slash + path))  # git takes any host for this one
        return Path(self.url) if is_local(self.url) else None

    def __str__(self) -> str:
        return self.url


class Remote(NamedTuple):
    """A place, and the name that git knows it by here."""

    name: str
    place: RemoteUrl

    @property
    def tracking(self) -> str:
        """Where the refs are that tell what it holds."""
        return f"refs/remotes/{self.name}/"

    def __str__(self) -> str:
        return f"{self.name} ({self.place})"


def at(url: str) -> RemoteUrl:
    """Return the place that a URL names, as a git config may hold it.

    Raises UsageError, which does not repeat it, if its password cannot be told from the rest.
    """
    if "://" not in url:
        return RemoteUrl(url, given=url)
    login = _LOGIN.match(url)
    start, user, password = login.groups() if login else (url.partition("://")[0] + "://", "", None)
    rest = url[login.end() if login else len(start) :]
    user, password = unquote(user), None if password is None else unquote(password)
    if not _HOST.match(rest) or re.search(r"[\0\r\n]", user + (password or "")):
        raise UsageError("the URL has no host and port; in a password, write / as %2F and @ as %40")
    if user and not start.lower().startswith("http"):
        return RemoteUrl(f"{start}{user}@{rest}", given=url)  # ssh asks for passwords itself
    return RemoteUrl(start + rest, user, password, url)


def check_word(word: str) -> None:
    """Raise UsageError for a word that git would take for an option."""
    if word.startswith("-"):
        raise UsageError(
            f"{hidden(word)!r} begins with a dash, so it is not a place to push to or"
            " pull from; for a file or folder of that name, write ./ before it"
        )
    if _HOST_WITH_A_DASH.match(word):
        raise UsageError(f"the host in {hidden(word)!r} begins with a dash; no host does")


def is_local(url: str) -> bool:
    """Return whether it is a path, by git's rule: `host:path` is none, `./host:path` is one."""
    return "://" not in url and ":" not in url.partition("/")[0]


def hidden(text: str) -> str:
    """Return a text without the users and passwords of the URLs in it."""
    return _LOGINS.sub("", text)


def at_home(word: str) -> Path:
    """Return a path that a person wrote, `~` in its beginning resolved where it is known whose."""
    try:
        return Path(word).expanduser()
    except RuntimeError:
        return Path(word)


def unreachable(place: RemoteUrl, doing: str, result: Result) -> GitbackupError:
    """Return the error to raise where git could do nothing at a place, in its words."""
    said = hidden(str(failure(doing, result)))
    policy = _POLICY if _FORBIDDEN.search(result.error) else ""
    return GitbackupError(f"cannot use {place}: {said}{policy}")


def followed(folder: Path) -> Path:
    """Return where a folder is that something is to be written to: by nobody else's link."""
    with file_errors("push there"):
        return atomic_file.followed(folder)
