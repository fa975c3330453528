"""When entries expire, and what is left of one at an instant, both as they are stored."""

from __future__ import annotations

from collections.abc import Collection

from gitbackup.model.keys import Entry


def living(entry: Entry, instant: str) -> Entry | None:
    """Return what is left of an entry at an instant: the entry itself if nothing has expired."""
    if _past(entry.get("expires_at"), instant):
        return None
    expiries = entry.get("field_expires_at", {})
    gone = {field for field, at in expiries.items() if _past(at, instant)}
    if not gone:
        return entry
    value = {field: text for field, text in entry["value"].items() if field not in gone}
    left = entry.copy()
    left["value"] = value
    left["field_expires_at"] = {field: at for field, at in expiries.items() if field not in gone}
    if not left["field_expires_at"]:
        del left["field_expires_at"]
    return left if value else None


def _past(expires_at: str | int | None, instant: str) -> bool:
    """Return whether an instant has passed; a number is one past the year 9999."""
    return isinstance(expires_at, str) and expires_at < instant


def first_expiry(entries: Collection[Entry]) -> str:
    """Return when the first entry or field expires; an empty string if none does."""
    instants = [entry["expires_at"] for entry in entries if "expires_at" in entry]
    for entry in entries:
        if "field_expires_at" in entry:
            instants += entry["field_expires_at"].values()
    return min((at for at in instants if isinstance(at, str)), default="")
