"""Python's collector of reference cycles, which costs much where millions of objects come and go.

What is read from a server or a repository has no cycles: it goes when the last reference does.
"""

from __future__ import annotations

import gc
from collections.abc import Iterator
from contextlib import contextmanager


@contextmanager
def uncollected() -> Iterator[None]:
    """Lets the collector rest meanwhile."""
    if not gc.isenabled():
        yield
        return
    gc.disable()
    try:
        yield
    finally:
        gc.enable()
