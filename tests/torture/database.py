"""A server of the rig's own, what it holds, and what is written into it.

Every value that is written has a token of its own, text that occurs nowhere else: so whether a
value is still there, or in the history, can be told without knowing how it is stored.
"""

from __future__ import annotations

import base64
import os
import re
import shutil
import signal
import socket
import subprocess
import time
from collections.abc import Iterable, Sequence
from contextlib import suppress
from hashlib import sha1
from itertools import count
from pathlib import Path
from random import Random
from typing import Any, NamedTuple

import hiredis

from gitbackup.live.server.staging_keys import MARK

TOKEN = re.compile(rb"t0k[0-9a-z]{8}")
BINARY = re.compile(rb'base64:([A-Za-z0-9+/=]+)"')
DATABASES = (0, 3)
HOUR = 3_600_000
LATER = 4_102_444_800_000
PATIENCE = 60.0  # seconds that a server is given on a busy machine
LARGE = 3_000
"""Elements of a value that is large enough to be built aside."""

Key = tuple[int, bytes]
Command = tuple[bytes | str | int | float, ...]
_numbers = count()


def tokens_in(data: bytes) -> frozenset[bytes]:
    """The tokens in a file of entries, also those of values that are no text."""
    found = {*TOKEN.findall(data)}
    for hidden in BINARY.findall(data):
        with suppress(ValueError):
            found |= {*TOKEN.findall(base64.b64decode(hidden))}
    return frozenset(found)


class Held(NamedTuple):
    """What one key holds: the server's own digest of it, its expiry, its tokens."""

    type: bytes
    digest: str
    expires_at: int
    tokens: frozenset[bytes]


class State(NamedTuple):
    """What a server holds; `digest` is its own of everything, `now` its clock."""

    keys: dict[Key, Held]
    libraries: frozenset[bytes]
    digest: bytes
    now: int

    @property
    def tokens(self) -> frozenset[bytes]:
        """Those of all but values that are built aside."""
        lasting = (held.tokens for key, held in self.keys.items() if MARK not in key[1])
        values = frozenset().union(*lasting)
        return values | frozenset(TOKEN.findall(b"".join(self.libraries)))

    @property
    def aside(self) -> list[Key]:
        """Keys that a restore has built aside and not yet renamed."""
        return [key for key in self.keys if MARK in key[1]]


def library_named(code: bytes) -> bytes:
    """The first line of a library's code, which holds its name."""
    return code.partition(b"\n")[0]


class Gone(Exception):
    """The server does not answer."""


class Database:
    """A server on a unix socket; with `keeps` its data survive a kill.

    `clock` has it run by a clock of its own, which `jump` moves.
    """

    def __init__(self, folder: Path, program: Path, keeps: bool, clock: str | None = None) -> None:
        self.folder = folder
        self.socket = folder / "s"
        self.url = f"unix://{self.socket}"
        self.keeps = keeps
        self._clock = clock
        self._program = program
        self._connection: socket.socket | None = None
        self._reader = hiredis.Reader()
        self._process: subprocess.Popen[bytes] | None = None
        folder.mkdir(mode=0o700)
        self.jump(0)
        self.start()

    def start(self) -> None:
        """Starts it, and waits until it answers."""
        settings = {
            "port": "0",
            "unixsocket": str(self.socket),
            "dir": str(self.folder),
            "save": "",
            "appendonly": "yes" if self.keeps else "no",
            "appendfsync": "always",
            "enable-debug-command": "yes",
            "rdbcompression": "no",  # so that tokens are seen in what DUMP replies
            "repl-diskless-sync-delay": "0",
            "daemonize": "no",
            "logfile": str(self.folder / "log"),
        }
        words = [word for name, value in settings.items() for word in (f"--{name}", value)]
        around = dict(os.environ)
        if self._clock:
            around |= {
                "LD_PRELOAD": self._clock,
                "FAKETIME_TIMESTAMP_FILE": str(self.folder / "clock"),
                "FAKETIME_NO_CACHE": "1",
                "FAKETIME_DONT_FAKE_MONOTONIC": "1",
                "DONT_FAKE_MONOTONIC": "1",
            }
        guard = ["setpriv", "--pdeathsig", "KILL"] if shutil.which("setpriv") else []
        self._process = subprocess.Popen(
            [*guard, self._program, *words],
            cwd=self.folder,
            env=around,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        deadline = time.monotonic() + PATIENCE
        while time.monotonic() < deadline:
            with suppress(Gone):
                if self.ask(("PING",)) == [b"PONG"]:
                    return
            time.sleep(0.002)
        self._end(signal.SIGKILL)
        raise Gone("a server does not start")

    @property
    def up(self) -> bool:
        return self._process is not None and self._process.poll() is None

    def kill(self) -> None:
        """As a loss of power ends it."""
        self._end(signal.SIGKILL)

    def stop(self) -> None:
        """As an owner does, who wants its data back at the next start."""
        if self.up and not self.keeps:
            until = time.monotonic() + PATIENCE
            while self.ask(("SAVE",)) != [b"OK"]:  # it saves for somebody else
                if time.monotonic() > until:
                    raise Gone("SAVE is refused")
                time.sleep(0.01)
        self._end(signal.SIGKILL)

    def _end(self, number: int) -> None:
        self.hang_up()
        if self._process is not None:
            self._process.send_signal(number)
            self._process.wait()

    def jump(self, milliseconds: int) -> None:
        """Sets its clock to so much later than the true time."""
        new = self.folder / "clock.new"
        new.write_text(f"{milliseconds / 1000:+.0f}\n")
        new.rename(self.folder / "clock")

    def hang_up(self) -> None:
        if self._connection:
            self._connection.close()
        self._connection = None
        self._reader = hiredis.Reader()

    def ask(self, *commands: Command) -> list[Any]:
        """The replies; an error is a hiredis.ReplyError among them. Raises Gone."""
        try:
            if self._connection is None:
                self._connection = socket.socket(socket.AF_UNIX)
                self._connection.settimeout(PATIENCE)
                self._connection.connect(str(self.socket))
            self._connection.sendall(b"".join(map(hiredis.pack_command, commands)))
            replies: list[Any] = []
            while len(replies) < len(commands):
                reply = self._reader.gets()
                if reply is not False:
                    replies.append(reply)
                elif data := self._connection.recv(1 << 16):
                    self._reader.feed(data)
                else:
                    raise ConnectionResetError
        except OSError as error:
            self.hang_up()
            raise Gone(str(error)) from error
        return replies

    def remove(self, keys: Iterable[Key]) -> None:
        for db, name in keys:
            self.ask(("SELECT", db), ("UNLINK", name))

    def state(self) -> State:
        """All that it holds, read without gitbackup."""
        keys: dict[Key, Held] = {}
        for db in DATABASES:
            _, names = self.ask(("SELECT", db), ("KEYS", "*"))
            if names:
                keys |= {(db, name): held for name, held in self._held(sorted(names))}
        libraries, digest, now = self.ask(
            ("FUNCTION", "LIST", "WITHCODE"), ("DEBUG", "DIGEST"), ("TIME",)
        )
        codes = frozenset(_member(library, b"library_code") for library in libraries)
        return State(keys, codes, digest, int(now[0]) * 1000 + int(now[1]) // 1000)

    def _held(self, names: Sequence[bytes]) -> Iterable[tuple[bytes, Held]]:
        (digests,) = self.ask(("DEBUG", "DIGEST-VALUE", *names))
        asked = [(command, name) for name in names for command in ("PEXPIRETIME", "TYPE", "DUMP")]
        replies = iter(self.ask(*asked))
        for name, digest in zip(names, digests, strict=True):
            expires_at, type_, dump = next(replies), next(replies), next(replies)
            if expires_at == -2:  # it has expired in between
                continue
            more = self._more(name, type_)
            facts = f"{digest.decode()}{more}"
            yield name, Held(type_, facts, expires_at, frozenset(TOKEN.findall(dump or b"")))

    def _more(self, name: bytes, type_: bytes) -> str:
        """What a digest leaves out: the groups of a stream, the expiry of a field."""
        if type_ == b"hash":
            (at,) = self.ask(("HPEXPIRETIME", name, "FIELDS", 1, "ttl"))
            return "" if isinstance(at, hiredis.ReplyError) or at == [-1] or at == [-2] else str(at)
        if type_ != b"stream":
            return ""
        info, groups = self.ask(("XINFO", "STREAM", name), ("XINFO", "GROUPS", name))
        wanted = (b"length", b"last-generated-id", b"max-deleted-entry-id", b"entries-added")
        facts = [_member(info, what) for what in wanted]
        for group in groups:
            called = _member(group, b"name")
            (pending,) = self.ask(("XPENDING", name, called, "-", "+", 100))
            given = [(one[0], one[1], one[3]) for one in pending]  # not for how long
            # not how many entries it has read: Redis 7 forgets that when it starts again
            counts = [_member(group, b"consumers"), _member(group, b"last-delivered-id")]
            facts.append([called, counts, given])
        return sha1(repr(facts).encode()).hexdigest()  # noqa: S324  no secret


def _member(pairs: Any, name: bytes) -> Any:
    if isinstance(pairs, dict):
        return pairs.get(name)
    found = dict(zip(pairs[::2], pairs[1::2], strict=True))
    return found.get(name)


NAMES: tuple[bytes, ...] = (
    *(b"user:%d" % number for number in range(14)),
    *(b"cart:eu:%d" % number for number in range(6)),
    *(b"usage:daily:%d" % number for number in range(6)),
    *(b"index", b"config", b"counter", b"a", b"A", b"base64:eA==", b"", b" ", b"user"),
    *(
        b"odd\n\tname",
        b"\xff\x00bin",
        b"$(touch PWNED)",
        b"-rf",
        b"../up",
        b"*[x]?",
        "日本".encode(),
    ),
)
TYPES = ("string", "hash", "list", "set", "zset", "stream")


class Writer:
    """Writes what a seed says."""

    def __init__(
        self, chance: Random, name: str, expiry: int = LATER, fields: bool = False
    ) -> None:
        self.chance = chance
        self._name = int(sha1(name.encode()).hexdigest(), 16) % 36**4  # noqa: S324
        self._expiry = expiry
        self._fields = fields  # whether those of hashes can expire

    def token(self) -> bytes:
        """One that was never written."""
        return b"t0k" + _base36(self._name, 4) + _base36(next(_numbers), 4)

    def write(self, database: Database, how_many: int) -> None:
        """So many changes, of any kind."""
        for _ in range(how_many):
            db = self.chance.choices(DATABASES, (5, 1))[0]
            database.ask(("SELECT", db), *self._change(db))

    def fill(self, database: Database, large: bool) -> None:
        """A first database, some tens of keys; one of them may be large."""
        self.write(database, self.chance.randrange(12, 60))
        if large:
            items = [self.token()] + [b"item %d" % number for number in range(LARGE)]
            database.ask(("SELECT", 0), ("DEL", "big:list"), ("RPUSH", "big:list", *items))

    def _change(self, db: int) -> list[Command]:
        """The commands of one change."""
        chance = self.chance
        name = chance.choice(NAMES)
        kind = chance.random()
        if kind < 0.12:
            return [("DEL", name)]
        if kind < 0.16:
            return [("RENAME", name, chance.choice(NAMES))]
        if kind < 0.19:
            return [("COPY", name, name, "DB", chance.choice(DATABASES))]
        if kind < 0.25:
            return [("PEXPIREAT", name, self._expires_at())]
        if kind < 0.28:
            return [("PERSIST", name)]
        if kind < 0.30:
            library = chance.choice(("mylib", "Other"))
            code = f"#!lua name={library}\n-- {self.token().decode()}\nredis.register_function("
            return [
                ("FUNCTION", "LOAD", "REPLACE", code + f"'{library}', function() return 1 end)")
                if chance.random() < 0.7
                else ("FUNCTION", "DELETE", library)
            ]
        # a key keeps to its type, mostly, so that values change and not only come and go
        type_ = TYPES[sum(name) % len(TYPES)]
        if chance.random() < 0.1:
            type_ = chance.choice(TYPES)
            return [("DEL", name), *self._put(name, type_)]
        return self._put(name, type_)

    def _expires_at(self) -> int:
        if self._expiry == LATER:
            return LATER + self.chance.randrange(10**9)
        return int(time.time() * 1000) + self.chance.randrange(HOUR, self._expiry)

    def _put(self, name: bytes, type_: str) -> list[Command]:
        chance, token = self.chance, self.token()
        some = chance.choice((b"", b" plain text", b"\xfe\xff", b"\n\r\x00", "é".encode()))
        field = b"f%d" % chance.randrange(8)
        score = chance.choice((1, -2.5, 0.1 + 0.2, 1e300, "inf", 3))
        put: dict[str, list[Command]] = {
            "string": [
                ("SET", name, token + some, "KEEPTTL"),
                ("SET", name, b'{"id": "%s", "n": %d}' % (token, chance.randrange(99))),
                ("SETRANGE", name, chance.randrange(30), token),
            ],
            "hash": [("HSET", name, field, token + some), ("HSET", name, token, "1", field, "2")],
            "list": [("RPUSH", name, token + some), ("LPUSH", name, some, token)],
            "set": [("SADD", name, token + some), ("SADD", name, token, some)],
            "zset": [("ZADD", name, score, token + some), ("ZADD", name, score, token, 1, some)],
            "stream": [("XADD", name, "*", "f", token + some)],
        }
        made = [chance.choice(put[type_])]
        if type_ == "hash" and self._fields and chance.random() < 0.2:
            made += [("HSET", name, "ttl", token), ("HPEXPIREAT", name, LATER, "FIELDS", 1, "ttl")]
        if type_ == "stream" and chance.random() < 0.5:
            made += [
                ("XGROUP", "CREATE", name, "jobs", "0"),
                ("XREADGROUP", "GROUP", "jobs", "one", "COUNT", 2, "STREAMS", name, ">"),
            ]
        return made


def _base36(number: int, digits: int) -> bytes:
    text = ""
    for _ in range(digits):
        number, digit = divmod(number, 36)
        text = "0123456789abcdefghijklmnopqrstuvwxyz"[digit] + text
    return text.encode()
