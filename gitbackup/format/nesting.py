"""How deep a document is nested, which is limited for all that goes into it by recursion."""

from __future__ import annotations

from typing import Any

DEEPEST = 64
"""Objects and arrays in each other, of a document that somebody reads; to take a deeper one apart
takes time that grows with the square of its depth."""


def is_too_deep(document: Any) -> bool:
    """Return whether a document is nested deeper than any that is taken apart."""
    level = [document]
    for _ in range(DEEPEST + 1):
        held = [item for item in level if isinstance(item, dict | list)]
        if not held:
            return False
        level = [
            inner for item in held for inner in (item.values() if isinstance(item, dict) else item)
        ]
    return True
