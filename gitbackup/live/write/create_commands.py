"""The packed commands that create a key, and the replies that are expected to them.

They are made for each of the many keys that a restore creates in bulk, so their bytes are put
together directly.
"""

from __future__ import annotations

from typing import NamedTuple

from gitbackup.kinds.base import SHORT, Argument
from gitbackup.kinds.canonical_check import made_by_one, milliseconds
from gitbackup.live.connection.connection import pack
from gitbackup.live.connection.resp import argument
from gitbackup.model.keys import Entry


class Creation(NamedTuple):
    """How a key is created.

    `key` is its name as a packed argument. `commands` are packed, and `number` of them. `only_new`
    tells whether they do nothing if the key exists, so that nobody has to look first. `reply` is
    what the server answers to them. `likely_read` is what it then most likely answers when a
    `SmallValues` that hears of writes asks for the key; None if that cannot be told.
    """

    key: bytes
    commands: bytes
    number: int
    only_new: bool
    reply: bytes
    likely_read: bytes | None


ARGUMENT = b"$%d\r\n%b\r\n"
SET = b"*3\r\n$3\r\nSET\r\n%b%b"
SET_NEW = b"*4\r\n$3\r\nSET\r\n%b%b$2\r\nNX\r\n"
SET_NEW_UNTIL = b"*6\r\n$3\r\nSET\r\n%b%b$2\r\nNX\r\n$4\r\nPXAT\r\n$%d\r\n%b\r\n"
UNTIL = b"%b*3\r\n$9\r\nPEXPIREAT\r\n%b$%d\r\n%b\r\n"
HEADS: dict[Argument, int] = {
    verb: len(argument(verb.encode())) for verb in ("HSET", "RPUSH", "SADD", "ZADD")
}
PAIRED = {"HSET", "ZADD"}
READ: dict[Argument, bytes] = {
    "HSET": b":%b\r\n*2\r\n$1\r\n0\r\n*%d\r\n%b",  # in that order where the hash is a small one
    "RPUSH": b":%b\r\n*%d\r\n%b",
}
"""Replies with a key's expiry, and its value as the arguments that made it. A string is built
apart from these; sets and sorted sets are read in an order of their own."""

FOREVER = b"-1"


def creation(name: str, entry: Entry, dated: bool) -> Creation | None:
    """Return how to create the key of a plain entry; None if its value takes several commands.

    `dated` tells whether the server's SET can give an instant (`PXAT`).
    """
    raw, when = name.encode(), entry.get("expires_at")
    key = ARGUMENT % (len(raw), raw)
    moment = b"" if when is None else b"%d" % milliseconds(str(when))
    if entry["type"] == "string":
        return _string(key, entry["value"].encode(), moment, dated)
    command = made_by_one(name, entry)
    if command is None:
        return None
    verb, count, packed = command[0], len(command) - 2, pack(command)
    read = READ.get(verb)
    if read:
        value = packed[packed.index(b"\n") + 1 + HEADS[verb] + len(key) :]
        read %= moment or FOREVER, count, value
    number = count // 2 if verb in PAIRED else count
    if not moment:
        return Creation(key, packed, 1, False, b":%d\r\n" % number, read)
    commands = UNTIL % (packed, key, len(moment), moment)
    return Creation(key, commands, 2, False, b":%d\r\n:1\r\n" % number, read)


def _string(key: bytes, value: bytes, moment: bytes, dated: bool) -> Creation:
    """Return how to create a string. If SET can be `dated`, it writes to new keys only."""
    packed = ARGUMENT % (len(value), value)
    read = b":%b\r\n%b" % (moment or FOREVER, packed) if 0 < len(value) < SHORT else None
    if dated:
        new = (key, packed, len(moment), moment) if moment else (key, packed)
        command = (SET_NEW_UNTIL if moment else SET_NEW) % new
        return Creation(key, command, 1, True, b"+OK\r\n", read)
    command = SET % (key, packed)
    if not moment:
        return Creation(key, command, 1, False, b"+OK\r\n", read)
    commands = UNTIL % (command, key, len(moment), moment)
    return Creation(key, commands, 2, False, b"+OK\r\n:1\r\n", read)
