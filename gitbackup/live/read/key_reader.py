"""Reading keys: names by SCAN, then entries in pipelined batches, in bounded pieces."""

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
from gitbackup.live.read.alone_read import Outcome, RetryAlone
from gitbackup.live.read.atomic_read import AtomicReader, KeyToRead
from gitbackup.live.read.bulk_read import Batch, BulkReader, SentBatch
from gitbackup.live.read.file_replies import FileReplyReader
from gitbackup.live.read.scan import Names, scanned
from gitbackup.live.server import staging_keys
from gitbackup.model.keys import Entry

SMALL = 4 * 1024  # bytes of a value that nobody need take note of
TRIES = 3  # readings of a value in pieces, until none of them was disturbed
LOOKS = 6  # at a value at one moment: its type may be another by then, or the clock go on within
Found = tuple[bytes, Entry | None]


class KeyReader:
    """Reads the keys of one server. A context manager: leaving it closes the connections.

    `large` gives the sizes of values that are not small, `silent` has the keys of types that change
    without an invalidation.
    `left_over` lists what a killed restore had built aside, which `names` does not tell.
    `torn` lists the keys that were written to at every try while they were read in pieces;
    `watching` is False where the user may not WATCH, so that nobody could see that. Where the
    caller `hears` of all writes, and reads such keys again, `raw` asks less.
    """

    def __init__(self, server: Server, hears: bool = False) -> None:
        self.left_over: list[tuple[int, bytes]] = []
        self.torn: list[tuple[int, bytes]] = []
        self.large: dict[tuple[int, bytes], int] = {}
        self.silent: set[tuple[int, bytes]] = set()
        self.watching = True
        self._server = server
        self._hears = hears
        self._moments = True  # until the user turns out not to be allowed to read so
        self._connection = server.dial()
        self._resting = False
        self._other: Connection | None = None

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.rest()

    @property
    def share(self) -> int:
        """By which the amount that is asked for at once is divided."""
        return self._server.abilities.share

    def size(self, db: int) -> int | None:
        """Return how many keys a database has; None where the user may not ask."""
        self._begin(db)
        (size,) = self._connection.ask([("DBSIZE",)])
        return None if isinstance(size, Refusal) else size

    def names(self, db: int, told: Callable[[int], None] = lambda count: None) -> list[bytes]:
        """Return the names of all keys of a database, sorted as bytes.

        `told` is called with how many more were listed, a piece at a time. Raises ServerError
        where the user may not SCAN, or the server lists keys without end.
        """
        self._begin(db)
        names = Names()
        alike: list[bytes] = []
        for piece in scanned(self._connection, self._server.abilities.share):
            names.add(piece)
            told(len(piece))
            if staging_keys.MARK in b" ".join(piece):
                alike += (name for name in piece if staging_keys.MARK in name)
        left = staging_keys.still_ours(self._connection, sorted({*alike}))
        self.left_over += ((db, name) for name in left)
        return names.each_once(left)

    def entries(self, db: int, keys: Iterable[bytes]) -> Iterator[Found]:
        """Yield the keys in their order with their entries, whose text is loose; None for one
        that is gone.

        While a batch is given out, the server answers for the next. Raises ServerError where a
        key cannot be read.
        """
        self._begin(db)
        values = BulkReader(self._connection, self._server.abilities, lambda: self._second(db))
        values.begin(db)
        left = iter(keys)
        chunks = iter(lambda: [*islice(left, bulk_read.MOST_KEYS)], [])
        batches: deque[Batch] = deque()
        sized = self._size(chunks)
        sent: SentBatch | None = None
        while sized or sent:
            now, outcomes = sent, values.receive(sent) if sent else []
            if sized:
                batches += self._sized(db, sized)
            sent = values.ask(batches.popleft()) if batches else None
            sized = [] if batches else self._size(chunks)
            if now:
                yield from self._each(db, now.batch.keys, outcomes)

    def raw(self, db: int) -> FileReplyReader | None:
        """Return a reader of a database's files of small values; None where the server, or the
        user's rights, do not allow it.

        Until it has given out all that it was asked for, nothing else may be read.
        """
        if self._server.abilities.share > 1:
            return None  # it takes what comes, if not without end
        self._begin(db)
        note = partial(self._note, db)
        reader = FileReplyReader(self._connection, self._server.abilities, db, note, self._hears)
        return reader if reader.able() else None

    def alone(self, db: int, key: bytes) -> Entry | None:
        """Return one key's entry, however large; None where the key is gone."""
        return alone_read.whole(self._second(db), key, self._server.abilities).entry

    def dumped(self, db: int, key: bytes) -> Entry | None:
        """Return one key's entry with a dump as its value, whatever its type."""
        return alone_read.whole(self._second(db), key, self._server.abilities, dumped=True).entry

    def rest(self) -> None:
        """Close the connections, until they are needed again."""
        self._connection.close()
        self._resting = True
        self._forget_second()

    def _begin(self, db: int) -> None:
        """Makes `db` the database of the first connection."""
        if self._resting:
            self._connection, self._resting = self._server.dial(), False
        self._connection.select(db)

    def _size(self, chunks: Iterator[list[bytes]]) -> list[bytes]:
        """Asks for what has to be known of the next keys, and gives these."""
        keys = next(chunks, [])
        if keys:
            self._connection.send_packed(bulk_read.size_questions(keys))
        return keys

    def _sized(self, db: int, keys: list[bytes]) -> Iterator[Batch]:
        """These keys, of which that was asked, in batches."""
        told = bulk_read.told_sizes(
            self._connection, keys, self._connection.receive(bulk_read.SIZE_QUESTIONS * len(keys))
        )
        self._note(db, told)
        return bulk_read.batches(told, bulk_read.MOST_BYTES // self._server.abilities.share)

    def _note(self, db: int, told: Batch) -> None:
        """Takes note of what is large, and of what changes without an invalidation."""
        if max(told.sizes) > SMALL:
            sized = zip(told.keys, told.sizes, strict=True)
            self.large.update(((db, key), size) for key, size in sized if size > SMALL)
        if not SILENT.isdisjoint(told.types):
            typed = zip(told.keys, told.types, strict=True)
            self.silent.update((db, key) for key, type_ in typed if type_ in SILENT)

    def _each(self, db: int, keys: Sequence[bytes], outcomes: Sequence[Outcome]) -> Iterator[Found]:
        """The keys with their entries; those that are to be are read by themselves now."""
        if RetryAlone not in set(map(type, outcomes)):
            yield from zip(keys, cast(Sequence[Entry | None], outcomes), strict=True)
            return
        for key, outcome in zip(keys, outcomes, strict=True):
            yield key, self._watched(db, key) if outcome is RetryAlone.LATER else outcome

    def _watched(self, db: int, key: bytes) -> Entry | None:
        """Read one key by itself, and again while somebody wrote to it meanwhile."""
        for _ in range(TRIES):
            connection = self._second(db)
            watch = connection.ask([("WATCH", key)]) if self.watching else []
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

    def _at_once(self, db: int, key: bytes) -> Outcome:
        """Read one key at one moment; RetryAlone where it takes more, or the user may not."""
        if not self._moments:
            return RetryAlone.LATER
        reader = AtomicReader(self._second(db), self._server.abilities)
        type_ = ""  # which the first look tells
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
        """A second connection: the first has replies under way."""
        self._other = self._other or self._server.dial()
        self._other.select(db)
        return self._other
