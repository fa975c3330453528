"""How long the work of `gitbackup diff A B` takes once all is imported; prints seconds.

    python -m tests.bench.engine REPOSITORY A B

What the command would print is printed, to nowhere.
"""

from __future__ import annotations

import importlib
import os
import pkgutil
import sys
import time
from contextlib import redirect_stdout
from pathlib import Path

import gitbackup
from gitbackup import Backup
from gitbackup.cli.output.diff_output import say_changes, view

LATE = "deepdiff", "git", "orjson"


def load() -> None:
    """Every module of the house, and what they load late."""
    for found in pkgutil.walk_packages(gitbackup.__path__, "gitbackup."):
        if not found.name.endswith("__main__"):
            importlib.import_module(found.name)
    for name in LATE:
        importlib.import_module(name)


def main(repository: str, a: str, b: str) -> None:
    load()
    with Path(os.devnull).open("w", encoding="utf-8") as nowhere, redirect_stdout(nowhere):
        began = time.perf_counter()
        backup = Backup(repository)
        say_changes(backup.diff(a, b), view(backup))
        took = time.perf_counter() - began
    print(took)


if __name__ == "__main__":
    main(*sys.argv[1:])
