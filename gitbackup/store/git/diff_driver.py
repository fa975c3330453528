"""How plain git tells a Redis key in a diff: the key's name at the head of each hunk.

A key is a line of its own, two spaces from the left; a file's rule and the attribute that
gives it to the files of keys are the repository's own, so that a snapshot is data only.
"""

from __future__ import annotations

from gitbackup.store.git import settings
from gitbackup.store.git.command import Commands, file_errors

_SECTION = b'[diff "gitbackup"]'
SETTINGS = {"diff.gitbackup.xfuncname": r'^  "((\\.|[^"\\])*)": [{]$'}
_ATTRIBUTE = "/db*/**/*.json diff=gitbackup"


def install(git: Commands) -> None:
    """Set the driver up where it is not; a person's own pattern for it stays."""
    with file_errors("set up the data repository"):
        if _SECTION in (git.git_dir / "config").read_bytes():
            return
        begin(git)
    settings.write(git, {name: [value] for name, value in SETTINGS.items()})


def begin(git: Commands) -> None:
    """Give it to the files of keys, before the settings tell that this is done."""
    add_line(git, "attributes", _ATTRIBUTE)


def add_line(git: Commands, name: str, line: str) -> None:
    """Add a line to one of git's files in info/, if it is not there yet."""
    file = git.git_dir / "info" / name
    lines = file.read_text().splitlines() if file.exists() else []
    if line not in lines:
        file.parent.mkdir(exist_ok=True)
        file.write_text("\n".join([*lines, line, ""]))
