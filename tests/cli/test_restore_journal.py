"""The restore journal: whatever instant a restore is killed at, the same words finish it.

Each run is a process of its own that kills itself, by a signal that nothing can catch, at a point
that has a name; then it is looked at what the next words make of that.
"""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import pytest

from tests.cli.user import Done, User, surroundings
from tests.servers import StartServer
from tests.store.plain import git

pytestmark = pytest.mark.few(2)

NOTE = "gitbackup/restoring"

KILL = """
import os, signal
def kill(*_, **__):
    os.kill(os.getpid(), signal.SIGKILL)
def before(owner, name):
    setattr(owner, name, kill)
def after(owner, name):
    real = getattr(owner, name)
    def done(*given, **words):
        result = real(*given, **words)
        kill()
    setattr(owner, name, done)
def state(name):
    from gitbackup.store.repository import restore_journal
    real = restore_journal._write
    def write(git, restores):
        restores = [*restores]
        real(git, restores)
        if restores and restores[-1].state == name:
            kill()
    restore_journal._write = write
def nth(owner, name, count):
    real, calls = getattr(owner, name), []
    def done(*given, **words):
        calls.append(name)
        return kill() if len(calls) == count else real(*given, **words)
    setattr(owner, name, done)
"""

POINTS = {
    "it has read": "from gitbackup.restore import preflight; before(preflight, 'probe')",
    "it is noted": "state('saving')",
    "HEAD is about to move": "from gitbackup.store.objects import refs; before(refs, 'move')",
    "HEAD has moved": "from gitbackup.store.objects import refs; after(refs, 'move')",
    "the work tree is about to follow":
        "from gitbackup.store.repository import worktree; before(worktree, 'follow')",
    "it is about to write": "state('writing')",
    "it has written": "from gitbackup.restore import apply; after(apply, 'apply')",
    "it has proved it": "from gitbackup.restore import restore; after(restore, 'read_again')",
    "it is about to record": "state('recording')",
    "HEAD is about to move again": "from gitbackup.store.objects import refs; nth(refs, 'move', 2)",
    "the work identical (tree is about to follow)":
        "from gitbackup.store.repository import worktree; nth(worktree, 'follow', 2)",
    "all is committed": "state('done')",
    "it is about to tell": "from gitbackup.cli import run_plan; before(run_plan, '_say_done')",
    "it has told": (
        "from gitbackup.store.repository.repository import Repository; "
        "before(Repository, 'end')"
    ),
}  # fmt: skip
UNTOUCHED = {"it has read", "it is noted", "HEAD is about to move"}
"""Points before which HEAD has not moved: nothing of the restore has happened."""


def killed(user: User, point: str, *words: str) -> None:
    """Runs a command that kills itself at that point."""
    program = f"{KILL}\n{POINTS[point]}\nimport sys\nfrom gitbackup.cli import main\nmain()"
    command = [sys.executable, "-c", program, *words]
    done = subprocess.run(command, env=surroundings({}), capture_output=True, check=False)
    assert done.returncode == -9, done


def journal(user: User) -> list[Mapping[str, object]]:
    file = user.repo / ".git" / NOTE
    content = file.read_text() if file.exists() else ""
    return json.loads(content)["open"] if content else []


def values(user: User) -> dict[str, str]:
    return {key.decode(): user.redis.get(key).decode() for key in sorted(user.redis.keys())}


ONE, TWO, LIVE = {"a": "1", "b": "1"}, {"a": "2", "c": "2"}, {"a": "live", "c": "2"}


@pytest.fixture
def two(user: User) -> User:
    """Two commits, and HEAD is what the database holds."""
    for state in (ONE, TWO):
        user.redis.flushall()
        user.redis.mset(state)
        user.says("commit", "-m", "state")
    return user


def expect_clean(user: User) -> None:
    """The journal is gone, and HEAD is what the database holds."""
    assert journal(user) == []
    assert user.says("diff") == ""
    assert git(user.repo, "status", "--porcelain") == ""
    assert user.run("status").err == ""


@pytest.mark.parametrize("point", POINTS)
def test_the_same_words_finish_it_and_undo_takes_it_back(two: User, point: str) -> None:
    killed(two, point, "restore", "HEAD~1", "--yes")
    done = two.run("restore", "HEAD~1", "--yes")
    assert (done.code, values(two)) == (0, ONE)
    expect_clean(two)
    two.says("undo", "--yes")
    assert values(two) == TWO
    expect_clean(two)


@pytest.mark.long
@pytest.mark.parametrize("point", [*POINTS][::2])
def test_an_accident_is_never_taken_for_the_goal(two: User, point: str) -> None:
    """Here HEAD itself is meant, and becomes what it is not to be."""
    two.redis.set("a", "live")
    killed(two, point, "restore", "HEAD", "--yes")
    assert (two.run("restore", "HEAD", "--yes").code, values(two)) == (0, TWO)
    expect_clean(two)
    assert '"value": "live"' in git(two.repo, "log", "-p", "--all")


@pytest.mark.long
@pytest.mark.parametrize("point", [point for point in POINTS if point not in UNTOUCHED])
def test_undo_takes_back_what_was_cut_off(two: User, point: str) -> None:
    """And not an earlier restore, of which the history tells too."""
    two.redis.set("z", "1")
    two.says("commit")
    two.redis.set("z", "2")
    two.says("restore", "HEAD", "z", "--yes")
    two.redis.set("a", "live")
    killed(two, point, "restore", "HEAD~4", "--yes")
    two.says("undo", "--yes")
    assert values(two) == LIVE | {"z": "1"}
    expect_clean(two)


@pytest.mark.long
@pytest.mark.parametrize("point", [*POINTS][1::2])
def test_an_undo_is_finished_and_never_undoes_itself(two: User, point: str) -> None:
    two.says("restore", "HEAD~1", "--yes")
    killed(two, point, "undo", "--yes")
    assert (two.run("undo", "--yes").code, values(two)) == (0, TWO)
    expect_clean(two)


@pytest.mark.long
@pytest.mark.parametrize("point", ["HEAD has moved", "it has written", "all is committed"])
def test_words_that_mean_another_commit_by_now_are_refused_off_a_terminal(
    two: User, point: str
) -> None:
    one = two.commits()[0]
    killed(two, point, "restore", "HEAD~1", "--yes")
    two.redis.set("new", "1")
    two.run("commit", "-m", "between")
    before, by_now = two.state(), git(two.repo, "rev-parse", "HEAD~1").strip()
    if by_now == one:
        pytest.skip("they mean the same")
    for words in (["--yes"], ["--dry-run"]):
        done = two.process("restore", "HEAD~1", *words)
        assert (done.code, two.state()) == (2, before)
        assert two.normal(one[:7]) in done.err
        assert two.normal(by_now[:7]) in done.err
    assert two.run("restore", one[:7], "--yes").code == 0
    assert values(two) == ONE
    expect_clean(two)
    two.says("undo", "--yes")
    assert values(two)["a"] == ("1" if point == "all is committed" else "2")


@pytest.mark.long
def test_they_are_asked_about_at_a_terminal(two: User) -> None:
    killed(two, "it is about to write", "restore", "HEAD~1", "--yes")
    two.redis.set("new", "1")
    two.run("commit", "-m", "between")
    before, noted = two.state(), journal(two)
    done = two.at_terminal("restore", "HEAD~1", types="n\n")
    assert (done.code, done.out) == (1, "nothing was changed\n")
    assert done.err == (
        "gitbackup: a restore of HEAD~1 was interrupted; HEAD~1 was commit id1 then, and is id3"
        " now: name id1 to finish it, or id3 to restore that one\nContinue with id1? [y/N]: n\n"
    )
    assert (two.state(), journal(two)) == (before, noted)
    done = two.at_terminal("restore", "HEAD~1", types="y\ny\n")
    assert (done.code, values(two)) == (0, ONE)
    expect_clean(two)


@pytest.mark.long
def test_what_an_earlier_run_wrote_is_committed_and_told_as_done(two: User) -> None:
    killed(two, "it has written", "restore", "HEAD~1", "--yes")
    done = two.run("restore", "HEAD~1", "--yes")
    assert (done.code, done.out) == (
        0,
        "already done: the database equals commit id1\nthe restored state is commit id4 (HEAD)\n",
    )
    expect_clean(two)


@pytest.mark.long
def test_a_no_and_a_second_kill_keep_it(two: User) -> None:
    killed(two, "it has written", "restore", "HEAD~1", "--yes")
    noted = journal(two)
    assert two.at_terminal("restore", "HEAD", types="n\n").code == 1
    assert two.at_terminal("restore", "HEAD", types="\x04").code == 130
    killed(two, "it has read", "restore", "HEAD", "--yes")
    assert journal(two) == noted
    assert (two.run("restore", "HEAD~1", "--yes").code, values(two)) == (0, ONE)
    expect_clean(two)


@pytest.mark.long
def test_one_that_is_begun_while_another_is_cut_off_does_not_make_it_forgotten(two: User) -> None:
    """Of some keys: then the other is unfinished still. Of all: then it is past."""
    killed(two, "it is about to write", "restore", "HEAD~1", "--yes")
    assert two.run("restore", "HEAD", "a", "--yes").code == 0
    two.redis.set("a", "live")
    assert two.run("restore", "HEAD", "a", "--yes").code == 0
    assert len(journal(two)) == 1
    done = two.process("restore", "HEAD~1", "--yes")  # which is another commit since
    assert (done.code, "name id1 to finish it" in done.err) == (2, True)
    two.redis.set("a", "live")
    assert two.run("restore", "HEAD", "--yes").code == 0
    expect_clean(two)


@pytest.mark.long
def test_a_revert_that_was_cut_off_is_told_with_the_command_that_finishes_it(two: User) -> None:
    two.says("config", "set", "quiet", "z")
    killed(two, "it has written", "revert", "HEAD", "--theirs", "--exclude", "c", "--yes")
    told = two.run("status").err
    assert told == (
        "gitbackup: warning: a revert of id2 is not finished: `gitbackup revert id2 --theirs"
        " --exclude c` finishes it, `gitbackup undo` takes it back\n"
    )
    assert two.run("revert", two.commits()[1], "--theirs", "--exclude", "c", "--yes").code == 0
    assert values(two) == {"a": "1", "b": "1", "c": "2"}
    expect_clean(two)


@pytest.mark.long
def test_a_commit_in_between_tells_of_it_and_is_what_is_there(two: User) -> None:
    killed(two, "it has written", "restore", "HEAD~1", "a", "--no-delete", "--yes")
    done = two.run("commit", "-m", "between")
    assert (done.code, done.err) == (
        0,
        "gitbackup: warning: a restore of id1 is not finished: `gitbackup restore id1 --no-delete"
        " a` finishes it, `gitbackup undo` takes it back\n",
    )
    assert two.says("diff") == ""
    assert two.run("restore", "HEAD~3", "a", "--no-delete", "--yes").code == 0
    assert two.run("restore", git(two.repo, "rev-list", "--max-parents=0", "HEAD").strip(), "a",
                   "--no-delete", "--yes").code == 0  # fmt: skip
    assert values(two) == {"a": "1", "c": "2"}
    expect_clean(two)


@pytest.mark.long
def test_undo_finds_the_one_that_was_cut_off_though_head_is_on_another_branch(two: User) -> None:
    git(two.repo, "branch", "other")
    killed(two, "it has written", "restore", "HEAD~1", "--yes")
    git(two.repo, "checkout", "--quiet", "other")
    two.run("undo", "--yes")
    assert values(two) == TWO
    expect_clean(two)


@pytest.mark.long
def test_one_into_another_server_is_finished_by_the_same_words(
    two: User, start_server: StartServer
) -> None:
    other = start_server()
    other.client().set("mine", "x")
    words = ("restore", "HEAD~1", "--to", other.url, "--yes")
    killed(two, "it has written", *words)
    two.redis.set("new", "1")
    two.says("commit", "-m", "between")
    one = two.commits()[0]
    assert two.run(*words).err.startswith(
        "gitbackup: a restore of HEAD~1 was interrupted; HEAD~1 was"
    )
    assert two.run("restore", "HEAD~1", "--yes").code == 0  # the other server's is not its own
    assert two.run("restore", one, *words[2:]).code == 0
    assert journal(two) == []


def test_what_an_older_gitbackup_noted_is_understood(two: User) -> None:
    """It had no commit of the state before, where HEAD was that."""
    one, head = two.commits()
    how: dict[str, Any] = {
        "patterns": [],
        "databases": None,
        "delete": True,
        "ttl": "keep",
        "undoes": None,
    }
    note = {"asked": json.dumps(["HEAD~1", how]), "commit": one, "head": head}
    file = two.repo / ".git" / NOTE
    file.write_text(json.dumps({**note, "replaced": head, "undoes": None}))
    two.redis.set("a", "1")
    assert two.run("undo", "--yes") == Done(
        2,
        "",
        "gitbackup: a restore of id1 was interrupted; commit id2 holds the previous"
        " state: `gitbackup restore id2` puts it back\n",
    )
    done = two.run("restore", "HEAD~1", "--yes")
    assert done.err == "gitbackup: continuing the same restore, which was interrupted\n"
    assert values(two) == ONE
    expect_clean(two)
    two.says("undo", "--yes")
    assert values(two) == TWO


def test_what_a_newer_gitbackup_notes_besides_is_left_out(two: User) -> None:
    killed(two, "it has written", "restore", "HEAD~1", "--yes")
    file = two.repo / ".git" / NOTE
    document = json.loads(file.read_text())
    document["open"] = [{**each, "by": "somebody"} for each in document["open"]]
    file.write_text(json.dumps(document))
    done = two.run("restore", "HEAD~1", "--yes")
    assert done.err == "gitbackup: continuing the same restore, which was interrupted\n"
    expect_clean(two)


@pytest.mark.parametrize("content", ["", "{", "[]", '{"schema": "gitbackup.restore-journal/9"}'])
def test_what_cannot_be_read_is_no_journal(two: User, content: str) -> None:
    (two.repo / ".git" / NOTE).write_text(content)
    two.says("restore", "HEAD~1", "--yes")
    assert values(two) == ONE
    expect_clean(two)


def merge(repo: Path) -> None:
    git(repo, "merge", "other")


def pick(repo: Path) -> None:
    git(repo, "cherry-pick", "other")


def rebase(repo: Path) -> None:
    git(repo, "rebase", "other")


@pytest.mark.parametrize(
    ("begin", "command"), [(merge, "merge"), (pick, "cherry-pick"), (rebase, "rebase")]
)
def test_in_the_midst_of_a_merge_nothing_is_restored(
    two: User, begin: Callable[[Path], None], command: str
) -> None:
    git(two.repo, "checkout", "--quiet", "-b", "other", "HEAD~1")
    file = two.repo / "db0" / "_.json"
    file.write_text(file.read_text().replace('"1"', '"3"'))
    git(two.repo, "commit", "--quiet", "-am", "three")
    git(two.repo, "checkout", "--quiet", "main")
    with pytest.raises((AssertionError, subprocess.CalledProcessError)):
        begin(two.repo)
    before = two.state()
    done = two.run("restore", two.commits()[0], "--yes")
    assert (done.code, two.state()) == (1, before)
    assert done.err.startswith(f"gitbackup: a {command} is in progress in HERE/data-git-backup:")
    assert f"`git {command} --abort`" in done.err


@pytest.mark.long
def test_undo_takes_back_what_head_s_narrower_scope_does_not_cover(user: User) -> None:
    user.redis.mset({"a": "1", "x:1": "1"})
    user.says("commit", "-m", "all")
    everything = user.commits()[0]
    user.says("init", "--exclude", "x:*")
    user.redis.delete("x:1")
    user.redis.set("a", "2")
    user.run("commit", "-m", "narrow")
    user.run("restore", everything, "--yes")
    assert values(user) == {"a": "1", "x:1": "1"}
    user.run("undo", "--yes")
    assert values(user) == {"a": "2"}
    user.redis.set("x:1", "precious")
    user.run("restore", everything, "--yes")
    assert "precious" in git(user.repo, "log", "-p", "--all")
    user.run("undo", "--yes")
    assert values(user) == {"a": "2", "x:1": "precious"}
