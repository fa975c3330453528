"""Creating many keys that nobody has: one batch is under way while the next is put together."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from itertools import chain
from typing import Any, Self

from gitbackup import codec
from gitbackup.kinds import Command
from gitbackup.kinds.plain import made_by_one
from gitbackup.live.connect import Server
from gitbackup.live.wire import Refusal, packed
from gitbackup.live.write import KeyWriter, Outcome, Step
from gitbackup.model import Entry

QUEUED = "QUEUED"
DONE = {int, str}  # what a server answers that has done what it was told

Plain = Mapping[str, Entry]
"""Entries by name, of files that are plain: no text there stands for other bytes."""


class _Batch:
    """Keys to be created together: their commands, ready to be sent, and who takes more."""

    def __init__(self, entries: Plain, dated: bool) -> None:
        self.entries = entries
        self.commands: list[Command] = []
        self.others: dict[str, Entry] = {}
        names: list[str] = []
        for name, entry in entries.items():
            made = made_by_one(name, entry)
            if made is None:
                self.others[name] = entry
            else:
                names.append(name)
                self.commands += _with_expiry(name, made, entry, dated)
        self.question = packed([("WATCH", *names), ("EXISTS", *names)]) if names else b""
        self.transaction = packed([("MULTI",), *self.commands, ("EXEC",)])


class Creator:
    """Creates keys of one server. A context manager: leaving it closes the connection.

    Where a key of a batch is there by now, `writer` does the batch; and it does the values that
    take more than one command.
    """

    def __init__(self, server: Server, writer: KeyWriter) -> None:
        self._dated = server.abilities.pexpiretime
        self._wire = server.dial()
        self._writer = writer

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._wire.close()

    def create(self, db: int, batches: Iterable[Plain]) -> Iterator[Outcome]:
        """Creates the keys of each batch in one transaction: those that nobody else did.

        What became of each batch; of what was done in the first go it tells nothing.
        """
        self._wire.select(db)
        watched: _Batch | None = None
        written: _Batch | None = None
        made = (_Batch(batch, self._dated) for batch in batches)
        for ready in chain(made, (None, None)):  # in the end two are under way
            if written:
                yield self._outcome(db, written)
            written = watched if watched and self._absent(watched) else None
            if watched and not written:
                yield self._exactly(db, watched.entries)
            question = ready.question if ready else b""
            self._wire.send_packed((written.transaction if written else b"") + question)
            watched = ready if question else None
            if ready and not question:
                yield self._one_by_one(db, ready.entries)

    def _absent(self, watched: _Batch) -> bool:
        """Whether none of the keys is there; then they are watched from now on."""
        if self._wire.receive(2) == ["OK", 0]:
            return True
        self._wire.ask([("UNWATCH",)])
        return False

    def _outcome(self, db: int, written: _Batch) -> Outcome:
        """What became of a transaction that was sent."""
        commands = written.commands
        replies = self._wire.receive(len(commands) + 2)
        if replies.count(QUEUED) < len(commands):
            self._raise(commands, replies[1:])
        done = replies[-1]
        if done is None:
            return self._exactly(db, written.entries)
        if isinstance(done, Refusal):
            raise self._wire.refused(done, ("EXEC",))
        outcome = self._one_by_one(db, written.others)
        if not DONE.issuperset(map(type, done)):
            outcome.refused += _refused(written, done)
        return outcome

    def _raise(self, commands: list[Command], replies: list[Any]) -> None:
        for command, reply in zip(commands, replies, strict=False):
            if isinstance(reply, Refusal):
                raise self._wire.refused(reply, command)

    def _one_by_one(self, db: int, entries: Plain) -> Outcome:
        """For values of which even one may be large."""
        told = [self._exactly(db, {name: entry}) for name, entry in entries.items()]
        return Outcome(
            moved=[step for each in told for step in each.moved],
            refused=[pair for each in told for pair in each.refused],
        )

    def _exactly(self, db: int, entries: Plain) -> Outcome:
        return self._writer.apply(db, [_step(name, entry) for name, entry in entries.items()])


def _with_expiry(name: str, made: Command, entry: Entry, dated: bool) -> Iterator[Command]:
    """The command and what gives the key its expiry; a SET takes that too, where it is `dated`."""
    if "expires_at" not in entry:
        yield made
        return
    moment = codec.milliseconds(entry["expires_at"])
    if dated and made[0] == "SET":
        yield *made, "PXAT", moment
    else:
        yield made
        yield "PEXPIREAT", name, moment


def _refused(written: _Batch, replies: list[Any]) -> Iterator[tuple[Step, str]]:
    """The keys of which a command was refused, and what was said first."""
    why: dict[str, str] = {}
    for command, reply in zip(written.commands, replies, strict=True):
        if isinstance(reply, Refusal):
            why.setdefault(str(command[1]), str(reply))
    return ((_step(name, written.entries[name]), said) for name, said in why.items())


def _step(name: str, entry: Entry) -> Step:
    return Step(codec.data(name), None, entry)
