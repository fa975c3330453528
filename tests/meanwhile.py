"""Something that goes on in a thread while a test does something else."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager


@contextmanager
def meanwhile(work: Callable[[threading.Event], None]) -> Iterator[None]:
    """Inside, `work` runs in a thread; it is given the event that tells it to end.

    Raise what `work` raised.
    """
    stop = threading.Event()
    with ThreadPoolExecutor(max_workers=1) as pool:
        done = pool.submit(work, stop)
        try:
            yield
        finally:
            stop.set()
    done.result()
