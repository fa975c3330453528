"""What a stored stream must be to be written: well-formed ids, in bounds, nothing unknown."""

from __future__ import annotations

from typing import Any

from gitbackup import codec
from gitbackup.kinds.base import check_object, check_text, check_texts

LARGEST = 2**64 - 1
STREAM = {"entries", "last_id", "entries_added", "max_deleted_id", "groups"}
GROUP = {"last_id", "entries_read", "consumers", "pending"}
PENDING = {"consumer", "delivered_at", "deliveries"}


def position(id_: str) -> tuple[int, int]:
    """A stream id as the two numbers it is ordered by. Raises ValueError for what is no id."""
    first, dash, second = id_.partition("-")
    if not (dash and _digits(first) and _digits(second)):
        raise ValueError(f"{id_!r} is not a stream id")
    return int(first), int(second)


def _digits(word: str) -> bool:
    canonical = word.isascii() and word.isdecimal() and (word == "0" or word[0] != "0")
    return canonical and int(word) <= LARGEST


def check_stream(value: Any) -> None:
    """Raises ValueError, saying what is wrong, for a value that no stream has."""
    _members(value, STREAM, {"entries"}, "the value")
    check_object(value["entries"], "entries")
    for id_, fields in value["entries"].items():
        _entry(id_, fields)
    for name in ("last_id", "max_deleted_id"):
        _id(value.get(name, "0-0"))
    _count(value.get("entries_added", len(value["entries"])), "entries_added")
    if value.get("entries_added", len(value["entries"])) < len(value["entries"]):
        raise ValueError("entries_added is less than there are entries")
    _order(value)
    check_object(value.get("groups", {}), "groups")
    for name, group in value.get("groups", {}).items():
        _group(name, group)


def _entry(id_: str, fields: Any) -> None:
    if position(id_) == (0, 0):
        raise ValueError("an entry cannot have the id 0-0")
    check_texts(fields, f"entry {id_}")
    if not fields or len(fields) % 2:
        raise ValueError(f"entry {id_} is not pairs of a field and a value")


def _order(value: dict[str, Any]) -> None:
    newest = max(map(position, value["entries"]), default=(0, 0))
    last = position(value["last_id"]) if "last_id" in value else newest
    if last < newest:
        raise ValueError("last_id is before the last entry")
    if last < position(value.get("max_deleted_id", "0-0")):
        raise ValueError("max_deleted_id is after last_id")


def _group(name: str, group: Any) -> None:
    _members(group, GROUP, {"last_id"}, f"group {name!r}")
    _id(group["last_id"])
    _count(group.get("entries_read", 0), "entries_read")
    check_texts(group.get("consumers", []), f"consumers of {name!r}")
    check_object(group.get("pending", {}), f"pending of {name!r}")
    for id_, pending in group.get("pending", {}).items():
        _id(id_)
        _members(pending, PENDING, PENDING, f"pending {id_}")
        check_text(pending["consumer"], "consumer")
        if pending["consumer"] not in group.get("consumers", []):
            raise ValueError(f"pending {id_} has a consumer that the group has not")
        codec.milliseconds(pending["delivered_at"])
        _count(pending["deliveries"], "deliveries")


def _members(value: Any, known: set[str], needed: set[str], what: str) -> None:
    if not isinstance(value, dict):
        raise ValueError(f"{what} is not an object")
    if missing := needed - value.keys():
        raise ValueError(f"{what} has no {min(missing)}")
    if unknown := value.keys() - known:
        raise ValueError(f"{what} has an unknown member {min(unknown)!r}")


def _id(value: Any) -> None:
    check_text(value, "an id")
    position(value)


def _count(value: Any, what: str) -> None:
    if isinstance(value, bool) or not isinstance(value, int) or value < 0:
        raise ValueError(f"{what} is not a count")
