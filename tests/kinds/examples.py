"""For each kind: values it holds, how a plain client makes and sees them, what it refuses."""

from __future__ import annotations

import base64
import json
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import redis
from hypothesis import strategies as st

from gitbackup.format import codec
from tests.databases import contents, scores, send

LARGE = 20_500  # elements: more than two pieces
Seen = Callable[[redis.Redis, bytes], Any]


@dataclass(frozen=True)
class Examples:
    """`values` are canonical; `seen` asks a plain client for what `value_of` says is there."""

    values: list[Any]
    refused: list[Any]
    strategy: st.SearchStrategy[Any]
    seen: Seen
    value_of: Callable[[Any], Any]
    brand: str = ""
    """The one server here that knows the type; empty where every server does."""


def texts() -> st.SearchStrategy[str]:
    return contents().map(codec.text)


def octets(value: Any) -> Any:
    """The bytes that a stored value's texts stand for."""
    if isinstance(value, str):
        return codec.data(value)
    if isinstance(value, dict):
        return {codec.data(name): octets(item) for name, item in value.items()}
    return [octets(item) for item in value] if isinstance(value, list) else value


def dump(payload: bytes) -> dict[str, str]:
    return {"dump": base64.b64encode(payload).decode()}


def _pairs(flat: list[bytes] | dict[bytes, bytes]) -> dict[bytes, bytes]:
    return flat if isinstance(flat, dict) else dict(zip(flat[::2], flat[1::2], strict=True))


def _scored(client: redis.Redis, key: bytes) -> dict[bytes, float]:
    reply: Any = client.zrange(key, 0, -1, withscores=True)
    return {member: float(score) for member, score in reply}


def _doubles(value: dict[str, Any]) -> dict[bytes, float]:
    return {codec.data(name): codec.number(score) for name, score in value.items()}


def _streamed(client: redis.Redis, key: bytes) -> dict[bytes, list[bytes]]:
    (reply,) = send(client, [("XRANGE", key, "-", "+")])
    return {id_: list(fields) for id_, fields in reply}


def _entries(value: dict[str, Any]) -> dict[bytes, list[bytes]]:
    ids = sorted(value["entries"], key=lambda id_: tuple(map(int, id_.split("-"))))
    return {id_.encode(): octets(value["entries"][id_]) for id_ in ids}


def _fields() -> st.SearchStrategy[list[str]]:
    pairs = st.lists(st.tuples(texts(), texts()), min_size=1, max_size=3)
    return pairs.map(lambda pairs: [word for pair in pairs for word in pair])


def documents() -> st.SearchStrategy[Any]:
    """JSON documents as they are stored: numbers of 64 bits, text under the text rule."""
    words = st.text(st.characters(exclude_categories=["Cs"]), max_size=10).map(
        lambda text: codec.text(text.encode())
    )
    fractions = st.integers(-(10**12), 10**12).map(lambda thousandths: thousandths / 1_000)
    numbers = st.integers(-(2**63), 2**64 - 1) | fractions
    return st.recursive(
        st.none() | st.booleans() | numbers | words,
        lambda inner: st.lists(inner, max_size=4) | st.dictionaries(words, inner, max_size=4),
        max_leaves=20,
    )


def in_utf8(value: Any) -> Any:
    """A stored document as a JSON library has it."""
    if isinstance(value, str):
        return codec.data(value).decode()
    if isinstance(value, dict):
        return {codec.data(name).decode(): in_utf8(item) for name, item in value.items()}
    return [in_utf8(item) for item in value] if isinstance(value, list) else value


GROUP = {
    "consumers": ["alice", "bob"],
    "last_id": "2-0",
    "pending": {
        "1-0": {"consumer": "bob", "delivered_at": "2026-01-01T00:00:00.123Z", "deliveries": 3}
    },
}
STREAM = {"entries": {"1-0": ["f", "v"], "2-0": ["f", "v", "f", "w"]}}
NO_TEXT = [None, 1, 1.5, True, [1], {"a": 1}, [None], {"a": None}, "base64:?", ["base64:a"]]

VECTOR_SETS = [
    {
        "dimension": 3,
        "quantization": "int8",
        "m": 16,
        "elements": {
            "alpha": {
                "vector": "KlV/",
                "attributes": '{"year": 1999}',
                "range": 0.8017836809158325,
                "norm": 3.7416574954986572,
                "graph": "1 16777216 2 32 2 3 4575657221408423937",
            },
            "base64:/w==": {
                "vector": "AAAA",
                "range": 0,
                "norm": 1,
                "graph": "3 16777216 2 32 1 2 4575657221408423936",
            },
            "beta": {
                "vector": "gRUq",
                "range": 0.9370425343513489,
                "norm": 3.2015621662139893,
                "graph": "2 16777216 2 32 1 3 4575657221408423937",
            },
        },
    },
    {
        "dimension": 2,
        "quantization": "f32",
        "m": 8,
        "elements": {
            "alpha": {
                "vector": "LvnkPi75ZD8=",
                "norm": 2.2360680103302,
                "graph": "1 16777216 0 16 0",
            }
        },
    },
    {
        "dimension": 70,
        "quantization": "bin",
        "m": 16,
        "elements": {
            "alpha": {
                "vector": "//////////8/AAAAAAAAAA==",
                "norm": 8.366600036621094,
                "graph": "1 16777216 0 32 0",
            }
        },
    },
    {
        "dimension": 2,
        "quantization": "int8",
        "m": 16,
        "reduced_from": {
            "dimension": 4,
            "matrix": "AAAAPwAAAD8AAAA/AAAAPwAAAD8AAAC/AAAAPwAAAL8=",
        },
        "elements": {
            "alpha": {
                "vector": "f+c=",
                "range": 0.9805806875228882,
                "norm": 5.099019527435303,
                "graph": "1 16777216 0 32 0",
            }
        },
    },
]


def _vectors_seen(client: redis.Redis, key: bytes) -> dict[bytes, tuple[bytes, str | None]]:
    names = client.execute_command("VRANDMEMBER", key, "100")
    client.response_callbacks.clear()
    found = {}
    for name in names:
        attributes = client.execute_command("VGETATTR", key, name)
        vector = client.execute_command("VEMB", key, name, "RAW")[1]
        found[name] = vector, attributes and attributes.decode()
    return found


EXAMPLES = {
    "string": Examples(
        ["", "text", "base64:/w==", "17", "x" * 3_000_000],
        [None, 1, 1.5, True, [], {}, "base64:?", "base64:a"],
        texts(),
        lambda client, key: client.get(key),
        octets,
    ),
    "hash": Examples(
        [
            {"": ""},
            {"a": "1", "A": "2", "base64:/w==": "base64:/w=="},
            {f"field {n}": str(n) for n in range(LARGE)},
        ],
        [*NO_TEXT, "text", [], {}, {"base64:a": ""}, {"a": "", "base64:YQ==": ""}],
        st.dictionaries(texts(), texts(), min_size=1),
        lambda client, key: client.hgetall(key),
        octets,
    ),
    "list": Examples(
        [[""], ["b", "a", "b", "base64:/w=="], [str(n) for n in range(LARGE)], ["x"] * 10_000],
        [*NO_TEXT, "text", [], {}, ["a", ["b"]]],
        st.lists(texts(), min_size=1),
        lambda client, key: client.lrange(key, 0, -1),
        octets,
    ),
    "set": Examples(
        [[""], ["A", "a", "base64:/w=="], ["1", "2", "3"], sorted(map(str, range(LARGE)))],
        [*NO_TEXT, "text", [], {}, ["a", "a"], ["a", "base64:YQ=="]],
        st.sets(texts(), min_size=1).map(sorted),
        lambda client, key: client.smembers(key),
        lambda value: set(octets(value)),
    ),
    "zset": Examples(
        [
            {"": 0},
            {"a": "inf", "b": "-inf", "c": 5e-324, "d": 2**53 - 1, "e": 2.0**53, "f": -1.5},
            {"a": 0.1, "b" * 200: 1e21, "c": -0.0},
            {f"member {n}": n / 7 for n in range(1, LARGE) if n % 7},
            {f"m{n}": -0.0 for n in range(1_500)},
        ],
        ["text", ["a"], [], {}, {"a": "1"}, {"a": "nan"}, {"a": None}, {"a": True}, {"a": []},
         {"a": 1, "base64:YQ==": 1}],
        st.dictionaries(texts(), scores().map(codec.score), min_size=1),
        _scored,
        _doubles,
    ),
    "stream": Examples(
        [
            {"entries": {}},
            STREAM,
            STREAM | {"groups": {"g": GROUP, "": {"last_id": "0-0"}}},
            {"entries": {}, "last_id": f"{2**64 - 1}-{2**64 - 1}"},
            {"entries": {f"{2**64 - 1}-{2**64 - 1}": ["", ""]}},
            {"entries": {f"{n}-{n}": ["n", str(n)] for n in range(1, LARGE)}},
        ],
        [
            *NO_TEXT, "text", [], {},
            STREAM | {"more": 1},
            STREAM | {"last_id": "1-0"},
            STREAM | {"last_id": "01-0"},
            STREAM | {"last_id": f"{2**64}-0"},
            STREAM | {"last_id": 3},
            STREAM | {"max_deleted_id": "9-0"},
            STREAM | {"entries_added": 1},
            STREAM | {"entries_added": 2.5},
            STREAM | {"entries_added": True},
            STREAM | {"entries_added": 1e300},
            STREAM | {"entries_added": 2**63},
            STREAM | {"last_id": "base64:Mi0w"},
            {"entries": []},
            {"entries": {"0-0": ["f", "v"]}},
            {"entries": {"1-0": []}},
            {"entries": {"1-0": ["f"]}},
            {"entries": {"1-0": {"f": "v"}}},
            {"entries": {"1": ["f", "v"]}},
            {"entries": {"a-b": ["f", "v"]}},
            STREAM | {"groups": {"g": {}}},
            STREAM | {"groups": {"g": {"last_id": "x"}}},
            STREAM | {"groups": {"g": GROUP | {"consumers": ["alice"]}}},
            STREAM | {"groups": {"g": GROUP | {"consumers": ["alice", "bob", "bob"]}}},
            STREAM | {"groups": {"g": GROUP | {"entries_read": -1}}},
            STREAM | {"groups": {"g": GROUP | {"pending": {"1-0": {"consumer": "bob"}}}}},
            STREAM | {"groups": {"g": GROUP | {"lag": 1}}},
        ],
        st.dictionaries(
            st.tuples(st.integers(1, 2**64 - 1), st.integers(0, 2**64 - 1)), _fields(), max_size=5
        ).map(lambda found: {"entries": {f"{a}-{b}": found[a, b] for a, b in sorted(found)}}),
        _streamed,
        _entries,
    ),
    "ReJSON-RL": Examples(
        [
            {"document": None},
            {"document": {"a": [1, 1.0, 0.1, -0.0, 1e16, 1e21, 5e-324, 2**64 - 1, -(2**63)]}},
            {"document": {"": {"dump": "base64:YmFzZTY0OmE="}, "b": [[], {}, True, False]}},
            {"document": {"dump": "a member of that name"}},
            {"document": "text"},
            {"document": 2**53 + 1},
            {"document": [{"id": n, "name": f"item {n}", "price": n / 8} for n in range(3_000)]},
        ],
        [
            *NO_TEXT, "text", [], {},
            {"document": 2**64},
            {"document": [float("inf")]},
            {"document": {"a": "", "base64:YQ==": ""}},
            {"document": "base64:?"},
            {"document": ["base64:/w=="]},
            {"document": 1, "more": 1},
        ],
        documents().map(lambda document: {"document": document}),
        lambda client, key: json.loads(send(client, [("JSON.GET", key)])[0]),
        lambda value: in_utf8(value["document"]),
        "stack",
    ),
    "vectorset": Examples(
        VECTOR_SETS,
        [
            *NO_TEXT, "text", [], {},
            VECTOR_SETS[0] | {"elements": {}},
            VECTOR_SETS[0] | {"dimension": 4},
            VECTOR_SETS[0] | {"quantization": "int4"},
            VECTOR_SETS[0] | {"more": 1},
            VECTOR_SETS[1] | {"elements": {"alpha": {"vector": "LvnkPi75ZD8="}}},
        ],
        st.sampled_from(VECTOR_SETS),
        _vectors_seen,
        lambda value: {
            codec.data(name): (base64.b64decode(element["vector"]), element.get("attributes"))
            for name, element in value["elements"].items()
        },
        "falkordb",
    ),
}  # fmt: skip

EVERYWHERE = [name for name, some in EXAMPLES.items() if not some.brand]
"""The types that every server knows."""
