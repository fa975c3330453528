"""Who has logged in: by an address that works once, or a password; for as long as it is used."""

from __future__ import annotations

import secrets
import time
from dataclasses import dataclass, field
from hashlib import sha256
from hmac import compare_digest

from starlette.requests import Request

MOST = 100
"""Logins at a time; the one that was not used for longest gives way to one more."""

_STATE = "gitbackup.session"


@dataclass(eq=False)
class Session:
    """One login. It was last used at `used`, in seconds; its forms send `csrf` along."""

    used: float
    csrf: str = field(default_factory=lambda: secrets.token_urlsafe(32), repr=False)

    @classmethod
    def of(cls, request: Request) -> Session | None:
        """Return the login that a request is part of, None where it is part of none."""
        found = request.scope.get(_STATE)
        return found if isinstance(found, cls) else None

    def admit(self, request: Request) -> None:
        """Make a request part of this login."""
        request.scope[_STATE] = self


class Sessions:
    """The logins of one site. One that is idle for `idle` seconds ends; the clock counts them, for
    a machine may sleep meanwhile. Only digests of what lets somebody in are kept."""

    def __init__(self, idle: float) -> None:
        self.idle = idle
        self._sessions: dict[bytes, Session] = {}
        self._token = b""
        self._token_ends = 0.0

    def invite(self) -> str:
        """Return a token that lets somebody in once; the one before it no longer does."""
        token = secrets.token_urlsafe(32)
        self._token, self._token_ends = _digest(token), time.time() + self.idle
        return token

    def redeem(self, token: str) -> str | None:
        """Return the cookie of a new login, None for a token that lets nobody in."""
        fits = compare_digest(_digest(token), self._token)
        if not fits or time.time() > self._token_ends:
            return None
        self._token = b""
        return self.begin()

    def begin(self) -> str:
        """Return the cookie of a new login."""
        cookie = secrets.token_urlsafe(32)
        self._end_idle()
        if len(self._sessions) >= MOST:
            del self._sessions[min(self._sessions, key=lambda one: self._sessions[one].used)]
        self._sessions[_digest(cookie)] = Session(time.time())
        return cookie

    def find(self, cookie: str, used: bool) -> Session | None:
        """Return the login of a cookie; `used` says whether a person uses it right now."""
        self._end_idle()
        session = self._sessions.get(_digest(cookie))
        if session and used:
            session.used = time.time()
        return session

    def end(self, cookie: str) -> None:
        """End the login of a cookie."""
        self._sessions.pop(_digest(cookie), None)

    def goes_on(self, session: Session) -> bool:
        """Return whether a login has not ended."""
        self._end_idle()
        return session in self._sessions.values()

    def _end_idle(self) -> None:
        ended = time.time() - self.idle
        self._sessions = {one: each for one, each in self._sessions.items() if each.used > ended}


def _digest(secret: str) -> bytes:
    """Return what is looked up, so that the time of a look-up tells nothing of the secret."""
    return sha256(secret.encode("utf-8", "surrogateescape")).digest()
