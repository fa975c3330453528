"""Check that every object of the repository exists and is what its id says."""

from __future__ import annotations

import re

from gitbackup.store.git.command import Commands, failure, text

_IDLE = ("notice:", "dangling ", "unreachable ", "hint:")
_NO_DAMAGE = (
    *("badDate", "badDateOverflow", "badEmail", "badName", "badTimezone", "missingEmail"),
    *("missingNameBeforeEmail", "missingSpaceBeforeDate", "missingSpaceBeforeEmail"),
    *("zeroPaddedDate", "zeroPaddedFilemode"),
)
"""Faults in the names and dates of commits by old tools, which lose no data."""

_SETTINGS = re.compile(
    "fatal: (could not open object name list|unhandled message id|unknown fsck message)",
    re.IGNORECASE,
)
"""What git says if it has checked nothing, because the settings fsck.* are invalid."""


def check(git: Commands) -> list[str]:
    """Return what `git fsck` finds wrong, a sentence each; nothing if all is well.

    It reads every object, packed and loose, the index and the reflogs, and follows each commit to
    the last of its files. Raises GitbackupError if git's settings keep it from checking.
    """
    tolerant = [word for name in _NO_DAMAGE for word in ("-c", f"fsck.{name}=ignore")]
    options = ("--full", "--strict", "--no-dangling", "--no-progress")
    result = git.attempt(*tolerant, "fsck", *options)
    if not result.status:
        return []
    if _SETTINGS.search(result.error):
        raise failure("fsck", result)
    output = result.error + "\n" + text(result.out).replace("\n              to ", " to ")
    lines = dict.fromkeys(" ".join(line.split()) for line in output.split("\n"))
    problems = [line for line in lines if line and not line.startswith(_IDLE)]
    return problems or [f"git fsck ended with status {result.status}"]
