"""The JSON Schemas that are shipped, and whether what a command prints is as they have it.

A schema promises what is there and lets more come; a test is stricter, for what comes is to be
written down: here an object has no member that its schema does not name.
"""

from __future__ import annotations

import json
from functools import cache
from importlib.resources import files
from typing import Any

from jsonschema import Draft202012Validator

FOLDER = files("gitbackup.report").joinpath("schemas")


def named() -> dict[str, dict[str, Any]]:
    """Every schema by the name that objects carry: `gitbackup.diff/1` is in diff-1.json."""
    found = {file.name: json.loads(file.read_text("utf-8")) for file in FOLDER.iterdir()}
    return {_name(file): found[file] for file in sorted(found)}


def _name(file: str) -> str:
    name, _, version = file.removesuffix(".json").rpartition("-")
    return f"gitbackup.{name}/{version}"


def check(line: str) -> dict[str, Any]:
    """The object on a line that a command printed, if it is what its schema says."""
    told: dict[str, Any] = json.loads(line)
    assert [*told][:1] == ["schema"], f"the first member is not the schema: {line}"
    wrong = next(_validator(told["schema"]).iter_errors(told), None)
    assert wrong is None, f"{told['schema']} at {wrong.json_path}: {wrong.message}"
    return told


@cache
def _validator(name: str) -> Draft202012Validator:
    schema = named().get(name)
    assert schema, f"gitbackup/report/schemas has no file for {name}"
    return Draft202012Validator(closed(schema))


def closed(schema: Any) -> Any:
    """The schema where an object's members are those that it names."""
    if isinstance(schema, list):
        return [closed(part) for part in schema]
    if not isinstance(schema, dict):
        return schema
    strict = {name: closed(part) for name, part in schema.items()}
    if isinstance(schema.get("properties"), dict):
        strict.setdefault("additionalProperties", False)
    return strict
