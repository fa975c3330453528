"""A commit's message: the subject, the first of what changed, and git trailers, a fact each."""

from __future__ import annotations

import re

from gitbackup import codec
from gitbackup.model import FORMAT, FUNCTIONS, Action, Summary
from gitbackup.ops.take import Taken

SIGNS = {Action.ADDED: "+", Action.CHANGED: "~", Action.REMOVED: "-"}
LONGEST = 100  # characters of a key's name in a message
PER_KEY = "per-key"


def compose(taken: Taken, subject: str | None) -> str:
    """The message of a commit of `taken`; without a subject, one that tells the changes.

    The trailers are such as `git interpret-trailers` reads.
    """
    body = "\n".join(_listed(taken.summary))
    facts = "\n".join(f"{name}: {value}" for name, value in _facts(taken).items())
    parts = [(subject or taken.summary.subject).strip(), body, facts]
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


def _facts(taken: Taken) -> dict[str, str]:
    live, counts = taken.live, taken.summary.counts
    return {
        "Format": str(FORMAT),
        "Server": str(live.server),
        "Taken-At": str(codec.instant(live.taken_at)),
        "Consistency": _consistency(taken),
        "Keys": " ".join(_counted(db, count) for db, count in sorted(live.keys.items())) or "none",
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
