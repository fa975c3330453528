"""Every command, in the family that it belongs to, as `gitbackup --help` lists them.

Nothing is loaded for it: a command's module is imported when the command is run.
"""

from __future__ import annotations

from collections import ChainMap
from typing import NamedTuple


class Family(NamedTuple):
    """Commands that do the same kind of thing, by the names of their files.

    `pages` are the pages of docs/ which describe them.
    """

    title: str
    pages: tuple[str, ...]
    commands: dict[str, str]


FAMILIES = (
    Family(
        "Record what the database holds",
        ("record", "watch"),
        {
            "init": "Create the data repository, or add settings to it.",
            "config": "List the settings, or change them.",
            "commit": "Commit every key of the database.",
            "note": "Say afterwards why a commit was made.",
            "watch": "Commit automatically whenever keys change.",
        },
    ),
    Family(
        "Look at the history and at the database",
        ("look", "ui"),
        {
            "status": "Show how the database differs from the last commit.",
            "log": "Show the commits, newest first.",
            "show": "Show what a commit changed, or one key of a commit.",
            "blame": "Show which commit last changed each part of a key.",
            "keys": "List the keys of a commit: type, size and expiry.",
            "diff": "Show what changed, key by key and inside the values.",
            "suggest": "Propose which keys to silence, by what changed lately.",
            "ui": "Look at all of it in a browser, and bring back what you need.",
        },
    ),
    Family(
        "Bring back what it held",
        ("bring-back",),
        {
            "restore": "Make the database equal to a commit.",
            "revert": "Take back what one commit changed; what came later stays.",
            "undo": "Put back what the last restore replaced.",
        },
    ),
    Family(
        "Copy it elsewhere",
        ("copy-elsewhere",),
        {
            "push": "Push the history to a git remote, or to a file in a folder.",
            "pull": "Fetch commits that were pushed from elsewhere.",
            "clone": "Copy a data repository from elsewhere.",
            "export": "Write a commit, or the live database, to one portable file.",
            "import": "Write the contents of such a file into the database.",
            "copy": "Copy the keys of one live server into another.",
            "rdb": "Save RDB files, list them, verify them.",
        },
    ),
    Family(
        "Protect it",
        ("protect",),
        {
            "check": "Check whether your data is safe, and say what to do.",
            "verify": "Verify that commits restore exactly, in a temporary server.",
            "forget": "Take a secret value out of every commit.",
        },
    ),
    Family(
        "Learn gitbackup",
        ("help",),
        {
            "demo": "Try gitbackup with a temporary server.",
            "help": "Show the help of a command, or what the exit codes mean.",
            "completion": "Print the script for Tab completion in your shell.",
        },
    ),
)
"""The families, and in each its commands: a new command has its line here, and in no other list."""

COMMANDS = ChainMap(*(family.commands for family in reversed(FAMILIES)))
"""Each command, by the name of its file, and what `--help` says of it before that is loaded."""
