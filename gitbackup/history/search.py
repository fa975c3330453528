"""Which changes of keys a person looks for in the history: `log -S` and `log --when`."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass
from decimal import Decimal, InvalidOperation
from operator import eq, ge, gt, le, lt, ne
from typing import Any

from gitbackup.diff.part_named import field
from gitbackup.errors import UsageError
from gitbackup.format import codec
from gitbackup.history.entry import stored
from gitbackup.history.lookup import FoundEntry
from gitbackup.kinds import kind_of
from gitbackup.model.keys import Entry

Wanted = Callable[["FoundEntry | None", "FoundEntry | None"], bool]
"""Whether a change from one entry to another is looked for."""

COMPARED: Mapping[str, Callable[[Any, Any], bool]] = {
    "=": eq,
    "==": eq,
    "!=": ne,
    "<": lt,
    "<=": le,
    ">": gt,
    ">=": ge,
}
CONDITION = re.compile(
    r"\s*(?P<key>\S+?)(?:\s+(?P<part>\S.*?))??\s*(?P<sign>==|!=|<=|>=|=|<|>)\s*(?P<value>.*?)\s*",
    re.DOTALL,
)


def every_change(_: FoundEntry | None, __: FoundEntry | None) -> bool:
    """Return True: every change is wanted."""
    return True


def as_stored(text: str) -> bytes:
    """Return a text as it stands in a snapshot's files. Raises UsageError for an empty one."""
    if not text:
        raise UsageError("the text to look for is empty")
    return json.dumps(codec.tighten(text), ensure_ascii=False)[1:-1].encode()


def comes_or_goes(text: str) -> Wanted:
    """Return a function that wants the changes after which a key's name and entry have a text more
    often, or less often, than before; as `git log -S`."""
    wanted = as_stored(text)

    def counted(found: FoundEntry | None) -> int:
        return found.content.count(wanted) if found else 0

    return lambda old, new: counted(old) != counted(new)


@dataclass(frozen=True, slots=True)
class Condition:
    """What a part of a key, or the whole of it if `part` is empty, is compared with."""

    key: str
    part: str
    sign: str
    value: str

    def becomes_true(self, old: FoundEntry | None, new: FoundEntry | None) -> bool:
        """Return whether the condition is true after a change, and was not before it."""
        before, after = (found is not None and self._is_true(found.entry) for found in (old, new))
        return after and not before

    def _is_true(self, entry: Entry) -> bool:
        try:
            found = field(entry, self.part).value if self.part else _whole(entry)
        except LookupError:
            return False
        text = found if isinstance(found, str) else json.dumps(found, ensure_ascii=False)
        compare = COMPARED[self.sign]
        number, other = _number(text), _number(self.value)
        if number is not None and other is not None:
            return bool(compare(number, other))
        return self.sign in ("=", "==", "!=") and bool(compare(text, self.value))


def condition(words: str) -> Condition:
    """Return the condition that words such as `config limits.daily = 99` state.

    Raises UsageError for others.
    """
    found = CONDITION.fullmatch(words)
    if found is None:
        raise UsageError(
            f"{words!r} is not a condition such as 'config limits.daily = 99': a key, a part of"
            " it, such as limits.daily, one of = != < <= > >=, and a value"
        )
    value = found["value"]
    with suppress(ValueError, RecursionError):
        value = unquoted if isinstance(unquoted := json.loads(value), str) else value
    return Condition(stored(found["key"]), found["part"] or "", found["sign"], value)


def _whole(entry: Entry) -> Any:
    text = kind_of(entry).document(entry["value"])
    if text is None:
        raise LookupError
    return text


def _number(text: str) -> Decimal | None:
    try:
        number = Decimal(text)
    except InvalidOperation:
        return None
    return number if number.is_finite() else None
