"""One connection to a server: commands out in batches, replies back in order."""

from __future__ import annotations

import socket
from collections.abc import Callable, Iterable, Sequence
from contextlib import suppress
from io import BufferedReader
from typing import Any

from hiredis import ProtocolError, pack_command

from gitbackup import wording
from gitbackup.errors import AGAIN, PasswordNeeded, ServerError
from gitbackup.kinds import Command
from gitbackup.live.connection.read_only import expect_reading
from gitbackup.live.protocol.bulk_parser import BulkParser
from gitbackup.live.protocol.bulk_parser import Refusal as Refusal
from gitbackup.live.protocol.error_replies import error, explain, name_of
from gitbackup.live.protocol.reply_shapes import fits

ASKING: Command = ("ASKING",)
NONSENSE = (ProtocolError, MemoryError, RecursionError, TypeError)
"""What it ends in where a reply is none, is beyond all measure, or has a map for a name."""

TROUBLES = (OSError, *NONSENSE)
"""What receiving can end in."""

LOADING = "LOADING"
NO_LOGIN = (
    "NOAUTH",
    "WRONGPASS",
    "ERR invalid password",
    "ERR Client sent AUTH",
    "ERR AUTH <password>",
)
"""How the replies begin of a server that lets nobody in without a password, or not with this."""


class CutOff(ServerError):
    """The server has ended the connection."""


class TookTooLong(ServerError):
    """The server has kept us waiting."""


class Connection:
    """Sends and receives; every trouble is a ServerError that says what to do.

    `label` names the server, without credentials, in what is said; `lost` tells whether it has
    fallen silent, or answered with nonsense; `resp3` whether it may speak unasked. If it is
    `read_only`, it raises ReadOnly for a command that may write, and sends none.
    """

    def __init__(self, replies: BulkParser, label: str, host: str = "localhost") -> None:
        self.label = label
        self.host = host
        self.asking = False
        self._replies = replies
        self.db = 0  # that of the commands that follow
        self.lost = False
        self.resp3 = False
        self.read_only = False
        self.only_queues = False
        self._closed = False
        self._queued: list[Command] | None = None  # in a transaction that was begun

    def send(self, commands: Iterable[Command]) -> None:
        """Send a batch; its replies are to be received before anything else is asked."""
        self.send_packed(packed(commands))

    def send_packed(self, *commands: bytes) -> None:
        """Send commands that are packed already, piece by piece."""
        if self.read_only:
            expect_reading(b"".join(commands), self.only_queues)
        if self._closed:
            raise ServerError(f"lost the server at {self.label}; {AGAIN}")
        try:
            for command in commands:
                self._replies.source.sendall(command)
        except OSError as error:
            raise self._lost(error) from None

    def receive(self, count: int, decoded: bool = True, written: bool = False) -> list[Any]:
        """Return so many replies, in order, error replies among them as Refusals.

        Their text is loose, or in bytes where it is not to be `decoded`. It may be `written` if it
        is large: see `codec.write`.
        """
        try:
            replies = self._replies.many(count, decoded, written)
        except TROUBLES as error:
            raise self._lost(error) from None
        if Refusal in map(type, replies):
            self._expect_let_in(str(reply) for reply in replies if type(reply) is Refusal)
        return replies

    def receive_raw(self, markers: Sequence[bytes]) -> list[bytes]:
        """Return the bytes that arrive up to each of these replies, which are given as bytes."""
        try:
            return self._replies.up_to(markers)
        except TROUBLES as error:
            raise self._lost(error) from None

    def parse(self, replies: bytes) -> list[Any]:
        """Return the replies in bytes of `receive_raw`, when no other reply is half received."""
        try:
            return self._replies.parse(replies)
        except TROUBLES as error:
            raise self._lost(error) from None

    def expect(self, commands: Iterable[Command], replies: Iterable[Any]) -> None:
        """Raise ServerError if a reply is not valid for its command.

        Inside a transaction that is asked for, it is that the command is queued.
        """
        for command, reply in zip(commands, replies, strict=True):
            fitting = isinstance(reply, Refusal) or self._queues(command, reply)
            if command[0] == "MULTI":
                self._queued = None if isinstance(reply, Refusal) else []
            elif command[0] in ("EXEC", "DISCARD"):
                self._queued = None
            if not fitting:
                raise self.nonsense(command)

    def _queues(self, command: Command, reply: Any) -> bool:
        """Return whether a reply is valid for the command; in a transaction, that it is queued."""
        if self._queued is None:
            return fits(command, reply)
        if command[0] == "EXEC":
            whole = isinstance(reply, list) and len(reply) == len(self._queued)
            return reply is None or (whole and all(map(_fits_or_refuses, self._queued, reply)))
        if command[0] != "DISCARD":
            self._queued.append(command)
        return bool(reply == ("OK" if command[0] == "DISCARD" else "QUEUED"))

    def unwatched(self, reply: Any) -> Any:
        """Return a reply to EXEC again. Raises ServerError for the one that tells that a watched
        key was written to, since none was watched."""
        if reply is None:
            raise self.nonsense(("EXEC",))
        return reply

    def nonsense(self, command: Command) -> ServerError:
        """Return the error for a reply that is not valid for the command, and close the
        connection."""
        self.close()
        self.lost = True
        return ServerError(
            f"the answer of the server at {self.label} to {name_of(command)} is not"
            " valid: is it Redis, and does a proxy change its answers?"
        )

    def ask(self, commands: list[Command], written: bool = False) -> list[Any]:
        """Send a batch, and return its replies as `receive()` does."""
        sent = with_asking(commands) if self.asking else commands
        self.send(sent)
        replies = self.receive(len(sent), written=written)
        if self.asking:
            pairs = zip(sent, replies, strict=True)
            replies = [reply for command, reply in pairs if command is not ASKING]
        self.expect(commands, replies)
        return replies

    def need(self, commands: list[Command]) -> list[Any]:
        """Send a batch, and return its replies. Raises ServerError, naming the command, if one is
        refused."""
        replies = self.ask(commands)
        self._expect_done(commands, replies)
        return replies

    def accept(self, commands: Sequence[Command], replies: Sequence[Any]) -> None:
        """Raise ServerError, naming the command, if a reply that was received is not valid, or an
        error."""
        self.expect(commands, replies)
        self._expect_done(commands, replies)

    def _expect_done(self, commands: Sequence[Command], replies: Sequence[Any]) -> None:
        for command, reply in zip(commands, replies, strict=True):
            if isinstance(reply, Refusal):
                raise self.refused(reply, command)

    def call(self, *command: bytes | str | int | float) -> Any:
        """Return the reply to one command. Raises ServerError, naming the command, if it is
        refused."""
        return self.need([command])[0]

    def select(self, db: int) -> None:
        """Make `db` the database of the commands that follow."""
        if db != self.db:
            self.call("SELECT", db)
            self.db = db

    def told(self, seconds: float = 0) -> list[list[Any]]:
        """Return the messages that the server has sent unasked since the last call, in order.

        Where that is nothing, it waits so long for some; no reply may be under way.
        """
        try:
            self._replies.drain(seconds)
        except TROUBLES as error:
            raise self._lost(error) from None
        told, self._replies.told = self._replies.told, []
        return told

    def refused(self, refusal: Refusal, command: Command) -> ServerError:
        """Return the error for an error reply to `command`, in one sentence."""
        return error(str(refusal), command, self.label)

    @property
    def patience(self) -> float:
        """Seconds for which the server may keep waiting."""
        return self._replies.patience

    def stream(self) -> BufferedReader:
        """Return a stream of what the server sends from now on; nothing else may be received then.

        Reading raises OSError where nothing comes for as long as `patience`.
        """
        return self._replies.source.makefile("rb")

    def close(self) -> None:
        self._closed = True
        with suppress(OSError):  # it is closed at the other end
            self._replies.source.shutdown(socket.SHUT_RDWR)
        self._replies.source.close()

    def _expect_let_in(self, refusals: Iterable[str]) -> None:
        """Raise ServerError if the server is not ready, or wants a password, or another one."""
        loading = ""
        for told in refusals:
            if told.startswith(NO_LOGIN):
                if told.startswith("NOAUTH") or "required" in told.lower():
                    raise PasswordNeeded(explain("NOAUTH", ("HELLO",), self.label))
                raise ServerError(explain("WRONGPASS", ("HELLO",), self.label))
            loading = told if told.startswith(LOADING) else loading
        if loading:
            raise ServerError(explain(loading, ("HELLO",), self.label))

    def _lost(self, error: Exception) -> ServerError:
        self.close()
        self.lost = True
        if isinstance(error, NONSENSE):
            return ServerError(
                f"the answer of the server at {self.label} is not valid: is it Redis,"
                " and does a proxy change its answers?"
            )
        from gitbackup.live.connection.tls import meaning  # ssl takes as long as to dial

        if told := meaning(error, self.label, ""):
            return ServerError(told)
        why = (getattr(error, "strerror", None) or str(error)).rstrip(".")
        if isinstance(error, TimeoutError):
            more = f"{wording.option('--timeout')} allows more time"
            return TookTooLong(f"lost the server at {self.label}: {why}; {more}")
        return CutOff(f"lost the server at {self.label}: {why}; {AGAIN}")


pack: Callable[[Command], bytes] = pack_command  # type: ignore[assignment]  # its stub is wrong
"""A command as the protocol has it, by hiredis itself: redis-py's packing takes five times as
long."""


def with_asking(commands: Iterable[Command]) -> list[Command]:
    """Put ASKING before each command; one before MULTI is for all of the transaction."""
    sent: list[Command] = []
    inside = False
    for command in commands:
        sent += [command] if inside else [ASKING, command]
        inside = (inside or command[0] == "MULTI") and command[0] not in ("EXEC", "DISCARD")
    return sent


def _fits_or_refuses(command: Command, reply: Any) -> bool:
    return isinstance(reply, Refusal) or fits(command, reply)


def packed(commands: Iterable[Command]) -> bytes:
    """Return commands packed, one after the other."""
    return b"".join(map(pack, commands))
