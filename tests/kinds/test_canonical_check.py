"""What is told at a glance is what the exact way tells; and where that is not sure, nothing is."""

from __future__ import annotations

from copy import deepcopy
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gitbackup.format import codec
from gitbackup.kinds import normal_entry
from gitbackup.kinds.canonical_check import is_plain, milliseconds, told
from gitbackup.model.keys import Entry
from gitbackup.snapshot import file_format
from tests.kinds.examples import EXAMPLES, GROUP, STREAM, texts

PATH = "db0/a.json"
INSTANTS = st.integers(0, codec.FOREVER + 10).map(codec.instant)
CASES = [
    pytest.param({"type": kind, "value": value}, id=f"{kind}-{at}")
    for kind, some in EXAMPLES.items()
    for at, value in enumerate(some.refused)
]


def entries() -> st.SearchStrategy[Entry]:
    """Of any type, some of which expire."""
    each = [
        st.fixed_dictionaries(
            {"type": st.just(kind), "value": some.strategy}, optional={"expires_at": INSTANTS}
        )
        for kind, some in EXAMPLES.items()
    ]
    return st.one_of(*each)


def files() -> st.SearchStrategy[dict[str, Entry]]:
    names = st.one_of(texts(), st.sampled_from(['a": {', '"type": "hash",', "\n  }", '\\"', "é"]))
    return st.dictionaries(names, entries(), min_size=1, max_size=6)


def written(entries: dict[str, Entry]) -> bytes:
    """The file of canonical entries."""
    return codec.encode({name: normal_entry(entries[name]) for name in sorted(entries)})


@given(files())
def test_what_the_text_of_a_file_tells_is_what_it_holds(entries: dict[str, Entry]) -> None:
    content = written(entries)
    held = {key.name: entry for key, entry in file_format.decode_file(PATH, content).items()}
    found = told(content)
    if found is None:
        return
    assert dict(zip(found.names, found.types, strict=True)) == {
        name: entry["type"] for name, entry in held.items()
    }
    dues = [str(entry["expires_at"]) for entry in held.values() if "expires_at" in entry]
    assert found.due == min(dues, default="")
    assert file_format.decode_plain(content) == held


def test_the_text_of_a_plain_file_does_tell() -> None:
    """Else all would be decoded, and the test above could not fail."""
    entries: dict[str, Any] = {
        'odd": {\n': {"type": "string", "value": '\n    "type": "hash",\n  }'},
        "hash": {"type": "hash", "value": {"type": "x"}, "expires_at": codec.instant(5)},
        "list": {"type": "list", "value": ["a"], "expires_at": codec.instant(4)},
        "set": {"type": "set", "value": ["a"]},
        "stream": {"type": "stream", "value": STREAM},
    }
    found = told(written(entries))
    assert found is not None
    assert found.names == tuple(sorted(entries))
    assert found.types == ("hash", "list", "string", "set", "stream")
    assert found.due == codec.instant(4)


@pytest.mark.parametrize(
    "entry",
    [
        {"type": "string", "value": "base64:/w=="},
        {"type": "zset", "value": {"a": 1}},
        {"type": "vectorset", "value": {"dump": "AA=="}},
        {"type": "string", "value": "", "expires_at": codec.FOREVER},
        {"type": "hash", "value": {"a": ""}, "field_expires_at": {"a": codec.instant(1)}},
    ],
    ids=lambda entry: str(entry["value"]),
)
def test_the_text_of_others_tells_nothing(entry: dict[str, Any]) -> None:
    plain = {"a": {"type": "string", "value": "a"}}
    assert told(codec.encode(plain)) is not None
    assert told(codec.encode({**plain, "b": entry})) is None
    assert told(codec.encode({})) is None


@given(entries())
def test_a_plain_entry_is_in_its_canonical_form(entry: Entry) -> None:
    if is_plain(entry):
        assert codec.encode(normal_entry(deepcopy(entry))) == codec.encode(entry)


@pytest.mark.parametrize("entry", CASES)
def test_no_refused_value_is_plain(entry: Any) -> None:
    assert not is_plain(entry) or b'"base64:' in codec.encode(entry)


@pytest.mark.parametrize(
    "more",
    [
        {"entries_added": 5.0},
        {"last_id": "2-0"},  # which it has without being told
        {"max_deleted_id": "0-0"},
        {"groups": {}},
        {"groups": {"g": GROUP | {"consumers": ["bob", "alice"]}}},
    ],
    ids=str,
)
def test_a_stream_that_has_another_canonical_form_is_not_plain(more: dict[str, Any]) -> None:
    assert is_plain({"type": "stream", "value": STREAM})
    assert is_plain({"type": "stream", "value": {**STREAM, "groups": {"g": GROUP}}})
    assert not is_plain({"type": "stream", "value": {**STREAM, **more}})


@given(st.integers(0, codec.FOREVER - 1))
def test_the_instant_of_a_plain_entry_gives_back_its_milliseconds(moment: int) -> None:
    assert milliseconds(str(codec.instant(moment))) == moment
