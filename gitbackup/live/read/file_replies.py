"""Reading files whose values are all small, without making anything of the replies yet.

What a server answers for an unchanged file it has answered before: comparing the bytes costs
far less than making entries of them. Between the replies for two files stands one to ECHO, of
a word that nobody knew before the first of them was sent: no value can be taken for it.

The keys of a file are most often of one type, and of a size. So only its first, middle and last
are asked for theirs, and each of its values as one of that type: where one is not, the server
says so. Files of large values are left to those who take them one after the other; where a value
is larger than those three, no more than a bounded piece of it comes, and then all are asked.
"""

from __future__ import annotations

import secrets
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import replace
from hashlib import sha256
from itertools import islice
from typing import Any, NamedTuple

from gitbackup.kinds import FIELDS_EXPIRE, Abilities, Command
from gitbackup.live.connection.connection import Connection
from gitbackup.live.connection.resp import argument, packed
from gitbackup.live.read import bulk_read, expiry
from gitbackup.live.read.alone_read import Outcome
from gitbackup.live.read.bulk_read import MOST_BYTES, SIMPLE, Batch, SmallValues

RULE = b"gitbackup 2\n"  # to be another when the same replies are to make another entry
GROUP = 128  # keys that are asked for at once, or one file's: while they are answered others wait
AHEAD = 6  # groups of files whose replies are under way: a server far away has enough to do
GROUP_BYTES = 2 * MOST_BYTES // AHEAD  # so that together they are not too much for its memory
SLACK = 64 * 1024  # bytes of replies that are no sign of larger values than those asked about
ANOTHER = b"-WRONGTYPE"  # in a reply; or, for all that we know, in a value


class File(NamedTuple):
    """A file whose values are to be read: its path and its keys.

    Where they are known, also the types of these, and about how many bytes their values take.
    """

    path: str
    keys: Sequence[bytes]
    types: Sequence[str] = ()
    size: int = 0


class FileReplies(NamedTuple):
    """The replies for the keys of one file, as the server sent them."""

    path: str
    keys: Sequence[bytes]
    types: Sequence[str]
    asked: bytes
    replies: bytes
    plain: bool  # whether no field of a hash was to expire

    def digest(self) -> bytes:
        """Return a digest of all that the content of the file is made of."""
        return digest(self.path, self.asked, self.replies)


class _Asked(NamedTuple):
    """A file whose values are asked for, and whether the type and size of each is known."""

    file: File
    commands: bytes
    sure: bool

    def type_hint_wrong(self, reply: bytes) -> bool:
        """Whether the values are others than those that are known."""
        return not self.sure and (ANOTHER in reply or len(reply) > 2 * self.file.size + SLACK)


class _Question(NamedTuple):
    """A file of which these keys are asked for their types and sizes."""

    file: File
    keys: Sequence[bytes]


class _Turn(NamedTuple):
    """What was asked at once: the values of some files, then the types and sizes of others' keys.

    `plain` tells whether no field of a hash was to expire. The markers are those of each file's
    end, and of the end of all.
    """

    values: Sequence[_Asked]
    questions: Sequence[_Question]
    markers: Sequence[bytes]
    plain: bool


class Read(NamedTuple):
    """A file with the replies for its keys; None for one that is to be read otherwise."""

    file: File
    replies: FileReplies | None


Work = Sequence[_Asked | _Question]


class FileReplyReader:
    """Reads one database's files on a connection that serves nothing else meanwhile.

    `note` is told of keys, their types and sizes; of most of them, what others of their files have.
    Where somebody `hears` of all writes, what is written to meanwhile is theirs to read again.
    """

    def __init__(
        self,
        connection: Connection,
        server: Abilities,
        db: int,
        note: Callable[[Batch], None],
        hears: bool,
    ) -> None:
        self._connection = connection
        self._server = server
        self._db = db
        self._note = note
        self._small = {
            plain: SmallValues(_knowing(server, plain), sized=False, hears=hears)
            for plain in (True, False)
        }
        self._plain = not (server.field_expiry and expiry.fields_may_expire(connection, db))
        self._heavy = False  # whether the last replies were more than a group's should be

    def able(self) -> bool:
        """Return whether the server, and the user's rights, allow reading so."""
        return self._server.pexpiretime and self._connection.ask([("ECHO", "it")]) == ["it"]

    def read(self, files: Iterable[File]) -> Iterator[Read]:
        """Yield files with their replies, in no order.

        While some are given out, the server answers for the next groups.
        """
        groups = self._groups(files)
        turns = deque(map(self._send, islice(groups, AHEAD)))
        while turns:
            done, work = self._receive(turns.popleft())
            if not (self._heavy and (work or turns)):
                work += next(groups, ())
            if work:
                turns.append(self._send(work))
            if len(turns) < AHEAD and not self._heavy:
                turns += map(self._send, islice(groups, 1))
            yield from done

    def entries(self, raw: FileReplies) -> Sequence[Outcome]:
        """Return the entries that the replies make, their text loose; RetryAlone for a key of which
        they do not tell all."""
        replies = self._connection.parse(raw.replies)
        small = self._small[raw.plain]
        if len(replies) != small.questions * len(raw.keys):
            raise self._connection.nonsense(("PEXPIRETIME",))
        return small.settle(raw.keys, raw.types, replies)

    def _groups(self, files: Iterable[File]) -> Iterator[Work]:
        """What to ask first of files that are asked for together."""
        group: list[_Asked | _Question] = []
        left = GROUP
        for file in files:
            if len(file.keys) > left and group:
                yield group
                group, left = [], GROUP
            group.append(self._begin(file))
            left -= len(file.keys)
        if group:
            yield group

    def _begin(self, file: File) -> _Asked | _Question:
        if file.types:
            return self._ask(file, sure=True)
        keys = file.keys
        return _Question(file, sorted({keys[0], keys[len(keys) // 2], keys[-1]}))

    def _ask(self, file: File, sure: bool) -> _Asked | _Question:
        small = self._small[self._plain]
        if file.size > GROUP_BYTES or not small.takes_all(file.types):
            return _Question(file, ())
        return _Asked(file, small.ask(file.keys, file.types), sure)

    def _send(self, work: Work) -> _Turn:
        values = [one for one in work if isinstance(one, _Asked)]
        questions = [one for one in work if isinstance(one, _Question)]
        words = [secrets.token_hex(16) for _ in range(len(values) + 1)]
        pairs = zip(values, words, strict=False)
        parts = [one.commands + packed(("ECHO", word)) for one, word in pairs]
        if self._server.field_expiry:
            parts.append(packed(expiry.KEYSPACE))
        parts += [bulk_read.size_questions(one.keys) for one in questions]
        parts.append(packed(("ECHO", words[-1])))
        self._connection.send_packed(b"".join(parts))
        markers = [argument(word.encode()) for word in words]
        return _Turn(values, questions, markers, self._plain)

    def _receive(self, turn: _Turn) -> tuple[list[Read], list[_Asked | _Question]]:
        """The files that are read, and what is to be asked of others."""
        *replies, rest = self._connection.receive_raw(turn.markers)
        about = self._about(turn, rest)
        self._heavy = sum(map(len, replies)) > GROUP_BYTES
        plain = turn.plain and self._plain
        if self._server.field_expiry:
            self._plain = not expiry.fields_may_expire_by(about.pop(0), self._db)
        doubted = turn.plain and not (plain and self._plain)
        found = [*self._values(turn, replies, doubted), *self._types(turn, iter(about))]
        done = [one for one in found if isinstance(one, Read)]
        return done, [one for one in found if not isinstance(one, Read)]

    def _about(self, turn: _Turn, rest: bytes) -> list[Any]:
        """What is said of fields that expire, and of keys' types and sizes."""
        about = self._connection.parse(rest)
        asked: list[Command] = [expiry.KEYSPACE] if self._server.field_expiry else []
        count = len(asked) + bulk_read.SIZE_QUESTIONS * sum(len(one.keys) for one in turn.questions)
        if len(about) != count:
            raise self._connection.nonsense(("TYPE",))
        self._connection.expect(asked, about[: len(asked)])
        return about

    def _values(
        self, turn: _Turn, replies: Sequence[bytes], doubted: bool
    ) -> Iterator[Read | _Question]:
        """Hashes are `doubted` where a field may have been to expire, which was not asked."""
        for asked, reply in zip(turn.values, replies, strict=True):
            if asked.type_hint_wrong(reply):
                yield _Question(asked.file, asked.file.keys)
            elif doubted and not FIELDS_EXPIRE.isdisjoint(asked.file.types):
                yield Read(asked.file, None)
            else:
                path, keys, types, _ = asked.file
                raw = FileReplies(path, keys, types, asked.commands, reply, turn.plain)
                yield Read(asked.file, raw)

    def _types(self, turn: _Turn, about: Iterator[Any]) -> Iterator[Read | _Asked | _Question]:
        for file, keys in turn.questions:
            told = bulk_read.told_sizes(
                self._connection, keys, [*islice(about, bulk_read.SIZE_QUESTIONS * len(keys))]
            )
            yield self._next(file, told) or Read(file, None)

    def _next(self, file: File, told: Batch) -> _Asked | _Question | None:
        """What to ask next, now that this is known of some of its keys; None for nothing."""
        count, types = len(file.keys), told.types
        if not types or not self._small[self._plain].takes_all(types):
            return None
        each = sum(told.sizes) // len(types)
        if each * count > GROUP_BYTES or max(told.sizes) > SIMPLE:
            return None
        if len(types) == count:
            self._note(told)
            return self._ask(file._replace(types=types), sure=True)
        if len(set(types)) > 1:
            return _Question(file, file.keys)
        alike = [types[0]] * count
        self._note(Batch(file.keys, alike, [each] * count))
        return self._ask(file._replace(types=alike, size=each * count), sure=False)


def digest(path: str, asked: bytes, replies: bytes) -> bytes:
    """Return a digest of what a file is made of: its path, and replies to what was asked."""
    found = sha256(RULE)
    for part in (path.encode(), asked, replies):
        found.update(b"%d\n" % len(part))
        found.update(part)
    return found.digest()


def _knowing(server: Abilities, plain: bool) -> Abilities:
    return replace(server, field_expiry=False) if plain else server
