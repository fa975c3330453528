"""Pushing to a remote, and pulling from it. Nothing is ever forced, on either side.

What a remote is, and how git talks to it, is its transport's.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from functools import cache, partial
from typing import NamedTuple

from gitbackup.errors import Busy, Damaged, GitbackupError, UsageError
from gitbackup.model.amounts import counted
from gitbackup.store.git import identity, lock
from gitbackup.store.git.command import Commands, failure
from gitbackup.store.metadata import settings_ref, word_notes
from gitbackup.store.objects import refs, tree_size
from gitbackup.store.objects.trees import listing
from gitbackup.store.remotes import remotes, rewritten_history
from gitbackup.store.transports import transports
from gitbackup.store.transports.remote_url import BRANCHES, NOTES, Remote

_LOOSE = "refs/gitbackup/heads/"
"""Where the HEAD of a remote is kept that is on none of its branches."""


class PushOutcome(NamedTuple):
    """What a push did: how many commits the place did not have; sentences that warn; the public
    keys that it is encrypted to; which refs the place has anew."""

    commits: int
    first: bool
    warnings: list[str]
    encrypted_to: Sequence[str] = ()
    changed: Sequence[str] = ()


class PullOutcome(NamedTuple):
    """What a pull did: HEAD before and since, how many commits it went forward."""

    before: str | None
    head: str
    commits: int
    warnings: list[str]


def push(git: Commands, remote: Remote, wait: float = lock.WAIT) -> PushOutcome:
    """Push all branches, tags and notes; the remote is in git's config from then on.

    Raises Busy if another push runs for `wait` seconds, UsageError where there is nothing to
    push, and GitbackupError that says what to do where the remote has what is not here.
    """
    with alone(git, wait):
        if refs.head(git) is None:
            raise UsageError(f"there is no commit in {git.folder}: nothing was pushed")
        _expect_branch(git)
        had = refs.under(git, remote.tracking)
        is_first = not had and not rewritten_history.is_replaced_at(git, remote)
        branches, warnings, refused, to, changed = transports.of(remote.place).push(git, remote)
        if refused:
            remotes.note(git, remote, branches)
            raise GitbackupError(rewritten_history.stale(git, remote) or refused)
        remotes.keep(git, remote, to if remote.place.keys.named else ())
        remotes.note(git, remote, branches)
        known = [f"^{ident}" for ident in had.values()]
        commits = refs.count(git, *branches.values(), *known) if branches else 0
        return PushOutcome(commits, is_first, list(warnings), to, changed)


@contextmanager
def alone(git: Commands, wait: float = lock.WAIT) -> Iterator[bool]:
    """Let no other push run inside the block; gives whether the last one was killed, so that what
    it has sent is not known.

    Raises Busy if another push runs for `wait` seconds.
    """
    with lock.hold(git, "pushing.lock", wait, "already pushing from {}") as killed:
        if killed:
            lock.sweep(git, killed, "refs/**/*.lock")
        yield killed is not None


def _expect_branch(git: Commands) -> None:
    """Raise UsageError if HEAD's commits are on no branch, for a clone would lack them."""
    if refs.branch(git):
        return
    if loose := refs.count_beyond(git, "HEAD", refs.under(git, BRANCHES).values()):
        raise UsageError(
            f"HEAD is detached, with {counted(loose, 'commit')} on no branch. Nothing was pushed,"
            " because a clone would lack them; to create a branch for them:"
            f" git -C {git.folder} switch -c NAME"
        )


def pull(git: Commands, remote: Remote, advance: Callable[[str, str | None], None]) -> PullOutcome:
    """Fetch all, and move HEAD's branch forward by `advance`; under the repository's lock.

    Other branches and tags that are not here come too. Raises GitbackupError, which says how
    to join them, if both sides have commits that the other has not.
    """
    branch = refs.branch(git).removeprefix(BRANCHES)
    if not branch:
        raise UsageError("HEAD is detached: `git switch` to the branch to move forward")
    get(git, remote)
    theirs = refs.under(git, remote.tracking)
    if branch not in theirs:
        raise UsageError(f"{remote} has no branch {branch}; it has {', '.join(theirs) or 'none'}")
    before, wanted = refs.head(git), theirs[branch]
    is_behind = before and refs.holds(git, wanted, before)
    has_parted = before and not is_behind and not refs.holds(git, before, wanted)
    if has_parted and (why := rewritten_history.forgotten_there(git, remote)):
        raise GitbackupError(why)
    warnings = [*_with_another_key(git, remote), *_told_detached(git, remote)]
    warnings += follow(git, remote, {n: i for n, i in theirs.items() if n not in (branch, "HEAD")})
    if before and is_behind:
        return PullOutcome(before, before, 0, warnings)
    if before and has_parted:
        raise GitbackupError(_diverged(git, remote, branch, before, wanted))
    if why := beyond_measure(git, wanted, before):
        raise Damaged(f"nothing was fetched: {why}")
    rewritten_history.expect_forgotten(git, remote, wanted, before)
    advance(wanted, before)
    commits = refs.count(git, wanted, *([f"^{before}"] if before else []))
    return PullOutcome(before, wanted, commits, warnings)


def _with_another_key(git: Commands, remote: Remote) -> Iterator[str]:
    """Encrypt to the key of the bundle that was fetched, from now on, if it is none of those that
    are known: whoever holds only those may not read it any more. Yields a warning then."""
    now = transports.of(remote.place).encrypted_to(git, remote.place)
    known = remotes.recipients(git, remote)
    if now and known and {*now}.isdisjoint(known):
        remotes.keep(git, remote, now)
        yield f"{remote} is encrypted to another key now: later pushes are encrypted to that key"


def get(git: Commands, remote: Remote) -> None:
    """Fetch all branches as the remote's, tags, and notes aside.

    Raises as Transport.expect and Transport.fetch do.
    """
    transport = transports.of(remote.place)
    transport.expect(git, remote.place)
    if why := rewritten_history.stale(git, remote):
        raise GitbackupError(f"{why}. Nothing was fetched")
    before = refs.under(git, "refs/")
    branches = f"+{BRANCHES}*:{remote.tracking}*"
    notes = f"+{NOTES}*:{_aside(remote)}*"
    settings_ref.forget(git, remote.name)
    settings = settings_ref.fetched(remote.name)
    try:
        transport.fetch(git, remote.place, [branches, "refs/tags/*:refs/tags/*", notes, settings])
    except GitbackupError as error:  # a tag has moved, which git refuses after it has got the rest
        why = rewritten_history.forgotten_there(git, remote)
        raise (error.reworded(why) if why else error) from error
    rewritten_history.expect_new(git, remote, before)


def get_detached(git: Commands, remote: Remote) -> str | None:
    """Fetch what a remote's HEAD is at where no branch of it has that; None if one has.

    It is kept, until this is asked again.
    """
    theirs = set(refs.under(git, remote.tracking).values())
    transport = transports.of(remote.place)
    head = transport.heads(git, remote.place).get("HEAD")
    if head is None or head in theirs:
        return None
    transport.fetch(git, remote.place, [f"+HEAD:{_LOOSE}{remote.name}"])
    return head if refs.count_beyond(git, head, theirs) else None


def detached_there(git: Commands, remote: Remote) -> str | None:
    """Return the commit that was fetched last of a remote's HEAD because no branch of it had it."""
    return refs.read(git, _LOOSE + remote.name)


def _told_detached(git: Commands, remote: Remote) -> list[str]:
    """Return a warning if a bundle has commits on no branch that are on no branch here either."""
    if not transports.of(remote.place).fetches_detached:
        return []
    commit = get_detached(git, remote)
    ours = {"HEAD", *refs.under(git, BRANCHES).values()}
    count = refs.count_beyond(git, commit, ours) if commit else 0
    if not commit or not count:
        return []
    return [
        (
            f"{remote} has {counted(count, 'commit')} of a detached HEAD, on no branch; to create"
            f" a branch for them here: git -C {git.folder} branch NAME {commit[:7]}"
        )
    ]


def follow(git: Commands, remote: Remote, theirs: Mapping[str, str]) -> list[str]:
    """Make or move forward the other branches and the notes; return why some could not be."""
    told = []
    ours, here = refs.under(git, BRANCHES), refs.head(git)
    wrong = cache(partial(_unfit, git, here))  # many branches may be at one commit
    new: dict[str, str] = {}
    for name, ident in theirs.items():
        if ours.get(name) == ident:
            continue
        if why := wrong(ident):
            told.append(f"left out branch {name} of {remote}: {why}")
        elif name not in ours:
            new[BRANCHES + name] = ident
        elif not _forward(git, BRANCHES + name, ident):
            told.append(f"branch {name} was not moved: it and the one of {remote} have diverged")
    _make(git, new)
    for name, ident in refs.under(git, _aside(remote)).items():
        if not refs.is_commit(git, ident):
            told.append(f"left out the notes {name} of {remote}: they have no commit")
        elif why := tree_size.beyond(git, tree_size.of_commits(git, [ident])):
            told.append(f"left out the notes {name} of {remote}: they have trees of {why}")
        elif not _forward(git, NOTES + name, ident):
            # the lines of words stay in their order
            strategy = "union" if NOTES + name == word_notes.REF else "cat_sort_uniq"
            words = ("notes", f"--ref={NOTES}{name}", "merge", "-q", "-s", strategy, ident)
            result = git.attempt(*words, environment=identity.environment(git))
            told += [str(failure("notes", result))] if result.status else []
    return told


def _unfit(git: Commands, here: str | None, ident: str) -> str:
    """Return why a branch cannot be at what came; empty if it can."""
    if not refs.is_commit(git, ident):
        return "it has no commit"
    return beyond_measure(git, ident, here)


def _make(git: Commands, new: Mapping[str, str]) -> None:
    """Make these refs, all at once if that is possible."""
    lines = "".join(f"create {ref} {ident}\n" for ref, ident in new.items())
    stdin = lines.encode("utf-8", "surrogateescape")
    if git.attempt("update-ref", "-m", "gitbackup pull", "--stdin", stdin=stdin).status:
        for ref, ident in new.items():  # one of them cannot be made
            _forward(git, ref, ident)


def beyond_measure(git: Commands, commit: str, here: str | None) -> str:
    """Return why a commit that came, or one before it that `here` does not have, cannot be a
    database's: too many files, or folders too deep. Empty if all can."""
    ends = [commit, *([f"^{here}"] if here else [])]
    try:
        if why := tree_size.beyond(git, tree_size.of_commits(git, ends)):
            return f"a commit there has a tree that cannot come from a database, with {why}"
        listing(git, commit)  # which is read next, and may have the same files over and over
    except Damaged as error:
        return str(error)
    return ""


def _forward(git: Commands, ref: str, ident: str) -> bool:
    """Make a ref, or move it forward; return False if it has parted."""
    old = refs.read(git, ref)
    if old and refs.holds(git, ident, old):
        return True
    if old and not refs.holds(git, old, ident):
        return False
    with suppress(Busy):
        refs.move(git, ref, ident, old)
    return True


def _diverged(git: Commands, remote: Remote, branch: str, ours: str, theirs: str) -> str:
    there = f"{remote.name}/{branch}"
    if git.attempt("merge-base", ours, theirs).status:
        return (
            f"{remote} is the history of another database: it has no commit in common"
            f" with this one, so nothing was changed; you can look at it as {there}"
        )
    return (
        f"{branch} and {remote} have diverged:"
        f" {counted(refs.count(git, ours, f'^{theirs}'), 'commit')} only here, and"
        f" {refs.count(git, theirs, f'^{ours}'):,} only there. Nothing was changed;"
        f" `gitbackup log {there}` shows them. To keep both histories and continue"
        f" from the state here: git -C {git.folder} merge -s ours {there}"
    )


def _aside(remote: Remote) -> str:
    return f"refs/gitbackup/notes/{remote.name}/"
