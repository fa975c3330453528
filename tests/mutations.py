"""Good files made bad, as a fault, a stranger or an enemy would: hypothesis strategies.

`changed` cuts, flips and inserts bytes; `grown` puts odd values anywhere into a document of JSON.
"""

from __future__ import annotations

import json
import signal
from collections.abc import Iterator
from contextlib import contextmanager
from copy import deepcopy
from types import FrameType
from typing import Any

from hypothesis import strategies as st

PATIENCE = 60  # seconds in which anything that is read is read, or refused
DEEP = 20_000
INSERTS = (
    b"-1",
    b"1e999",
    b"NaN",
    b"Infinity",
    b"null",
    b'"',
    b"\\ud800",
    b"\\u0000",
    b"\x00",
    b"\xff\xfe",
    b"\xef\xbb\xbf",
    b"base64:",
    b"base64:!",
    b"\n",
    b"\r\n",
    b"\x1b[2J",
    b"0001-01-01T00:00:00+14:00",
    b"9999-12-31T23:59:59-14:00",
    b"18446744073709551616",
)
REPEATED = (b"[", b'{"a":', b"9")
LEAVES: tuple[Any, ...] = (
    None,
    True,
    False,
    0,
    -1,
    1.5,
    2**63,
    -(2**64),
    10**30,
    1e308,
    "",
    "x",
    "\udcff",
    "base64:",
    "base64:/w==",
    "base64:!",
    "0-0",
    "18446744073709551615-18446744073709551616",
    "9999-12-31T23:59:59.999Z",
    "0001-01-01T00:00:00.000Z",
    "-1-01-01T00:00:00.000Z",
    "inf",
    "nan",
    [],
    {},
    [[]],
    {"": None},
    ["a", 1, None],
    {"type": "string", "value": 1},
)


def changed(good: bytes) -> st.SearchStrategy[bytes]:
    """The bytes with one to three edits."""
    at = st.integers(0, len(good))
    edit = st.one_of(
        st.tuples(st.just("insert"), at, st.sampled_from(INSERTS)),
        st.tuples(st.just("insert"), at, st.binary(max_size=8)),
        st.tuples(st.just("many"), at, st.sampled_from(REPEATED)),
        st.tuples(st.just("flip"), at, st.integers(0, 7)),
        st.tuples(st.just("cut"), at, st.integers(1, 64)),
        st.tuples(st.just("end"), at, st.just(0)),
        st.tuples(st.just("twice"), at, st.integers(1, 64)),
    )
    return st.lists(edit, min_size=1, max_size=3).map(lambda edits: _edited(good, edits))


def _edited(good: bytes, edits: list[tuple[str, int, Any]]) -> bytes:
    data = good
    for what, at, more in edits:
        before, after = data[:at], data[at:]
        if what == "insert":
            data = before + more + after
        elif what == "many":
            data = before + more * DEEP + after
        elif what == "flip" and after:
            data = before + bytes([after[0] ^ 1 << more]) + after[1:]
        elif what == "cut":
            data = before + after[more:]
        elif what == "end":
            data = before
        elif what == "twice":
            data = before + after[:more] + after
    return data


@st.composite
def grown(draw: st.DrawFn, good: Any) -> bytes:
    """The document with one to three of its nodes replaced, removed, renamed or added to."""
    document = deepcopy(good)
    for _ in range(draw(st.integers(1, 3))):
        places = [*_places(document)]
        if not places:
            break
        holder, name = draw(st.sampled_from(places))
        odd = deepcopy(draw(st.sampled_from(LEAVES)))
        how = draw(st.sampled_from(["replace", "replace", "remove", "rename", "add"]))
        if how == "replace":
            holder[name] = odd
        elif how == "remove":
            del holder[name]
        elif isinstance(holder, dict):
            kept = holder.pop(name) if how == "rename" else odd
            holder[draw(st.sampled_from(["", "x", "base64:/w==", "base64:?", "-1", "é"]))] = kept
        else:
            holder.insert(name, odd)
    return json.dumps(document).encode("utf-8", "surrogatepass")


def _places(node: Any) -> Iterator[tuple[Any, Any]]:
    """Each member and item, as what holds it and its name there."""
    if isinstance(node, dict):
        for name, item in node.items():
            yield node, name
            yield from _places(item)
    elif isinstance(node, list):
        for at, item in enumerate(node):
            yield node, at
            yield from _places(item)


@contextmanager
def bounded() -> Iterator[None]:
    """Fails where what is inside never ends."""

    def ring(number: int, frame: FrameType | None) -> None:
        raise AssertionError(f"it takes longer than {PATIENCE} seconds")

    before = signal.signal(signal.SIGALRM, ring)
    signal.alarm(PATIENCE)
    try:
        yield
    finally:
        signal.alarm(0)
        signal.signal(signal.SIGALRM, before)
