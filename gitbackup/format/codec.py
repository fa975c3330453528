"""Bytes to JSON text and back: the text rule, instants, scores, and canonical documents.

The text rule: bytes that are valid UTF-8 and do not begin with `base64:` are that string;
any other bytes are `base64:` and their base64 (RFC 4648, padded). It is injective.

*Loose* text is what a server sends: UTF-8 decoded with `surrogateescape`, which keeps any
bytes. Only loose text that is also under the text rule can be written as JSON.

A large text that was just read may be *written* text instead: under the text rule, as it stands in
a file. Loose text with bytes that are no UTF-8 would take up to four times their memory.
"""

from __future__ import annotations

import binascii
import hashlib
import json
import math
import re
from codecs import utf_8_decode
from collections import Counter
from collections.abc import Iterable, Iterator
from datetime import UTC, datetime, timedelta
from functools import cache, lru_cache
from io import BytesIO
from typing import Any

import orjson

from gitbackup.errors import Damaged
from gitbackup.model.amounts import counted

PREFIX = "base64:"
MARK = b'"base64:'  # in a document: some text there may need the exact path
FOREVER = 253_402_300_800_000  # milliseconds: the first instant with a year of five digits
EXACT = 2**53  # every integer below it is a double of its own
SMALL = 1e-4  # from here up all libraries write fractions alike
FINER = re.compile(r"[.,]\d{3}\d*[1-9]")  # than a millisecond, in an instant
LARGEST = 2**63 - 1  # a server counts no further
DIGEST = 12  # digits of a hash that a person compares
EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
MILLISECOND = timedelta(milliseconds=1)
PIECE = 3 << 18  # bytes that are made base64 at once; three are four digits, so nothing is padded
DIGITS = PIECE // 3 * 4
Written = orjson.Fragment
OPTIONS = orjson.OPT_SORT_KEYS | orjson.OPT_INDENT_2 | orjson.OPT_APPEND_NEWLINE


def text(data: bytes) -> str:
    """Return `data` under the text rule."""
    try:
        value = data.decode()
    except UnicodeDecodeError:
        return encoded(data)
    return encoded(data) if value.startswith(PREFIX) else value


def encoded(data: bytes) -> str:
    """Return `data` in base64, under the text rule."""
    return b"".join(_base64(data)).decode("ascii")


def loose(data: bytes) -> str:
    """Return `data` as loose text."""
    return data.decode("utf-8", "surrogateescape")


def raw(value: str) -> bytes:
    """Return the bytes of loose text."""
    return value.encode("utf-8", "surrogateescape")


def strict(value: str) -> str:
    """Return loose text put under the text rule."""
    if not value.startswith(PREFIX) and is_utf8(value):
        return value
    return encoded(raw(value))


def write(data: bytes) -> Written:
    """Return `data` as written text. It is made piece by piece, in little more memory than it
    takes."""
    try:
        pieces = _base64(data) if data.startswith(PREFIX.encode()) else _json(data)
        return Written(_quoted(pieces))
    except UnicodeDecodeError:
        return Written(_quoted(_base64(data)))


def _quoted(pieces: Iterable[bytes]) -> bytes:
    whole = BytesIO()
    whole.write(b'"')
    whole.writelines(pieces)
    whole.write(b'"')
    return whole.getvalue()


def _json(data: bytes) -> Iterator[bytes]:
    """Yield what a JSON text has between its quotes. Raises UnicodeDecodeError if `data` is not
    UTF-8."""
    view, start = memoryview(data), 0
    while start < len(data):
        piece = view[start : start + PIECE]
        text, used = utf_8_decode(piece, "strict", start + len(piece) == len(data))
        yield orjson.dumps(text)[1:-1]
        start += used


def _base64(data: bytes) -> Iterator[bytes]:
    yield PREFIX.encode()
    view = memoryview(data)
    for start in range(0, len(data), PIECE):
        yield binascii.b2a_base64(view[start : start + PIECE], newline=False)


def unwritten(value: Written) -> str:
    """Return written text as loose text."""
    return loose(data(orjson.loads(orjson.dumps(value))))


def is_utf8(value: str) -> bool:
    """Return whether the bytes of loose text are UTF-8."""
    try:
        return value.isascii() or bool(value.encode())
    except UnicodeEncodeError:
        return False


def data(value: str) -> bytes:
    """Return the bytes that `value` stands for under the text rule.

    Raises ValueError if it begins with `base64:` and goes on with anything else.
    """
    if not value.startswith(PREFIX):
        return value.encode()
    content = BytesIO()
    for start in range(len(PREFIX), len(value), DIGITS):
        piece = value[start : start + DIGITS]
        if start + DIGITS < len(value) and "=" in piece:
            raise ValueError("padding in the middle")
        content.write(binascii.a2b_base64(piece, strict_mode=True))
    return content.getvalue()


def is_encoded(value: str, data: bytes) -> bool:
    """Return whether `value` is `data` under the text rule, and in base64."""
    try:
        if not data.decode().startswith(PREFIX):
            return False
    except UnicodeDecodeError:
        pass
    start = 0
    for piece in _base64(data):
        if not value.startswith(piece.decode("ascii"), start):
            return False
        start += len(piece)
    return start == len(value)


def size(value: str) -> int:
    """Return how many bytes `value` stands for under the text rule."""
    if not value.startswith(PREFIX):
        return len(value) if value.isascii() else len(value.encode("utf-8", "surrogatepass"))
    return len(value.removeprefix(PREFIX).rstrip("=")) * 3 // 4


def in_brief(value: str) -> str:
    """Return how many bytes they are; of bytes that nobody can read, also the beginning of their
    hash."""
    count = size(value)
    told = counted(count, "byte")
    if not value.startswith(PREFIX):
        return told
    try:
        return f"{told}, sha256 {hashlib.sha256(data(value)).hexdigest()[:DIGEST]}"
    except ValueError:  # a document may hold what only begins as bytes would
        return told


def tighten(value: Any) -> Any:
    """Return a JSON value of loose text with the text rule applied to every string and name."""
    if isinstance(value, str):
        return strict(value)
    if isinstance(value, dict):
        return {strict(name): tighten(item) for name, item in value.items()}
    if isinstance(value, list):
        return [tighten(item) for item in value]
    return value


def instant(milliseconds: int) -> str | int:
    """Return milliseconds since 1970 as `2027-01-15T08:00:00.123Z`; after year 9999 the number
    itself."""
    if not 0 <= milliseconds < FOREVER:
        return milliseconds
    days, rest = divmod(milliseconds, 86_400_000)
    minute, rest = divmod(rest, 60_000)
    second, rest = divmod(rest, 1000)
    minutes, seconds, thousandths = _parts()
    return f"{_date(days)}{minutes[minute]}{seconds[second]}{thousandths[rest]}"


@lru_cache(10_000)
def _date(days: int) -> str:
    """Return the date of a day, given in days since 1970. Python's own way of writing it is
    slow."""
    return (EPOCH + timedelta(days=days)).date().isoformat()


@cache
def _parts() -> tuple[list[str], list[str], list[str]]:
    """Return what the minutes of a day, seconds and thousandths are in an instant: `T08:00:`,
    `07.` and `123Z`."""
    minutes = [f"T{minute // 60:02d}:{minute % 60:02d}:" for minute in range(24 * 60)]
    return minutes, [f"{second:02d}." for second in range(60)], [f"{i:03d}Z" for i in range(1000)]


def milliseconds(instant: str | int) -> int:
    """Return the milliseconds of an instant: the inverse of `instant`.

    Raises ValueError for what is none, has no time zone, or would have to be rounded.
    """
    if isinstance(instant, int) and not isinstance(instant, bool) and instant <= LARGEST:
        return instant
    if not isinstance(instant, str):
        raise ValueError(f"{instant!r} is not an instant")
    try:
        moment = datetime.fromisoformat(instant)
    except ValueError:
        raise ValueError(f"{instant!r} is not an instant") from None
    if moment.tzinfo is None:
        raise ValueError(f"{instant!r} has no time zone")
    if not (instant[19:20] == "." and instant[23:] == "Z") and FINER.search(instant):
        raise ValueError(f"{instant!r} has more than milliseconds")
    return (moment - EPOCH) // MILLISECOND


def score(value: float) -> int | float | str:
    """Return a sorted set's score as a JSON value: an integer where it is one under 2^53.

    `inf` and `-inf` are strings, and -0.0 stays a double.
    """
    if not math.isfinite(value):
        return repr(value)
    negative_zero = value == 0 and math.copysign(1, value) < 0
    return int(value) if value.is_integer() and abs(value) < EXACT and not negative_zero else value


def is_odd(score: int | float | str) -> bool:
    """Return whether JSON libraries differ in how they write that score."""
    return isinstance(score, float) and (score.is_integer() or abs(score) < SMALL) and score != 0


def written(score: int | float | str) -> int | float | str | orjson.Fragment:
    """Return a score as it stands in a file.

    It is the shortest number that reads back to the same double, as ECMAScript writes it
    (RFC 8785, section 3.2.2.3), but for `-0.0`.
    """
    if not isinstance(score, float) or not is_odd(score):
        return score
    return orjson.Fragment(_large(score) if score.is_integer() else _small(score))


def double(number: float) -> float | orjson.Fragment:
    """Return a double as it stands in a document that tells integers from doubles.

    It is written as a score is, and with `.0` where it would be taken for an integer.
    """
    if not is_odd(number):
        return number
    if number.is_integer() and abs(number) < 1e21:
        return orjson.Fragment(f"{_large(number)}.0")
    return orjson.Fragment(_large(number) if number.is_integer() else _small(number))


def _large(value: float) -> str:
    """Return an integral double of 2^53 or more: its shortest digits, written out below 1e21."""
    shortest = repr(value)
    if abs(value) >= 1e21:
        return shortest
    digits, _, exponent = shortest.partition("e")
    whole, _, fraction = digits.partition(".")
    if not exponent:
        return whole
    return whole + fraction.ljust(int(exponent), "0")


def _small(value: float) -> str:
    """Return a fraction under 1e-4: its shortest digits, written out from 1e-6 up."""
    digits, _, exponent = repr(value).partition("e-0")
    if not exponent:  # repr pads an exponent to two digits: this one is -10 or less
        return digits
    if int(exponent) > 6:
        return f"{digits}e-{exponent}"
    sign, figures = ("-" if value < 0 else ""), digits.lstrip("-").replace(".", "")
    return f"{sign}0.{'0' * (int(exponent) - 1)}{figures}"


def number(score: float | str) -> float:
    """Return the number of a score: the inverse of `score`. Raises ValueError if it is not a
    score."""
    if isinstance(score, str):
        if score not in ("inf", "-inf"):
            raise ValueError(f"{score!r} is not a score")
        return float(score)
    if isinstance(score, bool) or not isinstance(score, int | float) or not math.isfinite(score):
        raise ValueError(f"{score!r} is not a score")
    return float(score)


def encode(document: Any) -> bytes:
    """Return canonical bytes of a document: sorted names, two spaces, UTF-8, final newline.

    Raises TypeError if some text is loose and not under the text rule.
    """
    return orjson.dumps(document, option=OPTIONS)


def line(document: Any) -> bytes:
    """Return the canonical bytes on one line, without the newline at its end."""
    return orjson.dumps(document, option=orjson.OPT_SORT_KEYS)


def decode(path: str, content: bytes) -> Any:
    """Return the document in `content`, canonical or not.

    Raises Damaged, naming the file `path` and the line, for what is not JSON in UTF-8, for an
    object that has the same name twice, and for what is nested deeper than any snapshot is.
    """
    try:
        document = orjson.loads(content)
    except orjson.JSONDecodeError as error:
        raise Damaged(f"{path}, line {error.lineno}: not valid JSON: {error.msg}") from None
    try:
        ours = encode(document) == content
    except TypeError:
        raise Damaged(f"{path}, line 1: not valid JSON: nested too deeply") from None
    twin = None if ours else _twin(content)
    if twin is not None:
        raise Damaged(f"{path}, line {line_of(content, twin, 2)}: duplicate name {twin!r}")
    return document


def decode_plain(content: bytes, made: bool) -> Any:
    """Return the document in bytes that `encode` made and that have no text in base64; otherwise
    None.

    What is decoded so holds no name twice, and every text of it is under the text rule. `made`
    tells that `encode` surely made them, which is not tried then.
    """
    if MARK in content:
        return None
    try:
        document = orjson.loads(content)
        return document if made or encode(document) == content else None
    except (orjson.JSONDecodeError, TypeError):
        return None


def _twin(content: bytes) -> str | None:
    """Return a name that an object has twice, of which orjson would silently take the second."""
    twins: list[str] = []

    def note(pairs: list[tuple[str, Any]]) -> None:
        names = Counter(name for name, _ in pairs)
        twins.extend(name for name, count in names.items() if count > 1)

    json.loads(content, object_pairs_hook=note)
    return twins[0] if twins else None


def decode_line(content: bytes) -> Any:
    """Return the document on one line, whoever wrote it. Raises ValueError, saying what is
    wrong."""
    try:
        document = orjson.loads(content)
        ours = orjson.dumps(document) == content.strip()
    except orjson.JSONDecodeError as error:
        raise ValueError(f"not valid JSON: {error.msg}") from None
    except TypeError:
        raise ValueError("not valid JSON: nested too deeply") from None
    twin = None if ours else _twin(content)
    if twin is not None:
        raise ValueError(f"duplicate name {twin!r}")
    return document


def whole_number(word: str | bytes) -> int | None:
    """Return the number that up to 20 decimal digits spell; None for any other word.

    What others wrote may be of any length, and `int` takes time for it, or refuses it.
    """
    short = len(word) < 21 and word.isascii() and word.isdigit()
    return int(word) if short else None


def line_of(content: bytes, name: str, occurrence: int = 1) -> int:
    """Return the line on which the member `name` occurs for the nth time, or the first; for
    messages."""
    quoted, at = orjson.dumps(name), -1
    for _ in range(occurrence):
        at = max(content.find(quoted, at + 1), at)
    return content.count(b"\n", 0, max(at, 0)) + 1


def load(content: bytes) -> Any:
    """Return the document in bytes that `encode` made."""
    return orjson.loads(content)
