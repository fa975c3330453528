"""`Backup.events`: what follows a commit, or a failure. Every command that commits ends with it.

First the hooks run, then the commit is pushed, each if the settings say so.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from typing import TYPE_CHECKING, Any

from gitbackup.backup.context import Context
from gitbackup.commit.alarm import StandingAlarm, standing
from gitbackup.commit.commit import CommitResult, commit_object
from gitbackup.errors import GitbackupError
from gitbackup.model.changes import Counts, Summary
from gitbackup.model.commits import Selection
from gitbackup.settings import ON_ALARM, ON_COMMIT, ON_FAILURE, is_pushed_at_once
from gitbackup.store.repository.repository import Repository

if TYPE_CHECKING:
    from gitbackup.backup.hooks import Hook, HookRun
    from gitbackup.remotes.sync import PushResult

    Run = Callable[[Hook], HookRun | None]
    """Runs a hook and returns how it ended; or None, and it runs later."""


@dataclass(frozen=True, slots=True)
class AfterCommit:
    """What was done after a commit, or a failure.

    `pushed` is the push, None if there was none; `hooks` are those that have run. `failed` has a
    sentence for each step that failed: the commit stands all the same.
    """

    pushed: PushResult | None = None
    failed: Sequence[str] = ()
    hooks: Sequence[HookRun] = field(default=())


class Events:
    """What a repository's settings have for the things that happen: hooks, and pushes.

    The methods of Backup that commit do none of it: call `after_commit` after them. `run` runs a
    hook at once, unless another function is given, such as the `put` of a HookQueue. What fails is
    in the result, and not raised.
    """

    def __init__(self, context: Context) -> None:
        self._context = context

    def after_commit(
        self, *commits: CommitResult | str, words: bool = False, run: Run | None = None
    ) -> AfterCommit:
        """Run the hooks of these commits, and push HEAD's branch if `gitbackup.push` is
        `on-commit`.

        They are given as the results of `commit` or `watch`, also of one that found nothing to
        commit, or by their ids. `words` tells that words were put on a commit, to be pushed. If
        there is no commit and no word, only what earlier commits have left is pushed.
        """
        self._context.expect_writable()
        repository = self._context.history
        hooks, failed = _Hooks(repository, run), list[str]()
        made = [each for each in commits if isinstance(each, str) or each.commit]
        for commit in made:
            if isinstance(commit, CommitResult) and commit.alarm:
                hooks.fire(ON_ALARM, partial(commit_object, commit))
            hooks.fire(ON_COMMIT, partial(_object_of, repository, commit))
        try:
            pushed = _push(repository, bool(made) or words)
        except GitbackupError as error:
            kept = "the words are kept, but" if words else "earlier commits were"
            what = "the commit was made, but" if made else kept
            failed.append(f"{what} not pushed: {error}")
            hooks.fire(ON_FAILURE, partial(failure_object, "push", error))
            pushed = None
        failed += (f"the commit was made, but {why}" for why in hooks.failed)
        return AfterCommit(pushed, failed, hooks.runs)

    def after_failure(
        self, command: str, error: GitbackupError, *, run: Run | None = None
    ) -> AfterCommit:
        """Run the hook for a command that failed with an error, if there is one."""
        if self._context.repository is None:
            return AfterCommit()
        hooks = _Hooks(self._context.repository, run)
        hooks.fire(ON_FAILURE, partial(failure_object, command, error))
        return AfterCommit(failed=hooks.failed, hooks=hooks.runs)

    def alarm(self) -> StandingAlarm | None:
        """Return the last commit that removed most of the keys, unless it was accepted or undone.

        To accept it, its id is added to the setting `accept-alarm`.
        """
        return standing(self._context.history)


def failure_object(command: str, error: GitbackupError) -> dict[str, Any]:
    """Return what a hook is told of a failure."""
    return {
        "schema": "gitbackup.failure/1",
        "command": command,
        "error": str(error),
        "exit_code": error.exit_code,
    }


class _Hooks:
    """The hooks that have run for one thing that happened, and why others have not."""

    def __init__(self, repository: Repository, run: Run | None) -> None:
        self.runs: list[HookRun] = []
        self.failed: list[str] = []
        self._repository = repository
        self._run = run

    def fire(self, event: str, document: Callable[[], Mapping[str, Any]]) -> None:
        """Run the hook for an event, if the settings have one; only then `document` is called."""
        try:
            if not self._repository.get(event):
                return
            from gitbackup.backup.hooks import prepared  # to load it only if it is needed

            hook = prepared(self._repository, event, document())
        except GitbackupError as error:
            self.failed.append(str(error))
            return
        if hook and (run := self._run(hook) if self._run else hook.run()):
            self.runs.append(run)
            self.failed += [] if run.ok else [str(run)]


def _push(repository: Repository, made: bool) -> PushResult | None:
    """Push a commit that was `made`, or what an earlier push did not, if the setting says so.

    Returns None if there is nothing to push. Raises what `push()` raises.
    """
    if not is_pushed_at_once(repository):
        return None
    from gitbackup.remotes.sync import push  # to load it only if it is needed

    remote = repository.remote()
    known = {each.remote: each.missing for each in repository.pushed()}
    return push(repository, None) if made or known.get(remote.name, 1) else None


def _object_of(repository: Repository, commit: CommitResult | str) -> dict[str, Any]:
    """Return a commit as `commit --json` gives it, also one that a restore has made."""
    if isinstance(commit, CommitResult):
        return commit_object(commit)
    from gitbackup.history.stat import summaries  # to load it only if it is needed

    (found,) = summaries(repository, Selection((commit,), 1), ())
    info = found.info
    return commit_object(
        CommitResult(
            info.id,
            info.subject,
            next(iter(info.parents), None),
            sum(_keys(info.trailers.get("Keys", ""))),
            found.summary or Summary(info.counts or Counts(), {}, (), info.subject),
            info.trailers.get("Consistency", ""),
            (),
        )
    )


def _keys(told: str) -> Iterator[int]:
    """Yield how many keys each database has, as a commit's trailer tells it."""
    for place in told.split():
        name, _, count = place.partition("=")
        if name.startswith("db") and count.isdecimal() and len(count) < 19:
            yield int(count)
