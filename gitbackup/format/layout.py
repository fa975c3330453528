"""Which file of a snapshot holds which keys.

The rule, version 1. It works on the bytes of key names, one database at a time, and
depends on the set of names alone. Paths are below `dbN/` and end in `.json`.

1.  A *place* is a prefix that ends at a `:`; the root is the empty prefix. A place of at
    most 128 keys is one file. A larger place is a directory, and so is the root always.
2.  In the directory of a place with n keys, a next *namespace* (the text up to and with the
    next `:`) is a place of its own where it holds at least 16 keys and at least 1/512 of the
    largest power of two that is not above n: never more than 1,023 in one directory. All
    other keys of the place are its *rest*, under `_`.
3.  A rest of at most 128 keys is the file `_`. A larger one is the directory `_`, split by
    the byte that follows the longest prefix its keys share. The key that is this prefix and
    no more, if there is one, is in the file `_` of that directory. For the others, a range of
    that byte, at first 00 to ff, that has over 128 keys and more than one byte is halved, and
    so is each half. A range of at most 128 keys is a file, even if it is all of 00 to ff. A
    single byte with more keys is a directory, split in the same way by what its keys share. A
    range with no keys is nothing.
4.  A directory that must be split, and whose path (without `dbN/`) has over 100 characters,
    is split by the first hex digit of each key's SHA-256 instead, and each of its groups of
    more than 128 keys by the next digit. That bounds the depth and the length of every path.
5.  A place is named by its namespace without the `:` where that is safe on every system: 1
    to 40 ASCII letters and digits, inside also `-`, `.` and `_`; not ending in `.json`; up to
    its first `.`, not a device of Windows (con, prn, aux, nul, com0-9, lpt0-9); not equal to
    that of another place in the same directory. Case is ignored in these three. Any other
    name is a slug, `~`, and the first 8 hex digits of the SHA-256 of the whole prefix, its
    last `:` included; should that still be the name of several in a directory (case ignored),
    each of them is named `~` and all 64 digits. A *slug* is the text with each run of bytes
    other than ASCII letters, digits, `-` and `_` made one `-`, cut to 30 characters, without
    any `-` and `_` at its ends; it may be empty.
6.  A range of bytes is named by the first and the last digit or lower-case letter in it
    (`0-9`, `a-g`), or by the one there is (`f`). A range with none is named by its first and
    last byte as two lower-case hex digits each (`40-5f`), but a single upper-case letter by
    itself and a `-`, so that case never matters (`A-`), and any other single byte by its two
    hex digits (`2d`). A group by hash is named by its hex digit.
7.  An entry has a file of its own where a file that holds it alone has over 1,048,576 bytes.
    That is in the directory of the file that the entry would be in, which there is only for
    what else it holds. Its name is the slug of the key's text after its last `:`, `~`, and
    the first 32 hex digits of the SHA-256 of the key.

Names in one directory differ even where case is ignored, and no name is both a file's and a
directory's. No name is over 65 characters; a path is hardly ever over 200, whatever the keys.
"""

from __future__ import annotations

import re
from bisect import bisect_left
from collections import Counter, defaultdict
from collections.abc import Iterator, Sequence
from functools import cache
from hashlib import sha256
from string import ascii_lowercase, ascii_uppercase, digits
from typing import NamedTuple, TypeAlias

from gitbackup.format.slices import find, picked

LIMIT = 128
"""The most keys that one file holds."""

_FEWEST = 16  # keys that make a namespace a place
_FAN_OUT = 1024  # more places than this are never in one directory

DEEP = 100
"""Characters of a directory's path beyond which it is split by hash."""

_LONGEST_SLUG = 30

_SAFE = re.compile(rb"[a-z0-9](?:[a-z0-9._-]{0,38}[a-z0-9])?", re.IGNORECASE)
_UNSAFE = re.compile(rb".*\.json|(?:con|prn|aux|nul|(?:com|lpt)[0-9])(?:\..*)?", re.IGNORECASE)
_LETTERS = digits + ascii_lowercase
_OWN = re.compile(r"~[0-9a-f]{32}\Z")
_NO_SLUG = re.compile(rb"[^A-Za-z0-9_-]+")

Files: TypeAlias = Iterator[tuple[str, Sequence[bytes]]]

REST = -1
HASHED = -2  # and less: by so many digits


class KeyGroup(NamedTuple):
    """Keys that a file or a directory holds, and its path without `.json`.

    `kind` is the size of a place's prefix; REST; or HASHED less the digits that were looked at.
    """

    path: str
    keys: Sequence[bytes]
    kind: int

    @property
    def is_file(self) -> bool:
        """Whether it is a file: the root is a directory always."""
        return len(self.keys) <= LIMIT and self.path != ""

    def groups(self) -> Iterator[KeyGroup]:
        """Return what is in a directory."""
        if self.kind <= HASHED:
            return _split_by_hash(self.path, self.keys, HASHED - self.kind)
        if len(self.path) > DEEP:
            return _split_by_hash(self.path, self.keys, 0)
        parent = f"{self.path}/" if self.path else ""
        if self.kind == REST:
            return _split_by_byte(parent, self.keys)
        return _split_by_namespace(parent, self.keys, self.kind)


def layout(keys: Sequence[bytes]) -> Files:
    """Return the files of one database: each its path without `.json`, and its keys, sorted.

    `keys` are the names in the database: sorted as bytes, each once. A path is relative to
    `dbN/`. Places come in the order of their keys, and before the rest of their parent.
    """
    return layout_of(KeyGroup("", keys, 0))


def own_file(path: str, key: bytes) -> str:
    """Return the path of a file for this key alone, beside the file `path`; both without
    `.json`."""
    directory, slash, _ = path.rpartition("/")
    return f"{directory}{slash}{_long_name(key.rpartition(b':')[2], key)}"


def alone_name(text: bytes) -> str:
    """Return a file name for this text, which differs from that of any other text, case ignored.

    The text itself where rule 5 calls it safe and it has no upper-case letter; else, as in
    rule 7, its slug, `~`, and the first 32 hex digits of its SHA-256.
    """
    return text.decode() if _is_safe(text) and text == text.lower() else _long_name(text, text)


def place_names(prefix: bytes, size: int) -> list[str]:
    """Return every name that a place can have in a directory whose own prefix has `size` bytes."""
    text = prefix[size:-1]
    plain = [text.decode()] if _is_safe(text) else []
    return [*plain, _hash_name(text, prefix), f"~{sha256(prefix).hexdigest()}"]


def range_may_hold(name: str, byte: int) -> bool:
    """Return whether a range that goes by this name may hold the byte: several go by some."""
    return any(byte in span for span in _ranges().get(name, ()))


def digest(key: bytes) -> str:
    """Return the digits by which a directory that is too deep is split."""
    return sha256(key).hexdigest()


def is_own(name: str) -> bool:
    """Return whether a file's name, without `.json`, is one that rule 7 makes."""
    return bool(_OWN.search(name))


def shared(first: bytes, last: bytes) -> bytes:
    """Return what the first and last of sorted keys, and so all of them, begin with."""
    return first[: _shared(first, last)]


def layout_of(group: KeyGroup) -> Files:
    """Return the files in a directory, or the file that it is."""
    if group.is_file:
        yield group.path, group.keys
    else:
        for inner in group.groups():
            yield from layout_of(inner)


def _split_by_namespace(parent: str, keys: Sequence[bytes], size: int) -> Iterator[KeyGroup]:
    spans = list(_places(keys, size))
    names = _names([keys[start][:end] for start, _, end in spans], size)
    rest: list[tuple[int, int]] = []
    done = 0
    for name, (start, stop, end) in zip(names, spans, strict=True):
        rest.append((done, start))
        yield KeyGroup(parent + name, keys[start:stop], end)
        done = stop
    rest.append((done, len(keys)))
    if any(start < stop for start, stop in rest):
        yield KeyGroup(f"{parent}_", picked(keys, rest), REST)


def _places(keys: Sequence[bytes], size: int) -> Iterator[tuple[int, int, int]]:
    """Yield where each place inside a place starts and stops in `keys`, and its prefix's size.

    A place has `fewest` keys or more, all in a row: looking at one key in so many misses none.
    """
    fewest = max(_FEWEST, (1 << len(keys).bit_length()) // _FAN_OUT)
    done = 0
    while (probe := done + fewest - 1) < len(keys):
        key = keys[probe]
        end = key.find(b":", size) + 1
        if not end:
            done = probe + 1
            continue
        start = find(keys, key[:end], done, probe)
        done = find(keys, _after(key[:end]), probe, len(keys))
        if done - start >= fewest:
            yield start, done, end


def _split_by_byte(parent: str, keys: Sequence[bytes]) -> Iterator[KeyGroup]:
    size = _shared(keys[0], keys[-1])
    start = int(len(keys[0]) == size)
    if start:
        yield KeyGroup(f"{parent}_", keys[:1], REST)
    for first, width, group in _halves(keys, size, start, len(keys), 0, 256):
        yield KeyGroup(parent + _range_name(first, width), group, REST)


def _halves(
    keys: Sequence[bytes], at: int, start: int, stop: int, first: int, width: int
) -> Iterator[tuple[int, int, Sequence[bytes]]]:
    """Yield the ranges that the byte at a position is split into, and the keys in each.

    The keys from `start` to `stop` share all before that byte, which is one of `width`, from
    `first` up.
    """
    if stop - start <= LIMIT or width == 1:
        if start < stop:
            yield first, width, keys[start:stop]
        return
    middle = first + width // 2
    cut = find(keys, keys[start][:at] + bytes((middle,)), start, stop)
    yield from _halves(keys, at, start, cut, first, width // 2)
    yield from _halves(keys, at, cut, stop, middle, width // 2)


def _split_by_hash(path: str, keys: Sequence[bytes], digit: int) -> Iterator[KeyGroup]:
    groups: defaultdict[str, list[bytes]] = defaultdict(list)
    for key in keys:
        groups[digest(key)[digit]].append(key)
    for name, group in sorted(groups.items()):
        yield KeyGroup(f"{path}/{name}", group, HASHED - digit - 1)


def _shared(first: bytes, last: bytes) -> int:
    """Return how many bytes at the start of the first and last of sorted keys, so of all, are
    equal."""
    return bisect_left(range(len(first)), True, key=lambda i: not last.startswith(first[: i + 1]))


def _after(prefix: bytes) -> bytes:
    """Return the least bytes greater than all that begin with the prefix, whose last is not 255."""
    return prefix[:-1] + bytes((prefix[-1] + 1,))


def _names(prefixes: Sequence[bytes], size: int) -> list[str]:
    """Return names for the places in one directory, whose own prefix has `size` bytes."""
    texts = [prefix[size:-1] for prefix in prefixes]
    alike = Counter(text.lower() for text in texts)
    names = [
        text.decode() if alike[text.lower()] == 1 and _is_safe(text) else _hash_name(text, prefix)
        for text, prefix in zip(texts, prefixes, strict=True)
    ]
    taken = Counter(name.lower() for name in names)
    return [
        name if taken[name.lower()] == 1 else f"~{sha256(prefix).hexdigest()}"
        for name, prefix in zip(names, prefixes, strict=True)
    ]


def _is_safe(text: bytes) -> bool:
    return bool(_SAFE.fullmatch(text)) and not _UNSAFE.fullmatch(text)


def _hash_name(text: bytes, prefix: bytes) -> str:
    return f"{_slug(text)}~{sha256(prefix).hexdigest()[:8]}"


def _long_name(text: bytes, whole: bytes) -> str:
    return f"{_slug(text)}~{sha256(whole).hexdigest()[:32]}"


def _slug(text: bytes) -> str:
    return _NO_SLUG.sub(b"-", text)[:_LONGEST_SLUG].strip(b"-_").decode()


@cache
def _range_name(first: int, width: int) -> str:
    letters = [chr(byte) for byte in range(first, first + width) if chr(byte) in _LETTERS]
    if letters:
        return letters[0] if len(letters) == 1 else f"{letters[0]}-{letters[-1]}"
    if width > 1:
        return f"{first:02x}-{first + width - 1:02x}"
    return f"{chr(first)}-" if chr(first) in ascii_uppercase else f"{first:02x}"


@cache
def _ranges() -> dict[str, list[range]]:
    """Return the ranges that a name can stand for."""
    found: defaultdict[str, list[range]] = defaultdict(list)
    for width in (1 << power for power in range(9)):
        for first in range(0, 256, width):
            found[_range_name(first, width)].append(range(first, first + width))
    return found
