"""Keys and values that somebody made to stop, or to deceive, whoever looks at them."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest

from gitbackup.diff.documents import compare_texts
from gitbackup.format.nesting import DEEPEST
from tests.cli.user import User

NAMES = [
    *("a\nb", "-x", "--url=redis://evil:1", "\x1b[31mred", "\x1b[8mhidden", "\x1b]0;title\x07"),
    *("\u202ebidi", "\u061c", "\u200b", "\ufeff", "\U000e0041tag", "\x85", "\u2028", "\x7f"),
    *(
        "$(touch PWNED)",
        "`touch PWNED`",
        "'; touch PWNED '",
        ":(glob)*",
        "..",
        "../../x",
        "*",
        "[a",
    ),
    *("HEAD", "base64:AAAA", "x" * 70_000, "x\n\nRestore-Of: " + "a" * 40, "<script>", "=1", "\\"),
]
STEERS = re.compile(
    "[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f\u061c\u200b-\u200f\u2028-\u202e\u2066-\u2069\ufeff"
    "\U000e0000-\U000e007f]"
)
NUMBER = "9" * 5_000  # more digits than Python makes a number of
LOOKS = [
    ["log", "-p", "--", "*"],
    ["log", "--stat"],
    ["log", "-S", "\x1b[8m"],
    ["log", "-S", "two", "--json"],
    ["log", "--when", "hash:-x name = -x"],
    ["keys", "--changed-since", "HEAD~1"],
    ["diff", "HEAD~1", "--full"],
    ["diff", "HEAD~1", "--json"],
    ["show"],
    ["blame", "document:\x1b[8mhidden"],
    ["revert", "HEAD", "--dry-run", "-p"],
    ["revert", "HEAD~1", "--dry-run", "--counters"],
    ["restore", "HEAD~1", "--dry-run", "-p"],
    ["restore", "HEAD~1", "--dry-run", "-p", "--json"],
]


def nested(depth: int, leaf: str) -> str:
    return '{"a":' * depth + leaf + "}" * depth


def fill(user: User, word: str) -> None:
    client = user.redis
    for name in NAMES:
        client.hset(f"hash:{name}", mapping={name: name + word, "name": name})
        client.set(f"document:{name}", json.dumps({name: [name, {"b": word}]}))
        client.zadd(f"zset:{name}", {name: 1.5, word: 2})
    client.hset("many", mapping={str(number): f"{number}{word}" for number in range(10_000)})
    client.set(b"\xff\x00", word)
    user.says("commit", "-m", word)


@pytest.fixture
def hostile(user: User) -> User:
    fill(user, "one")
    user.says("config", "add", "label", "hash:*=name")
    fill(user, "two")
    user.redis.delete(*(f"zset:{name}" for name in NAMES))
    user.says("commit", "-m", "three")
    return user


def test_what_is_shown_steers_no_terminal(hostile: User) -> None:
    for words in LOOKS:
        done = hostile.run(*words)
        assert done.code == 0, words
        if "--json" not in words:
            assert not STEERS.search((done.out + done.err).replace("\n", "")), words
    assert not [*Path().rglob("PWNED*")]


@pytest.mark.long
def test_in_colours_it_does_not_either(hostile: User) -> None:
    """A terminal gets the escapes of our own colours, and no others."""
    ours = re.compile("\x1b\\[[0-9;]*m")
    for words in (["keys", "HEAD", "hash:*"], ["log", "--", "zset:*"], ["show", "HEAD~1"]):
        shown = hostile.on_screen(*words).out
        assert "\x1b[8m" not in shown
        assert "red" not in [part[:3] for part in shown.split("\x1b[31m")[1:]]
        assert not STEERS.search(ours.sub("", shown).replace("\r", "").replace("\n", ""))


@pytest.mark.long
def test_all_of_it_is_chosen_from_a_list_reverted_and_restored(hostile: User) -> None:
    before, second = hostile.state()[0], hostile.commits()[1]
    hostile.run("revert", "HEAD~1", "--yes")
    assert hostile.run("undo", "--yes").code == 0
    assert hostile.state()[0] == before
    done = hostile.at_terminal("restore", second, "-i", types="*\n\ny\n", asked="help]: ")
    assert done.code == 0
    assert not STEERS.search(done.out.replace("\n", ""))
    assert hostile.redis.exists(*(f"zset:{name}" for name in NAMES)) == len(NAMES)


NUMBERS = [f'{{"n":{NUMBER}%s}}', f'{{"n":1e{NUMBER}%s}}', f'{{"n":-1.{NUMBER}%s}}', f"{NUMBER}%s"]


@pytest.mark.parametrize("value", NUMBERS, ids=["whole", "exponent", "fraction", "bare"])
def test_a_number_of_thousands_of_digits_is_data(user: User, value: str) -> None:
    for digit in "123":
        user.redis.set("key", value % digit)
        user.says("commit", "-m", digit)
    for words in (
        ["diff", "HEAD~1"],
        ["log", "-S", f"{NUMBER}2"],
        ["log", "--when", f"key n = {NUMBER}2"],
        ["revert", "HEAD~1", "--dry-run", "--json"],
        ["revert", "HEAD~1", "--dry-run", "--counters"],
        ["show", "--field", f"n[{NUMBER}]", "HEAD:key"],
    ):
        done = user.run(*words)
        assert (done.code in (0, 2, 3), done.err.count("\n") < 2) == (True, True), done


def test_a_document_that_is_nested_deeply_is_told_as_a_whole() -> None:
    """To look inside takes time that grows with the square of the depth."""
    told = compare_texts(nested(DEEPEST, "1"), nested(DEEPEST, "2"))
    assert [change.path for change in told.changes] == [("a",) * DEEPEST]
    for depth in (DEEPEST + 1, 490):
        told = compare_texts(nested(depth, "1"), nested(depth, "2"))
        assert told == ([], "nested too deeply to compare inside")


def test_a_condition_that_is_nested_deeply_is_a_text(user: User) -> None:
    user.says("commit", "--allow-empty", "-m", "x")
    assert user.says("log", "--when", "key = " + "[" * 100_000) == ""
