"""Replies in bulk, straight from hiredis: redis-py takes microseconds more for each."""

from __future__ import annotations

from typing import Any

from hiredis import PushNotification
from redis._parsers import _HiredisParser
from redis._parsers.hiredis import NOT_ENOUGH_DATA


class Replies(_HiredisParser):
    """The parser of a connection, which can also be asked for many replies at once."""

    def __init__(self, socket_read_size: int) -> None:
        super().__init__(socket_read_size)  # type: ignore[no-untyped-call]

    def many(self, count: int) -> list[Any]:
        """That many replies, error replies among them as exceptions that are not raised.

        Raises redis-py's ConnectionError or TimeoutError where the server goes away.
        """
        replies: list[Any] = []
        while len(replies) < count:
            reply = self._reader.gets()
            if reply is NOT_ENOUGH_DATA:
                self.read_from_socket()  # type: ignore[no-untyped-call]
            elif not isinstance(reply, PushNotification):
                replies.append(reply)
        return replies
