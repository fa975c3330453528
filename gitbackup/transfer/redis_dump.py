"""Other tools' dumps, read as entries: npm's redis-dump and Python's redis-dump-load, as JSON.

Both hold one database, which they do not name, as one object: a key to an object of `type`,
`value` and, where it expires, `ttl`, in seconds. The text of both is plain, so it is put under
the text rule here. They differ in this:

- redis-dump: `ttl` is whole seconds from a moment that the file does not tell. A sorted set is
  pairs of score and member, and a score is cut to a whole number, or null where it is infinite.
- redis-dump-load: `ttl` is negative where a key does not expire, and `expireat` beside it tells
  the instant, in seconds since 1970. A sorted set is pairs of member and score, with infinite
  ones as `Infinity`, which is no JSON.
"""

from __future__ import annotations

import codecs
import json
import math
from collections.abc import Iterator, Sequence
from typing import Any

from gitbackup import wording
from gitbackup.errors import UsageError
from gitbackup.format import codec
from gitbackup.model.amounts import counted
from gitbackup.model.keys import Scope

SCOPE = Scope(databases=(0,), functions=False)
MEMBERS = {"type", "value", "ttl", "expireat"}
_NOT_BYTEWISE = {
    *("idna", "punycode", "raw-unicode-escape", "undefined", "unicode-escape"),
    *("utf-16", "utf-32", "utf-7", "utf-8-sig"),
}
"""Encodings that do not give the bytes back which they were given, or add to them."""

TYPES = ("string", "hash", "list", "set", "zset")
LOST = "\ufffd"  # what JavaScript makes of bytes that are no UTF-8
SHIFTED = (
    "it has no value: if the database has a stream or a module's type, redis-dump"
    " writes values under the wrong keys, so no value in this file can be trusted"
)


def is_dump(document: Any) -> bool:
    """Return whether it looks like what either tool writes."""
    return isinstance(document, dict) and all(
        isinstance(item, dict) and isinstance(item.get("type"), str) for item in document.values()
    )


def decode_infinite(content: bytes) -> Any:
    """Return a document that is JSON except for infinite numbers. Raises ValueError for others."""
    document = json.loads(content, parse_constant=_infinite, object_pairs_hook=_unique)
    try:
        codec.encode(document)
    except TypeError:
        raise ValueError(
            "not valid JSON: nested too deeply, or an invalid number or string"
        ) from None
    return document


def is_ambiguous(document: dict[str, Any]) -> bool:
    """Return whether the text of keys and values could be ISO 8859-1 as well as UTF-8: there are
    characters beyond ASCII, and none beyond U+00FF."""
    beyond = False
    ahead: list[Any] = [[name, item.get("value")] for name, item in document.items()]
    while ahead:
        value = ahead.pop()
        if isinstance(value, dict):
            ahead += [*value.keys(), *value.values()]
        elif isinstance(value, list):
            ahead += value
        elif isinstance(value, str) and not value.isascii():
            beyond = True
            if max(value) > "\u00ff":
                return False
    return beyond


def expect_encoding(name: str) -> None:
    """Raise UsageError for a name of no encoding that keeps all bytes."""
    try:
        if codecs.lookup(name).name.replace("_", "-") in _NOT_BYTEWISE:
            raise LookupError
        "".encode(name)
    except (LookupError, ValueError):
        raise UsageError(f"there is no encoding {name!r}, such as utf-8 or iso-8859-1") from None


def recoded(value: Any, encoding: str) -> Any:
    """Return all text in a value as loose text of its bytes in an encoding.

    Raises ValueError for text that the encoding does not have.
    """
    if isinstance(value, str):
        try:
            return codec.loose(value.encode(encoding))
        except UnicodeError:
            raise ValueError(f"not text in {encoding}: {value!r:.80}") from None
    if isinstance(value, dict):
        return {recoded(name, encoding): recoded(item, encoding) for name, item in value.items()}
    if isinstance(value, list):
        return [recoded(item, encoding) for item in value]
    return value


class Conversion:
    """Turns entries of a dump into ours; knows afterwards what was doubtful about them.

    `now` is in milliseconds since 1970. `taken_at` is when the dump was made, or `now` if the
    dump does not tell.
    """

    def __init__(self, now: int) -> None:
        self.taken_at = now
        self._now = now
        self._undated = self._truncated = self._replaced = 0

    def entry(self, item: dict[str, Any]) -> dict[str, Any]:
        """Return an entry, to be checked. Raises ValueError for what no dump has."""
        if "value" not in item:
            raise ValueError(SHIFTED)
        if unknown := item.keys() - MEMBERS:
            raise ValueError(f"unknown member {min(unknown)!r}")
        if item["type"] not in TYPES:
            raise ValueError(f"such a dump cannot contain the type {item['type']!r}")
        value = self._scores(item["value"]) if item["type"] == "zset" else item["value"]
        self._replaced += LOST in json.dumps(value, ensure_ascii=False)
        entry = {"type": item["type"], "value": codec.tighten(value)}
        expires_at = self._expires_at(item)
        return entry if expires_at is None else {**entry, "expires_at": codec.instant(expires_at)}

    def warnings(self) -> Iterator[str]:
        """Yield sentences for the user."""
        yield (
            "the file does not name a database: its keys are written to database 0, or to"
            f" that of {wording.option('--db', 'databases')} or the URL"
        )
        if self._undated:
            yield (
                f"{counted(self._undated, 'key expires', 'keys expire')}, and the file"
                " does not say when it was made: the time to live counts from now"
            )
        if self._truncated:
            yield (
                f"{counted(self._truncated, 'sorted set is', 'sorted sets are')} from"
                " redis-dump, which truncates scores to whole numbers: the fractions are lost"
            )
        if self._replaced:
            yield (
                f"{counted(self._replaced, 'key contains', 'keys contain')} the character U+FFFD:"
                " redis-dump writes it for bytes that are not UTF-8, and those bytes are lost"
            )

    def _scores(self, pairs: Any) -> Any:
        """Return a sorted set's members with their scores, whichever of the two comes first."""
        if not isinstance(pairs, list) or not all(_is_pair(pair) for pair in pairs):
            raise ValueError("the value is not an array of member and score pairs")
        score_first = any(not isinstance(pair[0], str) for pair in pairs)
        self._truncated += score_first
        named = [(pair[1], pair[0]) if score_first else tuple(pair) for pair in pairs]
        if len(dict(named)) < len(pairs):
            raise ValueError("duplicate member")
        for member, score in named:
            if score is None:
                raise ValueError(
                    f"the score of {member!r} is null, which redis-dump writes for inf"
                    " and -inf: change it to Infinity or -Infinity"
                )
        return {member: _score(score) for member, score in named}

    def _expires_at(self, item: dict[str, Any]) -> int | None:
        """Return the instant in milliseconds since 1970; None if it does not expire."""
        left = _milliseconds(item.get("ttl", 0))
        if left < 0 or not item.keys() & {"ttl", "expireat"}:
            return None
        if "expireat" not in item:
            self._undated += 1
            return self._now + left
        moment = _milliseconds(item["expireat"])
        if "ttl" in item and self.taken_at == self._now:
            self.taken_at = moment - left
        return moment


def _infinite(word: str) -> float:
    if word == "NaN":
        raise ValueError("not valid JSON: NaN")
    return float(word)


def _unique(pairs: Sequence[tuple[str, Any]]) -> dict[str, Any]:
    if len(dict(pairs)) < len(pairs):
        raise ValueError("an object has a duplicate name")
    return dict(pairs)


def _is_pair(pair: Any) -> bool:
    """Return whether it is a member, which is text, and a score, which is not."""
    both = isinstance(pair, list) and len(pair) == 2
    return both and isinstance(pair[0], str) is not isinstance(pair[1], str)


def _score(number: Any) -> int | float | str:
    if isinstance(number, bool) or not isinstance(number, int | float):
        raise ValueError(f"{number!r} is not a score")
    return codec.score(float(number))


def _milliseconds(seconds: Any) -> int:
    if isinstance(seconds, bool) or not isinstance(seconds, int | float):
        raise ValueError(f"{seconds!r} is not a number of seconds")
    if not math.isfinite(seconds) or abs(seconds) >= codec.LARGEST / 1000:
        raise ValueError(f"{seconds!r} seconds is more than a TTL can be")
    return round(seconds * 1000)
