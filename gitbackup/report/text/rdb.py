"""RDB files as lines of text for a person."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime

from gitbackup.format.names import escape
from gitbackup.model.amounts import age, counted, size
from gitbackup.model.rdb import RdbFile, RdbListed, RdbSaved, RdbVerified
from gitbackup.report.text.sentences import keys


def moment(when: datetime) -> str:
    return f"{when:%Y-%m-%d %H:%M:%S} UTC"


def file_line(file: RdbFile) -> str:
    """What an RDB file tells of itself."""
    when = moment(file.taken_at) if file.dated else "an unknown time"
    by = f" by {escape(file.server)}" if file.server else ""
    return f"{escape(str(file.path))}: {size(file.size)} of {when}{by}, RDB version {file.version}"


def saved_lines(saved: RdbSaved) -> Iterator[str]:
    """What was saved, and what went for it."""
    yield f"{escape(str(saved.file.path))}: {size(saved.file.size)} of {escape(saved.server)}"
    if saved.removed:
        yield f"removed {len(saved.removed)} older: {', '.join(p.name for p in saved.removed)}"


def listed_line(listed: RdbListed) -> str:
    """A file of a list: what it tells of itself, or what is wrong with it."""
    name = f"{escape(listed.path.name)}  {size(listed.size):>9}"
    if listed.file is None:
        return f"{name}  {escape(listed.problem)}"
    when = f"{moment(listed.file.taken_at)} ({age(listed.file.taken_at)})"
    by = f"{escape(listed.file.server)}, " if listed.file.server else ""
    return f"{name}  {when}  {by}RDB version {listed.file.version}"


def verified_lines(found: RdbVerified) -> Iterator[str]:
    """What a server of our own found in a file."""
    yield file_line(found.file)
    yield "the checksum is right" if found.checksum else "no checksum"
    yield f"loaded by {found.server}: {keys(sum(found.keys.values()))}"
    for db, count in sorted(found.keys.items()):
        some = f", {found.expiring[db]:,} of them with an expiry" if found.expiring[db] else ""
        gone = f", {found.expired[db]:,} expired since" if found.expired[db] else ""
        yield f"  db{db}  {keys(count)}{some}{gone}"
    if found.libraries:
        yield f"  {counted(found.libraries, 'library', 'libraries')} of functions"
