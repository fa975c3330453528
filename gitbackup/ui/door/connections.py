"""Connections of browsers: so many at a time, and each has so long to say what it wants."""

from __future__ import annotations

import asyncio
from typing import Any, ClassVar
from weakref import WeakSet

import h11
from uvicorn.protocols.http.h11_impl import H11Protocol

MOST = 256
"""Connections at a time: with the backlog below the 1024 files that a process may usually open."""

BACKLOG = 256
"""Connections that the system accepts before we do, and that we take at a time."""

PATIENCE = 20.0
"""Seconds for all of a request, and for a piece of an answer to be taken."""

KEPT = 15
"""Seconds that a connection stays open for another request."""

HEAD_BYTES = 32 << 10
"""Of a request's first line and headers."""


class Connection(H11Protocol):
    """A connection that is closed if the other side lets us wait.

    If there are too many, the one that has said nothing for longest gives way to a new one; if all
    are being answered, the new one is closed.
    """

    _alive: ClassVar[WeakSet[Connection]] = WeakSet()
    """Also those that have not yet agreed on TLS, of which uvicorn knows nothing."""

    def __init__(self, *args: Any, **options: Any) -> None:
        super().__init__(*args, **options)
        self._timer: asyncio.TimerHandle | None = None
        self._since = self.loop.time()
        if len(self._alive) >= MOST and not self._make_room():
            raise ConnectionRefusedError  # asyncio closes what it has accepted
        self._alive.add(self)

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        super().connection_made(transport)
        self._be_patient()

    def data_received(self, data: bytes) -> None:
        if self._timer is None:  # otherwise it is the rest of what began before
            self._be_patient()
        super().data_received(data)
        if self.conn.their_state not in (h11.IDLE, h11.SEND_BODY):
            self._stop_timer()

    def pause_writing(self) -> None:
        super().pause_writing()
        self._be_patient()

    def resume_writing(self) -> None:
        super().resume_writing()
        self._stop_timer()

    def connection_lost(self, exc: Exception | None) -> None:
        self._stop_timer()
        self._alive.discard(self)
        super().connection_lost(exc)

    def _be_patient(self) -> None:
        """Give the other side so long for what it is to do now."""
        self._stop_timer()
        self._since = self.loop.time()
        self._timer = self.loop.call_later(PATIENCE, self._give_up)

    def _stop_timer(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def _give_up(self) -> None:
        self._timer = None
        self.transport.abort()

    def _make_room(self) -> bool:
        """Close the connection that has waited longest without a request; False for none."""
        waiting = [one for one in self._alive if one._waits]
        if not waiting:
            return False
        oldest = min(waiting, key=lambda one: one._since)
        self._alive.discard(oldest)
        oldest.transport.abort()
        return True

    @property
    def _waits(self) -> bool:
        """Whether it is open, and no request of it is being answered."""
        return bool(self.transport) and (self.cycle is None or self.cycle.response_complete)
