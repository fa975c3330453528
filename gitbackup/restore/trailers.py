"""The trailers by which commits tell of restores: which was the last, and what it changed."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

from gitbackup.errors import UsageError
from gitbackup.format.patterns import covers
from gitbackup.model.commits import CommitInfo
from gitbackup.model.file_groups import unordered
from gitbackup.model.keys import Key, Scope
from gitbackup.plan.plan import Clock, RestoreOptions
from gitbackup.plan.plan_json import ID, how_object, read_how
from gitbackup.restore.planner import RestoreRequest, build_plan
from gitbackup.restore.revert import Reverter
from gitbackup.snapshot import file_format
from gitbackup.snapshot.commit_scope import taken_at
from gitbackup.snapshot.compare import Comparison, compare
from gitbackup.snapshot.entry_sources import FileSummaries, decoded
from gitbackup.snapshot.sources import CommitSource, Spool, chosen
from gitbackup.store.repository.repository import Repository

DONE = "Restore-Of"  # the id of the restored commit, on the commit of the state after
BEGUN = "Before-Restore-Of"  # the same, on the commit of the state before
REPLACED = "Replaced"  # the id of the commit of the state before
REVERTED = "Revert-Of"  # the id of the reverted commit, on the commit of the state after
REVERTING = "Before-Revert-Of"  # the same, on the commit of the state before
WITH = "Restore-With"  # the options, if they are not the usual ones
UNDOES = "Undoes"  # the id of a restore's commit
NODES = "Node-Ids"  # the ids of the primaries of the cluster that it was into


@dataclass(frozen=True, slots=True)
class Restored:
    """A restore, as the trailers of a commit (`info`) tell it.

    `target` is the commit that was restored, or reverted, `replaced` the commit of the state
    before. If the restore is only known to have `begun`, `info` is that commit. `place` is the
    label of the server, `nodes` are the ids of its primaries if it is a cluster.
    """

    info: CommitInfo
    begun: bool
    target: str
    replaced: str
    how: RestoreOptions

    @property
    def place(self) -> str:
        return self.info.trailers.get("Server", "").rpartition(" at ")[2]

    @property
    def nodes(self) -> Sequence[str]:
        return self.info.trailers.get(NODES, "").split()


def trailers(
    title: str, request: RestoreRequest, replaced: str | None, nodes: Sequence[str]
) -> Mapping[str, str]:
    """Return the trailers of a commit that belongs to a restore; `title` is DONE or BEGUN."""
    if request.how.revert:
        title = REVERTED if title == DONE else REVERTING
    facts = {title: request.commit}
    options = replace(request.how, undoes=None)
    if options != RestoreOptions():
        facts[WITH] = json.dumps(how_object(options))
    if replaced:
        facts[REPLACED] = replaced
    if request.how.undoes:
        facts[UNDOES] = request.how.undoes
    if nodes:
        facts[NODES] = " ".join(nodes)
    return facts


def restored_in(info: CommitInfo) -> Restored | None:
    """Return the restore that a commit tells of; None if it tells of none.

    Each commit that it names has to be a full id, as we write it: a name such as HEAD could lead
    from a restore back to itself.
    """
    facts = info.trailers
    done = facts.get(DONE) or facts.get(REVERTED)
    target = done or facts.get(BEGUN) or facts.get(REVERTING)
    if target is None:
        return None
    try:
        how = read_how(json.loads(facts[WITH])) if WITH in facts else RestoreOptions()
    except (ValueError, RecursionError):
        return None
    undoes, replaced = facts.get(UNDOES), facts.get(REPLACED, info.id)
    if not all(map(ID.fullmatch, (target, replaced, undoes or target))):
        return None
    return Restored(info, done is None, target, replaced, replace(how, undoes=undoes))


def restore_told_by(repository: Repository, commit: str) -> Restored:
    """Return the restore that a commit tells of. Raises UsageError if it tells of none."""
    restored = restored_in(repository.commit_info(repository.resolve(commit)))
    if restored is None:
        raise UsageError(f"commit {commit[:7]} is not a restore, so it cannot be undone")
    return restored


def last(repository: Repository) -> Restored:
    """Return the last restore in HEAD's history. Raises UsageError if there is none."""
    for info in repository.log():
        if restored := restored_in(info):
            return restored
    raise UsageError("nothing to undo: the history of HEAD contains no restore")


def planned_keys(repository: Repository, restored: Restored) -> frozenset[Key]:
    """Return the keys that a restore was to change."""
    undone = [restored]  # each undoes the next
    while undone[-1].how.undoes:
        undone.append(restore_told_by(repository, undone[-1].how.undoes))
    keys: frozenset[Key] | None = None
    summaries: FileSummaries = {}
    for each in reversed(undone):
        keys = _planned(repository, each, keys, summaries)
        if not each.begun:
            keys = _changed(repository, each, keys, summaries)
    return keys or frozenset()


def _planned(
    repository: Repository,
    restored: Restored,
    only: frozenset[Key] | None,
    summaries: FileSummaries,
) -> frozenset[Key]:
    """Return the keys of the plan that a restore has made, of `only` these keys if given."""
    how = replace(restored.how, undoes=None)
    replaced, commit = (repository.resolve(each) for each in (restored.replaced, restored.target))
    before, target = (CommitSource(repository, each) for each in (replaced, commit))
    scope = how.scope(file_format.read_manifest(target.read(file_format.MANIFEST)))
    clock = Clock(taken_at(repository, restored.replaced), taken_at(repository, restored.target))
    if how.revert:
        with Spool() as spool:
            try:
                reverter = Reverter(repository, commit, how, summaries)
            except UsageError:  # all that it was to change was forgotten since
                return frozenset()
            comparison = reverter.against(decoded(before), clock, spool).comparison
            return _steps(restored, how, only, comparison, scope, clock)
    into = decoded(chosen(target, how.databases), summaries)
    comparison = compare(decoded(before, summaries), into)
    return _steps(restored, how, only, comparison, scope, clock)


def _steps(
    restored: Restored,
    how: RestoreOptions,
    only: frozenset[Key] | None,
    comparison: Comparison,
    scope: Scope,
    clock: Clock,
) -> frozenset[Key]:
    request = RestoreRequest(restored.target, how, only=only)
    plan = build_plan(comparison, request, scope, clock, server="", seal=b"")
    return frozenset(step.key for step in unordered(plan.keys))


def _changed(
    repository: Repository,
    restored: Restored,
    keys: frozenset[Key],
    summaries: FileSummaries,
) -> frozenset[Key]:
    """Return those of the keys that were different after the restore.

    A kept plan, carried out later, may have left some alone that differed from its commit. A key
    that the commit after does not cover is among them, for it cannot be seen there.
    """
    before, after = (
        decoded(CommitSource(repository, repository.resolve(commit)), summaries)
        for commit in (restored.replaced, restored.info.id)
    )
    changed = {change.key for change in unordered(compare(before, after).changes)}
    covered = covers(file_format.read_manifest(after.read(file_format.MANIFEST)))
    return frozenset(key for key in keys if key in changed or not covered(key))
