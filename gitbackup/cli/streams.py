"""Standard input, output and error, which whoever starts us may have closed, as cron lines do."""

from __future__ import annotations

import os
import sys
from contextlib import suppress


def open_the_closed() -> None:
    """Opens those that are closed on the null device.

    Else the next file that anybody opens were one of them, and got what we print or git does.
    """
    for handle in range(3):
        try:
            os.fstat(handle)
        except OSError:
            with suppress(OSError):  # no null device: then they stay closed
                os.open(os.devnull, os.O_RDWR)  # takes the lowest number that is free: this one
                os.set_inheritable(handle, True)
    for name, mode in (("stdin", "r"), ("stdout", "w"), ("stderr", "w")):
        if getattr(sys, name) is None:
            stream = open(os.devnull, mode, encoding="utf-8")  # noqa: PTH123, SIM115
            setattr(sys, name, stream)


def is_closed_output() -> bool:
    """Whether nobody gets what goes to standard output, for it was closed from the start."""
    return getattr(sys.stdout, "name", "") == os.devnull
