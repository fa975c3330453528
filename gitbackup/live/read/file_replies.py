"""Read files whose values are all small, as the bytes of the server's replies.

For an unchanged file the server replies what it replied before, and comparing bytes costs far less
than making entries of them. After the replies for each file comes one to ECHO, of a random word
that nobody knew before the commands were sent, so no value can be mistaken for it.

The keys of a file are most often of one type, and of about one size. So only the first, the middle
and the last are asked for these, and each value is asked for as one of that type. If a value is of
another type, the server says so; if one is larger, no more than a bounded piece of it comes. Then
all keys of the file are asked. Files of large values are read in another way.
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
from gitbackup.live.protocol.resp import argument, packed
from gitbackup.live.read import bulk_read, expiry
from gitbackup.live.read.alone_read import ReadOutcome
from gitbackup.live.read.bulk_read import MOST_BYTES, SIMPLE, Batch, SmallValues

RULE = b"gitbackup 2\n"  # to be changed if the same replies are to make another entry
GROUP = 128  # keys that are asked for at once, or one file's: other clients wait meanwhile
AHEAD = 6  # groups of files that are asked for before the first is received
GROUP_BYTES = 2 * MOST_BYTES // AHEAD  # so that together they fit into the server's memory
SLACK = 64 * 1024  # bytes of replies beyond the expected ones that do not mean larger values
ANOTHER = b"-WRONGTYPE"  # in an error reply, or perhaps in a value


class File(NamedTuple):
    """A file whose values are to be read: its path and its keys; if known, also their types, and
    about how many bytes their values take."""

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
    plain: bool  # whether no field of a hash could expire

    def digest(self) -> bytes:
        """Return a digest of everything that the content of the file depends on."""
        return digest(self.path, self.asked, self.replies)


class _Asked(NamedTuple):
    """A file whose values are asked for, and whether the type and size of each is known."""

    file: File
    commands: bytes
    sure: bool

    def type_hint_wrong(self, reply: bytes) -> bool:
        """Return whether the values are not of the types and sizes that they were asked for as."""
        return not self.sure and (ANOTHER in reply or len(reply) > 2 * self.file.size + SLACK)


class _Question(NamedTuple):
    """A file, and those of its keys that are asked for their types and sizes."""

    file: File
    keys: Sequence[bytes]


class _Turn(NamedTuple):
    """What was asked at once: the values of some files, then the types and sizes of others' keys.

    The markers come at the end of each file's replies, and at the end of all. `plain` tells whether
    no field of a hash could expire.
    """

    values: Sequence[_Asked]
    questions: Sequence[_Question]
    markers: Sequence[bytes]
    plain: bool


class Read(NamedTuple):
    """A file with the replies for its keys; None if it has to be read in another way."""

    file: File
    replies: FileReplies | None


Work = Sequence[_Asked | _Question]


class FileReplyReader:
    """Reads one database's files on a connection that nothing else uses meanwhile.

    `note` is called with keys, their types and sizes; most are those of other keys of the file. If
    the caller `hears` of all writes, and reads such keys again, less is asked.
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
            plain: SmallValues(abilities, sized=False, hears=hears)
            for plain, abilities in ((True, replace(server, field_expiry=False)), (False, server))
        }
        self._plain = not (server.field_expiry and expiry.fields_may_expire(connection, db))
        self._heavy = False  # whether the last replies were more than a group's should be

    def able(self) -> bool:
        """Return whether the server, and the user's rights, allow this way of reading."""
        return self._server.pexpiretime and self._connection.ask([("ECHO", "it")]) == ["it"]

    def read(self, files: Iterable[File]) -> Iterator[Read]:
        """Yield files with their replies, in any order.

        While some are used, the server answers for the next groups.
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

    def entries(self, raw: FileReplies) -> Sequence[ReadOutcome]:
        """Return the entries that the replies give, with loose text; RetryAlone for a key of which
        they do not give all."""
        replies = self._connection.parse(raw.replies)
        small = self._small[raw.plain]
        if len(replies) != small.questions * len(raw.keys):
            raise self._connection.nonsense(("PEXPIRETIME",))
        return small.settle(raw.keys, raw.types, replies)

    def _groups(self, files: Iterable[File]) -> Iterator[Work]:
        """Yield what to ask first, of files that are asked for together."""
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
        values = [each for each in work if isinstance(each, _Asked)]
        questions = [each for each in work if isinstance(each, _Question)]
        words = [secrets.token_hex(16) for _ in range(len(values) + 1)]
        pairs = zip(values, words, strict=False)
        parts = [asked.commands + packed(("ECHO", word)) for asked, word in pairs]
        if self._server.field_expiry:
            parts.append(packed(expiry.KEYSPACE))
        parts += [bulk_read.size_questions(question.keys) for question in questions]
        parts.append(packed(("ECHO", words[-1])))
        self._connection.send_packed(b"".join(parts))
        markers = [argument(word.encode()) for word in words]
        return _Turn(values, questions, markers, self._plain)

    def _receive(self, turn: _Turn) -> tuple[list[Read], list[_Asked | _Question]]:
        """Return the files that have been read, and what to ask of others."""
        *replies, rest = self._connection.receive_raw(turn.markers)
        about = self._parse_about(turn, rest)
        self._heavy = sum(map(len, replies)) > GROUP_BYTES
        plain = turn.plain and self._plain
        if self._server.field_expiry:
            self._plain = not expiry.fields_may_expire_by(about.pop(0), self._db)
        doubted = turn.plain and not (plain and self._plain)
        results = [*self._values(turn, replies, doubted), *self._types(turn, iter(about))]
        done = [each for each in results if isinstance(each, Read)]
        return done, [each for each in results if not isinstance(each, Read)]

    def _parse_about(self, turn: _Turn, rest: bytes) -> list[Any]:
        """Return the replies about fields that expire, and about keys' types and sizes."""
        about = self._connection.parse(rest)
        asked: list[Command] = [expiry.KEYSPACE] if self._server.field_expiry else []
        keys = sum(len(question.keys) for question in turn.questions)
        count = len(asked) + bulk_read.SIZE_QUESTIONS * keys
        if len(about) != count:
            raise self._connection.nonsense(("TYPE",))
        self._connection.expect(asked, about[: len(asked)])
        return about

    def _values(
        self, turn: _Turn, replies: Sequence[bytes], doubted: bool
    ) -> Iterator[Read | _Question]:
        """Yield the files whose values were asked for, or what to ask of them next.

        Hashes are `doubted` if one of their fields could have expired, which was not asked.
        """
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
            replies = [*islice(about, bulk_read.SIZE_QUESTIONS * len(keys))]
            batch = bulk_read.with_sizes(self._connection, keys, replies)
            yield self._next(file, batch) or Read(file, None)

    def _next(self, file: File, batch: Batch) -> _Asked | _Question | None:
        """Return what to ask next of a file, by some of its keys; None if it has to be read in
        another way."""
        count, types = len(file.keys), batch.types
        if not types or not self._small[self._plain].takes_all(types):
            return None
        each = sum(batch.sizes) // len(types)
        if each * count > GROUP_BYTES or max(batch.sizes) > SIMPLE:
            return None
        if len(types) == count:
            self._note(batch)
            return self._ask(file._replace(types=types), sure=True)
        if len(set(types)) > 1:
            return _Question(file, file.keys)
        same_types = [types[0]] * count
        self._note(Batch(file.keys, same_types, [each] * count))
        return self._ask(file._replace(types=same_types, size=each * count), sure=False)


def digest(path: str, asked: bytes, replies: bytes) -> bytes:
    """Return a digest of what a file depends on: its path, what was asked, and the replies."""
    hashed = sha256(RULE)
    for part in (path.encode(), asked, replies):
        hashed.update(b"%d\n" % len(part))
        hashed.update(part)
    return hashed.digest()
