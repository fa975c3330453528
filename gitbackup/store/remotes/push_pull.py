"""Pushing to a remote, and pulling from it. Nothing is ever forced, on either side."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from contextlib import suppress
from typing import NamedTuple

from gitbackup.errors import Busy, Damaged, GitbackupError, UsageError
from gitbackup.store.git import identity, lock
from gitbackup.store.git.command import Commands, failure, text
from gitbackup.store.objects import refs, tree_size
from gitbackup.store.remotes import bundles, network, remote_url, remotes, settings_ref, size_limits
from gitbackup.store.remotes.remotes import BRANCHES, Remote

NOTES = "refs/notes/"
_LOOSE = "refs/gitbackup/heads/"
"""Where the HEAD of a remote is kept that is on none of its branches."""

_PUSHED = (
    *(f"{BRANCHES}*:{BRANCHES}*", "refs/tags/*:refs/tags/*", f"{NOTES}*:{NOTES}*"),
    f"{settings_ref.FETCHED}:{settings_ref.FETCHED}",
)
_BESIDE = (NOTES, settings_ref.REF)
"""What is pushed beside the history: where that cannot be, it is worth a word."""
_BEHIND = re.compile(r"fetch first|non-fast-forward|stale info|already exists")


class PushOutcome(NamedTuple):
    """What a push did: how many commits the place did not have; sentences that warn."""

    commits: int
    first: bool
    warnings: list[str]


class PullOutcome(NamedTuple):
    """What a pull did: HEAD before and since, how many commits it went forward."""

    before: str | None
    head: str
    commits: int
    warnings: list[str]


def push(git: Commands, remote: Remote, wait: float = lock.WAIT) -> PushOutcome:
    """Pushes all branches, tags and notes; the remote is in git's config from then on.

    Raises Busy where another push runs for `wait` seconds, UsageError where there is nothing to
    push, and GitbackupError that says what to do where the remote has what is not here.
    """
    with lock.hold(git, "pushing.lock", wait, "pushing from {} already") as killed:
        if killed:
            lock.sweep(git, killed, "refs/**/*.lock")
        if refs.head(git) is None:
            raise UsageError(f"there is no commit in {git.folder} yet: nothing was pushed")
        _expect_branch(git)
        had = remotes.known_refs(git, remote.tracking)
        warnings: list[str] = []
        if remote.place.is_bundle:
            branches = _push_bundle(git, remote)
        else:
            branches, warnings = _push_refs(git, remote)
        remotes.keep(git, remote)
        remotes.note(git, remote, branches)
        known = [f"^{ident}" for ident in had.values()]
        commits = remotes.count(git, *branches.values(), *known) if branches else 0
        return PushOutcome(commits, not had, warnings)


def _expect_branch(git: Commands) -> None:
    """Raises UsageError where HEAD's commits are on no branch, for a clone would lack them."""
    if not refs.branch(git) and (loose := remotes.count(git, "HEAD", "--not", "--branches")):
        raise UsageError(
            f"HEAD is detached, and commits of it are on no branch: {loose}. Nothing was pushed,"
            f" for a clone would lack them; git -C {git.folder} switch -c NAME gives them a branch"
        )


def _push_bundle(git: Commands, remote: Remote) -> dict[str, str]:
    """Writes the bundle, unless the one that is there holds the same; its branches."""
    place, path = remote.place, remote.place.path
    if path is None:
        raise ValueError(place)
    if text(git.run("rev-parse", "--is-shallow-repository")).strip() == "true":
        raise GitbackupError(
            f"{git.folder} is a shallow clone, which lacks the older commits: no bundle can be"
            " made of it; `git fetch --unshallow` gets them"
        )
    _check_bundle(git, remote)
    if network.heads(git, place) == _ours(git) and remote_url.is_whole(path):
        return remotes.known_refs(git, BRANCHES)
    with bundles.written(git, path) as (draft, held):
        _check_bundle(git, remote)  # it may have come meanwhile
        bundles.put(draft, path)
    return {r.removeprefix(BRANCHES): i for r, i in held.items() if r.startswith(BRANCHES)}


def _ours(git: Commands) -> dict[str, str]:
    """The refs that a bundle of ours has."""
    head = refs.head(git)
    found = remotes.known_refs(git, "refs/")
    travelling = ("heads/", "tags/", "notes/", settings_ref.REF.removeprefix("refs/"))
    kept = {f"refs/{name}": ident for name, ident in found.items() if name.startswith(travelling)}
    return kept | ({"HEAD": head} if head else {})


def _check_bundle(git: Commands, remote: Remote) -> None:
    if lost := bundles.missing(git, remote.place):
        called = {settings_ref.REF: "settings"}
        names = [called.get(r, r.removeprefix(BRANCHES)) for r in lost if r != "HEAD"]
        if not names:
            raise GitbackupError(
                f"{remote} holds commits that are not here, of a detached HEAD, on no branch"
                f" there, so it was left as it is: `gitbackup pull` gets them, and then git -C"
                f" {git.folder} branch NAME {lost['HEAD'][:7]} gives them a branch"
            )
        raise GitbackupError(
            f"{remote} holds commits that are not here ({', '.join(names)}), pushed from elsewhere,"
            " so it was left as it is: `gitbackup pull` gets them. If it is of another database,"
            " push to a file of another name in that folder"
        )


def _push_refs(git: Commands, remote: Remote) -> tuple[dict[str, str], list[str]]:
    """Pushes to a git repository; the branches that it has now, and what to warn of."""
    branches = remotes.known_refs(git, BRANCHES)
    result = network.push(git, remote.place, list(_PUSHED))
    refused = {ref: why for flag, ref, why in _told(result.out) if flag == "!"}
    held = {name: i for name, i in branches.items() if BRANCHES + name not in refused}
    beside = [ref for ref in refused if ref.startswith(_BESIDE)]
    if len(refused) > len(beside):
        remotes.note(git, remote, held)
        raise GitbackupError(_why(remote, refused))
    if result.status and not refused:
        raise network.unreachable(remote.place, "push", result)
    warnings = [_why_beside(remote, ref, refused[ref]) for ref in beside]
    return held, warnings


def _told(out: bytes) -> list[tuple[str, str, str]]:
    """What `push --porcelain` says of each ref: a flag, its name there, and why."""
    lines = (line.split("\t") for line in text(out).splitlines())
    return [(flag, ref.partition(":")[2], why) for flag, ref, why in (x for x in lines if x[2:])]


def _why_beside(remote: Remote, ref: str, why: str) -> str:
    what = "notes" if ref.startswith(NOTES) else "settings"
    if _BEHIND.search(why):
        return f"{remote} has {what} that are not here ({ref}): pull, then push"
    return f"{remote} does not take the {what} ({ref}): {why}"


def _why(remote: Remote, refused: Mapping[str, str]) -> str:
    behind = [
        ref for ref, why in refused.items() if _BEHIND.search(why) and not ref.startswith(_BESIDE)
    ]
    if behind:
        named = ", ".join(ref.removeprefix(BRANCHES) for ref in behind)
        return (
            f"{remote} holds commits that are not here ({named}), pushed from elsewhere, so these"
            " were left as they are: `gitbackup pull` gets them"
        )
    named = "; ".join(f"{ref.removeprefix(BRANCHES)}: {why}" for ref, why in refused.items())
    return f"{remote} does not take all: {named}"


def pull(git: Commands, remote: Remote, advance: Callable[[str, str | None], None]) -> PullOutcome:
    """Fetches all, and moves HEAD's branch forward by `advance`; under the repository's lock.

    Other branches and tags that are not here come too. Raises GitbackupError, which says how
    to join them, where both sides have commits that the other has not.
    """
    branch = refs.branch(git).removeprefix(BRANCHES)
    if not branch:
        raise UsageError("HEAD is detached: git switch to the branch that is to be moved forward")
    get(git, remote)
    theirs = remotes.known_refs(git, remote.tracking)
    if branch not in theirs:
        raise UsageError(f"{remote} has no branch {branch}; it has {', '.join(theirs) or 'none'}")
    warnings = _told_detached(git, remote)
    warnings += follow(git, remote, {n: i for n, i in theirs.items() if n not in (branch, "HEAD")})
    before, wanted = refs.head(git), theirs[branch]
    if before and _holds(git, wanted, before):
        return PullOutcome(before, before, 0, warnings)
    if before and not _holds(git, before, wanted):
        raise GitbackupError(_diverged(git, remote, branch, before, wanted))
    size_limits.check(git, wanted, before)
    advance(wanted, before)
    commits = remotes.count(git, wanted, *([f"^{before}"] if before else []))
    return PullOutcome(before, wanted, commits, warnings)


def get(git: Commands, remote: Remote) -> None:
    """Fetches all branches as the remote's, tags, and notes aside.

    Raises UsageError for a bundle that is not there, else as network.fetch does.
    """
    if remote.place.is_bundle and not network.heads(git, remote.place):
        raise UsageError(f"there is no bundle {remote.place}")
    branches = f"+{BRANCHES}*:{remote.tracking}*"
    notes = f"+{NOTES}*:{_aside(remote)}*"
    settings_ref.forget(git, remote)
    settings = settings_ref.fetched(remote)
    network.fetch(git, remote.place, [branches, "refs/tags/*:refs/tags/*", notes, settings])


def get_detached(git: Commands, remote: Remote) -> str | None:
    """Fetches what a remote's HEAD is at where no branch of it has that; None where one has.

    It is kept, until this is asked again.
    """
    theirs = set(remotes.known_refs(git, remote.tracking).values())
    head = network.heads(git, remote.place).get("HEAD")
    if head is None or head in theirs:
        return None
    network.fetch(git, remote.place, [f"+HEAD:{_LOOSE}{remote.name}"])
    return head if remotes.count(git, head, "--not", *theirs) else None


def detached_there(git: Commands, remote: Remote) -> str | None:
    """The commit that was fetched last of a remote's HEAD because no branch of it had it."""
    return refs.read(git, _LOOSE + remote.name)


def _told_detached(git: Commands, remote: Remote) -> list[str]:
    """What to warn of where a bundle has commits on no branch, which are on none here either."""
    commit = get_detached(git, remote) if remote.place.is_bundle else None
    count = remotes.count(git, commit, "--not", "HEAD", "--branches") if commit else 0
    if not commit or not count:
        return []
    return [
        f"{remote} has commits of a detached HEAD, on no branch: {count}; they are here, and git"
        f" -C {git.folder} branch NAME {commit[:7]} gives them a branch"
    ]


def follow(git: Commands, remote: Remote, theirs: Mapping[str, str]) -> list[str]:
    """Makes or moves forward the other branches and the notes; what could not be is told."""
    told = []
    for name, ident in theirs.items():
        if not refs.is_commit(git, ident):
            told.append(f"branch {name} of {remote} is at no commit; it is left out")
        elif why := _beyond_measure(git, ident):
            told.append(f"branch {name} of {remote} is left out: {why}")
        elif not _forward(git, BRANCHES + name, ident):
            told.append(f"branch {name} of {remote} and the one here have parted; it is left alone")
    for name, ident in remotes.known_refs(git, _aside(remote)).items():
        if not refs.is_commit(git, ident):
            told.append(f"the notes {name} of {remote} are at no commit; they are left out")
        elif why := tree_size.beyond(git, tree_size.of_commits(git, [ident])):
            told.append(f"the notes {name} of {remote} are left out: they have trees of {why}")
        elif not _forward(git, NOTES + name, ident):
            words = ("notes", f"--ref={NOTES}{name}", "merge", "-q", "-s", "cat_sort_uniq", ident)
            result = git.attempt(*words, environment=identity.environment(git))
            told += [str(failure("notes", result))] if result.status else []
    return told


def _beyond_measure(git: Commands, ident: str) -> str:
    """Why a branch's commits are too large to be taken over; empty where they are not."""
    try:
        size_limits.check(git, ident, refs.head(git))
    except Damaged as error:
        return str(error)
    return ""


def _forward(git: Commands, ref: str, ident: str) -> bool:
    """Makes a ref, or moves it forward; false where it has parted."""
    old = refs.read(git, ref)
    if old and _holds(git, ident, old):
        return True
    if old and not _holds(git, old, ident):
        return False
    with suppress(Busy):
        refs.move(git, ref, ident, old)
    return True


def _holds(git: Commands, older: str, newer: str) -> bool:
    """Whether one commit is the other, or comes before it."""
    return git.attempt("merge-base", "--is-ancestor", older, newer).status == 0


def _diverged(git: Commands, remote: Remote, branch: str, ours: str, theirs: str) -> str:
    there = f"{remote.name}/{branch}"
    if git.attempt("merge-base", ours, theirs).status:
        return (
            f"{remote} is the history of another database: it has no commit in common with this"
            f" one, so nothing was changed; it is here as {there} to be looked at"
        )
    return (
        f"commits of {branch} that {remote} has not: {remotes.count(git, ours, f'^{theirs}')};"
        f" that it has, and this repository has not: {remotes.count(git, theirs, f'^{ours}')}."
        f" Nothing was changed; look at them with `gitbackup log {there}`. To keep both histories"
        f" and go on from what is here: git -C {git.folder} merge -s ours {there}"
    )


def _aside(remote: Remote) -> str:
    return f"refs/gitbackup/notes/{remote.name}/"
