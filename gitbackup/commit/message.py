"""A commit's message: the subject, the first changed keys, and a git trailer for each fact."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from types import MappingProxyType

from gitbackup.capture.capture import Capture
from gitbackup.capture.reader import SnapshotReader
from gitbackup.format import codec
from gitbackup.model.amounts import counted
from gitbackup.model.changes import Action, Summary
from gitbackup.model.keys import FORMAT, SEARCH, place_of
from gitbackup.model.server.replicas import ReplicaRead

SIGNS = {Action.ADDED: "+", Action.CHANGED: "~", Action.REMOVED: "-"}
LONGEST = 100  # characters of a key's name in a message
POINT_IN_TIME = "point-in-time"
PER_KEY = "per-key"
_ENDS_LINES = re.compile(r"[\x00-\x1f\x7f-\x9f\u2028\u2029]")
NOTHING: Mapping[str, str] = MappingProxyType({})


@dataclass(frozen=True, slots=True)
class Origin:
    """What a commit says of its snapshot besides the changes: where, when and how it was taken.

    `taken_at` is in milliseconds since 1970, `keys` how many each database has.
    `nodes` has the labels of a cluster's nodes, and whether each was read at one moment.
    `primary` tells why a replica may have lacked what its primary had. `search` tells whether
    search indexes were looked for; so many of them are `untold`, which the snapshot does not have.
    `replicas` are those that were read instead of primaries.
    """

    server: str
    taken_at: int
    consistency: str
    keys: Mapping[int, int]
    primary: str = ""
    search: bool = False
    untold: int = 0
    nodes: Mapping[str, bool] = field(default_factory=dict)
    replicas: Sequence[ReplicaRead] = ()


def origin(capture: Capture) -> Origin:
    """Return the origin of a snapshot that was just read."""
    live = capture.live
    more = live.primary, live.searched, len(live.search_indexes.untold), live.nodes, live.replicas
    return Origin(str(live.server), live.taken_at, consistency(live), live.keys, *more)


def consistency(live: SnapshotReader) -> str:
    """Return whether all was read at one moment; if not, also what may be inconsistent."""
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


def covers_search(trailers: Mapping[str, str]) -> bool:
    """Return whether the trailers of a commit say how many search indexes there were."""
    return any(word.startswith("search=") for word in trailers.get("Keys", "").split())


def compose(
    subject: str | None, summary: Summary, origin: Origin, more: Mapping[str, str] = NOTHING
) -> str:
    """Return a commit's message; without a `subject`, it is the summary's.

    The trailers are such as `git interpret-trailers` reads; `more` are those that only some
    commits have.
    """
    trailers = {**_trailers(summary, origin), **more}
    facts = "\n".join(f"{name}: {one_line(value)}" for name, value in trailers.items())
    return _assembled(subject or summary.subject, "\n".join(_first_keys(summary)), facts)


def reworded(message: str, words: str, lists_keys: bool) -> str:
    """Return a message of ours with other words, in place of all but what we wrote.

    That are the trailers at its end and, before them if it `lists_keys`, the first changed keys.
    """
    *_, before, facts = ["", *message.rstrip("\n").split("\n\n")]
    listed = before if lists_keys and before.startswith(tuple(SIGNS.values())) else ""
    return _assembled(words, listed, facts)


def is_ours(trailers: Mapping[str, str]) -> bool:
    """Return whether these are the trailers of a commit that gitbackup made."""
    return trailers.keys() >= {"Format", "Taken-At", "Consistency", "Keys"}


def _assembled(words: str, listed: str, facts: str) -> str:
    return "\n\n".join(filter(None, (with_newlines(words).strip(), listed, facts))) + "\n"


def with_newlines(text: str) -> str:
    """Return a text whose lines end as git has it."""
    return text.replace("\r\n", "\n").replace("\r", "\n")


def _first_keys(summary: Summary) -> list[str]:
    """Return a line for each of the first keys that changed, and one that counts the others."""
    lines = []
    for key, action in summary.first:
        name = one_line(str(key))
        if len(name) > LONGEST:
            name = name[: LONGEST - 1] + "…"
        lines.append(f"{SIGNS[action]} {name}")
    counts = summary.counts
    more = counts.added + counts.changed + counts.removed - len(lines)
    return [*lines, f"and {more:,} more"] if more > 0 else lines


def one_line(text: str) -> str:
    """Return a text in which ? replaces what could end its line, or control a terminal.

    A trailer is one line of the message, and no server, file or key may add a second one.
    """
    return _ENDS_LINES.sub("?", text)


def _uncovered(origin: Origin) -> str:
    return counted(origin.untold, "search index", "search indexes")


def _nodes(nodes: Mapping[str, bool]) -> str:
    """Return what a commit says of each node of a cluster: `10.0.0.1:6379 point-in-time, ...`."""
    told = sorted(nodes.items())
    return ", ".join(f"{label} {POINT_IN_TIME if whole else PER_KEY}" for label, whole in told)


def _read_from(replicas: Sequence[ReplicaRead]) -> str:
    return ", ".join(sorted(map(str, replicas)))


def _trailers(summary: Summary, origin: Origin) -> dict[str, str]:
    counts = summary.counts
    counts_of_all = {**({SEARCH: 0} if origin.search else {}), **origin.keys}
    keys = " ".join(f"{place_of(db)}={count}" for db, count in sorted(counts_of_all.items()))
    return {
        "Format": str(FORMAT),
        "Server": origin.server,
        **({"Primary": origin.primary} if origin.primary else {}),
        **({"Not-Covered": _uncovered(origin)} if origin.untold else {}),
        "Taken-At": str(codec.instant(origin.taken_at)),
        "Consistency": origin.consistency,
        **({"Nodes": _nodes(origin.nodes)} if origin.nodes else {}),
        **({"Read-From": _read_from(origin.replicas)} if origin.replicas else {}),
        "Keys": keys or "none",
        "Added": str(counts.added),
        "Changed": str(counts.changed),
        "Removed": str(counts.removed),
    }
