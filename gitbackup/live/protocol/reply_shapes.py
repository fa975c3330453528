"""What a valid reply to each command looks like.

Only commands whose replies are looked into are told of; an error reply is always one.
"""

from __future__ import annotations

from typing import Any

from gitbackup.kinds import KINDS, Command
from gitbackup.kinds.base import Shape
from gitbackup.kinds.shapes import (
    is_digits,
    is_number,
    is_scan,
    is_text,
    mapping,
    number_or_none,
    text_or_none,
)


def fits(command: Command, reply: Any) -> bool:
    """Return whether a reply, other than an error, is valid for this command."""
    first = str(command[0]).upper()
    shape = SHAPES.get(first) or SHAPES.get(
        f"{first} {str(command[1]).upper()}" if command[1:] else ""
    )
    if shape is None:
        return True
    try:
        return shape(reply)
    except (TypeError, ValueError, KeyError, AttributeError, LookupError):
        return False


def is_type(reply: Any) -> bool:
    """Return whether a reply is the name of a type."""
    return type(reply) is str and 0 < len(reply) < 100 and reply.isascii() and reply.isprintable()


def _time(reply: Any) -> bool:
    seconds, micro = reply
    return is_digits(seconds) and is_digits(micro) and int(seconds) < 2**40


def _settings(reply: Any) -> bool:
    return {*map(type, mapping(reply).values())} <= {str}


def _hello(reply: Any) -> bool:
    told = mapping(reply)
    named = all(is_type(told.get(name, "-")) for name in ("server", "version", "mode", "role"))
    return bool(told) and named


def _libraries(reply: Any) -> bool:
    names = ("library_name", "engine", "library_code")
    return all(all(is_text(mapping(one)[name]) for name in names) for one in reply)


SHAPES: dict[str, Shape] = {
    "TYPE": is_type,
    **dict.fromkeys(("PEXPIRETIME", "PTTL", "DBSIZE"), is_number),
    **dict.fromkeys(("DUMP", "OBJECT ENCODING"), text_or_none),
    **dict.fromkeys(("INFO", "ECHO"), is_text),
    **dict.fromkeys(("MULTI", "SELECT", "WATCH", "UNWATCH", "AUTH"), lambda reply: reply == "OK"),
    "SCAN": is_scan,
    "MEMORY USAGE": number_or_none,
    "TIME": _time,
    "CONFIG GET": _settings,
    "FUNCTION LIST": _libraries,
    "HELLO": _hello,
    "PING": lambda reply: reply == "PONG",
    **{command: shape for kind in KINDS.values() for command, shape in kind.replies.items()},
}
