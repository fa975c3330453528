"""Dialling a server: one connection, logged in, or one sentence that says what to do."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

from redis.backoff import NoBackoff
from redis.connection import AbstractConnection
from redis.connection import Connection as TcpConnection
from redis.exceptions import RedisError
from redis.exceptions import TimeoutError as TooLong
from redis.retry import Retry

from gitbackup.errors import PasswordNeeded, ServerError, UsageError
from gitbackup.kinds import Command
from gitbackup.kinds.base import mapping
from gitbackup.live.connection import tls
from gitbackup.live.connection.address import HINT, USUAL_PORT, Address
from gitbackup.live.connection.bulk_parser import PIECE, BulkParser
from gitbackup.live.connection.connection import Connection, Refusal
from gitbackup.live.connection.error_replies import is_unknown, words_of
from gitbackup.live.connection.info import parse_info

DEFAULTS: dict[str, Any] = {
    "protocol": 3,
    "socket_connect_timeout": 10,  # seconds
    "socket_timeout": 30,  # without a byte from the server
    "socket_read_size": PIECE,
}
NO_VERSION = "unknown"
NO_SERVER = (
    "no server answers at {label} ({reason}): start it, or name yours with --url or"
    " REDIS_URL; `gitbackup demo` needs no server"
)


class NoServer(ServerError):
    """Nobody answers; `reason` is what the system said."""

    def __init__(self, label: str, reason: str) -> None:
        super().__init__(NO_SERVER.format(label=label, reason=reason))
        self.reason = reason


def dial(address: Address) -> Connection:
    """One connection, logged in. Raises ServerError, saying what to do, where there is none."""
    parsers: list[BulkParser] = []
    connection = _connected(address, parsers)
    wire = Connection(connection, parsers[-1], address.label)
    try:
        wire.resp3 = _greet(wire, address)
    except BaseException as error:
        wire.close()
        if wire.lost and (why := _other_tongue(address)):
            raise ServerError(why) from None
        if isinstance(error, PasswordNeeded) and _login(address) and _may_choose(address):
            return dial(replace(address, options=address.options | {"protocol": 2}))
        raise
    return wire


def _other_tongue(address: Address) -> str | None:
    """Why a server does not answer that takes connections, where that is for TLS."""
    if not address.is_secure:
        return tls.SECURE.format(label=address.label) if _at(address, tls.is_secure) else None
    connection = _connection(address, [])
    try:
        connection.connect()
        return tls.first_word(connection, address.label)
    except (RedisError, OSError) as error:
        return tls.meaning(error, address.label, "")
    finally:
        connection.disconnect()


def _connected(address: Address, parsers: list[BulkParser]) -> AbstractConnection:
    """A connection that nothing was said on. Raises ServerError where there is none."""
    connection = _connection(address, parsers)
    try:
        connection.connect()
        return connection
    except (RedisError, OSError) as error:
        host = str(address.options.get("sni") or address.options.get("host", "localhost"))
        why = tls.meaning(error, address.label, host)
        if address.is_secure and why is None and _at(address, tls.is_plain):
            why = tls.PLAIN.format(label=address.label)
        if why is None and address.is_secure and "shake" not in address.options:
            slow = {"shake": address.options.get("socket_timeout", DEFAULTS["socket_timeout"])}
            if isinstance(error, TooLong):
                return _connected(replace(address, options=address.options | slow), parsers)
        if why is None:
            raise NoServer(address.label, _reason(error)) from None
        raise ServerError(why) from None


def _at(address: Address, probe: Callable[[str, int], bool]) -> bool:
    """What a probe tells of the port that the server is at."""
    host, port = address.options.get("host", "localhost"), address.options.get("port", USUAL_PORT)
    return "path" not in address.options and probe(str(host), int(port))


def _greet(connection: Connection, address: Address) -> bool:
    """Logs in, and agrees on the protocol; tells whether it is RESP3.

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
    """The words that log in; none where the address has neither user nor password."""
    user, password = (address.options.get(name) or "" for name in ("username", "password"))
    return ("AUTH", user or "default", password) if user or password else ()


def _may_choose(address: Address) -> bool:
    return "protocol" not in address.options


def _no_resp3(refusal: Refusal) -> bool:
    told = words_of(refusal)
    return is_unknown(told) or told.startswith("NOPROTO")


def protocol(address: Address) -> int:
    return int(address.options.get("protocol", 3))


def _connection(address: Address, parsers: list[BulkParser]) -> AbstractConnection:
    """redis-py's connection; the parser that it makes itself is added to `parsers`."""

    def parser(**options: Any) -> BulkParser:
        parsers.append(BulkParser(**options))
        return parsers[-1]

    options = DEFAULTS | address.options
    kind = options.pop("connection_class", TcpConnection)
    try:
        return kind(  # type: ignore[no-any-return]
            **options,
            encoding="utf-8",
            encoding_errors="surrogateescape",
            decode_responses=True,
            parser_class=parser,
            retry=Retry(NoBackoff(), 0),
            redis_connect_func=lambda connection: parsers[-1].on_connect(connection),
        )
    except (TypeError, ValueError, RedisError):
        raise UsageError(f"the Redis URL has an unknown option: {HINT}") from None


def _reason(error: Exception) -> str:
    """The end of redis-py's sentence: what the system said."""
    return str(error).rstrip(".").rpartition(". ")[2] or type(error).__name__


def hello(connection: Connection) -> dict[str, Any]:
    """HELLO is open to every user; only very old or odd servers do not know it."""
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
