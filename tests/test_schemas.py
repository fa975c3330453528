"""The JSON Schemas that are shipped, against what is printed, for every command and every type."""

from __future__ import annotations

import gc
import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest
from jsonschema import Draft202012Validator

import gitbackup
from gitbackup.compare.diff import Diff
from gitbackup.model.changes import Action, KeyChange, KeyDiff
from gitbackup.model.keys import Key
from gitbackup.snapshot.compare import Comparison
from gitbackup.snapshot.file_format import encode_file
from tests.schemas import check, closed, named

SCHEMAS = named()
HOUSE = Path(gitbackup.__file__).parent
NAME = re.compile(r'"(gitbackup\.[a-z-]+/\d+)"')

KEPT = {"gitbackup.restore-journal/1"}
"""What is no command's output: a file among git's own."""

every_schema = pytest.mark.parametrize("name", SCHEMAS)


def test_every_object_that_is_printed_has_a_schema() -> None:
    """By the names in the code; and no schema is left over."""
    sources = (path.read_text("utf-8") for path in HOUSE.rglob("*.py"))
    named = {name for source in sources for name in NAME.findall(source)}
    assert named - KEPT == set(SCHEMAS)


@every_schema
def test_a_schema_is_valid_and_named_as_its_file(name: str) -> None:
    schema = SCHEMAS[name]
    Draft202012Validator.check_schema(schema)
    assert schema["properties"]["schema"]["const"] == schema["title"] == name
    assert schema["$id"] == f"urn:{name.replace('.', ':').replace('/', ':')}"


@every_schema
def test_a_schema_tells_of_every_member_what_it_is(name: str) -> None:
    assert [member for member, about in members(SCHEMAS[name]) if "description" not in about] == []


def members(schema: Any) -> Iterator[tuple[str, dict[str, Any]]]:
    """Every member that a schema names, however deep."""
    parts = schema.values() if isinstance(schema, dict) else schema
    if isinstance(schema, dict) and isinstance(schema.get("properties"), dict):
        yield from schema["properties"].items()
    for part in parts if isinstance(schema, dict | list) else ():
        if isinstance(part, dict | list):
            yield from members(part)


@every_schema
def test_a_schema_lets_more_members_come(name: str) -> None:
    """As README promises; the tests do not let them come unnoticed."""
    assert "additionalProperties" not in SCHEMAS[name]
    assert closed(SCHEMAS[name])["additionalProperties"] is False


def test_a_member_that_no_schema_names_is_found() -> None:
    """The check that every test of a command makes can fail."""
    good = '{"schema": "gitbackup.error/1", "error": "e", "exit_code": 1}'
    assert check(good)["error"] == "e"
    for wrong in ('"more": 1', '"exit_code": "1"', '"exit_code": 0'):
        with pytest.raises(AssertionError, match=r"gitbackup\.error/1 at \$"):
            check(good.replace('"exit_code": 1', f'"exit_code": 1, {wrong}'))
    with pytest.raises(AssertionError, match=r"no file for gitbackup\.errors/1"):
        check('{"schema": "gitbackup.errors/1"}')
    with pytest.raises(AssertionError, match="the first member is not the schema"):
        check('{"error": "e", "schema": "gitbackup.error/1"}')


class Files:
    """One side of a comparison, that notes which of its files are read."""

    def __init__(self, contents: Mapping[str, bytes]) -> None:
        self.files = {path: path for path in contents}
        self.opened: list[str] = []
        self._contents = contents

    def read(self, path: str) -> bytes:
        self.opened.append(path)
        return self._contents[path]


def side(value: str) -> Files:
    """A hundred files of ten keys, each with this value."""
    contents = {}
    for number in range(100):
        entries = {f"{number:02}:{n}": {"type": "string", "value": value} for n in range(10)}
        ((path, content),) = encode_file(f"db0/{number:02}.json", entries)
        contents[path] = content
    return Files(contents)


def test_a_diff_comes_key_by_key_in_bounded_memory() -> None:
    """The first when two files are read; never more than one key's objects alive at a time."""
    before, after = side("a"), side("b")
    names = [(path, f"{path[4:6]}:{n}") for path in before.files for n in range(10)]
    changes = [KeyChange(Key(0, name), Action.CHANGED, path, path) for path, name in names]
    stream = iter(Diff("", "", Comparison(before, after, changes)))
    assert next(stream).change.key.name == "00:0"
    assert (before.opened, after.opened) == (["db0/00.json"], ["db0/00.json"])
    alive = []
    for number, _ in enumerate(stream):
        if number % 250 == 100:
            alive.append(sum(isinstance(thing, KeyDiff) for thing in gc.get_objects()))
    assert alive == [1] * 4
    assert before.opened == after.opened == [*before.files]
