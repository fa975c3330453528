"""A new Redis type is one file in kinds/, and one line in its registry: nothing else names one."""

from __future__ import annotations

import ast
import inspect
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from gitbackup.kinds import CORE, KINDS, Abilities, Kind, kind_named, normal_entry
from gitbackup.kinds.opaque import Opaque
from gitbackup.live.protocol.error_replies import name_of
from tests.kinds.examples import EXAMPLES
from tests.test_floors import SOURCES, module_of, tree_of

ALL = [*KINDS.values(), Opaque("bloom")]
KEY = b"key"

NAME_TYPES = {
    "cli.commands.demo": "the commands that a visitor is to run",
    "transfer.redis_dump": "the types of another program's format",
}
"""The only modules outside kinds/ that may name a Redis type or a command of one."""

MEAN_OTHERS = {
    "cli.commands.config": {"list", "set"},  # its subcommands
    "cli.commands.rdb": {"list"},  # a subcommand
    "diff.documents": {"list"},  # a form in which deepdiff gives paths
    "model.changes": {"stream"},  # a part of an entry, as JSON names it
    "store.objects.attributes": {"set"},  # what git says of an attribute
    "store.metadata.notes": {"list"},  # a subcommand of git
    "ui.pages.settings": {"set"},  # what is done to a setting
    "ui.words.sentences": {"list"},  # a place in a sentence
}
"""The words that mean something else there."""

COMMON = {"DUMP", "RESTORE", "OBJECT", "OBJECT ENCODING", "TYPE", "TIME", "SCAN", "GET", "SET"}
"""Commands that are of no type alone: CONFIG has a GET and a SET."""


def commands_of(kind: Kind) -> set[str]:
    """The names of the commands that read and write a type."""
    server = Abilities(field_expiry=True)
    reading = [*next(kind.read(KEY, server)), *kind.more_reads(KEY, server)]
    sample = kind.sample(server)
    writing = [*kind.write(KEY, sample, server)] if sample else []
    found = {name_of(command) for command in (*reading, *writing)} | {*kind.replies}
    return (found | {name.partition(" ")[0] for name in found}) - COMMON


def said(module: str) -> Iterator[str]:
    """The text of every constant of a module, but its docstrings."""
    for node in ast.walk(tree_of(module)):
        if isinstance(node, ast.Constant) and isinstance(node.value, str | bytes):
            value = node.value
            yield value if isinstance(value, str) else value.decode("latin-1")


def test_every_kind_has_the_whole_protocol() -> None:
    known = {name: item for name, item in vars(Kind).items() if not name.startswith("_")}
    for kind in ALL:
        assert not inspect.isabstract(type(kind))
        public = {name for name in dir(kind) if not name.startswith("_")}
        assert public == known.keys() | {"name"}, kind.name
        for name, item in known.items():
            if inspect.isfunction(item):
                ours = inspect.signature(getattr(type(kind), name))
                assert [*ours.parameters] == [*inspect.signature(item).parameters], name


def test_a_kind_is_registered_under_what_the_type_command_calls_it() -> None:
    assert {name: kind.name for name, kind in KINDS.items()} == {name: name for name in KINDS}
    assert kind_named("bloom").name == "bloom"


def test_each_kind_is_a_file_of_its_own() -> None:
    files = [module_of(Path(inspect.getfile(type(kind)))) for kind in ALL]
    assert len({*files}) == len(files)
    assert {f"kinds.{name}" for name in (*CORE, "opaque")} <= {*files}


def test_outside_kinds_only_these_modules_name_a_type() -> None:
    words = {*KINDS}.union(*(commands_of(kind) for kind in KINDS.values()))
    assert {"HSET", "XADD", "XINFO STREAM", "ZRANGE", "LRANGE", "SSCAN", "STRLEN"} <= words
    found = {
        module: named
        for module in SOURCES
        if not module.startswith("kinds")
        and (named := (words & {*said(module)}) - MEAN_OTHERS.get(module, set()))
    }
    assert found.keys() == NAME_TYPES.keys(), found


def test_every_word_that_means_something_else_is_still_there() -> None:
    assert {module: words & {*said(module)} for module, words in MEAN_OTHERS.items()} == MEAN_OTHERS


@pytest.mark.parametrize("kind", KINDS.values(), ids=KINDS)
@pytest.mark.parametrize("field_expiry", [False, True])
def test_the_sample_of_a_kind_is_an_entry_of_it_that_such_a_server_can_hold(
    kind: Kind, field_expiry: bool
) -> None:
    server = Abilities(field_expiry=field_expiry)
    sample = kind.sample(server)
    assert sample is not None
    assert normal_entry(sample) == sample
    assert sample["type"] == kind.name
    assert kind.needs(sample).field_expiry <= field_expiry


@pytest.mark.parametrize(
    ("kind", "value"),
    [(KINDS[name], value) for name, some in EXAMPLES.items() for value in some.values[:4]],
)
def test_the_rows_of_a_value_are_as_many_as_they_say(kind: Kind, value: Any) -> None:
    rows = kind.rows(value)
    assert len([*rows.rows]) == rows.total


@pytest.mark.parametrize(
    ("kind", "value"),
    [(KINDS[name], value) for name, some in EXAMPLES.items() for value in some.values[:4]],
)
def test_a_value_differs_in_nothing_from_itself_and_is_created_as_it_is_written(
    kind: Kind, value: Any
) -> None:
    assert kind.diff(value, value, lambda *text: []) == []
    assert kind.least_memory(value) >= 0
    created = kind.create("key", value)
    if created is not None and b"base64:" not in str(value).encode():
        entry = {"type": kind.name, "value": value}
        written = [*kind.write(KEY, entry, Abilities())]
        assert created[0] in {command[0] for command in written}
