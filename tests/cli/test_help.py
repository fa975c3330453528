from __future__ import annotations

import sys
from keyword import iskeyword
from pathlib import Path

import pytest

from gitbackup.cli import commands
from gitbackup.cli.app import COMMANDS
from tests.cli.user import Done, User

every_command = pytest.mark.parametrize("command", COMMANDS)


@every_command
def test_every_command_has_examples_and_exit_codes_in_its_help(user: User, command: str) -> None:
    told = user.says(command, "--help")
    assert f"\n  Examples:\n    gitbackup {command}" in told
    assert "\n  Exit codes:\n    0    done, or nothing to do\n" in told
    assert told == user.says(command, "-h")


@pytest.mark.parametrize("command", [*COMMANDS, None])
def test_help_fits_a_terminal_of_eighty_columns(user: User, command: str | None) -> None:
    told = user.says(*([command] if command else []), "--help")
    assert [line for line in told.splitlines() if len(line) > 80] == []


def test_help_tells_what_is_a_command_s_own_first(user: User) -> None:
    own, shared = user.says("diff", "--help").split("\nCommon options:\n")
    assert [option in own for option in ("--stat", "--url", "--json", "--help")] == [
        *(True, False, False, False)
    ]
    assert all(option in shared for option in ("--repo", "--color", "--no-pager", "--help"))
    assert "    1    failed, or something changed, with --exit-code\n" in shared


@every_command
def test_every_command_is_in_the_list_of_commands(user: User, command: str) -> None:
    width = max(map(len, COMMANDS))
    assert f"\n  {command:<{width}}  {COMMANDS[command]}\n" in user.says("--help")


def test_every_command_is_a_file_of_its_name() -> None:
    (folder,) = commands.__path__
    files = {file.stem for file in Path(folder).glob("*.py")} - {"__init__"}
    assert files == {name + "_" * iskeyword(name) for name in COMMANDS}


def test_a_file_and_a_line_in_the_list_make_a_command(
    user: User, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "greet.py").write_text(
        "import click\n"
        "@click.command()\n"
        "@click.argument('name')\n"
        "def greet(name: str) -> None:\n"
        "    click.echo(f'hello {name}')\n"
    )
    monkeypatch.setattr(commands, "__path__", [*commands.__path__, str(tmp_path)])
    monkeypatch.setitem(COMMANDS, "greet", "Say hello.")
    try:
        assert user.says("greet", "you") == "hello you\n"
        assert "Say hello." in user.says("--help")
        done = user.run("gret", "you")
        assert (done.code, done.err.count("Did you mean 'greet'?")) == (2, 1)
    finally:
        sys.modules.pop(f"{commands.__name__}.greet", None)


def test_a_command_on_its_own_shows_the_list(user: User) -> None:
    done = user.run()
    assert (done.code, done.out) == (2, "")
    assert done.err == user.says("--help")


@pytest.mark.parametrize(
    ("words", "sentence"),
    [
        (["comit"], "No such command 'comit'. Did you mean 'commit'? See gitbackup --help"),
        (["zzz"], "No such command 'zzz'. See gitbackup --help"),
        (["--nope"], "No such option '--nope'. See gitbackup --help"),
        (["restore"], "Missing argument 'COMMIT-ISH'. See gitbackup restore --help"),
        (
            ["restore", "HEAD", "--ttl", "forever"],
            "Invalid value for '--ttl': 'forever' is not one of 'keep', 'remaining', 'none'."
            " See gitbackup restore --help",
        ),
        (
            ["show", "HEAD", "a", "more"],
            "Got unexpected extra argument (more) See gitbackup show --help",
        ),
    ],
)
def test_wrong_usage_is_one_sentence(user: User, words: list[str], sentence: str) -> None:
    assert user.run(*words) == Done(2, "", f"gitbackup: {sentence}\n")


def test_the_version_is_the_package_s(user: User) -> None:
    assert user.says("--version").startswith("gitbackup ")
