"""What the pages for people show is run here, and is as they show it.

What README.md, the pages of docs/ and the format's reference say of commands, options, exit codes,
figures and files is so.
"""

from __future__ import annotations

import re
import subprocess
from collections.abc import Callable, Iterator
from functools import cache
from pathlib import Path

import click
import pytest

from gitbackup import Backup
from gitbackup.cli.app import app
from gitbackup.cli.arguments.before_command import SHARED
from gitbackup.cli.command_list import COMMANDS, FAMILIES
from gitbackup.cli.output.exit_codes import EXIT_CODES
from gitbackup.format import codec, layout
from gitbackup.kinds import CORE, search_index
from gitbackup.snapshot import file_format
from tests.kinds.examples import EXAMPLES
from tests.pages import (
    BLOCK,
    PROJECT,
    Shell,
    anchors,
    before,
    blocks,
    is_translation,
    links,
    name_of,
    pages,
    same_each_time,
    steps,
)
from tests.schemas import check, named
from tests.servers import LiveServer, StartServer

PAGES = {name_of(page): page.read_text("utf-8") for page in pages()}
FORMAT = (PROJECT / "data-git-backup" / "README.md").read_text("utf-8")
OTHERS = ("ARCHITECTURE.md", "CONTRIBUTING.md", "CHANGELOG.md", "SECURITY.md")
EVERYTHING = "\n".join(PAGES.values())
LONGEST_README = 250  # lines

ENGLISH = {name: page for name, page in PAGES.items() if not is_translation(name)}
RUN = [name for name, page in ENGLISH.items() if blocks(page, "console") or blocks(page, "python")]
every_page = pytest.mark.parametrize("name", PAGES)


@pytest.mark.long
@pytest.mark.parametrize("name", RUN)
def test_every_example(name: str, tmp_path: Path, start_server: StartServer) -> None:
    """In the order of the page, with the output that it shows, and the Python programs too."""
    shell = Shell(tmp_path, start_server(tcp=True).address)
    for command in before(PAGES[name]):
        shell.run(command)
    for block in blocks(PAGES[name], "console"):
        for command, shown in steps(block):
            output = shell.run(command)
            assert same_each_time(shown) == same_each_time(output), command
    shell.python("\n".join(blocks(PAGES[name], "python")))


@pytest.mark.parametrize("name", ["README.md", "README.zh-CN.md"])
def test_the_readme_is_read_in_one_sitting(name: str) -> None:
    assert len(PAGES[name].splitlines()) <= LONGEST_README


def test_every_page_is_linked_from_the_readme() -> None:
    linked = {target for target, _ in links("README.md", PAGES["README.md"])}
    assert ENGLISH.keys() - linked - {"README.md"} == set()


def test_every_object_that_is_shown_is_as_its_schema_has_it() -> None:
    """And all are shown but for what goes to and comes from elsewhere, what is hidden, and what
    RDB files are named."""
    shown = re.findall(r'^\{"schema": ?".*$', EVERYTHING, re.MULTILINE)
    names = {check(line)["schema"] for line in shown}
    elsewhere = {f"gitbackup.{name}/1" for name in ("push", "pull", "clone", "hidden", "forget")}
    elsewhere |= {f"gitbackup.{name}/1" for name in ("rdb", "rdb-save", "rdb-verify")}
    assert names == {*named()} - elsewhere


def test_every_command_is_on_a_page() -> None:
    """Whatever `gitbackup --help` lists."""
    assert [name for name in COMMANDS if f"gitbackup {name}" not in EVERYTHING] == []


def test_the_pages_have_the_families_of_the_help() -> None:
    """A command is in a heading of a page of its family, and README.md names it after that page."""
    for family in FAMILIES:
        pages = [PAGES[f"docs/{page}.md"] for page in family.pages]
        headings = " ".join(re.findall(r"^##? (.*)$", "\n".join(pages), re.MULTILINE))
        found = {*re.findall(r"[a-z]+", headings)} & COMMANDS.keys()
        assert found == family.commands.keys(), f"{family.pages}: the headings have other commands"
    (listed,) = re.findall(
        r"^- \*\*Commands\*\*: (.*?)\.$", PAGES["README.md"], re.DOTALL | re.MULTILINE
    )
    for page, names in re.findall(r"\(docs/([\w-]+)\.md\)\s+\(([^)]+)\)", listed):
        (family,) = [each for each in FAMILIES if page in each.pages]
        assert [*re.findall(r"\w+", names)] == [
            name for name in family.commands if name not in family.pages
        ]


def test_every_exit_code_is_in_the_table() -> None:
    """In the words of `gitbackup help exit-codes`."""
    table = PAGES["docs/help.md"].partition("## Exit codes")[2].partition("\n## ")[0]
    rows = re.findall(r"^\| (\d+) \| (.*) \|$", table, re.MULTILINE)
    assert {int(code): meaning.replace("`", "") for code, meaning in rows} == EXIT_CODES


@every_page
def test_every_command_line_has_commands_and_options_that_there_are(name: str) -> None:
    """Also those in the middle of a sentence."""
    wrong = [line for line in command_lines(PAGES[name]) if not understood(line)]
    assert wrong == []


def test_every_option_is_on_a_page() -> None:
    """By its long or its short name."""
    written = {*re.findall(r"(?<![\w-])--?[A-Za-z][\w-]*", EVERYTHING)} | {"--help"}
    both = {(name, *option.opts) for name in COMMANDS for option in options_of(name)}
    assert sorted(names for names in both if written.isdisjoint(names)) == []


@pytest.mark.parametrize("name", [*PAGES, *OTHERS, "data-git-backup/README.md"])
def test_every_link_leads_somewhere(name: str) -> None:
    """To a file of the project, and to a heading that it has."""
    text = (PROJECT / name).read_text("utf-8")
    assert [link for link in links(name, text) if not there(*link)] == []


def test_every_page_is_in_the_site_and_links_to_nothing_outside() -> None:
    """As `mkdocs build --strict` would say in CI: a page needs its line in .mkdocs.yml."""
    site = (PROJECT / ".mkdocs.yml").read_text("utf-8")
    listed = re.findall(r"^ +- .*: (\S+\.md)$", site, re.MULTILINE)
    assert sorted(listed) == sorted({*PAGES, *OTHERS, "data-git-backup/README.md"})
    targets = {
        path for name in listed for path, _ in links(name, (PROJECT / name).read_text("utf-8"))
    }
    assert {path for path in targets if not path.endswith((".svg", ".png"))} <= {*listed}


def test_the_readme_s_figures_are_those_of_the_pages_that_have_them_all() -> None:
    """Of how fast it is, and of how it was tried."""
    performance, torture = PAGES["docs/performance.md"], PAGES["docs/torture.md"]
    section = PAGES["README.md"].partition("## How fast it is")[2].partition("\n## ")[0]
    rows = re.findall(r"^\| ([^|]+) \| ([\d.]+) \| ([\d.]+) \|$", section, re.MULTILINE)
    assert len(rows) > 4
    assert [row for row in rows if f"| {row[1]} | {row[2]} |" not in performance] == []
    (tried,) = re.findall(r"In ([\d,]+) trials, ([\d,]+) with a fault", PAGES["README.md"])
    assert f"{tried[0]} trials, {tried[1]} of them with a fault" in torture


def there(path: str, anchor: str) -> bool:
    return (PROJECT / path).exists() and (not anchor or anchor in anchors(path))


def command_lines(page: str) -> Iterator[str]:
    """Whatever is shown as typed, from `gitbackup` on, without what a shell does with it."""
    fenced = "\n".join(content for _, content in BLOCK.findall(page))
    typed = re.findall(r"(?<![\w/.-])(?:\S*/)?(gitbackup [^\n]*)", fenced)
    typed = [line for line in typed if re.match(r"gitbackup [\w-]+", line)]
    inline = re.findall(r"`(gitbackup [^`]+)`", BLOCK.sub("", page))
    for line in [*typed, *(" ".join(each.split()) for each in inline)]:
        yield re.split(r" [|>#] | > ?|[;()\"]| && ", line)[0].rstrip()


def understood(line: str) -> bool:
    """Whether there are such a command and such options."""
    words = line.split()[1:]
    while words and words[0] in SHARED:  # which may stand before the command
        del words[: 2 if SHARED[words[0]] else 1]
    command = next((word for word in words if not word.startswith("-")), "")
    given = {word.partition("=")[0] for word in words if re.match("--[a-z]", word)} - {"--help"}
    if command in COMMANDS:
        return given <= {word for option in options_of(command) for word in option.opts}
    return command in ("", "COMMAND") and given <= {"--version"}


@cache
def options_of(name: str) -> list[click.Parameter]:
    """Of a command, and of its own commands."""
    command = app.get_command(click.Context(app), name)
    assert command is not None
    inner = command.commands.values() if isinstance(command, click.Group) else ()
    all_parameters = [each for one in (command, *inner) for each in one.params]
    return [each for each in all_parameters if isinstance(each, click.Option)]


def test_the_format_reference_has_the_rule_of_the_layout() -> None:
    """Word for word what the code says that it does."""
    rule = (layout.__doc__ or "").partition("1.  ")[2].strip()
    assert rule in FORMAT


@pytest.mark.parametrize("example", blocks(FORMAT, "json"))
def test_every_example_of_the_format_reference(
    example: str, tmp_path: Path, valkey: LiveServer
) -> None:
    """It is canonical to the byte; and what a server can hold comes back from one so."""
    if '"format"' in example:
        scope = file_format.read_manifest(example.encode())
        assert example.encode() == file_format.manifest(scope)
        return
    found = file_format.decode_file("db0/_.json", example.encode())
    entries = {key.name: entry for key, entry in found.items()}
    assert example.encode() == codec.encode(entries)
    if {entry["type"] for entry in entries.values()} <= CORE:
        assert example == _through_a_server(tmp_path, valkey, example)


@pytest.mark.parametrize("page", ["data-git-backup/README.md", "docs/servers.md"])
def test_every_example_of_a_search_index(page: str) -> None:
    """It is written as gitbackup writes it."""
    text = (PROJECT / page).read_text("utf-8")
    (example,) = re.findall(r"^```\n(FT\.CREATE.*?)^```", text, re.DOTALL | re.MULTILINE)
    assert search_index.parse(example.encode()).text.decode() == example


@pytest.mark.long
@pytest.mark.parametrize("name", [name for name, some in EXAMPLES.items() if some.brand])
def test_every_example_of_a_type_that_few_servers_know(
    name: str, tmp_path: Path, running: Callable[[str], LiveServer]
) -> None:
    (example,) = (block for block in blocks(FORMAT, "json") if f'"type": "{name}"' in block)
    server = running(EXAMPLES[name].brand)
    assert example == _through_a_server(tmp_path, server, example)


def _through_a_server(folder: Path, server: LiveServer, example: str) -> str:
    """Commits the example by hand, restores it, and commits what the server then holds."""
    backup = Backup(folder, server.url)
    backup.commit("nothing yet")
    (folder / "db0").mkdir()
    (folder / "db0" / "_.json").write_text(example, "utf-8")
    identity = ["-c", "user.name=a person", "-c", "user.email=a@example.org"]
    for words in (["add", "."], [*identity, "commit", "--quiet", "-m", "by hand"]):
        subprocess.run(["git", "-C", str(folder), *words], check=True)
    assert Backup(folder, server.url).restore("HEAD", lambda plan: True).whole
    again = Backup(folder, server.url).commit("by gitbackup", allow_empty=True)
    assert again.summary.counts.changed == 0
    return (folder / "db0" / "_.json").read_text("utf-8")
