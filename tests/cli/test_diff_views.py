"""One diff, looked at in several ways: by name, in numbers, with ranks, whole, on a terminal."""

from __future__ import annotations

import json
import re
import shlex

import pytest

from gitbackup.report.style import width
from tests.cli.user import User, text

PAINT = re.compile(r"\x1b\[\d*m")
HOSTILE = b"\x1b[2J\x9b\n\xe2\x80\xae"


@pytest.fixture
def busy(user: User) -> User:
    """A commit, then many changes, most of them in one namespace."""
    user.redis.set("config", "1")
    user.redis.zadd("board", {"ann": 1, "bob": 2})
    user.says("commit", "-m", "begin")
    user.redis.mset({f"usage:{at}": at for at in range(60)})
    user.redis.zadd("board", {"ann": 3})
    user.redis.delete("config")
    return user


def test_names_only(busy: User) -> None:
    assert busy.says("diff", "--name-only", "--exclude", "usage:*") == "board\nconfig\n"
    assert busy.says("diff", "--name-status", "--exclude", "usage:*") == text("""
        M  board
        D  config
    """)
    assert busy.says("diff", "HEAD", "HEAD", "--name-only") == ""


def test_what_is_quiet_is_counted_apart_from_the_names(busy: User) -> None:
    busy.says("init", "--quiet", "usage:*")
    done = busy.run("diff", "--name-only")
    assert (done.out, done.err) == (
        "board\nconfig\n",
        "quiet keys, not shown: 60 added (--with-quiet shows them)\n",
    )


def test_ranks_where_they_are_asked_for(busy: User) -> None:
    assert busy.says("diff", "--rank", "--", "board") == text("""
        M  board  zset
             ann: 1 -> 3 (rank 2 -> 1)
    """)
    [told] = map(json.loads, busy.says("diff", "--rank", "--json", "--", "board").splitlines())
    assert told["changes"][0]["rank"] == {"before": 2, "after": 1}


def test_the_command_that_silences_noise_does(busy: User) -> None:
    *lines, hint = busy.says("diff", "HEAD", "--stat").splitlines()
    assert lines == [
        "  board   1 changed  ~",
        "  config  1 removed  -",
        "  usage   60 added   ++++++++++++++++++++++++++++++++++++++",
        "60 added, 1 changed, 1 removed",
    ]
    assert hint == (
        "60 of 62 are usage; to hide them: gitbackup diff HEAD --stat --exclude 'usage:*'"
        " (for good: see gitbackup suggest)"
    )
    command = shlex.split(hint.partition("to hide them: gitbackup ")[2].partition(" (")[0])
    assert busy.says(*command) == text("""
          board   1 changed  ~
          config  1 removed  -
        1 changed, 1 removed
    """)


def test_status_knows_noise_too(busy: User) -> None:
    hint = busy.says("status").splitlines()[-1]
    assert hint.startswith("60 of 62 are usage; to hide them: gitbackup status --exclude 'usage:*'")
    assert busy.run("status", "--", "config").code == 2


def test_the_hint_goes_before_the_dashes_and_repeats_no_password(busy: User) -> None:
    hint = busy.says("diff", "--stat", "--", "*").splitlines()[-1]
    assert "gitbackup diff --stat --exclude 'usage:*' -- '*' (" in hint
    assert "without" not in busy.says("diff", "--stat", "--url", busy.server.url)


def test_all_of_a_large_value_where_it_is_asked_for(user: User) -> None:
    user.says("commit", "--allow-empty")
    user.redis.rpush("list", *range(30))
    assert user.says("diff").splitlines()[-1] == "     + … 20 more items"
    assert user.says("diff", "--full").splitlines()[-1] == '     + [29]: "29"'


@pytest.mark.long
def test_a_terminal_cuts_what_is_long_and_a_pipe_does_not(user: User) -> None:
    user.redis.hset("漢字" * 20, mapping={"emoji": "👍" * 90, "long": "a" * 150})
    user.says("commit", "-m", "begin")
    user.redis.hset("漢字" * 20, mapping={"emoji": "👎" * 90, "long": "b" * 150})
    shown = [PAINT.sub("", line) for line in user.on_screen("diff", columns=60).out.splitlines()]
    assert [line for line in shown if width(line) > 60] == []
    assert shown[1] == f'     emoji: "{"👍" * 10}… -> "{"👎" * 10}…'
    assert "b" * 150 in user.says("diff")
    bars = user.on_screen("diff", "--stat", columns=60).out.splitlines()
    assert [line for line in bars if width(line) > 60] == []


@pytest.mark.few(1)
@pytest.mark.parametrize(
    "words",
    [
        ("diff",),
        ("diff", "--full", "--rank"),
        ("diff", "--stat"),
        ("diff", "--name-status"),
        ("diff", "--json"),
        ("diff", "--stat", "--json"),
        ("status",),
        ("status", "--json"),
    ],
)
def test_hostile_data_cannot_steer_the_terminal(user: User, words: tuple[str, ...]) -> None:
    redis, valid = user.redis, HOSTILE.replace(b"\x9b", "\x9b".encode())
    user.says("commit", "--allow-empty")
    for at, data in enumerate((HOSTILE, valid)):
        name = b"%s:%d" % (data, at)
        redis.hset(name + b"hash", mapping={data: data})
        redis.rpush(name + b"list", data)
        redis.sadd(name + b"set", data)
        redis.zadd(name + b"zset", {data: 1})
        redis.xadd(name + b"stream", {data: data})
        redis.xgroup_create(name + b"stream", data, "$")
        redis.set(name + b"text", b"one\n" + data)
    redis.set("base64:text", "base64:\x1b")
    shown = PAINT.sub("", user.on_screen(*words).out)
    unseen = [character for character in shown if not character.isprintable()]
    assert set(unseen) <= {"\n"}
    assert shown.count("\n") >= 1
