"""What a commit, a diff or an export of the live database warns of."""

from __future__ import annotations

import json
import re
import shlex
from collections.abc import Iterator, Sequence

from gitbackup import wording
from gitbackup.capture.capture import Capture
from gitbackup.errors import Busy, GitbackupError
from gitbackup.format import names
from gitbackup.kinds.search_index import lacks_search_options, parse
from gitbackup.live.server.search_indexes import SearchIndexes
from gitbackup.model.amounts import counted
from gitbackup.model.server.replicas import ReplicaRead
from gitbackup.snapshot import file_format
from gitbackup.snapshot.sources import Source
from gitbackup.store.repository.repository import Repository
from gitbackup.store.repository.restore_journal import JournalEntry, State

NAMED = 3  # search indexes
FEW = 0.5  # of the last commit's keys: fewer may be those of another server
MANY = 10  # keys of the last commit, from which on fewer of them are worth a warning
_KEYS = re.compile(r"(?<!\S)db[0-9]+=([0-9]{1,18})(?!\S)")


def doubts(capture: Capture) -> list[str]:
    """Return a warning for each thing that reading could not make sure of."""
    live, sentences = capture.live, []
    if live.why:
        changed = f", {live.changed:,} keys changed during the read" if live.changed else ""
        each = (
            ", though each node of the cluster is"
            if live.nodes and all(live.nodes.values())
            else ""
        )
        sentences.append(f"this is not one point in time{each}{changed}: {live.why}")
    if live.primary:
        sentences.append(f"this replica may lack data of its primary: {live.primary}")
    sentences += primaries_read(live.replicas)
    sentences += [
        f"key {key} changed during every read: its saved value may mix old and new parts"
        for key in live.torn
    ]
    if live.left_over:
        count = len(live.left_over)
        sentences.append(f"left out {count} temporary keys of a restore that was killed")
    if live.scope.search and live.scope.databases is None:
        sentences += _search_doubts(live.search_indexes)
    if live.uneven:
        sentences.append(
            f"not all nodes of the cluster have the same function libraries"
            f" ({named(live.uneven)}): a restore gives each node what is saved here"
        )
    if live.search_indexes.uneven:
        sentences.append(
            "nodes of the cluster have search indexes of the same name that differ"
            f" ({named(live.search_indexes.uneven)}): only the first of each is saved"
        )
    if live.functions_refused:
        sentences.append(
            "the user has no permission to list functions, so libraries are left out:"
            " grant ACL SETUSER ... +function|list"
        )
    if not live.watching:
        sentences.append(
            "the user has no permission to WATCH, or the server does not know WATCH, so large"
            " values may mix old and new parts: grant ACL SETUSER ... +watch +multi +exec"
        )
    return sentences


def _search_doubts(search: SearchIndexes) -> Iterator[str]:
    """Yield a warning for each thing that is not known of search indexes."""
    if search.refused:
        yield (
            "the user has no permission to read search indexes, so they are left out:"
            " grant ACL SETUSER ... +ft._list +ft.info +ft.syndump +ft.explain"
        )
    for name, why in sorted(search.untold.items()):
        yield (
            f"search index {named([name])} is not saved: {why}; keep the command that created it"
        )
    narrow = [name for name, text in search.defined.items() if lacks_search_options(parse(text))]
    if narrow:
        yield (
            f"the server does not tell EF_RUNTIME and EPSILON of search indexes"
            f" ({named(narrow)}): a restore gives them the defaults"
        )
    if search.defined or search.untold:
        yield (
            "aliases of search indexes and dictionaries are not saved, because the server does not"
            " list them: keep the FT.ALIASADD and FT.DICTADD commands"
        )


def primaries_read(replicas: Sequence[ReplicaRead]) -> list[str]:
    """Return a warning for each primary that was read itself, though replicas were asked for."""
    return [
        f"read the primary at {each.primary} itself, since {each.why}"
        for each in replicas
        if not each.replica
    ]


def named(indexes: Sequence[str]) -> str:
    """Return the first of the search indexes, and how many more there are."""
    first = ", ".join(map(names.escape, indexes[:NAMED]))
    more = f" and {len(indexes) - NAMED:,} more" if len(indexes) > NAMED else ""
    return f"{first}{more}"


def surprises(
    repository: Repository | None, capture: Capture, parent: str | None, known: Source
) -> list[str]:
    """Return a warning for each thing that may be a mistake: an unfinished restore, far fewer
    keys than in the last commit, another scope than that of `known`, or a detached HEAD."""
    if repository is None or parent is None:
        return []
    sentences, keys = unfinished_restores(repository), capture.live.total
    if not repository.branch():
        sentences.append(
            "HEAD is detached: no branch contains this history; `git switch` to a branch"
        )
    trailer = repository.commit_info(parent).trailers.get("Keys", "")  # such as db0=1164 db3=2
    last = sum(int(count) for count in _KEYS.findall(trailer))
    if last >= MANY and keys < last * FEW:
        sentences.append(
            f"only {counted(keys, 'key')}, but the last commit has {last:,}: is this the right"
            " server?"
        )
    before = known.files.get(file_format.MANIFEST)
    if before and before != capture.files[file_format.MANIFEST]:
        sentences.append(
            "the scope has changed since the last commit: keys outside it are not in this snapshot"
        )
    return sentences


def unfinished_restores(repository: Repository) -> list[str]:
    """Return a warning for each restore, into the server that commits are of, that was cut off."""
    return [_sentence(repository, each) for each in cut_off(repository)]


def is_unfinished_restore(warning: str) -> bool:
    """Return whether a warning is of `unfinished_restores`."""
    return warning.partition(":")[0].endswith("is not finished")


def cut_off(repository: Repository) -> list[JournalEntry]:
    """Return the restores, into the server that commits are of, that were cut off, the last one
    last."""
    found = _not_done(repository)
    if not found:
        return []
    try:
        with repository.beside("restoring", 0):
            return _not_done(repository)  # one that was under way may have ended since
    except Busy:  # it is under way
        return []
    except GitbackupError:  # the disk is read-only: no restore is under way
        return found


def _not_done(repository: Repository) -> list[JournalEntry]:
    known = repository.journal.known()
    return [each for each in known if each.home and each.state is not State.DONE]


def _sentence(repository: Repository, restore: JournalEntry) -> str:
    """Return what finishes a restore that was cut off, and what takes it back."""
    undo = wording.command("undo", "undo()")
    if restore.undoes:
        return f"an undo of {restore.undoes[:7]} is not finished: {undo} finishes it"
    back = f"{undo} takes it back"
    command = finishing(repository, restore)
    if restore.is_import:
        importer = wording.command("import", "importer()")
        return f"an import is not finished: the same {importer} finishes it, {back}"
    unfinished = f"a restore of {restore.commit[:7]} is not finished"
    if not command:
        planned = wording.command("restore --plan", "planned()")
        return f"{unfinished}: the same {planned} finishes it, {back}"
    if command.startswith("gitbackup revert"):
        unfinished = f"a revert of {restore.commit[:7]} is not finished"
    return f"{unfinished}: `{command}` finishes it, {back}"


def finishing(repository: Repository, restore: JournalEntry) -> str:
    """Return the command that finishes a restore that was cut off, wherever HEAD is by then; empty
    if that takes a plan or a file."""
    if restore.undoes:
        return "gitbackup undo"
    if restore.is_import or not restore.asked.startswith("["):
        return ""
    # deferred: only a restore that was cut off has need of them
    from gitbackup.plan.command import command_words
    from gitbackup.plan.plan_json import read_how

    how, more = read_how(json.loads(restore.how)), list[str]()
    if how.revert and not (how.revert.quiet or how.patterns) and repository.get_all("quiet"):
        more.append("--with-quiet")
    return shlex.join(["gitbackup", *command_words(restore.commit[:7], how, more)])
