"""The small values of many keys, each asked for by one command: what costs per key costs here."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from contextlib import suppress
from typing import Any

from gitbackup.format import codec
from gitbackup.kinds import KINDS, Abilities, Incomplete, SingleReply
from gitbackup.kinds.shapes import is_number
from gitbackup.live.connection.connection import Refusal
from gitbackup.live.connection.resp import argument, form, pattern
from gitbackup.live.read import expiry
from gitbackup.live.read.typed_read import Outcome, RetryAlone
from gitbackup.model.keys import Entry

UNSURE = (Incomplete, TypeError, ValueError, AttributeError, LookupError)
"""What making a value of a reply ends in where it is not all, or an error, or nonsense: then it is
asked again, by itself."""
SIMPLE = 64 * 1024  # bytes of a value, by the server's estimate, that one command asks for


class SmallValues:
    """How a server with these abilities is asked for the small values that it has.

    They are `sized` where they are known to be small. Where one `hears` of every write, the
    expiry and the value of a key that was not written to are of one moment; else the expiry is
    asked for before and after the value: only where both are the same, that is the value's.
    """

    def __init__(self, server: Abilities, sized: bool, hears: bool) -> None:
        self._most = SIMPLE // server.share
        self.questions = 2 if hears else 3  # about each key
        known = {name: kind.single_reply(server, sized) for name, kind in KINDS.items()}
        self._whole: dict[str, SingleReply] = {}
        if server.pexpiretime:
            self._whole = {name: whole for name, whole in known.items() if whole}
        self._patterns = {name: _pattern(whole, hears) for name, whole in self._whole.items()}
        self._values = {name: whole.value for name, whole in self._whole.items()}

    def takes(self, type_: str, size: int) -> bool:
        """Whether a value of so many bytes is read here."""
        return size <= self._most and type_ in self._whole

    def takes_sizes(self, largest: int) -> bool:
        """Whether values of up to so many bytes are."""
        return largest <= self._most

    def takes_all(self, types: Iterable[str]) -> bool:
        """Whether small values of all these types are."""
        return self._whole.keys() >= set(types)

    def ask(self, keys: Sequence[bytes], types: Sequence[str]) -> bytes:
        """The commands that ask for their values."""
        names, patterns = map(argument, keys), map(self._patterns.__getitem__, types)
        pairs = zip(patterns, names, strict=True)
        if self.questions == 2:
            return b"".join([pattern % (name, name) for pattern, name in pairs])
        return b"".join([pattern % (name, name, name) for pattern, name in pairs])

    def settle(
        self, keys: Sequence[bytes], types: Sequence[str], replies: Sequence[Any]
    ) -> Sequence[Outcome]:
        """The entries that the replies make, their text loose; Later for what is to be asked again,
        and by itself."""
        each = self.questions
        first, values = replies[::each], replies[1::each]
        last = first if each == 2 else replies[2::each]
        kinds = {*map(type, values), *map(type, first)}
        if first == last and not any(issubclass(kind, Refusal) for kind in kinds):
            with suppress(Incomplete):
                return [*self._entries(types, first, values)]
        told = zip(types, first, values, last, strict=True)  # as many as there are keys
        return [self._carefully(*mine) for mine in told]

    def _carefully(self, type_: str, first: Any, value: Any, last: Any) -> Outcome:
        if first != last or not is_number(first) or isinstance(value, Refusal):
            return RetryAlone.LATER
        try:
            (outcome,) = self._entries([type_], [first], [value])
        except UNSURE:
            return RetryAlone.LATER
        return outcome

    def _entries(
        self, types: Sequence[str], moments: Sequence[int], values: Sequence[Any]
    ) -> Iterator[Entry | None]:
        instant, made = codec.instant, self._values
        for type_, moment, value in zip(types, moments, values, strict=True):
            value = made[type_](value)
            if value is None or moment == expiry.GONE or not (value or type(value) is str):
                yield None
            elif moment < 0:
                yield {"type": type_, "value": value}
            else:
                yield {"type": type_, "value": value, "expires_at": instant(moment)}


def _pattern(whole: SingleReply, hears: bool) -> bytes:
    when, value = form(("PEXPIRETIME",)), form((whole.command,), whole.words)
    return pattern(when, value) if hears else pattern(when, value, when)
