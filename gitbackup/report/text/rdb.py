"""RDB files as lines of text for a person."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime

from gitbackup.format.names import escape
from gitbackup.model.amounts import age, counted, size
from gitbackup.model.server.rdb import RdbListed, RdbSaved, RdbVerified
from gitbackup.report.text.sentences import keys


def _moment(when: datetime) -> str:
    return f"{when:%Y-%m-%d %H:%M:%S} UTC"


def saved_lines(saved: RdbSaved) -> Iterator[str]:
    """Yield what was saved, and which files were removed for it."""
    yield f"{escape(str(saved.file.path))}: {size(saved.file.size)} of {escape(saved.server)}"
    for node in saved.file.nodes:
        yield f"  {escape(node.file.path.name)}: {size(node.file.size)}"
    if saved.removed:
        yield f"removed {len(saved.removed)} older: {', '.join(p.name for p in saved.removed)}"


def listed_line(listed: RdbListed) -> str:
    """Return a file of a list: what it tells of itself, or what is wrong with it."""
    name = f"{escape(listed.path.name)}  {size(listed.size):>9}"
    if listed.file is None:
        return f"{name}  {escape(listed.problem)}"
    when = f"{_moment(listed.file.taken_at)} ({age(listed.file.taken_at)})"
    by = f"{escape(listed.file.server)}, " if listed.file.server else ""
    of = f", {len(listed.file.nodes)} nodes of a cluster" if listed.file.nodes else ""
    return f"{name}  {when}  {by}RDB version {listed.file.version}{of}"


def verified_lines(verified: RdbVerified) -> Iterator[str]:
    """Yield what a server of our own verified in a file."""
    file = verified.file
    when = _moment(file.taken_at) if file.dated else "an unknown time"
    by = f" by {escape(file.server)}" if file.server else ""
    yield f"{escape(str(file.path))}: {size(file.size)} of {when}{by}, RDB version {file.version}"
    if file.nodes:
        yield f"{len(file.nodes)} files of the nodes of a cluster, with all slots"
    yield "the checksum is right" if verified.checksum else "no checksum"
    yield f"loaded by {verified.server}: {keys(sum(verified.keys.values()))}"
    for db, count in sorted(verified.keys.items()):
        expiring = (
            f", {verified.expiring[db]:,} of them with an expiry" if verified.expiring[db] else ""
        )
        expired = f", {verified.expired[db]:,} expired since" if verified.expired[db] else ""
        yield f"  db{db}  {keys(count)}{expiring}{expired}"
    if verified.libraries:
        yield f"  {counted(verified.libraries, 'library', 'libraries')} of functions"
    if verified.indexes:
        yield f"  {counted(verified.indexes, 'search index', 'search indexes')}"
