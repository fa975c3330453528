"""The `gitbackup` command: the only room that knows click, the environment and the terminal."""

from __future__ import annotations


def main() -> None:
    """Runs the command line, and exits with its code."""
    from gitbackup.cli.app import run  # deferred, so that importing gitbackup stays light

    run()
