"""Settings that travel with the history: a file in the commits of a ref of its own, and beside it
what was forgotten.

A remote's are fetched aside; what becomes of them is not settled here.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager

from gitbackup.store.git import identity, lock
from gitbackup.store.git.command import Commands, text
from gitbackup.store.metadata import forgotten
from gitbackup.store.metadata.forgotten import Forgotten
from gitbackup.store.objects import refs

REF = forgotten.REF
FILE = "settings.json"
MOST = 64 * 1024
"""Bytes of such a file; what has more is none."""

FETCHED = "refs/gitbackup/setting*"
"""The pattern of a refspec, which may match nothing: the name alone has to be there."""


def aside(remote: str) -> str:
    """Return where a remote's are."""
    return f"refs/gitbackup/from/{remote}/settings"


def fetched(remote: str) -> str:
    """Return the refspec that gets a remote's, where it has some."""
    return f"+{FETCHED}:refs/gitbackup/from/{remote}/setting*"


def forget(git: Commands, remote: str) -> None:
    """Drop what was fetched of a remote's: the next may be in the way of it."""
    names = git.run("for-each-ref", "--format=%(refname)", f"refs/gitbackup/from/{remote}/")
    for name in names.decode("utf-8", "surrogateescape").splitlines():
        git.run("update-ref", "-d", name)


def commit(git: Commands, ref: str) -> str | None:
    """Return the commit that a ref is at; None if there is none, or it is at something else."""
    found = git.attempt("rev-parse", "--verify", "--quiet", f"{ref}^{{commit}}")
    return None if found.status else found.out.decode("ascii").strip()


def read(git: Commands, commit: str) -> bytes | None:
    """Return what the file holds; None if there is none, or it is larger than any."""
    size = git.attempt("cat-file", "-s", f"{commit}:{FILE}")
    if size.status or int(size.out) > MOST:
        return None
    found = git.attempt("cat-file", "blob", f"{commit}:{FILE}")
    return None if found.status else found.out


@contextmanager
def changing(git: Commands, wait: float) -> Iterator[None]:
    """Let no other run change the ref inside the block, and sweep up what a killed git left of it.

    Raises Busy if another run changes it for `wait` seconds.
    """
    holding = lock.hold(git, "carrying.lock", wait, "changing the settings of {}")
    with holding as killed:
        if killed:
            lock.sweep(git, killed, "refs/gitbackup/**/*.lock")
        yield


def write(
    git: Commands, content: bytes, parents: Sequence[str], more: Sequence[Forgotten] = ()
) -> None:
    """Make the file's next version, on these commits; the first of them is where the ref is.

    Beside it is what was forgotten, by any of these commits, and `more`.
    """
    records = [*more, *(record for parent in parents for record in forgotten.read(git, parent))]
    files = {FILE: content} | ({forgotten.FILE: forgotten.compose(records)} if records else {})
    entries = b""
    for name, data in files.items():
        blob = text(git.run("hash-object", "-w", "--stdin", stdin=data)).strip()
        entries += f"100644 blob {blob}\t{name}\n".encode()
    tree = text(git.run("mktree", stdin=entries)).strip()
    words = [word for parent in parents for word in ("-p", parent)]
    made = git.run(
        *("commit-tree", tree, *words, "-m", "settings"), environment=identity.environment(git)
    )
    move(git, made.decode("ascii").strip())


def move(git: Commands, made: str) -> None:
    """Make a commit's file the one that is in force."""
    refs.move(git, REF, made, refs.read(git, REF))


def base(git: Commands, one: str, other: str) -> str | None:
    """Return the commit that both come from; None if they have none in common."""
    found = git.attempt("merge-base", one, other)
    return None if found.status else found.out.decode("ascii").split()[0]
