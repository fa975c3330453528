"""`gitbackup blame`, `gitbackup keys` and `gitbackup show --field`."""

from __future__ import annotations

import json
import subprocess

import pytest

from tests.cli.user import GITBACKUP, Done, User, surroundings, text
from tests.store.plain import git

MOMENT = 4_102_444_800_000


@pytest.fixture
def history(user: User) -> User:
    """A key of every type; then some of each changed."""
    client = user.redis
    client.set("config", '{"limits": {"daily": 100, "hourly": 10}, "tags": ["a", "b"]}')
    client.hset("hash", mapping={"name": "alice", "rules": '{"ip": 1}', "mail": "a@b"})
    client.pexpireat("hash", MOMENT)
    client.rpush("list", "one", "two", "three")
    client.sadd("set", "a", "b")
    client.zadd("zset", {"a": 1, "b": 2.5})
    client.xadd("stream", {"k": "v"}, id="1-1")
    client.xgroup_create("stream", "workers", "0")
    client.set("text", "words")
    user.says("commit", "-m", "begin")
    client.set("config", '{"limits": {"daily": 250, "hourly": 10}, "tags": ["a", "b"]}')
    client.hset("hash", mapping={"name": "bob", "rules": '{"ip": 1, "port": 2}'})
    client.lpush("list", "zero")
    client.sadd("set", "c")
    client.zadd("zset", {"b": 3})
    client.xadd("stream", {"k": "w"}, id="2-1")
    user.says("commit", "-m", "some of it")
    return user


def blamed(user: User, *words: str) -> list[str]:
    """The lines of a blame, without their dates."""
    head, *lines = user.says("blame", *words).splitlines()
    return [head, *(f"{line[:3]} {line[17:]}" for line in lines)]


BLAMED = [
    (
        "config",
        [
            "config  string",
            "id2 some of it  limits.daily: 250",
            "id1 begin       limits.hourly: 10",
            'id1 begin       tags[0]: "a"',
            'id1 begin       tags[1]: "b"',
        ],
    ),
    (
        "hash",
        [
            "hash  hash",
            "id1 begin       expires: 2100-01-01T00:00:00.000Z",
            'id1 begin       mail: "a@b"',
            'id2 some of it  name: "bob"',
            "id1 begin       rules.ip: 1",
            "id2 some of it  rules.port: 2",
        ],
    ),
    (
        "list",
        [
            "list  list",
            'id2 some of it  [0]: "zero"',
            'id1 begin       [1]: "one"',
            'id1 begin       [2]: "two"',
            'id1 begin       [3]: "three"',
        ],
    ),
    ("set", ["set  set", "id1 begin       a", "id1 begin       b", "id2 some of it  c"]),
    ("zset", ["zset  zset", "id1 begin       a: 1", "id2 some of it  b: 3"]),
    (
        "stream",
        [
            "stream  stream",
            "id2 some of it  entries: 2, 1-1 to 2-1",
            'id1 begin       groups.workers: {"last_id": "0-0"}',
        ],
    ),
    ("text", ["text  string", 'id1 begin  value: "words"']),
]
"""Keys, and what is told of them: the line of the key, then that of each part."""


def test_each_part_is_told_with_the_commit_that_it_is_from(history: User) -> None:
    """Of every type."""
    for key, lines in BLAMED:
        assert blamed(history, key) == lines


def test_blame_begins_where_it_is_told(history: User) -> None:
    assert blamed(history, "zset", "HEAD~1")[1:] == ["id1 begin  a: 1", "id1 begin  b: 2.5"]


def test_what_went_and_came_back_is_from_when_it_came_back(history: User) -> None:
    history.redis.delete("set")
    history.says("commit", "-m", "gone")
    history.redis.sadd("set", "a")
    history.says("commit", "-m", "again")
    assert blamed(history, "set") == ["set  set", "id4 again  a"]


def test_blame_follows_a_part_through_a_merge(history: User) -> None:
    """A part that is as one parent has it is that parent's."""
    repo = history.repo
    git(repo, "switch", "--quiet", "-c", "side", "HEAD~1")
    _edit(history, '"name": "alice"', '"name": "carol"', "on the side")
    git(repo, "switch", "--quiet", "main")
    _edit(history, '"mail": "a@b"', '"mail": "b@b"', "on main")
    git(repo, "merge", "--quiet", "-s", "ours", "--no-commit", "side")
    _edit(history, '"name": "bob"', '"name": "carol"', "both")
    lines = [*map(json.loads, history.says("blame", "--json", "hash").splitlines())]
    assert {(line["name"], *line["path"]): line["subject"] for line in lines} == {
        ("",): "begin",  # the expiry
        ("mail",): "on main",
        ("name",): "on the side",
        ("rules", "ip"): "begin",
        ("rules", "port"): "some of it",
    }


def _edit(user: User, old: str, new: str, message: str) -> None:
    file = user.repo / "db0" / "_.json"
    assert old in file.read_text()
    file.write_text(file.read_text().replace(old, new))
    git(user.repo, "commit", "--quiet", "-am", message)


def test_a_program_gets_a_line_for_each_part(history: User) -> None:
    lines = map(json.loads, history.says("blame", "--json", "hash").splitlines())
    assert [line for line in lines if line["path"] == ["port"]] == [
        {
            "schema": "gitbackup.blame/1",
            "db": 0,
            "key": "hash",
            "part": "field",
            "name": "rules",
            "path": ["port"],
            "value": 2,
            "commit": "ID2",
            "date": "NOW",
            "subject": "some of it",
        }
    ]


def test_blame_of_a_key_that_is_not_there_is_wrong_usage(history: User) -> None:
    assert history.run("blame", "nope") == Done(2, "", "gitbackup: commit id2 has no key 'nope'\n")


def test_keys_are_listed_with_type_elements_bytes_and_expiry(history: User) -> None:
    assert history.says("keys") == text("""
        type     elements       bytes  expires                   key
        string          -         127  -                         config
        hash            3         186  2100-01-01T00:00:00.000Z  hash
        list            4         110  -                         list
        set             3          86  -                         set
        stream          2         285  -                         stream
        string          -          58  -                         text
        zset            2          83  -                         zset
    """)


def test_bytes_are_those_of_the_entry_in_its_file(history: User) -> None:
    lines = [*map(json.loads, history.says("keys", "--json").splitlines())]
    file = (history.repo / "db0" / "_.json").read_bytes()
    assert sum(line["size"] for line in lines) + 2 * len(lines) + len("{\n}\n") - 1 == len(file)


def test_keys_of_a_commit_by_pattern_and_database(history: User) -> None:
    history.server.client(db=3).set("hash", 1)
    history.says("commit")
    names = [
        [json.loads(line)["key"] for line in history.says("keys", "--json", *words).splitlines()]
        for words in (["HEAD~1", "*t"], ["--", "set"], ["--db", "3"], ["HEAD~1", "--db", "3"])
    ]
    assert names == [["list", "set", "text", "zset"], ["set"], ["hash"], []]


def test_a_plain_key_may_follow_the_commit(history: User) -> None:
    listed = history.says("keys", "HEAD", "--", "config")
    assert listed
    assert history.says("keys", "HEAD", "config") == listed


def test_keys_are_of_one_commit(history: User) -> None:
    assert history.run("keys", "HEAD", "HEAD~1") == Done(
        2, "", "gitbackup: at most one commit: 'HEAD' 'HEAD~1'; put -- before key patterns\n"
    )


FIELDS = [
    ("hash", "name", "bob"),
    ("hash", "rules", '{"ip": 1, "port": 2}'),
    ("hash", "rules.port", "2"),
    ("hash", '"name"', "bob"),
    ("zset", "b", "3"),
    ("list", "0", "zero"),
    ("list", "[0]", "zero"),
    ("list", "-1", "three"),
    ("set", "c", "c"),
    ("stream", "2-1", '["k", "w"]'),
    ("config", "limits.daily", "250"),
    ("config", "limits", '{"daily": 250, "hourly": 10}'),
    ("config", "tags[1]", "b"),
    ("config", '"tags"[0]', "a"),
]
"""Keys, a part of each, and its bytes."""


def test_a_field_is_shown_alone(history: User) -> None:
    for key, field, said in FIELDS:
        assert history.says("show", f"HEAD:{key}", "--field", field) == said


NO_FIELDS = [
    ("hash", "nope"),
    ("hash", "rules.nope"),
    ("hash", "name.port"),
    ("hash", "[0]"),
    ("zset", "c"),
    ("set", "d"),
    ("list", "4"),
    ("list", "[4]"),
    ("list", "[0].zero"),
    ("list", "one"),
    ("stream", "3-1"),
    ("config", "limits.nope"),
    ("config", "tags[2]"),
    ("config", "limits[0]"),
    ("config", "tags.a"),
    ("config", "limits..daily"),
    ("config", r'"\x"'),
    ("text", "a"),
]
"""Keys, and what is no part of them."""


def test_a_field_that_is_not_there_is_wrong_usage(history: User) -> None:
    for key, field in NO_FIELDS:
        done = history.run("show", f"HEAD:{key}", "--field", field)
        kind = {"config": "string", "text": "string"}.get(key, key)
        assert done == Done(2, "", f"gitbackup: {key} is a {kind} without {field!r}\n")


def test_a_fields_bytes_are_exact(user: User) -> None:
    icon = b"\x89PNG\r\n\x1a\n\0\xff"
    user.redis.hset("h", mapping={"icon": icon, b"\xff": "base64:", "inf": "1"})
    user.redis.zadd("z", {"a": float("inf"), "b": 1e-7})
    user.says("commit")
    words = [*GITBACKUP, "show", "HEAD:h", "--field", "icon"]
    done = subprocess.run(words, env=surroundings({}), capture_output=True, check=True)
    assert done.stdout == icon
    assert user.says("show", "HEAD:h", "--field", "base64:/w==") == "base64:"
    assert user.says("show", "HEAD:z", "--field", "a") == "inf"
    assert user.says("show", "HEAD:z", "--field", "b") == "1e-7"


def test_a_program_gets_a_field_as_it_is_stored(history: User) -> None:
    assert json.loads(history.says("show", "--json", "HEAD:zset", "--field", "b")) == {
        "schema": "gitbackup.field/1",
        "commit": "ID2",
        "db": 0,
        "key": "zset",
        "field": "b",
        "value": 3,
    }


def test_what_is_not_for_every_eye_is_masked(history: User) -> None:
    redact = ("--redact", "name", "--redact", "limits")
    assert blamed(history, "config", *redact)[1:3] == [
        "id2 some of it  limits: ***",
        "id1 begin       limits: ***",
    ]
    assert "id2 some of it  name: ***" in blamed(history, "hash", *redact)
    assert history.says("show", "HEAD:hash", "--field", "name", *redact) == "***"


def test_a_program_is_told_that_something_is_masked(history: User) -> None:
    for words in (
        ("blame", "hash"),
        ("show", "HEAD:hash"),
        ("show", "HEAD:hash", "--field", "name"),
    ):
        plain = [json.loads(line) for line in history.says(*words, "--json").splitlines()]
        shown = history.says(*words, "--json", "--redact", "name")
        told = [json.loads(line) for line in shown.splitlines()]
        assert {line.get("redacted") for line in plain} == {None}
        assert {line.get("redacted") for line in told} == {True}


def test_a_field_goes_with_a_key(history: User) -> None:
    assert history.run("show", "--field", "a") == Done(
        2, "", "gitbackup: --field needs a key: gitbackup show COMMIT-ISH:KEY --field F\n"
    )
