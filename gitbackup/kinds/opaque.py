"""Any other type, a module's or tomorrow's: the server's own DUMP of it, exact and opaque."""

from __future__ import annotations

import base64
from collections.abc import Iterator
from typing import Any

from gitbackup.format import codec
from gitbackup.kinds.base import Abilities, Command, Reading, SingleReply
from gitbackup.model.keys import Entry


class Opaque:
    def __init__(self, name: str) -> None:
        self.name = name

    def whole(self, server: Abilities, sized: bool) -> SingleReply | None:
        return None

    def read(self, key: bytes, server: Abilities) -> Reading:
        payload, name = yield [("DUMP", key), ("TYPE", key)]
        if payload is None:
            return None
        dump = base64.b64encode(codec.raw(payload)).decode("ascii")
        return {"type": name, "value": {"dump": dump}}  # DUMP refuses no type

    def canonicalize(self, value: Any) -> Any:
        if not isinstance(value, dict) or value.keys() != {"dump"}:
            raise ValueError('the value is not {"dump": ...}')
        try:
            dump = base64.b64decode(value["dump"], validate=True)
        except (TypeError, ValueError):
            raise ValueError("its dump is not base64") from None
        return {"dump": base64.b64encode(dump).decode("ascii")}

    def write(self, key: bytes, entry: Entry, server: Abilities) -> Iterator[Command]:
        yield "RESTORE", key, 0, base64.b64decode(entry["value"]["dump"])

    def change(
        self, key: bytes, before: Entry, after: Entry, server: Abilities
    ) -> Iterator[Command] | None:
        return iter(()) if before["value"] == after["value"] else None
