"""What a server's reply to INFO says."""

from __future__ import annotations

import re
from collections.abc import Mapping

NUMBER = re.compile(r"-?[0-9]{1,19}")


def number(info: Mapping[str, str], name: str) -> int:
    """Return a number of INFO; 0 if it has no such line."""
    told = info.get(name, "0")
    return int(told) if NUMBER.fullmatch(told) else 0


def parse_info(text: str) -> dict[str, str]:
    """Return the `name:value` lines of an INFO reply."""
    lines = (line.partition(":") for line in text.splitlines() if ":" in line)
    return {name: value for name, _, value in lines}
