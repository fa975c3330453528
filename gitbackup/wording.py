"""How a message names what its reader can give next.

The same sentence is read by a person who typed a command, and by a programmer who called a method.
The first is told of an option, such as --cacert, and the second of the parameter, `cacert`.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

_readers = ["Python"]  # the last one counts


@contextmanager
def for_command_line() -> Iterator[None]:
    """Word messages inside the block for a person at the command line. For `cli` only.

    It is so in all threads: whoever reads is the same for the whole process.
    """
    _readers.append("command line")
    try:
        yield
    finally:
        _readers.pop()


def option(name: str, parameter: str | None = None) -> str:
    """Return an option's name, such as --cacert, or in Python that of the parameter.

    `parameter` is that name, if it is not the option's.
    """
    if _readers[-1] != "Python":
        return name
    return f"`{parameter or name.lstrip('-').replace('-', '_')}`"


def command(words: str, method: str) -> str:
    """Return a command, such as `gitbackup commit`, or in Python the method of Backup."""
    return f"`gitbackup {words}`" if _readers[-1] != "Python" else f"`Backup.{method}`"
