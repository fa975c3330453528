from __future__ import annotations

import json
import os
import stat
import subprocess
from pathlib import Path

import pytest

from gitbackup.format import codec
from tests.cli.user import GITBACKUP, Done, User, surroundings, text
from tests.schemas import check
from tests.servers import redis_cli

LIBRARY = "#!lua name=mylib\nredis.register_function('f', function() return 1 end)\n"
EXPIRES = 4_102_444_800_000


def names() -> list[str]:
    return sorted(path.name for path in Path().iterdir())


@pytest.fixture
def filled(user: User) -> User:
    """Some keys of two databases, and a library."""
    user.redis.set("config", '{"daily": 100}')
    user.redis.set(b"icon:\xff", b"\x89PNG", pxat=EXPIRES)
    user.redis.zadd("rank", {"alice": 1e21, "bob": 0.5})
    user.redis.function_load(LIBRARY)
    with user.server.client(db=3) as other:
        other.rpush("queue", "b", "a")
    return user


DOCUMENT = """
    {
      "schema": "gitbackup.export/1",
      "commit": null,
      "patterns": [],
      "redacted": [],
      "scope": {
        "databases": "all",
        "exclude": [],
        "functions": true,
        "include": []
      },
      "taken_at": "NOW",
      "databases": {
        "0": {
          "base64:aWNvbjr/": {
            "expires_at": "2100-01-01T00:00:00.000Z",
            "type": "string",
            "value": "base64:iVBORw=="
          },
          "config": {
            "type": "string",
            "value": "{\\"daily\\": 100}"
          },
          "rank": {
            "type": "zset",
            "value": {
              "alice": 1e+21,
              "bob": 0.5
            }
          }
        },
        "3": {
          "queue": {
            "type": "list",
            "value": [
              "b",
              "a"
            ]
          }
        }
      },
      "libraries": {
        "mylib": "#!lua name=mylib\\nredis.register_function('f', function() return 1 end)\\n"
      }
    }
"""

LINES = """
    {"schema":"gitbackup.export/1","commit":"ID1","entries":2,"patterns":["[cq]*"],"redacted":[],"scope":{"databases":"all","exclude":[],"functions":false,"include":[]},"taken_at":"NOW"}
    {"schema":"gitbackup.export/1","db":0,"key":"config","entry":{"type":"string","value":"{\\"daily\\": 100}"}}
    {"schema":"gitbackup.export/1","db":3,"key":"queue","entry":{"type":"list","value":["b","a"]}}
"""  # noqa: E501


def test_the_live_database_is_one_canonical_document(filled: User) -> None:
    assert filled.says("export") == text(DOCUMENT)


def test_a_document_is_as_its_schema_has_it(filled: User) -> None:
    document = check(json.dumps(json.loads(filled.says("export"))))
    assert [*document["databases"]] == ["0", "3"]


def test_it_needs_no_data_repository_and_makes_none(filled: User) -> None:
    filled.says("export", "config:*", "config")
    assert not filled.repo.exists()


def test_a_commit_is_the_same_document_but_for_its_id(filled: User) -> None:
    filled.says("commit")
    filled.redis.flushall()
    expected = text(DOCUMENT).replace('"commit": null', '"commit": "ID1"')
    assert filled.says("export", "HEAD") == expected


def test_lines_are_an_entry_each_and_globs_narrow_it(filled: User) -> None:
    filled.says("commit")
    assert filled.says("export", "HEAD", "[cq]*", "--format", "jsonl") == text(LINES)


def test_databases_narrow_it(filled: User) -> None:
    filled.says("commit")
    live, commit = (
        json.loads(filled.says("export", *words, "--db", "3", "--db", "5"))
        for words in ([], ["HEAD"])
    )
    assert live["scope"]["databases"] == commit["scope"]["databases"] == [3, 5]
    assert list(live["databases"]) == list(commit["databases"]) == ["3"]
    assert live["libraries"] == commit["libraries"] == {}


def test_a_database_that_the_commit_does_not_cover_is_not_exported_as_empty(filled: User) -> None:
    filled.says("commit", "--db", "0")
    sentence = "the commit does not cover database 3"
    done = filled.run("export", "HEAD", "--db", "3")
    assert done == Done(2, "", f"gitbackup: {sentence}\n")


def test_a_file_is_told_and_readable_by_its_owner_only(filled: User) -> None:
    assert filled.says("export", "-o", "now.json") == (
        "exported 4 keys and 1 library of the live database to now.json: json, 870 bytes\n"
    )
    made = Path("now.json")
    assert stat.S_IMODE(made.stat().st_mode) == 0o600
    assert json.loads(made.read_bytes())["schema"] == "gitbackup.export/1"
    told = json.loads(filled.says("export", "-o", "now.json", "--format", "resp", "--json"))
    assert told == {
        "schema": "gitbackup.exported/1",
        "path": "now.json",
        "commit": None,
        "format": "resp",
        "keys": 4,
        "libraries": 1,
        "indexes": 0,
        "bytes": made.stat().st_size,
    }


@pytest.mark.parametrize(
    ("words", "code", "sentence"),
    [
        (["nope"], 2, "there is no commit or key 'nope'; `gitbackup log` lists the commits;"
         " put -- before the name of a key that HEAD does not have"),
        (["nope*"], 2, "no key matches 'nope*'; nothing was exported"),
        (["--", "nope"], 2, "no key matches 'nope'; nothing was exported"),
        (["-o", "no/such"], 1, "cannot write no/such: No such file or directory; an"
         " existing file is unchanged"),
    ],
)  # fmt: skip
def test_what_cannot_be_exported_is_one_sentence(
    filled: User, words: list[str], code: int, sentence: str
) -> None:
    assert filled.run("export", *words) == Done(code, "", f"gitbackup: {sentence}\n")
    assert list(Path().iterdir()) == []


def test_what_is_said_to_a_program_is_of_a_file(filled: User) -> None:
    done = filled.run("export", "--json")
    sentence = "--json describes the file that is written: name it with -o FILE"
    assert (done.code, done.out, json.loads(done.err)["error"]) == (2, "", sentence)


def test_an_export_that_fails_leaves_the_file_as_it_was(filled: User) -> None:
    filled.says("commit")
    made = Path("then.json")
    made.write_text("before")
    stored = next(Path("data-git-backup/db0").iterdir())
    stored.write_text(stored.read_text().replace('"alice": 1e+21', '"alice": "high"'))
    git = ["git", "-C", "data-git-backup", "-c", "user.name=a", "-c", "user.email=a@example.org"]
    subprocess.run([*git, "commit", "--quiet", "-am", "by hand"], check=True)
    done = filled.run("export", "HEAD", "-o", "then.json")
    assert (done.code, done.err) == (
        13,
        "gitbackup: db0/_.json, line 11: key 'rank': 'high' is not a score\n",
    )
    assert (made.read_text(), names()) == ("before", ["data-git-backup", "then.json"])


def test_a_disk_that_is_full_leaves_the_file_as_it_was(filled: User) -> None:
    filled.redis.set("large", "x" * 2_000_000)
    Path("now.json").write_text("before")
    words = ["sh", "-c", 'ulimit -f 1000; trap "" XFSZ; exec "$@"', "sh", *GITBACKUP]
    done = subprocess.run(
        [*words, "export", "-o", "now.json"], env=surroundings({}), capture_output=True, text=True
    )
    sentence = "cannot write now.json: File too large; an existing file is unchanged"
    assert (done.returncode, done.stderr) == (1, f"gitbackup: {sentence}\n")
    assert (Path("now.json").read_text(), names()) == ("before", ["now.json"])


def test_a_link_is_followed_and_a_device_stays_one(filled: User) -> None:
    Path("link.json").symlink_to("now.json")
    filled.says("export", "-o", "link.json")
    assert json.loads(Path("now.json").read_bytes())["commit"] is None
    assert Path("link.json").is_symlink()
    filled.says("export", "-o", "/dev/null")
    assert stat.S_ISCHR(Path("/dev/null").stat().st_mode)


def test_nothing_is_poured_onto_a_terminal_unasked(filled: User) -> None:
    sentence = "name a file with -o FILE, or use -o - to print the export here"
    assert filled.on_screen("export") == Done(2, "", f"gitbackup: {sentence}\n")
    sentence = "resp is for programs, not for a terminal: name a file with -o FILE"
    done = filled.on_screen("export", "-o", "-", "--format", "resp")
    assert done == Done(2, "", f"gitbackup: {sentence}\n")


def test_what_is_asked_for_cannot_steer_the_terminal(filled: User) -> None:
    filled.redis.set("evil", "\x9b2J")
    done = filled.on_screen("export", "-o", "-", "evil*")
    assert (done.code, '"value": "\\u009b2J"' in done.out) == (0, True)


def test_a_reader_that_has_seen_enough_is_no_disaster(filled: User) -> None:
    filled.redis.set("large", "x" * 1_000_000)
    piped = '"$@" | head -c 10'
    done = subprocess.run(
        ["sh", "-c", piped, "sh", *GITBACKUP, "export"],
        env=surroundings({}),
        capture_output=True,
        text=True,
    )
    assert (done.stdout, "Traceback" in done.stderr) == ('{\n  "schem', False)


def test_a_key_of_any_name_is_exported_under_the_text_rule(filled: User) -> None:
    filled.redis.set("base64:aGk=", "base64:?")
    (entry,) = json.loads(filled.says("export", "base64:*"))["databases"]["0"].items()
    assert entry == (
        codec.text(b"base64:aGk="),
        {"type": "string", "value": codec.text(b"base64:?")},
    )


@pytest.mark.parametrize("form", ["json", "jsonl"])
def test_what_is_for_sharing_is_masked_and_says_so(filled: User, form: str) -> None:
    filled.redis.hset("account:1", mapping={"name": "alice", "token": "secret"})
    shared = filled.says("export", "--format", form, "--redact", "*token*", "--redact", "rank")
    words = ("secret", "1e+21", "0.5", "account:1", "alice", "rank", "*token*", "daily")
    assert [word for word in words if word in shared] == [*words[3:]]


def test_settings_alone_mask_nothing(filled: User) -> None:
    """A file that is there to be imported again would lose values in silence."""
    filled.says("init")
    subprocess.run(["git", "-C", str(filled.repo), "config", "gitbackup.redact", "*"], check=True)
    assert filled.says("export") == text(DOCUMENT)


def test_what_is_there_to_be_restored_is_not_masked(filled: User) -> None:
    sentence = (
        "resp is for restoring, and masked values cannot be restored: --redact needs json or jsonl"
    )
    done = filled.run("export", "--format", "resp", "--redact", "*token*")
    assert done == Done(2, "", f"gitbackup: {sentence}\n")


def test_resp_makes_the_keys_anew_and_merges_nothing(filled: User) -> None:
    """What is there of the same name goes first, of whatever type; other keys stay."""
    filled.says("export", "-o", "all.resp", "--format", "resp")
    filled.redis.delete("config")
    filled.redis.rpush("config", "not a string")
    filled.redis.zadd("rank", {"zoe": 1})
    filled.redis.set("other", "stays")
    cli = [redis_cli(), "-s", filled.place.removeprefix("unix://"), "--pipe"]
    with Path("all.resp").open("rb") as commands:
        done = subprocess.run(cli, stdin=commands, capture_output=True, text=True, check=True)
    assert done.stdout.endswith("errors: 0, replies: 12\n")
    now = json.loads(filled.says("export"))["databases"]
    assert now["0"].pop("other") == {"type": "string", "value": "stays"}
    assert now == json.loads(text(DOCUMENT))["databases"]


def test_what_a_killed_export_left_goes_after_a_day(user: User) -> None:
    """And not before: another run may be at work on it."""
    user.redis.set("a", 1)
    old, young = Path(".a.json-old.tmp"), Path(".a.json-young.tmp")
    for left in (old, young):
        left.write_text("half")
    os.utime(old, (0, 0))
    user.says("export", "-o", "a.json")
    assert sorted(path.name for path in Path().glob("*a.json*")) == [young.name, "a.json"]
