from __future__ import annotations

import codecs
import json
import shutil
from pathlib import Path

import pytest

from gitbackup.restore import apply
from tests.cli.user import Done, User, text
from tests.servers import StartServer

DUMPS = Path(__file__).parents[1] / "dumps"
EXPIRES = 4_102_444_800_123
LIBRARY = "#!lua name=mylib\nredis.register_function('f', function() return 1 end)\n"


@pytest.fixture
def moved(user: User) -> User:
    """A file of what was there, in the hands of somebody whose database has gone on."""
    user.redis.mset({"user:1": "a", "user:2": "b"})
    user.redis.set("token", "t", pxat=EXPIRES)
    user.redis.function_load(LIBRARY)
    user.says("export", "-o", "then.json")
    user.redis.delete("user:1")
    user.redis.set("user:2", "oops")
    user.redis.set("junk", "x")
    return user


PLAN = """
    import then.json into SERVER: create 1, overwrite 1
      create     string  user:1
      overwrite  string  user:2
      not in the file, kept: 1 key (junk)
      replaces 42 bytes with 78 bytes
"""
DONE = """
    saved the previous state as commit id1
    verified: 2 keys equal then.json
    the current state is commit id2 (HEAD)
"""


def named(folder: str = ".") -> list[str]:
    return sorted(path.name for path in Path(folder).iterdir())


def test_an_import_merges_saves_what_goes_and_verifies(moved: User) -> None:
    """It makes the data repository where there is none."""
    assert moved.says("import", "then.json", "--yes") == text(PLAN) + text(DONE)
    assert moved.redis.mget("user:1", "user:2", "junk") == [b"a", b"b", b"x"]
    told = moved.says("log").splitlines()
    assert (told[1], told[4]) == ("    import of then.json", "    before import of then.json")
    assert moved.says("diff") == ""


def test_a_dry_run_shows_the_plan_and_writes_nothing(moved: User) -> None:
    before = moved.state()
    told = moved.says("import", "then.json", "--dry-run")
    assert told == text(PLAN)
    assert (moved.state(), named()) == (before, ["then.json"])


def test_a_dry_run_leaves_no_trace_in_a_repository_either(moved: User) -> None:
    moved.says("commit")
    before = moved.state(), sorted(Path("data-git-backup/.git").rglob("*"))
    moved.says("import", "then.json", "--dry-run")
    assert (moved.state(), sorted(Path("data-git-backup/.git").rglob("*"))) == before


@pytest.mark.long
def test_a_no_changes_nothing(moved: User) -> None:
    before = moved.state()
    done = moved.at_terminal("import", "then.json", types="n\n")
    assert (done.code, done.out.splitlines()[-1]) == (
        1,
        "nothing was changed",
    )
    assert (moved.state(), named()) == (before, ["then.json"])
    moved.says("commit")
    before = moved.state()
    assert moved.at_terminal("import", "then.json", types="n\n").code == 1
    assert moved.state() == before


def test_with_delete_it_is_exactly_what_the_file_holds(moved: User) -> None:
    told = moved.says("import", "then.json", "--yes", "--delete")
    assert "  delete     string  junk\n" in told
    moved.says("export", "-o", "now.json")
    then, now = (json.loads(Path(f"{name}.json").read_bytes()) for name in ("then", "now"))
    assert now | {"taken_at": ""} == then | {"taken_at": ""}


def test_delete_keeps_to_the_keys_that_the_file_is_a_copy_of(moved: User) -> None:
    moved.says("export", "user:*", "-o", "users.json")
    moved.redis.mset({"user:3": "new", "user:2": "x"})
    told = moved.says("import", "users.json", "--yes", "--delete")
    assert told.startswith("import users.json into SERVER: overwrite 1, delete 1\n")
    assert moved.redis.mget("user:3", "user:2", "junk") == [None, b"oops", b"x"]
    done = moved.run("import", "users.json", "user:3", "--yes", "--delete")
    assert (done.code, done.err) == (
        2,
        (
            "gitbackup: the file contains only keys that match 'user:*': with --delete, give"
            " no key globs\n"
        ),
    )


def test_globs_and_databases_choose_what_comes(moved: User) -> None:
    told = moved.says("import", "then.json", "*:1", "--db", "0:5", "--yes")
    assert told.startswith("import then.json into SERVER: create 1\n  create  string  db5 user:1\n")
    with moved.server.client(db=5) as other:
        assert other.keys() == [b"user:1"]
    assert moved.redis.get("user:1") is None


@pytest.mark.parametrize(
    ("words", "sentence"),
    [
        (["nope*"], "no key of then.json matches 'nope*'; nothing was restored"),
        (["--db", "9"], "neither then.json nor the server has a key in database 9; nothing was"
         " restored"),
        (["--db", "9:0"], "then.json has no key in database 9"),
    ],
)  # fmt: skip
def test_what_is_not_in_the_file_cannot_come_of_it(
    moved: User, words: list[str], sentence: str
) -> None:
    before = moved.state()
    done = moved.run("import", "then.json", *words, "--yes")
    assert (done.code, done.err) == (2, f"gitbackup: {sentence}\n")
    assert moved.redis.get("user:2") == b"oops"
    assert moved.state()[0] == before[0]


def test_off_a_terminal_it_needs_a_yes(moved: User) -> None:
    sentence = "import asks before it writes: add --yes, or --dry-run to see the plan"
    assert moved.process("import", "then.json") == Done(2, "", f"gitbackup: {sentence}\n")


@pytest.mark.parametrize("form", ["json", "jsonl"])
def test_a_byte_order_mark_is_no_part_of_the_file(moved: User, form: str) -> None:
    """Some editors put one at the beginning."""
    moved.says("export", "-o", "now", "--format", form)
    Path("marked").write_bytes(codecs.BOM_UTF8 + Path("now").read_bytes())
    moved.redis.delete("junk")
    assert "create  string  junk" in moved.says("import", "marked", "--dry-run")


def test_a_bad_file_changes_nothing(moved: User) -> None:
    made = Path("then.json")
    made.write_text(made.read_text().replace('"value": "b"', '"value": 2'))
    before = moved.state()
    done = moved.run("import", "then.json", "--yes")
    sentence = "then.json, line 24: key 'user:2': the value is not a string"
    assert done == Done(2, "", f"gitbackup: {sentence}\n")
    assert (moved.state(), named()) == (before, ["then.json"])


@pytest.mark.long
def test_lines_come_from_standard_input(moved: User) -> None:
    moved.says("commit")
    moved.says("export", "HEAD", "-o", "now.jsonl", "--format", "jsonl")
    moved.redis.flushall()
    with Path("now.jsonl").open("rb") as lines:
        done = moved.process("import", "-", "--yes", stdin=lines)
    assert (done.code, done.err) == (0, "")
    assert done.out.startswith("import standard input into SERVER: create 3\n")
    assert moved.redis.get("junk") == b"x"


def test_an_import_is_undone(moved: User) -> None:
    before = moved.redis.execute_command("DEBUG", "DIGEST")
    moved.says("import", "then.json", "--yes")
    moved.says("undo", "--yes")
    assert moved.redis.execute_command("DEBUG", "DIGEST") == before


def test_what_is_there_already_is_left_and_no_commit_is_kept_for_it(moved: User) -> None:
    moved.says("import", "then.json", "--yes")
    before = moved.state()
    told = moved.says("import", "then.json", "user:*", "--yes")
    assert told == "nothing to import: these keys already equal then.json\n"
    assert moved.state() == before


def test_what_was_cut_off_is_finished_by_the_same_command(
    moved: User, monkeypatch: pytest.MonkeyPatch
) -> None:
    moved.says("commit")

    def killed(*_: object) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(apply, "apply", killed)
        assert moved.run("import", "then.json", "--yes").code == 130
    done = moved.run("import", "then.json", "--yes")
    assert done.err == "gitbackup: continuing the same restore, which was interrupted\n"
    assert "verified: 2 keys equal then.json\n" in done.out
    assert moved.redis.mget("user:1", "user:2", "junk") == [b"a", b"b", b"x"]


def test_json_tells_the_file(moved: User) -> None:
    plan = json.loads(moved.says("import", "then.json", "--dry-run", "--json"))
    result = json.loads(moved.says("import", "then.json", "--yes", "--json"))
    assert (plan["schema"], plan["file"]) == ("gitbackup.plan/1", "then.json")
    assert (result["schema"], result["file"]) == ("gitbackup.restore/1", "then.json")
    assert (len(plan["keys"]), result["verified"]) == (2, 2)


def test_libraries_come_with_the_whole_file(moved: User) -> None:
    moved.redis.function_flush()
    told = moved.says("import", "then.json", "--yes")
    assert "functions mylib\n" in told
    assert moved.redis.fcall("f", 0) == 1


def test_expiries_follow_the_policy(moved: User) -> None:
    moved.redis.set("token", "other")
    moved.says("import", "then.json", "--yes")
    assert moved.redis.pexpiretime("token") == EXPIRES
    moved.says("import", "then.json", "--yes", "--ttl", "none")
    assert moved.redis.pexpiretime("token") == -1


def test_another_server_is_a_place_for_it(moved: User, start_server: StartServer) -> None:
    other = start_server()
    moved.says("commit")
    told = moved.says("import", "then.json", "--to", other.url, "--yes")
    assert "verified: 4 keys equal then.json\n" in told
    with other.client() as client:
        assert client.mget("user:1", "user:2", "token") == [b"a", b"b", b"t"]
    assert moved.redis.get("user:2") == b"oops"


def test_another_tool_s_dump_comes_with_what_is_doubtful_about_it(user: User) -> None:
    shutil.copy(DUMPS / "redis-dump.json", "dump.json")
    done = user.run("import", "dump.json", "--yes")
    assert (done.code, done.err) == (
        0,
        (
            "gitbackup: warning: the file does not name a database: its keys are written to"
            " database 0, or to that of --db or the URL\ngitbackup: warning: 2 keys expire,"
            " and the file does not say when it was made: the time to live counts from"
            " now\ngitbackup: warning: 2 sorted sets are from redis-dump, which truncates"
            " scores to whole numbers: the fractions are lost\n"
        ),
    )
    assert user.redis.get("tricky") == b"base64:aGk="
    assert user.redis.zscore("rank", "bob") == 2
    assert 3_590_000 < user.redis.pttl("session:1") <= 3_600_000


@pytest.mark.few(1)
@pytest.mark.parametrize("words", [["--db", "3"], ["--db", "0:3"], []])
def test_a_dump_that_tells_no_database_goes_into_the_chosen_one(
    user: User, words: list[str]
) -> None:
    place = words or ["--url", f"{user.server.url}?db=3"]
    user.run("import", str(DUMPS / "redis-dump-load.json"), *place, "config", "--yes")
    with user.server.client(db=3) as other:
        assert (other.keys(), user.redis.dbsize()) == ([b"config"], 0)


def test_what_has_expired_since_is_left_out_or_has_as_much_time_again(user: User) -> None:
    """The dump was made long ago, and tells when."""
    old = json.loads((DUMPS / "redis-dump-load.json").read_bytes())["session:1"]
    Path("old.json").write_text(json.dumps({"s": old | {"expireat": old["expireat"] - 10**8}}))
    told = user.run("import", "old.json", "--yes").out
    assert told == (
        "nothing to import: the database already contains all of old.json\n  already"
        " expired, left out: 1 key (s)\n"
    )
    user.run("import", "old.json", "--yes", "--ttl", "remaining")
    assert 3_590_000 < user.redis.pttl("s") <= old["ttl"] * 1000
