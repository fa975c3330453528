"""The commands that build a stream's groups: where each is, its consumers, what is pending."""

from __future__ import annotations

from collections.abc import Container, Iterator
from typing import Any

from gitbackup.format import codec
from gitbackup.kinds.base import Command


def write_group(key: bytes, name: bytes, group: dict[str, Any]) -> Iterator[Command]:
    """The group with its consumers, nothing pending."""
    yield "XGROUP", "CREATE", key, name, group["last_id"]
    for consumer in group.get("consumers", []):
        yield "XGROUP", "CREATECONSUMER", key, name, codec.data(consumer)


def claim(key: bytes, name: bytes, group: dict[str, Any], ids: Container[str]) -> Iterator[Command]:
    """The group's pending entries of these ids."""
    for id_, pending in group.get("pending", {}).items():
        if id_ in ids:
            at, count = codec.milliseconds(pending["delivered_at"]), pending["deliveries"]
            claim = ("XCLAIM", key, name, codec.data(pending["consumer"]), 0, id_)
            yield *claim, "TIME", at, "RETRYCOUNT", count, "FORCE", "JUSTID"


def set_group(key: bytes, name: bytes, group: dict[str, Any]) -> Command:
    """Where the group is, and how many entries it has read where that is known."""
    read = ("ENTRIESREAD", group["entries_read"]) if "entries_read" in group else ()
    return "XGROUP", "SETID", key, name, group["last_id"], *read
