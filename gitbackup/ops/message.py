"""A commit's message: the subject, the first of what changed, and git trailers, a fact each."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass

from gitbackup import codec
from gitbackup.model import FORMAT, FUNCTIONS, Action, Summary
from gitbackup.ops.take import Taken

SIGNS = {Action.ADDED: "+", Action.CHANGED: "~", Action.REMOVED: "-"}
LONGEST = 100  # characters of a key's name in a message
PER_KEY = "per-key"


@dataclass(frozen=True, slots=True)
class Origin:
    """Where a snapshot is from: what its commit says besides what changed.

    `taken_at` is in milliseconds since 1970, `keys` how many each database has.
    """

    server: str
    taken_at: int
    consistency: str
    keys: Mapping[int, int]


def origin(taken: Taken) -> Origin:
    """Of a snapshot that was just read."""
    live = taken.live
    return Origin(str(live.server), live.taken_at, _consistency(taken), live.keys)


def compose(subject: str | None, summary: Summary, origin: Origin) -> str:
    """A commit's message; without a subject, one that tells the changes.

    The trailers are such as `git interpret-trailers` reads.
    """
    body = "\n".join(_listed(summary))
    facts = "\n".join(f"{name}: {value}" for name, value in _facts(summary, origin).items())
    parts = [(subject or summary.subject).strip(), body, facts]
    return "\n\n".join(part for part in parts if part) + "\n"


def _listed(summary: Summary) -> list[str]:
    lines = [f"{SIGNS[action]} {_line(str(key))}" for key, action in summary.first]
    counts = summary.counts
    more = counts.added + counts.changed + counts.removed - len(lines)
    return [*lines, f"and {more:,} more"] if more > 0 else lines


def _line(name: str) -> str:
    """A key's name that stays on its line."""
    clean = re.sub(r"[\x00-\x1f\x7f-\x9f\u2028\u2029]", "?", name)
    return clean if len(clean) <= LONGEST else clean[: LONGEST - 1] + "…"


def _facts(summary: Summary, origin: Origin) -> dict[str, str]:
    counts = summary.counts
    keys = " ".join(_counted(db, count) for db, count in sorted(origin.keys.items()))
    return {
        "Format": str(FORMAT),
        "Server": origin.server,
        "Taken-At": str(codec.instant(origin.taken_at)),
        "Consistency": origin.consistency,
        "Keys": keys or "none",
        "Added": str(counts.added),
        "Changed": str(counts.changed),
        "Removed": str(counts.removed),
    }


def _counted(db: int, count: int) -> str:
    return f"functions={count}" if db == FUNCTIONS else f"db{db}={count}"


def _consistency(taken: Taken) -> str:
    """Every key is read at a moment of its own, but for those that a writer never left alone."""
    if not taken.live.watching:
        return f"{PER_KEY}, large values unwatched"
    torn = len(taken.live.torn)
    return f"{PER_KEY}, {torn} written to while read" if torn else PER_KEY
