"""The canonical form of a stored stream: ids well-formed and in bounds, nothing idle stored."""

from __future__ import annotations

from typing import Any

from gitbackup.format import codec
from gitbackup.kinds.base import normal_instant, normal_object, normal_text, normal_texts

NONE = "0-0"
LARGEST = 2**64 - 1
STREAM = {"entries", "last_id", "entries_added", "max_deleted_id", "groups"}
GROUP = {"last_id", "entries_read", "consumers", "pending"}
PENDING = {"consumer", "delivered_at", "deliveries"}


def position(id_: Any) -> tuple[int, int]:
    """A stream id as the two numbers it is ordered by. Raises ValueError for what is no id."""
    first, dash, second = id_.partition("-") if isinstance(id_, str) else ("", "", "")
    if not (dash and _digits(first) and _digits(second)):
        raise ValueError(f"{id_!r} is not a stream id")
    return int(first), int(second)


def place(id_: str) -> tuple[int, ...]:
    """The same of what is known to be one."""
    return tuple(map(int, id_.split("-")))


def _digits(word: str) -> bool:
    canonical = word.isascii() and word.isdecimal() and (word == "0" or word[0] != "0")
    return canonical and int(word) <= LARGEST


def normal_stream(value: Any) -> dict[str, Any]:
    """A stream's value. Raises ValueError, saying what is wrong, for one that no stream has."""
    _members(value, STREAM, {"entries"}, "the value")
    given = normal_object(value["entries"])
    return with_entries(value, {id_: _fields(id_, fields) for id_, fields in given.items()})


def with_entries(value: dict[str, Any], entries: dict[str, Any]) -> dict[str, Any]:
    """The same of one whose entries are checked already."""
    _members(value, STREAM, {"entries"}, "the value")
    normal: dict[str, Any] = {"entries": entries, **_state(value, entries)}
    groups = normal_object(value.get("groups", {}), "groups")
    if groups:
        normal["groups"] = {name: _group(name, group) for name, group in groups.items()}
    return normal


def expect_sum(value: dict[str, Any]) -> None:
    """Raises ValueError for a stream as it was read whose counters, or groups, no stream has."""
    rest = {name: part for name, part in value.items() if name != "entries"}
    with_entries({**codec.tighten(rest), "entries": {}}, value["entries"])


def counts(value: dict[str, Any]) -> bool:
    """Whether a stream's value tells what only a server knows that keeps counters."""
    groups = value.get("groups", {}).values()
    counted = "entries_added" in value or "max_deleted_id" in value
    return counted or any("entries_read" in group for group in groups)


def _fields(id_: str, fields: Any) -> list[str]:
    if position(id_) == (0, 0):
        raise ValueError("an entry cannot have the id 0-0")
    texts = normal_texts(fields, f"entry {id_}")
    if not texts or len(texts) % 2:
        raise ValueError(f"entry {id_} is not pairs of a field and a value")
    return texts


def _state(value: dict[str, Any], entries: dict[str, Any]) -> dict[str, Any]:
    """Counters and ids that differ from what re-adding the entries would give."""
    newest = max(entries, key=place, default=NONE)
    last, deleted = value.get("last_id", newest), value.get("max_deleted_id", NONE)
    added = _count(value.get("entries_added", len(entries)), "entries_added")
    if position(last) < position(newest):
        raise ValueError("last_id is before the last entry")
    if position(last) < position(deleted):
        raise ValueError("max_deleted_id is after last_id")
    if added < len(entries):
        raise ValueError("entries_added is less than there are entries")
    state = {"last_id": last, "entries_added": added, "max_deleted_id": deleted}
    plain = {"last_id": newest, "entries_added": len(entries), "max_deleted_id": NONE}
    return {name: item for name, item in state.items() if item != plain[name]}


def _group(name: str, group: Any) -> dict[str, Any]:
    _members(group, GROUP, {"last_id"}, f"group {name!r}")
    position(group["last_id"])
    normal: dict[str, Any] = {"last_id": group["last_id"]}
    if "entries_read" in group:
        normal["entries_read"] = _count(group["entries_read"], "entries_read")
    if consumers := sorted(normal_texts(group.get("consumers", []), "consumers")):
        if len({*consumers}) < len(consumers):
            raise ValueError(f"group {name!r} has the same consumer twice")
        normal["consumers"] = consumers
    if pending := normal_object(group.get("pending", {}), f"pending of {name!r}"):
        normal["pending"] = {id_: _pending(id_, one, consumers) for id_, one in pending.items()}
    return normal


def _pending(id_: str, pending: Any, consumers: list[str]) -> dict[str, Any]:
    position(id_)
    _members(pending, PENDING, PENDING, f"pending {id_}")
    consumer = normal_text(pending["consumer"], "consumer")
    if consumer not in consumers:
        raise ValueError(f"pending {id_} is of {consumer!r}, which its group has not")
    return {
        "consumer": consumer,
        "delivered_at": normal_instant(pending["delivered_at"]),
        "deliveries": _count(pending["deliveries"], "deliveries"),
    }


def _members(value: Any, known: set[str], needed: set[str], what: str) -> None:
    if not isinstance(value, dict):
        raise ValueError(f"{what} is not an object")
    if missing := needed - value.keys():
        raise ValueError(f"{what} has no {min(missing)}")
    if unknown := value.keys() - known:
        raise ValueError(f"{what} has an unknown member {min(unknown)!r}")


def _count(value: Any, what: str) -> int:
    if isinstance(value, float) and value.is_integer():
        value = int(value)  # JSON has one sort of number: 1.0 is 1
    if isinstance(value, bool) or not isinstance(value, int) or not 0 <= value <= codec.LARGEST:
        raise ValueError(f"{what} is not a count")
    return value
