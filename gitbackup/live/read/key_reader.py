"""Read keys: their names by SCAN, then their entries in pipelined batches of bounded size."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from functools import partial
from itertools import islice
from typing import Self, cast

from gitbackup.errors import ServerError
from gitbackup.kinds import SILENT
from gitbackup.live.connection.connect import Server
from gitbackup.live.connection.connection import Connection, Refusal
from gitbackup.live.read import alone_read, bulk_read
from gitbackup.live.read.alone_read import ReadOutcome, RetryAlone
from gitbackup.live.read.atomic_read import AtomicReader, KeyToRead
from gitbackup.live.read.bulk_read import Batch, BulkReader, SentBatch, is_elsewhere
from gitbackup.live.read.file_replies import FileReplyReader
from gitbackup.live.read.scan import Names, scanned
from gitbackup.live.server import staging_keys
from gitbackup.model.keys import Entry

SMALL = 4 * 1024  # bytes of a value whose size is not noted
TRIES = 3  # times to read a value in pieces, while others write to it
LOOKS = 6  # times to read it at one moment, while its type changes or the clock moves on
Found = tuple[bytes, Entry | None]


class KeyReader:
    """Reads the keys of one server. A context manager: leaving it closes the connections.

    If the caller `hears` of all writes, and reads such keys again, `raw()` asks less. Noted while
    keys are read:

    - `large`: the sizes of values that are not small;
    - `silent`: keys of types that may change without an invalidation;
    - `left_over`: staging keys of a killed restore, which `names()` leaves out;
    - `torn`: keys that were written to at every try while they were read in pieces;
    - `watching`: false if the user may not WATCH, so that such writes cannot be seen.
    """

    def __init__(self, server: Server, hears: bool = False) -> None:
        self.left_over: list[tuple[int, bytes]] = []
        self.torn: list[tuple[int, bytes]] = []
        self.large: dict[tuple[int, bytes], int] = {}
        self.silent: set[tuple[int, bytes]] = set()
        self.watching = True
        self._server = server
        self.hears = hears
        self._moments = True  # until the user turns out not to be allowed to read so
        self._first: Connection | None = None
        self._other: Connection | None = None

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.rest()

    @property
    def share(self) -> int:
        """Return the number by which the amount that is asked for at once is divided."""
        return self._server.abilities.share

    def node_of(self, key: bytes) -> str:
        """Return the id of the node that has a key, as far as is known."""
        return self._server.node_of(key)

    def size(self, db: int) -> int | None:
        """Return how many keys a database has; None if the user may not ask."""
        self._begin(db)
        (size,) = self._connection.ask([("DBSIZE",)])
        return None if isinstance(size, Refusal) else size

    def names(self, db: int, advance: Callable[[int], None] = lambda count: None) -> list[bytes]:
        """Return the names of all keys of a database, sorted as bytes.

        `advance` is called for each piece with how many were listed. Raises ServerError if the
        user may not SCAN, or if the server lists keys without end.
        """
        self._begin(db)
        names = Names()
        marked: list[bytes] = []
        for piece in scanned(self._connection, self._server.abilities.share):
            names.add(piece)
            advance(len(piece))
            if staging_keys.MARK in b" ".join(piece):
                marked += (name for name in piece if staging_keys.MARK in name)
        left_over = staging_keys.still_ours(self._connection, sorted({*marked}))
        self.left_over += ((db, name) for name in left_over)
        return names.each_once(left_over)

    def entries(self, db: int, keys: Iterable[bytes]) -> Iterator[Found]:
        """Yield the keys in their order with their entries, which have loose text; None for a key
        that is gone.

        While one batch is used, the server answers for the next. Raises ServerError if a key cannot
        be read.
        """
        self._begin(db)
        values = BulkReader(self._connection, self._server.abilities, lambda: self._second(db))
        values.begin(db)
        left = iter(keys)
        chunks = iter(lambda: [*islice(left, bulk_read.MOST_KEYS)], [])
        batches: deque[Batch] = deque()
        asked = self._ask_sizes(chunks)
        sent: SentBatch | None = None
        while asked or sent:
            received, outcomes = sent, values.receive(sent) if sent else []
            if asked:
                batches += self._batches(db, asked)
            sent = values.ask(batches.popleft()) if batches else None
            asked = [] if batches else self._ask_sizes(chunks)
            if received:
                yield from self._each(db, received.batch.keys, outcomes)

    def raw(self, db: int) -> FileReplyReader | None:
        """Return a reader of a database's files of small values; None if the server, or the user's
        rights, do not allow it.

        Nothing else may be read until it has yielded everything that it was asked for.
        """
        if self._server.abilities.share > 1:
            return None  # its replies may be larger than the server sends at once
        self._begin(db)
        note = partial(self._note, db)
        reader = FileReplyReader(self._connection, self._server.abilities, db, note, self.hears)
        return reader if reader.able() else None

    def alone(self, db: int, key: bytes) -> Entry | None:
        """Return one key's entry, however large; None if the key is gone."""
        return alone_read.whole(self._second(db), key, self._server.abilities).entry

    def dumped(self, db: int, key: bytes) -> Entry | None:
        """Return one key's entry with a dump as its value, whatever its type."""
        return alone_read.whole(self._second(db), key, self._server.abilities, dumped=True).entry

    def rest(self) -> None:
        """Close the connections, until they are needed again."""
        if self._first:
            self._first.close()
        self._first = None
        self._forget_second()

    def _begin(self, db: int) -> None:
        """Select a database on the first connection."""
        self._connection.select(db)

    @property
    def _connection(self) -> Connection:
        """The first connection."""
        self._first = self._first or self._server.dial()
        return self._first

    def _ask_sizes(self, chunks: Iterator[list[bytes]]) -> list[bytes]:
        """Ask for the types and sizes of the next keys; return these keys."""
        keys = next(chunks, [])
        if keys:
            self._connection.send_packed(bulk_read.size_questions(keys))
        return keys

    def _batches(self, db: int, keys: list[bytes]) -> Iterator[Batch]:
        """Receive the types and sizes of these keys; return the keys in batches."""
        replies = self._connection.receive(bulk_read.SIZE_QUESTIONS * len(keys))
        sized = bulk_read.with_sizes(self._connection, keys, replies)
        self._note(db, sized)
        return bulk_read.batches(sized, bulk_read.MOST_BYTES // self._server.abilities.share)

    def _note(self, db: int, batch: Batch) -> None:
        """Note which keys are large, and which may change without an invalidation."""
        if max(batch.sizes) > SMALL:
            sizes = zip(batch.keys, batch.sizes, strict=True)
            self.large.update(((db, key), size) for key, size in sizes if size > SMALL)
        if not SILENT.isdisjoint(batch.types):
            types = zip(batch.keys, batch.types, strict=True)
            self.silent.update((db, key) for key, type_ in types if type_ in SILENT)

    def _each(
        self, db: int, keys: Sequence[bytes], outcomes: Sequence[ReadOutcome]
    ) -> Iterator[Found]:
        """Yield the keys with their entries; those that have to be are read alone now."""
        if RetryAlone not in set(map(type, outcomes)):
            yield from zip(keys, cast(Sequence[Entry | None], outcomes), strict=True)
            return
        for key, outcome in zip(keys, outcomes, strict=True):
            yield key, self._watched(db, key) if outcome is RetryAlone.LATER else outcome

    def _watched(self, db: int, key: bytes) -> Entry | None:
        """Read one key alone, and again while others write to it."""
        for _ in range(TRIES):
            connection = self._second(db)
            watch = connection.ask([("WATCH", key)]) if self.watching else []
            if watch and is_elsewhere(watch[0]):
                raise connection.refused(watch[0], ("WATCH", key))
            entry, settled = alone_read.whole(connection, key, self._server.abilities)
            ended = connection.ask([("MULTI",), ("EXEC",)]) if self.watching else []
            if any(isinstance(reply, Refusal) for reply in (*watch, *ended)):
                self.watching = False
                self._forget_second()  # it may be inside a transaction that it cannot end
            if settled or not self.watching or ended[-1] is not None:
                return entry
        outcome = self._at_once(db, key)
        if outcome is not RetryAlone.LATER:
            return outcome
        self.torn.append((db, key))
        return entry

    def _at_once(self, db: int, key: bytes) -> ReadOutcome:
        """Read one key at one moment; return RetryAlone if it takes more, or the user may not."""
        if not self._moments:
            return RetryAlone.LATER
        reader = AtomicReader(self._second(db), self._server.abilities)
        type_ = ""  # which the first reading tells
        for _ in range(LOOKS):
            try:
                moment = reader.read([KeyToRead(db, key, type_)], libraries=False)
            except ServerError:
                self._moments = False  # so that no connection is lost for each key
                self._forget_second()  # it may be inside a transaction
                return RetryAlone.LATER
            outcome, type_ = moment.outcomes[db, key], moment.types[db, key]
            if outcome is not RetryAlone.LATER:
                return outcome
        return RetryAlone.LATER

    def _forget_second(self) -> None:
        if self._other:
            self._other.close()
        self._other = None

    def _second(self, db: int) -> Connection:
        """Return a second connection, for the first has replies under way."""
        self._other = self._other or self._server.dial()
        self._other.select(db)
        return self._other
