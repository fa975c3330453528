"""What a reply to each command looks like: another than these is nonsense, whoever sent it.

Only commands whose replies are looked into are told of; an error reply is always one.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable
from typing import Any

from gitbackup.kinds import Command, base

Shape = Callable[[Any], bool]

LARGEST = 2**63
IDS = re.compile(r"(?:[0-9]{1,20}-[0-9]{1,20}\n)*")


def fits(command: Command, reply: Any) -> bool:
    """Whether a reply that is no error can be one to this command."""
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


def is_number(reply: Any) -> bool:
    return type(reply) is int and -LARGEST <= reply < LARGEST


def are_numbers(replies: Iterable[Any]) -> bool:
    return all(map(is_number, replies))


def are_texts(replies: Any) -> bool:
    return type(replies) is list and {*map(type, replies)} <= {str}


def is_type(reply: Any) -> bool:
    """A type's name."""
    return type(reply) is str and 0 < len(reply) < 100 and reply.isascii() and reply.isprintable()


def mapping(reply: Any) -> dict[str, Any]:
    """A map of names. Raises TypeError or ValueError for anything else."""
    if not isinstance(reply, dict | list):
        raise TypeError
    found = base.mapping(reply)
    if not {*map(type, found)} <= {str}:
        raise TypeError
    return found


def _text(reply: Any) -> bool:
    return type(reply) is str


def _text_or_none(reply: Any) -> bool:
    return reply is None or type(reply) is str


def _number_or_none(reply: Any) -> bool:
    return reply is None or is_number(reply)


def _digits(text: Any) -> bool:
    return type(text) in (str, bytes) and text.isdigit() and len(text) <= 20


def _time(reply: Any) -> bool:
    seconds, micro = reply
    return _digits(seconds) and _digits(micro) and int(seconds) < 2**40


def _scan(reply: Any) -> bool:
    cursor, found = reply
    return _digits(cursor) and type(found) is list and {*map(type, found)} <= {str, bytes}


def _scan_of_pairs(reply: Any) -> bool:
    return _scan(reply) and len(reply[1]) % 2 == 0


def _scores(reply: Any) -> bool:
    if type(reply) is not list:
        return False
    if {*map(type, reply)} <= {str}:  # RESP2
        members, scores = reply[::2], reply[1::2]
    else:
        members, scores = [member for member, _ in reply], [score for _, score in reply]
    numbers = [*map(float, scores)]
    return len(members) == len(numbers) and are_texts(members) and numbers == [*map(_same, numbers)]


def _same(number: float) -> float | None:
    return number if number == number else None  # only a number that is none differs


def _entries(reply: Any) -> bool:
    ids = [id_ for id_, _ in reply]
    flat = all(are_texts(fields) and fields and not len(fields) % 2 for _, fields in reply)
    return type(reply) is list and flat and bool(IDS.fullmatch("".join(f"{id_}\n" for id_ in ids)))


def _full(reply: Any) -> bool:
    full = mapping(reply)
    needed = is_number(full["length"]) and _text(full["last-generated-id"])
    counted = is_number(full.get("entries-added", 0)) and _text(
        full.get("max-deleted-entry-id", "")
    )
    return needed and counted and _entries(full["entries"]) and all(map(_group, full["groups"]))


def _group(reply: Any) -> bool:
    group = mapping(reply)
    named = _text(group["name"]) and _text(group["last-delivered-id"])
    counted = is_number(group["pel-count"]) and _number_or_none(group.get("entries-read"))
    consumers = all(_text(mapping(consumer)["name"]) for consumer in group["consumers"])
    pending = all(map(_pending, group["pending"]))
    return named and counted and consumers and pending


def _pending(reply: Any) -> bool:
    id_, owner, delivered_at, deliveries = reply
    return _text(id_) and _text(owner) and are_numbers((delivered_at, deliveries))


def _moments(reply: Any) -> bool:
    return reply is None or (type(reply) is list and are_numbers(reply))


def _settings(reply: Any) -> bool:
    return {*map(type, mapping(reply).values())} <= {str}


def _hello(reply: Any) -> bool:
    told = mapping(reply)
    named = all(is_type(told.get(name, "-")) for name in ("server", "version", "mode", "role"))
    return bool(told) and named


def _libraries(reply: Any) -> bool:
    names = ("library_name", "engine", "library_code")
    return all(all(_text(mapping(one)[name]) for name in names) for one in reply)


SHAPES: dict[str, Shape] = {
    "TYPE": is_type,
    **dict.fromkeys(("PEXPIRETIME", "PTTL", "DBSIZE", "STRLEN"), is_number),
    **dict.fromkeys(("GET", "GETRANGE", "DUMP", "OBJECT ENCODING"), _text_or_none),
    **dict.fromkeys(("INFO", "ECHO"), _text),
    **dict.fromkeys(("SCAN", "SSCAN"), _scan),
    **dict.fromkeys(("LRANGE", "HKEYS"), are_texts),
    **dict.fromkeys(("MULTI", "SELECT", "WATCH", "UNWATCH", "AUTH"), lambda reply: reply == "OK"),
    "MEMORY USAGE": _number_or_none,
    "TIME": _time,
    "HSCAN": _scan_of_pairs,
    "ZRANGE": _scores,
    "XRANGE": _entries,
    "XINFO STREAM": _full,
    "HPEXPIRETIME": _moments,
    "CONFIG GET": _settings,
    "FUNCTION LIST": _libraries,
    "HELLO": _hello,
    "PING": lambda reply: reply == "PONG",
}
