"""Work beside our own: its result is as good as ours, or there is none."""

from __future__ import annotations

import os
import sys
import threading
from pathlib import Path

import pytest

from gitbackup import beside
from gitbackup.backup import Backup
from gitbackup.ops import decoded
from gitbackup.ops.decoded import Decoded, Outline
from gitbackup.ops.sides import CommitSide
from tests.servers import LiveServer

linux = pytest.mark.skipif(sys.platform != "linux", reason="it is done nowhere else")


@linux
class TestBeside:
    def test_it_gives_what_the_work_gives_however_large(self) -> None:
        here = os.getpid()
        result = beside.beside(lambda: b"%d" % os.getpid() + bytes(10_000_000))
        number, rest = result().split(b"\0", 1)
        assert int(number) != here
        assert len(rest) == 9_999_999

    def test_it_gives_nothing_where_the_work_fails_or_is_ended(
        self, capfd: pytest.CaptureFixture[str]
    ) -> None:
        def end() -> bytes:
            os.kill(os.getpid(), 9)
            return b"never"

        failing, ended = beside.beside(lambda: b"%d" % (1 // 0)), beside.beside(end)
        assert (failing(), ended()) == (b"", b"")
        assert capfd.readouterr() == ("", "")

    def test_nothing_is_left_of_it(self) -> None:
        child = int(beside.beside(lambda: b"%d" % os.getpid())())
        with pytest.raises(ChildProcessError):
            os.waitpid(child, os.WNOHANG)

    def test_no_process_is_copied_that_has_threads(self) -> None:
        alone = threading.active_count() == 1
        assert beside.able() == (alone and len(os.sched_getaffinity(0)) > 1)
        stop = threading.Event()
        other = threading.Thread(target=stop.wait)
        other.start()
        try:
            assert not beside.able()
        finally:
            stop.set()
            other.join()


def outlines(backup: Backup) -> dict[str, Outline]:
    """Those of all files of the last commit, asked for together."""
    repository = backup.repository
    assert repository is not None
    side = Decoded(CommitSide(repository, repository.head()), own=repository.seen().blobs())
    paths = sorted(path for path in side.files if path.startswith("db"))
    side.outlines_ahead(paths)
    return {path: side.outline(path) for path in paths}


@linux
@pytest.mark.parametrize("goes", [True, False])
def test_files_are_told_beside_as_they_are_here(
    valkey: LiveServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, goes: bool
) -> None:
    """Also where that goes wrong; files that take a closer look are among them."""
    with valkey.client() as client:
        client.mset({f"{space}:{number}": "v" for space in "abcdefgh" for number in range(200)})
        client.mset({f"d:binary:{number}": b"\xff" for number in range(200)})
        client.hset("e:large", mapping={str(number): "v" * 100 for number in range(5_000)})
        client.set("f:soon", "v", px=10_000_000)
    backup = Backup(tmp_path / "data", valkey.url)
    backup.commit()
    expected = outlines(backup)
    began: list[int] = []

    def noting(work: beside.Work) -> beside.Work:
        began.append(1)
        return begin(work if goes else lambda: b"%d" % (1 // 0))

    begin = beside.beside
    monkeypatch.setattr(beside, "beside", noting)
    monkeypatch.setattr(beside, "able", lambda: True)
    monkeypatch.setattr(decoded, "MANY", 5)
    assert outlines(backup) == expected
    assert began == [1]
