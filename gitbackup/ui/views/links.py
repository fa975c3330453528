"""Where pages lead to about a key: each has one address."""

from __future__ import annotations

from urllib.parse import urlencode

from gitbackup.model.keys import Key
from gitbackup.plan.chosen import literal
from gitbackup.ui.jobs.wish import as_field


def of_key(key: Key, commit: str) -> str:
    """Return the address of a key as a commit has it."""
    return f"/key?{urlencode({'db': key.db, 'name': key.name, 'at': commit})}"


def raw_of(key: Key, commit: str, field: str = "") -> str:
    """Return the address of a value's bytes, or of one part of it."""
    query = {"db": key.db, "name": key.name, "at": commit} | ({"field": field} if field else {})
    return f"/raw?{urlencode(query, errors='surrogatepass')}"


def restore_of(key: Key, commit: str) -> str:
    """Return the address of the plan that makes a key what it was in a commit. A library or an
    index is named without a database."""
    query = {"commit": commit, "key": as_field(literal(key.name))}
    query |= {"db": str(key.db)} if key.in_database else {}
    return f"/restore?{urlencode(query)}"


def restore_prefix(db: int, prefix: str, commit: str) -> str:
    """Return the address of the plan that makes all keys of a prefix what they were in a commit."""
    query = {"commit": commit, "key": as_field(f"{literal(prefix)}*"), "db": db}
    return f"/restore?{urlencode(query)}"


def revert_of(commit: str, key: Key | None = None) -> str:
    """Return the address of the plan that takes back what a commit changed, or one key of it."""
    query = {"commit": commit} | ({"key": as_field(literal(key.name))} if key else {})
    return f"/revert?{urlencode(query)}"
