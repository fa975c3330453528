"""The names of keys that begin in a certain way, found at once: for somebody who is typing one."""

from __future__ import annotations

import re
from collections.abc import Iterator

from gitbackup.format import codec
from gitbackup.snapshot import file_format
from gitbackup.store.repository.repository import Repository

MOST_BYTES = 8 * 1024 * 1024
"""How much of a snapshot is looked at."""

TOP = re.compile(r"db\d+/([^/]+?)(?:\.json)?(?:/|\Z)")
"""The first name below a database's folder: `_`, or a namespace as itself or as a slug with a ~."""


def key_names(repository: Repository, commit: str, prefix: str) -> list[str]:
    """Names under the text rule that begin with `prefix`, sorted; of a large snapshot not all.

    For a beginning without a colon a namespace that has files of its own is its name up to the
    colon. The layout of the files is a hint here: what a person put elsewhere may be missed.
    """
    found: set[str] = set()
    names = re.compile(rb'^  ("%s(?:[^"\\\n]|\\.)*"): \{' % _escaped(prefix), re.MULTILINE)
    left = MOST_BYTES
    for path, blob_id in repository.files(commit).items():
        if not file_format.is_data(path) or (top := TOP.match(path)) is None:
            continue
        namespace = top[1]
        if _is_itself(namespace) and not _fits(namespace, prefix):
            continue
        if _is_itself(namespace) and ":" not in prefix:
            found.add(f"{namespace}:")
        elif left > 0:
            content = repository.read(blob_id)
            left -= len(content)
            found.update(_names(names, content))
    return sorted(found)


def _escaped(prefix: str) -> bytes:
    """The beginning of a name as it stands in a file."""
    return re.escape(codec.encode(prefix).strip()[1:-1])


def _is_itself(namespace: str) -> bool:
    return namespace != "_" and "~" not in namespace


def _fits(namespace: str, prefix: str) -> bool:
    wanted, colon, _ = prefix.partition(":")
    return namespace == wanted if colon else namespace.startswith(wanted)


def _names(names: re.Pattern[bytes], content: bytes) -> Iterator[str]:
    for match in names.finditer(content):
        yield codec.decode("a name", match[1])
