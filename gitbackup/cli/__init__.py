"""The `gitbackup` command: the only room that knows click, the environment and the terminal."""

from __future__ import annotations

import signal
import sys


def main() -> None:
    """Runs the command line, and exits with its code."""
    try:
        from gitbackup.cli.app import run  # deferred: it takes long enough to be interrupted

        run()
    except KeyboardInterrupt:
        sys.exit(128 + signal.SIGINT)
