"""The registry of kinds: a file for each Redis type, and a line for it in `KINDS`.

A kind owns all that is special about its type: how a value is read, checked, written, changed,
compared, masked and shown. It makes commands and takes replies but never sends any, and it knows
neither files nor git.
"""

from __future__ import annotations

from typing import Any

from gitbackup.format import codec
from gitbackup.kinds import search_index
from gitbackup.kinds.base import (
    Abilities,
    Command,
    Incomplete,
    Kind,
    Reading,
    Settled,
    SingleReply,
    normal_instant,
    normal_object,
    normal_text,
)
from gitbackup.kinds.hash import Hash
from gitbackup.kinds.list import List
from gitbackup.kinds.native_json import NativeJson
from gitbackup.kinds.opaque import KNOWN_BY as KNOWN_BY_OPAQUE
from gitbackup.kinds.opaque import SILENT_COMMANDS as SILENT_OPAQUE
from gitbackup.kinds.opaque import Opaque
from gitbackup.kinds.set import Set
from gitbackup.kinds.stream import Stream
from gitbackup.kinds.string import String
from gitbackup.kinds.vectorset import VectorSet
from gitbackup.kinds.zset import SortedSet
from gitbackup.model.keys import Entry

__all__ = [
    "CORE",
    "FIELDS_EXPIRE",
    "KINDS",
    "KNOWN_BY",
    "SILENT",
    "SILENT_COMMANDS",
    "Abilities",
    "Command",
    "Incomplete",
    "Kind",
    "Reading",
    "Settled",
    "SingleReply",
    "canonical",
    "is_opaque",
    "kind_named",
    "kind_of",
    "normal_entry",
    "normal_text",
    "same",
]

KINDS: dict[str, Kind] = {
    kind.name: kind
    for kind in (
        *(String(), Hash(), List(), Set(), SortedSet(), Stream()),
        NativeJson(),
        VectorSet(),
    )
}
SILENT_COMMANDS = SILENT_OPAQUE | {
    name: kind.silent_commands for name, kind in KINDS.items() if kind.silent_commands
}
"""By type, the commands that change it without an invalidation by the server."""

SILENT = frozenset(SILENT_COMMANDS)
"""Types that some commands change without an invalidation by the server."""

FIELDS_EXPIRE = frozenset(name for name, kind in KINDS.items() if kind.fields_expire)
"""Types of which parts may expire by themselves."""

CORE = frozenset(("string", "hash", "list", "set", "zset", "stream"))
"""Types that no gitbackup has ever stored as a dump: `{"dump": ...}` is a value of theirs."""

KNOWN_BY = (
    KNOWN_BY_OPAQUE
    | {name: kind.known_by for name, kind in KINDS.items() if kind.known_by}
    | {search_index.TYPE: search_index.KNOWN_BY}
)
"""By type, a command that only servers know which can hold it."""

MEMBERS = {"type", "value", "expires_at", "field_expires_at"}


def kind_named(type_: str) -> Kind:
    """Return the kind that reads what the TYPE command calls so; an opaque one for any other."""
    return KINDS.get(type_) or Opaque(type_)


def kind_of(entry: Entry) -> Kind:
    """Return the kind in whose form an entry's value is stored: see `is_opaque`."""
    return Opaque(entry["type"]) if is_opaque(entry) else KINDS[entry["type"]]


def is_opaque(entry: Entry) -> bool:
    """Return whether an entry's value is not stored by its content.

    So is the value of a type without a kind. A type that has one now may have had none when the
    entry was stored: then the value is a dump, and stays one. A dump that is masked is a string.
    """
    type_, value = entry["type"], entry["value"]
    if type_ in CORE:
        return False
    if type_ not in KINDS or isinstance(value, str):
        return True
    return isinstance(value, dict) and value.keys() == {"dump"}


def canonical(entry: Entry) -> Entry:
    """Return an entry of loose text put under the text rule, and in canonical order again."""
    if is_opaque(entry):
        return entry  # base64, or a library's source: nothing there is loose
    tight = entry.copy()
    tight["value"] = kind_of(entry).canonicalize(codec.tighten(entry["value"]))
    if "field_expires_at" in entry:
        tight["field_expires_at"] = codec.tighten(entry["field_expires_at"])
    return tight


def same(found: Entry | None, stored: Entry | None) -> bool:
    """Return whether an entry just read, its text loose, is the stored one, to the last bit."""
    if found is None or stored is None:
        return found is stored
    return codec.encode(canonical(found)) == codec.encode(stored)


def normal_entry(entry: Any) -> Entry:
    """Return an entry as a snapshot stores it, in its canonical form.

    Raises ValueError, saying what is wrong, for what is no entry.
    """
    if not isinstance(entry, dict):
        raise ValueError("the entry is not an object")
    if unknown := entry.keys() - MEMBERS:
        raise ValueError(f"unknown member {min(unknown)!r}")
    if not isinstance(entry.get("type"), str) or "value" not in entry:
        raise ValueError("the type or the value is missing")
    given: Entry = {"type": entry["type"], "value": entry["value"]}
    value = kind_of(given).canonicalize(entry["value"])
    normal: Entry = {"type": entry["type"], "value": value}
    if "expires_at" in entry:
        normal["expires_at"] = normal_instant(entry["expires_at"])
    if "field_expires_at" in entry:
        normal["field_expires_at"] = _field_expiries(entry, value)
    return normal


def _field_expiries(entry: Any, fields: dict[str, str]) -> dict[str, str | int]:
    expiries = normal_object(entry["field_expires_at"], "field_expires_at")
    if not kind_of(entry).fields_expire or not expiries:
        raise ValueError("field_expires_at is not an object, or the key is not a hash")
    for field in expiries:
        if field not in fields:
            raise ValueError(f"field_expires_at names the field {field!r}, which does not exist")
    return {field: normal_instant(moment) for field, moment in expiries.items()}
