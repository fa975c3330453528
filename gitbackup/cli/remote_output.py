"""What `push`, `pull` and `clone` share."""

from __future__ import annotations

import shlex
from pathlib import Path
from typing import TYPE_CHECKING, Any

from gitbackup.cli.options import FOLDER
from gitbackup.report.json import objects

if TYPE_CHECKING:  # it loads what `push --help` has no need of
    from gitbackup.remotes.shared_settings import ArrivedSettings


def came_object(came: ArrivedSettings) -> dict[str, Any]:
    return objects.came_object(came.globs, came.kept, came.url)


def named(folder: Path | None) -> str:
    """The words with which a command finds that repository."""
    return "" if folder in (None, FOLDER) else f" --repo {shlex.quote(str(folder))}"
