"""Plain git, as a person has it; and a commit of ours in one line."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Mapping
from datetime import datetime
from pathlib import Path

import pytest

from gitbackup.store.repository.repository import Repository

_PERSON = ("-c", "user.name=A Person", "-c", "user.email=person@example.org")


def git(folder: Path, *words: str, stdin: bytes = b"") -> str:
    """What `git <words>` says in a folder; it has to go well."""
    done = run_git(folder, *words, stdin=stdin)
    assert done.returncode == 0, done.stderr
    return done.stdout.decode("utf-8", "surrogateescape").rstrip("\n")


def settle(patch: pytest.MonkeyPatch, home: Path, settings: str) -> None:
    """Gives the user a home with these settings of git, as any version finds them."""
    home.mkdir(exist_ok=True)
    (home / ".gitconfig").write_text(settings)
    patch.setenv("HOME", str(home))
    patch.setenv("XDG_CONFIG_HOME", str(home / ".config"))
    patch.delenv("GIT_CONFIG_GLOBAL", raising=False)


def run_git(folder: Path, *words: str, stdin: bytes = b"") -> subprocess.CompletedProcess[bytes]:
    command = ["git", *_PERSON, *words]
    return subprocess.run(command, cwd=folder, input=stdin, capture_output=True, check=False)


def run_python(script: str, *arguments: str) -> subprocess.CompletedProcess[str]:
    """A script in a process of its own, that finds gitbackup where we do."""
    command = [sys.executable, "-c", script, *arguments]
    house = Path(__file__).parents[2]
    start = f"import sys; sys.path.insert(0, {str(house)!r})\n"
    command[2] = start + script
    return subprocess.run(command, capture_output=True, text=True, check=False)


def commit(
    repository: Repository,
    files: Mapping[str, bytes | None],
    message: str = "a commit\n",
    when: datetime | None = None,
) -> str:
    """Commits these files on HEAD and publishes them; None takes a file away."""
    with repository.lock(), repository.commit_writer(repository.head()) as writer:
        changes = {
            path: None if data is None else writer.blob(data) for path, data in files.items()
        }
        made = writer.commit(message, changes, when)
        writer.publish()
    return made


def quote_path(path: str) -> bytes:
    """A path as `git fast-import` reads it, with each byte as a C escape."""
    return b'"' + b"".join(b"\\%03o" % byte for byte in os.fsencode(path)) + b'"'


def work_tree(repository: Repository) -> dict[str, bytes]:
    """What is in the folder beside git's own."""
    found = (file for file in repository.path.rglob("*") if file.is_file())
    names = {file.relative_to(repository.path).as_posix(): file for file in found}
    return {name: f.read_bytes() for name, f in names.items() if not name.startswith(".git/")}


def everything(folder: Path) -> dict[str, bytes]:
    """Every file below a folder, git's own too."""
    files = (file for file in folder.rglob("*") if file.is_file())
    return {file.relative_to(folder).as_posix(): file.read_bytes() for file in files}
