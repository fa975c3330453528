"""Vector sets of Redis 8: each element with its vector, its attributes, and its place in the graph.

VADD cannot make them again to the last bit: it divides each vector by its length, which rounds,
chooses levels by chance, and draws the matrix of REDUCE at random. So they are read from their
dump, in which these things stand one by one, and loaded from one.
"""

from __future__ import annotations

import base64
import math
import re
import struct
from collections.abc import Iterator, Sequence
from typing import Any

from gitbackup.format import codec
from gitbackup.kinds import module_dump
from gitbackup.kinds.base import (
    Abilities,
    Command,
    Holds,
    Kind,
    Mask,
    PartOf,
    Reading,
    Row,
    Rows,
    TextChanges,
    TextParts,
    check_not_empty,
    normal_object,
    normal_text,
)
from gitbackup.kinds.comparing import by_name, changed, leaf
from gitbackup.kinds.module_dump import TEXT, UNSIGNED, Item, ModuleDump
from gitbackup.model.changes import ABSENT, Part, ValueChange
from gitbackup.model.keys import MASK, Entry

MODULE = 0xBDE72DA2BB1EB400
"""The id of the type, with the first version of what it saves."""

SERVER_FORMAT = 12
"""The version of the dumps of Redis 8.0, which all servers with vector sets read."""

QUANTIZATIONS = ("f32", "int8", "bin")
VALUE = {"dimension", "quantization", "m", "elements"}
ELEMENT = {"vector", "norm", "graph"}
REDUCED, ATTRIBUTED = 1, 2  # bits: whether there is a matrix of REDUCE, and whether attributes
GRAPH = re.compile(r"(?:0|[1-9][0-9]{0,19})(?: (?:0|[1-9][0-9]{0,19}))*")
SAMPLE = {
    "dimension": 1,
    "quantization": "f32",
    "m": 16,
    "elements": {"": {"vector": "AACAPw==", "norm": 1, "graph": "1 16777216 0 32 0"}},
}
MOST = 2**64 - 1
LEVEL = 0xFFFFFF  # the bits of an element's level; those above are the version of its numbers


class VectorSet(Kind):
    name = "vectorset"
    holds = Holds.MEMBERS
    floats = True
    known_by = "VADD"

    def read(self, key: bytes, server: Abilities) -> Reading:
        dump, type_ = yield [("DUMP", key), ("TYPE", key)]
        if dump is None:
            return None
        value = _value(codec.raw(dump)) if type_ == self.name else None
        if value is None:
            return {"type": type_, "value": {"dump": _in_base64(codec.raw(dump))}}
        return {"type": type_, "value": value}

    def canonicalize(self, value: Any) -> Any:
        if not isinstance(value, dict) or not VALUE <= value.keys() <= VALUE | {"reduced_from"}:
            raise ValueError("the value does not have the members of a vector set")
        if value["quantization"] not in QUANTIZATIONS:
            raise ValueError("the quantization is not f32, int8 or bin")
        dimension = _number(value["dimension"], "the dimension")
        normal = {name: value[name] for name in ("dimension", "quantization")}
        normal["m"] = _number(value["m"], "m", 2**24 - 1)
        if "reduced_from" in value:
            normal["reduced_from"] = _normal_matrix(value["reduced_from"], dimension)
        check_not_empty(value["elements"])
        elements = normal_object(value["elements"], "the elements")
        size = _bytes_of(value["quantization"], dimension)
        is_int8 = value["quantization"] == "int8"
        normal["elements"] = {
            name: _normal_element(element, size, is_int8) for name, element in elements.items()
        }
        return normal

    def are_canonical(self, values: Sequence[Any]) -> bool:
        return False

    def written(self, value: Any) -> Any:
        elements = value["elements"]
        odd = {
            name: {
                **element,
                **{at: codec.written(element[at]) for at in ("norm", "range") if at in element},
            }
            for name, element in elements.items()
            if codec.is_odd(element["norm"]) or codec.is_odd(element.get("range", 0))
        }
        return {**value, "elements": {**elements, **odd}} if odd else value

    def sample(self, server: Abilities) -> Entry:
        return {"type": self.name, "value": SAMPLE}

    def write(self, key: bytes, entry: Entry, server: Abilities) -> Iterator[Command]:
        yield "RESTORE", key, 0, _dump(entry["value"])

    def change(
        self, key: bytes, before: Entry, after: Entry, server: Abilities
    ) -> Iterator[Command] | None:
        return iter(()) if before["value"] == after["value"] else None

    def elements(self, value: Any) -> int:
        return len(value["elements"])

    def least_memory(self, value: Any) -> int:
        return sum(map(len, value["elements"]))

    def part(self, value: Any, name: str) -> Any:
        return value["elements"][name]

    def parts(self, value: Any, text: TextParts) -> Iterator[PartOf]:
        for name, element in _apart(value["elements"]).items():
            yield PartOf(Part.FIELD, name, (), element)

    def diff(self, before: Any, after: Any, texts: TextChanges) -> list[ValueChange]:
        old, new = before["elements"], after["elements"]
        changes = [
            change
            for name in (*(VALUE - {"elements"}), "reduced_from")
            for change in leaf(Part.VALUE, name, before.get(name, ABSENT), after.get(name, ABSENT))
        ]
        changes.sort(key=lambda change: change.name)
        changes += by_name(Part.FIELD, _apart(old), _apart(new), leaf)
        relinked = sum(old[name]["graph"] != new[name]["graph"] for name in old.keys() & new.keys())
        if relinked and not changes:
            note = f"the links of {relinked} elements differ"
            changes.append(changed(Part.VALUE, "links", None, None, note))
        return changes

    def masked(self, value: Any, mask: Mask) -> Any:
        elements: dict[str, Any] = {}
        for name, element in value["elements"].items():
            shown = mask.text(name)
            shown = f"{shown} {len(elements)}" if shown in elements else shown
            hidden = mask.whole or mask.hides(name)
            elements[shown] = {
                **element,
                **({"vector": MASK} if hidden else {}),
                **({"attributes": MASK if hidden else mask.text(element["attributes"])}
                   if "attributes" in element else {}),
            }  # fmt: skip
        return {**value, "elements": elements}

    def rows(self, value: Any) -> Rows:
        found = (
            Row(name, element.get("attributes", element["vector"]))
            for name, element in value["elements"].items()
        )
        return Rows(found, len(value["elements"]), "element", "elements")


def _apart(elements: dict[str, Any]) -> dict[str, Any]:
    """Return elements without their places in the graph, which change with their neighbours'."""
    return {
        name: {part: held for part, held in element.items() if part != "graph"}
        for name, element in elements.items()
    }


def _value(dump: bytes) -> dict[str, Any] | None:
    """Return the value that a dump holds, its text loose; None if it is of a later form."""
    try:
        found = module_dump.read(dump)
        return _taken_apart(found.items) if found.module == MODULE else None
    except ValueError:
        return None


def _taken_apart(items: Sequence[Item]) -> dict[str, Any]:
    """Return the value of a dump's items. Raises ValueError if they are in another order."""
    dimension, count, config, flags = module_dump.numbers(items[:4])
    if flags & ~(REDUCED | ATTRIBUTED) or config & 0xFF >= len(QUANTIZATIONS):
        raise ValueError("a later form")
    quantization = QUANTIZATIONS[config & 0xFF]
    value: dict[str, Any] = {
        "dimension": dimension,
        "quantization": quantization,
        "m": config >> 8,
    }
    at = 4
    if flags & REDUCED:
        (larger,) = module_dump.numbers(items[at : at + 1])
        value["reduced_from"] = {
            "dimension": larger,
            "matrix": _in_base64(_bytes_at(items, at + 1)),
        }
        at += 2
    elements: dict[str, Any] = {}
    for _ in range(count):
        name, at = codec.loose(_bytes_at(items, at)), at + 1
        element: dict[str, Any] = {}
        if flags & ATTRIBUTED:
            attributes, at = _bytes_at(items, at), at + 1
            if attributes:
                element["attributes"] = codec.loose(attributes)
        element["vector"], at = _in_base64(_bytes_at(items, at)), at + 1
        (size,) = module_dump.numbers(items[at : at + 1])
        *graph, last = module_dump.numbers(items[at + 1 : at + 1 + size])
        if len(graph) != size - 1:
            raise ValueError("a number is missing")
        at += 1 + size
        norm, reach = struct.unpack("<ff", last.to_bytes(8, "little"))
        element["norm"] = _score(norm)
        if quantization == "int8":
            element["range"] = _score(reach)
        element["graph"] = _sorted_graph(graph)
        elements[name] = element
    if at != len(items) or len(elements) != count:
        raise ValueError("a later form")
    return {**value, "elements": elements}


def _sorted_graph(numbers: Sequence[int]) -> str:
    """Return an element's place in the graph, its links sorted: a server that loads it sorts them.

    Raises ValueError for numbers that make none.
    """
    if len(numbers) < 2:
        raise ValueError("a graph has no id, or no level")
    found, at = [*numbers[:2]], 2
    for _ in range((numbers[1] & LEVEL) + 1):
        if at + 1 >= len(numbers):
            raise ValueError("a graph ends before its last level")
        end = at + 2 + numbers[at]
        found += [*numbers[at : at + 2], *sorted(numbers[at + 2 : end]), *numbers[end : end + 1]]
        at = end + 1
    if at != len(numbers):
        raise ValueError("a graph has too many numbers, or too few")
    return " ".join(map(str, found))


def _in_base64(data: bytes) -> str:
    return base64.b64encode(data).decode("ascii")


def _score(number: float) -> int | float | str:
    if math.isnan(number):
        raise ValueError("not a number")
    return codec.score(number)


def _bytes_at(items: Sequence[Item], at: int) -> bytes:
    kind, value = items[at] if at < len(items) else (TEXT, None)
    if kind != TEXT or not isinstance(value, bytes):
        raise ValueError("a text is missing")
    return value


def _dump(value: dict[str, Any]) -> bytes:
    """Return a dump that holds a canonical value, its elements by their ids, the last one first."""
    elements, reduced = value["elements"], value.get("reduced_from")
    attributed = any("attributes" in element for element in elements.values())
    flags = (REDUCED if reduced else 0) | (ATTRIBUTED if attributed else 0)
    config = value["m"] << 8 | QUANTIZATIONS.index(value["quantization"])
    items = [Item(UNSIGNED, n) for n in (value["dimension"], len(elements), config, flags)]
    if reduced:
        items.append(Item(UNSIGNED, reduced["dimension"]))
        items.append(Item(TEXT, base64.b64decode(reduced["matrix"])))
    graphs = {name: [*map(int, elements[name]["graph"].split())] for name in elements}
    for name in sorted(elements, key=lambda name: graphs[name][0], reverse=True):
        element, graph = elements[name], graphs[name]
        items.append(Item(TEXT, codec.data(name)))
        if attributed:
            items.append(Item(TEXT, codec.data(element.get("attributes", ""))))
        items.append(Item(TEXT, base64.b64decode(element["vector"])))
        sizes = (codec.number(element["norm"]), codec.number(element.get("range", 0)))
        last = int.from_bytes(struct.pack("<ff", *sizes), "little")
        items += (Item(UNSIGNED, n) for n in (len(graph) + 1, *graph, last))
    return module_dump.written(ModuleDump(MODULE, items), SERVER_FORMAT)


def _bytes_of(quantization: str, dimension: int) -> int:
    """Return how many bytes a vector takes."""
    if quantization == "bin":
        return (dimension + 63) // 64 * 8
    return dimension if quantization == "int8" else 4 * dimension


def _number(value: Any, what: str, most: int = 2**32 - 1) -> int:
    if type(value) is not int or not 0 < value <= most:
        raise ValueError(f"{what} is not a number from 1 to {most}")
    return value


def _normal_matrix(reduced: Any, dimension: int) -> dict[str, Any]:
    if not isinstance(reduced, dict) or reduced.keys() != {"dimension", "matrix"}:
        raise ValueError('reduced_from is not {"dimension": ..., "matrix": ...}')
    larger = _number(reduced["dimension"], "the dimension of reduced_from")
    matrix = _normal_bytes(reduced["matrix"], "the matrix", 4 * larger * dimension)
    return {"dimension": larger, "matrix": matrix}


def _normal_bytes(value: Any, what: str, size: int) -> str:
    try:
        data = base64.b64decode(value, validate=True)
    except (TypeError, ValueError):
        raise ValueError(f"{what} is not base64") from None
    if len(data) != size:
        raise ValueError(f"{what} does not have {size} bytes")
    return _in_base64(data)


def _normal_element(element: Any, size: int, is_int8: bool) -> dict[str, Any]:
    needed = ELEMENT | {"range"} if is_int8 else ELEMENT
    if not isinstance(element, dict) or not needed <= element.keys() <= needed | {"attributes"}:
        raise ValueError("an element lacks a member, or has one that is unknown")
    normal: dict[str, Any] = {"vector": _normal_bytes(element["vector"], "a vector", size)}
    if element.get("attributes"):
        normal["attributes"] = normal_text(element["attributes"], "an attribute")
    elif "attributes" in element:
        raise ValueError("attributes are empty: leave them out")
    for part in needed & {"norm", "range"}:
        normal[part] = _normal_float(element[part])
    graph = element["graph"]
    if not isinstance(graph, str) or not GRAPH.fullmatch(graph):
        raise ValueError("a graph is not a list of numbers separated by single spaces")
    places = [*map(int, graph.split())]
    if max(places) > MOST:
        raise ValueError("a graph has a number of more than 64 bits")
    return {**normal, "graph": _sorted_graph(places)}


def _normal_float(value: Any) -> int | float | str:
    """Return a 32-bit floating-point number. Raises ValueError for any other."""
    number = codec.number(value)
    try:
        same = struct.unpack("<f", struct.pack("<f", number))[0] == number
    except OverflowError:
        same = False
    if not same:
        raise ValueError(f"{value!r} is not a number of 32 bits")
    return codec.score(number)
