"""What commits tell of restores, in trailers; which restore was the last, and what it changed."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, replace

from gitbackup.errors import UsageError
from gitbackup.format.patterns import covers
from gitbackup.model.commits import CommitInfo
from gitbackup.model.keys import Key
from gitbackup.plan.plan import Clock, RestoreOptions
from gitbackup.plan.plan_json import how_object, read_how
from gitbackup.restore.planner import RestoreRequest, build_plan
from gitbackup.snapshot import file_format
from gitbackup.snapshot.commit_scope import taken_at
from gitbackup.snapshot.compare import compare
from gitbackup.snapshot.sources import CommitSource, chosen
from gitbackup.store.repository.repository import Repository

DONE = "Restore-Of"  # the id of the commit that was restored, on the one of the state since
BEGUN = "Before-Restore-Of"  # the same on the commit of the state before
REPLACED = "Replaced"  # the id of that one
WITH = "Restore-With"  # the options, where they are not the usual ones
UNDOES = "Undoes"  # the id of a restore's commit


@dataclass(frozen=True, slots=True)
class Restored:
    """A restore as a commit tells it: which commit, how, and the commit of the state before.

    Where it only has `begun`, its own commit is of that state.
    """

    info: CommitInfo
    begun: bool
    target: str
    replaced: str
    how: RestoreOptions


def trailers(title: str, request: RestoreRequest, replaced: str | None) -> Mapping[str, str]:
    """What a commit that belongs to a restore says of it; `title` is DONE or BEGUN."""
    facts = {title: request.commit}
    usual = replace(request.how, undoes=None)
    if usual != RestoreOptions():
        facts[WITH] = json.dumps(how_object(usual))
    if replaced:
        facts[REPLACED] = replaced
    if request.how.undoes:
        facts[UNDOES] = request.how.undoes
    return facts


def last(repository: Repository) -> Restored:
    """The last restore in HEAD's history. Raises UsageError where there is none."""
    for info in repository.log():
        if restored := told_by(info):
            return restored
    raise UsageError("nothing to undo: the history of HEAD contains no restore")


def touched(repository: Repository, restored: Restored) -> frozenset[Key]:
    """The keys that a restore was to change: those that differed, and that it was about."""
    chain = [restored]
    while chain[-1].how.undoes:
        chain.append(told(repository, chain[-1].how.undoes))
    keys: frozenset[Key] | None = None
    for one in reversed(chain):
        keys = _differed(repository, one, keys)
        if not one.begun:
            keys = _changed(repository, one, keys)
    return keys or frozenset()


def told_by(info: CommitInfo) -> Restored | None:
    """The restore that a commit tells of; None where it tells of none."""
    facts = info.trailers
    target = facts.get(DONE) or facts.get(BEGUN)
    if target is None:
        return None
    try:
        how = read_how(json.loads(facts[WITH])) if WITH in facts else RestoreOptions()
    except (ValueError, RecursionError):
        return None
    how = replace(how, undoes=facts.get(UNDOES))
    return Restored(info, DONE not in facts, target, facts.get(REPLACED, info.id), how)


def told(repository: Repository, commit: str) -> Restored:
    """What a commit tells of a restore. Raises UsageError where it tells of none."""
    restored = told_by(repository.commit_info(repository.resolve(commit)))
    if restored is None:
        raise UsageError(f"commit {commit[:7]} is not a restore, so it cannot be undone")
    return restored


def _changed(repository: Repository, one: Restored, keys: frozenset[Key]) -> frozenset[Key]:
    """Those of the keys that are not as before: a plan that was kept, and carried out later, may
    have left some alone that differed from its commit. What became of a key that the commits
    since do not cover is not to be seen there: it counts."""
    before, since = (
        CommitSource(repository, repository.resolve(commit))
        for commit in (one.replaced, one.info.id)
    )
    changed = {change.key for change in compare(before, since).changes}
    covered = covers(file_format.read_manifest(since.read(file_format.MANIFEST)))
    return frozenset(key for key in keys if key in changed or not covered(key))


def _differed(
    repository: Repository, restored: Restored, only: frozenset[Key] | None
) -> frozenset[Key]:
    how = replace(restored.how, undoes=None)
    before, target = (
        CommitSource(repository, repository.resolve(commit))
        for commit in (restored.replaced, restored.target)
    )
    scope = how.scope(file_format.read_manifest(target.read(file_format.MANIFEST)))
    clock = Clock(taken_at(repository, restored.replaced), taken_at(repository, restored.target))
    comparison = compare(before, chosen(target, how.databases))
    request = RestoreRequest(restored.target, how, only=only)
    plan = build_plan(comparison, request, scope, clock, server="", seal=b"")
    return frozenset(step.key for step in plan.keys)
