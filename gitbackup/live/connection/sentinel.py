"""Redis Sentinel: which server is the primary of a service now, by any sentinel that answers.

What a sentinel says may be out of date while it fails over, so the server that it names is
asked for its role, each time that it is connected to.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from gitbackup.errors import PasswordNeeded, ServerError
from gitbackup.kinds import Command
from gitbackup.kinds.base import mapping
from gitbackup.live.connection.address import Address, Sentinels, place_of, told_place
from gitbackup.live.connection.connection import Connection, CutOff, Refusal
from gitbackup.live.connection.dial import NoServer, dial, hello
from gitbackup.live.protocol.error_replies import is_unknown

SOON = 3.0  # seconds, at most, for a sentinel to answer: there are others
FAILOVER = "a failover may be in progress; run the command again"
LOGIN = "set GITBACKUP_SENTINEL_PASSWORD, or put ?sentinel_password=... in the URL"


class _NotFound(ServerError):
    """A sentinel does not lead to the primary. The higher `rank`, the more it tells."""

    def __init__(self, sentence: str, rank: int) -> None:
        super().__init__(sentence)
        self.rank = rank


def find(address: Address) -> tuple[Address, Connection]:
    """Return where the primary of the address's service is, and a connection to it, logged in.

    Raises ServerError if no sentinel answers, or none leads to a primary; and where the
    primary does not let us in.
    """
    if address.sentinels is None:
        raise ValueError("an address without sentinels")
    found = list[_NotFound]()
    for host, port in address.sentinels.places:
        try:
            primary = _primary(address, address.sentinels, host, port)
            return primary, dial_primary(primary)
        except _NotFound as error:
            found.append(error)
    raise ServerError(str(max(found, key=lambda error: error.rank)))


def dial_primary(address: Address) -> Connection:
    """Return a connection to a primary that `find` has found.

    Raises ServerError if the server is no longer the primary.
    """
    service = address.sentinels.service if address.sentinels else ""
    try:
        connection = dial(address)
    except NoServer as error:
        why = f"the primary of {service!r} does not answer at {address.label} ({error.reason})"
        raise _NotFound(f"{why}: {FAILOVER}", 3) from None
    except CutOff as error:
        raise _NotFound(str(error), 3) from None
    if (role := hello(connection).get("role")) != "master":
        connection.close()
        raise _NotFound(
            f"the server at {address.label} is a {role}, not the primary of {service!r}:"
            f" {FAILOVER}",
            3,
        )
    return connection


def services(connection: Connection) -> list[str]:
    """Return the names of the services that a sentinel knows, none where it does not say."""
    (reply,) = connection.ask([("SENTINEL", "MASTERS")])
    try:
        return [str(mapping(one)["name"]) for one in reply]
    except (TypeError, ValueError, KeyError):
        return []


def _primary(address: Address, sentinels: Sentinels, host: str, port: int) -> Address:
    """Return where the primary is, by one sentinel. Raises _NotFound."""
    own = Address(place_of(host, port), None, _options(address.options, sentinels, host, port))
    try:
        connection = dial(own)
        try:
            host, port = _asked(connection, sentinels.service)
        finally:
            connection.close()
    except NoServer as error:
        why = f"no sentinel of {sentinels.service!r} answers ({own.label}: {error.reason})"
        raise _NotFound(f"{why}: check the addresses in the URL", 0) from None
    except PasswordNeeded:
        raise _NotFound(f"the sentinel at {own.label} requires a password: {LOGIN}", 1) from None
    except _NotFound:
        raise
    except ServerError as error:
        raise _NotFound(str(error), 1) from None
    options = address.options | {"host": host, "port": port}
    return replace(address, label=place_of(host, port), options=options)


def _options(given: dict[str, Any], sentinels: Sentinels, host: str, port: int) -> dict[str, Any]:
    """Return how to connect to a sentinel: as to the server, but for the login."""
    soon = {
        name: min(float(given.get(name) or SOON), SOON)
        for name in ("socket_timeout", "socket_connect_timeout")
    }
    login = {"username": sentinels.username, "password": sentinels.password}
    return {**given, **soon, **login, "host": host, "port": port, "protocol": 2}


def _asked(connection: Connection, service: str) -> tuple[str, int]:
    question: Command = ("SENTINEL", "GET-MASTER-ADDR-BY-NAME", service)
    (reply,) = connection.ask([question])
    if isinstance(reply, Refusal):
        if is_unknown(str(reply)):
            raise _NotFound(
                f"the server at {connection.label} is not a sentinel: a server's own URL"
                " begins with redis:// or rediss://",
                2,
            )
        raise connection.refused(reply, question)
    if reply is None:
        known = ", ".join(map(repr, services(connection))) or "none"
        raise _NotFound(
            f"the sentinel at {connection.label} does not know the service {service!r}:"
            f" it knows {known}",
            2,
        )
    try:
        return told_place(*reply)
    except (TypeError, ValueError):
        raise connection.nonsense(question) from None
