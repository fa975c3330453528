"""How much memory there is for what is read."""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

_MEMINFO = re.compile(r"^(?:MemAvailable|SwapFree):\s+(\d+) kB$", re.MULTILINE)
_CACHE = re.compile(r"^inactive_file (\d+)$", re.MULTILINE)
SHORT = 128 * 1024 * 1024  # bytes

_GROUP = Path("/sys/fs/cgroup")


def left() -> int | None:
    """Return the bytes of memory that are left, within the limit of the container that this may
    run in; None where the system does not tell."""
    return min(_known(), default=None)


def is_short() -> bool:
    """Return whether so little is left that nothing more should be taken."""
    found = left()
    return found is not None and found < SHORT


def _known() -> Iterator[int]:
    with suppress(OSError):
        if found := _MEMINFO.findall(Path("/proc/meminfo").read_text()):
            yield 1024 * sum(map(int, found))
    with suppress(OSError, ValueError):  # "max" is no limit
        limit = int((_GROUP / "memory.max").read_text())
        used = int((_GROUP / "memory.current").read_text())
        cache = _CACHE.search((_GROUP / "memory.stat").read_text())
        yield max(0, limit - used + (int(cache[1]) if cache else 0))
