"""One run at a time in a data repository."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from gitbackup.errors import Busy
from gitbackup.store.command import Commands, file_errors


@contextmanager
def hold(
    git: Commands, name: str = "lock", patience: float = 0, busy: str = "at work in {}; run again"
) -> Iterator[None]:
    """Holds the repository's lock, which goes with this process, however it ends.

    `name` is that of a lock for work beside which the repository may change. Raises Busy where
    another run holds it for so many seconds, and says where that is at what.
    """
    from filelock import FileLock, Timeout  # deferred: whoever only reads has no need of it

    lock = FileLock(git.git_dir / "gitbackup" / name, timeout=patience, mode=0o600)
    with file_errors("lock the data repository"):
        (git.git_dir / "gitbackup").mkdir(mode=0o700, exist_ok=True)
        try:
            lock.acquire()
        except Timeout as error:
            sentence = f"another run of gitbackup is {busy.format(git.folder)}"
            raise Busy(sentence) from error
    try:
        yield
    finally:
        lock.release()
