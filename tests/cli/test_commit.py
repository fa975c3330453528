from __future__ import annotations

import json

from tests.cli.user import Done, User, text
from tests.store.plain import git

LIBRARY = "#!lua name=mylib\nredis.register_function('f', function() return 1 end)"


def test_the_first_commit_counts_every_key_by_namespace(user: User) -> None:
    user.redis.mset({"user:1": "a", "user:2": "b", "config": "{}"})
    user.server.client(db=3).set("user:9", "c")
    assert user.says("commit", "-m", "begin") == text("""
          config    1 added
          user      2 added
          db3 user  1 added
        [id1] begin
        4 keys: 4 added
    """)


def test_function_libraries_are_counted_apart_from_keys(user: User) -> None:
    user.redis.set("a", 1)
    user.redis.function_load(LIBRARY)
    assert user.says("commit") == text("""
          functions mylib  1 added
          a                1 added
        [id1] first commit: 1 key
        1 key: 1 added; functions 1 added
    """)


def test_a_commit_without_a_message_tells_the_changes_in_its_subject(user: User) -> None:
    user.redis.mset({"user:1": "a", "user:2": "b"})
    user.says("commit")
    user.redis.delete("user:1")
    user.redis.mset({"user:2": "c", "user:3": "d", "new": "e"})
    assert user.says("commit") == text("""
          new   1 added
          user  1 added, 1 changed, 1 removed
        [id2] new added; user: 1 added, 1 changed, 1 removed
        3 keys: 2 added, 1 changed, 1 removed
    """)


def test_a_commit_of_nothing_new_is_none(user: User) -> None:
    user.redis.set("a", 1)
    user.says("commit")
    assert user.says("commit") == "nothing to commit: the only key has not changed since id1\n"
    assert len(user.commits()) == 1


def test_an_empty_commit_is_made_where_one_is_asked_for(user: User) -> None:
    user.redis.set("a", 1)
    user.says("commit")
    assert user.says("commit", "--allow-empty", "-m", "mark") == text("""
        [id2] mark
        1 key: none changed
    """)


def test_a_dry_run_tells_what_would_be_and_writes_nothing(user: User) -> None:
    user.redis.set("a", 1)
    assert user.says("commit", "--dry-run", "-m", "begin") == text("""
          a  1 added
        would commit: begin
        1 key: 1 added
    """)
    assert not user.repo.exists()


def test_a_dry_run_of_nothing_new_says_so(user: User) -> None:
    user.redis.set("a", 1)
    user.says("commit")
    unchanged = "nothing to commit: the only key has not changed since id1\n"
    assert user.says("commit", "--dry-run") == unchanged
    assert user.says("commit") == unchanged


def test_a_dry_run_says_what_a_commit_without_a_changed_key_would_record(user: User) -> None:
    user.redis.mset({"a:1": 1, "b:1": 1})
    user.says("commit")
    user.says("init", "--exclude", "b:*")
    assert user.run("commit", "--dry-run").out == text("""
        would commit: changed the scope, no keys changed
        1 key: none changed
    """)
    assert user.run("commit").code == 0
    assert user.says("commit", "--dry-run", "--allow-empty", "-m", "mark") == text("""
        would commit: mark
        1 key: none changed
    """)


def test_a_dry_run_of_the_first_commit_of_an_empty_database_says_that_it_would_be_made(
    user: User,
) -> None:
    assert user.says("commit", "--dry-run") == text("""
        would commit: first commit: 0 keys
        0 keys: none changed
    """)
    assert user.says("commit") == text("""
        [id1] first commit: 0 keys
        0 keys: none changed
    """)


def test_a_message_of_several_lines_is_kept_whole(user: User) -> None:
    user.redis.set("a", 1)
    assert user.says("commit", "-m", "why\n\nbecause\nof this") == text("""
          a  1 added
        [id1] why
        1 key: 1 added
    """)
    body = git(user.repo, "log", "-1", "--format=%B")
    assert body.startswith("why\n\nbecause\nof this\n\n+ a\n\nFormat: 1\n")


def test_a_message_s_lines_end_as_git_has_it(user: User) -> None:
    assert "[id1] a b\n" in user.says("commit", "--allow-empty", "-m", "a\r\nb\r\n\r\nc")
    assert git(user.repo, "log", "-1", "--format=%B").startswith("a\nb\n\nc\n\nFormat: 1\n")


def test_an_empty_message_is_refused(user: User) -> None:
    user.redis.set("a", 1)
    assert user.run("commit", "-m", " \n") == Done(
        2, "", "gitbackup: the message is empty; without -m, the subject lists what changed\n"
    )
    assert not user.repo.exists()


def test_only_the_database_that_is_named_is_committed(user: User) -> None:
    user.redis.set("a", 1)
    user.server.client(db=3).set("b", 1)
    assert user.says("commit", "--db", "3", "-m", "three") == text("""
          db3 b  1 added
        [id1] three
        1 key: 1 added
    """)


def test_far_fewer_keys_are_committed_with_a_warning(user: User) -> None:
    user.redis.mset({f"user:{number}": "x" for number in range(20)})
    user.says("commit")
    user.redis.flushall()
    assert user.run("commit") == Done(
        4,
        text("""
          user  20 removed
        [id2] user: 20 removed
        0 keys: 20 removed
        """),
        "gitbackup: warning: only 0 keys, but the last commit has 20: is this the right server?\n"
        "gitbackup: ALARM: commit id2 removed 20 of 20 keys; if that was a mistake,"
        " `gitbackup revert id2` brings them back; if it was meant, accept it:"
        " `gitbackup config add accept-alarm id2`\n",
    )


def test_another_scope_is_committed_with_a_warning(user: User) -> None:
    user.redis.mset({"a:1": 1, "b:1": 1})
    user.says("commit")
    user.says("init", "--exclude", "b:*")
    assert user.run("commit") == Done(
        0,
        text("""
        [id2] changed the scope, no keys changed
        1 key: none changed
        """),
        "gitbackup: warning: the scope has changed since the last commit: keys outside it"
        " are not in this snapshot\n",
    )


def test_nothing_in_a_name_can_steer_the_terminal(user: User) -> None:
    user.redis.set("a\x1b[2J:1", 1)
    assert user.says("commit", "-m", "\x1b[1mhi") == text("""
          a\\x1b[2J  1 added
        [id1] \\x1b[1mhi
        1 key: 1 added
    """)


def test_a_program_gets_the_commit_as_json(user: User) -> None:
    user.redis.mset({"user:1": "a", "config": "{}"})
    assert json.loads(user.says("commit", "--json", "-m", "begin")) == {
        "schema": "gitbackup.commit/1",
        "commit": "ID1",
        "parent": None,
        "subject": "begin",
        "keys": 2,
        "consistency": "point-in-time",
        "replicas": [],
        "added": 2,
        "changed": 0,
        "removed": 0,
        "namespaces": [
            {"place": "db0", "namespace": "config", "added": 1, "changed": 0, "removed": 0},
            {"place": "db0", "namespace": "user", "added": 1, "changed": 0, "removed": 0},
        ],
    }


def test_where_nothing_changed_the_json_has_no_commit(user: User) -> None:
    user.redis.set("a", 1)
    user.says("commit")
    assert json.loads(user.says("commit", "--json")) == {
        "schema": "gitbackup.commit/1",
        "commit": None,
        "parent": "ID1",
        "subject": "nothing changed",
        "keys": 1,
        "consistency": "point-in-time",
        "replicas": [],
        "added": 0,
        "changed": 0,
        "removed": 0,
        "namespaces": [],
    }


def test_a_commit_is_made_even_if_git_cannot_tidy_up(user: User) -> None:
    user.says("init")
    git(user.repo, "config", "gc.auto", "1")
    git(user.repo, "config", "gc.pruneExpire", "nonsense")
    user.redis.mset({f"k{n}": n for n in range(1_000)})
    done = user.run("commit", "-m", "begin")
    assert (done.code, done.out.splitlines()[-1]) == (0, "1,000 keys: 1,000 added")
    assert done.err.startswith(
        "gitbackup: warning: the commit was made, but git's garbage collection failed: "
    )
    assert len(user.commits()) == 1


def test_patterns_of_any_bytes_are_kept_and_matched(user: User) -> None:
    user.redis.mset({b"\xff1": 1, b"base64:1": 1, b"a": 1})
    user.says("init", "--exclude", "\udcff*", "--exclude", "base64:*")
    user.says("commit")
    assert '"base64:/yo="' in (user.repo / "gitbackup.json").read_text()
    assert user.says("status").splitlines()[0] == "SERVER: 1 key"
    user.redis.delete("a")
    assert user.says("restore", "HEAD", "--yes").splitlines()[1] == "  create  string  a"
    assert user.redis.dbsize() == 3


def test_a_commit_that_may_make_writers_wait_says_so_beforehand(user: User) -> None:
    user.redis.set("a", 1)
    assert user.run("commit", "--consistency", "pause", "-m", "begin") == Done(
        0,
        "  a  1 added\n[id1] begin\n1 key: 1 added\n",
        "gitbackup: writers may have to wait, for at most 500 ms in total\n",
    )


def test_a_commit_that_need_not_be_of_one_point_in_time_is_not(user: User) -> None:
    user.redis.set("a", 1)
    user.says("commit", "--consistency", "per-key")
    assert "\nConsistency: per-key\n" in git(user.repo, "log", "-1", "--format=%B")


def test_a_commit_that_cannot_be_of_one_point_in_time_says_so_or_fails(user: User) -> None:
    user.redis.set("a", 1)
    user.redis.execute_command("ACL", "SETUSER", "default", "-client|tracking")
    why = (
        "the user has no permission to run CLIENT TRACKING at SERVER: grant it with ACL"
        " SETUSER ... +client|tracking\n"
    )
    try:
        assert user.run("commit", "--consistency", "strict") == Done(
            1, "", f"gitbackup: cannot read the database at one point in time: {why}"
        )
        assert user.commits() == []
        assert user.run("commit").err == f"gitbackup: warning: this is not one point in time: {why}"
    finally:
        user.redis.execute_command("ACL", "SETUSER", "default", "+@all")
    assert "\nConsistency: per-key\n" in git(user.repo, "log", "-1", "--format=%B")
