"""Delete many keys, each of which holds what it is known to: one batch is deleted while the next
is read.

The keys of a batch are watched while they are read, and deleted in one transaction. So none is
deleted that has been written to.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import replace
from itertools import chain

from gitbackup.kinds import FIELDS_EXPIRE, KINDS, same
from gitbackup.live.connection.connect import OwnConnection, Server
from gitbackup.live.connection.connection import Refusal, pack
from gitbackup.live.read import alone_read, expiry
from gitbackup.live.read.alone_read import RetryAlone
from gitbackup.live.read.bulk_read import SmallValues
from gitbackup.live.write.bulk_create import BEGIN, END, Plain
from gitbackup.live.write.key_writer import UNWATCH, KeyWrite, KeyWriter, Outcome
from gitbackup.model.keys import Entry

DELETION = ["OK", "QUEUED"]  # the replies to a transaction of one command, before the last


class Deleter(OwnConnection):
    """Deletes keys of one server, by a connection of its own.

    `writer` writes what cannot be done so: a batch of which a key holds something else by now, or
    has a value that is not small. In a cluster, it writes all.
    """

    def __init__(self, server: Server, writer: KeyWriter) -> None:
        super().__init__(server)
        self._writer = writer
        plain = replace(server.abilities, field_expiry=False)
        self._values = SmallValues(plain, sized=False, hears=True)
        self._able = not server.abilities.one_slot and server.abilities.share == 1
        self._ask_fields = pack(expiry.KEYSPACE) if server.abilities.field_expiry else b""

    def delete(self, db: int, batches: Iterable[Plain]) -> Iterator[tuple[Plain, Outcome]]:
        """Delete the keys of each batch that hold what the batch says; yield what became of it.

        The outcome does not list what was done in the first try.
        """
        read: Plain | None = None
        deleted: Plain | None = None
        for batch in chain(batches, (None, None)):  # in the end two are under way
            if deleted:
                yield deleted, self._outcome(db, deleted)
            deleted = read if read and self._holds(db, read) else None
            if read and not deleted:
                yield read, self._by_key(db, read)
            asks = batch if batch and self._takes(batch) else None
            if deleted or asks:
                self.connection.select(db)
                self.connection.send_packed(
                    self._deletion(deleted) if deleted else b"",
                    self._question(asks) if asks else b"",
                )
            read = asks
            if batch and not asks:
                yield batch, self._by_key(db, batch)

    def _takes(self, batch: Plain) -> bool:
        return self._able and self._values.takes_all(_types(batch))

    def _question(self, batch: Plain) -> bytes:
        """Return the commands that watch the keys of a batch and ask for their values, packed."""
        names = _names(batch)
        return pack(("WATCH", *names)) + self._ask_fields + self._values.ask(names, _types(batch))

    def _deletion(self, batch: Plain) -> bytes:
        return BEGIN + pack(("UNLINK", *_names(batch))) + END

    def _holds(self, db: int, batch: Plain) -> bool:
        """Return whether each key holds what it is known to; if so, all are watched from now on."""
        fields = 1 if self._ask_fields else 0
        count = 1 + fields + self._values.questions * len(batch)
        watching, *replies = self.connection.receive(count)
        if isinstance(watching, Refusal):
            raise self.connection.refused(watching, ("WATCH",))
        info, values = replies[:fields], replies[fields:]
        self.connection.expect([expiry.KEYSPACE] * fields, info)
        types = _types(batch)
        doubted = bool(info) and expiry.fields_may_expire_by(info[0], db)
        if not (doubted and not FIELDS_EXPIRE.isdisjoint(types)):
            found = self._values.settle(_names(batch), types, values)
            if all(map(_is_same, found, batch.values())):
                return True
        self.connection.need([*UNWATCH])
        return False

    def _outcome(self, db: int, batch: Plain) -> Outcome:
        """Return what became of a transaction that was sent."""
        *queued, done = self.connection.receive(len(DELETION) + 1)
        for command, reply in zip((("MULTI",), ("UNLINK",)), queued, strict=True):
            if isinstance(reply, Refusal):
                raise self.connection.refused(reply, command)
        if done is None:  # somebody has written to one of the keys
            return self._by_key(db, batch)
        if isinstance(done, Refusal):
            raise self.connection.refused(done, ("EXEC",))
        if queued != DELETION or not (isinstance(done, list) and len(done) == 1):
            raise self.connection.nonsense(("EXEC",))
        if isinstance(done[0], Refusal):
            raise self.connection.refused(done[0], ("UNLINK",))
        return Outcome()

    def _by_key(self, db: int, batch: Plain) -> Outcome:
        """Delete keys by the exact way, which looks at each of them."""
        steps = [KeyWrite(name.encode(), entry, None) for name, entry in batch.items()]
        return self._writer.apply(db, steps)


def _names(batch: Plain) -> list[bytes]:
    return [*map(str.encode, batch)]


def _types(batch: Plain) -> list[str]:
    return [entry["type"] for entry in batch.values()]


def _is_same(found: alone_read.ReadOutcome, known: Entry) -> bool:
    """Return whether a plain entry was read again, to the last bit.

    None of its text stands for other bytes, so equal text is the same; numbers are looked at.
    """
    if isinstance(found, RetryAlone) or found is None:
        return False
    return (found == known and not KINDS[known["type"]].floats) or same(found, known)
