"""One connection to a server: commands out in batches, replies back in order."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any

from hiredis import pack_command
from redis.connection import AbstractConnection
from redis.exceptions import AuthenticationError, BusyLoadingError, RedisError, ResponseError

from gitbackup.errors import PasswordNeeded, ServerError
from gitbackup.kinds import Command
from gitbackup.live.refusals import explain, words_of

Refusal = ResponseError
"""An error reply; stands among the replies of a batch in place of its answer."""


class Wire:
    """Sends and receives; every trouble is a ServerError that says what to do.

    `label` names the server, without credentials, in what is said.
    """

    def __init__(self, connection: AbstractConnection, label: str) -> None:
        self.label = label
        self._connection = connection
        self._db = connection.db

    def send(self, commands: Iterable[Command]) -> None:
        """Sends a batch; its replies are to be received before anything else is asked."""
        try:
            self._connection.send_packed_command([_packed(commands)])
        except RedisError as error:
            raise self._lost(error) from None

    def receive(self, count: int) -> list[Any]:
        """That many replies, in order, error replies among them as Refusals."""
        return [self._reply() for _ in range(count)]

    def ask(self, commands: list[Command]) -> list[Any]:
        """Sends a batch and waits for its replies, error replies among them."""
        self.send(commands)
        return self.receive(len(commands))

    def need(self, commands: list[Command]) -> list[Any]:
        """The same, but raises ServerError, naming the command, where one is refused."""
        replies = self.ask(commands)
        for command, reply in zip(commands, replies, strict=True):
            if isinstance(reply, Refusal):
                raise self.refused(reply, command)
        return replies

    def call(self, *command: bytes | str | int | float) -> Any:
        """One command's reply. Raises ServerError, naming the command, where it is refused."""
        return self.need([command])[0]

    def select(self, db: int) -> None:
        """Makes `db` the database of the commands that follow."""
        if db != self._db:
            self.call("SELECT", db)
            self._db = db

    def refused(self, refusal: Refusal, command: Command) -> ServerError:
        """What an error reply to `command` means, in one sentence."""
        return ServerError(explain(words_of(refusal), command, self.label))

    def close(self) -> None:
        self._connection.disconnect()

    def _reply(self) -> Any:
        try:
            return self._connection.read_response(disconnect_on_error=False)
        except ResponseError as error:
            return error
        except AuthenticationError as error:
            raise PasswordNeeded(explain(words_of(error), ("HELLO",), self.label)) from None
        except BusyLoadingError as error:
            raise ServerError(explain(words_of(error), ("HELLO",), self.label)) from None
        except RedisError as error:
            raise self._lost(error) from None

    def _lost(self, error: RedisError) -> ServerError:
        self.close()
        return ServerError(f"lost the server at {self.label}: {error}; run the command again")


def _packed(commands: Iterable[Command]) -> bytes:
    """Commands as the protocol has them, by hiredis itself: redis-py's packing takes five times
    as long."""
    pack: Callable[[Command], bytes] = pack_command  # type: ignore[assignment]  # its stub is wrong
    return b"".join(map(pack, commands))
