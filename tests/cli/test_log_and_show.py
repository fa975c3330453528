from __future__ import annotations

import json

import pytest

from tests.cli.user import Done, User, text
from tests.store.plain import git

LIBRARY = "#!lua name=mylib\nredis.register_function('f', function() return 1 end)"


@pytest.fixture
def two_commits(user: User) -> User:
    user.redis.mset({"user:1": "a", "config": '{"limits": {"daily": 100}}'})
    user.says("commit", "-m", "begin")
    user.redis.set("config", '{"limits": {"daily": 250}}')
    user.says("commit", "-m", "raise the limit\n\nThey asked.")
    return user


def test_log_shows_the_newest_commit_first(two_commits: User) -> None:
    assert two_commits.says("log") == text("""
        id2  MINUTE (AGE)
            raise the limit
            1 changed
        id1  MINUTE (AGE)
            begin
            2 added
    """)


def test_log_shows_as_many_as_it_is_told(two_commits: User) -> None:
    assert two_commits.says("log", "-n", "1").splitlines()[1:] == [
        "    raise the limit",
        "    1 changed",
    ]
    assert two_commits.says("log", "-n", "0") == ""
    assert two_commits.says("log", "-1") == two_commits.says("log", "-n", "1")
    assert two_commits.says("log", "-1", "--", "-1") == ""


def test_log_begins_where_it_is_told(two_commits: User) -> None:
    git(two_commits.repo, "tag", "before", "HEAD~1")
    assert two_commits.says("log", "before") == text("""
        id1  MINUTE (AGE)
            begin
            2 added
    """)


def test_log_of_an_empty_repository_is_empty(user: User) -> None:
    user.says("init")
    assert user.says("log") == ""
    assert user.says("log", "--json") == ""


def test_log_tells_of_a_commit_made_with_plain_git(two_commits: User) -> None:
    git(two_commits.repo, "commit", "--quiet", "--allow-empty", "-m", "by hand")
    assert two_commits.says("log", "-n", "1") == text("""
        id3  MINUTE (AGE)
            by hand
            made with plain git by A Person <person@example.org>
    """)


def test_a_program_gets_a_line_of_json_for_each_commit(two_commits: User) -> None:
    first, second = map(json.loads, two_commits.says("log", "--json").splitlines())
    assert first == {
        "schema": "gitbackup.log/1",
        "commit": "ID2",
        "parents": ["ID1"],
        "author": "gitbackup <gitbackup@localhost>",
        "date": "NOW",
        "subject": "raise the limit",
        "body": "They asked.\n\n~ config",
        "trailers": {
            "Format": "1",
            "Server": "SERVER",
            "Taken-At": "NOW",
            "Consistency": "point-in-time",
            "Keys": "db0=2",
            "Added": "0",
            "Changed": "1",
            "Removed": "0",
        },
        "counts": {"added": 0, "changed": 1, "removed": 0},
        "rehearsal": None,
        "note": None,
    }
    assert (second["commit"], second["parents"]) == ("ID1", [])


def test_a_program_gets_no_counts_of_a_commit_made_with_plain_git(two_commits: User) -> None:
    git(two_commits.repo, "commit", "--quiet", "--allow-empty", "-m", "by hand")
    told = json.loads(two_commits.says("log", "--json", "-n", "1"))
    assert (told["trailers"], told["counts"]) == ({}, None)


def test_show_tells_of_a_commit_its_whole_message_and_what_it_changed(two_commits: User) -> None:
    assert two_commits.says("show") == text("""
        commit       ID2
        author       gitbackup <gitbackup@localhost>
        date         NOW
        format       1
        server       SERVER
        taken-at     NOW
        consistency  point-in-time
        keys         db0=2
        added        0
        changed      1
        removed      0

            raise the limit

            They asked.

        M  config  string
             limits.daily: 100 -> 250
    """)


def test_show_of_the_first_commit_has_all_of_it_added(two_commits: User) -> None:
    assert two_commits.says("show", "HEAD~1").partition("    begin\n\n")[2] == text("""
        A  config  string
             + limits.daily: 100
        A  user:1  string
             + "a"
    """)


def test_show_tells_every_line_if_asked_for(user: User) -> None:
    user.redis.hset("h", mapping={f"f{at}": at for at in range(60)})
    user.says("commit")
    user.redis.hset("h", mapping={f"f{at}": "x" for at in range(60)})
    user.says("commit")
    *_, last = user.says("show").splitlines()
    assert last == "     … 20 more: 20 changed (--full shows them)"
    assert user.says("show", "--full").count('-> "x"') == 60


def test_show_of_a_commit_made_with_plain_git_has_its_message(two_commits: User) -> None:
    git(two_commits.repo, "commit", "--quiet", "--allow-empty", "-m", "by hand\n\n- a reason")
    assert two_commits.says("show") == text("""
        commit  ID3
        author  A Person <person@example.org>
        date    NOW

            by hand

            - a reason

    """)


def test_a_program_gets_the_commit_and_then_each_key(two_commits: User) -> None:
    head, change = map(json.loads, two_commits.says("show", "--json").splitlines())
    assert (head["schema"], head["commit"]) == ("gitbackup.log/1", "ID2")
    assert change == {
        "schema": "gitbackup.diff/1",
        "db": 0,
        "key": "config",
        "action": "changed",
        "type": {"before": "string", "after": "string"},
        "changes": [
            {
                "part": "value",
                "action": "changed",
                "name": "",
                "path": [],
                "before": '{"limits": {"daily": 100}}',
                "after": '{"limits": {"daily": 250}}',
                "note": "",
                "inside": [
                    {"action": "changed", "path": ["limits", "daily"], "before": 100, "after": 250}
                ],
            }
        ],
    }


def test_show_of_a_key_is_the_entry_as_it_is_stored(two_commits: User) -> None:
    assert two_commits.says("show", "HEAD~1:config") == text("""
        {
          "config": {
            "type": "string",
            "value": "{\\"limits\\": {\\"daily\\": 100}}"
          }
        }
    """)


def test_what_follows_the_first_colon_is_the_key(two_commits: User) -> None:
    assert '"user:1": {' in two_commits.says("show", "HEAD:user:1")
    assert two_commits.says("show", ":user:1") == two_commits.says("show", "HEAD:user:1")


def test_a_program_gets_a_key_as_json(two_commits: User) -> None:
    assert json.loads(two_commits.says("show", "--json", "HEAD~1:user:1")) == {
        "schema": "gitbackup.entry/1",
        "commit": "ID1",
        "db": 0,
        "key": "user:1",
        "entry": {"type": "string", "value": "a"},
    }


def test_a_key_of_another_database_is_found_where_it_is(two_commits: User) -> None:
    two_commits.server.client(db=3).set("counter", 7)
    two_commits.says("commit")
    assert json.loads(two_commits.says("show", "--json", "HEAD:counter"))["db"] == 3


def test_a_key_in_several_databases_needs_the_number_of_one(two_commits: User) -> None:
    two_commits.server.client(db=3).set("config", 7)
    two_commits.says("commit")
    assert two_commits.run("show", "HEAD:config") == Done(
        2, "", "gitbackup: commit id3 has a key 'config' in db0, db3: choose one with --db\n"
    )
    assert '"value": "7"' in two_commits.says("show", "HEAD:config", "--db", "3")


def test_a_key_that_is_not_there_is_wrong_usage(two_commits: User) -> None:
    assert two_commits.run("show", "HEAD:nope") == Done(
        2, "", "gitbackup: commit id2 has no key 'nope'\n"
    )
    assert two_commits.run("show", "HEAD:config", "--db", "3") == Done(
        2, "", "gitbackup: commit id2 has no key 'config'\n"
    )


def test_the_number_of_a_database_goes_with_a_key(two_commits: User) -> None:
    assert two_commits.run("show", "--db", "3") == Done(
        2, "", "gitbackup: --db needs a key: gitbackup show COMMIT-ISH:KEY --db N\n"
    )


def test_a_key_of_other_bytes_is_named_in_base64(user: User) -> None:
    user.redis.mset({b"\xff\xfe": 1, b"base64:": 2})
    user.says("commit")
    assert '"value": "1"' in user.says("show", "HEAD:base64://4=")
    assert '"value": "2"' in user.says("show", "HEAD:base64:YmFzZTY0Og==")


def test_a_key_is_named_by_any_base64_of_its_bytes(user: User) -> None:
    user.redis.set("a", 1)
    user.says("commit")
    assert user.says("show", "HEAD:base64:YQ==") == user.says("show", "HEAD:a")


@pytest.mark.parametrize("name", ["base64:?", "base64:\udcff"])
def test_what_only_begins_like_base64_is_no_key(two_commits: User, name: str) -> None:
    assert two_commits.run("show", f"HEAD:{name}") == Done(
        2,
        "",
        f"gitbackup: {name!r} is not a key: the name begins with base64: but is not valid base64\n",
    )


def test_scores_are_shown_as_they_are_stored(user: User) -> None:
    scores = {"a": 9007199254740994.0, "b": 1e-5, "c": 1e-7, "d": 0.5, "e": 1e21, "f": 3}
    user.redis.zadd("z", scores)
    user.says("commit")
    assert user.says("show", "HEAD:z") == (user.repo / "db0" / "_.json").read_text()
    assert '"a": 9007199254740994,\n' in user.says("show", "HEAD:z")
    assert json.loads(user.says("show", "HEAD:z", "--json"))["entry"]["value"] == scores


def test_a_function_library_is_shown_as_its_source(user: User) -> None:
    user.redis.function_load(LIBRARY)
    user.says("commit")
    assert user.says("show", "HEAD:mylib") == LIBRARY
    assert json.loads(user.says("show", "--json", "HEAD:mylib")) == {
        "schema": "gitbackup.entry/1",
        "commit": "ID1",
        "functions": True,
        "key": "mylib",
        "entry": {"type": "function", "value": LIBRARY},
    }
