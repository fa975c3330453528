"""Runs the web application until it is stopped."""

from __future__ import annotations

import socket
from collections.abc import Callable

import uvicorn

from gitbackup.ui.app import app
from gitbackup.ui.gate import Gate
from gitbackup.ui.site import Site


def serve(site: Site, host: str, port: int, tell: Callable[[str], None]) -> None:
    """Serve a site at an address until SIGINT or SIGTERM.

    `tell` gets the URL once the port is open; port 0 takes a free one.
    """
    gate = Gate()
    with socket.create_server((host, port)) as listening:
        tell(f"http://{host}:{listening.getsockname()[1]}/enter?token={gate.token}")
        server = uvicorn.Server(uvicorn.Config(app(site, gate), log_level="warning"))
        server.run([listening])
