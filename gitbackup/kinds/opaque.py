"""Any other type, a module's or tomorrow's: the server's own DUMP of it, exact and opaque."""

from __future__ import annotations

import base64
from collections.abc import Iterator
from typing import Any

from gitbackup.format import codec
from gitbackup.kinds.base import (
    Abilities,
    Command,
    Form,
    Kind,
    Mask,
    PartOf,
    Reading,
    Row,
    Rows,
    TextChanges,
    TextParts,
)
from gitbackup.kinds.comparing import binary_note, leaf
from gitbackup.model.changes import Part, ValueChange
from gitbackup.model.keys import Entry


class Opaque(Kind):
    """Also what a library of functions is shown and compared by: its value is its source."""

    def __init__(self, name: str) -> None:
        self.name = name

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
            raise ValueError("the dump is not base64") from None
        return {"dump": base64.b64encode(dump).decode("ascii")}

    def is_canonical(self, value: Any) -> bool:
        return False

    def sample(self, server: Abilities) -> None:
        return None

    def write(self, key: bytes, entry: Entry, server: Abilities) -> Iterator[Command]:
        yield "RESTORE", key, 0, base64.b64decode(entry["value"]["dump"])

    def change(
        self, key: bytes, before: Entry, after: Entry, server: Abilities
    ) -> Iterator[Command] | None:
        return iter(()) if before["value"] == after["value"] else None

    def elements(self, value: Any) -> None:
        return None

    def part(self, value: Any, name: str) -> Any:
        raise LookupError(name)

    def parts(self, value: Any, text: TextParts) -> Iterator[PartOf]:
        yield PartOf(Part.VALUE, "", (), value)

    def diff(self, before: Any, after: Any, texts: TextChanges) -> list[ValueChange]:
        dumps = [_dump(side) for side in (before, after) if isinstance(side, dict)]
        return leaf(Part.VALUE, "", before, after, binary_note(*dumps))

    def masked(self, value: Any, mask: Mask) -> Any:
        return mask.text(value) if isinstance(value, str) else mask.document(value)

    def rows(self, value: Any) -> Rows:
        if isinstance(value, str):
            lines = value.split("\n")
            return Rows((Row(None, line, Form.LINE) for line in lines), len(lines))
        dump = isinstance(value, dict) and value.keys() == {"dump"}
        return Rows([Row(None, _dump(value) if dump else value)])


def _dump(value: dict[str, Any]) -> str:
    """A dump under the text rule."""
    return f"base64:{value.get('dump', '')}"
