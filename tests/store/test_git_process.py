"""A git command that is talked with."""

from __future__ import annotations

import gc
import os
import signal
from pathlib import Path

import pytest

from gitbackup.store.git import open_repository
from gitbackup.store.git.command import Commands
from gitbackup.store.repository.repository import Repository


@pytest.fixture
def commands(repository: Repository) -> Commands:
    found = open_repository.find(repository.path)
    assert found
    return found


def processes() -> set[str]:
    """The git processes that are ours and run."""
    told = set()
    for process in Path("/proc").glob("[0-9]*"):
        try:
            _, name, _, parent = (process / "stat").read_text().split(maxsplit=4)[:4]
        except OSError:  # it has ended meanwhile
            continue
        if name == "(git)" and parent == f"{os.getpid()}":
            told.add(process.name)
    return told


def test_its_pipes_close_with_the_object(commands: Commands) -> None:
    """Or Python warns of them, and prints a traceback where warnings are errors."""
    talk = commands.start("cat-file", "--batch")
    pipes = [talk.stdin, talk.stdout]
    del talk
    gc.collect()
    assert all(pipe.closed for pipe in pipes)


@pytest.mark.skipif(not Path("/proc/self").exists(), reason="processes are told by /proc")
def test_it_dies_with_the_object(commands: Commands) -> None:
    before = processes()
    talk = commands.start("cat-file", "--batch")
    talk.stdin.write(b"never sent")
    assert len(processes() - before) == 1

    del talk
    gc.collect()
    assert processes() - before == set()


def test_it_can_be_killed(commands: Commands) -> None:
    assert commands.start("cat-file", "--batch").kill().status == -signal.SIGKILL


def test_a_command_speaks_english_whatever_the_user_does(
    commands: Commands, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("LC_ALL", "de_DE.UTF-8")
    monkeypatch.setenv("LANGUAGE", "de")

    assert "ambiguous argument" in commands.attempt("rev-parse", "nothing").error


def test_a_command_that_nobody_talks_with_has_nothing_to_read(commands: Commands) -> None:
    assert commands.attempt("hash-object", "--stdin").out.decode().strip() == (
        Repository.blob_id(b"")
    )
