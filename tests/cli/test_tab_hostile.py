"""Keys that would be commands: what Tab makes of them in real shells runs nothing, and is exact.

A program `told` writes down which words a shell gives it. The shell is driven by a terminal.
"""

from __future__ import annotations

import fcntl
import os
import pty
import subprocess
import termios
import threading
import time
from contextlib import suppress
from pathlib import Path
from typing import Self

import pytest

from tests.cli.test_completion import PATH, needed
from tests.cli.user import User, surroundings
from tests.store.plain import git

pytestmark = pytest.mark.few(2)

START = {
    "bash": ("bash", "--norc", "--noprofile", "-i"),
    "zsh": ("zsh", "-f", "-i"),
    "fish": ("fish", "--no-config", "-i"),
}
SOURCE = {
    "bash": 'eval "$(gitbackup completion bash)"',
    "zsh": 'eval "$(gitbackup completion zsh)"',
    "fish": "gitbackup completion fish | source",
}
TOLD = """#!/bin/sh
printf '%s\\0' "$@" > "$TOLD.new"
mv "$TOLD.new" "$TOLD"
"""
PATIENCE = 30  # seconds, in which a shell has to do what it was told

NAMES = [
    "a$(touch PWNED)`touch PWNED`${HOME}",
    "'; touch PWNED; '",
    '"; touch PWNED; "',
    "a|touch PWNED & > PWNED <(touch PWNED)",
    "a!!b !touch",
    "back\\\\slash\\",
    " two  words *?[a]{b,c} ~ #x ^a^b =ls %1 ",
    "用户:张三@é 🙂 👩‍👩‍👧",
]
NEVER = ["new\nline; touch PWNED", "tab\tbed", "esc\x1b[2J\u202e\u200b"]
"""What no shell could show as it is: such names are not offered."""

QUOTES = {
    "none": ("", "HEAD:k{}", ""),
    "double": ("", '"HEAD:k{}', '"'),
    "single": ("", "'HEAD:k{}", "'"),
    "ansi": ("", "$'HEAD:k{}", "'"),
    "single later": ("", "HEAD:'k{}", "'"),
}
IMPOSSIBLE = {
    ("bash", "single"): "'",
    ("bash", "single later"): "'",
    ("bash", "double"): "!",
    ("bash", "ansi"): "'\\!",
}
"""What no name may hold that is offered within these quotes."""


class Shell:
    """An interactive shell at a terminal, in a folder; what it gives `told` is read from a file."""

    def __init__(self, name: str, folder: Path) -> None:
        (folder / "bin").mkdir(exist_ok=True)
        program = folder / "bin" / "told"
        program.write_text(TOLD)
        program.chmod(0o755)
        self._file = folder / "told"
        self._terminal, theirs = pty.openpty()
        around = {
            "PATH": f"{folder / 'bin'}{os.pathsep}{PATH}",
            "TOLD": str(self._file),
            "TERM": "xterm" if name == "fish" else "dumb",
            "LC_ALL": "C.UTF-8",
            "PS1": "",
            "PROMPT": "",
            "HOME": str(folder),
            "REDIS_URL": "redis://127.0.0.1:1",
        }
        self._process = subprocess.Popen(
            START[name],
            env=surroundings(around),
            stdin=theirs,
            stdout=theirs,
            stderr=theirs,
            start_new_session=True,
            preexec_fn=lambda: fcntl.ioctl(0, termios.TIOCSCTTY, 0),
        )
        os.close(theirs)
        self._drain = threading.Thread(target=self._read)
        self._drain.start()
        self._type(f"{SOURCE[name]}; told ready\n")
        assert self._told() == ["ready"]

    def words(self, typed: str, closing: str = "") -> list[str]:
        """The words that the shell makes of a line after Tab, and after what closes it."""
        self._type(f"{typed}\t{closing}\x01told \x05\n")
        return self._told()

    def _type(self, keys: str) -> None:
        os.write(self._terminal, keys.encode())

    def _told(self) -> list[str]:
        end = time.monotonic() + PATIENCE
        while not self._file.exists():
            assert time.monotonic() < end, "the shell waits for more"
            time.sleep(0.01)
        words = self._file.read_bytes().decode("utf-8", "surrogateescape").split("\0")[:-1]
        self._file.unlink()
        return words

    def _read(self) -> None:
        with suppress(OSError):
            while os.read(self._terminal, 1 << 16):
                pass

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *error: object) -> None:
        self._process.kill()
        self._process.wait()
        self._drain.join()
        os.close(self._terminal)


def nothing_ran(folder: Path) -> bool:
    return not list(folder.rglob("PWNED*"))


@pytest.mark.few(1)
@pytest.mark.parametrize("quotes", QUOTES)
@pytest.mark.parametrize("shell", START)
def test_a_hostile_key_is_completed_to_the_letter_or_not_at_all(
    user: User, tmp_path: Path, shell: str, quotes: str
) -> None:
    """Whatever quotes are open, and nothing is run by Tab nor by Enter."""
    needed(shell)
    if (shell, quotes) == ("fish", "ansi"):
        pytest.skip("fish has no such quotes")
    keys = [f"k{number}-{name}" for number, name in enumerate([*NAMES, *NEVER], 10)]
    user.redis.mset(dict.fromkeys(keys, 1))
    user.says("commit", "-m", "begin")
    _, begin, closing = QUOTES[quotes]
    wrong = []
    with Shell(shell, tmp_path) as at:
        for number, key in enumerate(keys, 10):
            impossible = set(key) & set(IMPOSSIBLE.get((shell, quotes), ""))
            impossible |= {'"'} if (shell, quotes, key[-1]) == ("bash", "double", '"') else set()
            offered = number - 10 < len(NAMES) and not impossible
            typed = f"gitbackup show {begin.format(number)}"
            expected = f"HEAD:{key}" if offered else f"HEAD:k{number}"
            words = at.words(typed, "" if offered else closing)
            if words != ["gitbackup", "show", expected]:
                wrong.append((key, words))
            assert nothing_ran(tmp_path), key
    assert wrong == []


@pytest.mark.long
@pytest.mark.parametrize("shell", START)
@pytest.mark.parametrize("name", ["$(touch PWNED)", "~root", "=ls", "!!", "-rf", "'x", '"', "`id`"])
def test_a_key_from_its_beginning_on(user: User, tmp_path: Path, shell: str, name: str) -> None:
    """A word that would be an option is not offered but after --, nor a home to fish."""
    needed(shell)
    user.redis.set(name, 1)
    user.says("commit", "-m", "begin")
    with Shell(shell, tmp_path) as at:
        assert at.words("gitbackup show HEAD:")[2:] == [f"HEAD:{name}"]
        never = name[0] == "-" or (name[0] == "~" and shell == "fish")
        expected = [] if never else [name]
        assert at.words("gitbackup restore HEAD ")[3:] == expected
    assert nothing_ran(tmp_path)


@pytest.mark.long
@pytest.mark.parametrize("shell", START)
def test_a_hostile_branch_is_completed_to_the_letter(
    user: User, tmp_path: Path, shell: str
) -> None:
    """As git allows names: without spaces, but with all that a shell would run."""
    needed(shell)
    user.redis.set("k", 1)
    user.says("commit", "-m", "begin")
    branches = ["u$(touch${IFS}PWNED)", "v`touch${IFS}PWNED`", "w;touch${IFS}PWNED", "x'|touch'y"]
    for branch in branches:
        git(user.repo, "branch", branch)
    with Shell(shell, tmp_path) as at:
        for branch in branches:
            assert at.words(f"gitbackup log {branch[0]}") == ["gitbackup", "log", branch]
            assert nothing_ran(tmp_path), branch


@pytest.mark.long
@pytest.mark.parametrize("shell", ["bash", "fish"])
def test_what_only_the_shell_can_tell_is_not_completed(
    user: User, tmp_path: Path, shell: str
) -> None:
    """Nor run: the person has not pressed Enter. (zsh's own Tab runs such a word, before us.)"""
    needed(shell)
    user.redis.mset({"k1": 1, "$(touch PWNED)": 1})
    user.says("commit", "-m", "begin")
    with Shell(shell, tmp_path) as at:
        for typed in ('"$(touch PWNED)HEAD:k', "$(touch PWNED)HEAD:k", '"$(touch PWNED'):
            at._type(f"gitbackup show {typed}\t\x15")
            assert at.words("gitbackup sta") == ["gitbackup", "status"]
            assert nothing_ran(tmp_path)
