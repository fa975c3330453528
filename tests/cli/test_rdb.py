from __future__ import annotations

import json
import re
import resource
import sys
from pathlib import Path

import pytest

from tests.cli.user import Done, User, text

FOLDER = Path("data-git-backup-rdb")
STAMP = re.compile(r"dump-\d{8}-\d{6}")
SIZE = re.compile(r"\d+ bytes")
WRITER = re.compile(r"(?:Valkey|Redis) [\d.]+")
MOMENT = re.compile(r"\d{4}-\d\d-\d\d \d\d:\d\d:\d\d UTC")


def same(said: str) -> str:
    """With what differs from run to run by name."""
    for changing, constant in ((STAMP, "NAME"), (SIZE, "SIZE"), (WRITER, "WRITER")):
        said = changing.sub(constant, said)
    return MOMENT.sub("MOMENT", said)


def only(folder: Path = FOLDER) -> Path:
    (file,) = folder.glob("*.rdb")
    return file


def test_what_is_saved_is_told_and_listed(user: User) -> None:
    user.redis.set("a", 1)
    assert same(user.says("rdb", "save")) == f"{FOLDER}/NAME.rdb: SIZE of SERVER\n"
    assert same(user.says("rdb", "list")) == (
        "NAME.rdb  SIZE  MOMENT (AGE)  WRITER, RDB version 80\n"
    )


def test_what_is_verified_is_told(user: User) -> None:
    user.redis.set("a", 1)
    user.redis.set("b", 1, ex=1000)
    user.says("rdb", "save")
    assert same(user.says("rdb", "verify", str(only()))) == text(
        f"""
        {FOLDER}/NAME.rdb: SIZE of MOMENT by WRITER, RDB version 80
        the checksum is right
        loaded by WRITER: 2 keys
          db0  2 keys, 1 of them with an expiry
        """
    )


def test_a_program_is_told_in_json(user: User) -> None:
    user.redis.set("a", 1)
    told = json.loads(user.says("rdb", "save", "elsewhere", "--json", "--keep", "2"))
    assert next(iter(told)) == "schema"
    assert (told["schema"], told["checksum"], told["removed"]) == (
        "gitbackup.rdb-save/1",
        True,
        [],
    )
    (Path("elsewhere") / "x.rdb").write_text("no")
    good, bad = map(json.loads, user.says("rdb", "list", "elsewhere", "--json").splitlines())
    assert {name: told[name] for name in good if name in told} | {
        "schema": "gitbackup.rdb/1",
        "problem": None,
    } == good
    assert (bad["schema"], bad["path"], bad["size"]) == ("gitbackup.rdb/1", "elsewhere/x.rdb", 2)
    assert "is not an RDB file" in bad["problem"]
    found = json.loads(user.says("rdb", "verify", told["path"], "--json"))
    assert (found["schema"], found["keys"], found["libraries"]) == ("gitbackup.rdb-verify/1", 1, 0)
    assert found["databases"] == [{"db": 0, "keys": 1, "expiring": 0, "expired": 0}]


def test_old_files_that_go_are_named(user: User) -> None:
    user.says("rdb", "save")
    old = only()
    told = user.says("rdb", "save", "--keep", "1")
    assert told.splitlines()[1] == f"removed 1 older: {old.name}"
    assert not old.exists()


def test_a_copy_is_as_good(user: User) -> None:
    user.redis.set("a", 1)
    assert same(user.says("rdb", "save", "--via", "copy")) == f"{FOLDER}/NAME.rdb: SIZE of SERVER\n"
    assert "1 key\n" in user.says("rdb", "verify", str(only()))


def test_a_file_is_committed(user: User) -> None:
    """With no server at the address: none is asked."""
    user.redis.set("a", 1)
    user.says("rdb", "save")
    nowhere = ("--url", "redis://127.0.0.1:1")
    dry = user.says("commit", "--rdb", str(only()), "--dry-run", *nowhere)
    assert dry == text(
        """
          a  1 added
        would commit: first commit: 1 key
        1 key: 1 added
        """
    )
    assert user.says("commit", "--rdb", str(only()), *nowhere) == text(
        """
          a  1 added
        [id1] first commit: 1 key
        1 key: 1 added
        """
    )
    assert user.says("commit") == "nothing to commit: the only key has not changed since id1\n"


def test_a_file_is_restored(user: User) -> None:
    """With the plan, the question and the proof of any restore."""
    user.redis.set("a", 1)
    user.says("rdb", "save")
    user.redis.mset({"a": 2, "b": 2})
    file = str(only())
    becomes = f"committed {file} as id1, on the branch rdb/"
    plan = text(
        """
        restore ID into SERVER: overwrite 1, delete 1
          overwrite  string  a
          delete     string  b
          replaces 78 bytes with 39 bytes
        """
    )
    shown = user.says("restore", "--rdb", file, "--dry-run")
    assert re.sub("[0-9a-f]{7}", "ID", shown, count=1) == plan
    assert not user.repo.exists()
    first, _, shown = user.says("restore", "--rdb", file, "a", "--yes").partition("\n")
    assert first[: len(becomes)] == becomes
    assert shown.splitlines()[-2:] == [
        "verified: 1 key equals commit id1",
        "the restored state is commit id3 (HEAD)",
    ]
    assert user.redis.mget("a", "b") == [b"1", b"2"]
    told = json.loads(user.run("restore", "--rdb", file, "--yes", "--json").out)
    assert (told["schema"], told["verified"]) == ("gitbackup.restore/1", 1)
    assert user.redis.mget("a", "b") == [b"1", None]


def test_a_program_to_load_it_with_goes_with_a_file(user: User) -> None:
    for words in (["commit"], ["restore", "HEAD", "--yes"]):
        done = user.run(*words, "--server", sys.executable)
        assert done == Done(2, "", "gitbackup: --server needs --rdb\n")


def test_a_module_to_load_goes_with_a_file(user: User) -> None:
    """To each command that loads one; here it is no module, which each says in one line."""
    user.redis.set("a", 1)
    user.says("rdb", "save")
    file = str(only())
    Path("module.so").touch(0o700)
    for words in (["rdb", "verify"], ["commit", "--rdb"], ["restore", "--yes", "--rdb"]):
        done = user.run(*words, file, "--module", "module.so")
        assert (done.code, done.out) == (12, "")
        assert re.fullmatch(
            rf"gitbackup: .* cannot load {file}: Module HERE/module\.so failed to load: .*\n",
            done.err,
        )
    for words in (["commit"], ["restore", "HEAD", "--yes"]):
        done = user.run(*words, "--module", "module.so")
        assert done == Done(2, "", "gitbackup: --module needs --rdb\n")


def test_git_does_not_see_the_files_in_somebody_s_project(user: User) -> None:
    user.says("rdb", "save")
    assert "*" in (FOLDER / ".gitignore").read_text().splitlines()


@pytest.mark.parametrize(
    ("words", "done"),
    [
        (["rdb", "save", "--keep", "-1"], (2, "-1 is less than 0.")),
        (["rdb", "save", "--file", "x"], (2, "--file needs --via copy")),
        (["rdb", "save", "data-git-backup"], (2, "is inside the data repository")),
        (["rdb", "list", "none"], (2, "there is no folder none; `gitbackup rdb save` creates it")),
        (["rdb", "verify", "none"], (2, "there is no file none")),
        (["rdb", "verify", "text"], (13, "text is not an RDB file")),
        (["rdb", "sav"], (2, "No such command 'sav'.")),
    ],
)
def test_wrong_usage_is_one_sentence(user: User, words: list[str], done: tuple[int, str]) -> None:
    Path("text").write_text("hello")
    said = user.run(*words)
    assert (said.code, said.out, said.err.count("\n")) == (done[0], "", 1)
    assert done[1] in said.err


@pytest.mark.parametrize("way", ["sync", "copy"])
def test_a_full_disk_is_one_sentence(user: User, way: str) -> None:
    user.redis.set("a", "x" * 10_000_000)
    user.redis.config_set("rdbcompression", "no")
    most = (1_000_000, 1_000_000)
    done = user.process(
        *("rdb", "save", "--via", way),
        preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_FSIZE, most),
    )
    sentence = f"cannot save to {FOLDER}: File too large; the files there are unchanged"
    assert done == Done(1, "", f"gitbackup: {sentence}\n")
    assert list(FOLDER.iterdir()) == [FOLDER / ".gitignore"]


def test_nobody_at_the_address_is_one_sentence(user: User) -> None:
    done = user.run("rdb", "save", "--url", "redis://127.0.0.1:1")
    assert (done.code, done.out) == (12, "")
    assert "no server answers at 127.0.0.1:1" in done.err
    assert not FOLDER.exists()


@pytest.mark.parametrize("command", ["save", "list", "verify"])
def test_every_command_has_examples_and_exit_codes_in_its_help(user: User, command: str) -> None:
    told = user.says("rdb", command, "--help")
    assert f"\n  Examples:\n    gitbackup rdb {command}" in told
    assert re.search(r"\n  Exit codes[^\n]*\n +0 +done, or nothing to do\n", told)
    assert [line for line in told.splitlines() if len(line) > 80] == []
