"""Where pages lead to about a key: each has one address."""

from __future__ import annotations

import re
from urllib.parse import urlencode

from gitbackup.format import codec
from gitbackup.model.keys import Key

_SPECIAL = re.compile(r"[*?\[\\]")


def of_key(key: Key, commit: str) -> str:
    """Return the address of a key as a commit has it."""
    return f"/key?{urlencode({'db': key.db, 'name': key.name, 'at': commit})}"


def raw_of(key: Key, commit: str, field: str = "") -> str:
    """Return the address of a value's bytes, or of one part of it."""
    query = {"db": key.db, "name": key.name, "at": commit} | ({"field": field} if field else {})
    return f"/raw?{urlencode(query, errors='surrogatepass')}"


def restore_of(key: Key, commit: str) -> str:
    """Return the address of the plan that makes a key what it was in a commit."""
    return f"/restore?{urlencode({'commit': commit, 'key': _glob(key.name), 'db': key.db})}"


def revert_of(commit: str, key: Key | None = None) -> str:
    """Return the address of the plan that takes back what a commit changed, or one key of it."""
    query = {"commit": commit} | ({"key": _glob(key.name)} if key else {})
    return f"/revert?{urlencode(query)}"


def _glob(name: str) -> str:
    """Return the glob of a stored name, as text: a byte that is none stands for any byte."""
    text = name if not name.startswith(codec.PREFIX) else codec.loose(codec.data(name))
    escaped = _SPECIAL.sub(r"\\\g<0>", text)
    return "".join("?" if "\udc80" <= each <= "\udcff" else each for each in escaped)
