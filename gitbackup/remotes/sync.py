"""`push`, `pull` and `clone`: the history goes elsewhere, and comes back."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from gitbackup.errors import UsageError
from gitbackup.remotes import shared_settings
from gitbackup.remotes.shared_settings import ArrivedSettings
from gitbackup.settings import ON_COMMIT
from gitbackup.snapshot import file_format
from gitbackup.snapshot.sources import CommitSource
from gitbackup.store.repository.repository import Repository


@dataclass(frozen=True, slots=True)
class PushResult:
    """What `push` did. `remote` is git's name of the place; `commits` are those that it did not
    have. `first` tells whether nothing had been pushed there before; `head` is HEAD; `settings`
    whether those that travel are others than those that were pushed last."""

    remote: str
    place: str
    head: str
    commits: int
    first: bool
    warnings: Sequence[str] = ()
    settings: bool = False


@dataclass(frozen=True, slots=True)
class PullResult:
    """What `pull` did: HEAD before and since, and how many commits it went forward."""

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


def push(repository: Repository, target: str | None) -> PushResult:
    """Push all that is committed. Raises UsageError where there is nothing, or nowhere to."""
    remote = repository.remote(target)
    changed = shared_settings.record(repository)
    sent = repository.push(remote)
    warnings = list(sent.warnings)
    if sent.first:
        warnings.append(
            f"first push to {remote.place}: whoever can read that place can read every"
            " value of every commit, secrets included"
        )
    head = repository.resolve("HEAD")
    return PushResult(
        remote.name, str(remote.place), head, sent.commits, sent.first, warnings, changed
    )


def push_on_commit(repository: Repository, made: bool) -> PushResult | None:
    """Pushes, where the setting says so, a commit that was `made`, or what an earlier push has
    left; None where there is nothing to do. Raises as push does."""
    if not is_automatic(repository):
        return None
    remote = repository.remote()
    known = {each.remote: each.missing for each in repository.pushed()}
    return push(repository, None) if made or known.get(remote.name, 1) else None


def is_automatic(repository: Repository) -> bool:
    """Whether a commit is to be pushed at once. Raises UsageError for a setting that is none."""
    value = repository.get("push")
    if value not in (None, "", ON_COMMIT):
        raise UsageError(f"the setting gitbackup.push is {value!r}, but can only be {ON_COMMIT!r}")
    return value == ON_COMMIT


def pull(repository: Repository, target: str | None) -> PullResult:
    """Fetch, and go forward. Raises Busy where another run holds the repository."""
    remote = repository.remote(target)
    with repository.lock():
        got = repository.pull(remote)
        came = shared_settings.receive(repository, remote)
    place, warnings = str(remote.place), [*got.warnings, *came.skipped]
    return PullResult(remote.name, place, got.before, got.head, got.commits, warnings, came)


def clone(source: str, path: Path, bare: bool) -> CloneResult:
    """Make a data repository of another, with the settings that travel, or where there are none
    the scope that its HEAD was taken in."""
    with Repository.clone(source, path, bare) as repository:
        head = repository.resolve("HEAD")
        side = CommitSource(repository, head)
        scope = file_format.read_manifest(side.read(file_format.MANIFEST))
        remote = repository.remote("origin")
        if repository.has_news(remote):
            came = shared_settings.receive(repository, remote)
        else:
            came = shared_settings.take_scope(repository, scope)
        commits = sum(1 for _ in repository.log())
        warnings = [*came.skipped]
        if repository.detached_there(remote) == head:
            warnings.append(
                f"HEAD of {remote.place} is detached; here it is on the branch"
                f" {repository.branch()}"
            )
        return CloneResult(path, str(remote.place), head, commits, warnings, came)
