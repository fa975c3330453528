"""What the verbs of a Backup that write to a server return, by its settings: a thing to plan or to
carry out.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from functools import cache, partial
from typing import TYPE_CHECKING, BinaryIO

from gitbackup.backup.context import Context
from gitbackup.model.merging import MergeRule, Side
from gitbackup.model.ttl import Ttl
from gitbackup.plan.plan import Plan, RestoreOptions, Revert
from gitbackup.restore import request
from gitbackup.restore.restore import Restorer

if TYPE_CHECKING:
    from gitbackup.transfer.copy import Copying
    from gitbackup.transfer.import_file import Importing


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


def undoer(context: Context) -> Restorer:
    """Return the undoing of the last restore."""
    wanted = request.by_undo(context.history, context.server)
    return context.restorer(wanted, context.server, None)


def importer(
    context: Context,
    file: BinaryIO,
    name: str,
    patterns: Sequence[str],
    databases: Mapping[int, int] | None,
    to: str | None,
    delete: bool,
    ttl: Ttl,
    field_expiry: bool,
    encoding: str | None,
    skip_unsupported: bool,
) -> Importing:
    """Return an import of a file into the server of the URL `to`, None for this one."""
    from gitbackup.transfer import import_file

    options = context.restore_options(patterns, databases, to, delete, ttl, field_expiry)
    place = context.destination(to, skip_unsupported=skip_unsupported)
    return import_file.begin(file, name, options, place, encoding)


def copier(
    context: Context,
    to: str,
    password: str | None,
    skip_unsupported: bool,
    patterns: Sequence[str],
    databases: Mapping[int, int] | None,
    delete: bool,
    ttl: Ttl,
    field_expiry: bool,
) -> Copying:
    """Return a copy into the server at the URL `to`, to plan or to carry out."""
    from gitbackup.transfer import copy

    named = [address.db for address in (context.address, context.address_of(to))]
    pairs = copy.pairs(databases, *named)
    how = RestoreOptions(tuple(patterns), pairs, delete, ttl, field_expiry=field_expiry)
    place = context.destination(to, password, skip_unsupported)
    return copy.begin(context.server, how, place)
