"""The man pages: one for each command, from its help and its docs page, and right for `man`."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
from pathlib import Path

import click
import pytest

from gitbackup.cli.app import app
from gitbackup.cli.command_list import COMMANDS
from gitbackup.cli.manual import roff, write
from gitbackup.cli.output.exit_codes import EXIT_CODES

DOCS = Path(__file__).parents[2] / "docs"


@pytest.fixture(scope="module")
def pages(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    folder = tmp_path_factory.mktemp("man")
    return {path.stem: path for path in write(DOCS, folder)}


def shown(page: Path) -> str:
    """A page as `man` shows it; what `man` complains of is an error."""
    if shutil.which("man") is None:
        if os.environ.get("CI"):
            pytest.fail("man is not installed", pytrace=False)
        pytest.skip("man is not installed")
    done = subprocess.run(
        ["man", "--warnings=w", "-E", "UTF-8", "-l", page],
        env={**os.environ, "MANWIDTH": "80", "MANROFFSEQ": "", "LC_ALL": "C.UTF-8"},
        capture_output=True,
        text=True,
        check=True,
    )
    assert done.stderr == "", page.name
    return re.sub(r".\x08", "", done.stdout)


def test_every_command_has_a_page(pages: dict[str, Path]) -> None:
    """Commands of a command, too."""
    root = click.Context(app)
    groups = {name: app.get_command(root, name) for name in COMMANDS}
    inner = {
        f"{name}-{below}"
        for name, group in groups.items()
        if isinstance(group, click.Group)
        for below in group.commands
    }
    assert pages.keys() == {"gitbackup", *(f"gitbackup-{name}" for name in (*COMMANDS, *inner))}


@pytest.mark.long
def test_every_page_is_shown_without_a_warning(pages: dict[str, Path]) -> None:
    for page in pages.values():
        assert shown(page).startswith("GITBACKUP")


def test_a_page_has_the_help_and_what_docs_say(pages: dict[str, Path]) -> None:
    told = " ".join(shown(pages["gitbackup-restore"]).replace("\u2010\n", "").split())
    for part in (
        "gitbackup-restore - Make the database equal to a commit",
        "gitbackup restore [OPTIONS] COMMIT-ISH [KEY-GLOB]...",
        "-y, --yes Do not ask.",
        "gitbackup restore @{yesterday} 'apikey:*' --no-delete --yes",
        "Restoring is safe on a live server: •",
        "-h, --help Show this message and exit.",
        "gitbackup(1), gitbackup-revert(1), gitbackup-undo(1)",
    ):
        assert part in told
    page = pages["gitbackup-restore"].read_text("utf-8")
    sections = re.findall(r"^\.SH (.*)$", page, re.MULTILINE)
    assert sections == [
        *("NAME", "SYNOPSIS", "DESCRIPTION", "OPTIONS", "COMMON OPTIONS", "EXAMPLES", "NOTES"),
        *("EXIT STATUS", "SEE ALSO"),
    ]


def test_the_page_of_all_lists_the_commands_and_the_exit_codes(pages: dict[str, Path]) -> None:
    page = pages["gitbackup"].read_text("utf-8").replace("\\-", "-")
    assert re.findall(r"\\fBgitbackup-([a-z]+)\(1\)", page) == [*COMMANDS]
    status = page.partition(".SH EXIT STATUS\n")[2].partition("\n.SH")[0]
    assert [int(code) for code in re.findall(r"^\\fB(\d+)\\fR$", status, re.MULTILINE)] == [
        *EXIT_CODES
    ]
    assert "\\fBREDISCLI_AUTH\\fR" in page


@pytest.mark.parametrize(
    ("markdown", "expected"),
    [
        ("It is `a\\b` and **so**.", [".PP", "It is \\fBa\\eb\\fR and \\fBso\\fR."]),
        ("See [the page](look.md), [it](https://a.b).", [".PP", "See the page, it (https://a.b)."]),
        (".dot\n'quote", [".PP", "\\&.dot \\(aqquote"]),
        (
            "Do:\n- one\n  more\n- two",
            [".PP", "Do:", ".IP \\(bu 2", "one more", ".IP \\(bu 2", "two"],
        ),
        (
            "```sh\n.a -b\n\n# c\n```",
            [".PP", ".RS 4", ".nf", "\\&.a \\-b", "", "# c", ".fi", ".RE"],
        ),
        ("| a | b |\n|---|---|\n| `x` | y |", [".TP", "\\fBx\\fR", "y"]),
        ("<!-- x -->\n### It", [".SS It"]),
    ],
)
def test_markdown_becomes_roff(markdown: str, expected: list[str]) -> None:
    assert [*roff(markdown)] == expected
