"""Which values a server cannot hold: it does not know their type, or a newer server dumped them."""

from __future__ import annotations

import base64
from collections.abc import Mapping
from contextlib import closing
from functools import cached_property
from io import BytesIO
from typing import NamedTuple

from gitbackup.format.crc64 import crc64
from gitbackup.kinds import KINDS, KNOWN_BY, is_opaque, module_dump
from gitbackup.kinds.opaque import VERSION
from gitbackup.live.connection.connect import NOBODYS, Server
from gitbackup.live.connection.connection import Refusal
from gitbackup.model.keys import Entry

BUILT_IN = frozenset(("lua", *KINDS))
"""Modules that are part of a server, some called as their type; all their types are in KNOWN_BY."""

NO_TYPE = b"\xff"  # begins no value: a server that knows the format refuses the dump all the same


LOAD = "load the module that has it"
NEWER = "restore these keys into a server that is as new as that of the commit"


class Lack(NamedTuple):
    """What a server lacks to hold a value, and what to do about it."""

    reason: str
    remedy: str


class Unsupported:
    """Tells which values a server cannot hold. It asks the server when that is needed, once.

    No value is sent to learn that: one that a module fails to load can end the server.
    """

    def __init__(self, server: Server) -> None:
        self._server = server
        self._too_new: dict[int, bool] = {}  # by version of the format of dumps

    @cached_property
    def types(self) -> Mapping[str, str]:
        """The types that the server cannot hold, and the command of each that it does not know.

        There are none where the user may not ask.
        """
        with closing(self._server.dial()) as connection:
            (told,) = connection.ask([("COMMAND", "INFO", *KNOWN_BY.values())])
        if not isinstance(told, list) or len(told) != len(KNOWN_BY):
            return {}
        asked = zip(KNOWN_BY.items(), told, strict=True)
        return {type_: command for (type_, command), known in asked if known is None}

    def lack(self, entry: Entry) -> Lack | None:
        """Return what the server lacks to hold an entry; None if nothing, as far as is known."""
        type_ = entry["type"]
        if type_ in self.types:
            return Lack(f"it has no command {self.types[type_]}", LOAD)
        dump = _dump(entry)
        if dump[:1] == bytes((module_dump.MODULE,)) and type_ not in KNOWN_BY:
            modules = self._server.modules
            if modules is not None and modules <= BUILT_IN:
                return Lack("it has loaded no module", LOAD)
        version = int.from_bytes(dump[VERSION], "little")
        if version and self._is_too_new(version):
            older = f"it is older than the server that dumped it: version {version} of the format"
            return Lack(older, NEWER)
        return None

    def _is_too_new(self, version: int) -> bool:
        """Return whether a node says that it cannot load dumps of this version."""
        if version not in self._too_new:
            self._too_new[version] = any(
                _refuses(node, version) for node in self._server.nodes.values()
            )
        return self._too_new[version]


def _refuses(server: Server, version: int) -> bool:
    """Return whether a server refuses the version of a dump that has no value."""
    content = NO_TYPE + version.to_bytes(module_dump.VERSION, "little")
    checksum = crc64(BytesIO(content), len(content)).to_bytes(module_dump.CHECKSUM, "little")
    with closing(server.dial()) as connection:
        (reply,) = connection.ask([("RESTORE", NOBODYS, 0, content + checksum)])
    return isinstance(reply, Refusal) and "version" in str(reply)


def _dump(entry: Entry) -> bytes:
    """Return the dump that an entry holds; empty if it has none."""
    value = entry["value"]
    if not (is_opaque(entry) and isinstance(value, dict) and "dump" in value):
        return b""
    return base64.b64decode(value["dump"])
