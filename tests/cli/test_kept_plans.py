from __future__ import annotations

import json
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from gitbackup.cli.app import code_of
from tests.cli.user import Done, User, text
from tests.servers import LiveServer, StartServer

PLAN = Path("plan.json")


@pytest.fixture
def kept(user: User) -> User:
    """One commit, an accident, and a plan that is kept in a file."""
    user.redis.mset({"user:1": "a", "user:2": "b"})
    user.says("commit", "-m", "begin")
    user.redis.delete("user:1")
    user.redis.mset({"user:2": "oops", "junk": "x"})
    keep(user)
    return user


def keep(user: User, *options: str) -> None:
    user.captured()
    assert code_of(["restore", "HEAD", "--dry-run", "--json", *options]) == 0
    PLAN.write_text(user.captured()[0])


def test_a_plan_that_was_kept_is_carried_out(kept: User) -> None:
    kept.redis.set("later", "1")
    assert kept.says("restore", "--plan", "plan.json", "--yes") == text("""
        restore id1 into SERVER: create 1, overwrite 1, delete 1
          delete     string  junk
          create     string  user:1
          overwrite  string  user:2
          replaces 81 bytes with 78 bytes
        saved the previous state as commit id2
        verified: 3 keys equal commit id1
        the restored state is commit id3 (HEAD)
    """)
    assert kept.redis.mget("user:1", "user:2", "junk", "later") == [b"a", b"b", None, b"1"]


def test_undo_leaves_alone_what_the_plan_left_alone(kept: User) -> None:
    kept.redis.set("later", "1")
    kept.says("restore", "--plan", "plan.json", "--yes")
    kept.redis.set("later", "2")
    kept.says("undo", "--yes")
    assert kept.redis.mget("user:1", "user:2", "junk", "later") == [None, b"oops", b"x", b"2"]


def test_its_options_are_the_plan_s(user: User) -> None:
    user.server.client(db=3).mset({"x:1": "1", "y:1": "1"})
    user.says("commit", "-m", "begin")
    user.server.client(db=5).set("x:2", "1")
    keep(user, "x:*", "--db", "3:5", "--no-delete", "--ttl", "none")
    told = user.says("restore", "--plan", "plan.json", "--yes")
    assert told.startswith("restore id1 into SERVER: create 1\n  create  string  db5 x:1\n")
    assert sorted(user.server.client(db=5).keys()) == [b"x:1", b"x:2"]


@pytest.mark.parametrize(
    ("change", "named"),
    [
        (lambda one: one.set("user:2", "again"), "user:2"),
        (lambda one: one.set("user:1", "made"), "user:1"),
        (lambda one: one.delete("junk"), "junk"),
        (lambda one: one.expire("junk", 1000), "junk"),
        (lambda one: one.set("user:2", "b"), "user:2"),
        (lambda one: one.flushall(), "junk, user:2"),
    ],
)
def test_it_is_refused_where_a_key_in_it_has_changed(
    kept: User, change: Callable[[Any], object], named: str
) -> None:
    change(kept.redis)
    before = kept.state()
    for words in (["--yes"], ["--dry-run"]):
        assert kept.run("restore", "--plan", "plan.json", *words) == Done(
            1,
            "",
            f"gitbackup: {named} changed after the plan was made: nothing was restored;"
            " make a new plan\n",
        )
    assert kept.state() == before


def test_a_plan_is_not_carried_out_twice(kept: User) -> None:
    kept.says("restore", "--plan", "plan.json", "--yes")
    assert kept.run("restore", "--plan", "plan.json", "--yes").code == 1


def test_one_that_was_cut_off_is_finished_by_the_same_command(
    kept: User, monkeypatch: pytest.MonkeyPatch
) -> None:
    with monkeypatch.context() as patch:
        patch.setattr("gitbackup.restore.restore.read_again", _killed)
        assert kept.run("restore", "--plan", "plan.json", "--yes").code == 130
    kept.redis.delete("user:1")
    done = kept.run("restore", "--plan", "plan.json", "--yes")
    assert (done.code, kept.redis.get("user:1")) == (0, b"a")


def test_one_into_another_server_is_finished_in_the_same_way(
    kept: User, start_server: StartServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    other = start_server()
    other.client().set("user:1", "other")
    keep(kept, "--to", other.url)
    words = ("restore", "--plan", "plan.json", "--to", other.url, "--yes")
    with monkeypatch.context() as patch:
        patch.setattr("gitbackup.restore.restore.read_again", _killed)
        assert kept.run(*words).code == 130
    other.client().delete("user:2")
    assert kept.run(*words).code == 0
    assert other.client().mget("user:1", "user:2") == [b"a", b"b"]
    other.client().set("user:2", "since")
    assert kept.run(*words).err == (
        "gitbackup: user:2 changed after the plan was made: nothing else was restored;"
        " make a new plan\n"
    )


def _killed(*_: object) -> None:
    raise KeyboardInterrupt


def test_it_is_for_one_server(kept: User, start_server: StartServer) -> None:
    other = start_server()
    done = kept.run("restore", "--plan", "plan.json", "--yes", "--to", other.url)
    assert (done.code, done.err) == (
        2,
        f"gitbackup: the plan is for SERVER, but this server is {other.address}\n",
    )


RUN_AGAIN = (
    "gitbackup: the server was started again after the plan was made, or another one answers in"
    " its place: nothing was restored; make a new plan\n"
)


def test_it_is_for_one_run_of_that_server(kept: User, start_server: StartServer) -> None:
    """Not for a server that lost its data since, even if all that the plan names is as it was."""
    url = _lead_to(start_server())
    keep(kept, "--to", url)
    second = start_server()
    _lead_to(second)
    for words in (["--yes"], ["--dry-run"]):
        done = kept.run("restore", "--plan", "plan.json", "--to", url, *words)
        assert done == Done(1, "", RUN_AGAIN)
    with closing(second.client()) as client:
        assert client.keys() == []


def test_one_that_was_cut_off_is_finished_on_a_server_that_was_started_again(
    kept: User, start_server: StartServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    url = _lead_to(start_server())
    keep(kept, "--to", url)
    words = ("restore", "--plan", "plan.json", "--to", url, "--yes")
    with monkeypatch.context() as patch:
        patch.setattr("gitbackup.restore.restore.read_again", _killed)
        assert kept.run(*words).code == 130
    second = start_server()
    _lead_to(second)
    assert kept.run(*words).code == 0
    with closing(second.client()) as client:
        assert client.mget("user:1", "user:2") == [b"a", b"b"]


def test_one_of_an_older_gitbackup_does_not_tell_which_run_it_was_made_of(kept: User) -> None:
    document = json.loads(PLAN.read_text())
    del document["runs"]
    PLAN.write_text(json.dumps(document))
    assert kept.run("restore", "--plan", "plan.json", "--yes").code == 0


def test_its_commit_may_be_gone(kept: User) -> None:
    _edit(commit="1" * 40)
    assert kept.run("restore", "--plan", "plan.json", "--yes") == Done(
        2, "", "gitbackup: the plan's commit 1111111 is not in data-git-backup\n"
    )


@pytest.mark.parametrize(
    ("words", "named"),
    [
        (["HEAD"], "COMMIT-ISH"),
        (["--db", "3"], "--db"),
        (["--no-delete"], "--no-delete"),
        (["--ttl", "keep"], "--ttl"),
    ],
)
def test_what_the_plan_settles_is_not_given_beside_it(
    kept: User, words: list[str], named: str
) -> None:
    assert kept.run("restore", "--plan", "plan.json", "--yes", *words) == Done(
        2, "", f"gitbackup: --plan already contains {named}: leave it out\n"
    )


@pytest.mark.parametrize("content", [b"", b"\xff\xfe\xfd", b'{"schema": "gitbackup.plan/1"}'])
def test_what_is_no_plan_is_refused_in_one_sentence(kept: User, content: bytes) -> None:
    PLAN.write_bytes(content)
    before = kept.state()
    done = kept.run("restore", "--plan", "plan.json", "--yes")
    assert (done.code, done.out, done.err.count("\n")) == (2, "", 1)
    assert done.err.startswith("gitbackup: not a plan made by `gitbackup restore --dry-run --json`")
    assert kept.state() == before


def test_a_plan_tells_no_values_nor_what_they_could_be_tried_by(kept: User) -> None:
    """The same value has another digest in another key, and against another commit."""
    kept.redis.mset({"junk": "oops", "user:2": "oops"})
    keep(kept)
    first = PLAN.read_text()
    assert _digest(json.loads(first), "user:2") != _digest(json.loads(first), "junk")
    kept.redis.set("user:2", "other")
    kept.says("commit")
    kept.redis.set("user:2", "oops")
    keep(kept)
    assert "oops" not in first
    assert _digest(json.loads(first), "user:2") != _digest(json.loads(PLAN.read_text()), "user:2")


def _lead_to(server: LiveServer) -> str:
    """Have this server answer at a socket from now on, which has always the same URL."""
    socket = Path("sock").absolute()
    socket.unlink(missing_ok=True)
    socket.symlink_to(server.address.removeprefix("unix://"))
    return f"unix://{socket}"


def _digest(plan: Any, key: str) -> str:
    (found,) = [step["holds"] for step in plan["keys"] if step["key"] == key]
    assert isinstance(found, str)
    return found


def _edit(**members: object) -> None:
    PLAN.write_text(json.dumps(json.loads(PLAN.read_text()) | members))
