"""`push`, `pull` and `clone`: copy the history to another place and back."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from gitbackup import wording
from gitbackup.errors import Damaged, GitbackupError, UsageError
from gitbackup.model.encryption import NO_KEYS, EncryptionKeys
from gitbackup.remotes import shared_settings
from gitbackup.remotes.shared_settings import ArrivedSettings
from gitbackup.snapshot import file_format
from gitbackup.snapshot.sources import CommitSource
from gitbackup.store.metadata import settings_ref
from gitbackup.store.repository.repository import Repository
from gitbackup.store.transports import transports
from gitbackup.store.transports.remote_url import BRANCHES, NOTES, Remote, RemoteUrl, at_home

_UNREADABLE = re.compile(
    "[Uu]nable to read|[Cc]ould not read|bad object|missing|corrupt|pack-objects died"
    "|unpack(er)? (error|failed)"
)
"""What git says, here or at the remote, if an object cannot be read; the disk there may be full."""

_KINDS = {
    BRANCHES: "branches",
    "refs/tags/": "tags",
    NOTES: "notes",
    settings_ref.REF: "settings",
}
"""What a ref that was pushed is one of, by how its name begins."""

_UNREAD = re.compile(r"\b(?:unpack|object) ([0-9a-f]{40})\b")


@dataclass(frozen=True, slots=True)
class PushResult:
    """What `push` did.

    `remote` is git's name of the place; `commits` is how many it did not have. `first` tells
    whether this was the first push to it, `settings` whether the settings that travel have
    changed since the last push. `head` is HEAD. `encrypted_to` are the public keys that the bundle
    is encrypted to, none if it is in plain. `also` says what else was new there: `branches`,
    `tags`, `notes`, `settings`.
    """

    remote: str
    place: str
    head: str
    commits: int
    first: bool
    warnings: Sequence[str] = ()
    settings: bool = False
    encrypted_to: Sequence[str] = ()
    also: Sequence[str] = ()


@dataclass(frozen=True, slots=True)
class PullResult:
    """What `pull` did: HEAD before and after, by how many commits it moved forward, and which
    settings `came` along."""

    remote: str
    place: str
    before: str | None
    head: str
    commits: int
    warnings: Sequence[str] = ()
    came: ArrivedSettings = ArrivedSettings()  # noqa: RUF009  frozen


@dataclass(frozen=True, slots=True)
class CloneResult:
    """What `clone` made: the repository's folder, its HEAD, how many commits it has, and which
    settings `came` along."""

    path: Path
    place: str
    head: str
    commits: int
    warnings: Sequence[str] = ()
    came: ArrivedSettings = ArrivedSettings()  # noqa: RUF009  frozen


def push(repository: Repository, target: str | None, keys: EncryptionKeys = NO_KEYS) -> PushResult:
    """Push everything that is committed.

    Raises UsageError if there is no commit, or no remote, and Damaged, which says what to do, if
    the history here is not complete. A bundle is encrypted if `keys` or a setting names public
    keys, and for good once there is an encrypted one.
    """
    remote = _encrypted(repository, repository.remote(target), keys)
    changed = shared_settings.record(repository)
    try:
        sent = repository.push(remote)
    except GitbackupError as error:
        raise _explained(repository, error) from error
    warnings = list(sent.warnings)
    if sent.first:
        warnings.append(_first(remote, sent.encrypted_to))
    head = repository.resolve("HEAD")
    counts = sent.commits, sent.first
    place = str(remote.place)
    also = [
        what for begin, what in _KINDS.items() if any(ref.startswith(begin) for ref in sent.changed)
    ]
    return PushResult(
        remote.name, place, head, *counts, warnings, changed, tuple(sent.encrypted_to), also
    )


def _encrypted(repository: Repository, remote: Remote, keys: EncryptionKeys) -> Remote:
    """Return the remote to push to, encrypted if that was asked for, now or before."""
    named = bool(keys.recipients or keys.by_passphrase)
    place = transports.encrypted(remote.place)
    if place is None:
        if named:
            raise UsageError(
                f"{remote} is a git repository; only a bundle, in a folder that is none, can be"
                " encrypted"
            )
        return remote
    if not named:
        settings = repository.get_all("encrypt-to")
        found = tuple(settings or repository.recipients(remote))
        keys = replace(keys, recipients=found)
    keys = _with_identities(repository, replace(keys, named=named))
    wanted = named or keys.recipients or _exists(place)
    return remote._replace(place=replace(place if wanted else remote.place, keys=keys))


def _to_read(repository: Repository, remote: Remote, keys: EncryptionKeys) -> Remote:
    """Return the remote to pull from: the encrypted bundle if it has replaced the plain one."""
    place = transports.encrypted(remote.place)
    is_plain_gone = place is not None and _exists(place) and not _exists(remote.place)
    chosen = place if place and is_plain_gone else remote.place
    return remote._replace(place=replace(chosen, keys=_with_identities(repository, keys)))


def _with_identities(repository: Repository, keys: EncryptionKeys) -> EncryptionKeys:
    """Return the keys, with the private ones of the settings unless some were named."""
    if keys.identities or keys.by_passphrase:
        return keys
    known = [at_home(word) for word in repository.get_all("identity")]
    return replace(keys, identities=tuple(repository.path / path for path in known))


def _exists(place: RemoteUrl) -> bool:
    return place.path is not None and place.path.exists()


def _first(remote: Remote, encrypted_to: Sequence[str]) -> str:
    """Return what to say when something is pushed to a place for the first time."""
    if encrypted_to:
        return (
            f"first push to {remote.place}: nobody can open it without the private key, or the"
            " passphrase and the .key.age file beside it, so keep these also outside this machine"
        )
    warning = (
        f"first push to {remote.place}: whoever can read that place can read every"
        " value of every commit, secrets included"
    )
    if transports.encrypted(remote.place) is None:
        return warning
    word, key = wording.option("--passphrase"), wording.option("--encrypt-to KEY", "recipients")
    return f"{warning}; to encrypt it, push with {word} or {key}"


def _explained(repository: Repository, error: GitbackupError) -> GitbackupError:
    """Return the error of a push, or one that names the object here that cannot be read."""
    problems = repository.problems() if _UNREADABLE.search(str(error)) else []
    if not problems:
        return error
    return Damaged(
        f"nothing was pushed, because {repository.path} is damaged: {_worst(problems)};"
        f" {wording.command('verify --all', 'verify(None)')} names the commits that need it, and"
        f" `git -C {repository.path} fetch --refetch COPY` fetches it from another copy"
    )


def _worst(problems: Sequence[str]) -> str:
    """Return which object is missing, or cannot be read, of what git finds wrong."""
    for problem in problems:
        if problem.startswith("missing "):
            return problem
    unread = next(filter(None, map(_UNREAD.search, problems)), None)
    return f"object {unread[1]} cannot be read" if unread else f"git says {problems[0]!r}"


def pull(repository: Repository, target: str | None, keys: EncryptionKeys = NO_KEYS) -> PullResult:
    """Fetch, and move HEAD forward. Raises Busy if another run holds the repository."""
    remote = _to_read(repository, repository.remote(target), keys)
    with repository.lock():
        pulled = repository.pull(remote)
        came = shared_settings.receive(repository, remote)
    return PullResult(
        remote.name,
        str(remote.place),
        pulled.before,
        pulled.head,
        pulled.commits,
        [*pulled.warnings, *came.skipped],
        came,
    )


def clone(source: str, path: Path, bare: bool, keys: EncryptionKeys = NO_KEYS) -> CloneResult:
    """Copy a data repository, with the settings that travel; if it has none, with the scope of its
    HEAD."""
    with Repository.clone(source, path, bare, keys) as (repository, warnings):
        head = repository.resolve("HEAD")
        side = CommitSource(repository, head)
        scope = file_format.read_manifest(side.read(file_format.MANIFEST))
        remote = repository.remote("origin")
        if repository.has_news(remote):
            came = shared_settings.receive(repository, remote)
        else:
            came = shared_settings.take_scope(repository, scope)
        commits = sum(1 for _ in repository.log())
        warnings += came.skipped
        if repository.detached_there(remote) == head:
            warnings.append(
                f"HEAD of {remote.place} is detached; here it is on the branch"
                f" {repository.branch()}"
            )
        return CloneResult(path, str(remote.place), head, commits, warnings, came)
