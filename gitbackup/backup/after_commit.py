"""What happens once a commit is made. Every command that commits ends with `after_commit`.

What else is to happen then, such as running a hook, is one more step of that function.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from gitbackup.errors import GitbackupError
from gitbackup.remotes.sync import PushResult, push_on_commit
from gitbackup.store.repository.repository import Repository


@dataclass(frozen=True, slots=True)
class AfterCommit:
    """What was done after a commit.

    `pushed` is the push, None where there was none. `failed` has a sentence for each step that
    failed: the commit stands all the same.
    """

    pushed: PushResult | None = None
    failed: Sequence[str] = ()


def after_commit(repository: Repository, made: bool) -> AfterCommit:
    """Push HEAD's branch, if the setting `gitbackup.push` is `on-commit`.

    Unless a commit was `made`, do only what earlier commits have left undone. A failure is in the
    result, and not raised.
    """
    try:
        return AfterCommit(push_on_commit(repository, made))
    except GitbackupError as error:
        what = "the commit was made, but" if made else "earlier commits were"
        return AfterCommit(failed=[f"{what} not pushed: {error}"])
