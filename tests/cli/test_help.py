from __future__ import annotations

import re
import sys
from keyword import iskeyword
from pathlib import Path

import click
import pytest

from gitbackup import errors
from gitbackup.cli import commands
from gitbackup.cli.app import INTERRUPTED, app
from gitbackup.cli.arguments.before_command import SHARED
from gitbackup.cli.command_list import COMMANDS, FAMILIES
from gitbackup.cli.output.exit_codes import EXIT_CODES
from tests.cli.user import Done, User

TOP = "gitbackup --help"
every_command = pytest.mark.parametrize("command", COMMANDS)


@every_command
def test_every_command_has_examples_and_exit_codes_in_its_help(user: User, command: str) -> None:
    told = user.says(command, "--help")
    assert f"\n  Examples:\n    gitbackup {command}" in told
    assert "\n  Exit codes (all of them: gitbackup help exit-codes):\n    0  done" in told
    assert told == user.says(command, "-h") == user.says("help", command)


@pytest.mark.parametrize("command", [*COMMANDS, None])
def test_help_fits_a_terminal_of_eighty_columns(user: User, command: str | None) -> None:
    told = user.says(*([command] if command else []), "--help")
    assert [line for line in told.splitlines() if len(line) > 80] == []


@pytest.mark.parametrize("command", [*COMMANDS, None])
def test_help_breaks_no_option_at_its_hyphen(user: User, command: str | None) -> None:
    told = user.says(*([command] if command else []), "--help")
    assert [line for line in told.splitlines() if re.search(r"\w-$", line)] == []


def test_help_tells_what_is_a_command_s_own_first(user: User) -> None:
    own, shared = user.says("diff", "--help").split("\nCommon options:\n")
    assert [option in own for option in ("--stat", "--url", "--json", "--help")] == [
        *(True, False, False, False)
    ]
    assert all(option in shared for option in ("--repo", "--color", "--no-pager", "--help"))
    assert "    1  failed, or something changed, with --exit-code\n" in shared


@every_command
def test_every_command_is_in_the_list_of_commands(user: User, command: str) -> None:
    width = max(map(len, COMMANDS))
    assert f"\n  {command:<{width}}  {COMMANDS[command]}\n" in user.says("--help")


def test_every_command_is_a_file_of_its_name() -> None:
    (folder,) = commands.__path__
    files = {file.stem for file in Path(folder).glob("*.py")} - {"__init__"}
    listed = {name + "_" * iskeyword(name) for name in COMMANDS}
    assert files - listed == set(), "in no family: add a line in gitbackup/cli/command_list.py"
    assert listed - files == set()


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
    monkeypatch.setitem(FAMILIES[0].commands, "greet", "Say hello.")
    try:
        assert user.says("greet", "you") == "hello you\n"
        assert "Say hello." in user.says("--help")
        done = user.run("gret", "you")
        assert (done.code, done.err.count("Did you mean 'greet'?")) == (2, 1)
    finally:
        sys.modules.pop(f"{commands.__name__}.greet", None)


def test_help_lists_the_commands_by_family(user: User) -> None:
    told = user.says("help")
    assert told == user.says("--help")
    titles = [line[:-1] for line in told.splitlines() if re.fullmatch(r"[A-Z].*:", line)]
    assert titles == ["Options", *(family.title for family in FAMILIES)]
    listed = re.findall(r"^  ([a-z]+) +[A-Z]", told.partition("Record")[2], re.MULTILINE)
    assert listed == [*COMMANDS]


def test_a_command_of_a_command_has_help_too(user: User) -> None:
    assert user.says("help", "rdb", "save") == user.says("rdb", "save", "--help")


def test_the_exit_codes_are_told_in_one_place(user: User) -> None:
    """Those of the errors, of success and of an interruption, with no line too long."""
    told = user.says("help", "exit-codes")
    found = {int(code) for code in re.findall(r"^  (\d+) ", told, re.MULTILINE)}
    classes = [value for value in vars(errors).values() if isinstance(value, type)]
    raised = {each.exit_code for each in classes if issubclass(each, errors.GitbackupError)}
    assert found == {*EXIT_CODES} == raised | {0, INTERRUPTED}
    assert [line for line in told.splitlines() if len(line) > 80] == []


@pytest.mark.parametrize(
    ("before", "after"),
    [
        (["--repo", "elsewhere", "log", "--json"], ["log", "--repo", "elsewhere", "--json"]),
        (["--repo=elsewhere", "--json", "log"], ["log", "--repo", "elsewhere", "--json"]),
        (["--repo", "elsewhere", "rdb", "list"], ["rdb", "list", "--repo", "elsewhere"]),
        (["--repo", "", "log"], ["log", "--repo", ""]),
        (
            ["--url", "redis://nowhere:1", "--timeout", "-1", "status"],
            ["status", "--timeout", "-1"],
        ),
        (["--no-pager", "--color", "never", "log"], ["log", "--no-pager", "--color", "never"]),
    ],
)
def test_an_option_that_commands_share_may_stand_before_the_command(
    user: User, before: list[str], after: list[str]
) -> None:
    user.says("commit", "--allow-empty", "--repo", "elsewhere", "-m", "there")
    done, same = user.run(*before), user.run(*after)
    assert done == Done(same.code, same.out, same.err.replace("gitbackup log --help", TOP))


def test_an_option_behind_the_command_counts_more_than_one_before_it(
    user: User, monkeypatch: pytest.MonkeyPatch
) -> None:
    """And each of them more than the environment."""
    for name in ("first", "second"):
        user.says("commit", "--allow-empty", "--repo", name, "-m", name)
    monkeypatch.setenv("GITBACKUP_REPO", "nowhere")
    assert user.says("--repo", "first", "log", "--oneline").endswith("first\n")
    assert user.says("--repo", "first", "log", "--oneline", "--repo", "second").endswith("second\n")


def test_the_options_before_a_command_are_those_that_it_has() -> None:
    """By their names, and with or without a value."""
    root = click.Context(app)
    commands = [app.get_command(root, name) for name in COMMANDS]
    inner = [
        each for one in commands if isinstance(one, click.Group) for each in one.commands.values()
    ]
    params = [param for command in (*commands, *inner) if command for param in command.params]
    flags = {
        name: param.is_flag
        for param in params
        for name in param.opts
        if isinstance(param, click.Option)
    }
    assert {name: metavar is None for name, metavar in SHARED.items()} == {
        name: flags[name] for name in SHARED
    }


def test_a_command_on_its_own_shows_the_list(user: User) -> None:
    done = user.run()
    assert (done.code, done.out) == (2, "")
    assert done.err == user.says("--help")


@pytest.mark.parametrize(
    ("words", "sentence"),
    [
        (["comit"], "No such command 'comit'. Did you mean 'commit'? See gitbackup --help"),
        (["zzz"], "No such command 'zzz'. See gitbackup --help"),
        (["help", "comit"], "No such command 'comit'. Did you mean 'commit'? See gitbackup --help"),
        (["help", "rdb", "zzz"], "No such command 'zzz'. See gitbackup rdb --help"),
        (
            ["help", "log", "rdb"],
            "log has no commands of its own: leave out 'rdb'. See gitbackup log --help",
        ),
        (
            ["help", "exit-codes", "3"],
            "exit-codes is all there is to say: leave out '3'. See gitbackup help --help",
        ),
        (["--insecure", "log"], "log has no option '--insecure'. See gitbackup --help"),
        (
            ["--repo", "x", "completion", "bash"],
            "completion has no option '--repo'. See gitbackup --help",
        ),
        (["--zzz"], "No such option '--zzz'. See gitbackup --help"),
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
