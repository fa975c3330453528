"""Write one pack of whole objects, and its index. See gitformat-pack(5)."""

from __future__ import annotations

import hashlib
import os
import threading
import zlib
from collections import deque
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import BinaryIO, NamedTuple, Self

from gitbackup.store.pack import deflate
from gitbackup.store.pack.index import PackedObject, encode
from gitbackup.system.atomic_file import sync_folder

SIGNATURE = b"PACK\0\0\0\2"
TYPES = {b"commit": 1, b"tree": 2, b"blob": 3, b"tag": 4}
MODE = 0o444  # which the umask restricts, as git has it
AHEAD = 8 * 1024 * 1024  # bytes that wait for the thread; one larger object waits alone
PIECE = 1 << 20
UNLIKE = "what is read from the disk is not what was written"


def object_id(kind: bytes, content: bytes) -> bytes:
    """Return the id that git gives an object of this kind and content."""
    digest = hashlib.sha1(b"%b %d\0" % (kind, len(content)), usedforsecurity=False)
    digest.update(content)
    return digest.digest()


def entry_header(kind: bytes, size: int) -> bytes:
    """Return what stands before an object in a pack: its kind, and the size of its content."""
    byte, left = TYPES[kind] << 4 | size & 15, size >> 4
    header = bytearray()
    while left:
        header.append(byte | 128)
        byte, left = left & 127, left >> 7
    header.append(byte)
    return bytes(header)


class _Place(NamedTuple):
    """Where in the pack the compressed content of an object is, and the CRC-32 of all of it."""

    start: int
    content: int
    end: int
    crc: int


class PackWriter:
    """Writes a pack into a folder that only this run uses; a context manager.

    The objects are compressed and written by a thread, while the caller makes the next ones.
    Objects whose id `is_known` are left out. If the disk does not take one, the next method that is
    called raises OSError.
    """

    def __init__(self, folder: Path, is_known: Callable[[bytes], bool] = lambda _: False) -> None:
        self._folder = folder
        self._is_known = is_known
        self._draft = folder / "tmp_pack"
        self._file = _new(self._draft)
        self._reading: BinaryIO | None = None
        self._places: dict[bytes, _Place] = {}
        self._sent: set[bytes] = set()
        self._deflate = deflate.best()
        self._end = self._file.write(SIGNATURE + bytes(4))  # the number of objects comes last
        self._crc = 0  # of all entries
        self._failure: BaseException | None = None
        self._queue: deque[tuple[bytes, bytes, bytes]] = deque()
        self._waiting = 0  # bytes in the queue, and of the object that is being written
        self._over = False
        self._changed = threading.Condition()
        self._thread = threading.Thread(target=self._work, name="gitbackup-pack", daemon=True)
        self._thread.start()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def __contains__(self, id_: bytes) -> bool:
        """Return whether the object was given to `put()`, also if it was left out."""
        return id_ in self._sent

    @property
    def left_out(self) -> set[bytes]:
        """The ids of objects that were given to `put()`, and are not in the finished pack."""
        return self._sent - self._places.keys()

    def put(self, kind: bytes, content: bytes, id_: bytes) -> None:
        """Write an object whose id is known, unless it was written before."""
        if id_ in self._sent:
            return
        self._sent.add(id_)
        if self._is_known(id_):
            return
        with self._changed:
            while self._waiting and self._waiting + len(content) > AHEAD and not self._failure:
                self._changed.wait()
            self._expect_sound()
            self._queue.append((kind, content, id_))
            self._waiting += len(content) + 1
            self._changed.notify_all()

    def read(self, id_: bytes) -> bytes | None:
        """Return the content of an object that was written; None if it was left out."""
        with self._changed:
            while id_ not in self._places and self._waiting and not self._failure:
                self._changed.wait()
            self._expect_sound()
            place = self._places.get(id_)
            if place is None:
                return None
            if not self._file.closed:
                self._file.flush()
        if self._reading is None:
            self._reading = self._draft.open("rb")
        self._reading.seek(place.content)
        try:
            return zlib.decompress(self._reading.read(place.end - place.content))
        except zlib.error as error:
            raise OSError(UNLIKE) from error

    def finish(self) -> None:
        """Complete the pack and its index, on the disk. Without an object there is neither."""
        self._stop()
        self._expect_sound()
        if not self._places:
            return
        self._file.seek(len(SIGNATURE))
        self._file.write(len(self._places).to_bytes(4))
        self._file.flush()
        if self._reading is None:
            self._reading = self._draft.open("rb")
        checksum = self._checksum(self._reading)
        self._file.seek(0, os.SEEK_END)
        self._file.write(checksum)
        _sync(self._file)
        objects = (PackedObject(id_, each.crc, each.start) for id_, each in self._places.items())
        draft = self._folder / "tmp_idx"
        with _new(draft) as file:
            file.write(encode(objects, checksum))
            _sync(file)
        name = f"pack-{checksum.hex()}"
        # git finds a pack by its index, so the index gets its name last
        self._draft.replace(self._folder / f"{name}.pack")
        draft.replace(self._folder / f"{name}.idx")
        sync_folder(self._folder)

    def close(self) -> None:
        """End the thread, and remove what is not complete."""
        with self._changed:
            self._queue.clear()
        self._stop()
        with suppress(OSError):  # what was not written yet, on a full disk
            self._file.close()
        self._failure = None  # its traceback has whoever called, and so us: nothing would be freed
        with suppress(OSError):
            if self._reading is not None:
                self._reading.close()
            self._draft.unlink(missing_ok=True)

    def _stop(self) -> None:
        with self._changed:
            self._over = True
            self._changed.notify_all()
        self._thread.join()

    def _expect_sound(self) -> None:
        if self._failure:
            raise self._failure

    def _checksum(self, file: BinaryIO) -> bytes:
        """Return the checksum of the pack as it is read again; OSError if it is not as written."""
        file.seek(0)
        head = file.read(len(SIGNATURE) + 4)
        digest, crc, size = hashlib.sha1(head, usedforsecurity=False), 0, len(head)
        while piece := file.read(PIECE):
            digest.update(piece)
            crc, size = zlib.crc32(piece, crc), size + len(piece)
        if (crc, size) != (self._crc, self._end):
            raise OSError(UNLIKE)
        return digest.digest()

    def _work(self) -> None:
        """Write the objects of the queue, one after the other, until there are no more."""
        while True:
            with self._changed:
                while not (self._queue or self._over):
                    self._changed.wait()
                if not self._queue:
                    return
                kind, content, id_ = self._queue.popleft()
            try:
                place = self._write(kind, content)
            except BaseException as error:  # the caller raises it
                with self._changed:
                    self._failure = error
                    self._queue.clear()
                    self._waiting = 0
                    self._changed.notify_all()
                return
            with self._changed:
                self._places[id_] = place
                self._waiting -= len(content) + 1
                self._changed.notify_all()

    def _write(self, kind: bytes, content: bytes) -> _Place:
        header, packed = entry_header(kind, len(content)), self._deflate(content)
        start, crc = self._end, zlib.crc32(packed, zlib.crc32(header))
        self._crc = zlib.crc32(packed, zlib.crc32(header, self._crc))
        self._file.write(header)
        self._file.write(packed)
        self._end = start + len(header) + len(packed)
        return _Place(start, start + len(header), self._end, crc)


def _new(path: Path) -> BinaryIO:
    """Make a file, with the mode that git gives it."""
    return open(path, "xb", opener=lambda name, flags: os.open(name, flags, MODE))


def _sync(file: BinaryIO) -> None:
    file.flush()
    os.fsync(file.fileno())
