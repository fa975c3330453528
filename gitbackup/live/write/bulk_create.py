"""Create many absent keys: one batch is under way while the next is put together."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import chain, compress
from operator import not_
from typing import Any, Generic, Self, TypeVar

from gitbackup.format import codec
from gitbackup.kinds import Command
from gitbackup.kinds.canonical_check import made_by_one
from gitbackup.live.connection.connect import Server
from gitbackup.live.connection.connection import Refusal
from gitbackup.live.write.create_commands import Creation, creation
from gitbackup.live.write.key_writer import UNWATCH, KeyWrite, KeyWriter, Outcome
from gitbackup.model.keys import Entry

T = TypeVar("T")
QUEUED = "QUEUED"
QUESTION = b"*%d\r\n$5\r\nWATCH\r\n%b*%d\r\n$6\r\nEXISTS\r\n%b"
BEGIN, END = b"*1\r\n$5\r\nMULTI\r\n", b"*1\r\n$4\r\nEXEC\r\n"
ANSWER = b"+OK\r\n%b*%d\r\n%b"
NONE_THERE = b"+OK\r\n:0\r\n"  # to WATCH and EXISTS
DONE = {int, str}  # what a server answers that has done what it was told

Plain = Mapping[str, Entry]
"""Entries by name that are plain: no text there stands for other bytes."""


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
        self._each = each = [creation(name, entry, dated) for name, entry in entries.items()]
        self.others = _not_ready(entries, each) if None in each else {}
        self.reads = [made and made.likely_read for made in each]
        ready = [made for made in each if made]
        keys, commands, numbers, new, done, _ = zip(*ready, strict=True) if ready else [()] * 6
        # one at least, so that there is an answer
        asked = [*compress(keys, map(not_, new))] or keys[:1]
        count, names = len(asked) + 1, b"".join(asked)
        self.question = QUESTION % (count, names, count, names) if ready else b""
        self.transaction = b"".join((BEGIN, *commands, END))
        self.count = count = sum(numbers)
        self.answer = ANSWER % (count * b"+QUEUED\r\n", count, b"".join(done))

    def became(self, outcome: Outcome) -> Created[T]:
        return Created(self.label, self.entries, outcome, self.reads)

    def commands(self) -> Iterator[Command]:
        """Return the commands with their keys, to say which one was refused."""
        for (name, entry), made in zip(self.entries.items(), self._each, strict=True):
            command = made and made_by_one(name, entry)
            if made and command:
                yield command
                yield from [("PEXPIREAT", name)] * (made.number - 1)


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
        made = (_Batch(*batch, self._dated) for batch in batches)
        for ready in chain(made, (None, None)):  # in the end two are under way
            if written:
                yield written.became(self._outcome(db, written))
            written = watched if watched and self._absent(watched) else None
            if watched and not written:
                yield watched.became(self._exactly(db, watched.entries))
            question = ready.question if ready else b""
            self._connection.send_packed(written.transaction if written else b"", question)
            watched = ready if question else None
            if ready and not question:
                yield ready.became(self._one_by_one(db, ready.entries))

    def _absent(self, watched: _Batch[T]) -> bool:
        """Return whether none of the keys exists; if so, they are watched from now on."""
        if self._connection.answers(NONE_THERE) or self._connection.receive(2) == ["OK", 0]:
            return True
        self._connection.ask([*UNWATCH])
        return False

    def _outcome(self, db: int, written: _Batch[T]) -> Outcome:
        """Return what became of a transaction that was sent."""
        if self._connection.answers(written.answer):
            return self._one_by_one(db, written.others)
        replies = self._connection.receive(written.count + 2)
        if replies.count(QUEUED) < written.count:
            self._raise(written.commands(), replies[1:])
        done = replies[-1]
        if done is None:
            return self._exactly(db, written.entries)
        if isinstance(done, Refusal):
            raise self._connection.refused(done, ("EXEC",))
        if not isinstance(done, list) or len(done) != written.count:
            raise self._connection.nonsense(("EXEC",))
        outcome = self._one_by_one(db, written.others)
        if not DONE.issuperset(map(type, done)):
            outcome.refused += _refused(written, done)
            there = {name: written.entries[name] for name in _not_new(written, done)}
            again = self._exactly(db, there)
            outcome.moved += again.moved
            outcome.refused += again.refused
        return outcome

    def _raise(self, commands: Iterable[Command], replies: list[Any]) -> None:
        for command, reply in zip(commands, replies, strict=False):
            if isinstance(reply, Refusal):
                raise self._connection.refused(reply, command)

    def _one_by_one(self, db: int, entries: Plain) -> Outcome:
        """Write values each by itself, for even one may be large."""
        told = [self._exactly(db, {name: entry}) for name, entry in entries.items()]
        return Outcome(
            moved=[step for each in told for step in each.moved],
            refused=[pair for each in told for pair in each.refused],
        )

    def _exactly(self, db: int, entries: Plain) -> Outcome:
        return self._writer.apply(db, [_step(name, entry) for name, entry in entries.items()])


def _not_ready(entries: Plain, each: Sequence[Creation | None]) -> Plain:
    """Return the entries that one command does not create."""
    return {item: entries[item] for item, made in zip(entries, each, strict=True) if made is None}


def _refused(written: _Batch[T], replies: list[Any]) -> Iterator[tuple[KeyWrite, str]]:
    """Return the keys of which a command was refused, and the first error of each."""
    why: dict[str, str] = {}
    for command, reply in zip(written.commands(), replies, strict=True):
        if isinstance(reply, Refusal):
            why.setdefault(str(command[1]), str(reply))
    return ((_step(name, written.entries[name]), said) for name, said in why.items())


def _not_new(written: _Batch[T], replies: list[Any]) -> Iterator[str]:
    """Return the keys that exist by now, so that a command did nothing."""
    pairs = zip(written.commands(), replies, strict=True)
    return (str(command[1]) for command, reply in pairs if reply is None)


def _step(name: str, entry: Entry) -> KeyWrite:
    return KeyWrite(codec.data(name), None, entry)
