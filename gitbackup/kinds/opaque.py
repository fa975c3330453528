"""Any other type, a module's or tomorrow's: the server's own DUMP of it, exact and opaque."""

from __future__ import annotations

import base64
from collections.abc import Iterator, Sequence
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
from gitbackup.kinds.stable_dumps import stable
from gitbackup.model.changes import Part, ValueChange
from gitbackup.model.keys import Entry

KNOWN_BY = {
    "CMSk-TYPE": "CMS.INITBYDIM",
    "MBbloom--": "BF.RESERVE",
    "MBbloomCF": "CF.RESERVE",
    "ReJSON-RL": "JSON.SET",
    "TDIS-TYPE": "TDIGEST.CREATE",
    "TSDB-TYPE": "TS.CREATE",
    "TopK-TYPE": "TOPK.RESERVE",
    "graphdata": "GRAPH.QUERY",
    "trietype0": "FT.SUGADD",
    "vectorset": "VADD",
}
"""For types of well-known modules, a command that only servers know which can hold them."""

SILENT_COMMANDS = {
    "CMSk-TYPE": ("cms.incrby",),
    "trietype0": ("ft.sugdel",),
}
"""By type, commands in lower case that change it without an invalidation by the server."""

LOSES = {
    "TSDB-TYPE": "compaction rules of time series are not restored: create them again with"
    " TS.CREATERULE",
}
"""By type, what a dump does not hold, and what to do about it."""

UNSTABLE = frozenset(("graphdata",))
"""Types whose dump may differ each time, though the value is the same."""

VERSION = slice(-10, -8)
"""Where a dump has the version of the server's own format, before its checksum."""


class Opaque(Kind):
    """Also what a library of functions is shown and compared by: its value is its source."""

    def __init__(self, name: str) -> None:
        self.name = name

    def read(self, key: bytes, server: Abilities) -> Reading:
        payload, name = yield [("DUMP", key), ("TYPE", key)]
        if payload is None:
            return None
        dump = base64.b64encode(stable(name, codec.raw(payload))).decode("ascii")
        return {"type": name, "value": {"dump": dump}}  # DUMP refuses no type

    def canonicalize(self, value: Any) -> Any:
        if not isinstance(value, dict) or value.keys() != {"dump"}:
            raise ValueError('the value is not {"dump": ...}')
        try:
            dump = base64.b64decode(value["dump"], validate=True)
        except (TypeError, ValueError):
            raise ValueError("the dump is not base64") from None
        return {"dump": base64.b64encode(dump).decode("ascii")}

    def are_canonical(self, values: Sequence[Any]) -> bool:
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
        note = binary_note(*dumps)
        if self.name in UNSTABLE:
            note += f"; a dump of {self.name} may differ though the value is the same"
        return leaf(Part.VALUE, "", before, after, note)

    def masked(self, value: Any, mask: Mask) -> Any:
        return mask.text(value) if isinstance(value, str) else mask.document(value)

    def rows(self, value: Any) -> Rows:
        if isinstance(value, str):
            lines = value.split("\n")
            return Rows((Row(None, line, Form.LINE) for line in lines), len(lines))
        dump = isinstance(value, dict) and value.keys() == {"dump"}
        return Rows([Row(None, _dump(value) if dump else value)])


def comparable(before: Entry, after: Entry) -> bool:
    """Return whether two dumps of one type tell whether the values differ.

    They do not where the servers write their dumps in two versions, or where `UNSTABLE` has the
    type; nor where one of them was stored before `stable` put it into the form that it has now.
    """
    if before["type"] in UNSTABLE:
        return False
    one, other = (base64.b64decode(entry["value"]["dump"]) for entry in (before, after))
    return one[VERSION] == other[VERSION] and all(
        dump == stable(before["type"], dump) for dump in (one, other)
    )


def _dump(value: dict[str, Any]) -> str:
    """Return a dump, under the text rule."""
    return f"base64:{value.get('dump', '')}"
