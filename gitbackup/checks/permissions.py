"""Files and folders with secrets in them that other users of this machine can read."""

from __future__ import annotations

import stat
from collections.abc import Iterable
from contextlib import suppress
from pathlib import Path


def exposed(paths: Iterable[Path]) -> list[Path]:
    """Those of the paths that any user can read, since no folder above shuts others out.

    What is not there, or cannot be looked at, is not among them. A folder counts as soon as
    others may enter it: the names in a git repository are easy to guess.
    """
    return [path for path in paths if _open_to_others(path.absolute())]


def _open_to_others(path: Path) -> bool:
    with suppress(OSError):
        whole = path.resolve()
        reach = whole.stat().st_mode
        wanted = stat.S_IROTH | stat.S_IXOTH if stat.S_ISDIR(reach) else stat.S_IROTH
        above = (folder.stat().st_mode & stat.S_IXOTH for folder in whole.parents)
        return bool(reach & wanted) and all(above)
    return False
