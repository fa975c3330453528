"""What the engine says, gathered from its source: every text of two words or more."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator, Sequence
from functools import cache
from itertools import product
from pathlib import Path
from typing import NamedTuple

import gitbackup
from gitbackup.model.amounts import TIMES, UNITS
from gitbackup.ui.words.sentences import CHOICE, PLACE, spellings

ROOT = Path(gitbackup.__file__).parent
ELSEWHERE = ("__init__.py", "cli/", "transfer/", "rdb/", "forget/", "live/rdb/", "report/")
"""Rooms that no page asks anything, and the one that knows of languages."""


TWO_WORDS = re.compile(r"[a-z]{2,}[,:;]? [a-z]{2,}|[a-z]{2,} \{\}|\{\}[,:;]? [a-z]{2,}")
COMMAND = re.compile(
    r"`?(git|gitbackup) [a-z-]+|db\{\}|--|# |\[ |export |.*([\\\x00]|\(\?|\w\|\w)", re.DOTALL
)
SAID = re.compile(r"[Ee]rror$|^(Busy|Damaged|Refused|TooLarge|NoRepository)$")


class Said(NamedTuple):
    """A text of the engine: its file, its shape, such as `commit {} has no key`, and whether it is
    more than a word, a command, a path or a regular expression."""

    file: str
    shape: str
    is_sentence: bool = False


def shape(text: str) -> str:
    """Return the words of a text, with `{}` for each place between them, or for several with only
    spaces between them."""
    plain = re.sub(r"\{\w*(![rs])?\}", "{}", text)
    return re.sub(r"^[ ,;:{}]+|[\s,{}]+$", "", re.sub(r" *(\{\} *)+", "{}", plain))


def shapes_of(pattern: str) -> set[str]:
    """Return the shapes of a pattern of a catalogue, and of what it may have besides."""
    whole = [*spellings(pattern), CHOICE.sub("{}", pattern)]
    parts = [part for choice in CHOICE.findall(pattern) for part in choice.split("|")]
    return {shape(PLACE.sub("{}", text)) for text in (*whole, *parts)} - {""}


@cache
def engine() -> frozenset[Said]:
    """Return all that the engine says, and what is wrong with what a page is asked for."""
    found = {each for path in ROOT.rglob("*.py") for each in _said(path)}
    units = [*UNITS, *(f"{unit}{s}" for _, unit in TIMES for s in ("", "s"))]
    return frozenset(found | {Said("model/amounts.py", unit) for unit in units})


def _said(path: Path) -> Iterator[Said]:
    file = path.relative_to(ROOT).as_posix()
    if file.startswith(ELSEWHERE):
        return
    tree = ast.parse(path.read_text("utf-8"))
    texts = _errors(tree) if file.startswith("ui/") else _Texts(tree).found
    for text in texts:
        told = TWO_WORDS.search(text) and not COMMAND.match(text)
        yield Said(file, shape(text), bool(told))


class _Texts(ast.NodeVisitor):
    """Every text but docstrings, and what is counted: `{} key`, `{} keys`."""

    def __init__(self, tree: ast.AST) -> None:
        self.found = list[str]()
        self.visit(tree)

    def visit_Expr(self, node: ast.Expr) -> None:
        if not isinstance(node.value, ast.Constant):
            self.generic_visit(node)

    def visit_Constant(self, node: ast.Constant) -> None:
        if isinstance(node.value, str):
            self.found.append(node.value)

    def visit_JoinedStr(self, node: ast.JoinedStr) -> None:
        self.found += _told(node)
        for value in node.values:
            if isinstance(value, ast.FormattedValue):
                self.generic_visit(value)

    def visit_Call(self, node: ast.Call) -> None:
        if isinstance(node.func, ast.Name) and node.func.id == "counted":
            nouns = [each.value for each in node.args if isinstance(each, ast.Constant)]
            self.found += _counted(nouns)
        self.generic_visit(node)


def _counted(nouns: Sequence[object]) -> Iterator[str]:
    """Yield how many of what are counted, for a noun, and its plural if it has one of its own."""
    if nouns:
        yield from (f"{{}} {noun}" for noun in (nouns[0], *(nouns[1:] or [f"{nouns[0]}s"])))


def _errors(tree: ast.AST) -> Iterator[str]:
    """Yield what errors are made with."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Call) and SAID.search(ast.unparse(node.func)):
            for each in node.args:
                yield from _told(each) if isinstance(each, ast.Constant | ast.JoinedStr) else ()


def _told(node: ast.expr) -> list[str]:
    """Return each text that an expression may be, with `{}` for what is not known."""
    if isinstance(node, ast.Constant):
        return [node.value] if isinstance(node.value, str) else ["{}"]
    if isinstance(node, ast.JoinedStr):
        return ["".join(each) for each in product(*map(_told, node.values))]
    if isinstance(node, ast.FormattedValue):
        return _told(node.value) if isinstance(node.value, ast.IfExp) else ["{}"]
    if isinstance(node, ast.IfExp):
        return [*_told(node.body), *_told(node.orelse)]
    return ["{}"]
