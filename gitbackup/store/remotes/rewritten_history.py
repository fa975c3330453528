"""Remotes and a history that `forget` has rewritten, here or there.

What was forgotten here is not fetched again, and whoever pulls a history that was rewritten there
is told what happened.
"""

from __future__ import annotations

import shlex
from collections.abc import Mapping
from pathlib import Path

from gitbackup.errors import GitbackupError
from gitbackup.store.commits import rewrite
from gitbackup.store.git.command import Commands, text
from gitbackup.store.metadata import forgotten, settings_ref
from gitbackup.store.metadata.forgotten import Forgotten
from gitbackup.store.objects import refs
from gitbackup.store.objects.object_reader import reader_of
from gitbackup.store.remotes import remotes
from gitbackup.store.transports import transports
from gitbackup.store.transports.remote_url import Remote


def stale(git: Commands, remote: Remote) -> str:
    """Return what to do if a remote has the history from before something was forgotten here;
    empty if it does not have it."""
    rewritten = rewrite.known(git)
    transport = transports.of(remote.place)
    if not rewritten:
        return ""
    heads = {*_of_history(transport.heads(git, remote.place)).values()}
    if rewritten.keys().isdisjoint(heads):
        return ""
    if any(git.attempt("cat-file", "-e", head).status for head in heads - rewritten.keys()):
        return _goes_on(remote)
    return (
        f"{remote} has the history from before `gitbackup forget`, with what was forgotten; to"
        f" replace it: {replacing(git.folder, remote)}"
    )


def is_replaced_at(git: Commands, remote: Remote) -> bool:
    """Return whether a remote is known here from before something was forgotten."""
    return bool(rewrite.known(git)) and remote.name in {each.name for each in remotes.every(git)}


def replacing(folder: Path, remote: Remote) -> str:
    """Return the command by which a person replaces the history at a remote by this one."""
    if transports.encrypted(remote.place) is not None:
        return f"gitbackup push {shlex.quote(remote.name)}"
    where = f"git -C {shlex.quote(str(folder))} push --force {shlex.quote(remote.name)}"
    specs = [f"refs/{kind}/*" for kind in ("heads", "tags", "notes")] + [settings_ref.REF]
    return " ".join([where, *(shlex.quote(f"+{spec}:{spec}") for spec in specs)])


def expect_new(git: Commands, remote: Remote, before: Mapping[str, str]) -> None:
    """Raise GitbackupError, and remove what was fetched, if it goes on from the history from before
    something was forgotten here. `before` are the refs that there were."""
    rewritten = rewrite.known(git)
    if not rewritten:
        return
    fetched = {ref: i for ref, i in refs.under(git, "refs/").items() if before.get(ref) != i}
    stdin = "".join(f"{i}\n" for i in _of_history(fetched).values()).encode("ascii")
    if rewritten.keys().isdisjoint(text(git.run("rev-list", "--stdin", stdin=stdin)).split()):
        return
    for ref in fetched:
        git.run("update-ref", "-d", f"refs/{ref}")
    rewrite.prune(git)
    raise GitbackupError(f"{_goes_on(remote)}. Nothing was fetched")


def _goes_on(remote: Remote) -> str:
    return (
        f"{remote} goes on from the history from before `gitbackup forget`, with what was"
        " forgotten: whoever pushed there has to forget it, too, and push again; or clone it"
        " elsewhere, and do so there"
    )


def _of_history(theirs: Mapping[str, str]) -> dict[str, str]:
    """Return the refs that are no notes: those are merged, and so come after what was rewritten."""
    return {ref: ident for ref, ident in theirs.items() if "notes/" not in ref}


def expect_forgotten(git: Commands, remote: Remote, new: str, old: str | None) -> None:
    """Raise GitbackupError if commits that came have a value that was forgotten here."""
    find = forgotten.finder(git)
    if find is None:
        return
    words = ("log", "--raw", "--no-abbrev", "--no-renames", "-m", "--format=", "--root", new)
    lines = text(git.run(*words, *([f"^{old}"] if old else []))).splitlines()
    blobs = dict.fromkeys(line.split()[3] for line in lines if line.startswith(":"))
    reader = reader_of(git)
    for blob in filter(lambda blob: blob.strip("0"), blobs):
        if record := find(reader.read(blob)):
            raise GitbackupError(
                f"{remote} has commits with a value of {record} that was forgotten here, so nothing"
                " was changed: `gitbackup forget` has to be run where they were made, or"
                f" {forgotten.allow()} here lets them come"
            )


def forgotten_there(git: Commands, remote: Remote) -> str:
    """Return what to do here if something was forgotten at a remote, whose history was fetched;
    empty if nothing was that is not known here."""
    unknown = forgotten.unknown(git, settings_ref.aside(remote.name))
    if not unknown:
        return ""
    commands = dict.fromkeys(f"`gitbackup forget {_words(record)}`" for record in unknown)
    return (
        f"{remote} has forgotten {', '.join(map(str, unknown))}, so its commits have other ids than"
        f" here. Nothing was changed: {' and '.join(commands)} forgets it here, too, and then"
        " `gitbackup pull` continues"
    )


def _words(record: Forgotten) -> str:
    """Return the words that forget the same here."""
    if record.field_digest is not None:
        return shlex.join([record.key, "--field"]) + " THE-SAME-FIELD"
    part = [] if record.field is None else ["--field", record.field]
    dashes = ["--"] if record.key.startswith("-") else []
    return shlex.join([*part, *dashes, record.key])
