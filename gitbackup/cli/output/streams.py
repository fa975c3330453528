"""Standard input, output and error: closed ones, as cron lines have them, and their encoding."""

from __future__ import annotations

import os
import sys
from contextlib import suppress


def open_the_closed() -> None:
    """Open those that are closed on the null device.

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


def speak_utf8() -> None:
    """Start again in Python's UTF-8 mode, where the locale's encoding is another one.

    Keys, messages and the names of files are UTF-8 in a data repository, whatever a terminal's
    locale is. Words in another encoding would name other keys and files than there are.
    """
    if sys.getfilesystemencoding() != "utf-8" and not sys.flags.utf8_mode and sys.executable:
        os.execv(sys.executable, [sys.executable, "-X", "utf8", *sys.orig_argv[1:]])  # noqa: S606


def is_closed_output() -> bool:
    """Return whether nobody gets what goes to standard output, for it was closed from the start."""
    return getattr(sys.stdout, "name", "") == os.devnull
