"""Tab in real shells: what becomes of the beginning of a word that a person types."""

from __future__ import annotations

import os
import pty
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Self

import pytest

from gitbackup.cli.commands.completion import SHELLS
from gitbackup.cli.completion.shell_line import in_bash
from tests.cli.user import User, surroundings, until
from tests.store.plain import run_git

PATH = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
SETTINGS = {
    "PATH": PATH,
    "TERM": "dumb",
    "PS1": "",
    "PROMPT": "",
    "REDIS_URL": "redis://127.0.0.1:1",
}
"""The server is one that nobody can reach: Tab never asks it."""

LINES = {
    "gitbackup sta": ["gitbackup", "status"],
    "gitbackup diff --exit": ["gitbackup", "diff", "--exit-code"],
    "gitbackup log bef": ["gitbackup", "log", "before-upgrade"],
    "gitbackup diff HEAD~1..bef": ["gitbackup", "diff", "HEAD~1..before-upgrade"],
    "gitbackup show HEAD:ap": ["gitbackup", "show", "HEAD:apikey:"],
    "gitbackup show HEAD:apikey:4": ["gitbackup", "show", "HEAD:apikey:42"],
    "gitbackup show before-upgrade:conf": ["gitbackup", "show", "before-upgrade:config"],
    "gitbackup restore HEAD~1 con": ["gitbackup", "restore", "HEAD~1", "config"],
    "gitbackup diff HEAD~1 HEAD con": ["gitbackup", "diff", "HEAD~1", "HEAD", "config"],
    "gitbackup export bef": ["gitbackup", "export", "before-upgrade"],
    "gitbackup export HEAD con": ["gitbackup", "export", "HEAD", "config"],
    "gitbackup show HEAD:od": ["gitbackup", "show", "HEAD:odd name's $HOME *"],
    "gitbackup --repo data-git-backup show HEAD:conf": [
        *("gitbackup", "--repo", "data-git-backup", "show", "HEAD:config")
    ],
    "gitbackup help exit": ["gitbackup", "help", "exit-codes"],
    "gitbackup show HEAD:none": ["gitbackup", "show", "HEAD:none"],
    "gitbackup show nowhere:a": ["gitbackup", "show", "nowhere:a"],
    "gitbackup show --repo nowhere HEAD:a": ["gitbackup", "show", "--repo", "nowhere", "HEAD:a"],
}
"""A line, and its words after Tab."""


class Terminal:
    """bash or zsh at a terminal."""

    START = {"bash": ("--norc", "--noprofile", "-i"), "zsh": ("-f", "-i")}  # noqa: RUF012

    def __init__(self, name: str) -> None:
        self._terminal, theirs = pty.openpty()
        self._process = subprocess.Popen(
            [name, *self.START[name]],
            env=surroundings(SETTINGS),
            start_new_session=True,
            stdin=theirs,
            stdout=theirs,
            stderr=theirs,
        )
        os.close(theirs)
        self._send(f"eval \"$(gitbackup completion {name})\"; echo '<rea''dy>'\n")
        self._until("<ready>")

    def words(self, line: str) -> list[str]:
        """The words that the line is after Tab, as the shell itself takes them."""
        self._send(f"{line}\t\x01printf '<%s>' \x05; echo '<to''ld>'\n")
        shown = self._until("<told>")
        assert "rror" not in shown
        return shown.removesuffix("><told>").rpartition("\n<")[2].split("><")

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *error: object) -> None:
        self._process.kill()
        self._process.wait()
        os.close(self._terminal)

    def _send(self, typed: str) -> None:
        os.write(self._terminal, typed.encode())

    def _until(self, what: str) -> str:
        return until(self._terminal, what.encode()).decode().replace("\r", "\n")


@pytest.fixture
def history(user: User) -> User:
    """Two commits, a tag, and more keys of one namespace than are shown at once."""
    user.redis.mset({f"apikey:{number}": 1 for number in range(5, 50)})
    user.redis.mset({"config": 1, "odd name's $HOME *": 1, "odd\x1bname": 1})
    user.says("commit", "-m", "begin")
    run_git(user.repo, "tag", "before-upgrade")
    user.redis.delete(*(f"apikey:{number}" for number in range(40, 50) if number != 42))
    user.says("commit", "-m", "fewer")
    return user


def needed(shell: str) -> None:
    """A shell that is not installed is a skip at home, and a failure in CI."""
    if shutil.which(shell):
        return
    if os.environ.get("CI"):
        pytest.fail(f"there is no {shell} on the PATH")
    pytest.skip(f"there is no {shell} on the PATH")


@pytest.mark.few(1)
@pytest.mark.parametrize("shell", ["bash", "zsh"])
def test_tab_completes_commands_commits_and_keys(history: User, shell: str) -> None:
    """A colon breaks no word, what is special is quoted, and what fails is silent."""
    needed(shell)
    with Terminal(shell) as terminal:
        assert {line: terminal.words(line) for line in LINES} == LINES


def test_tab_within_quotes_and_behind_an_assignment(history: User) -> None:
    """bash gives the word and the line otherwise there."""
    with Terminal("bash") as terminal:
        quoted = terminal.words("gitbackup show 'HEAD:apikey:4")
        assert quoted == ["gitbackup", "show", "HEAD:apikey:42"]
        assigned = terminal.words("A=b gitbackup show HEAD:conf")
        assert assigned == ["A=b", "gitbackup", "show", "HEAD:config"]


@pytest.mark.long
def test_tab_in_fish(history: User) -> None:
    """As fish itself lists what fits, with what a commit is about."""
    needed("fish")
    listed = (f"complete -C {line!r}" for line in ("gitbackup sta", "gitbackup show HEAD:apikey:4"))
    script = "; ".join(
        ["gitbackup completion fish | source", *listed, "complete -C 'gitbackup log bef'"]
    )
    done = subprocess.run(
        ["fish", "--no-config", "-c", script],
        env=surroundings(SETTINGS),
        capture_output=True,
        text=True,
        check=True,
    )
    assert (done.stdout, done.stderr) == (
        "status\tShow how the database differs from the last commit.\n"
        "HEAD:apikey:42\n"
        "before-upgrade\tbegin\n",
        "",
    )


def test_many_keys_are_offered_up_to_the_next_colon(user: User) -> None:
    """And no more of a namespace's keys than a person looks at."""
    user.redis.mset({f"usage:{n % 3}:{n}": 1 for n in range(60)})
    user.redis.mset({"usage:total": 1})
    user.says("commit", "-m", "begin")
    assert offered(user, "gitbackup show HEAD:usage:") == [
        "part\tHEAD:usage:0:\t",
        "part\tHEAD:usage:1:\t",
        "part\tHEAD:usage:2:\t",
        "plain\tHEAD:usage:total\t",
    ]
    assert len(offered(user, "gitbackup show HEAD:usage:2:")) == 20


def offered(user: User, line: str) -> list[str]:
    """What gitbackup tells a shell."""
    asks = {
        "_GITBACKUP_COMPLETE": "zsh",
        "_GITBACKUP_LINE": line,
        "REDIS_URL": "redis://127.0.0.1:1",
    }
    done = user.process(env=asks)
    assert (done.code, done.err) == (0, "")
    return done.out.splitlines()


def test_tab_without_a_repository_is_silent(user: User) -> None:
    for line in ("gitbackup show HEAD:a", "gitbackup log ", "gitbackup 'zz", "gitbackup zz "):
        assert offered(user, line) == []


@pytest.mark.parametrize(
    ("value", "line", "word", "put"),
    [
        ("HEAD:a b", "g HEAD:a", "a", "a\\ b"),
        ("HEAD:a", "g HEAD:", "", "a"),
        ("HEAD:a b", "g 'HEAD:a", "HEAD:a", "HEAD:a b"),
        ("HEAD:x:a$", "g HEAD:x:", "", "a\\$"),
        ("main", "g ma", "ma", "main"),
        ("main", "g ", "", "main"),
        ("HEAD:a$b", 'g "HEAD:a', "HEAD:a", "HEAD:a\\$b"),
        ("HEAD:a$b", "g HEAD:'a", "a", "a$b"),
        ("HEAD:a'b", "g 'HEAD:a", "HEAD:a", None),
        ("HEAD:a!b", 'g "HEAD:a', "HEAD:a", None),
        ("HEAD:a!b", "g HEAD:a", "a", "a\\!b"),
        ("HEAD:a\\b", "g $'HEAD:a", "HEAD:a", None),
        ("HEAD:用户:张三", "g HEAD:用户:", "", "张三"),
        ("~root", "g ", "", "\\~root"),
        ("HEAD:a$b", 'g "HEAD:$x', "HEAD:$x", None),
        ("HEAD:a", "g `HEAD:a", "a", None),
        ("HEAD:a", "g other", "", None),
    ],
)
def test_what_bash_is_given_to_put_in(value: str, line: str, word: str, put: str | None) -> None:
    assert in_bash(value, line, word) == put


@pytest.mark.parametrize("shell", SHELLS)
def test_the_script_of_every_shell_is_printed(user: User, shell: str) -> None:
    assert "_GITBACKUP_COMPLETE=" + shell in user.says("completion", shell)
