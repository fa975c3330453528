"""Names of staging keys, where values are built that are then renamed over their keys."""

from __future__ import annotations

import re
import secrets
from collections.abc import Sequence
from contextlib import suppress

from gitbackup.live.connection.connection import Connection
from gitbackup.live.protocol.slots import beside

MARK = b":gitbackup-aside:"
NAME = re.compile(re.escape(MARK) + rb"[0-9a-f]{16}\Z")
MINUTES = 60  # after which a value that its builder left behind goes away by itself


def name_for(key: bytes, same_slot: bool = False) -> bytes:
    """Return a new name that begins with the key's own, so that the same rights cover it.

    With `same_slot` it is in the key's slot, so that a cluster renames it.
    """
    while same_slot:
        with suppress(ValueError):
            return beside(key, key + MARK + secrets.token_hex(6).encode())
    return key + MARK + secrets.token_hex(8).encode()


def is_ours(name: bytes) -> bool:
    """Return whether `name` looks like a staging key's; a real one also has an expiry, see
    `still_ours`."""
    return NAME.search(name) is not None


def still_ours(connection: Connection, names: Sequence[bytes]) -> list[bytes]:
    """Return those of `names` that are staging keys in the connection's database, in their order.

    They look like it and expire within the hour. Any other key, and one whose expiry the user
    may not ask for, is somebody's own.
    """
    alike = [name for name in names if is_ours(name)]
    left = connection.ask([("PTTL", name) for name in alike])
    return [name for name, ms in zip(alike, left, strict=True) if _is_short(ms)]


def still_ours_at(name: bytes, expires_at: int, now: int) -> bool:
    """Return whether a name is that of a staging key whose expiry is at this instant, in
    milliseconds since 1970."""
    return is_ours(name) and _is_short(expires_at - now)


def _is_short(milliseconds: object) -> bool:
    return isinstance(milliseconds, int) and 0 < milliseconds <= MINUTES * 60_000
