"""`push`, `pull` and `clone`: the history goes elsewhere, and comes back."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from gitbackup import snapshot
from gitbackup.errors import UsageError
from gitbackup.ops.sides import CommitSide
from gitbackup.store.repository import Repository

ON_COMMIT = "on-commit"


@dataclass(frozen=True, slots=True)
class PushResult:
    """What `push` did. `remote` is git's name of the place; `commits` are those that it did not
    have. `first` tells whether nothing had been pushed there before; `head` is HEAD."""

    remote: str
    place: str
    head: str
    commits: int
    first: bool
    warnings: Sequence[str] = ()


@dataclass(frozen=True, slots=True)
class PullResult:
    """What `pull` did: HEAD before and since, and how many commits it went forward."""

    remote: str
    place: str
    before: str | None
    head: str
    commits: int
    warnings: Sequence[str] = ()


@dataclass(frozen=True, slots=True)
class CloneResult:
    """What `clone` made: the repository's folder, its HEAD, and how many commits it has."""

    path: Path
    place: str
    head: str
    commits: int
    warnings: Sequence[str] = ()


def push(repository: Repository, target: str | None) -> PushResult:
    """Pushes all that is committed. Raises UsageError where there is nothing, or nowhere to."""
    remote = repository.remote(target)
    sent = repository.push(remote)
    warnings = list(sent.warnings)
    if sent.first:
        warnings.append(
            f"the first push to {remote.place}: whoever can read that place can read every value"
            " of every commit, secrets included"
        )
    head = repository.resolve("HEAD")
    return PushResult(remote.name, str(remote.place), head, sent.commits, sent.first, warnings)


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
        raise UsageError(f"the setting gitbackup.push is {value!r}, and can only be {ON_COMMIT!r}")
    return value == ON_COMMIT


def pull(repository: Repository, target: str | None) -> PullResult:
    """Fetches and goes forward. Raises Busy where another run holds the repository."""
    remote = repository.remote(target)
    with repository.lock():
        got = repository.pull(remote)
    place = str(remote.place)
    return PullResult(remote.name, place, got.before, got.head, got.commits, got.warnings)


def clone(source: str, path: Path, bare: bool) -> CloneResult:
    """Makes a data repository of another, with the scope that its HEAD was taken in."""
    with Repository.clone(source, path, bare) as repository:
        head = repository.resolve("HEAD")
        side = CommitSide(repository, head)
        scope = snapshot.read_manifest(side.read(snapshot.MANIFEST))
        repository.set_all("include", scope.include)
        repository.set_all("exclude", scope.exclude)
        commits = sum(1 for _ in repository.log())
        remote = repository.remote("origin")
        warnings = []
        if repository.detached_there(remote) == head:
            warnings.append(
                f"HEAD of {remote.place} is detached, on no branch there; here it is on the branch"
                f" {repository.branch()}"
            )
        return CloneResult(path, str(remote.place), head, commits, warnings)
