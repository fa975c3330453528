"""The commands that create a key, packed; what a server answers to them, and how it tells then
what it has. This is done for every key of a restore, so each is put together in one go."""

from __future__ import annotations

from gitbackup.kinds.base import SHORT, Argument
from gitbackup.kinds.canonical_check import made_by_one, milliseconds
from gitbackup.live.connection.connection import pack
from gitbackup.live.connection.resp import argument
from gitbackup.model.keys import Entry

Creation = tuple[bytes, bytes, int, bool, bytes, bytes | None]
"""How a key is created: its name, packed as an argument, the commands, and their number; whether
they do nothing where the key is there, so that nobody need look; what the server answers to them;
and its most likely reply to what `SmallValues` asks who hears of writes, None where nobody can say.
"""

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
"""Replies that tell a key's expiry, and its value by the arguments that made it. A string is told
by itself; sets and sorted sets have an order of their own."""

FOREVER = b"-1"


def creation(name: str, entry: Entry, dated: bool) -> Creation | None:
    """How to create the key of a plain entry; None where the value takes more than one command.

    `dated` tells whether the server knows a SET that gives an instant, too.
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
        return key, packed, 1, False, b":%d\r\n" % number, read
    commands = UNTIL % (packed, key, len(moment), moment)
    return key, commands, 2, False, b":%d\r\n:1\r\n" % number, read


def _string(key: bytes, value: bytes, moment: bytes, dated: bool) -> Creation:
    """A SET can be `dated`, and is of a new key then; other commands cannot."""
    packed = ARGUMENT % (len(value), value)
    read = b":%b\r\n%b" % (moment or FOREVER, packed) if 0 < len(value) < SHORT else None
    if dated:
        new = (key, packed, len(moment), moment) if moment else (key, packed)
        return key, (SET_NEW_UNTIL if moment else SET_NEW) % new, 1, True, b"+OK\r\n", read
    command = SET % (key, packed)
    if not moment:
        return key, command, 1, False, b"+OK\r\n", read
    commands = UNTIL % (command, key, len(moment), moment)
    return key, commands, 2, False, b"+OK\r\n:1\r\n", read
