"""Connecting to a server, and learning what it is."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass, field, replace
from typing import Any

from redis.backoff import NoBackoff
from redis.connection import AbstractConnection
from redis.connection import Connection as TcpConnection
from redis.exceptions import RedisError
from redis.exceptions import TimeoutError as TooLong
from redis.retry import Retry

from gitbackup.errors import ServerError, UsageError
from gitbackup.kinds import Abilities, Command
from gitbackup.kinds.base import mapping
from gitbackup.live.connection import tls
from gitbackup.live.connection.address import HINT, USUAL_PORT, Address
from gitbackup.live.connection.bulk_parser import PIECE, BulkParser
from gitbackup.live.connection.connection import Connection, Refusal

DEFAULTS: dict[str, Any] = {
    "protocol": 3,
    "socket_connect_timeout": 10,  # seconds
    "socket_timeout": 30,  # without a byte from the server
    "socket_read_size": PIECE,
}
NO_SERVER = (
    "no server answers at {label} ({reason}): start it, or name yours with --url or"
    " REDIS_URL; `gitbackup demo` needs no server"
)
NUMBER = re.compile(r"-?[0-9]{1,19}")
STEP, LEAST = 16, 256  # times, that what is asked for at once is less
Dial = Callable[[], Connection]


class Patience:
    """What a server bears: it may cut off whoever asks for much at once, by its setting
    client-output-buffer-limit. Whatever reads it next asks for less then."""

    share = 1

    def less(self) -> bool:
        """Asks for less from now on; False where that is little already."""
        if self.share >= LEAST:
            return False
        self.share *= STEP
        return True


@dataclass(frozen=True, slots=True)
class Server:
    """A server that let us in: who it is, what it knows, and how to open more connections.

    `brand` is `Redis` or `Valkey`, `mode` what it says of itself, `replica` its role. `listen`
    opens a connection on which the server may speak unasked: one of RESP3.
    """

    label: str
    brand: str
    version: str
    mode: str
    replica: bool
    knows: Abilities
    dial: Dial
    listen: Dial
    patience: Patience = field(default_factory=lambda: Patience(), repr=False, compare=False)

    @property
    def abilities(self) -> Abilities:
        """What it knows, and how much of it can be asked for at once."""
        return replace(self.knows, share=self.patience.share)

    def __str__(self) -> str:
        return f"{self.brand} {self.version} {self.mode} at {self.label}"


def connect(address: Address) -> Server:
    """Logs in and asks who is there. Raises ServerError where that fails, or for a cluster."""
    connection = dial(address)
    try:
        facts = _hello(connection)
        server = _server(address, facts)
    finally:
        connection.close()
    if server.mode != "standalone":
        raise ServerError(
            f"the server at {address.label} is in {server.mode} mode, where gitbackup"
            " cannot read all keys; name a standalone server, or a replica of one"
        )
    return server


def dial(address: Address) -> Connection:
    """One connection, logged in. Raises ServerError, saying what to do, where there is none."""
    parsers: list[BulkParser] = []
    connection = _connected(address, parsers)
    wire = Connection(connection, parsers[-1], address.label)
    try:
        _greet(wire, address)
    except BaseException:
        wire.close()
        if wire.lost and (why := _other_tongue(address)):
            raise ServerError(why) from None
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
        sentence = why or NO_SERVER.format(label=address.label, reason=_reason(error))
        raise ServerError(sentence) from None


def _at(address: Address, probe: Callable[[str, int], bool]) -> bool:
    """What a probe tells of the port that the server is at."""
    host, port = address.options.get("host", "localhost"), address.options.get("port", USUAL_PORT)
    return "path" not in address.options and probe(str(host), int(port))


def _greet(connection: Connection, address: Address) -> None:
    """Logs in, and agrees on the protocol."""
    user, password = (address.options.get(name) or "" for name in ("username", "password"))
    login: Command = ("AUTH", user or "default", password) if user or password else ()
    greeting: list[Command] = [("HELLO", 3, *login)]
    if _protocol(address) != 3:
        greeting = [login if user else ("AUTH", password)] if login else []
    (*greeted, _) = connection.ask(
        [*greeting, ("CLIENT", "NO-TOUCH", "ON")]
    )  # unknown, it does no harm
    for command, reply in zip(greeting, greeted, strict=True):
        if isinstance(reply, Refusal):
            raise connection.refused(reply, command)


def _protocol(address: Address) -> int:
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


def _hello(connection: Connection) -> dict[str, Any]:
    """HELLO is open to every user; only very old or odd servers do not know it."""
    (reply,) = connection.ask([("HELLO",)])
    if not isinstance(reply, Refusal):
        return mapping(reply)
    info = parse_info(connection.call("INFO", "server"))
    return {
        "server": "redis",
        "version": info.get("redis_version", "0"),
        "mode": info.get("redis_mode", "standalone"),
        "role": "master",
    }


def _server(address: Address, hello: dict[str, Any]) -> Server:
    valkey = str(hello.get("server", "")).lower() == "valkey"
    version = str(hello.get("version", "0"))
    return Server(
        label=address.label,
        brand="Valkey" if valkey else "Redis",
        version=version,
        mode=str(hello.get("mode", "standalone")),
        replica=hello.get("role") in ("replica", "slave"),
        knows=_abilities(valkey, version, _protocol(address) == 3),
        dial=lambda: dial(address),
        listen=lambda: dial(replace(address, options=address.options | {"protocol": 3})),
    )


def _abilities(valkey: bool, version: str, resp3: bool) -> Abilities:
    numbers = (0, 0)
    with suppress(ValueError):
        major, _, rest = version.partition(".")
        numbers = (int(major), int(rest.partition(".")[0] or 0))
    seven = valkey or numbers >= (7, 0)
    field_expiry = numbers >= ((9, 0) if valkey else (7, 4))
    return Abilities(resp3, seven, field_expiry, seven, seven)


def number(info: Mapping[str, str], name: str) -> int:
    """A number of INFO; 0 where it has none of that name."""
    told = info.get(name, "0")
    return int(told) if NUMBER.fullmatch(told) else 0


def parse_info(text: str) -> dict[str, str]:
    """The `name:value` lines of an INFO reply."""
    lines = (line.partition(":") for line in text.splitlines() if ":" in line)
    return {name: value for name, _, value in lines}
