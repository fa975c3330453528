"""JSON documents of the module RedisJSON: the value is an object that holds the document.

The order of an object's members is not kept, as that of a hash's fields is not.
"""

from __future__ import annotations

import json
import math
from collections.abc import Iterator, Mapping, Sequence
from decimal import Decimal
from fractions import Fraction
from typing import Any, ClassVar

import orjson

from gitbackup.format import codec
from gitbackup.kinds.base import (
    Abilities,
    Command,
    Incomplete,
    Kind,
    Mask,
    MergeParts,
    PartOf,
    Reading,
    Row,
    Rows,
    Shape,
    SingleReply,
    TextChanges,
    TextParts,
    normal_object,
    normal_text,
)
from gitbackup.kinds.shapes import text_or_none
from gitbackup.model.changes import ABSENT, Part, ValueChange
from gitbackup.model.keys import Entry
from gitbackup.model.merging import Versions

LEAST, MOST = -(2**63), 2**64 - 1  # integers that the module keeps; others become doubles
MOST_TENS = 308
TENS = [float(f"1e{power}") for power in range(MOST_TENS + 1)]
LENGTHS = (17, 18, 19, 16, 20)  # of integers, in digits
AWAY = sorted(range(-40, 41), key=abs)  # steps from the nearest integer


class NativeJson(Kind):
    name = "ReJSON-RL"
    floats = True
    documents = True
    known_by = "JSON.SET"
    refusals = ("Existing key has wrong Redis type", "ERR Existing key has wrong Redis type")
    replies: ClassVar[Mapping[str, Shape]] = {"JSON.GET": text_or_none}

    def single_reply(self, server: Abilities, sized: bool) -> SingleReply | None:
        return SingleReply("JSON.GET", (), _value) if sized else None

    def read(self, key: bytes, server: Abilities) -> Reading:
        (reply,) = yield [("JSON.GET", key)]
        value = _value(reply)
        return None if value is None else {"type": self.name, "value": value}

    def canonicalize(self, value: Any) -> Any:
        if not isinstance(value, dict) or value.keys() != {"document"}:
            raise ValueError('the value is not {"document": ...}')
        return {"document": _normal(value["document"])}

    def are_canonical(self, values: Sequence[Any]) -> bool:
        try:
            return all(self.canonicalize(value) == value for value in values)
        except ValueError:
            return False

    def written(self, value: Any) -> Any:
        document = value["document"]
        return {"document": _written(document)} if _any_odd(document) else value

    def sample(self, server: Abilities) -> Entry:
        return {"type": self.name, "value": {"document": None}}

    def write(self, key: bytes, entry: Entry, server: Abilities) -> Iterator[Command]:
        yield "JSON.SET", key, ".", orjson.dumps(_plain(entry["value"]["document"]))

    def change(
        self, key: bytes, before: Entry, after: Entry, server: Abilities
    ) -> Iterator[Command]:
        """Return the command that sets the document; JSON.SET leaves the expiry as it is."""
        return self.write(key, after, server)

    def elements(self, value: Any) -> None:
        return None

    def document(self, value: Any) -> str:
        return _text(value)

    def part(self, value: Any, name: str) -> Any:
        raise LookupError(name)

    def parts(self, value: Any, text: TextParts) -> Iterator[PartOf]:
        return text(Part.VALUE, "", _text(value))

    def diff(self, before: Any, after: Any, texts: TextChanges) -> list[ValueChange]:
        return texts(Part.VALUE, "", _text(before), _text(after))

    def merge(self, versions: Versions, parts: MergeParts) -> Any:
        documents = versions.each(lambda value: value["document"])
        merged = parts.document(Part.VALUE, "", documents)
        return merged if merged is ABSENT else {"document": merged}

    def masked(self, value: Any, mask: Mask) -> Any:
        return {"document": mask.document(value["document"])}

    def rows(self, value: Any) -> Rows:
        return Rows([Row(None, _text(value))])


def _value(reply: Any) -> dict[str, Any] | None:
    """Return the value that a reply makes, its text loose; None if there is no key."""
    if reply is None:
        return None
    try:
        return {"document": json.loads(reply, parse_constant=_refuse)}
    except (TypeError, ValueError, RecursionError):
        raise Incomplete("its reply is not a JSON document") from None


def _refuse(constant: str) -> None:
    raise ValueError(f"{constant} is not JSON")


def _text(value: Any) -> str:
    """Return the document as JSON text, its members sorted; text that is not UTF-8 as it is
    stored."""
    return json.dumps(value["document"], ensure_ascii=False, sort_keys=True)


def _normal(item: Any) -> Any:
    """Return a part of a document in its canonical form. Raises ValueError if it is not valid."""
    if item is None or isinstance(item, bool):
        return item
    if isinstance(item, str):
        return _normal_string(item, "a string of the document")
    if isinstance(item, int):
        if not LEAST <= item <= MOST:
            raise ValueError(f"{item} does not fit into 64 bits")
        return item
    if isinstance(item, float):
        if not math.isfinite(item):
            raise ValueError(f"{item} is not JSON")
        return item
    if isinstance(item, list):
        return [_normal(inner) for inner in item]
    names = normal_object(item, "an object of the document")
    return {
        _normal_string(name, "a name in the document"): _normal(inner)
        for name, inner in names.items()
    }


def _normal_string(value: Any, what: str) -> str:
    """Return a string of a document, under the text rule. Raises ValueError if JSON has no such
    string."""
    text = normal_text(value, what)
    if not codec.is_utf8(codec.loose(codec.data(text))):
        raise ValueError(f"{what} is not UTF-8")
    return text


def _plain(item: Any) -> Any:
    """Return a part of a document as the server is to read it."""
    if isinstance(item, str):
        return codec.data(item).decode()
    if isinstance(item, float):
        return orjson.Fragment(spelled(item))
    if isinstance(item, dict):
        return {codec.data(name).decode(): _plain(inner) for name, inner in item.items()}
    return [_plain(inner) for inner in item] if isinstance(item, list) else item


def spelled(number: float) -> str:
    """Return digits that the module reads as this very double.

    It reads an integer of 64 bits, makes a double of it, and divides that by a power of ten, or
    multiplies it. Each step rounds, so the shortest digits may give the double next to it. Others
    are looked for that give this one so, and if possible also when they are read exactly.
    """
    shortest, size = repr(number), abs(number)
    digits = Decimal(shortest).as_tuple()
    if _read(int("".join(map(str, digits.digits))), int(digits.exponent)) == size:
        return shortest
    sign, second = "-" if number < 0 else "", shortest
    for whole, exponent in _near(size):
        if _read(whole, exponent) == size:
            if float(f"{whole}e{exponent}") == size:
                return f"{sign}{whole}e{exponent}"
            second = f"{sign}{whole}e{exponent}"
    return second


def _near(size: float) -> Iterator[tuple[int, int]]:
    """Yield integers of 64 bits, and powers of ten, whose product is about this number."""
    whole = math.floor(math.log10(size))
    for length in LENGTHS:
        exponent = whole + 1 - length
        middle = int(Fraction(size) / Fraction(10) ** exponent)
        step = 2 ** max(0, middle.bit_length() - 53)
        found = (int(float(middle)) + step * away for away in AWAY)
        yield from ((one, exponent) for one in (middle, middle + 1, *found) if 0 < one <= MOST)


def _read(whole: int, exponent: int) -> float:
    """Return the double that the module reads, by an algorithm that many readers of JSON have."""
    number = float(whole)
    while exponent < -MOST_TENS:
        number /= TENS[MOST_TENS]
        exponent += MOST_TENS
    if exponent < 0:
        return number / TENS[-exponent]
    return number * TENS[exponent] if exponent <= MOST_TENS else math.inf


def _any_odd(item: Any) -> bool:
    """Return whether other JSON libraries would write one of its doubles differently."""
    if isinstance(item, float):
        return codec.is_odd(item)
    if isinstance(item, dict):
        return any(map(_any_odd, item.values()))
    return isinstance(item, list) and any(map(_any_odd, item))


def _written(item: Any) -> Any:
    if isinstance(item, float):
        return codec.double(item)
    if isinstance(item, dict):
        return {name: _written(inner) for name, inner in item.items()}
    return [_written(inner) for inner in item] if isinstance(item, list) else item
