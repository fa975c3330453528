"""Exact equality of what a snapshot stores: 1, 1.0, true and -0.0 are four values."""

from __future__ import annotations

import json
from typing import Any

import orjson


def canonical(value: Any) -> bytes:
    """Return bytes that two values share only if they are the same to the last digit."""
    try:
        told = orjson.dumps(value, option=orjson.OPT_SORT_KEYS)
    except TypeError:  # an integer over 64 bits, a lone surrogate, very deep nesting
        return json.dumps(value, sort_keys=True).encode()
    return bytes(bytearray(told))  # a copy: orjson's own keep a kilobyte each, where many are kept


def same(before: Any, after: Any) -> bool:
    """Return whether two JSON values are exactly equal, whatever the order of an object's names."""
    if isinstance(before, str):
        return bool(before == after)
    return bool(before == after) and canonical(before) == canonical(after)
