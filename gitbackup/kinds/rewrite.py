"""The commands that turn one entry into another: those of what changed, or the whole built anew."""

from __future__ import annotations

from collections.abc import Iterator

from gitbackup.format import codec
from gitbackup.kinds import Abilities, Command, is_opaque, kind_of
from gitbackup.model.keys import Entry


def turn(key: bytes, before: Entry | None, after: Entry | None, until: int) -> Iterator[Command]:
    """Yield the commands after which a key that holds `before` holds `after`; None means no key.

    They change it in place where they can. A key that may have expired by `until`, in
    milliseconds since 1970, is built anew, for they would make a part of it only.
    """
    if after is None:
        yield "UNLINK", key
        return
    server = _least(before, after)
    steps = None
    if before and _alike(before, after) and not _goes(before, until):
        steps = kind_of(after).change(key, before, after, server)
    if before and steps is not None:
        yield from steps
        yield from _expiry(key, before.get("expires_at"), after)
    else:
        yield from _anew(key, before, after, server)
        yield from _expiry(key, None, after)


def _alike(before: Entry, after: Entry) -> bool:
    """Return whether both are of one type, and in the same form."""
    return before["type"] == after["type"] and is_opaque(before) == is_opaque(after)


def _anew(key: bytes, before: Entry | None, after: Entry, server: Abilities) -> Iterator[Command]:
    """SET and RESTORE take the place of what is there; for others it goes first."""
    commands = kind_of(after).write(key, after, server)
    first = next(commands)
    if first[0] == "RESTORE":
        yield *first, "REPLACE"
    else:
        if before and first[0] != "SET":
            yield "UNLINK", key
        yield first
    yield from commands


def _expiry(key: bytes, held: str | int | None, after: Entry) -> Iterator[Command]:
    wanted = after.get("expires_at")
    if wanted is not None and wanted != held:
        yield "PEXPIREAT", key, codec.milliseconds(wanted)
    elif wanted is None and held is not None:
        yield "PERSIST", key


def _goes(entry: Entry, until: int) -> bool:
    """Return whether the key, or one of its fields, expires by then."""
    moments = [*entry.get("field_expires_at", {}).values()]
    if "expires_at" in entry:
        moments.append(entry["expires_at"])
    return any(codec.milliseconds(moment) <= until for moment in moments)


def _least(before: Entry | None, after: Entry) -> Abilities:
    """Return what a server must know: as little as the data need, so that most servers will do."""
    needed = [kind_of(entry).needs(entry) for entry in (before, after) if entry]
    return Abilities(stream_counters=any(one.stream_counters for one in needed))
