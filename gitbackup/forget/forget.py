"""`forget`: take the value of a key, or of a field, out of every commit.

All commits from the first one that has it get new ids; the database is not touched. A digest of
each value is noted, and travels with the history, so that no commit brings one back unnoticed.
"""

from __future__ import annotations

import secrets
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass

from gitbackup import wording
from gitbackup.errors import Busy, GitbackupError, UsageError
from gitbackup.forget.secret import Secret
from gitbackup.format import codec
from gitbackup.history.entry import stored
from gitbackup.model.keys import Key
from gitbackup.remotes import shared_settings
from gitbackup.store.commits.rewrite import Rewritten
from gitbackup.store.metadata import forgotten
from gitbackup.store.metadata.forgotten import MOST_DIGESTS, Forgotten, digest, needle
from gitbackup.store.remotes.rewritten_history import replacing
from gitbackup.store.repository.repository import Repository
from gitbackup.store.repository.restore_journal import State

_BRANCHES, _TAGS = "refs/heads/", "refs/tags/"


@dataclass(frozen=True, slots=True)
class RemoteToFollow:
    """A place that has the old history: its name, where it is, and the command that replaces it."""

    name: str
    place: str
    command: str


@dataclass(frozen=True, slots=True)
class ForgetPlan:
    """What `forget` is going to do.

    - `key`, `field`: what is forgotten, as it is stored;
    - `commits`: how many commits have it, of `total`, and `first`, the id of the first of them;
    - `rewritten`: how many commits get another id;
    - `versions`: how many different values it had;
    - `branches`, `tags`: those that move;
    - `remotes`: places that have the old history, and what to do there;
    - `also_in`: other keys of HEAD that have one of the values, too.
    """

    key: str
    field: str | None
    commits: int
    total: int
    first: str | None
    rewritten: int
    versions: int
    branches: Sequence[str]
    tags: Sequence[str]
    remotes: Sequence[RemoteToFollow]
    also_in: Sequence[Key]


@dataclass(frozen=True, slots=True)
class ForgetResult:
    """What `forget` did: the plan, whether it was carried out, and HEAD before and since.

    `before` tells that it had been done before: there is nothing left to forget.
    """

    plan: ForgetPlan
    done: bool
    old_head: str | None
    head: str | None
    before: bool = False


Confirm = Callable[[ForgetPlan], bool]


def forget(repository: Repository, key: str, field: str | None, confirm: Confirm) -> ForgetResult:
    """Take a key, or one field of a hash, out of every commit, in every database; `confirm` is
    given the plan.

    Raises UsageError if no commit has it, Busy beside a watch, GitbackupError during a restore
    that was not finished. A run that is killed leaves the old history, or the next one completes
    the new one.
    """
    repository.resolve("HEAD")
    secret = Secret(stored(key), None if field is None else stored(field))
    with _alone(repository):
        head = repository.head()
        with repository.rewriting() as rewriting:
            made = rewriting.prepare(needle(secret.key), secret.cut, secret.scrub)
            plan = _plan(repository, secret, made)
            if not made.blobs:
                return _nothing(repository, plan, head, secret)
            if not confirm(plan):
                return ForgetResult(plan, False, head, head)
            record = _record(secret)
            repository.close()
            rewriting.carry_out(made, record, shared_settings.content(repository))
    return ForgetResult(plan, True, head, made.commits.get(head or "", head))


def allow(repository: Repository, key: str, field: str | None) -> Sequence[Forgotten]:
    """Let the forgotten values of a key be committed again; return the records of them.

    Raises UsageError if nothing of it was forgotten.
    """
    name, part = stored(key), None if field is None else stored(field)
    records = [
        record
        for record in repository.forgotten()
        if (record.key == name if part is None else record.concerns(name, part)) and record.digests
    ]
    if not records:
        raise UsageError(f"nothing of {key!r} was forgotten")
    with repository.lock():
        repository.allow(records, shared_settings.content(repository))
    return records


@contextmanager
def _alone(repository: Repository) -> Iterator[None]:
    """Hold every lock, so that nobody else reads or writes the history that goes."""
    with ExitStack() as held:
        try:
            held.enter_context(repository.beside("watching", 0))
        except Busy as error:
            raise Busy(f"{error}: stop it, for it would go on from the old history") from None
        held.enter_context(repository.beside("restoring"))
        held.enter_context(repository.beside("pushing"))
        held.enter_context(repository.lock())
        if [each for each in repository.journal.known() if each.state is not State.DONE]:
            raise GitbackupError(
                "a restore was interrupted, and its journal names commits: run the same restore"
                " again, or restore another commit, and then forget"
            )
        yield


def _plan(repository: Repository, secret: Secret, made: Rewritten) -> ForgetPlan:
    moved = [ref for ref, (_, new) in made.refs.items() if new]
    return ForgetPlan(
        secret.key,
        secret.field,
        made.holding,
        made.count,
        made.first,
        len(made.commits),
        len(secret.versions),
        [ref.removeprefix(_BRANCHES) for ref in moved if ref.startswith(_BRANCHES)],
        [ref.removeprefix(_TAGS) for ref in moved if ref.startswith(_TAGS)],
        _remotes(repository, made),
        _also_in(repository, secret) if made.blobs else (),
    )


def _remotes(repository: Repository, made: Rewritten) -> list[RemoteToFollow]:
    """Return the places that have the old history, as far as is known, or may have it."""
    unknown = {each.remote for each in repository.pushed() if each.commit is None}
    return [
        RemoteToFollow(remote.name, str(remote.place), replacing(repository.path, remote))
        for remote in repository.remotes()
        if remote.name in unknown or any(ref.startswith(remote.tracking) for ref in made.refs)
    ]


def _also_in(repository: Repository, secret: Secret) -> list[Key]:
    """Return other keys of HEAD that have a value of the secret, too."""
    head = repository.head()
    if head is None:
        return []
    files = {path: blob for path, blob in repository.files(head).items() if path.endswith(".json")}
    contents = zip(files, repository.read_all(files.values()), strict=True)
    found = [key for path, content in contents for key in secret.seen_in(path, content)]
    return sorted(key for key in found if key.name != secret.key)


def _nothing(
    repository: Repository, plan: ForgetPlan, head: str | None, secret: Secret
) -> ForgetResult:
    """Return that it was forgotten before. Raises UsageError if it was not."""
    if any(each.concerns(plan.key, plan.field) for each in repository.forgotten()):
        return ForgetResult(plan, False, head, head, before=True)
    if plan.field is None:
        raise UsageError(f"no commit has a key {plan.key!r}")
    if secret.types:
        field = wording.option("--field")
        raise UsageError(
            f"{plan.key!r} is a {' and a '.join(sorted(secret.types))}, and {field} is for hashes:"
            f" without {field}, the whole key is forgotten"
        )
    raise UsageError(
        f"no commit has a key {plan.key!r} that is a hash with the field {plan.field!r}"
    )


def _record(secret: Secret) -> Forgotten:
    key = secrets.token_hex(32)
    values = [*secret.values][-MOST_DIGESTS:]
    digests = sorted({digest(key, value) for value in values})
    at = str(codec.instant(int(time.time() * 1000)))
    field, is_plain = secret.field, secret.field is None or forgotten.is_plain(secret.field)
    hidden = None if field is None or is_plain else digest(key, field.encode())
    return Forgotten(key, secret.key, field if is_plain else None, hidden, at, digests)
