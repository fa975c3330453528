"""Print what happens once a command has made a commit."""

from __future__ import annotations

from gitbackup import Backup
from gitbackup.cli import terminal
from gitbackup.report.text import sentences


def say_after_commit(backup: Backup, as_json: bool, made: bool = True) -> str:
    """Do what is to be done after a commit, and print it; return a sentence on what failed.

    The sentence is empty where nothing did. `made` is false where the command found nothing to
    commit: then only what earlier commits have left undone is done.
    """
    done = backup.after_commit(made)
    if (pushed := done.pushed) is not None:
        terminal.warn_all(pushed.warnings)
        terminal.say([sentences.push_line(pushed)], err=as_json)
    return "; ".join(done.failed)
