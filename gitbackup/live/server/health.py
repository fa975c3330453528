"""What a server tells of its own persistence, by INFO and CONFIG GET, where they may be asked.

Nothing here makes the server work: both answer at once, from memory.
"""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import closing
from dataclasses import dataclass
from datetime import UTC, datetime

from gitbackup.kinds import Command
from gitbackup.kinds.base import mapping
from gitbackup.live.connection.connect import Server
from gitbackup.live.connection.connection import Connection, Refusal
from gitbackup.live.protocol.error_replies import is_unknown
from gitbackup.live.protocol.info import number, parse_info
from gitbackup.live.server import host

CONFIG: Command = ("CONFIG", "GET")
LAST = 2**57  # microseconds since 1970, in a year of four digits
SETTINGS = (
    *("appendonly", "appendfsync", "auto-aof-rewrite-percentage", "save"),
    *("dir", "dbfilename", "appendfilename", "appenddirname"),
    *("maxmemory", "maxmemory-policy", "bind", "protected-mode"),
)
"""What is asked for; never a setting that holds a password."""


@dataclass(frozen=True, slots=True)
class Health:
    """A server's own words about itself.

    `info` and `config` are empty if they are refused; then `no_info` and `no_config` tell
    why, in a sentence. `managed` tells whether there is no CONFIG at all, as in services.
    `redis_cli` is how to call it for this server. `password` tells whether we gave one. `home` is
    where its files are, if it runs on this machine and tells its folder.
    """

    redis_cli: str
    password: bool
    info: Mapping[str, str]
    config: Mapping[str, str]
    no_info: str = ""
    no_config: str = ""
    managed: bool = False
    home: host.Home | None = None

    @property
    def loading(self) -> bool:
        """Whether it still reads its data from its disk."""
        return self.info.get("loading", "0") != "0"

    @property
    def append_only(self) -> bool | None:
        """Whether it writes an append-only file; None if nothing tells."""
        told = self.info.get("aof_enabled", self.config.get("appendonly"))
        return None if told is None else told in ("1", "yes")

    @property
    def now(self) -> datetime:
        """The time by its own clock."""
        told = self.number("server_time_usec")
        return datetime.fromtimestamp(told / 1e6, UTC) if 0 < told < LAST else datetime.now(UTC)

    def number(self, name: str) -> int:
        """Return a number of INFO; 0 if it has no such line."""
        return number(self.info, name)


def read(server: Server) -> Health:
    """Ask a server for all that it tells about itself."""
    with closing(server.dial()) as connection:
        info, no_info = _info(connection)
        config, refusal = _config(connection)
        no_config = str(connection.refused(refusal, CONFIG)) if refusal else ""
    return Health(
        server.address.redis_cli,
        bool(server.address.options.get("password")),
        info,
        config,
        no_info,
        no_config,
        refusal is not None and is_unknown(str(refusal)),
        host.find(info, config),
    )


def _info(connection: Connection) -> tuple[dict[str, str], str]:
    (reply,) = connection.ask([("INFO",)])
    if isinstance(reply, Refusal):
        return {}, str(connection.refused(reply, ("INFO",)))
    return parse_info(reply), ""


def _config(connection: Connection) -> tuple[dict[str, str], Refusal | None]:
    """Return its settings, each asked for by itself: Redis 6.2 takes only one, and some are not
    known to all."""
    commands = [("CONFIG", "GET", name) for name in SETTINGS]
    found: dict[str, str] = {}
    for reply in connection.ask([*commands]):
        if isinstance(reply, Refusal):
            return {}, reply
        found |= mapping(reply)
    return found, None
