"""Write keys so that each changes at once, and none that somebody else has changed."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from io import BytesIO
from itertools import islice
from typing import Any, NamedTuple

from gitbackup.errors import ServerError
from gitbackup.format import codec
from gitbackup.format.crc64 import crc64
from gitbackup.kinds import Abilities, Command, kind_of, same, stream_commands
from gitbackup.kinds.base import Argument
from gitbackup.live.connection.asking import Asking, answered
from gitbackup.live.connection.connect import OwnConnection, Server
from gitbackup.live.connection.connection import Connection, Refusal
from gitbackup.live.protocol import error_replies
from gitbackup.live.protocol.slots import by_slot
from gitbackup.live.read import alone_read, bulk_read
from gitbackup.live.server import keyspace, staging_keys
from gitbackup.model.keys import Entry

TRIES = 5  # transactions that others' writes undo, until a key counts as moved
UNWATCH: Sequence[Command] = (("MULTI",), ("EXEC",))  # the user may have no right to UNWATCH
SENT = 100  # commands that are sent at once while a value is built in a staging key
CHECKSUM = 8  # bytes at the end of what DUMP replies
AHEAD = "the clock of the server is behind a delivery of that stream, which takes its dump: {}"


class KeyWrite(NamedTuple):
    """What is to become of one key: it holds `before` now and is to hold `after`.

    Both are entries as stored; None is no key. If the expiry of `after` has passed, the key goes.
    """

    key: bytes
    before: Entry | None
    after: Entry | None


@dataclass(slots=True)
class Outcome:
    """What became of steps: `done`, `moved` (the key held something else), or `refused` with the
    server's error."""

    done: list[KeyWrite] = field(default_factory=list)
    moved: list[KeyWrite] = field(default_factory=list)
    refused: list[tuple[KeyWrite, str]] = field(default_factory=list)

    def add(self, *others: Outcome) -> None:
        """Add what became of other steps."""
        for other in others:
            self.done += other.done
            self.moved += other.moved
            self.refused += other.refused


class KeyWriter(OwnConnection):
    """Writes to the keys of one server, by a connection of its own.

    If it is `asking`, they are keys of slots that are just moving to this node of a cluster.
    """

    def __init__(self, server: Server, asking: bool = False) -> None:
        super().__init__(server)
        self._asking = asking
        self._now = 0  # the server's time when it was asked last, in milliseconds since 1970

    @property
    def connection(self) -> Connection:
        """The connection."""
        connection = super().connection
        connection.asking = self._asking
        return connection

    def builds(self, step: KeyWrite) -> bool:
        """Return whether a step takes a value that is built in a staging key."""
        if step.after is None or _only_expiry(step):
            return False
        return single(step.key, step.after, self._server.abilities) is None

    def made_of(self, db: int, key: bytes, entry: Entry) -> Entry | None:
        """Return what the server makes of a value, less its expiry; None if it refuses the value.

        The value is built in a staging key, read and removed.
        """
        self.connection.select(db)
        name = self._staging_name(key)
        try:
            self._build(name, entry)
            entry_made = alone_read.whole(self.connection, name, self._server.abilities).entry
        except _Refused:
            return None
        finally:
            self.remove(db, [name])
        if entry_made:
            entry_made.pop("expires_at", None)
        return entry_made

    def apply(self, db: int, steps: Sequence[KeyWrite]) -> Outcome:
        """Take the steps in one transaction; return what became of each.

        Values of more than one command are built in staging keys first. A key that does not hold
        its `before` any more is left alone, and is moved.
        """
        return answered(self.connection, self.applying(db, steps))

    def applying(self, db: int, steps: Sequence[KeyWrite]) -> Asking[Outcome]:
        """Do the same in turns."""
        self.connection.select(db)
        outcome = Outcome()
        together = [[*steps]]
        if self._server.abilities.one_slot:
            together = by_slot(steps, lambda step: step.key)
        for some in together:
            built: dict[bytes, bytes] = {}
            try:
                ready = [step for step in some if self._prepare(step, built, outcome)]
                yield from self._swap(ready, built, outcome)
            finally:
                self.remove(db, built.values())
        self._put_back(db, [step for step, _ in outcome.refused])
        return outcome

    def _staging_name(self, key: bytes) -> bytes:
        return staging_keys.name_for(key, self._server.abilities.one_slot)

    def _put_back(self, db: int, refused: Iterable[KeyWrite]) -> None:
        """Give keys their values back that went before the server refused a dump."""
        gone = [
            KeyWrite(step.key, None, step.before)
            for step in refused
            if step.before and step.after and is_loaded(step.after, self._server.abilities)
        ]
        if gone:
            self.apply(db, gone)

    def remove(self, db: int, keys: Iterable[bytes]) -> None:
        """Remove staging keys, if the server can still be reached."""
        for key in keys:
            try:
                self.connection.select(db)
                self.connection.ask([("UNLINK", key)])
            except ServerError:
                return  # they expire by themselves

    def _prepare(self, step: KeyWrite, built: dict[bytes, bytes], outcome: Outcome) -> bool:
        """Build a value of more than one command in a staging key, which is noted in `built`.

        Return False, with the error in the outcome, if the server refuses the value.
        """
        if step.after is None or not self.builds(step):
            return True
        name = built[step.key] = self._staging_name(step.key)
        try:
            self._build(name, step.after)
        except _Refused as refused:
            outcome.refused.append((step, str(refused)))
            return False
        return True

    def _writes(self, key: bytes, entry: Entry) -> Iterator[Command]:
        return writes(key, entry, self._server.abilities)

    def _build(self, name: bytes, entry: Entry) -> None:
        """Build a value in a staging key.

        Its first command comes with an expiry, which tells it from a key of somebody else's.
        """
        entry, marks = self._marked(entry)
        commands = self._writes(name, entry)
        expire: Command = "PEXPIRE", name, staging_keys.MINUTES * 60_000
        first = [*islice(commands, 1), expire]
        *queued, ended = self.connection.ask([("MULTI",), *first, ("EXEC",)])
        self._accepted(first, queued[1:])
        self._accepted([("EXEC",)], [ended])
        self._accepted(first, self.connection.unwatched(ended))
        self._send_all(commands, expire)
        if marks:
            self._set_deliveries(name, marks)

    def _marked(self, entry: Entry) -> stream_commands.Marked:
        """Return the entry, and those of its deliveries that only a dump can set, if any.

        The server is asked for its time only if the time that it gave last leaves a doubt.
        """
        if stream_commands.marked(entry, self._now).marks:
            self._now = keyspace.clock(self.connection)
        return stream_commands.marked(entry, self._now)

    def _set_deliveries(self, name: bytes, marks: Mapping[bytes, Mapping[bytes, bytes]]) -> None:
        """Set the deliveries of a stream that no command sets, by changing its dump."""
        dump = codec.raw(self._taken("DUMP", name) or "")
        try:
            content = stream_commands.put_into(dump[:-CHECKSUM], marks)
        except ValueError as unlike:
            raise _Refused(AHEAD.format(unlike)) from None
        checksum = crc64(BytesIO(content), len(content)).to_bytes(CHECKSUM, "little")
        self._taken("RESTORE", name, staging_keys.MINUTES * 60_000, content + checksum, "REPLACE")

    def _taken(self, *command: Argument) -> Any:
        """Return the reply to a command; if it is refused, only this value is."""
        (reply,) = self.connection.ask([command])
        if isinstance(reply, Refusal):
            words = str(reply)
            if words.partition(" ")[0] in error_replies.MEANINGS:
                raise self.connection.refused(reply, command)
            raise _Refused(AHEAD.format(words))
        return reply

    def _send_all(self, commands: Iterator[Command], expire: Command) -> None:
        """Send the commands in pieces; the next is put together while one is under way."""
        sent: list[Command] = []
        for piece in iter(lambda: [*islice(commands, SENT)], []):
            following = [*piece, expire]
            self.connection.send(following)
            replies = self.connection.receive(len(sent))
            try:
                self._accepted(sent, replies)
            except (ServerError, _Refused):
                self.connection.receive(len(following))  # so that no reply is left unread
                raise
            sent = following
        self._accepted(sent, self.connection.receive(len(sent)))

    def _accepted(self, commands: list[Command], replies: list[Any]) -> None:
        """Raise _Refused, or ServerError if no other key would fare better, for an error reply."""
        for command, reply in zip(commands, replies, strict=False):
            if isinstance(reply, Refusal):
                raise self._fatal(reply, command) or _Refused(reply.why)

    def _fatal(self, reply: Refusal, command: Command) -> ServerError | None:
        """Return the error for a refusal that concerns every key; None if it concerns this one."""
        code = str(reply).partition(" ")[0]
        if code in error_replies.MEANINGS or code in ("NOPERM", "EXECABORT"):
            return self.connection.refused(reply, command)
        return None

    def _swap(
        self, steps: list[KeyWrite], built: dict[bytes, bytes], outcome: Outcome
    ) -> Asking[None]:
        """Take the steps in a transaction, which others' writes may undo a few times."""
        for _ in range(TRIES):
            if not steps:
                return
            steps = yield from self._unmoved(steps, outcome)
            if steps and (yield from self._transaction(steps, built, outcome)):
                return
        outcome.moved += steps

    def _unmoved(self, steps: list[KeyWrite], outcome: Outcome) -> Asking[list[KeyWrite]]:
        """Watch the keys; return the steps of those that hold their `before`."""
        guesses = {step.key: step.before["type"] if step.before else "none" for step in steps}
        abilities = self._server.abilities
        entries = yield from bulk_read.watched(self.connection, guesses, abilities)
        unmoved = [step for step in steps if same(entries[step.key], step.before)]
        if len(unmoved) < len(steps):
            self.connection.need([*UNWATCH])
            outcome.moved += (step for step in steps if step not in unmoved)
            return (yield from self._unmoved(unmoved, outcome)) if unmoved else []
        return unmoved

    def _transaction(
        self, steps: list[KeyWrite], built: dict[bytes, bytes], outcome: Outcome
    ) -> Asking[bool]:
        """Carry out the steps; return False if others wrote to one of the keys meanwhile."""
        plan = [(step, self._commands(step, built.get(step.key))) for step in steps]
        commands = [command for _, parts in plan for command in parts]
        queued = yield [("MULTI",), *commands, ("EXEC",)]
        for command, reply in zip(commands, queued[1:], strict=False):
            if isinstance(reply, Refusal):
                raise self.connection.refused(reply, command)
        if queued[-1] is None:
            return False
        if isinstance(queued[-1], Refusal):
            raise self.connection.refused(queued[-1], ("EXEC",))
        replies = iter(queued[-1])
        for step, parts in plan:
            errors = [reply for reply in islice(replies, len(parts)) if isinstance(reply, Refusal)]
            outcome.refused += ((step, error.why) for error in errors[:1])
            outcome.done += [] if errors else [step]
        for step in steps:
            built.pop(step.key, None)
        return True

    def _commands(self, step: KeyWrite, built: bytes | None) -> list[Command]:
        """Return the commands of a transaction for one key."""
        if step.after is None:
            return [("UNLINK", step.key)]
        when = _expiry(step.key, step.after)
        if _only_expiry(step):
            return [when]
        if is_loaded(step.after, self._server.abilities):
            return [("UNLINK", step.key), _load(step.key, step.after, self._server.abilities)]
        if built is not None:
            return [("RENAME", built, step.key), when]
        return [("UNLINK", step.key), *self._writes(step.key, step.after), when]


class _Refused(Exception):
    """The server would not take one value."""


def writes(key: bytes, entry: Entry, server: Abilities) -> Iterator[Command]:
    """Return the commands that build an entry, less its expiry, at a key that does not exist."""
    return kind_of(entry).write(key, entry, server)


def single(key: bytes, entry: Entry, server: Abilities) -> Command | None:
    """Return the one command that writes the value; None if it takes more."""
    first = list(islice(writes(key, entry, server), 2))
    return first[0] if len(first) == 1 else None


def is_loaded(entry: Entry, server: Abilities) -> bool:
    """Return whether a value is written as a dump, which the server may refuse to load.

    A module may take a dump under the key's own name only: given under another name, or to REPLACE
    what is there, it can end the server. So the key goes first, in the same transaction.
    """
    return next(writes(b"", entry, server))[0] == "RESTORE"


def _load(key: bytes, entry: Entry, server: Abilities) -> Command:
    """Return the command that loads an entry with its expiry."""
    _, _, _, dump = next(writes(key, entry, server))
    until = codec.milliseconds(entry["expires_at"]) if "expires_at" in entry else 0
    return "RESTORE", key, until, dump, "ABSTTL"


def _expiry(key: bytes, entry: Entry) -> Command:
    if "expires_at" in entry:
        return "PEXPIREAT", key, codec.milliseconds(entry["expires_at"])
    return "PERSIST", key


def _only_expiry(step: KeyWrite) -> bool:
    """Return whether the key holds everything except the right expiry already."""
    if step.before is None or step.after is None:
        return False
    timeless = [
        {name: part for name, part in entry.items() if name != "expires_at"}
        for entry in (step.before, step.after)
    ]
    return codec.encode(timeless[0]) == codec.encode(timeless[1])
