"""Other users of the machine, whom only root can stand in for, and folders that all write to."""

from __future__ import annotations

import os
import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

STRANGER, ANOTHER = 12_345, 12_346

by_root = pytest.mark.skipif(
    not hasattr(os, "geteuid") or os.geteuid() != 0, reason="only root can give a file away"
)


@pytest.fixture
def shared() -> Iterator[Path]:
    """A folder in which every user may make files, as /tmp is one."""
    folder = Path(tempfile.mkdtemp(prefix="shared-"))
    folder.chmod(0o1777)
    yield folder
    shutil.rmtree(folder)
