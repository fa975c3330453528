from __future__ import annotations

import base64
import json
import os
import re
import signal
import subprocess
from collections.abc import Iterator
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest

from gitbackup.live.server.embedded import find_server
from gitbackup.model.keys import Scope
from gitbackup.snapshot import file_format
from gitbackup.store.repository.repository import Repository
from tests.cli.user import AGO, GITBACKUP, Done, User, surroundings, text
from tests.live.test_embedded import comes_true
from tests.store.plain import commit, git

SECONDS = re.compile(r"\d+\.\d s\b")
ITS_AGE = re.compile(rf"\b{AGO}$", re.MULTILINE)
VERSION = re.compile(r"Valkey \d+\.\d+\.\d+")


def verify(user: User, *words: str) -> Done:
    """With the tree of HEAD, the time and the server's version by name."""
    done = user.run("verify", *words)
    out, err = (_named(user, told) for told in (done.out, done.err))
    return Done(done.code, out, err)


def _named(user: User, told: str) -> str:
    tree = git(user.repo, "rev-parse", "HEAD^{tree}")
    told = told.replace(tree, "TREE").replace(tree[:7], "tree")
    return VERSION.sub("Valkey X", SECONDS.sub("SECONDS", told))


@pytest.fixture
def committed(user: User) -> User:
    """Two commits: keys of two types in two databases, a library, and another value."""
    user.redis.mset({"user:1": "a", "config": '{"limits": {"daily": 100}}'})
    user.redis.function_load(
        "#!lua name=mylib\nredis.register_function('f', function() return 1 end)"
    )
    user.redis.execute_command("SELECT", 3)
    user.redis.sadd("members", "ann", "bob")
    user.redis.execute_command("SELECT", 0)
    user.says("commit", "-m", "begin")
    user.redis.set("user:1", "b")
    user.says("commit", "-m", "go on")
    return user


def rehearsed(user: User) -> str:
    """What the log says of HEAD's rehearsal."""
    return ITS_AGE.sub("AGO", user.says("log", "-n", "1").splitlines()[-1])


def by_hand(user: User, files: dict[str, bytes | None]) -> None:
    commit(Repository.open(user.repo), files)


def mistaken(user: User) -> bytes:
    """A string's dump, under the name of a module's type."""
    user.redis.set("text", "hello")
    dump = base64.b64encode(user.redis.dump("text") or b"").decode()
    return file_format.encode_stored({"events": {"type": "MBbloom--", "value": {"dump": dump}}})


def test_what_was_proved_is_told(committed: User) -> None:
    done = verify(committed)
    assert done == Done(
        0,
        text("""
            commit id2 passed in SECONDS
              4 files, 3 keys: 1 set, 2 string; db0 2, db3 1; 1 library
              restored into Valkey X and committed again: identical (tree tree)
            git fsck: the repository is intact
        """),
        "",
    )


def test_several_commits_are_told_one_by_one_and_in_all(committed: User) -> None:
    git(committed.repo, "commit", "--quiet", "--allow-empty", "-m", "by hand")
    told = verify(committed, "--all").out.splitlines()
    commits = [line for line in told if line.startswith("commit")]
    assert commits == [f"commit id{n} passed in SECONDS" for n in (3, 2, 1)]
    assert told[-2:] == [
        "3 commits, 2 trees: 3 passed, in SECONDS",
        "git fsck: the repository is intact",
    ]


def test_json_has_all_of_it(committed: User) -> None:
    told = json.loads(verify(committed, "HEAD~1", "--json").out)
    assert told.pop("seconds") > 0
    assert told["tree"] == told.pop("tree_restored")
    assert told | {"tree": ""} == {
        "schema": "gitbackup.verify/1",
        "commit": "ID1",
        "result": "passed",
        "tree": "",
        "server": "Valkey X",
        "files": 4,
        "keys": 3,
        "types": {"set": 1, "string": 2},
        "databases": {"db0": 2, "db3": 1},
        "libraries": 1,
        "indexes": 0,
        "expired": 0,
        "findings": [],
        "untried": [],
        "repository": [],
        "noted": True,
    }


def test_json_of_several_commits_is_one_object_a_line(committed: User) -> None:
    lines = verify(committed, "--all", "--json").out.splitlines()
    assert [json.loads(line)["commit"] for line in lines] == ["ID2", "ID1"]


def test_the_log_tells_when_a_commit_was_rehearsed(committed: User) -> None:
    verify(committed, "HEAD~1")
    assert ITS_AGE.sub("AGO", committed.says("log")) == text("""
        id2  MINUTE (AGE)
            go on
            1 changed
        id1  MINUTE (AGE)
            begin
            4 added
            restore-tested AGO
    """)
    first = json.loads(committed.says("log", "--json", "HEAD~1"))["rehearsal"]
    assert first.pop("server").startswith("Valkey ")
    assert first.pop("gitbackup") in committed.says("--version")
    assert first == {"at": "NOW", "result": "passed", "problem": None}
    assert json.loads(committed.says("log", "--json", "-n", "1"))["rehearsal"] is None


def test_a_hand_edited_file_fails_and_it_is_said_what_to_do(committed: User) -> None:
    entries = {
        "config": {"type": "string", "value": "x"},
        "user:1": {"type": "string", "value": ""},
    }
    edited = file_format.encode_stored(entries).replace(b": ", b":")
    by_hand(committed, {"db0/_.json": edited})
    done = verify(committed)
    assert (done.code, done.err) == (1, "gitbackup: commit id3 failed\n")
    assert done.out.splitlines()[3] == (
        "  db0/_.json, line 2: not in canonical form; the next `gitbackup commit`"
        " rewrites it; `gitbackup restore` can read it as it is"
    )
    assert rehearsed(committed) == "    restore test FAILED AGO"
    committed.says("commit")
    assert verify(committed).code == 0


def test_a_value_that_comes_back_as_another_is_shown(committed: User) -> None:
    by_hand(committed, {"db3/events.json": None, "db3/_.json": mistaken(committed)})
    done = verify(committed)
    assert done.code == 1
    assert (
        "  db3/_.json: db3 events has a different value after the restore\n    M  db3 events"
        "  MBbloom-- -> string\n"
    ) in done.out
    found = json.loads(verify(committed, "--json").out)["findings"]
    assert [(f["sort"], f["key"]) for f in found] == [("different", {"db": 3, "key": "events"})]
    assert found[0]["diff"]["changes"][0]["before"] == "MBbloom--"


def test_what_a_restore_refuses_is_damage(committed: User) -> None:
    by_hand(committed, {"db0/twin.json": b'{"config": {"type": "string", "value": "x"}}\n'})
    done = verify(committed)
    assert (done.code, done.err) == (13, "gitbackup: commit id3 cannot be restored as it is\n")
    assert done.out.splitlines()[2:] == [
        (
            "  db0/twin.json, line 1: not in canonical form; the next `gitbackup commit`"
            " rewrites it; `gitbackup restore` can read it as it is"
        ),
        "  db0/twin.json: key 'config' is also in db0/_.json; remove one of them",
        "  not restored: a restore would refuse it",
        "git fsck: the repository is intact",
    ]


def test_of_several_commits_the_worst_gives_the_exit_code(committed: User) -> None:
    by_hand(committed, {"db0/twin.json": b"["})
    by_hand(committed, {"db0/twin.json": b"{}"})
    done = verify(committed, "--all")
    assert (done.code, done.err) == (13, "gitbackup: commit id3 cannot be restored as it is\n")
    assert done.out.splitlines()[-2] == "4 commits, 4 trees: 2 passed, 2 FAILED, in SECONDS"


def test_a_damaged_repository_is_told_though_no_commit_can_be_read(committed: User) -> None:
    for pack in (committed.repo / ".git/objects/pack").glob("*.pack"):
        pack.chmod(0o600)
        pack.write_bytes(b"PACK")
    done = committed.run("verify")
    assert done.code == 13
    assert done.out.startswith("git fsck: the repository is damaged:\n  error: ")
    assert done.err.startswith("gitbackup: the data repository is damaged: error: ")


def test_what_could_not_be_tried_is_named_and_is_exit_code_3(committed: User) -> None:
    seen = {"seen": {"type": "MBbloom--", "value": {"dump": "BwEC"}}}
    by_hand(committed, {"db1/_.json": file_format.encode_stored(seen)})
    done = verify(committed)
    assert (done.code, done.err) == (
        3,
        "gitbackup: commit id3 passed, except for what the server cannot hold: db1 seen\n",
    )
    assert done.out.splitlines()[2:5] == [
        "  restored into Valkey X and committed again: identical, except for what was not tested",
        "  not tested: 1 key",
        (
            "    MBbloom--: db1 seen: Valkey X does not accept the dump of this type (DUMP"
            " payload version or checksum are wrong)"
        ),
    ]
    assert rehearsed(committed) == "    restore-tested in part AGO"


@pytest.mark.parametrize(
    ("words", "sentence"),
    [
        (["HEAD", "--all"], "give either a commit or --all"),
        (
            ["--server", "nope"],
            "no program 'nope': name a redis-server or valkey-server",
        ),
        (["nope"], "there is no commit 'nope' in HERE/data-git-backup; `gitbackup log` lists them"),
    ],
)
def test_wrong_usage_is_one_sentence(committed: User, words: list[str], sentence: str) -> None:
    assert committed.run("verify", *words) == Done(2, "", f"gitbackup: {sentence}\n")


def test_the_server_may_be_named_by_its_name_alone(
    committed: User, monkeypatch: pytest.MonkeyPatch
) -> None:
    program = find_server()
    monkeypatch.setenv("PATH", str(program.parent), prepend=os.pathsep)
    assert committed.run("verify", "--server", program.name).code == 0


def test_a_program_that_is_no_server_is_told(committed: User) -> None:
    done = committed.run("verify", "--server", "true")
    assert (done.code, done.out) == (12, "")
    assert done.err.startswith("gitbackup: the temporary server ended during its start")


def test_no_repository_is_told(user: User) -> None:
    assert user.run("verify").code == 10


def test_the_person_s_server_is_not_asked_for_anything(
    committed: User, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("REDIS_URL", "redis://localhost:1")
    assert verify(committed).code == 0


@pytest.fixture
def short_temp() -> Iterator[Path]:
    """A folder for temporary files, its path short enough for a socket."""
    with TemporaryDirectory(prefix="test-", dir="/tmp") as made:
        yield Path(made)


@pytest.mark.long
@pytest.mark.parametrize("how", [signal.SIGINT, signal.SIGKILL])
def test_nothing_remains_of_a_drill_that_is_cut_off(
    tmp_path: Path, short_temp: Path, how: signal.Signals
) -> None:
    """No server, no folder of one, no note, and no lock that the next run would meet."""
    values = {f"key:{n}": {"type": "string", "value": "x" * 1_000} for n in range(120)}
    held = {f"db{db}/_.json": file_format.encode_stored(values) for db in range(200)}
    path = tmp_path / "data"
    commit(Repository.create(path), {file_format.MANIFEST: file_format.manifest(Scope()), **held})
    with subprocess.Popen(
        [*GITBACKUP, "verify", "--repo", str(path)],
        env=surroundings({"TMPDIR": str(short_temp)}),
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        start_new_session=True,
    ) as drill:
        assert comes_true(lambda: any(short_temp.glob("*/sock")))
        drill.send_signal(how)
        drill.communicate()
    assert comes_true(lambda: [*short_temp.iterdir()] == [])
    assert drill.returncode == (130 if how is signal.SIGINT else -how)
    assert git(path, "for-each-ref", "refs/notes") == ""
    assert git(path, "status", "--porcelain") == ""
    assert [*(path / ".git/objects").glob("tmp_*")] == []
    with Repository.open(path).lock():
        pass
