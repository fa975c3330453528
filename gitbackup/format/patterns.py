"""Key patterns: the globs of Redis, matched as `KEYS` and `SCAN MATCH` match them."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import NamedTuple

from gitbackup.errors import UsageError
from gitbackup.format import codec
from gitbackup.model.changes import KeyChange
from gitbackup.model.keys import FUNCTIONS, SEARCH, Key, Scope

Matcher = Callable[[bytes], object]

_WORD = re.compile(rb"[A-Za-z0-9_]*")
MOST = 100_000
"""Patterns that are taken at once; a command line holds fewer."""

LONGEST = 2 * 1024 * 1024
"""Bytes of all of them; as many as a command line holds."""


def matcher(patterns: Iterable[str], caseless: bool = False) -> Matcher:
    """Return a function that tells whether a name matches any of the patterns; without patterns,
    all do.

    Where it is `caseless`, an ASCII letter is the same large and small. It takes time in
    proportion to the patterns' length times the name's. Raises UsageError for more patterns
    than anybody writes.
    """
    globs = [codec.raw(pattern) for pattern in patterns]
    if not globs:
        return lambda name: True
    if len(globs) > MOST or sum(map(len, globs)) > LONGEST:
        raise UsageError(f"too many key patterns: at most {MOST:,}, of {LONGEST:,} bytes in total")
    flags = re.DOTALL | re.IGNORECASE if caseless else re.DOTALL
    return re.compile(b"|".join(map(_expression, globs)), flags).fullmatch


class Literal(NamedTuple):
    """What every name that matches a pattern begins with; `whole` where that is all of it."""

    text: bytes
    whole: bool


def literal(glob: bytes) -> Literal:
    """Return the characters that names which match a glob begin with, and whether these are all."""
    text, at = b"", 0
    while at < len(glob) and glob[at : at + 1] not in (b"*", b"?", b"["):
        at += glob[at : at + 1] == b"\\" and at + 1 < len(glob)
        text += glob[at : at + 1]
        at += 1
    return Literal(text, at == len(glob))


def covered(scope: Scope) -> Matcher:
    """Return a function that tells whether `scope` includes a name and does not exclude it."""
    includes = matcher(scope.include)
    if not scope.exclude:
        return includes
    excludes = matcher(scope.exclude)
    return lambda name: includes(name) and not excludes(name)


def covers(scope: Scope) -> Callable[[Key], bool]:
    """Return a function that tells whether `scope` covers a key, a library or a search index."""
    if scope == Scope():
        return lambda key: True
    matches = covered(scope)

    def within(key: Key) -> bool:
        if key.db == FUNCTIONS:
            known = scope.functions
        elif key.db == SEARCH:
            known = scope.search and scope.databases is None
        else:
            known = scope.databases is None or key.db in scope.databases
        return known and bool(matches(codec.data(key.name)))

    return within


def may_name_library(globs: Sequence[str]) -> bool:
    """Return whether one of the globs may match the name of a library, which has only letters,
    digits and underscores; true without globs, for then all match."""
    return not globs or any(_WORD.fullmatch(literal(codec.raw(glob)).text) for glob in globs)


def apart(
    changes: Iterable[KeyChange], quiet: Sequence[str]
) -> tuple[list[KeyChange], list[KeyChange]]:
    """Return the changes to show, and those of quiet keys.

    `quiet` are globs; where there are none, every change is told.
    """
    told: list[KeyChange] = []
    hushed: list[KeyChange] = []
    matches = matcher(quiet) if quiet else None
    for change in changes:
        hush = matches and matches(codec.data(change.key.name))
        (hushed if hush else told).append(change)
    return told, hushed


def widest(one: Scope, other: Scope) -> Scope:
    """Return a scope that covers all that either covers."""
    every = one.databases is None or other.databases is None
    both = set(one.databases or ()) | set(other.databases or ())
    includes = {*one.include, *other.include} if one.include and other.include else ()
    return Scope(
        None if every else tuple(sorted(both)),
        tuple(sorted(includes)),
        tuple(sorted({*one.exclude} & {*other.exclude})),
        one.functions or other.functions,
        one.search or other.search,
    )


def _expression(glob: bytes) -> bytes:
    """Return a regular expression for a glob of `*`, `?`, `[a-z]`, `[^a]` and `\\` escapes.

    What stands between two stars is looked for where it comes first, and never again: it has
    one length, so no later place would let the rest match where this does not. So it is as fast
    as it looks, which an expression that goes back to each star in turn is not.
    """
    if glob and not glob.strip(b"*"):
        return b".*" if glob == b"*" else b".+"  # several match no empty name, in Redis
    pieces = list(_pieces(glob))
    if len(pieces) == 1:
        return b"(?:" + pieces[0] + b")"
    first, *inner, last = pieces
    between = b"".join(b"(?>.*?" + piece + b")" for piece in inner if piece)
    return b"(?:" + first + between + b".*" + last + b")"


def _pieces(glob: bytes) -> Iterator[bytes]:
    """Yield an expression for each part between the stars, each of a fixed length."""
    out: list[bytes] = []
    at = 0
    while at < len(glob):
        byte = glob[at : at + 1]
        at += 1
        if byte == b"*":
            yield b"".join(out)
            out = []
        elif byte == b"?":
            out.append(b".")
        elif byte == b"[":
            group, at = _group(glob, at)
            out.append(group)
        else:
            if byte == b"\\" and at < len(glob):
                byte, at = glob[at : at + 1], at + 1
            out.append(re.escape(byte))
    yield b"".join(out)


def _group(glob: bytes, at: int) -> tuple[bytes, int]:
    """Return the character group that begins at `at`, after its bracket, and where the glob goes
    on."""
    negated = glob[at : at + 1] == b"^"
    at += negated
    chosen: set[int] = set()
    while at < len(glob) and glob[at] != 0x5D:
        escaped = glob[at] == 0x5C and at + 1 < len(glob)
        at += escaped
        first = last = glob[at]
        if not escaped and glob[at + 1 : at + 2] == b"-" and at + 2 < len(glob):
            last, at = glob[at + 2], at + 2
        chosen.update(range(min(first, last), max(first, last) + 1))
        at += 1
    members = chosen ^ set(range(256)) if negated else chosen
    group = b"".join(b"\\x%02x" % member for member in sorted(members))
    return (b"[" + group + b"]" if group else b"(?!)"), at + 1
