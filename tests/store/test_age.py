"""Files that are encrypted: what a disk does not take is told, and never taken for written."""

from __future__ import annotations

import gc
import io
import weakref
from collections.abc import Callable
from pathlib import Path
from typing import Any, BinaryIO, cast

import pyrage
import pytest

from gitbackup.errors import GitbackupError
from gitbackup.store.encryption import age

IDENTITY = pyrage.x25519.Identity.generate()
SIZES = [0, 100, 65_535, 65_536, 300_000]


class Disk(io.RawIOBase):
    """A disk that has room for so many pieces, and takes a piece whole or not at all."""

    def __init__(self, room: int) -> None:
        self._room = room
        self.pieces = 0

    def write(self, piece: Any) -> int:
        if self.pieces == self._room:
            raise OSError(28, "No space left on device")
        self.pieces += 1
        return len(piece)


def encrypt(source: Path, target: Disk) -> None:
    age.encrypt(source, [str(IDENTITY.to_public())], cast("BinaryIO", target))


def decrypt(source: Path, target: Disk) -> None:
    age.decrypt(source, [IDENTITY], cast("BinaryIO", target))


@pytest.fixture(params=SIZES)
def plain(request: pytest.FixtureRequest, tmp_path: Path) -> Path:
    (tmp_path / "plain").write_bytes(b"x" * request.param)
    return tmp_path / "plain"


def test_what_the_disk_does_not_take_is_never_taken_for_written(plain: Path) -> None:
    """Wherever it is full: before all, in the middle, or at the last piece."""
    sealed = plain.with_name("sealed")
    with sealed.open("wb") as file:
        age.encrypt(plain, [str(IDENTITY.to_public())], file)
    works: list[tuple[Callable[[Path, Disk], None], Path]] = [(encrypt, plain), (decrypt, sealed)]
    for work, source in works:
        work(source, whole := Disk(1_000))
        for room in range(whole.pieces):
            with pytest.raises(GitbackupError, match="No space left on device"):
                work(source, Disk(room))


def test_an_error_of_the_disk_leaves_nothing_for_the_garbage_collector(tmp_path: Path) -> None:
    (tmp_path / "plain").write_bytes(b"x")

    class Caller:
        def work(self) -> None:
            encrypt(tmp_path / "plain", Disk(0))

    gc.collect()
    gc.disable()
    try:
        caller = Caller()
        seen = weakref.ref(caller)
        with pytest.raises(GitbackupError):
            caller.work()
        del caller
        assert seen() is None
    finally:
        gc.enable()
