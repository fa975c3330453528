"""The password of a site: who tries wrong ones has to wait longer and longer."""

from __future__ import annotations

import math
import time
from hashlib import sha256
from hmac import compare_digest
from ipaddress import IPv6Address, ip_address, ip_network
from typing import NamedTuple

FEWEST = 8
"""Characters of a password."""

FREE = 3
"""Wrong passwords from one place before it has to wait."""

LONGEST = 60
"""Seconds that a place has to wait at most."""

MOST_PLACES = 10_000
"""That tried a wrong password, and are remembered."""


class _Tries(NamedTuple):
    wrong: int = 0
    until: float = 0.0


class Password:
    """A password, of which the digest is kept."""

    def __init__(self, password: str) -> None:
        self._digest = _digest(password)
        self._tries: dict[str, _Tries] = {}

    def wait(self, address: str) -> int:
        """Return the seconds that a client's address has to wait before it may try again."""
        left = self._tries.get(_place(address), _Tries()).until - time.monotonic()
        return max(0, math.ceil(left))

    def fits(self, address: str, password: str) -> bool:
        """Return whether a password is the right one; a wrong one counts against the address."""
        place = _place(address)
        tries = self._tries.pop(place, _Tries())
        if compare_digest(_digest(password), self._digest):
            return True
        if len(self._tries) >= MOST_PLACES:
            del self._tries[next(iter(self._tries))]
        wrong = tries.wrong + 1
        wait = min(2 ** (wrong - FREE), LONGEST) if wrong >= FREE else 0
        self._tries[place] = _Tries(wrong, time.monotonic() + wait)
        return False


def _place(address: str) -> str:
    """Return what one client has: an IPv4 address, or the /64 of an IPv6 one."""
    try:
        parsed = ip_address(address)
    except ValueError:
        return address
    if isinstance(parsed, IPv6Address):
        return str(ip_network((parsed, 64), strict=False))
    return address


def _digest(password: str) -> bytes:
    return sha256(password.encode("utf-8", "surrogateescape")).digest()
