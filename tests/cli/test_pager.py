"""What a person reads on a terminal: in colour, through the pager, as git would have it."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path

import click
import pytest

from tests.cli.user import Done, User, text
from tests.store.plain import git

RED, GREEN, CYAN, BOLD, END = "\x1b[31m", "\x1b[32m", "\x1b[36m", "\x1b[1m", "\x1b[m"
PLAIN = text("""
    M  a  set
         - gone
         + here
""")
COLOURED = text(f"""
    {CYAN}M{END}  {BOLD}a{END}  set
         {RED}- gone{END}
         {GREEN}+ here{END}
""")


@pytest.fixture
def changed(user: User) -> User:
    user.redis.sadd("a", "gone")
    user.says("commit")
    user.redis.delete("a")
    user.redis.sadd("a", "here")
    return user


def settings(user: User, **wanted: str) -> None:
    for name, value in wanted.items():
        git(user.repo, "config", name.replace("_", "."), value)


def test_a_diff_on_a_terminal_is_in_colour(changed: User) -> None:
    assert changed.on_screen("diff") == Done(0, COLOURED, "")


def test_a_diff_into_a_pipe_is_not(changed: User) -> None:
    assert changed.process("diff") == Done(0, PLAIN, "")


@pytest.mark.few(1)
@pytest.mark.parametrize(
    ("words", "env", "shown"),
    [
        ((), {"NO_COLOR": "1"}, PLAIN),
        ((), {"NO_COLOR": ""}, COLOURED),
        ((), {"TERM": "dumb"}, PLAIN),
        (("--color", "never"), {}, PLAIN),
        (("--color", "auto"), {}, COLOURED),
        (("--color", "always"), {"NO_COLOR": "1"}, COLOURED),
    ],
)
def test_colours_can_be_had_or_not(
    changed: User, words: tuple[str, ...], env: Mapping[str, str], shown: str
) -> None:
    assert changed.on_screen("diff", *words, env=env) == Done(0, shown, "")


def test_colours_can_be_had_in_a_pipe(changed: User) -> None:
    assert changed.process("diff", "--color", "always") == Done(0, COLOURED, "")


@pytest.mark.few(1)
@pytest.mark.parametrize(
    ("setting", "shown"),
    [
        ({"color_ui": "never"}, PLAIN),
        ({"color_ui": "false", "color_diff": "auto"}, COLOURED),
        ({"color_ui": "true"}, COLOURED),
    ],
)
def test_git_s_setting_of_colours_is_ours(
    changed: User, setting: dict[str, str], shown: str
) -> None:
    settings(changed, **setting)
    assert changed.on_screen("diff") == Done(0, shown, "")


@pytest.mark.few(1)
@pytest.mark.parametrize(
    ("env", "setting", "pager"),
    [
        ({"PAGER": "tee PAGER"}, {}, "PAGER"),
        ({"PAGER": "tee PAGER"}, {"core_pager": "tee core"}, "core"),
        ({"PAGER": "tee PAGER"}, {"core_pager": "tee core", "pager_diff": "tee diff"}, "diff"),
        ({"PAGER": "tee PAGER"}, {"core_pager": "tee core", "pager_diff": "true"}, "core"),
        ({"PAGER": "tee PAGER", "GIT_PAGER": "tee GIT"}, {"core_pager": "tee core"}, "GIT"),
        ({"PAGER": "tee PAGER"}, {"pager_log": "tee log"}, "PAGER"),
    ],
)
def test_the_pager_is_the_one_that_git_would_take(
    changed: User, env: Mapping[str, str], setting: dict[str, str], pager: str
) -> None:
    settings(changed, **setting)
    before = {*Path.cwd().iterdir()}
    assert changed.on_screen("diff", env=env) == Done(0, COLOURED, "")
    assert {path.name for path in {*Path.cwd().iterdir()} - before} == {pager}
    assert Path(pager).read_text() == COLOURED


@pytest.mark.few(1)
@pytest.mark.parametrize(
    ("words", "env", "setting"),
    [
        (("--no-pager",), {"PAGER": "tee PAGER"}, {}),
        ((), {"PAGER": "tee PAGER", "GIT_PAGER": ""}, {}),
        ((), {"PAGER": "tee PAGER"}, {"core_pager": "cat"}),
        ((), {"PAGER": "tee PAGER"}, {"pager_diff": "false"}),
    ],
)
def test_no_pager_is_a_choice_too(
    changed: User, words: tuple[str, ...], env: Mapping[str, str], setting: dict[str, str]
) -> None:
    settings(changed, **setting)
    assert changed.on_screen("diff", *words, env=env) == Done(0, COLOURED, "")
    assert not Path("PAGER").exists()


def test_what_goes_into_a_pipe_is_not_paged(changed: User) -> None:
    assert changed.process("diff", env={"GIT_PAGER": "tee GIT"}).out == PLAIN
    assert not Path("GIT").exists()


@pytest.mark.long
@pytest.mark.parametrize("more", [[], ["HEAD:a"], ["HEAD:a", "--field", "gone"]])
def test_a_commit_and_a_key_are_paged_and_coloured_as_git_would(
    changed: User, more: list[str]
) -> None:
    words = ["show", *more]
    printed = changed.says(*words)
    coloured = changed.on_screen(*words).out
    assert click.unstyle(coloured).rstrip() == printed.rstrip()
    changed.on_screen(*words, env={"PAGER": "cat > PAGER"})
    paged = changed.normal(Path("PAGER").read_text())
    assert paged.rstrip() == changed.on_screen(*words, "--no-pager").out.rstrip()
    settings(changed, color_ui="false")
    assert changed.on_screen(*words).out.rstrip() == printed.rstrip()


@pytest.mark.long
def test_a_pager_can_be_without_colours(changed: User) -> None:
    settings(changed, color_pager="false")
    assert changed.on_screen("diff", env={"PAGER": "tee PAGER"}) == Done(0, PLAIN, "")
    assert changed.on_screen("diff", "--no-pager") == Done(0, COLOURED, "")


@pytest.mark.long
def test_a_pager_is_told_what_git_tells_it(changed: User) -> None:
    tells = {"PAGER": "cat >/dev/null; echo $LESS $LV"}
    assert changed.on_screen("diff", env=tells) == Done(0, "FRX -c\n", "")
    assert changed.on_screen("diff", env={**tells, "LESS": "S"}) == Done(0, "S -c\n", "")


def test_nothing_to_show_starts_no_pager(changed: User) -> None:
    shown = changed.on_screen("diff", "HEAD", "HEAD", env={"PAGER": "tee PAGER"})
    assert (shown, Path("PAGER").exists()) == (Done(0, "", ""), False)


def test_a_pager_that_there_is_not_is_named_and_the_output_is_there(changed: User) -> None:
    warning = "gitbackup: warning: no pager 'nowhere'\n"
    assert changed.on_screen("diff", env={"PAGER": "nowhere"}) == Done(0, COLOURED, warning)


@pytest.mark.long
def test_a_pager_that_is_quit_early_is_no_error(user: User) -> None:
    user.says("commit", "--allow-empty")
    user.redis.mset({f"user:{number}": "x" * 200 for number in range(2_000)})
    pager = {"PAGER": "head -n 1"}
    first = f"{GREEN}A{END}  {BOLD}user:0{END}  string\n"
    assert user.on_screen("diff", env=pager) == Done(0, first, "")
    assert user.on_screen("diff", "--exit-code", env=pager) == Done(1, first, "")


def test_an_error_starts_no_pager(changed: User) -> None:
    shown = changed.on_screen("diff", "HEAD", "nowhere", env={"PAGER": "tee PAGER"})
    assert (shown.code, shown.out, Path("PAGER").exists()) == (2, "", False)


@pytest.mark.long
def test_json_on_a_terminal_cannot_steer_it_and_is_the_same(changed: User) -> None:
    changed.redis.sadd("a", "\x7f\x9b31m\u202e")
    shown = changed.on_screen("diff", "--json").out
    assert shown.rstrip("\n").isprintable()
    assert json.loads(shown) == json.loads(changed.process("diff", "--json").out)
