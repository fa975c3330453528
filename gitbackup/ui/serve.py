"""Runs the web application at an address until it is stopped."""

from __future__ import annotations

import errno
import logging
import socket
import ssl
import threading
from dataclasses import dataclass
from ipaddress import ip_address
from pathlib import Path
from typing import NamedTuple

import uvicorn

from gitbackup import wording
from gitbackup.errors import GitbackupError, UsageError
from gitbackup.ui.app import Warn, app, fault
from gitbackup.ui.door.connections import BACKLOG, HEAD_BYTES, KEPT, Connection
from gitbackup.ui.door.gate import ENTER, LOOPBACK, Door, Gate
from gitbackup.ui.door.password import FEWEST, Password
from gitbackup.ui.sessions import Sessions
from gitbackup.ui.site import Site

PORT = 8379
"""The usual one."""

ENDING = 3
"""Seconds that answers have to be finished in when all ends."""


class Tls(NamedTuple):
    """The files of a certificate and of its key."""

    certificate: Path
    key: Path


@dataclass(frozen=True)
class Place:
    """Where a site is: at a host's name or address, and a port, 0 for a free one. Without a port
    it is the usual one, or a free one where that is in use."""

    host: str = "127.0.0.1"
    port: int | None = None
    tls: Tls | None = None


class Server:
    """A site that can be reached from when this is made until it is closed.

    Whoever has an `address()` of it gets in, or whoever knows the password, if there is one. A
    login that is idle for `idle` seconds ends. `warn` gets a sentence about each fault. Raises
    UsageError for a place that is not ours to listen at, or that others can reach where there is
    no TLS and no password.
    """

    def __init__(
        self, site: Site, place: Place, *, idle: float, password: str | None, warn: Warn
    ) -> None:
        found = _resolved(place)
        address = found[4][0]
        _expect_safe(place, str(address), password)
        self._sessions = Sessions(idle)
        self._listening = _listen(place, found)
        self.port: int = self._listening.getsockname()[1]
        self._place = place
        self._warn = warn
        self._has_password = password is not None
        door = _door(place, str(address))
        gate = Gate(site, self._sessions, door, Password(password) if password else None)
        _hand_over_logs(warn)
        tls = place.tls
        self._server = uvicorn.Server(
            uvicorn.Config(
                app(site, gate, warn),
                http=Connection,
                ws="none",
                lifespan="off",
                log_config=None,
                access_log=False,
                server_header=False,
                proxy_headers=False,
                backlog=BACKLOG,
                timeout_keep_alive=KEPT,
                timeout_graceful_shutdown=ENDING,
                h11_max_incomplete_event_size=HEAD_BYTES,
                ssl_certfile=tls.certificate if tls else None,
                ssl_keyfile=tls.key if tls else None,
            )
        )

    @property
    def url(self) -> str:
        """The URL of the first page."""
        host = f"[{self._place.host}]" if ":" in self._place.host else self._place.host
        return f"{'https' if self._place.tls else 'http'}://{host}:{self.port}/"

    def address(self) -> str:
        """Return a URL that lets somebody in; one with a token works once, and the last only."""
        if self._has_password:
            return self.url
        return f"{self.url.rstrip('/')}{ENTER}?token={self._sessions.invite()}"

    def run(self) -> None:
        """Answer until `stop` is called, or SIGINT or SIGTERM comes."""
        before = threading.excepthook
        threading.excepthook = self._tell_fault  # of a job, whose thread is its own
        try:
            self._server.run([self._listening])
        finally:
            threading.excepthook = before

    def _tell_fault(self, ended: threading.ExceptHookArgs) -> None:
        if isinstance(ended.exc_value, Exception):
            self._warn(fault(ended.exc_value))

    def stop(self) -> None:
        """End `run`, from any thread or signal handler."""
        self._server.should_exit = True


Found = tuple[int, int, int, str, tuple[str, int] | tuple[str, int, int, int]]
"""A line of `socket.getaddrinfo`."""


def _resolved(place: Place) -> Found:
    try:
        found = socket.getaddrinfo(
            place.host, place.port or 0, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE
        )
    except (OSError, UnicodeError):
        raise UsageError(f"there is no address of the name {place.host!r} here") from None
    return found[0]  # type: ignore[return-value]  # without a name


def _expect_safe(place: Place, address: str, password: str | None) -> None:
    if password is not None and len(password) < FEWEST:
        raise UsageError(f"the password of the pages is too short: it needs {FEWEST} characters")
    if place.tls:
        _expect_usable(place.tls)
    if ip_address(address).is_loopback:
        return
    if not place.tls or password is None:
        raise UsageError(
            f"others can reach {place.host}: pages there need TLS, by"
            f" {wording.option('--tls-cert and --tls-key', 'tls')}, and a password, by"
            f" {wording.option('--password-file', 'password')}"
        )


def _expect_usable(tls: Tls) -> None:
    try:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(tls.certificate, tls.key, password=lambda: "")
    except ssl.SSLError:
        raise UsageError(
            f"{tls.certificate} and {tls.key} are no certificate and its key, in PEM and without"
            " a passphrase"
        ) from None
    except OSError as error:
        raise UsageError(f"cannot read the certificate or key: {error.strerror}") from None


def _listen(place: Place, found: Found) -> socket.socket:
    host = found[4][0]
    family = socket.AddressFamily(found[0])
    ports = [PORT, 0] if place.port is None else [place.port]
    for port in ports:
        try:
            return socket.create_server((host, port), family=family, backlog=BACKLOG)
        except OSError as error:
            if error.errno == errno.EADDRINUSE and port != ports[-1]:
                continue
            raise _unavailable(place, port, error) from None
    raise AssertionError


def _unavailable(place: Place, port: int, error: OSError) -> GitbackupError:
    if error.errno == errno.EADDRINUSE:
        return UsageError(
            f"port {port} of {place.host} is in use: choose another one with"
            f" {wording.option('--port')}, or 0 for any"
        )
    return UsageError(f"cannot listen at port {port} of {place.host}: {error.strerror}")


def _door(place: Place, address: str) -> Door:
    parsed = ip_address(address)
    here = f"[{address}]" if parsed.version == 6 else address
    names = {place.host.lower(), here}
    if parsed.is_loopback or parsed.is_unspecified:
        names.update(LOOPBACK)
    if parsed.is_unspecified:
        names.update({socket.gethostname().lower(), socket.getfqdn().lower()})
    return Door(names, parsed.is_unspecified, place.tls is not None)


class _Told(logging.Handler):
    """Tells of a fault in one sentence."""

    def __init__(self, warn: Warn) -> None:
        super().__init__(logging.ERROR)
        self._warn = warn

    def emit(self, record: logging.LogRecord) -> None:
        error = record.exc_info[1] if record.exc_info else None
        if isinstance(error, Exception):
            self._warn(fault(error))


def _hand_over_logs(warn: Warn) -> None:
    """Keep what uvicorn and asyncio log unwritten: a line of it could have a secret of a URL."""
    for name in ("uvicorn", "asyncio"):
        logger = logging.getLogger(name)
        logger.handlers = [_Told(warn)]
        logger.setLevel(logging.ERROR)
        logger.propagate = False
