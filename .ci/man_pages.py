"""Puts the man pages into a wheel, in share/man, where pip installs them for `man` to find."""

import sys
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from hatchling.builders.hooks.plugin.interface import BuildHookInterface


class ManPages(BuildHookInterface):
    """Writes the pages beside the checkout before a wheel is built, and removes them after."""

    def initialize(self, version: str, build_data: dict[str, Any]) -> None:
        if version == "editable":  # there the help is that of the checkout, and may change
            return
        sys.path.insert(0, self.root)
        from gitbackup.cli.manual import write  # deferred: of the checkout that is built

        self.pages = TemporaryDirectory()
        for path in write(Path(self.root) / "docs", Path(self.pages.name)):
            build_data["shared_data"][str(path)] = f"share/man/man1/{path.name}"

    def finalize(self, version: str, build_data: dict[str, Any], artifact_path: str) -> None:
        if hasattr(self, "pages"):
            self.pages.cleanup()
