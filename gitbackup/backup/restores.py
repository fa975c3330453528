"""What `restorer`, `reverter`, `undoer` and `verify` of a Backup return, by its settings.

All of them restore: the last one into a server of our own.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from functools import cache, partial
from pathlib import Path
from typing import TYPE_CHECKING

from gitbackup.backup.context import Context
from gitbackup.model.merging import MergeRule, Side
from gitbackup.model.ttl import Ttl
from gitbackup.plan.plan import Plan, Revert
from gitbackup.restore import request
from gitbackup.restore.restore import Restorer

if TYPE_CHECKING:
    from gitbackup.model.proof import Proof
    from gitbackup.verify.verify import Verified


def restorer(
    context: Context,
    commit_ish: str,
    patterns: Sequence[str],
    databases: Mapping[int, int] | None,
    to: str | None,
    delete: bool,
    ttl: Ttl,
    field_expiry: bool,
    skip_damaged: bool,
    skip_unsupported: bool,
) -> Restorer:
    """Return a restore of a commit into the server of the URL `to`, None for this one."""
    delete = delete and not skip_damaged
    options = context.restore_options(patterns, databases, to, delete, ttl, field_expiry)
    server = cache(partial(context.server_of, to))  # it is connected to once the commit is known
    label = context.address_of(to).label
    target = request.Target(label, to is None, lambda: server().node_ids)
    wanted = request.by_words(context.history, commit_ish, options, target)
    return context.restorer(wanted, server(), to, None, skip_damaged, skip_unsupported)


def reverter(
    context: Context,
    commit_ish: str,
    patterns: Sequence[str],
    side: Side | None,
    counters: bool,
    exclude: Sequence[str],
    every: bool,
) -> Restorer:
    """Return the revert of a commit."""
    quiet = context.quiet(every or bool(patterns))
    revert = Revert(MergeRule(side, counters), tuple(exclude), tuple(quiet))
    options = context.restore_options(patterns, None, None, True, Ttl.KEEP)
    target = request.Target(context.address.label, True)
    wanted = request.by_words(context.history, commit_ish, replace(options, revert=revert), target)
    return context.restorer(wanted, context.server, None)


def planned(context: Context, plan: Plan, to: str | None) -> Restorer:
    """Return a restore that carries out exactly this plan."""
    server = context.server_of(to)
    wanted = request.by_plan(context.history, plan, server, home=to is None)
    return context.restorer(wanted, server, to)


def verify(
    context: Context,
    commit_ish: str | None,
    server: str | Path | None,
    modules: Sequence[str | Path],
    tell: Callable[[Proof], None],
) -> Verified:
    """Prove that a commit restores to itself, in a server of our own."""
    from gitbackup.verify import verify
    from gitbackup.verify.drill_server import DrillServer

    own = DrillServer(Path(server) if server else None, tuple(map(Path, modules)))
    return verify.verify(context.history, commit_ish, own, context.progress, tell)


def undoer(context: Context) -> Restorer:
    """Return the undoing of the last restore."""
    wanted = request.by_undo(context.history, context.server)
    return context.restorer(wanted, context.server, None)
