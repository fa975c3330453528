"""What ARCHITECTURE.md and CONTRIBUTING.md say of the code: floors, paths and names are so."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from functools import cache
from pathlib import Path

import pytest

from tests.test_floors import FLOORS, HOUSE, ROOMS_WITHIN

PROJECT = HOUSE.parent
PAGES = ("ARCHITECTURE.md", "CONTRIBUTING.md")
ARCHITECTURE = (PROJECT / "ARCHITECTURE.md").read_text("utf-8")
FACES = sorted(HOUSE.rglob("__init__.py"))
ENDINGS = (".py", ".md", ".toml", ".json", ".css", ".js", ".txt")
ELSEWHERE = {"gitbackup.json", "fail_under"}
"""What is named so in a data repository, and in a tool's settings."""

UNASKED = {"__init__", "__main__", "progress", "live", "store"}
"""Rooms that answer no question of a user."""


def between(beginning: str, end: str) -> str:
    """What ARCHITECTURE.md has between these two."""
    _, found, rest = ARCHITECTURE.partition(beginning)
    assert found, beginning
    return rest.partition(end)[0]


def code_in(page: str) -> list[str]:
    """What stands in backticks, outside of blocks."""
    text = (PROJECT / page).read_text("utf-8")
    prose = re.sub(r"^```.*?^```", "", text, flags=re.DOTALL | re.MULTILINE)
    return re.findall(r"`([^`\n]+)`", prose)


def definitions(nodes: list[ast.stmt], within: str = "") -> Iterator[str]:
    """What these define, with the class that it is in: classes, functions, constants."""
    for node in nodes:
        if isinstance(node, ast.ClassDef):
            yield within + node.name
            yield from definitions(node.body, f"{within}{node.name}.")
        elif isinstance(node, ast.FunctionDef):
            yield within + node.name
        elif isinstance(node, ast.Assign):
            yield from (within + one.id for one in node.targets if isinstance(one, ast.Name))
        elif isinstance(node, ast.AnnAssign) and isinstance(node.target, ast.Name):
            yield within + node.target.id


def defined(path: Path) -> set[str]:
    return {*definitions(ast.parse(path.read_bytes()).body)}


@cache
def names() -> frozenset[str]:
    """What the package and the tests define, also without its class; and modules."""
    files = [*HOUSE.rglob("*.py"), *(PROJECT / "tests").rglob("*.py")]
    found = {name for path in files for name in defined(path)}
    modules = {path.stem for path in files}
    return frozenset(found | modules | {name.rpartition(".")[2] for name in found})


def is_path(word: str) -> bool:
    """Whether a word in backticks is to be a file or a folder of the project."""
    plain = re.fullmatch(r"[\w./-]+", word) and "NAME" not in word and word not in ELSEWHERE
    return bool(plain) and word.endswith(("/", *ENDINGS))


def name_in(word: str) -> str:
    """The function, method, class or constant that a word is to be; empty for anything else."""
    name = word.removesuffix("()")
    identifier = re.fullmatch(r"[A-Za-z_]\w*(\.[A-Za-z_]\w*)?", name)
    looks_so = word.endswith("()") or re.search(r"[a-z][A-Z]|_|^[A-Z][a-z]", name)
    ours = word not in ELSEWHERE and not is_path(word)
    return name if identifier and looks_so and ours else ""


def test_the_floors_are_those_that_the_code_is_held_to() -> None:
    drawn = between("<!-- floors -->\n```text\n", "\n```").splitlines()
    rooms = [sorted(line.partition("   ")[0].split()) for line in drawn]
    assert rooms == [sorted(floor) for floor in FLOORS]


def test_the_floors_within_rooms_are_those_that_the_code_is_held_to() -> None:
    drawn = between("<!-- rooms within -->\n```text\n", "\n```")
    lines = [line.split(maxsplit=1) for line in re.sub(r"\n +", " ", drawn).splitlines()]
    rooms = {room: [sorted(floor.split()) for floor in plan.split("/")] for room, plan in lines}
    assert rooms == {room: [sorted(one) for one in plan] for room, plan in ROOMS_WITHIN.items()}


def test_every_room_has_a_line() -> None:
    cells = re.findall(r"^\| `([^`]+)` \|", between("\n## Rooms\n", "\n## "), re.MULTILINE)
    folders = {str(path.parent.relative_to(HOUSE)) for path in FACES} - {"."}
    rooms = {room for floor in FLOORS for room in floor} | folders
    assert {cell.strip("/").removesuffix(".py") for cell in cells} == rooms - UNASKED


@pytest.mark.parametrize("page", PAGES)
def test_every_path_is_there(page: str) -> None:
    """From the project's folder on, or the package's."""
    paths = {*filter(is_path, code_in(page))}
    there = {path for path in paths for base in (PROJECT, HOUSE) if (base / path).exists()}
    assert sorted(paths - there) == []


@pytest.mark.parametrize("page", PAGES)
def test_every_name_is_there(page: str) -> None:
    assert sorted({*filter(None, map(name_in, code_in(page)))} - names()) == []


@pytest.mark.parametrize("page", PAGES)
def test_a_name_is_in_the_file_that_it_is_said_to_be_in(page: str) -> None:
    text = (PROJECT / page).read_text("utf-8")
    said = re.findall(r"`([\w.]+)\(\)`\s+in\s+`([\w./]+\.py)`", text)
    assert [(name, path) for name, path in said if name not in defined(HOUSE / path)] == []


@pytest.mark.parametrize("page", PAGES)
def test_every_link_leads_somewhere(page: str) -> None:
    text = (PROJECT / page).read_text("utf-8")
    files = re.findall(r"\]\(([^)#:]+)\)", text)
    assert [link for link in files if not (PROJECT / link).exists()] == []
    headings = {line.lower().replace(" ", "-") for line in re.findall("^#+ (.*)$", text, re.M)}
    assert {*re.findall(r"\]\(#([^)]+)\)", text)} - headings == set()


def test_every_room_says_what_it_is_for() -> None:
    """Also what it offers, and what it must not know: that takes more than a line."""
    docs = {path.parent: ast.get_docstring(ast.parse(path.read_bytes())) or "" for path in FACES}
    assert [str(room) for room, doc in docs.items() if len(doc.splitlines()) < 2] == []
    named = {name_in(word) for doc in docs.values() for word in re.findall("`([^`]+)`", doc)}
    assert sorted(named - {""} - names()) == []
