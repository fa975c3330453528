from __future__ import annotations

import json
from pathlib import Path

import pytest

from gitbackup.restore import apply
from tests.cli.user import User, text
from tests.servers import LiveServer, StartServer

PLAN = """
    copy SERVER into TARGET: create 1, overwrite 1
      overwrite  string  a
      create     string  b
      not in the source, kept: 1 key (x)
      replaces 41 bytes with 80 bytes
"""
DONE = """
    saved the previous state as commit id1 on the branch saved/NAME
    verified: 2 keys equal SERVER
"""
SECRET = "open-sesame"


@pytest.fixture
def target(user: User, start_server: StartServer) -> LiveServer:
    """A second server, with something to lose, beside that of the user."""
    user.redis.mset({"a": "new", "b": 2})
    server = start_server()
    with server.client() as client:
        client.mset({"a": "old", "x": 1})
    return server


def copy(user: User, target: LiveServer, *words: str) -> tuple[int, str, str]:
    """`gitbackup copy` from the user's server into the other, which is TARGET in the output."""
    done = user.run("copy", user.server.url, target.url, *words)
    out = done.out.replace(target.address, "TARGET")
    branches = [path.name for path in Path("data-git-backup/.git/refs/heads/saved").glob("*")]
    for branch in branches:
        out = out.replace(branch, "NAME")
    return done.code, out, done.err


def test_a_copy_shows_its_plan_saves_what_goes_and_verifies(user: User, target: LiveServer) -> None:
    assert copy(user, target, "--yes") == (0, text(PLAN) + text(DONE), "")
    with target.client() as client:
        assert client.mget("a", "b", "x") == [b"new", b"2", b"1"]
    (branch,) = saved_branches()
    (subject,) = user.says("log", branch).splitlines()[1:2]
    assert subject == "    before copy of SERVER"
    assert copy(user, target, "--yes")[1].startswith(
        "nothing to copy: the database already contains all of SERVER\n"
    )


def saved_branches() -> list[str]:
    """Those that copies have made, the first one first."""
    paths = Path("data-git-backup/.git/refs/heads/saved").glob("*")
    return sorted(f"saved/{path.name}" for path in paths)


def test_a_dry_run_shows_the_plan_and_leaves_no_trace(user: User, target: LiveServer) -> None:
    assert copy(user, target, "--dry-run") == (0, text(PLAN), "")
    assert not Path("data-git-backup").exists()
    with target.client() as client:
        assert client.get("a") == b"old"


def test_a_program_is_told_where_it_was_copied_from(user: User, target: LiveServer) -> None:
    _, planned, _ = copy(user, target, "--dry-run", "--json")
    _, done, _ = copy(user, target, "--yes", "--json", "--delete", "a", "x")
    plan, result = json.loads(planned), json.loads(done)
    assert plan["source"] == result["source"] == "SERVER"
    assert plan["how"]["delete"] is False
    assert [(step["key"], step["action"]) for step in result["keys"]] == [
        ("a", "changed"),
        ("x", "removed"),
    ]
    assert (result["saved_on"], result["recorded"]) == ("saved/NAME", None)


@pytest.mark.long
def test_a_no_changes_nothing(user: User, target: LiveServer) -> None:
    done = user.at_terminal("copy", user.server.url, target.url, types="n\n")
    assert (done.code, done.out.splitlines()[-1]) == (1, "nothing was changed")
    assert not Path("data-git-backup").exists()
    with target.client() as client:
        assert client.get("a") == b"old"


def test_what_was_cut_off_is_finished_by_the_same_command(
    user: User, target: LiveServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    """And nothing that was saved before is saved over."""

    def killed(*_: object) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(apply, "apply", killed)
        assert copy(user, target, "--yes")[0] == 130
    user.redis.set("later", 1)
    code, out, err = copy(user, target, "--yes")
    assert (code, err) == (0, "gitbackup: continuing the same restore, which was interrupted\n")
    assert "verified: 3 keys equal SERVER\n" in out
    assert "the state before the interrupted run is on the branch saved/NAME\n" in out
    with target.client() as client:
        assert client.mget("a", "b", "later", "x") == [b"new", b"2", b"1", b"1"]
    assert '"old"' in user.says("show", f"{saved_branches()[0]}:a")


def test_without_a_terminal_it_needs_a_yes(user: User, target: LiveServer) -> None:
    assert copy(user, target) == (
        2,
        "",
        "gitbackup: copy asks before it writes: add --yes, or --dry-run to see the plan\n",
    )


def test_passwords_are_in_the_environment(
    user: User, start_server: StartServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Each server gets its own, and none is printed."""
    source, target = start_server(requirepass=SECRET), start_server(requirepass=SECRET + "2")
    monkeypatch.setenv("REDISCLI_AUTH", SECRET)
    done = user.run("copy", source.url, target.url, "--yes")
    assert (done.code, done.err) == (
        12,
        "gitbackup: the target requires a password: set GITBACKUP_TARGET_PASSWORD, or put it in"
        " the URL\n",
    )
    monkeypatch.setenv("GITBACKUP_TARGET_PASSWORD", SECRET + "2")
    done = user.run("copy", source.url, target.url, "--yes", "--json")
    assert (done.code, done.err) == (0, "")
    assert SECRET not in done.out
