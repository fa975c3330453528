"""Key names that begin with a prefix, found quickly: for the completion of command lines."""

from __future__ import annotations

import re

from gitbackup.format import codec
from gitbackup.snapshot import file_format
from gitbackup.store.repository.repository import Repository

MOST_BYTES = 8 * 1024 * 1024
"""How much of a snapshot is read."""

TOP = re.compile(r"db\d+/([^/]+?)(?:\.json)?(?:/|\Z)")
"""The first name below a database's folder: `_`, or a namespace as itself or as a slug with a ~."""


def key_names(repository: Repository, commit: str, prefix: str) -> list[str]:
    """Return the names that begin with `prefix`, under the text rule and sorted.

    Of a large snapshot not all are found, nor what a person has put into another file than the
    layout says. For a prefix without a colon, a namespace with files of its own is one name, up
    to its colon.
    """
    found: set[str] = set()
    escaped = re.escape(codec.encode(prefix).strip()[1:-1])
    pattern = re.compile(rb'^  ("%s(?:[^"\\\n]|\\.)*"): \{' % escaped, re.MULTILINE)
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
            found.update(codec.decode("a name", match[1]) for match in pattern.finditer(content))
    return sorted(found)


def _is_itself(namespace: str) -> bool:
    return namespace != "_" and "~" not in namespace


def _fits(namespace: str, prefix: str) -> bool:
    start, colon, _ = prefix.partition(":")
    return namespace == start if colon else namespace.startswith(start)
