"""What is told at a glance is what the exact way tells; and where that is not sure, nothing is."""

from __future__ import annotations

from copy import deepcopy
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gitbackup.format import codec
from gitbackup.kinds import KINDS, normal_entry
from gitbackup.kinds.canonical_check import are_plain, milliseconds
from gitbackup.model.keys import Entry
from gitbackup.snapshot import file_format
from tests.kinds.examples import EXAMPLES, GROUP, STREAM, texts

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
    return st.dictionaries(texts(), entries(), max_size=6)


def is_plain(entry: Entry) -> bool:
    """Whether an entry is, its members in the order that a file has them in."""
    return are_plain([dict(sorted(entry.items()))], made=False)


@given(files())
def test_a_file_is_plain_if_each_of_its_entries_is(entries: dict[str, Entry]) -> None:
    content = codec.encode(entries)
    plain = codec.MARK not in content and all(map(is_plain, entries.values()))
    assert file_format.decode_plain(content) == (entries if plain else None)


@given(files())
def test_a_file_that_gitbackup_made_is_decoded_as_any_other(entries: dict[str, Entry]) -> None:
    content = codec.encode({name: normal_entry(entry) for name, entry in entries.items()})
    assert file_format.decode_plain(content, made=True) == file_format.decode_plain(content)


def test_a_file_that_gitbackup_made_is_plain_in_each_type_that_says_so() -> None:
    """Else the test above could not fail."""
    made = [kind.name for kind in KINDS.values() if kind.canonical_as_made]
    files = {
        name: [codec.encode({"a": {"type": name, "value": v}}) for v in EXAMPLES[name].values]
        for name in made
    }
    plain = {
        name
        for name in made
        if any(file_format.decode_plain(file, made=True) for file in files[name])
    }
    assert plain == {"string", "hash", "list", "set", "stream"}


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
