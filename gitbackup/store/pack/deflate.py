"""Compress as git does; by ISA-L where it is installed, which takes a quarter of zlib's time.

Both let other threads run meanwhile.
"""

from __future__ import annotations

import zlib
from collections.abc import Callable

LEVEL = 1  # the next ones take twice the time, for 12% less


def best() -> Callable[[bytes], bytes]:
    """Return the fastest function that makes a zlib stream of bytes."""
    try:
        from isal import isal_zlib  # only what writes a commit needs it
    except ImportError:  # it is not built for every kind of processor
        return by_zlib
    return lambda content: isal_zlib.compress(content, LEVEL)


def by_zlib(content: bytes) -> bytes:
    """Return a zlib stream of bytes."""
    return zlib.compress(content, LEVEL)
