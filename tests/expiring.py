"""A key that is in a commit and has expired since, however slow the machine is."""

from __future__ import annotations

import time
from typing import Any

from gitbackup import Backup


def commit_what_expires(client: Any, backup: Backup, name: str) -> None:
    """Commit the database with a string of this name, and wait until that has expired."""
    for life in (500, 5_000, 50_000):  # ms, until a commit is faster
        client.set(name, "1", px=life)
        backup.commit()
        if client.exists(name):
            break
    while client.exists(name):
        time.sleep(0.02)
