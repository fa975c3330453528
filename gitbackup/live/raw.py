"""Reading files whose values are all small, without making anything of the replies yet.

What a server answers for an unchanged file it has answered before: comparing the bytes costs
far less than making entries of them. Between the replies for two files stands one to ECHO, of
a word that nobody knew before the first of them was sent: no value can be taken for it.

The keys of a file are most often of one type. So only its first, middle and last are asked for
theirs, and each of its values as one of that type: where one is not, the server says so.
"""

from __future__ import annotations

import secrets
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import replace
from hashlib import sha256
from itertools import islice
from typing import Any, NamedTuple

from gitbackup.kinds import Abilities
from gitbackup.live import fields
from gitbackup.live.batch import Outcome
from gitbackup.live.forms import argument, form, packed, pattern
from gitbackup.live.sizes import MOST_BYTES, Batch
from gitbackup.live.small import SmallValues
from gitbackup.live.wire import Refusal, Wire

RULE = b"gitbackup 1\n"  # to be another when the same replies are to make another entry
GROUP = 128  # keys that are asked for at once, or one file's: while they are answered others wait
AHEAD = 6  # groups of files whose replies are under way: a server far away has enough to do
GROUP_BYTES = 2 * MOST_BYTES // AHEAD  # so that together they are not too much for its memory
TYPE = pattern(form(("TYPE",)))
ANOTHER = b"-WRONGTYPE"  # in a reply; or, for all that we know, in a value


class File(NamedTuple):
    """A file whose values are to be read: its path, its keys, and their types where known."""

    path: str
    keys: Sequence[bytes]
    types: Sequence[str] = ()


class Raw(NamedTuple):
    """The replies for the keys of one file, as the server sent them."""

    path: str
    keys: Sequence[bytes]
    types: Sequence[str]
    asked: bytes
    replies: bytes
    plain: bool  # whether no field of a hash was to expire

    def digest(self) -> bytes:
        """A digest of all that the content of the file is made of."""
        return digest(self.path, self.asked, self.replies)


class _Asked(NamedTuple):
    """A file whose values are asked for, and whether each type is known."""

    file: File
    commands: bytes
    sure: bool


class _Question(NamedTuple):
    """A file of which these keys are asked for their types."""

    file: File
    keys: Sequence[bytes]


class _Turn(NamedTuple):
    """What was asked at once: the values of some files, then the types of others' keys.

    `plain` tells whether no field of a hash was to expire. The markers are those of each file's
    end, and of the end of all.
    """

    values: Sequence[_Asked]
    types: Sequence[_Question]
    markers: Sequence[bytes]
    plain: bool


Work = Sequence[_Asked | _Question]
Done = tuple[File, Raw | None]


class RawReader:
    """Reads one database's files on a connection that serves nothing else meanwhile.

    `note` is told of the keys of files that are not small, their types and mean sizes.
    """

    def __init__(
        self, wire: Wire, server: Abilities, db: int, note: Callable[[Batch], None]
    ) -> None:
        self._wire = wire
        self._server = server
        self._db = db
        self._note = note
        self._small = {
            plain: SmallValues(_knowing(server, plain), sized=False) for plain in (True, False)
        }
        self._plain = not (server.field_expiry and fields.may_expire(wire, db))
        self._each = 1  # bytes that a key takes, by the files that were read last

    def able(self) -> bool:
        """Whether the server, and the user's rights, allow reading so."""
        return self._server.pexpiretime and self._wire.ask([("ECHO", "it")]) == ["it"]

    def read(self, files: Iterable[File]) -> Iterator[Done]:
        """Each file with the replies for its keys; None for one that is to be read otherwise.

        They come in no order. While some are given out, the server answers for the next groups.
        """
        groups = self._groups(files)
        turns = deque(map(self._send, islice(groups, AHEAD)))
        while turns:
            done, work = self._receive(turns.popleft())
            work += next(groups, ())
            if work:
                turns.append(self._send(work))
            yield from done

    def entries(self, raw: Raw) -> Sequence[Outcome]:
        """The entries that the replies make, their text loose; Later for what they do not tell."""
        replies = self._wire.parse(raw.replies)
        return self._small[raw.plain].settle(raw.keys, raw.types, replies)

    def _groups(self, files: Iterable[File]) -> Iterator[Work]:
        """What to ask first of files that are asked for together."""
        group: list[_Asked | _Question] = []
        left = GROUP
        for file in files:
            if len(file.keys) > min(left, GROUP_BYTES // self._each) and group:
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
        if not small.takes_all(file.types):
            return _Question(file, ())
        return _Asked(file, small.ask(file.keys, file.types), sure)

    def _send(self, work: Work) -> _Turn:
        values = [one for one in work if isinstance(one, _Asked)]
        types = [one for one in work if isinstance(one, _Question)]
        words = [secrets.token_hex(16) for _ in range(len(values) + 1)]
        parts = [
            one.commands + packed(("ECHO", word)) for one, word in zip(values, words, strict=False)
        ]
        if self._server.field_expiry:
            parts.append(packed(fields.QUESTION))
        parts += (TYPE % argument(key) for one in types for key in one.keys)
        parts.append(packed(("ECHO", words[-1])))
        self._wire.send_packed(b"".join(parts))
        return _Turn(values, types, [argument(word.encode()) for word in words], self._plain)

    def _receive(self, turn: _Turn) -> tuple[list[Done], list[_Asked | _Question]]:
        """The files that are read, and what is to be asked of others."""
        *replies, rest = self._wire.receive_raw(turn.markers)
        told = self._wire.parse(rest)
        if self._server.field_expiry:
            self._plain = not fields.told(told.pop(0), self._db)
        self._weigh(turn, replies)
        done: list[Done] = []
        work: list[_Asked | _Question] = []
        for asked, reply in zip(turn.values, replies, strict=True):
            if not asked.sure and ANOTHER in reply:
                work.append(_Question(asked.file, asked.file.keys))
            else:
                done.append((asked.file, self._raw(turn, asked, reply)))
        types = iter(told)
        for question in turn.types:
            following = self._told(question, [*islice(types, len(question.keys))])
            if following:
                work.append(following)
            else:
                done.append((question.file, None))
        return done, work

    def _weigh(self, turn: _Turn, replies: Sequence[bytes]) -> None:
        """Takes note of how large the values are."""
        keys = 0
        for asked, reply in zip(turn.values, replies, strict=True):
            file, count = asked.file, len(asked.file.keys)
            keys += count
            self._note(Batch(file.keys, file.types, [len(reply) // count] * count))
        if keys:
            self._each = max(1, sum(map(len, replies)) // keys)

    def _raw(self, turn: _Turn, asked: _Asked, reply: bytes) -> Raw | None:
        """None where a field may expire by now, which was not asked."""
        if turn.plain and not self._plain and "hash" in asked.file.types:
            return None
        return Raw(*asked.file, asked.commands, reply, turn.plain)

    def _told(self, question: _Question, types: Sequence[Any]) -> _Asked | _Question | None:
        """What to ask next, now that types are known; None where values are of no use.

        Raises ServerError where the user may not ask for a key's type.
        """
        for key, type_ in zip(question.keys, types, strict=True):
            if isinstance(type_, Refusal):
                raise self._wire.refused(type_, ("TYPE", key))
        file, all_of_them = question.file, len(types) == len(question.file.keys)
        if not (types and self._small[self._plain].takes_all(types)):
            return None
        if all_of_them:
            return self._ask(file._replace(types=types), sure=True)
        if len(set(types)) > 1:
            return _Question(file, file.keys)
        return self._ask(file._replace(types=[types[0]] * len(file.keys)), sure=False)


def digest(path: str, asked: bytes, replies: bytes) -> bytes:
    """A digest of what a file is made of: its path, and replies to what was asked."""
    found = sha256(RULE)
    for part in (path.encode(), asked, replies):
        found.update(b"%d\n" % len(part))
        found.update(part)
    return found.digest()


def _knowing(server: Abilities, plain: bool) -> Abilities:
    return replace(server, field_expiry=False) if plain else server
