"""Push after a commit, where that is set."""

from __future__ import annotations

from gitbackup.backup import Backup
from gitbackup.cli import terminal
from gitbackup.errors import GitbackupError
from gitbackup.report.text import sentences


def push_after_commit(backup: Backup, as_json: bool, made: bool = True) -> str:
    """What a command that commits ends with: pushes, where the settings say so.

    Unless a commit was `made`, only what earlier commits have left. Returns what to say where
    that failed; the commits stand.
    """
    try:
        result = backup.push_after_commit(made)
    except GitbackupError as error:
        what = "the commit was made, but" if made else "earlier commits were"
        return f"{what} not pushed: {error}"
    if result is not None:
        terminal.warn_all(result.warnings)
        facts = (result.remote, result.place, result.head, result.commits)
        terminal.say(sentences.push_lines(*facts, result.settings), err=as_json)
    return ""
