"""The commands that create a key, packed; what a server answers to them, and how it tells then
what it has."""

from __future__ import annotations

from typing import NamedTuple

from gitbackup import codec
from gitbackup.kinds.base import SHORT, Argument
from gitbackup.kinds.plain import made_by_one
from gitbackup.live.forms import argument
from gitbackup.live.wire import pack
from gitbackup.model import Entry

SET = b"*3\r\n$3\r\nSET\r\n%b%b"
SET_NEW = b"*4%b$2\r\nNX\r\n"
SET_NEW_UNTIL = b"*6%b$2\r\nNX\r\n$4\r\nPXAT\r\n%b"
EXPIRING = b"%b*3\r\n$9\r\nPEXPIREAT\r\n%b%b"
OK, COUNT = b"+OK\r\n", b":%d\r\n"
FOREVER, UNTIL = b":-1\r\n%b", b":%d\r\n%b"
HEADS: dict[Argument, int] = {
    verb: len(argument(verb.encode())) for verb in ("HSET", "RPUSH", "SADD", "ZADD")
}
PAIRED = {"HSET", "ZADD"}
READ: dict[Argument, bytes] = {
    "HSET": b"*2\r\n$1\r\n0\r\n*%d\r\n%b",  # in that order where the hash is a small one
    "RPUSH": b"*%d\r\n%b",
}
"""Replies that tell a value by the arguments that made it, as one to GETRANGE does; sets and
sorted sets have an order of their own."""


class Creation(NamedTuple):
    """How a key is created: its name, packed as an argument, the commands, and their number.

    `new` tells whether they do nothing where the key is there, so that nobody need look.
    `done` is what the server answers to them. `read` is its most likely reply to what
    `SmallValues` asks who hears of writes; None where nobody can say.
    """

    key: bytes
    commands: bytes
    number: int
    new: bool
    done: bytes
    read: bytes | None


def creation(name: str, entry: Entry, dated: bool) -> Creation | None:
    """How to create the key of a plain entry; None where the value takes more than one command.

    `dated` tells whether the server knows a SET that gives an instant, too.
    """
    key = argument(name.encode())
    if entry["type"] == "string":
        value = argument(entry["value"].encode())
        told = value if entry["value"] and len(value) < SHORT else None
        return _with_expiry(key, SET % (key, value), OK, told, entry, dated)
    command = made_by_one(name, entry)
    if command is None:
        return None
    verb, count, packed = command[0], len(command) - 2, pack(command)
    done = COUNT % (count // 2 if verb in PAIRED else count)
    told = None
    if verb in READ:
        told = READ[verb] % (count, packed[packed.index(b"\n") + 1 + HEADS[verb] + len(key) :])
    return _with_expiry(key, packed, done, told, entry, False)


def _with_expiry(
    key: bytes, command: bytes, done: bytes, told: bytes | None, entry: Entry, dated: bool
) -> Creation:
    """The same with what gives the key its expiry; `told` is how the value alone is told.

    A SET can be `dated`, and is of a new key then; other commands cannot.
    """
    if "expires_at" not in entry:
        made = SET_NEW % command[2:] if dated else command
        return Creation(key, made, 1, dated, done, told and FOREVER % told)
    moment = codec.milliseconds(entry["expires_at"])
    number = argument(b"%d" % moment)
    read = told and UNTIL % (moment, told)
    if dated:
        return Creation(key, SET_NEW_UNTIL % (command[2:], number), 1, True, done, read)
    return Creation(key, EXPIRING % (command, key, number), 2, False, done + COUNT % 1, read)
