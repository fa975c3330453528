"""`gitbackup watch`, in a process: what it says, what wakes it, and how it ends."""

from __future__ import annotations

import re
import signal
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from tests.cli.user import GITBACKUP, Done, User, surroundings
from tests.schemas import check
from tests.store.plain import git
from tests.watching import eventually


class Service:
    """A watch that runs."""

    def __init__(self, user: User, *words: str) -> None:
        self._user = user
        self._process = subprocess.Popen(
            [*GITBACKUP, "watch", "--quiet", "0.05", *words],
            env=surroundings({}),
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
        )

    def line(self) -> str:
        """The next line of its log."""
        return self._user.normal(self.line_as_it_is())

    def line_as_it_is(self) -> str:
        assert self._process.stdout is not None
        return self._process.stdout.readline().decode()

    def end(self, how: signal.Signals = signal.SIGTERM) -> Done:
        """Stops it: how it ends, and what it has said that was not read."""
        if self._process.poll() is None:
            self._process.send_signal(how)
        out, err = self._process.communicate(timeout=60)
        normal = self._user.normal
        return Done(self._process.returncode, normal(out.decode()), normal(err.decode()))


@contextmanager
def service(user: User, *words: str) -> Iterator[Service]:
    started = Service(user, *words)
    try:
        yield started
    finally:
        started.end(signal.SIGKILL)


def head(user: User) -> str:
    return git(user.repo, "log", "-1", "--format=%s").strip()


@pytest.mark.long
@pytest.mark.parametrize("how", [signal.SIGINT, signal.SIGTERM])
def test_a_log_of_one_line_a_commit_until_it_is_stopped(user: User, how: signal.Signals) -> None:
    user.redis.set("config", "1")
    with service(user) as watch:
        assert watch.line() == "[id1] first commit: 1 key\n"
        assert watch.line() == "watching SERVER: 1 key, HEAD id1\n"
        user.redis.hset("user:1", "name", "ann")
        assert watch.line() == "[id2] user: 1 added\n"
        user.redis.delete("user:1")
        assert watch.line() == "[id3] user: 1 removed\n"
        assert watch.end(how) == Done(0, "", "")
    assert user.says("status").split("\n")[2] == "nothing changed since"
    assert git(user.repo, "status", "--porcelain") == ""


def test_it_ends_when_it_is_told_even_if_its_parent_blocks_signals(user: User) -> None:
    user.says("commit", "--allow-empty")
    before = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGTERM, signal.SIGCHLD})
    try:
        watch = Service(user)
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)
    assert watch.line() == "watching SERVER: 0 keys, HEAD id1\n"
    assert watch.end() == Done(0, "", "")


def test_it_begins_with_what_differs_from_head(user: User) -> None:
    user.says("commit")
    user.redis.set("config", "1")
    with service(user) as watch:
        assert watch.line() == "[id2] config added\n"
        assert watch.line() == "watching SERVER: 1 key, HEAD id2\n"


def test_json_is_one_object_a_commit(user: User) -> None:
    with service(user, "--json") as watch:
        first = check(watch.line_as_it_is())
        user.redis.set("config", "1")
        second = check(watch.line_as_it_is())
        done = watch.end()
    assert [first["commit"], second["commit"]] == user.commits()
    assert (first["parent"], second["parent"]) == (None, first["commit"])
    assert (first["keys"], second["keys"]) == (0, 1)
    assert second["schema"] == "gitbackup.watch/1"
    assert (second["consistency"], second["added"]) == ("point-in-time", 1)
    assert done == Done(0, "", "watching SERVER: 0 keys, HEAD id1\n")


@pytest.mark.long
def test_other_keys_go_along_with_those_that_match(user: User) -> None:
    user.says("init", "--quiet", "user:*:seen")
    with service(user, "--match", "user:*", "-m", "relay: {changes} ({counts})") as watch:
        watch.line()
        watch.line()
        user.redis.mset({"other": "1", "user:1:seen": "1"})
        time.sleep(0.5)  # it must not commit this
        assert len(user.commits()) == 1
        user.redis.set("user:1", "1")
        assert watch.line() == "[id2] relay: other added; user: 1 added (3 added)\n"
    assert user.says("status").split("\n")[2] == "nothing changed since"


@pytest.mark.long
def test_the_second_watch_is_told_and_a_commit_by_hand_is_not(user: User) -> None:
    with service(user) as watch:
        watch.line()
        watch.line()
        told = user.process("watch")
        assert (told.code, told.out) == (11, "")
        assert re.fullmatch(
            r"gitbackup: another run of gitbackup, process \d+, is watching in HERE/data-git-backup"
            r" already, since [\d:\- ]+\n",
            told.err,
        )
        user.redis.set("config", "1")
        user.says("commit", "--allow-empty", "-m", "by hand")


@pytest.mark.long
def test_what_a_person_commits_or_restores_meanwhile_is_its_base(user: User) -> None:
    with service(user, "--quiet", "4") as watch:
        watch.line()
        watch.line()
        user.redis.mset({"user:1": "1", "user:2": "1"})
        user.says("commit", "-m", "by hand")
        user.redis.set("user:3", "1")
        assert watch.line() == "[id3] user: 1 added\n"
        user.says("restore", "HEAD~2", "--yes")
        time.sleep(6)  # it must not commit this: the restore has
        assert head(user) == "restore of " + user.commits()[0][:7]
        user.redis.set("user:4", "1")
        assert watch.line() == f"[id{len(user.commits())}] user: 1 added\n"
    assert user.says("status").split("\n")[2] == "nothing changed since"


def test_with_a_setting_it_pushes(user: User) -> None:
    user.says("commit")
    elsewhere = user.repo.resolve().parent / "elsewhere"
    elsewhere.mkdir()
    user.run("push", str(elsewhere))
    git(user.repo, "config", "gitbackup.push", "on-commit")
    with service(user) as watch:
        watch.line()
        user.redis.set("config", "1")
        assert watch.line() == "[id2] config added\n"
        assert watch.line().startswith("pushed 1 commit to origin")


def test_who_may_not_track_is_told_which_right_is_missing(user: User) -> None:
    user.redis.execute_command("ACL", "SETUSER", "ann", "on", ">pw", "~*", "+@read", "+select")
    url = user.server.url.replace("unix://", "unix://ann:pw@")
    assert user.process("watch", "--url", url) == Done(
        12,
        "",
        "gitbackup: the user has no permission to run CLIENT TRACKING at SERVER: grant it"
        " with ACL SETUSER ... +client|tracking\n",
    )


@pytest.mark.parametrize(
    ("words", "sentence"),
    [
        (["-m", " "], "the message is empty; without -m, the subject lists what changed"),
        (["-m", "{}"], "unknown placeholder {}: use {changes} and {counts}"),
        (
            ["--quiet", "2", "--max-wait", "1"],
            "--max-wait is shorter than --idle",
        ),
    ],
)
def test_terms_that_make_no_sense_are_usage_errors(
    user: User, words: list[str], sentence: str
) -> None:
    assert user.run("watch", *words) == Done(2, "", f"gitbackup: {sentence}\n")
    assert not user.repo.exists()


def test_one_that_is_stopped_while_it_reads_leaves_nothing_behind(user: User) -> None:
    user.redis.mset({f"user:{number}": "x" * 100 for number in range(50_000)})
    with service(user) as watch:
        assert eventually(lambda: len(user.redis.client_list()) > 1)
        done = watch.end()
    assert (done.code, done.err) == (0, "")
    assert user.commits() == [] or len(done.out.splitlines()) == len(user.commits())
