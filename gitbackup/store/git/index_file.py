"""Read git's index: the paths that are staged, and whether they are in conflict.

To read the file takes less than to start git. See gitformat-index(5).
"""

from __future__ import annotations

import struct
from pathlib import Path
from typing import NamedTuple

_HEADER = struct.Struct(">4sLL")
_FLAGS = struct.Struct(">H")
_ID_AT, _FLAGS_AT = 40, 60  # after times, numbers, mode and size
_STAGE, _EXTENDED = 0x3000, 0x4000
_SUM = 20
_ALIGNED = 8  # bytes; an entry of version 2 or 3 is filled up to them
_SPLIT = b"link"  # the extension of an index whose entries are in another file, too


class Staged(NamedTuple):
    """A path in the index, and its blob; 0 is the stage of one that is not in conflict."""

    path: bytes
    id: bytes
    stage: int


def read(index: Path) -> list[Staged] | None:
    """Return what is staged; nothing if there is no index. None if only git can tell."""
    try:
        content = index.read_bytes()
    except FileNotFoundError:
        return []
    except OSError:
        return None
    try:
        return _entries(content)
    except (struct.error, ValueError, IndexError):  # damaged, or cut off
        return None


def _entries(content: bytes) -> list[Staged] | None:
    signature, version, count = _HEADER.unpack_from(content)
    if signature != b"DIRC" or version not in (2, 3, 4):
        return None
    found: list[Staged] = []
    at, path = _HEADER.size, b""
    for _ in range(count):
        id_ = content[at + _ID_AT : at + _FLAGS_AT]
        (flags,) = _FLAGS.unpack_from(content, at + _FLAGS_AT)
        name = at + _FLAGS_AT + _FLAGS.size
        name += _FLAGS.size if version > 2 and flags & _EXTENDED else 0
        if version == 4:
            dropped, name = _number(content, name)
            end = content.index(b"\0", name)
            path, at = path[: len(path) - dropped] + content[name:end], end + 1
        else:
            end = content.index(b"\0", name)
            path, at = content[name:end], at + (end - at) // _ALIGNED * _ALIGNED + _ALIGNED
        found.append(Staged(path, id_, flags & _STAGE))
    if at > len(content) - _SUM:
        raise ValueError("the index ends too early")
    return None if _is_split(content, at) else found


def _number(content: bytes, at: int) -> tuple[int, int]:
    """Return a number of variable length, and where it ends."""
    byte = content[at]
    number = byte & 127
    while byte & 128:
        at += 1
        byte = content[at]
        number = (number + 1 << 7) + (byte & 127)
    return number, at + 1


def _is_split(content: bytes, at: int) -> bool:
    """Return whether one of the extensions, which begin there, says that this is not all."""
    while at < len(content) - _SUM:
        if content[at : at + 4] == _SPLIT:
            return True
        at += 8 + int.from_bytes(content[at + 4 : at + 8])
    return False
