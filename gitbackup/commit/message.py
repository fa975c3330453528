"""A commit's message: the subject, the first of what changed, and git trailers, a fact each."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType

from gitbackup.capture.capture import Capture
from gitbackup.capture.reader import SnapshotReader
from gitbackup.format import codec
from gitbackup.model.changes import Action, Summary
from gitbackup.model.keys import FORMAT, FUNCTIONS

SIGNS = {Action.ADDED: "+", Action.CHANGED: "~", Action.REMOVED: "-"}
LONGEST = 100  # characters of a key's name in a message
POINT_IN_TIME = "point-in-time"
PER_KEY = "per-key"
_ENDS_LINES = re.compile(r"[\x00-\x1f\x7f-\x9f\u2028\u2029]")
NOTHING: Mapping[str, str] = MappingProxyType({})


@dataclass(frozen=True, slots=True)
class Origin:
    """Where a snapshot is from: what its commit says besides what changed.

    `taken_at` is in milliseconds since 1970, `keys` how many each database has.
    `primary` tells what kept a replica from having what its primary has.
    """

    server: str
    taken_at: int
    consistency: str
    keys: Mapping[int, int]
    primary: str = ""


def origin(capture: Capture) -> Origin:
    """Of a snapshot that was just read."""
    live = capture.live
    return Origin(str(live.server), live.taken_at, consistency(live), live.keys, live.primary)


def consistency(live: SnapshotReader) -> str:
    """Whether it is of one moment; and if not, what each key's own moment may have missed."""
    if live.at_once:
        return POINT_IN_TIME
    parts = [PER_KEY]
    if live.changed is not None:
        parts.append(f"{live.changed} keys changed while reading")
    if live.torn:
        parts.append(f"{len(live.torn)} written to while read")
    if not live.watching:
        parts.append("large values unwatched")
    return ", ".join(parts)


def compose(
    subject: str | None, summary: Summary, origin: Origin, more: Mapping[str, str] = NOTHING
) -> str:
    """A commit's message; without a subject, one that tells the changes.

    The trailers are such as `git interpret-trailers` reads; `more` are those that only some
    commits have.
    """
    body = "\n".join(_listed(summary))
    trailers = {**_facts(summary, origin), **more}
    facts = "\n".join(f"{name}: {one_line(value)}" for name, value in trailers.items())
    worded = (subject or summary.subject).replace("\r\n", "\n").replace("\r", "\n").strip()
    parts = [worded, body, facts]
    return "\n\n".join(part for part in parts if part) + "\n"


def _listed(summary: Summary) -> list[str]:
    lines = [f"{SIGNS[action]} {_line(str(key))}" for key, action in summary.first]
    counts = summary.counts
    more = counts.added + counts.changed + counts.removed - len(lines)
    return [*lines, f"and {more:,} more"] if more > 0 else lines


def one_line(text: str) -> str:
    """Return a text that others wrote without what could end its line, or control a terminal.

    A fact of a commit is a line of its message: no server, file or key can add a second one.
    """
    return _ENDS_LINES.sub("?", text)


def _line(name: str) -> str:
    """A key's name that stays on its line."""
    clean = one_line(name)
    return clean if len(clean) <= LONGEST else clean[: LONGEST - 1] + "…"


def _facts(summary: Summary, origin: Origin) -> dict[str, str]:
    counts = summary.counts
    keys = " ".join(_counted(db, count) for db, count in sorted(origin.keys.items()))
    return {
        "Format": str(FORMAT),
        "Server": origin.server,
        **({"Primary": origin.primary} if origin.primary else {}),
        "Taken-At": str(codec.instant(origin.taken_at)),
        "Consistency": origin.consistency,
        "Keys": keys or "none",
        "Added": str(counts.added),
        "Changed": str(counts.changed),
        "Removed": str(counts.removed),
    }


def _counted(db: int, count: int) -> str:
    return f"functions={count}" if db == FUNCTIONS else f"db{db}={count}"
