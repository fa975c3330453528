"""Create many absent keys: one batch is under way while the next is put together.

Commands and replies are compared and joined as packed bytes, for there is one for each key.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from itertools import chain
from typing import Generic, NamedTuple, Self, TypeVar

from gitbackup.format import codec
from gitbackup.kinds import KINDS, Command, Kind
from gitbackup.kinds.base import SHORT, Argument, ReadBack
from gitbackup.kinds.canonical_check import made_by_one, milliseconds
from gitbackup.live.connection.connect import Server
from gitbackup.live.connection.connection import Refusal, pack
from gitbackup.live.protocol.resp import argument
from gitbackup.live.write.key_writer import UNWATCH, KeyWrite, KeyWriter, Outcome
from gitbackup.model.keys import Entry

UNTIL = b"%b*3\r\n$9\r\nPEXPIREAT\r\n%b$%d\r\n%b\r\n"
FOREVER = b"-1"
READ: dict[ReadBack | None, bytes] = {
    ReadBack.WORDS: b":%b\r\n*%d\r\n%b",
    ReadBack.SCAN: b":%b\r\n*2\r\n$1\r\n0\r\n*%d\r\n%b",
}
"""Replies with a key's expiry, the number of words of its value, and these words."""

T = TypeVar("T")
QUEUED = "QUEUED"
BEGIN, END = b"*1\r\n$5\r\nMULTI\r\n", b"*1\r\n$4\r\nEXEC\r\n"
NONE_THERE = ["OK", 0]  # to WATCH and EXISTS
DONE = {int, str}  # what a server answers that has done what it was told

Plain = Mapping[str, Entry]
"""Plain entries by name: none of their text stands for other bytes."""


class Creation(NamedTuple):
    """How a key is created.

    `commands` are packed, and `number` of them. `only_new` tells whether they do nothing if the key
    exists, so that nobody has to look first. `likely_read` is what the server then most likely
    answers when a `FileReplyReader` asks for the key; None if that cannot be told.
    """

    commands: bytes
    number: int
    only_new: bool
    likely_read: bytes | None


@dataclass(frozen=True, slots=True)
class Created(Generic[T]):
    """What became of a batch of keys: its label, and its entries by name.

    `outcome` does not list what was done in the first try. `reads` has each key's
    `Creation.likely_read`, in order.
    """

    label: T
    entries: Plain
    outcome: Outcome
    reads: Sequence[bytes | None]


class _Batch(Generic[T]):
    """Keys to be created together: their packed commands, and the `others` that take several."""

    def __init__(self, label: T, entries: Plain, dated: bool) -> None:
        self.label = label
        self.entries = entries
        of = {type_: _kind_creation(type_, dated).of for type_ in KINDS}
        self._creations = [of[entry["type"]](name, entry) for name, entry in entries.items()]
        pairs = [*zip(entries, self._creations, strict=True)]
        self.others = {name: entries[name] for name, created in pairs if created is None}
        self.reads = [created and created.likely_read for created in self._creations]
        ready = [created for created in self._creations if created]
        old = [name for name, created in pairs if created and not created.only_new]
        # one at least, so that there is an answer
        asked = old or [name for name, created in pairs if created][:1]
        self.question = pack(("WATCH", *asked)) + pack(("EXISTS", *asked)) if ready else b""
        self.transaction = b"".join((BEGIN, *(created.commands for created in ready), END))
        self.count = sum(created.number for created in ready)

    def with_outcome(self, outcome: Outcome) -> Created[T]:
        return Created(self.label, self.entries, outcome, self.reads)

    def commands(self) -> Iterator[Command]:
        """Yield the commands with their keys, to say which one was refused."""
        for (name, entry), created in zip(self.entries.items(), self._creations, strict=True):
            command = created and made_by_one(name, entry)
            if created and command:
                yield command
                yield from [("PEXPIREAT", name)] * (created.number - 1)


class Creator:
    """Creates keys of one server. A context manager: leaving it closes the connection.

    `writer` writes what cannot be done so: a batch of which a key exists by now, and each value
    that takes several commands.
    """

    def __init__(self, server: Server, writer: KeyWriter) -> None:
        self._dated = server.abilities.pexpiretime
        self._connection = server.dial()
        self._writer = writer

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._connection.close()

    def create(self, db: int, batches: Iterable[tuple[T, Plain]]) -> Iterator[Created[T]]:
        """Create the keys of each batch in one transaction, except those that exist by now.

        Each batch comes with a label, and the results are in the same order.
        """
        self._connection.select(db)
        watched: _Batch[T] | None = None
        written: _Batch[T] | None = None
        packed = (_Batch(*batch, self._dated) for batch in batches)
        for batch in chain(packed, (None, None)):  # in the end two are under way
            if written:
                yield written.with_outcome(self._outcome(db, written))
            written = watched if watched and self._are_absent() else None
            if watched and not written:
                yield watched.with_outcome(self._write_by_key(db, watched.entries))
            question = batch.question if batch else b""
            self._connection.send_packed(written.transaction if written else b"", question)
            watched = batch if question else None
            if batch and not question:
                yield batch.with_outcome(self._write_one_by_one(db, batch.entries))

    def _are_absent(self) -> bool:
        """Return whether none of the keys asked for exists; if so, they are watched from now on."""
        if self._connection.receive(2) == NONE_THERE:
            return True
        self._connection.ask([*UNWATCH])
        return False

    def _outcome(self, db: int, written: _Batch[T]) -> Outcome:
        """Return what became of a transaction that was sent."""
        replies = self._connection.receive(written.count + 2)
        if replies.count(QUEUED) < written.count:
            for command, reply in zip(written.commands(), replies[1:], strict=False):
                if isinstance(reply, Refusal):
                    raise self._connection.refused(reply, command)
        done = replies[-1]
        if done is None:
            return self._write_by_key(db, written.entries)
        if isinstance(done, Refusal):
            raise self._connection.refused(done, ("EXEC",))
        if not isinstance(done, list) or len(done) != written.count:
            raise self._connection.nonsense(("EXEC",))
        outcome = self._write_one_by_one(db, written.others)
        if not DONE.issuperset(map(type, done)):
            errors: dict[str, str] = {}  # the first of each key
            existing: list[str] = []  # keys for which a command did nothing
            for command, reply in zip(written.commands(), done, strict=True):
                if isinstance(reply, Refusal):
                    errors.setdefault(str(command[1]), reply.why)
                elif reply is None:
                    existing.append(str(command[1]))
            outcome.refused += (
                (_step(name, written.entries[name]), error) for name, error in errors.items()
            )
            by_key = self._write_by_key(db, {name: written.entries[name] for name in existing})
            outcome.moved += by_key.moved
            outcome.refused += by_key.refused
        return outcome

    def _write_one_by_one(self, db: int, entries: Plain) -> Outcome:
        """Write values each in a transaction of its own, for even one may be large."""
        outcomes = [self._write_by_key(db, {name: entry}) for name, entry in entries.items()]
        return Outcome(
            moved=[step for each in outcomes for step in each.moved],
            refused=[pair for each in outcomes for pair in each.refused],
        )

    def _write_by_key(self, db: int, entries: Plain) -> Outcome:
        """Write keys by the exact way, which looks at each of them."""
        return self._writer.apply(db, [_step(name, entry) for name, entry in entries.items()])


def _step(name: str, entry: Entry) -> KeyWrite:
    return KeyWrite(codec.data(name), None, entry)


def creation(name: str, entry: Entry, dated: bool) -> Creation | None:
    """Return how to create the key of a plain entry; None if its value takes several commands.

    `dated` tells whether the server knows `Abilities.pexpiretime`.
    """
    return _kind_creation(entry["type"], dated).of(name, entry)


class _KindCreation:
    """How keys of one kind are created. What is the same for all of them is worked out once."""

    def __init__(self, kind: Kind, dated: bool) -> None:
        self._create = kind.create
        self._read = READ.get(kind.read_back, b"")
        self._is_word = kind.read_back is ReadBack.WORD
        self._only_new = dated and bool(kind.create_if_absent)
        words = kind.create_if_absent
        self._options, self._count = _arguments(words), len(words)
        self._until = _arguments((*words, kind.create_until))

    def of(self, name: str, entry: Entry) -> Creation | None:
        """Return how to create a key, as `creation()` does."""
        value, when = entry["value"], entry.get("expires_at")
        command = self._create(name, value)
        if command is None:
            return None
        moment = b"" if when is None else b"%d" % milliseconds(str(when))
        packed = pack(command)
        head = packed.index(b"\n") + 1
        key = argument(name.encode())
        words = packed[head + _length(command[0]) + len(key) :]
        read = None
        if self._read:
            read = self._read % (moment or FOREVER, len(command) - 2, words)
        elif self._is_word and (0 < len(value) < SHORT // 4 or 0 < len(value.encode()) < SHORT):
            read = b":%b\r\n%b" % (moment or FOREVER, words)
        if self._only_new:
            count, rest = len(command) + self._count, self._options
            if moment:
                count, rest = count + 2, self._until + argument(moment)
            return Creation(b"*%d\r\n%b%b" % (count, packed[head:], rest), 1, True, read)
        if moment:
            return Creation(UNTIL % (packed, key, len(moment), moment), 2, False, read)
        return Creation(packed, 1, False, read)


@cache
def _kind_creation(type_: str, dated: bool) -> _KindCreation:
    return _KindCreation(KINDS[type_], dated)


@cache
def _length(word: Argument) -> int:
    """Return how many bytes a word of a command takes, packed."""
    return len(_arguments((word,)))


def _arguments(words: Iterable[Argument]) -> bytes:
    """Return words of a command, packed."""
    return b"".join(argument(str(word).encode()) for word in words)
