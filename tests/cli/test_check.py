from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

import pytest

from gitbackup.model.safety.risk import CHECKS
from tests.checks.looking import AGE
from tests.cli.user import Done, User
from tests.servers import LiveServer, StartServer

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
                                      not a backup. If you can wait, accept it:
         $ gitbackup config add accept replicas
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
        "accepted": False,
    }
    assert told["commit"] == {
        "check": "commit",
        "verdict": "ok",
        "risk": "a mistake deletes data",
        "protection": "commit id1, AGE; nothing changed since",
        "advice": None,
        "commands": [],
        "accepted": False,
    }


def test_exit_codes(user: User, tmp_path: Path) -> None:
    """Nothing is bad once it is committed and pushed; --strict is for what is merely missing."""
    recommended(user.server)
    user.says("commit")
    assert user.run("check", "--quick").code == 1
    (tmp_path / "Dropbox").mkdir()
    user.run("push", str(tmp_path / "Dropbox"))
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
    assert told["replicas"] == ["gitbackup config add --repo 'my data' accept replicas"]


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


def test_an_accepted_risk_is_told_as_that_and_no_other_name_is_taken(user: User) -> None:
    """For a person, and in the exit code."""
    user.says("init")
    assert user.says("config", "add", "accept", "replicas") == "accept  replicas  this repository\n"
    line = "ok       if the server is down        accepted: no replica: there is no second server\n"
    assert line in user.run("check").out
    done = user.run("config", "add", "accept", "replica")
    assert (done.code, done.out) == (2, "")
    assert done.err.startswith("gitbackup: accept: there is no check 'replica'; the checks are ")
    for name in CHECKS:
        assert name in done.err
        user.says("config", "add", "accept", name)
    assert user.run("check", "--strict").code == 0


def test_what_to_type_is_for_the_server_that_was_named(
    user: User, start_server: StartServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    """By whichever password it was reached, which is in no line."""
    server = start_server(tcp=True, requirepass="s3cret")
    url = f"redis://:s3cret@127.0.0.1:{server.port}"
    call = f"redis-cli -h 127.0.0.1 -p {server.port}"

    def commands(check: str, *words: str) -> list[str]:
        out = user.run("check", "--json", *words).out
        assert "s3cret" not in out
        (found,) = [risk for risk in json.loads(out)["risks"] if risk["check"] == check]
        told: list[str] = found["commands"]
        return told

    assert commands("append-only", "--url", url)[0] == (
        f"{call} --askpass CONFIG SET appendonly yes"
    )
    assert commands("commit", "--url", url, "--timeout", "5") == [
        f"gitbackup commit --url redis://127.0.0.1:{server.port} --timeout 5"
    ]
    monkeypatch.setenv("REDISCLI_AUTH", "s3cret")
    monkeypatch.setenv("REDIS_URL", f"redis://default@127.0.0.1:{server.port}")
    assert commands("append-only")[0] == f"{call} --user default CONFIG SET appendonly yes"
    assert commands("commit") == ["gitbackup commit"]


@pytest.mark.long
@pytest.mark.skipif(not shutil.which("redis-cli"), reason="there is no redis-cli")
def test_who_types_all_that_is_advised_has_all_green(
    user: User, start_server: StartServer, tmp_path: Path
) -> None:
    """As it stands, line by line, in one shell, on a server that lacks nearly all."""
    with tempfile.TemporaryDirectory() as place:
        folder = Path(place)
        folder.chmod(0o755)
        (Path.home() / "Dropbox").mkdir()
        server = start_server(
            tcp=True, dir=str(folder), maxmemory="100mb", maxmemory_policy="allkeys-lru",
            bind="* -::*", protected_mode="no",
        )  # fmt: skip
        with server.client() as client:
            client.set("k", "v")
        env = {**os.environ, "REDIS_URL": f"redis://localhost:{server.port}"}
        env |= {"PATH": f"{tmp_path}{os.pathsep}{os.environ['PATH']}"}
        ours = tmp_path / "gitbackup"
        ours.write_text(f'#!/bin/sh\nexec {sys.executable} -m gitbackup "$@"\n')
        ours.chmod(0o755)
        done = subprocess.run(
            ["bash", "-c", PASTE], env=env, capture_output=True, text=True, check=False
        )
        (Path.home() / "Dropbox").rename(tmp_path / "Dropbox")
    assert "Could not connect" not in done.stdout + done.stderr
    assert done.stdout.splitlines()[-1].endswith(" ok"), done.stdout + done.stderr
    assert [line for line in done.stdout.splitlines() if line.startswith("  $ ")] == []


PASTE = """
for round in 1 2 3 4; do
    gitbackup check > checked
    sed -n 's/^ *[$] //p' checked > lines
    [ -s lines ] || break
    . ./lines
    while redis-cli -p "${REDIS_URL##*:}" INFO persistence | grep -q in_progress:1; do
        sleep 0.05
    done
    if grep -q '^bad .*does not last' checked; then gitbackup config add accept files; fi
done
cat checked
"""
