"""The index of a pack, version 2: which objects the pack has, and where. See gitformat-pack(5)."""

from __future__ import annotations

import hashlib
import mmap
import struct
from collections.abc import Iterable, Iterator
from itertools import accumulate
from pathlib import Path
from typing import NamedTuple, Self

HEADER = b"\377tOc\0\0\0\2"
ID = 20  # bytes of an id
TABLE = len(HEADER)  # where the table of how many ids there are up to each first byte begins
IDS = TABLE + 256 * 4
EACH = ID + 4 + 4  # bytes of an id, a CRC-32 and an offset
LARGE = 1 << 31  # offsets from here on are in a table of their own


class PackedObject(NamedTuple):
    """An object of a pack: its id, the CRC-32 of its bytes in the pack, and where they begin."""

    id: bytes
    crc: int
    offset: int


def encode(objects: Iterable[PackedObject], checksum: bytes) -> bytes:
    """Return the index of the pack that has these objects and this checksum.

    Raises ValueError for an id that is there twice, or is none.
    """
    ordered = sorted(objects)
    ids = [each.id for each in ordered]
    if len(set(ids)) < len(ids) or any(len(each) != ID for each in ids):
        raise ValueError("each object of a pack has an id of its own")
    large = [each.offset for each in ordered if each.offset >= LARGE]
    places = iter(range(LARGE, LARGE + len(large)))
    offsets = [each.offset if each.offset < LARGE else next(places) for each in ordered]
    first_bytes = [0] * 256
    for each in ids:
        first_bytes[each[0]] += 1
    content = b"".join(
        (
            HEADER,
            struct.pack(">256L", *accumulate(first_bytes)),
            *ids,
            struct.pack(f">{len(ids)}L", *(each.crc for each in ordered)),
            struct.pack(f">{len(ids)}L", *offsets),
            struct.pack(f">{len(large)}Q", *large),
            checksum,
        )
    )
    return content + hashlib.sha1(content, usedforsecurity=False).digest()


class PackIndex:
    """The ids of one index, looked up in its file. A context manager."""

    def __init__(self, path: Path) -> None:
        """Open an index. Raises OSError if it cannot be read, ValueError if it is of another
        version."""
        with path.open("rb") as file:
            self._content = mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ)
        counts: tuple[int, ...] = ()
        if len(self._content) >= IDS and self._content[:TABLE] == HEADER:
            counts = struct.unpack_from(">256L", self._content, TABLE)
        sound = counts and [*counts] == sorted(counts)
        if not sound or len(self._content) < IDS + counts[-1] * EACH:
            self._content.close()
            raise ValueError(f"{path} is not an index of version 2")
        self._counts = (0, *counts)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def has(self, id_: bytes) -> bool:
        """Return whether the pack has the object."""
        low, high = self._counts[id_[0]], self._counts[id_[0] + 1]
        while low < high:
            middle = (low + high) // 2
            at = IDS + middle * ID
            found = self._content[at : at + ID]
            if found == id_:
                return True
            if found < id_:
                low = middle + 1
            else:
                high = middle
        return False

    def close(self) -> None:
        """Let the file go."""
        self._content.close()


class PackedIds:
    """The ids of all objects that the packs in a folder have. Call `close()` in the end.

    An index that cannot be read, or is of another version, or has no pack, counts as empty: an
    object may be in two packs.
    """

    def __init__(self, folder: Path) -> None:
        self._indexes = [*_indexes(folder)]

    def have(self, id_: bytes) -> bool:
        """Return whether one of the packs has the object."""
        return any(index.has(id_) for index in self._indexes)

    def close(self) -> None:
        """Let the files go."""
        for index in self._indexes:
            index.close()
        self._indexes = []


def _indexes(folder: Path) -> Iterator[PackIndex]:
    for path in sorted(folder.glob("pack-*.idx")):
        try:
            if path.with_suffix(".pack").is_file():
                yield PackIndex(path)
        except (OSError, ValueError):
            continue
