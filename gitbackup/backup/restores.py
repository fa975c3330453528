"""What the restoring verbs of a Backup return, by its settings."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace

from gitbackup.backup.context import Context
from gitbackup.model.merging import MergeRule, Side
from gitbackup.model.ttl import Ttl
from gitbackup.plan.plan import Plan, Revert
from gitbackup.restore import request
from gitbackup.restore.restore import Restorer


def restorer(
    context: Context,
    commit_ish: str,
    patterns: Sequence[str],
    databases: Mapping[int, int] | None,
    to: str | None,
    delete: bool,
    ttl: Ttl,
    skip_damaged: bool,
    skip_unsupported: bool,
) -> Restorer:
    """Return a restore of a commit into the server of the URL `to`, None for this one."""
    delete = delete and not skip_damaged
    options = context.restore_options(patterns, databases, to, delete, ttl)
    target = request.Target(context.address_of(to).label, to is None)
    wanted = request.by_words(context.history, commit_ish, options, target)
    server = context.server_of(to)
    return context.restorer(wanted, server, to, None, skip_damaged, skip_unsupported)


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


def undoer(context: Context) -> Restorer:
    """Return the undoing of the last restore."""
    wanted = request.by_undo(context.history, context.server)
    return context.restorer(wanted, context.server, None)
