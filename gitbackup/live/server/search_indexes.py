"""Search indexes of RediSearch: which there are. They are definitions, and no keys."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import closing

from gitbackup.format import codec
from gitbackup.live.connection.connect import Server

MODULE = "search"


def search_indexes(server: Server) -> Sequence[str]:
    """Return the names of all search indexes, as loose text; none where nobody may ask."""
    if MODULE not in server.modules:
        return []
    with closing(server.dial()) as connection:
        (names,) = connection.ask([("FT._LIST",)])
    if not isinstance(names, list | set):
        return []
    return sorted(codec.loose(name) if isinstance(name, bytes) else str(name) for name in names)
