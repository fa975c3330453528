"""Strings: the value is text."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from gitbackup import codec
from gitbackup.kinds.base import Abilities, Command, Reading, Whole, normal_text
from gitbackup.model import Entry


class String:
    name = "string"
    watched = False

    def whole(self, server: Abilities) -> Whole | None:
        return Whole("GET")

    def read(self, key: bytes, server: Abilities) -> Reading:
        (value,) = yield [("GET", key)]
        return None if value is None else {"type": self.name, "value": value}

    def normal(self, value: Any) -> Any:
        return normal_text(value, "the value")

    def write(self, key: bytes, entry: Entry, server: Abilities) -> Iterator[Command]:
        yield "SET", key, codec.data(entry["value"])

    def change(
        self, key: bytes, before: Entry, after: Entry, server: Abilities
    ) -> Iterator[Command] | None:
        return iter(()) if before["value"] == after["value"] else None
