"""Random histories of one key: before a commit, after it, and now, made by small edits."""

from __future__ import annotations

import json
from copy import deepcopy
from random import Random
from typing import Any

from hypothesis import strategies as st

from gitbackup.kinds import kind_of
from gitbackup.kinds.stream_commands import place
from gitbackup.model.keys import Entry

WORDS = ("a", "b", "c", "d", "e", "")
INSTANTS = ("2040-01-01T00:00:00.000Z", "2041-01-01T00:00:00.000Z", "2042-01-01T00:00:00.000Z")
TYPES = ("string", "hash", "list", "set", "zset", "stream", "ReJSON-RL", "vectorset")

Three = tuple[Entry | None, Entry | None, Entry | None]


def histories() -> st.SearchStrategy[Three]:
    """Three versions of a key of any type."""
    return st.builds(history, st.integers(0, 2**32))


def history(seed: int) -> Three:
    random = Random(seed)
    type_ = random.choice(TYPES)
    before = _fresh(random, type_)
    after = _edited(random, before, type_)
    now = _edited(random, after, type_)
    return before, after, now


def _fresh(random: Random, type_: str) -> Entry | None:
    return _finished(random, type_, _value(random, type_)) if random.random() < 0.9 else None


def _edited(random: Random, entry: Entry | None, type_: str) -> Entry | None:
    """The entry some edits later; often none, now and then one of another type, or none at all."""
    luck = random.random()
    if luck < 0.1:
        return entry
    if entry is None or luck < 0.15:
        return _fresh(random, random.choice(TYPES) if luck < 0.13 else type_)
    value = deepcopy(entry["value"])
    for _ in range(random.randint(1, 3)):
        value = _edit(random, entry["type"], value)
    return _finished(random, entry["type"], value, entry.get("expires_at"))


def _finished(random: Random, type_: str, value: Any, due: Any = None) -> Entry | None:
    """An entry of the value in its canonical form; None for an empty one."""
    if not value and type_ != "string":
        return None
    entry: Entry = {"type": type_, "value": value}
    entry["value"] = kind_of(entry).canonicalize(value)
    if random.random() < 0.2:
        due = random.choice([None, *INSTANTS])
    if due is not None:
        entry["expires_at"] = due
    if type_ == "hash" and random.random() < 0.3:
        fields = random.sample(sorted(value), 1)
        entry["field_expires_at"] = {field: random.choice(INSTANTS) for field in fields}
    return entry


def _value(random: Random, type_: str) -> Any:
    few = range(random.randint(1, 5))
    if type_ == "string":
        return _text(random)
    if type_ == "hash":
        return {_word(random): _text(random) for _ in few}
    if type_ == "list":
        return [_text(random) for _ in few]
    if type_ == "set":
        return sorted({_word(random) for _ in few})
    if type_ == "zset":
        return {_word(random): _number(random) for _ in few}
    if type_ == "stream":
        return {"entries": {_id(random): ["f", _word(random)] for _ in few}}
    if type_ == "ReJSON-RL":
        return {"document": _document(random)}
    return {"dump": random.choice(["AAAA", "AAAB", "AAAC"])}


def _edit(random: Random, type_: str, value: Any) -> Any:
    fresh = _value(random, type_)
    if type_ in ("hash", "zset"):
        return _edited_object(random, value, fresh)
    if type_ == "list":
        return _edited_list(random, value, fresh)
    if type_ == "set":
        return sorted({*value} ^ {random.choice(fresh)})
    if type_ == "ReJSON-RL":
        return {"document": _edited_document(random, value["document"])}
    if type_ == "string" and value[:1] in ("{", "["):
        return _written(random, _edited_document(random, json.loads(value)))
    if type_ == "stream":
        return _edited_stream(random, value, fresh)
    return fresh


def _edited_object(random: Random, value: dict[str, Any], fresh: dict[str, Any]) -> dict[str, Any]:
    if value and random.random() < 0.3:
        del value[random.choice(sorted(value))]
        return value
    return {**value, **dict([random.choice(sorted(fresh.items(), key=str))])}


def _edited_list(random: Random, value: list[Any], fresh: list[Any]) -> list[Any]:
    at = random.randint(0, len(value))
    gone = random.randint(0, 2)
    return [*value[:at], *fresh[: random.randint(0, 2)], *value[at + gone :]]


def _edited_stream(random: Random, value: Any, fresh: Any) -> Any:
    entries = _edited_object(random, value["entries"], fresh["entries"])
    newest = max([*entries, value.get("last_id", "0-0"), *value["entries"]], key=place)
    groups = value.get("groups", {})
    if random.random() < 0.3:
        groups = {**groups, random.choice("gh"): {"last_id": newest}}
    return {"entries": entries, "last_id": newest, "groups": groups}


def _edited_document(random: Random, document: Any) -> Any:
    if isinstance(document, dict) and document:
        name = random.choice(sorted(document))
        if random.random() < 0.5:
            return {**document, name: _edited_document(random, document[name])}
        return _edited_object(random, document, {_word(random): _leaf(random)})
    if isinstance(document, list) and document:
        return _edited_list(random, document, [_document(random), _leaf(random)])
    return _document(random)


def _document(random: Random, depth: int = 2) -> Any:
    if depth == 0 or random.random() < 0.3:
        return _leaf(random)
    inner = [_document(random, depth - 1) for _ in range(random.randint(1, 3))]
    return inner if random.random() < 0.5 else {_word(random): each for each in inner}


def _leaf(random: Random) -> Any:
    return random.choice([None, True, False, 0, 1, 1.5, 2**60, "", "a", "ü"])


def _number(random: Random) -> Any:
    return random.choice([0, 1, 2, 2.5, -0.0, "inf", 10**15])


def _text(random: Random) -> str:
    if random.random() < 0.4:
        return _written(random, {_word(random): _document(random) for _ in range(3)})
    return random.choice([*WORDS, "1", "2", "10"])


def _written(random: Random, document: Any) -> str:
    separators = random.choice([(",", ":"), (",", ":"), (", ", ": ")])
    return json.dumps(document, separators=separators, ensure_ascii=random.random() < 0.3)


def _word(random: Random) -> str:
    return random.choice(WORDS)


def _id(random: Random) -> str:
    return f"{random.randint(1, 9)}-{random.randint(0, 1)}"
