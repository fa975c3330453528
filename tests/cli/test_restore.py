from __future__ import annotations

import json
import re
import time
from pathlib import Path

import pytest

from gitbackup import Backup
from tests.cli.user import Done, User, text
from tests.expiring import commit_what_expires
from tests.servers import StartServer
from tests.store.plain import git

EXPIRES = 4102444800000


@pytest.fixture
def damaged(user: User) -> User:
    """One commit, and then an accident."""
    user.redis.mset({"user:1": "a", "user:2": "b"})
    user.redis.hset("config", "daily", "100")
    user.says("commit", "-m", "begin")
    user.redis.delete("user:1")
    user.redis.set("user:2", "oops")
    user.redis.set("junk", "x")
    return user


PLAN = """
    restore id1 into SERVER: create 1, overwrite 1, delete 1
      delete     string  junk
      create     string  user:1
      overwrite  string  user:2
      replaces 81 bytes with 78 bytes
"""
DONE = """
    saved the previous state as commit id2
    verified: 3 keys equal commit id1
    the restored state is commit id3 (HEAD)
"""


def test_restore_shows_its_plan_saves_what_goes_and_verifies(damaged: User) -> None:
    assert damaged.says("restore", "HEAD", "--yes") == text(PLAN) + text(DONE)
    assert damaged.redis.mget("user:1", "user:2", "junk") == [b"a", b"b", None]
    told = damaged.says("log", "-n", "2").splitlines()
    assert (told[1], told[4]) == ("    restore of id1", "    before restore of id1")
    assert (damaged.says("diff"), damaged.says("diff", "HEAD~2", "HEAD")) == ("", "")


def test_what_was_saved_can_be_restored_in_turn(damaged: User) -> None:
    before = damaged.redis.execute_command("DEBUG", "DIGEST")
    damaged.says("restore", "HEAD", "--yes")
    damaged.says("restore", "HEAD~1", "--yes")
    assert damaged.redis.execute_command("DEBUG", "DIGEST") == before


def test_what_was_cut_off_is_finished_by_the_same_command(
    damaged: User, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It goes on with the commit that HEAD was, though HEAD is what was saved by now."""
    with monkeypatch.context() as patch:
        patch.setattr("gitbackup.restore.apply.apply", _killed)
        assert damaged.run("restore", "HEAD", "--yes").code == 130
    done = damaged.run("restore", "HEAD", "--yes")
    assert done.err == "gitbackup: continuing the same restore, which was interrupted\n"
    assert done.out.endswith(
        "verified: 3 keys equal commit id1\nthe restored state is commit id3 (HEAD)\n"
    )
    assert damaged.redis.mget("user:1", "user:2", "junk") == [b"a", b"b", None]
    assert damaged.run("restore", "HEAD", "--yes").err == ""


def _killed(*_: object) -> None:
    raise KeyboardInterrupt


def test_a_dry_run_shows_the_plan_and_writes_nothing(damaged: User) -> None:
    before = damaged.state()
    assert damaged.says("restore", "HEAD", "--dry-run") == text(PLAN)
    assert damaged.state() == before


def test_a_restore_of_what_is_there_has_nothing_to_do(damaged: User) -> None:
    damaged.says("commit")
    assert damaged.says("restore", "HEAD", "--yes") == (
        "nothing to restore: the database already equals id2\n"
        "HEAD~1 has 1 key more; to see them: gitbackup restore HEAD~1 --dry-run\n"
    )
    assert len(damaged.commits()) == 2


def test_off_a_terminal_restore_needs_a_yes(damaged: User) -> None:
    before = damaged.state()
    assert damaged.process("restore", "HEAD") == Done(
        2,
        "",
        "gitbackup: restore asks before it writes: add --yes, or --dry-run to see the plan\n",
    )
    assert damaged.state() == before


def test_at_a_terminal_no_means_no(damaged: User) -> None:
    before = damaged.state()
    assert damaged.at_terminal("restore", "HEAD", types="n\n") == Done(
        1,
        text(PLAN) + "nothing was changed\n",
        "Write this to SERVER? [y/N, p to see what changes]: n\n",
    )
    assert damaged.state() == before


def test_at_a_terminal_yes_means_yes(damaged: User) -> None:
    assert damaged.at_terminal("restore", "HEAD", types="y\n") == Done(
        0, text(PLAN) + text(DONE), "Write this to SERVER? [y/N, p to see what changes]: y\n"
    )
    assert damaged.says("diff") == ""


def test_the_plan_stands_by_the_question_where_the_output_is_for_a_program(
    damaged: User,
) -> None:
    done = damaged.at_terminal("restore", "HEAD", "--json", types="n\n")
    assert done.err == text(PLAN) + "Write this to SERVER? [y/N, p to see what changes]: n\n"
    assert (done.code, json.loads(done.out)["verified"]) == (1, 0)


def test_control_c_at_the_question_is_a_no_with_a_code_of_its_own(damaged: User) -> None:
    before = damaged.state()
    done = damaged.at_terminal("restore", "HEAD", types="\x04")
    assert (done.code, damaged.state()) == (130, before)
    assert done.err.endswith("gitbackup: interrupted; nothing was changed\n")


def test_without_deleting_new_keys_stay(damaged: User) -> None:
    assert damaged.says("restore", "HEAD", "--yes", "--no-delete") == text("""
        restore id1 into SERVER: create 1, overwrite 1
          create     string  user:1
          overwrite  string  user:2
          not in the commit, kept: 1 key (junk)
          replaces 42 bytes with 78 bytes
        saved the previous state as commit id2
        verified: 2 keys equal commit id1
        the restored state is commit id3 (HEAD)
    """)
    assert damaged.redis.get("junk") == b"x"


def test_globs_narrow_the_restore(damaged: User) -> None:
    assert damaged.says("restore", "HEAD", "user:1", "--yes") == text("""
        restore id1 into SERVER: create 1
          create  string  user:1
          adds 39 bytes
        saved the previous state as commit id2
        verified: 1 key equals commit id1
        the restored state is commit id3 (HEAD)
    """)
    assert damaged.redis.mget("user:1", "user:2", "junk") == [b"a", b"oops", b"x"]


def test_databases_narrow_the_restore(damaged: User) -> None:
    three = damaged.server.client(db=3)
    three.set("a", 1)
    damaged.says("commit")
    damaged.redis.flushall()
    assert damaged.says("restore", "HEAD", "--db", "3", "--yes") == text("""
        restore id2 into SERVER: create 1
          create  string  db3 a
          adds 39 bytes
        saved the previous state as commit id3
        verified: 1 key equals commit id2
        the restored state is commit id4 (HEAD)
    """)
    assert (three.get("a"), damaged.redis.dbsize()) == (b"1", 0)


def test_expiries_are_kept_as_instants(user: User) -> None:
    user.redis.set("a", 1, pxat=EXPIRES)
    user.says("commit")
    user.redis.persist("a")
    user.says("restore", "HEAD", "--yes")
    assert user.redis.pexpiretime("a") == EXPIRES


def test_expiries_are_kept_as_the_time_that_was_left(user: User) -> None:
    user.redis.set("a", 1, px=1_000_000)
    user.says("commit")
    user.redis.delete("a")
    time.sleep(0.1)
    user.says("restore", "HEAD", "--yes", "--ttl", "remaining")
    assert 900_000 < user.redis.pttl("a") <= 1_000_000


def test_expiries_are_left_out(user: User) -> None:
    user.redis.set("a", 1, pxat=EXPIRES)
    user.says("commit")
    user.says("restore", "HEAD", "--yes", "--ttl", "none")
    assert user.redis.pttl("a") == -1


@pytest.mark.long
def test_keys_that_have_expired_since_are_counted(user: User) -> None:
    user.redis.set("a", 1)
    commit_what_expires(user.redis, Backup(user.repo, user.server.url), "short")
    user.redis.delete("a")
    at = len(user.commits())
    assert user.says("restore", "HEAD", "--yes") == text(f"""
        restore id{at} into SERVER: create 1
          create  string  a
          already expired, left out: 1 key (short)
          adds 39 bytes
        saved the previous state as commit id{at + 1}
        verified: 1 key equals commit id{at}
        the restored state is commit id{at + 2} (HEAD)
    """)


def test_into_an_empty_server_nothing_needs_saving(
    damaged: User, start_server: StartServer
) -> None:
    other = start_server()
    assert damaged.says("restore", "HEAD", "--to", other.url, "--yes") == text(f"""
        restore id1 into {other.address}: create 3
          create  hash    config
          create  string  user:1
          create  string  user:2
          adds 136 bytes
        verified: 3 keys equal commit id1
    """)
    assert other.client().dbsize() == 3
    assert len(damaged.commits()) == 1


def test_what_another_server_held_is_saved_on_a_branch_of_its_own(
    damaged: User, start_server: StartServer
) -> None:
    other = start_server()
    other.client().set("mine", "x")
    out = damaged.says("restore", "HEAD", "--to", other.url, "--yes")
    branch = git(damaged.repo, "for-each-ref", "--format=%(refname:short)", "refs/heads/saved")
    assert out.splitlines()[-2:] == [
        f"saved the previous state as commit id2 on the branch {branch}",
        "verified: 4 keys equal commit id1",
    ]
    assert git(damaged.repo, "rev-parse", "HEAD") == damaged.commits()[0]
    assert '"value": "x"' in damaged.says("show", f"{branch}:mine")


def test_a_program_gets_the_plan_as_json(damaged: User) -> None:
    told = damaged.says("restore", "HEAD", "--dry-run", "--json")
    assert json.loads(re.sub(r'"[0-9a-f]{32}"', '"DIGEST"', told)) == {
        "schema": "gitbackup.plan/1",
        "commit": "ID1",
        "server": "SERVER",
        "runs": [damaged.redis.info("server")["run_id"]],
        "how": {
            "patterns": [],
            "databases": None,
            "delete": True,
            "ttl": "keep",
            "undoes": None,
        },
        "now": "NOW",
        "taken_at": "NOW",
        "namespaces": [
            {"place": "db0", "namespace": "junk", "added": 0, "changed": 0, "removed": 1},
            {"place": "db0", "namespace": "user", "added": 1, "changed": 1, "removed": 0},
        ],
        "bytes": {"go": 81, "come": 78},
        "keys": [
            {"db": 0, "key": "junk", "action": "removed", "type": "string", "holds": "DIGEST"},
            {"db": 0, "key": "user:1", "action": "added", "type": "string", "holds": None},
            {"db": 0, "key": "user:2", "action": "changed", "type": "string", "holds": "DIGEST"},
        ],
        "expired": [],
        "soon": [],
        "kept": [],
        "warnings": [],
    }


def test_a_program_gets_the_result_as_json(damaged: User) -> None:
    assert json.loads(damaged.says("restore", "HEAD", "--yes", "--json")) == {
        "schema": "gitbackup.restore/1",
        "commit": "ID1",
        "server": "SERVER",
        "undoes": None,
        "saved": "ID2",
        "saved_on": None,
        "meanwhile": [],
        "recorded": "ID3",
        "verified": 3,
        "keys": [
            {"db": 0, "key": "junk", "action": "removed", "type": "string"},
            {"db": 0, "key": "user:1", "action": "added", "type": "string"},
            {"db": 0, "key": "user:2", "action": "changed", "type": "string"},
        ],
        "busy": [],
        "refused": [],
        "differing": [],
        "gone": [],
    }


def test_keys_that_a_server_refuses_are_named(damaged: User, start_server: StartServer) -> None:
    """A damaged value: only the server can tell that it is."""
    git(damaged.repo, "checkout", "--quiet", ".")
    odd = {"odd": {"type": "of-tomorrow", "value": {"dump": "AAAA"}}}
    (damaged.repo / "db0" / "odd.json").write_text(json.dumps(odd))
    git(damaged.repo, "add", ".")
    git(damaged.repo, "commit", "--quiet", "-m", "by hand")
    done = damaged.run("restore", "HEAD", "--to", start_server().url, "--yes")
    assert done.code == 3
    assert done.err.startswith(
        "gitbackup: restored, except for some keys: the server refused odd ("
    )
    assert done.err.count("\n") == 1


def test_the_whole_snapshot_is_read_before_anything_is_written(damaged: User) -> None:
    (damaged.repo / "db0" / "broken.json").write_text('{\n  "a": {"type": "string",\n}\n')
    git(damaged.repo, "add", ".")
    git(damaged.repo, "commit", "--quiet", "-m", "by hand")
    before = damaged.state()
    done = damaged.run("restore", "HEAD", "--yes")
    assert (done.code, damaged.state()) == (13, before)
    assert done.err.startswith("gitbackup: db0/broken.json, line 2:")


def test_the_folder_may_be_given_as_a_path(damaged: User) -> None:
    home = str(Path.cwd() / damaged.repo)
    assert damaged.says("restore", "HEAD", "--repo", home, "--dry-run") == text(PLAN)


@pytest.fixture
def two(user: User) -> User:
    """One commit, in which databases 3 and 5 hold something."""
    user.server.client(db=3).mset({"a": "three", "b": "three", "tmp:1": "x"})
    user.server.client(db=5).mset({"a": "five", "c": "five"})
    user.says("commit", "-m", "begin")
    return user


def test_one_database_is_restored_into_another(two: User) -> None:
    assert two.says("restore", "HEAD", "a", "c", "--db", "3:5", "--yes") == text("""
        restore id1 into SERVER: overwrite 1, delete 1
          overwrite  string  db5 a
          delete     string  db5 c
          replaces 84 bytes with 43 bytes
        saved the previous state as commit id2
        verified: 2 keys equal commit id1
        the restored state is commit id3 (HEAD)
    """)
    assert two.server.client(db=5).keys() == [b"a"]
    assert two.server.client(db=3).dbsize() == 3


def test_several_databases_are_restored_at_once(two: User) -> None:
    two.says("restore", "HEAD", "--db", "3:5", "--db", "5:3", "--yes")
    assert sorted(two.server.client(db=3).keys()) == [b"a", b"c"]
    assert sorted(two.server.client(db=5).keys()) == [b"a", b"b", b"tmp:1"]
    assert two.server.client(db=5).get("a") == b"three"


def test_what_the_commit_does_not_cover_of_the_one_stays_in_the_other(user: User) -> None:
    user.says("init", "--exclude", "tmp:*")
    user.server.client(db=3).set("a", "three")
    user.says("commit", "-m", "begin")
    five = user.server.client(db=5)
    five.mset({"tmp:1": "x", "b": "x"})
    user.says("restore", "HEAD", "--db", "3:5", "--yes")
    assert sorted(five.keys()) == [b"a", b"tmp:1"]


def test_a_database_that_commits_do_not_cover_is_saved_before_it_goes(user: User) -> None:
    user.server.client(db=3).set("a", "three")
    user.says("commit", "--db", "3", "-m", "begin")
    user.server.client(db=5).set("a", "five")
    user.redis.set("elsewhere", "1")
    user.says("restore", "HEAD", "--db", "3:5", "--yes")
    assert user.server.client(db=5).get("a") == b"three"
    assert '"value": "five"' in user.says("show", "HEAD~1:a", "--db", "5")
    assert user.run("show", "HEAD~1:elsewhere").code == 2


@pytest.mark.parametrize(
    ("words", "sentence"),
    [
        (["--db", "77"], "neither the commit nor the server has a key in database 77; nothing was"
         " restored"),
        (["--db", "7:5"], "commit id1 has no key in database 7"),
        (["--db", "3:5", "--db", "5:5"], "two databases cannot be restored into the same one"),
        (["--db", "3:5", "--db", "3:6"], "--db: database 3 can be restored into one database only"),
        (["--db", "3:"], "Invalid value for '--db': '3:' is neither a database, such as 3, nor"
         " a pair, such as 3:5. See gitbackup restore --help"),
        (["--db", "-1"], "Invalid value for '--db': '-1' is neither a database, such as 3, nor"
         " a pair, such as 3:5. See gitbackup restore --help"),
    ],
)  # fmt: skip
def test_databases_that_make_no_sense(two: User, words: list[str], sentence: str) -> None:
    before = two.state()
    assert two.run("restore", "HEAD", "--yes", *words) == Done(2, "", f"gitbackup: {sentence}\n")
    assert two.state() == before


def test_a_database_that_the_commit_does_not_cover(user: User) -> None:
    user.server.client(db=3).set("a", "three")
    user.says("commit", "--db", "3", "-m", "begin")
    assert user.run("restore", "HEAD", "--db", "4", "--yes").err == (
        "gitbackup: commit id1 does not cover database 4\n"
    )


def test_a_manifest_of_head_that_is_broken_keeps_no_restore_from_starting(damaged: User) -> None:
    git(damaged.repo, "checkout", "--quiet", ".")
    (damaged.repo / "gitbackup.json").write_text("{")
    git(damaged.repo, "commit", "--quiet", "-am", "by hand")
    done = damaged.run("restore", "HEAD~1", "--yes")
    assert (done.code, done.err) == (0, "")
    assert (
        "warning: cannot read the scope of HEAD, so the scope of the settings is used:"
        " gitbackup.json"
    ) in done.out
    assert damaged.redis.mget("user:1", "user:2", "junk") == [b"a", b"b", None]
    assert damaged.says("diff", "HEAD") == ""


def test_what_was_built_aside_goes_though_nothing_else_is_to_be_done(user: User) -> None:
    user.redis.set("a", "1")
    user.says("commit", "-m", "begin")
    user.redis.set("a:gitbackup-aside:0123456789abcdef", "half", px=3_000_000)
    user.says("restore", "HEAD", "--yes")
    assert user.redis.keys() == [b"a"]


def test_a_restore_killed_before_its_last_commit_is_ended_by_the_same_command(
    damaged: User, monkeypatch: pytest.MonkeyPatch
) -> None:
    with monkeypatch.context() as patch:
        patch.setattr("gitbackup.restore.commits.commit_after", _killed)
        assert damaged.run("restore", "HEAD", "--yes").code == 130
    done = damaged.run("restore", "HEAD", "--yes")
    assert done.out == "already done: the database equals commit id1\n"
    assert damaged.says("diff", "HEAD~2", "HEAD") == ""
    assert damaged.run("restore", "HEAD", "--yes").err == ""


def test_a_long_plan_is_counted_and_cut(user: User) -> None:
    user.redis.mset({f"user:{n}": "x" for n in range(100)} | {f"key:{n}": "x" for n in range(3)})
    user.says("commit", "-m", "begin")
    user.redis.flushall()
    lines = user.says("restore", "HEAD", "--dry-run").splitlines()
    assert lines[:4] == [
        "restore id1 into SERVER: create 103",
        "  key   create 3",
        "  user  create 100",
        "",
    ]
    assert lines[-2:] == [
        "  and 63 more; --full lists all",
        "  adds 4.0 kB",
    ]
    assert len(user.says("restore", "HEAD", "--dry-run", "--full").splitlines()) == 108


def test_what_expires_soon_is_told(user: User) -> None:
    user.redis.set("short", 1, ex=600)
    user.redis.set("long", 1, ex=6_000)
    user.says("commit", "-m", "begin")
    user.redis.flushall()
    told = user.says("restore", "HEAD", "--dry-run")
    assert "\n  expires within the hour: 1 key (short)\n" in told


def test_a_type_that_the_server_does_not_know_is_told_before_anything_is_written(
    damaged: User,
) -> None:
    git(damaged.repo, "checkout", "--quiet", ".")
    odd = {"odd": {"type": "vectorset", "value": {"dump": "AAAA"}}}
    (damaged.repo / "db0" / "odd.json").write_text(json.dumps(odd))
    git(damaged.repo, "add", ".")
    git(damaged.repo, "commit", "--quiet", "-m", "by hand")
    before = damaged.state()
    refused = (
        "does not support vectorset (it has no command VADD), the type of odd: nothing was"
        " written; load the module that has it, or add --skip-unsupported to restore the rest\n"
    )
    assert refused in damaged.says("restore", "HEAD", "--dry-run")
    done = damaged.run("restore", "HEAD", "--yes")
    assert (done.code, done.err.endswith(refused)) == (12, True)
    assert damaged.state() == before
