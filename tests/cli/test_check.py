from __future__ import annotations

import json
import re
from pathlib import Path

import pytest

from tests.cli.user import Done, User
from tests.servers import LiveServer

AGE = re.compile(r"just now|\d+ seconds? ago")
ALL_LACKING = """\
SERVER
bad      if the server crashes        no append-only file and no saves: all data would be lost
                                      Turn it on while the server runs. Do not just edit redis.conf:
                                      the server would then start with an empty database.
         $ redis-cli CONFIG SET appendonly yes
         $ redis-cli CONFIG REWRITE
bad      if a data file is damaged    RDB saves are off, and there is no other data file
                                      Let it save an RDB file regularly.
         $ redis-cli CONFIG SET save '3600 1 300 100 60 10000'
         $ redis-cli CONFIG REWRITE
bad      if a mistake deletes data    there is no commit
                                      Make the first commit:
         $ gitbackup commit
warn     if the server is down        no replica: there is no second server
                                      If you cannot wait for a restore, run a replica; a replica is
                                      not a backup.
warn     if the history is damaged    no RDB file was saved: git history is the only backup
                                      Save an RDB file, which needs no git:
         $ gitbackup rdb save
ok       if memory runs full          no maxmemory: no key is evicted
ok       if a stranger connects       no password; only this machine can reach it
ok       if others look at the files  no other user of this machine can read the files
3 bad, 2 warn, 3 ok
"""


def recommended(server: LiveServer) -> None:
    with server.client() as client:
        client.config_set("appendonly", "yes")
        client.config_set("save", "3600 1")


def aged(told: str) -> str:
    return AGE.sub("AGE", told)


def test_a_server_and_a_history_that_lack_all(user: User) -> None:
    user.redis.set("k", "v")
    done = user.run("check")
    call = f"redis-cli -s {user.server.address.removeprefix('unix://')}"
    assert (done.code, done.err) == (1, "")
    assert done.out.replace(call, "redis-cli") == ALL_LACKING


def test_the_same_for_a_program(user: User) -> None:
    user.redis.set("k", "v")
    user.says("commit")
    done = user.run("check", "--json")
    found = json.loads(aged(done.out))
    assert (done.code, [*found]) == (1, ["schema", "server", "verdict", "risks"])
    assert (found["schema"], found["verdict"]) == ("gitbackup.check/1", "bad")
    told = {risk["check"]: risk for risk in found["risks"]}
    assert told["push"] == {
        "check": "push",
        "verdict": "bad",
        "risk": "this machine is lost",
        "protection": "never pushed: the only copy of the history is on this machine",
        "advice": "Push to another machine, or to a folder of a cloud drive or another disk:",
        "commands": ["gitbackup push FOLDER-OR-GIT-URL"],
    }
    assert told["commit"] == {
        "check": "commit",
        "verdict": "ok",
        "risk": "a mistake deletes data",
        "protection": "commit id1, AGE; nothing changed since",
        "advice": None,
        "commands": [],
    }


def test_exit_codes(user: User, tmp_path: Path) -> None:
    """Nothing is bad once it is committed and pushed; --strict is for what is merely missing."""
    recommended(user.server)
    user.says("commit")
    assert user.run("check", "--quick").code == 1
    (tmp_path / "disk").mkdir()
    user.run("push", "disk")
    found = json.loads(user.run("check", "--quick", "--json").out)
    told = {risk["check"]: risk["verdict"] for risk in found["risks"]}
    assert (told["push"], told["replicas"], told["rehearsal"]) == ("ok", "warn", "warn")
    if told["files"] == "ok":  # the machine that runs the tests may itself be a container
        assert (user.run("check").code, user.run("check", "--strict").code) == (0, 1)


def test_how_old_a_commit_may_be(user: User) -> None:
    user.redis.set("k", "v")
    user.says("commit")
    for age, verdict in (("0s", "bad"), ("1m", "ok"), ("2h", "ok"), ("1d", "ok"), ("3w", "ok")):
        done = user.run("check", "--quick", "--max-age", age, "--json")
        told = {risk["check"]: risk["verdict"] for risk in json.loads(done.out)["risks"]}
        assert (age, told["commit"]) == (age, verdict)


@pytest.mark.parametrize("age", ["", "7", "d", "-1d", "1y", "1.5h", "9999999d"])
def test_an_age_that_is_none(user: User, age: str) -> None:
    sentence = f"not a valid age: {age}; write it as 90m, 12h, 7d or 2w"
    assert user.run("check", "--max-age", age) == Done(2, "", f"gitbackup: {sentence}\n")


def test_what_to_type_names_the_repository_that_was_named(user: User) -> None:
    done = user.run("check", "--repo", "my data", "--json")
    told = {risk["check"]: risk["commands"] for risk in json.loads(done.out)["risks"]}
    assert told["commit"] == ["gitbackup commit --repo 'my data'"]
    assert told["rdb"] == ["gitbackup rdb save --repo 'my data'"]


def test_on_a_terminal_it_is_in_colour_and_fits(user: User) -> None:
    """But for what is to be typed, which stays in one piece."""
    done = user.on_screen("check")
    lines = [re.sub(r"\x1b\[\d*m", "", line) for line in done.out.splitlines()]
    assert [line for line in lines if len(line) > 80 and "$ redis-cli" not in line] == []
    assert "\x1b[31mbad\x1b[m      if the server crashes " in done.out
    assert "\x1b[32mok\x1b[m       if memory runs full " in done.out
    assert lines[-1] == "3 bad, 2 warn, 3 ok"


def test_no_password_is_told(
    user: User, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    user.redis.execute_command("ACL", "SETUSER", "ann", "on", ">s3cr3t", "~*", "+@all")
    url = user.server.url.replace("unix://", "unix://ann:s3cr3t@")
    user.says("init", "--url", url)
    monkeypatch.delenv("REDIS_URL")
    for words in (["check"], ["check", "--json"]):
        done = user.run(*words)
        assert (done.code, done.err) == (1, "")
        assert "s3cr3t" not in done.out
        assert "gitbackup logs in with a password" in done.out


def test_a_server_that_is_not_there(user: User) -> None:
    done = user.run("check", "--url", "redis://127.0.0.1:1")
    assert (done.code, done.out) == (12, "")
    assert done.err.startswith("gitbackup: no server answers at 127.0.0.1:1 ")


def test_rights_are_a_line_and_what_lacks(user: User) -> None:
    line = "ACL SETUSER watch on >PASSWORD ~* +@read +select +multi +exec +watch +info +ping +time"
    assert user.run("check", "--rights", "watch") == Done(
        0, f"{line} +client|tracking\nthe user default has all of these rights\n", ""
    )
    user.redis.execute_command("ACL", "SETUSER", "ann", "on", ">pw", "~a:*", "+@read", "+select")
    url = user.server.url.replace("unix://", "unix://ann:pw@")
    done = user.run("check", "--rights", "watch", "--url", url)
    lacking = "+info +ping +time +client|tracking +watch +multi +exec"
    assert (done.code, done.out.splitlines()[1]) == (
        1,
        f"the user ann lacks {lacking}: ACL SETUSER ann {lacking}",
    )
    assert done.out.splitlines()[2].startswith("the user ann may use only some keys: name these")
    assert user.run("check", "--rights", "watch", "--json").code == 2
