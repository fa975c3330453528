"""Dialling a server: one connection, logged in, or one sentence that says what to do."""

from __future__ import annotations

import socket
from collections.abc import Callable
from contextlib import closing, suppress
from dataclasses import replace
from typing import Any

from gitbackup import wording
from gitbackup.errors import PasswordNeeded, ServerError
from gitbackup.kinds import Command
from gitbackup.kinds.base import mapping
from gitbackup.live.connection.address import USUAL_PORT, Address
from gitbackup.live.connection.connection import Connection, Refusal
from gitbackup.live.protocol.bulk_parser import BulkParser
from gitbackup.live.protocol.error_replies import is_unknown
from gitbackup.live.protocol.info import parse_info

DEFAULTS: dict[str, Any] = {
    "protocol": 3,
    "socket_connect_timeout": 10,  # seconds
    "socket_timeout": 30,  # without a byte from the server
}
UNDER_WAY = 1 << 20  # bytes sent that a server has not read yet; TCP finds its own amount
KEEP_ALIVE = {"TCP_KEEPIDLE": 30, "TCP_KEEPINTVL": 5, "TCP_KEEPCNT": 3}
"""Seconds without a word before the system looks whether a server is there, and between two looks;
and how many of these are in vain before it is not."""

NO_VERSION = "unknown"
NO_SERVER = "no server answers at {label} ({reason}): start it, or name yours with {url}{demo}"


class NoServer(ServerError):
    """Nobody answers; `reason` is what the system said."""

    def __init__(self, label: str, reason: str) -> None:
        url = wording.option("--url or REDIS_URL", "url")
        demo = "" if url == "`url`" else "; `gitbackup demo` needs no server"
        super().__init__(NO_SERVER.format(label=label, reason=reason, url=url, demo=demo))
        self.reason = reason


class NoTls(ServerError):
    """A server answers that does not use TLS on that port."""


def dial(address: Address) -> Connection:
    """Return a new connection, logged in. Raises ServerError, saying what to do, if there is
    none."""
    connection = Connection(BulkParser(_connected(address)), address.label, _host(address))
    connection.read_only = address.read_only
    try:
        connection.resp3 = _greet(connection, address)
    except BaseException as error:
        connection.close()
        if connection.lost and (why := _other_tongue(address)):
            raise ServerError(why) from None
        if isinstance(error, PasswordNeeded) and _login(address) and _may_choose(address):
            return dial(replace(address, options=address.options | {"protocol": 2}))
        raise
    return connection


def _other_tongue(address: Address) -> str | None:
    """Return why a server that accepts connections does not answer, if TLS is the reason."""
    from gitbackup.live.connection import tls  # here and below: ssl takes as long as to dial

    if not address.is_secure:
        return tls.SECURE.format(label=address.label) if _at(address, tls.is_secure) else None
    try:
        with closing(_opened(address)) as source:
            return tls.first_word(source, address.label)
    except OSError as error:
        return tls.meaning(error, address.label, "")


def _connected(address: Address) -> socket.socket:
    """Return a connected socket on which nothing was sent. Raises ServerError if there is none."""
    try:
        return _opened(address)
    except (OSError, ValueError, OverflowError) as error:
        from gitbackup.live.connection import tls

        host = str(address.options.get("sni") or _host(address))
        why = tls.meaning(error, address.label, host, address.options.get("ssl_ca_certs"))
        no_tls = tls.PLAIN.format(label=address.label)
        if why == no_tls or (address.is_secure and why is None and _at(address, tls.is_plain)):
            raise NoTls(no_tls) from None
        if why is None and address.is_secure and "shake" not in address.options:
            slow = {"shake": address.options.get("socket_timeout", DEFAULTS["socket_timeout"])}
            if isinstance(error, TimeoutError):
                return _connected(replace(address, options=address.options | slow))
        if why is None:
            raise NoServer(address.label, _reason(error)) from None
        raise ServerError(why) from None


def _opened(address: Address) -> socket.socket:
    """Return a socket that is connected, and speaks TLS where the address says so.

    Raises OSError if nobody answers, ValueError or OverflowError for what is no place.
    """
    options = DEFAULTS | address.options
    source = _plain(address, options["socket_connect_timeout"])
    try:
        if "path" not in address.options:
            _keep_alive(source)
        source.settimeout(options["socket_timeout"])
        if address.is_secure:
            from gitbackup.live.connection import tls

            return tls.secured(source, _host(address), options)
    except BaseException:
        source.close()
        raise
    return source


def _plain(address: Address, timeout: float) -> socket.socket:
    path = address.options.get("path")
    if path is None:
        place = _host(address), address.options.get("port", USUAL_PORT)
        return socket.create_connection(place, timeout)
    if not hasattr(socket, "AF_UNIX"):
        raise OSError("Python on Windows has no unix sockets")
    source = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    with suppress(OSError):  # where the system does not allow so much
        source.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, UNDER_WAY)
    try:
        source.settimeout(timeout)
        source.connect(path)
    except BaseException:
        source.close()
        raise
    return source


def _keep_alive(source: socket.socket) -> None:
    """Send small commands at once, and notice a server that is gone without a word."""
    source.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    source.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
    for name, value in KEEP_ALIVE.items():
        if hasattr(socket, name):
            source.setsockopt(socket.IPPROTO_TCP, getattr(socket, name), value)


def _host(address: Address) -> str:
    return str(address.options.get("host", "localhost"))


def _at(address: Address, probe: Callable[[str, int], bool]) -> bool:
    """Return what a probe finds out about the server's port."""
    port = address.options.get("port", USUAL_PORT)
    return "path" not in address.options and probe(_host(address), port)


def _greet(connection: Connection, address: Address) -> bool:
    """Log in, and agree on the protocol; return whether it is RESP3.

    Where the server does not know HELLO and the URL does not name a protocol, it is RESP2.
    """
    login = _login(address)
    greeting: list[Command] = [("HELLO", 3, *login)]
    if protocol(address) != 3:
        named = bool(address.options.get("username"))
        greeting = [login if named else ("AUTH", login[-1])] if login else []
    (*greeted, _) = connection.ask(
        [*greeting, ("CLIENT", "NO-TOUCH", "ON")]
    )  # unknown, it does no harm
    for command, reply in zip(greeting, greeted, strict=True):
        if isinstance(reply, Refusal):
            if command[0] == "HELLO" and not login and _may_choose(address) and _no_resp3(reply):
                return False
            raise connection.refused(reply, command)
    return protocol(address) == 3


def _login(address: Address) -> Command:
    """Return the words that log in; empty if the address has neither user nor password."""
    user, password = (address.options.get(name) or "" for name in ("username", "password"))
    return ("AUTH", user or "default", password) if user or password else ()


def _may_choose(address: Address) -> bool:
    return "protocol" not in address.options


def _no_resp3(refusal: Refusal) -> bool:
    told = str(refusal)
    return is_unknown(told) or told.startswith("NOPROTO")


def protocol(address: Address) -> int:
    return int(address.options.get("protocol", 3))


def _reason(error: Exception) -> str:
    """Return the system's own words for an error."""
    if isinstance(error, TimeoutError):
        return "Timeout connecting to server"
    return str(getattr(error, "strerror", None) or error or type(error).__name__)


def hello(connection: Connection) -> dict[str, Any]:
    """Return the reply to HELLO, which every user may send; only very old or odd servers do not
    know it."""
    (reply,) = connection.ask([("HELLO",)])
    if not isinstance(reply, Refusal):
        return mapping(reply)
    told = connection.ask([("INFO", "server"), ("INFO", "replication")])
    info = parse_info("\n".join(one for one in told if not isinstance(one, Refusal)))
    return {
        "server": info.get("server_name", "redis"),
        "version": info.get("valkey_version", info.get("redis_version", NO_VERSION)),
        "mode": info.get("redis_mode", "standalone"),
        "role": info.get("role", "master"),
    }
