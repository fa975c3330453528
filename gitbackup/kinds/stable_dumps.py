"""Make the dumps of equal values equal: remove what they contain of the server's memory.

A few modules save addresses, bytes that nobody has set, or parts in an order that a restart
changes: what they load again from such a dump does not depend on these.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

from gitbackup.kinds import module_dump
from gitbackup.kinds.module_dump import DOUBLE, TEXT, UNSIGNED, Item, ModuleDump

SLOT = 24  # bytes of a place in the list of a TopK: a hash, a length, an address, a count, a gap
ADDRESS = slice(8, 16)
GAP = slice(20, 24)
ENDS = module_dump.CHECKSUM + module_dump.VERSION


def stable(type_: str, dump: bytes) -> bytes:
    """Return a dump of the same value that looks the same each time; as it is for other types, and
    for a form of a later version."""
    arrange = ARRANGED.get(type_)
    if arrange is None:
        return dump
    try:
        found = module_dump.read(dump)
        items = arrange(found.items)
    except ValueError:
        return dump
    version = int.from_bytes(dump[-ENDS:][: module_dump.VERSION], "little")
    return module_dump.written(ModuleDump(found.module, items), version)


def _top_k(items: Sequence[Item]) -> Sequence[Item]:
    """Return the items of a TopK without the memory addresses that it saves in its list."""
    kinds = [item.kind for item in items]
    if kinds[:6] != [UNSIGNED, UNSIGNED, UNSIGNED, DOUBLE, TEXT, TEXT]:
        raise ValueError("a later form")
    listed = items[5].value
    (size,) = module_dump.numbers(items[:1])
    if not isinstance(listed, bytes) or len(listed) != size * SLOT or len(items) != 6 + size:
        raise ValueError("a later form")
    cleared = bytearray(listed)
    for start in range(0, len(cleared), SLOT):
        for part in (ADDRESS, GAP):
            cleared[start + part.start : start + part.stop] = bytes(part.stop - part.start)
    return [*items[:5], Item(TEXT, bytes(cleared)), *items[6:]]


def _suggestions(items: Sequence[Item]) -> Sequence[Item]:
    """Return suggestions in the order of their words, which a restart changes, and with a zero in
    place of the last byte of each payload, which is one too many."""
    (count,) = module_dump.numbers(items[:1])
    words, kinds = items[1:], [item.kind for item in items[1:]]
    size = len(words) // count if count else 3
    if kinds != [TEXT, DOUBLE, TEXT][:size] * count or size not in (2, 3):
        raise ValueError("a later form")
    rows = [[*words[start : start + size]] for start in range(0, len(words), size)]
    for row in rows:
        if size == 3 and isinstance(row[2].value, bytes) and row[2].value:
            row[2] = Item(TEXT, row[2].value[:-1] + b"\0")
    return [items[0], *(item for row in sorted(rows, key=_word) for item in row)]


def _word(row: Sequence[Item]) -> bytes:
    word = row[0].value
    return word if isinstance(word, bytes) else b""


ARRANGED: dict[str, Callable[[Sequence[Item]], Sequence[Item]]] = {
    "TopK-TYPE": _top_k,
    "trietype0": _suggestions,
}
