"""Names for values that are built aside, to be renamed over their keys when they are whole."""

from __future__ import annotations

import re
import secrets

MARK = b":gitbackup-aside:"
NAME = re.compile(re.escape(MARK) + rb"[0-9a-f]{8}\Z")
MINUTES = 60  # after which a value that its builder left behind goes away by itself


def name_for(key: bytes) -> bytes:
    """A fresh name that begins with the key's own, so that the same rights cover it."""
    return key + MARK + secrets.token_hex(4).encode()


def is_ours(name: bytes) -> bool:
    """Whether `name` is one of these; no snapshot ever holds such a key."""
    return NAME.search(name) is not None
