"""Key patterns match what the server's own do, and scopes cover what they say."""

from __future__ import annotations

import pytest
import redis
from hypothesis import given
from hypothesis import strategies as st

from gitbackup.errors import UsageError
from gitbackup.format import codec
from gitbackup.format.patterns import covered, covers, matcher, widest
from gitbackup.model.keys import FUNCTIONS, Key, Scope
from tests.laws import tried
from tests.servers import LiveServer

# of ASCII: where a range ends in a byte over 127, servers differ by the machine they run on
GLOBS = st.text(st.sampled_from("*?[]^-\\ab:"), max_size=8)
NAMES = st.lists(
    st.text(st.sampled_from("*?[]^-\\ab:é_"), min_size=1, max_size=6), min_size=1, unique=True
)
SCOPES = st.builds(
    Scope,
    st.none() | st.lists(st.integers(0, 3), unique=True).map(tuple),
    st.lists(GLOBS, max_size=2).map(tuple),
    st.lists(GLOBS, max_size=2).map(tuple),
    st.booleans(),
)
KEYS = st.builds(Key, st.sampled_from([FUNCTIONS, 0, 1, 2, 3]), NAMES.map(lambda names: names[0]))


def servers_own(client: redis.Redis, glob: str, names: list[str]) -> set[bytes]:
    client.flushall()
    client.mset(dict.fromkeys(names, ""))
    return set(client.keys(glob))


def expect_as_server(valkey: LiveServer, glob: str, names: list[str]) -> None:
    matches = matcher([glob])
    with valkey.client() as client:
        expected = servers_own(client, glob, names)
    assert {name.encode() for name in names if matches(name.encode())} == expected


@tried(400)
@given(glob=GLOBS, names=NAMES)
def test_a_glob_matches_what_the_server_says(
    valkey: LiveServer, glob: str, names: list[str]
) -> None:
    expect_as_server(valkey, glob, names)


@pytest.mark.parametrize(
    "glob",
    ["", "*", "a*", "?", "[^a]", "[a-c]", "[c-a]", "[\\a-z]", "[a\\-z]", "[]", "[^]", "[a", "[^",
     "a\\", "\\*", "[a-]", "[\\]]", "**b", "user:*", "é", "??"],
)  # fmt: skip
def test_an_odd_glob_matches_what_each_server_says(server: LiveServer, glob: str) -> None:
    names = ["a", "b", "c", "-", "]", "\\", "*", "z", "ab", "a\\", "[a", "user:1", "é", "a\nb", "^"]
    with server.client() as client:
        expected = servers_own(client, glob, names)
        found = set(client.scan_iter(match=glob))
    matches = matcher([glob])
    assert {name.encode() for name in names if matches(name.encode())} == expected == found


STARS = st.text(st.sampled_from("***ab?"), max_size=14) | st.lists(
    st.sampled_from(["*", "**", "a", "b", "ab", "?", "[ab]", "[^a]", "[b-", "\\*"]), max_size=9
).map("".join)
FEW_LETTERS = st.lists(st.text(st.sampled_from("ab"), max_size=14), min_size=1, unique=True)


@pytest.mark.long
@tried(400)
@given(glob=STARS, names=FEW_LETTERS)
def test_many_stars_match_what_the_server_says(
    valkey: LiveServer, glob: str, names: list[str]
) -> None:
    """Where it matters which of many places a piece is found in; the empty name is among them."""
    expect_as_server(valkey, glob, names)


@pytest.mark.parametrize("glob", ["*", "**", "", "?", "[^a]", "*?", "*a"])
def test_the_empty_name_matches_what_each_server_says(server: LiveServer, glob: str) -> None:
    with server.client() as client:
        assert {name for name in [b""] if matcher([glob])(name)} == servers_own(client, glob, [""])


@pytest.mark.parametrize("piece", ["*a", "*?a", "*[ab]", "*a?", "**a", "*aa"])
def test_no_glob_takes_longer_than_it_looks(piece: str) -> None:
    """With one that goes back to every star in turn, this would not end."""
    matches = matcher([piece * 500 + "*b", piece * 500 + "b*", piece * 500 + "b"])
    assert not matches(b"a" * 20_000)
    assert matches(b"a" * 20_000 + b"b")


def test_more_patterns_than_anybody_writes_are_refused() -> None:
    with pytest.raises(UsageError, match="too many key patterns"):
        matcher(["a"] * 100_001)
    with pytest.raises(UsageError, match="too many key patterns"):
        matcher(["a" * (2 * 1024 * 1024 + 1)])


def test_a_glob_of_bytes_that_are_no_text_matches_them() -> None:
    matches = matcher([codec.loose(b"\xff*")])
    assert [name for name in (b"\xff\xfe", b"\xfe") if matches(name)] == [b"\xff\xfe"]


def test_no_pattern_matches_every_name() -> None:
    assert matcher([])(b"\xff")


def test_any_of_several_patterns_will_do() -> None:
    matches = matcher(["a*", "b"])
    assert [name for name in (b"a1", b"b", b"b1") if matches(name)] == [b"a1", b"b"]


def test_what_is_excluded_is_not_covered_even_where_it_is_included() -> None:
    matches = covered(Scope(include=("a*",), exclude=("*:x",)))
    assert [name for name in (b"a", b"a:x", b"b") if matches(name)] == [b"a"]


def test_a_scope_covers_its_databases_its_keys_and_libraries() -> None:
    within = covers(Scope((0, 3), exclude=("tmp:*",), functions=False))
    keys = [Key(0, "a"), Key(1, "a"), Key(3, "tmp:1"), Key(3, "b"), Key(FUNCTIONS, "lib")]
    assert [key for key in keys if within(key)] == [Key(0, "a"), Key(3, "b")]


@tried(300)
@given(one=SCOPES, other=SCOPES, key=KEYS)
def test_the_widest_scope_covers_all_that_either_does(one: Scope, other: Scope, key: Key) -> None:
    either = covers(one)(key) or covers(other)(key)
    assert covers(widest(one, other))(key) or not either


@given(one=SCOPES, other=SCOPES)
def test_the_widest_scope_is_the_same_either_way(one: Scope, other: Scope) -> None:
    assert widest(one, other) == widest(other, one)
