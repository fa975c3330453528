"""A watch in a thread of its own, and a database that changes in every way there is."""

from __future__ import annotations

import random
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, TypeVar

import redis

from gitbackup import Backup
from gitbackup.commit.commit import CommitResult
from gitbackup.commit.watch import Event, Trouble, Watching
from tests.databases import Command
from tests.store.plain import run_git

PATIENCE = 60.0  # seconds, for a machine that is busy with other things
Kind = TypeVar("Kind", CommitResult, Watching, Trouble)


class Watcher:
    """What a watch has told so far. Whatever it raised is raised when it is asked for more."""

    def __init__(self, backup: Backup, **terms: Any) -> None:
        self.backup = backup
        self.events: list[Event] = []
        self.error: BaseException | None = None
        self.stop = threading.Event()
        self._news = threading.Condition()
        self._thread = threading.Thread(target=self._run, kwargs=terms)
        self._thread.start()

    def told(self, kind: type[Kind], count: int = 1) -> Kind:
        """The last of so many things of a kind, once they are told."""
        with self._news:
            assert self._news.wait_for(lambda: self.error or self._ended(kind, count), PATIENCE)
        if self.error:
            raise self.error
        found: list[Kind] = [event for event in self.events if isinstance(event, kind)]
        return found[count - 1]

    def commits(self) -> list[CommitResult]:
        return [event for event in self.events if isinstance(event, CommitResult)]

    def head(self) -> str | None:
        """The commit that it told of last."""
        for event in reversed(self.events):
            if isinstance(event, Watching):
                return event.head
            if isinstance(event, CommitResult):
                return event.commit
        return None

    def end(self) -> None:
        self.stop.set()
        self._thread.join(PATIENCE)
        assert not self._thread.is_alive()

    def _ended(self, kind: type[Event], count: int) -> bool:
        return sum(isinstance(event, kind) for event in self.events) >= count

    def _run(self, **terms: Any) -> None:
        try:
            for event in self.backup.watch(self.stop, **terms):
                with self._news:
                    self.events.append(event)
                    self._news.notify_all()
        except BaseException as error:
            with self._news:
                self.error = error
                self._news.notify_all()


@contextmanager
def watching(backup: Backup, **terms: Any) -> Iterator[Watcher]:
    """A watch that has begun, and is in no hurry to wait."""
    watcher = Watcher(backup, **{"quiet": 0.02, "max_wait": 0.5, **terms})
    try:
        watcher.told(Watching)
        yield watcher
    finally:
        watcher.end()
    if watcher.error:
        raise watcher.error


def eventually(true: Callable[[], bool]) -> bool:
    """Whether it comes to be true."""
    deadline = time.monotonic() + PATIENCE
    while not (now := true()) and time.monotonic() < deadline:
        time.sleep(0.02)
    return now


def tree(backup: Backup) -> str:
    """The id of HEAD's tree; something else where there is none."""
    return _id(backup, "HEAD^{tree}")


def head(backup: Backup) -> str:
    """The id of HEAD; something else where there is none."""
    return _id(backup, "HEAD^{commit}")


def _id(backup: Backup, name: str) -> str:
    return run_git(backup.path, "rev-parse", "--verify", "--quiet", name).stdout.decode().strip()


def follows(watcher: Watcher, folder: Path, url: str) -> bool:
    """Whether HEAD comes to have the tree that a commit of all, made elsewhere, has.

    The watch has told of it by then, so that the work tree is there as well, and the index free.
    """
    other = Backup(folder, url)

    def equal() -> bool:
        other.commit()
        return tree(other) == tree(watcher.backup) and watcher.head() == head(watcher.backup)

    return eventually(equal)


class Turmoil:
    """Commands of every kind, on a few databases, by a seed."""

    def __init__(self, seed: int, field_expiry: bool, functions: bool) -> None:
        self._random = random.Random(seed)
        self._field_expiry = field_expiry
        self._functions = functions

    def commands(self, count: int) -> list[Command]:
        makers = [self._string, self._hash, self._list, self._set, self._zset, self._stream]
        makers += [self._group, self._keys, self._keys, self._expiry, self._field]
        found: list[Command] = []
        while len(found) < count:
            found.append(("SELECT", self._random.choice((0, 0, 0, 1, 9))))
            found += [self._random.choice(makers)() for _ in range(self._random.randint(1, 9))]
            if self._random.random() < 0.01:
                found += self._rare()
        return found

    def _name(self, kind: str = "") -> str:
        """Of namespaces that are about as large as a file holds, and of some that are not."""
        space, most = self._random.choice((("a", 160), ("b", 140), ("c:d", 30), ("", 40)))
        return f"{space}{kind}:{self._random.randrange(most)}" if space else kind

    def _word(self) -> str:
        return self._random.choice(("", "x", "\u00e9", "base64:")) + str(self._random.randrange(9))

    def _string(self) -> Command:
        name, word = self._name(), self._word()
        return self._random.choice(
            (
                ("SET", name, word),
                ("SET", name, word, "PX", self._random.randint(1, 300)),
                ("MSET", name, word, self._name(), word),
                ("APPEND", name, word),
                ("GETDEL", name),
                ("EVAL", "redis.call('set', KEYS[1], 's')", 1, name),
            )
        )

    def _hash(self) -> Command:
        name, word = self._name("h"), self._word()
        return self._random.choice((("HSET", name, word, word), ("HDEL", name, word)))

    def _list(self) -> Command:
        name = self._name("l")
        return self._random.choice((("RPUSH", name, self._word()), ("LPOP", name)))

    def _set(self) -> Command:
        name, word = self._name("s"), self._word()
        return self._random.choice((("SADD", name, word), ("SREM", name, word), ("SPOP", name)))

    def _zset(self) -> Command:
        name, word = self._name("z"), self._word()
        score = self._random.choice((0.1, 3, "inf"))
        return self._random.choice((("ZADD", name, score, word), ("ZREM", name, word)))

    def _stream(self) -> Command:
        name = f"stream:{self._random.randrange(5)}"
        return self._random.choice(
            (("XADD", name, "*", "f", self._word()), ("XTRIM", name, "MAXLEN", 3))
        )

    def _group(self) -> Command:
        name = f"stream:{self._random.randrange(5)}"
        group = self._random.choice(("g", "h"))
        return self._random.choice(
            (
                ("XGROUP", "CREATE", name, group, "0", "MKSTREAM"),
                ("XGROUP", "CREATECONSUMER", name, group, self._word()),
                ("XREADGROUP", "GROUP", group, "me", "COUNT", 1, "STREAMS", name, ">"),
                ("XAUTOCLAIM", name, group, "other", 0, "0", "COUNT", 1),
                ("XGROUP", "SETID", name, group, "$"),
                ("XGROUP", "DESTROY", name, group),
            )
        )

    def _keys(self) -> Command:
        one, other = self._name(), self._name(self._random.choice(("", "h", "l")))
        return self._random.choice(
            (
                ("DEL", one, other),
                ("UNLINK", other),
                ("RENAME", other, one),
                ("COPY", other, one, "REPLACE"),
                ("COPY", one, other, "DB", 1),
                ("MOVE", other, 9),
            )
        )

    def _expiry(self) -> Command:
        name = self._name(self._random.choice(("", "h", "s")))
        soon, late = self._random.randint(1, 300), 4_102_444_800_000
        return self._random.choice(
            (("PEXPIRE", name, soon), ("PEXPIREAT", name, late), ("PERSIST", name))
        )

    def _field(self) -> Command:
        if not self._field_expiry:
            return self._hash()
        soon = self._random.randint(1, 300)
        return ("HPEXPIRE", self._name("h"), soon, "FIELDS", 1, self._word())

    def _rare(self) -> list[Command]:
        library = self._random.choice("lm")
        source = f"#!lua name={library}\nredis.register_function('{library}', function() end)"
        rare: list[Command] = [("FLUSHDB",), ("SWAPDB", 0, 9), ("SWAPDB", 0, 1)]
        rare += [("SETRANGE", "large", 1_200_000, self._word()), ("CONFIG", "RESETSTAT")]
        if self._functions:
            rare += [("FUNCTION", "LOAD", "REPLACE", f"{source} -- {self._word()}")] * 3
            rare += [("FUNCTION", "DELETE", library)] * 2
        many = "for n = 0, 150 do redis.call('set', '{}:' .. n, n) end"
        rare += [("EVAL", many.format(self._random.choice("ab")), 0)] * 3
        if self._random.random() < 0.1:
            rare = [("FLUSHALL",)]
        return [self._random.choice(rare)]


def attempt(client: redis.Redis, commands: list[Command]) -> int:
    """Sends commands on one connection, some of which are refused; how many were not."""
    connection = client.connection_pool.get_connection()
    connection.send_packed_command(connection.pack_commands(commands))
    done = 0
    for _ in commands:
        try:
            connection.read_response()
            done += 1
        except redis.ResponseError:
            continue
    client.connection_pool.release(connection)
    return done
