"""Whether every object of the repository is there and is what its id says."""

from __future__ import annotations

from gitbackup.store.command import Commands, text

_IDLE = ("notice:", "dangling ", "unreachable ", "hint:")


def check(git: Commands) -> list[str]:
    """What `git fsck` finds wrong, a sentence each; nothing where all is well.

    It reads every object of every pack, loose ones, the index and the reflogs, and follows
    each commit to the last of its files.
    """
    result = git.attempt("fsck", "--full", "--strict", "--no-dangling", "--no-progress")
    if not result.status:
        return []
    told = result.error + "\n" + text(result.out).replace("\n              to ", " to ")
    lines = dict.fromkeys(" ".join(line.split()) for line in told.split("\n"))
    problems = [line for line in lines if line and not line.startswith(_IDLE)]
    return problems or [f"git fsck ended with status {result.status}"]
