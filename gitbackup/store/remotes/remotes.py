"""The places that a data repository is pushed to: git's remotes, kept in its config as git does.

A bundle is a remote too, whose URL is its path, so plain `git fetch` knows it. What was pushed
last is in the remote-tracking refs, and when, in their logs.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime

from gitbackup.errors import UsageError
from gitbackup.model.commits import Pushed
from gitbackup.store.git import settings
from gitbackup.store.git.command import Commands, text
from gitbackup.store.objects import refs
from gitbackup.store.transports import remote_url, transports
from gitbackup.store.transports.remote_url import BRANCHES, Remote, RemoteUrl

_RECIPIENTS = ".gitbackup-encrypt-to"


def every(git: Commands) -> list[Remote]:
    """Return all remotes, in the order of the config."""
    urls: dict[str, str] = {}
    for name, url in settings.remotes(git):
        urls.setdefault(name, url)
    return [Remote(name, remote_url.at(_whole(git, url))) for name, url in urls.items()]


def _whole(git: Commands, url: str) -> str:
    """Return a path from the repository's folder on, as git takes it."""
    return str(git.folder / url) if remote_url.is_local(url) else url


def choose(git: Commands, word: str | None) -> Remote:
    """Return the remote that a word means; without a word, the one that pushes go to by the
    settings.

    A place that is none yet gets a name, but is not in the config before keep(). Raises
    UsageError where there is no such place.
    """
    known = every(git)
    word = word or next(reversed(settings.get_all(git, "push-to")), None) or _upstream(git)
    if word is None:
        return _only(known)
    for remote in known:
        if word == remote.name:
            return remote
    place = remote_url.at(transports.target(word, git.folder))
    folder = remote_url.at_home(word).resolve()
    for remote in known:
        is_in_it = transports.of(remote.place).is_in(remote.place, folder)
        if is_in_it or remote.place.url == place.url:
            return remote._replace(place=place) if place.user or place.password else remote
    return Remote(_free_name(place, {remote.name for remote in known}), place)


def keep(git: Commands, remote: Remote, to: Sequence[str] = ()) -> None:
    """Make it one of git's remotes, where it is none yet, or where it has got another URL because
    it is encrypted now; `to` are the public keys that somebody named for it."""
    name, place = f"remote.{remote.name}", remote.place
    known = [each.place for each in every(git) if each.name == remote.name]
    changes: dict[str, Sequence[str]] = {}
    if not known:
        changes[f"{name}.fetch"] = [f"+{BRANCHES}*:{remote.tracking}*"]
    if not known or (transports.encrypted(known[0]) == place and known[0] != place):
        changes[f"{name}.url"] = [place.given]
    if to:
        changes[name + _RECIPIENTS] = to
    if changes:
        settings.write(git, changes)


def recipients(git: Commands, remote: Remote) -> list[str]:
    """Return the public keys that somebody named when pushing to a remote."""
    variable = f"remote.{remote.name}{_RECIPIENTS}".lower()
    return [v.value or "" for v in settings.read(git) if v.name.lower() == variable]


def note(git: Commands, remote: Remote, branches: Mapping[str, str]) -> None:
    """Keep what a remote has: branches by name and their ids."""
    before = refs.under(git, remote.tracking)
    lines = [
        f"update {remote.tracking}{name} {ident}\n"
        for name, ident in branches.items()
        if before.get(name) != ident
    ]
    stdin = "".join(lines).encode("utf-8", "surrogateescape")
    git.run("update-ref", "-m", "gitbackup push", "--stdin", stdin=stdin)


def pushed(git: Commands, remote: Remote) -> Pushed:
    """Return what a remote has of HEAD's branch, by what was pushed there and fetched from there.

    Of a detached HEAD, what that of its branches has that is the nearest.
    """
    branch, head = refs.branch(git).removeprefix(BRANCHES), refs.head(git)
    if head and not branch:
        theirs = refs.under(git, remote.tracking)
        branch = min(theirs, key=lambda name: refs.count(git, head, f"^{theirs[name]}"), default="")
    ref = remote.tracking + branch
    commit = refs.read(git, ref) if branch else None
    missing = refs.count_beyond(git, head, [commit] if commit else []) if head else 0
    when = _told_at(git, ref) if commit else None
    return Pushed(remote.name, str(remote.place), commit, missing, when)


def _told_at(git: Commands, ref: str) -> datetime | None:
    result = git.attempt("reflog", "show", "--date=unix", "--max-count=1", "--format=%gd", ref)
    found = re.search(r"@\{([0-9]{1,11})\}", text(result.out))
    return datetime.fromtimestamp(int(found[1]), UTC) if found else None


def _upstream(git: Commands) -> str | None:
    branch = refs.branch(git).removeprefix(BRANCHES)
    result = git.attempt("config", f"branch.{branch}.remote")
    found = text(result.out).strip()
    return None if found in ("", ".") else found


def _only(known: list[Remote]) -> Remote:
    if len(known) == 1:
        return known[0]
    if known:
        names = ", ".join(remote.name for remote in known)
        raise UsageError(
            f"there is more than one remote; name one of them: {names}; "
            f"to choose one for good: gitbackup config set push-to {known[0].name}"
        )
    raise UsageError("no remote yet: name a folder or a git URL, which gitbackup then remembers")


def _free_name(place: RemoteUrl, taken: set[str]) -> str:
    """Return a name for a new remote: `origin` for the first, then its folder's name, or the
    host's."""
    path = place.path
    host = re.split("[/:]", place.url.rpartition("://")[2])[0].rpartition("@")[2]
    slug = re.sub("[^A-Za-z0-9-]+", "-", path.parent.name if path else host).strip("-")
    names = ["origin"] if not taken else [slug or "place"]
    names += [f"{slug or 'place'}-{number}" for number in range(2, len(taken) + 3)]
    return next(name for name in names if name not in taken)
