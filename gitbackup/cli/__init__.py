"""The `gitbackup` command: the only room that knows click, the environment and the terminal.

It reads options, calls `Backup`, prints what `report` makes of the results, and turns errors into
exit codes. Everything else is below, and does not know that it is there.
"""

from __future__ import annotations

import gc
import os
import signal
import sys
from contextlib import suppress

from gitbackup.cli.output import streams

MANY = 50_000
"""Objects between two searches for circles of dead ones: loading modules makes none."""

NICENESS = 10
"""Of 19: a server on this machine, and those who use it, go before us and the git that we run."""


def main() -> None:
    """Run the command line, and exit with its code."""
    streams.open_the_closed()
    streams.speak_utf8()
    gc.set_threshold(MANY)
    if sys.platform != "win32":
        with suppress(OSError):  # where it is not allowed
            os.nice(NICENESS)
        # who has started us may have blocked some, for itself: we and what we start hear all
        signal.pthread_sigmask(signal.SIG_SETMASK, ())
    try:
        from gitbackup.cli.app import run  # deferred: it takes long enough to be interrupted

        run()
    except KeyboardInterrupt:
        sys.exit(128 + signal.SIGINT)
    finally:
        gc.freeze()  # what is left goes with the process: nobody need search it
