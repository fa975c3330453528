"""The `gitbackup` command: the only room that knows click, the environment and the terminal."""

from __future__ import annotations

import gc
import signal
import sys

MANY = 50_000
"""Objects between two searches for circles of dead ones: loading modules makes none."""


def main() -> None:
    """Runs the command line, and exits with its code."""
    gc.set_threshold(MANY)
    try:
        from gitbackup.cli.app import run  # deferred: it takes long enough to be interrupted

        run()
    except KeyboardInterrupt:
        sys.exit(128 + signal.SIGINT)
    finally:
        gc.freeze()  # what is left goes with the process: nobody need search it
