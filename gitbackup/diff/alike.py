"""Two versions of a file of entries, canonical and mostly alike: the part in which they differ.

What is the same in both before and after that part is found without a look at what it says.
"""

from __future__ import annotations

BEGIN, END = b"{\n", b"\n}\n"  # of a canonical file
LAST = b"\n  },\n"  # the last line of an entry that another follows


def parts(before: bytes, after: bytes) -> tuple[bytes, bytes] | None:
    """The two versions without entries that are the same at their beginnings and ends.

    Each is a file again, of entries that follow each other in it: where `before` is canonical
    with nothing but objects in it, and the second part is too, so is all of `after`. None
    where they have too little in common.
    """
    common = _prefix(before, after)
    last = before.rfind(LAST, 0, common)
    start = len(BEGIN) if last < 0 else last + len(LAST)
    rest = len(before) - _suffix(before[start:], after[start:])
    first = before.find(LAST, rest)
    tail = 0 if first < 0 else len(before) - first - len(LAST)
    if common < start or 2 * (len(after) - start - tail) > len(after):
        return None
    return _part(before, start, tail), _part(after, start, tail)


def _part(content: bytes, start: int, tail: int) -> bytes:
    """A file of what stands between."""
    middle = content[start : len(content) - tail]
    return BEGIN + (middle.removesuffix(b",\n") + END if tail else middle)


def _prefix(a: bytes, b: bytes) -> int:
    """How many bytes are the same at the beginning."""
    same, differ = 0, min(len(a), len(b)) + 1
    while differ - same > 1:
        middle = (same + differ) // 2
        if a[same:middle] == b[same:middle]:
            same = middle
        else:
            differ = middle
    return same


def _suffix(a: bytes, b: bytes) -> int:
    """How many bytes are the same at the end."""
    same, differ = 0, min(len(a), len(b)) + 1
    while differ - same > 1:
        middle = (same + differ) // 2
        if a[len(a) - middle : len(a) - same] == b[len(b) - middle : len(b) - same]:
            same = middle
        else:
            differ = middle
    return same
