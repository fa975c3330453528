"""Reading files whose values are all small, without making anything of the replies yet.

What a server answers for an unchanged file it has answered before: comparing the bytes costs
far less than making entries of them. Between the replies for two files stands one to ECHO, of
a word that nobody knew before the first of them was sent: no value can be taken for it.
"""

from __future__ import annotations

import secrets
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import replace
from hashlib import sha256
from itertools import chain, islice
from typing import Any, NamedTuple

from gitbackup.kinds import Abilities
from gitbackup.live import fields, sizes
from gitbackup.live.batch import Outcome
from gitbackup.live.forms import argument, packed
from gitbackup.live.sizes import MOST_BYTES, Batch
from gitbackup.live.small import SmallValues
from gitbackup.live.wire import Wire

RULE = b"gitbackup 1\n"  # to be another when the same replies are to make another entry
GROUP = 128  # keys that are asked for at once, or one file's: while they are answered others wait
AHEAD = 6  # groups of files whose replies are under way: a server far away has enough to do
GROUP_BYTES = 2 * MOST_BYTES // AHEAD  # so that together they are not too much for its memory


class Raw(NamedTuple):
    """The replies for the keys of one file, as the server sent them."""

    keys: Sequence[bytes]
    types: Sequence[str]
    asked: bytes
    replies: bytes
    plain: bool  # whether no field of a hash was to expire

    def digest(self, path: str) -> bytes:
        """A digest of all that the content of the file at `path` is made of."""
        found = sha256(RULE)
        for part in (path.encode(), self.asked, self.replies):
            found.update(b"%d\n" % len(part))
            found.update(part)
        return found.digest()


class _Asked(NamedTuple):
    """A file whose values were asked for."""

    keys: Sequence[bytes]
    types: Sequence[str]
    commands: bytes


class _Turn(NamedTuple):
    """What was asked at once: the values of some files, then the types and sizes of others' keys.

    A file is None where it is to be read otherwise; `plain` tells whether no field of a hash
    was to expire. The markers are those of each file's end, and of the end of all.
    """

    files: Sequence[_Asked | None]
    sized: Sequence[Sequence[bytes]]
    markers: Sequence[bytes]
    plain: bool


class RawReader:
    """Reads one database's files on a connection that serves nothing else meanwhile.

    `note` is told of the keys, their types and sizes.
    """

    def __init__(
        self, wire: Wire, server: Abilities, db: int, note: Callable[[Batch], None]
    ) -> None:
        self._wire = wire
        self._server = server
        self._db = db
        self._note = note
        self._small = {plain: SmallValues(_knowing(server, plain)) for plain in (True, False)}
        self._plain = not (server.field_expiry and fields.may_expire(wire, db))

    def able(self) -> bool:
        """Whether the server, and the user's rights, allow reading so."""
        return self._server.pexpiretime and self._wire.ask([("ECHO", "it")]) == ["it"]

    def read(self, files: Iterable[Sequence[bytes]]) -> Iterator[Raw | None]:
        """The replies for each file's keys; None for a file that is to be read otherwise.

        While some are given out, the server answers for the next groups of files.
        """
        groups = _groups(files)
        turns = deque(self._send([], group) for group in islice(groups, AHEAD))
        while turns:
            turn = turns.popleft()
            raws, told = self._receive(turn)
            following = next(groups, [])
            if turn.sized or following:
                turns.append(self._send([*self._chosen(turn.sized, told)], following))
            yield from raws

    def entries(self, raw: Raw) -> Sequence[Outcome]:
        """The entries that the replies make, their text loose; Later for what they do not tell.

        Raises ServerError where the user may not read a key.
        """
        replies = self._wire.parse(raw.replies)
        return self._small[raw.plain].settle(self._wire, raw.keys, raw.types, replies)

    def _send(self, files: Sequence[_Asked | None], sized: Sequence[Sequence[bytes]]) -> _Turn:
        words = [secrets.token_hex(16) for one in files if one]
        asked = zip((one.commands for one in files if one), words, strict=True)
        last = secrets.token_hex(16)
        parts = [commands + packed(("ECHO", word)) for commands, word in asked]
        if self._server.field_expiry:
            parts.append(packed(fields.QUESTION))
        parts += [sizes.ask([*chain.from_iterable(sized)]), packed(("ECHO", last))]
        self._wire.send_packed(b"".join(parts))
        return _Turn(
            files, sized, [argument(word.encode()) for word in (*words, last)], self._plain
        )

    def _receive(self, turn: _Turn) -> tuple[Sequence[Raw | None], Batch]:
        *replies, rest = self._wire.receive_raw(turn.markers)
        told = self._wire.parse(rest)
        if self._server.field_expiry:
            self._plain = not fields.told(told.pop(0), self._db)
        each = iter(replies)
        raws = [one and Raw(*one, next(each), turn.plain) for one in turn.files]
        if turn.plain and not self._plain:  # by now a field may expire
            raws = [None if raw and "hash" in raw.types else raw for raw in raws]
        return raws, self._sizes(turn, told)

    def _sizes(self, turn: _Turn, told: Sequence[Any]) -> Batch:
        keys = [*chain.from_iterable(turn.sized)]
        found = sizes.told(self._wire, keys, told)
        if keys:
            self._note(found)
        return found

    def _chosen(self, files: Iterable[Sequence[bytes]], told: Batch) -> Iterator[_Asked | None]:
        """The files that are read here: all their values are small, and together not too large."""
        small, at, total = self._small[self._plain], 0, 0
        for keys in files:
            of = slice(at, at + len(keys))
            types, each, at = told.types[of], told.sizes[of], of.stop
            fits = small.takes_all(types, each) and total + sum(each) <= GROUP_BYTES
            total += sum(each) if fits else 0
            yield _Asked(keys, types, small.ask(keys, types)) if fits else None


def _knowing(server: Abilities, plain: bool) -> Abilities:
    return replace(server, field_expiry=False) if plain else server


def _groups(files: Iterable[Sequence[bytes]]) -> Iterator[list[Sequence[bytes]]]:
    """Files that are asked for together."""
    group: list[Sequence[bytes]] = []
    count = 0
    for keys in files:
        if group and count + len(keys) > GROUP:
            yield group
            group, count = [], 0
        group.append(keys)
        count += len(keys)
    if group:
        yield group
