"""What a Backup does by itself, for as long as it is let."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING

from gitbackup.backup.workspace import Workspace

if TYPE_CHECKING:
    from gitbackup.commit.watch import Event, Stop


class Standing:
    """Keeps a workspace's history up with its live database."""

    _at: Workspace

    def watch(
        self,
        stop: Stop,
        *,
        match: Sequence[str] = (),
        quiet: float = 2.0,
        max_wait: float = 60.0,
        message: str = "{changes}",
    ) -> Iterator[Event]:
        """Commits whenever keys have changed, until `stop`, a threading.Event, is set.

        First it commits what differs. Then there is a commit once no key that matches one of the
        globs `match` has changed for `quiet` seconds, at the latest after `max_wait`; changes of
        other keys, and of those that the setting `gitbackup.quiet` names, go along with it. In
        `message`, `{changes}` stands for what changed, `{counts}` for how many keys. It tells
        each commit as it is made, and what goes wrong: then it is tried again. Makes the
        repository where there is none. Raises Busy where another run watches, and ServerError,
        naming the right that is missing, where the server does not let us hear of writes.
        """
        from gitbackup.commit.follower import LiveFollower
        from gitbackup.commit.policy import CommitPolicy
        from gitbackup.commit.watch import Watch
        from gitbackup.live.connection.connect import connect

        at = self._at
        policy = CommitPolicy(match, at.quiet(), quiet, max_wait, message)
        servers = iter([at.server])  # the one that let us in; later it may be another

        def live() -> LiveFollower:
            return LiveFollower(next(servers, None) or connect(at.address), at.scope(), at.progress)

        return Watch(at.repository or at.create(), live, policy, stop).run()
