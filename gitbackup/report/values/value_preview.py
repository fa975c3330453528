"""A value that came or went: its first lines, and how many more there are."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from datetime import datetime
from itertools import chain, islice
from typing import Any, NamedTuple

from gitbackup.model.amounts import counted
from gitbackup.model.keys import Entry
from gitbackup.report.style.escape import escape, name, shown
from gitbackup.report.style.human_time import expiry
from gitbackup.report.values.streams import fields

Named = Callable[[str], str]

PREVIEW = 10
"""Lines shown of a value that came or went."""


def entry_lines(
    entry: Entry | None, most: int | None, named: Named, now: datetime
) -> Iterator[str]:
    """A key that came or went: its expiry, then the first of its value."""
    if entry is None:
        return
    if "expires_at" in entry:
        yield f"expires: {expiry(entry['expires_at'], now)}"
    expiring = len(entry.get("field_expires_at", ()))
    if expiring:
        yield counted(expiring, "field expires", "fields expire")
    yield from preview(entry, most, named)


def preview(entry: Entry | None, most: int | None, named: Named) -> Iterator[str]:
    """The first lines of a value, all where `most` is None, and how many more there are.

    `named` tells a name in front of a value.
    """
    if entry is None:
        return
    found = PREVIEWS.get(entry["type"], _of_one)(entry["value"], named)
    yield from islice(found.lines, most)
    more = 0 if most is None else found.total - most
    if more > 0:
        yield f"… {counted(more, f'more {found.one}', f'more {found.many}')}"


def score(value: Any) -> str:
    """A score; the infinite ones are stored as text, and no text all the same."""
    return escape(value) if isinstance(value, str) else shown(value)


class _Preview(NamedTuple):
    """A value as lines, made only as they are asked for, and what one of them is called."""

    lines: Iterable[str]
    total: int = 1
    one: str = "line"
    many: str = "lines"


def _of_one(value: Any, named: Named) -> _Preview:
    """A string or a document on one line; of data that only the server can read, the size."""
    if isinstance(value, dict) and value.keys() == {"dump"}:
        return _Preview([shown(f"base64:{value['dump']}")])
    return _Preview([shown(value)])


def _of_source(value: str, named: Named) -> _Preview:
    lines = value.split("\n")
    return _Preview(map(escape, lines), len(lines))


def _of_hash(value: dict[str, str], named: Named) -> _Preview:
    lines = (f"{named(field)}: {shown(text)}" for field, text in value.items())
    return _Preview(lines, len(value), "field", "fields")


def _of_list(value: list[str], named: Named) -> _Preview:
    lines = (f"[{at}]: {shown(item)}" for at, item in enumerate(value))
    return _Preview(lines, len(value), "item", "items")


def _of_set(value: list[str], named: Named) -> _Preview:
    return _Preview(map(name, value), len(value), "member", "members")


def _of_zset(value: dict[str, Any], named: Named) -> _Preview:
    lines = (f"{named(member)}: {score(held)}" for member, held in value.items())
    return _Preview(lines, len(value), "member", "members")


def _of_stream(value: dict[str, Any], named: Named) -> _Preview:
    entries, state = value.get("entries", {}), {k: v for k, v in value.items() if k != "entries"}
    lines = chain(
        (f"{name(at)}: {shown(held)}" for at, held in state.items()),
        (f"{name(at)}: {fields(held)}" for at, held in entries.items()),
    )
    return _Preview(lines, len(entries) + len(state), "entry", "entries")


PREVIEWS: dict[str, Callable[[Any, Named], _Preview]] = {
    "hash": _of_hash,
    "list": _of_list,
    "set": _of_set,
    "zset": _of_zset,
    "stream": _of_stream,
    "function": _of_source,
}
"""How a value that came or went is shown; any other type on one line."""
