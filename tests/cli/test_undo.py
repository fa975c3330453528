from __future__ import annotations

import json

import pytest

from tests.cli.user import Done, User, text
from tests.servers import StartServer
from tests.store.plain import git


@pytest.fixture
def restored(user: User) -> User:
    """Id1 is the first commit, id2 what there was before its restore, id3 what since."""
    user.redis.mset({"user:1": "a", "user:2": "b"})
    user.says("commit", "-m", "begin")
    user.redis.set("user:2", "changed")
    user.redis.set("user:3", "new")
    user.says("restore", "HEAD", "--yes")
    return user


def values(user: User) -> dict[str, str]:
    return {key.decode(): user.redis.get(key).decode() for key in sorted(user.redis.keys())}


AFTER = {"user:1": "a", "user:2": "b"}
BEFORE = {"user:1": "a", "user:2": "changed", "user:3": "new"}


def test_undo_puts_back_what_the_last_restore_replaced(restored: User) -> None:
    assert restored.says("undo", "--yes") == text("""
        undo id3, put id2 back into SERVER: create 1, overwrite 1
          overwrite  string  user:2
          create     string  user:3
          replaces 39 bytes with 86 bytes
        saved the previous state as commit id4
        verified: 2 keys equal commit id2
        the restored state is commit id5 (HEAD)
    """)
    assert values(restored) == BEFORE
    assert restored.says("log", "-n", "1").splitlines()[1] == "    undo of id3"


def test_undo_of_an_undo_is_a_redo(restored: User) -> None:
    restored.says("undo", "--yes")
    restored.says("undo", "--yes")
    assert values(restored) == AFTER
    restored.says("undo", "--yes")
    assert values(restored) == BEFORE


@pytest.mark.long
def test_undo_leaves_alone_what_the_restore_did_not_change(restored: User) -> None:
    restored.redis.mset({"user:1": "since", "other": "since"})
    restored.says("commit", "-m", "a day later")
    restored.says("undo", "--yes")
    assert values(restored) == {**BEFORE, "user:1": "since", "other": "since"}
    restored.says("undo", "--yes")
    assert values(restored) == {**AFTER, "user:1": "since", "other": "since"}


def test_what_was_written_since_to_a_restored_key_is_saved_before_it_goes(restored: User) -> None:
    restored.redis.set("user:2", "since")
    told = restored.says("undo", "--yes")
    assert "saved the previous state as commit id4\n" in told
    assert values(restored) == BEFORE
    assert '"value": "since"' in restored.says("show", "HEAD~1:user:2")


def test_a_restore_of_some_keys_is_undone_for_these(user: User) -> None:
    user.redis.mset({"user:1": "a", "user:2": "b"})
    user.says("commit", "-m", "begin")
    user.redis.mset({"user:1": "a2", "user:2": "b2"})
    user.says("restore", "HEAD", "user:1", "--yes")
    user.redis.set("user:2", "b3")
    user.says("undo", "--yes")
    assert values(user) == {"user:1": "a2", "user:2": "b3"}


def test_undo_of_a_restore_into_another_database(user: User) -> None:
    five = user.server.client(db=5)
    user.server.client(db=3).set("a", "three")
    user.says("commit", "-m", "begin")
    five.mset({"a": "five", "b": "five"})
    user.says("restore", "HEAD", "--db", "3:5", "--yes")
    assert (five.get("a"), five.get("b")) == (b"three", None)
    user.says("undo", "--yes")
    assert (five.get("a"), five.get("b")) == (b"five", b"five")


def test_undo_of_a_restore_of_expiries(user: User) -> None:
    user.redis.set("a", "1", pxat=4_102_444_800_000)
    user.says("commit", "-m", "begin")
    user.says("restore", "HEAD", "--ttl", "none", "--yes")
    assert user.redis.pttl("a") == -1
    user.says("undo", "--yes")
    assert user.redis.pexpiretime("a") == 4_102_444_800_000


def test_undo_of_a_restore_that_was_cut_off(user: User, monkeypatch: pytest.MonkeyPatch) -> None:
    user.redis.mset({"user:1": "a", "user:2": "b"})
    user.says("commit", "-m", "begin")
    user.redis.set("user:2", "changed")
    with monkeypatch.context() as patch:
        patch.setattr("gitbackup.restore.restore.read_again", _killed)
        assert user.run("restore", "HEAD", "--yes").code == 130
    assert user.redis.get("user:2") == b"b"
    user.says("undo", "--yes")
    assert user.redis.get("user:2") == b"changed"


def test_undo_that_was_cut_off_is_finished_by_undo(
    restored: User, monkeypatch: pytest.MonkeyPatch
) -> None:
    with monkeypatch.context() as patch:
        patch.setattr("gitbackup.restore.apply.apply", _killed)
        assert restored.run("undo", "--yes").code == 130
    done = restored.run("undo", "--yes")
    assert done.err == "gitbackup: continuing the same restore, which was interrupted\n"
    assert values(restored) == BEFORE


@pytest.mark.long
def test_a_restore_cut_off_where_head_held_all_is_not_mistaken_for_one_before(
    restored: User, monkeypatch: pytest.MonkeyPatch
) -> None:
    with monkeypatch.context() as patch:
        patch.setattr("gitbackup.restore.restore.read_again", _killed)
        assert restored.run("restore", "HEAD~1", "--yes").code == 130
    assert values(restored) == BEFORE
    restored.says("undo", "--yes")
    assert values(restored) == AFTER


def test_a_restore_cut_off_before_it_wrote_anything_is_undone_by_nothing(
    restored: User, monkeypatch: pytest.MonkeyPatch
) -> None:
    with monkeypatch.context() as patch:
        patch.setattr("gitbackup.restore.apply.apply", _killed)
        assert restored.run("restore", "HEAD~1", "--yes").code == 130
    assert restored.run("status").err == (
        "gitbackup: warning: a restore of id2 is not finished: `gitbackup restore id2` finishes it,"
        " `gitbackup undo` takes it back\n"
    )
    assert restored.says("undo", "--yes") == ("already done: the database equals commit id4\n")
    assert (values(restored), restored.run("status").err) == (AFTER, "")


def _killed(*_: object) -> None:
    raise KeyboardInterrupt


def test_where_nothing_was_restored_there_is_nothing_to_undo(user: User) -> None:
    user.redis.set("a", "1")
    user.says("commit", "-m", "begin")
    before = user.state()
    assert user.run("undo", "--yes") == Done(
        2,
        "",
        "gitbackup: nothing to undo: the history of HEAD contains no restore\n",
    )
    assert user.state() == before


def test_undo_is_not_of_another_server_s_restore(restored: User, start_server: StartServer) -> None:
    other = start_server()
    done = restored.run("undo", "--yes", "--url", other.url)
    assert (done.code, done.err) == (
        2,
        (
            "gitbackup: the last restore, id3, was into the server at SERVER, but this is the"
            f" one at {other.address}\n"
        ),
    )


def test_a_dry_run_of_undo_writes_nothing(restored: User) -> None:
    before = restored.state()
    told = json.loads(restored.says("undo", "--dry-run", "--json"))
    assert (told["schema"], told["how"]["undoes"]) == ("gitbackup.plan/1", "ID3")
    assert [key["key"] for key in told["keys"]] == ["user:2", "user:3"]
    assert restored.state() == before


def test_undo_for_a_program(restored: User) -> None:
    told = json.loads(restored.says("undo", "--yes", "--json"))
    assert (told["undoes"], told["verified"], told["recorded"]) == ("ID3", 2, "ID5")


def test_off_a_terminal_undo_needs_a_yes(restored: User) -> None:
    assert restored.process("undo") == Done(
        2,
        "",
        "gitbackup: undo asks before it writes: add --yes, or --dry-run to see the plan\n",
    )


def test_the_commits_of_a_restore_tell_of_it_in_trailers(restored: User) -> None:
    restored.says("restore", "HEAD~1", "user:*", "--no-delete", "--yes")
    told = git(restored.repo, "log", "-1", "--format=%(trailers:only,unfold)")
    assert restored.normal(told).splitlines()[-3:] == [
        "Restore-Of: ID2",
        'Restore-With: {"patterns": ["user:*"], "databases": null, "delete": false,'
        ' "ttl": "keep", "undoes": null}',
        "Replaced: ID4",
    ]


@pytest.mark.parametrize("forged", ["Restore-Of: HEAD~1\nUndoes: HEAD", "Revert-Of: main"])
def test_undo_believes_only_full_ids(restored: User, forged: str) -> None:
    """A name could lead from a restore to itself: that would never end."""
    server = git(restored.repo, "log", "-1", "--format=%(trailers:key=Server)").strip()
    git(restored.repo, "commit", "--allow-empty", "-m", f"x\n\n{server}\n{forged}")
    assert "undo id3, put id2 back" in restored.says("undo", "--dry-run")
