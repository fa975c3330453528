"""Whatever ends a save in the middle: no file has a final name that is not whole and right.

The files that were there before are as they were, and what was left is gone after the next
save.
"""

from __future__ import annotations

import os
import resource
import signal
import stat
import subprocess
import time
from collections.abc import Callable, Iterator
from itertools import product
from pathlib import Path
from random import Random

import pytest

from gitbackup import Backup
from gitbackup.errors import GitbackupError, ServerError
from gitbackup.live.rdb import rdb_file
from gitbackup.rdb.files import DRAFT
from tests.rdb.proxy import proxy
from tests.servers import BRANDS, LiveServer, StartServer, in_turn

SIZE = 4_000_000  # bytes, more than what is on its way between two processes
WAYS = ("sync", "copy")
HIDDEN = "*".join(DRAFT)


def fill(server: LiveServer, size: int) -> None:
    """Random bytes, so that they stay as many in the file."""
    random = Random(7)
    with server.client() as client:
        for number in range(10):
            client.set(f"value:{number}", random.randbytes(size // 10))


@pytest.fixture(params=in_turn(product(BRANDS, ("no", "yes")), "{}-diskless-{}"))
def server(request: pytest.FixtureRequest, start_server: StartServer) -> LiveServer:
    brand, diskless = request.param
    return start_server(brand, repl_diskless_sync=diskless)


class Folder:
    """A folder of RDB files, with one in it that must be left alone."""

    def __init__(self, path: Path) -> None:
        self.path = path
        path.mkdir()
        self._old = path / "dump-20200101-000000.rdb"
        self._old.write_bytes(b"the last good one")

    def files(self) -> list[Path]:
        """All with a final name, but for the old one; whole, right and private."""
        assert self._old.read_bytes() == b"the last good one"
        files = [path for path in self.path.glob("dump-*.rdb") if path != self._old]
        for file in files:
            assert rdb_file.check(file)
            assert stat.S_IMODE(file.stat().st_mode) == 0o600
        return files

    def drafts(self) -> list[Path]:
        return list(self.path.glob(HIDDEN))


@pytest.fixture
def folder(tmp_path: Path) -> Folder:
    return Folder(tmp_path / "rdb")


def save(server: str, folder: Folder, way: str) -> None:
    Backup(folder.path.parent / "data", server).rdb.save(folder.path, copy=way == "copy")


def in_a_child(work: Callable[[], None]) -> int:
    """A fork of this process that does the work, and then ends with 0."""
    child = os.fork()
    if not child:
        try:
            work()
            os._exit(0)
        finally:
            os._exit(1)
    return child


def killed(child: int) -> bool:
    """Waits for the end of a child; whether somebody killed it."""
    return os.WIFSIGNALED(os.waitpid(child, 0)[1])


def killed_at_random(server: LiveServer, folder: Folder, way: str, times: int) -> None:
    """Kills saves at random instants between their beginning and their end."""
    fill(server, SIZE)
    save(server.url, folder, way)  # once, for what only the first has to load
    began = time.monotonic()
    save(server.url, folder, way)
    whole = time.monotonic() - began
    random = Random(f"{server.brand} {way}")
    while times:
        child = in_a_child(lambda: save(server.url, folder, way))
        time.sleep(random.random() * whole)
        os.kill(child, signal.SIGKILL)
        times -= killed(child)
        folder.files()
    save(server.url, folder, way)
    assert folder.drafts() == []


@pytest.mark.long
def test_a_run_that_is_killed(server: LiveServer, folder: Folder) -> None:
    killed_at_random(server, folder, "sync", 3)


@pytest.mark.long
def test_a_run_that_copies_and_is_killed(valkey: LiveServer, folder: Folder) -> None:
    killed_at_random(valkey, folder, "copy", 2)


def test_a_run_that_is_killed_while_it_writes(valkey: LiveServer, folder: Folder) -> None:
    """What it leaves has no final name, is its owner's alone, and goes with the next save."""
    fill(valkey, SIZE)
    for share in (0.1, 0.5, 0.9):

        def dies(share: float = share) -> None:
            progress = Killer(os.getpid(), int(share * SIZE))
            Backup(folder.path.parent / "data", valkey.url, progress=progress).rdb.save(folder.path)

        assert killed(in_a_child(dies))
        assert folder.files() == []
        (left,) = folder.drafts()
        assert stat.S_IMODE(left.stat().st_mode) == 0o600
    save(valkey.url, folder, "sync")
    assert (len(folder.files()), folder.drafts()) == (1, [])


@pytest.mark.long
def test_a_connection_that_is_cut(server: LiveServer, folder: Folder) -> None:
    """After any number of bytes, from the first reply to the last byte of the file."""
    fill(server, 20_000)
    with proxy(server.url, folder.path.parent) as between:
        save(between.url, folder, "sync")
        whole, random = between.sent, Random(server.brand)
        lengths = [0, 1, whole - 1, *(random.randrange(whole) for _ in range(12))]
        lengths += [whole - random.randrange(60) - 1 for _ in range(5)]
        kept, cut = folder.files(), 0
        for length in lengths:
            between.sent, between.limit = 0, length
            try:
                save(between.url, folder, "sync")
            except ServerError:
                cut += 1
                assert (folder.files(), folder.drafts()) == (kept, []), length
            else:  # what the server told of itself was some bytes shorter, and all came through
                assert between.sent <= length
                kept = folder.files()
        between.sent, between.limit = 0, None
        save(between.url, folder, "sync")
    assert len(folder.files()) == len(kept) + 1
    assert cut >= 14


@pytest.mark.parametrize("share", [0.0, 0.5])
def test_a_server_that_dies(server: LiveServer, folder: Folder, share: float) -> None:
    fill(server, SIZE)
    with server.client() as client:
        victim = Killer(client.info("server")["process_id"], int(share * SIZE))
    backup = Backup(folder.path.parent / "data", server.url, progress=victim)
    with pytest.raises(
        ServerError, match=r"lost the server at .* while it sent its RDB file.* after [\d,]+ b"
    ):
        backup.rdb.save(folder.path)
    assert (folder.files(), folder.drafts()) == ([], [])


def signal_family(process: int, how: int) -> None:
    """Sends a signal to the children of a process, and to itself."""
    subprocess.run(["pkill", f"-{how:d}", "-P", str(process)], check=False)
    os.kill(process, how)


class Killer:
    """Progress that sends a signal to a process and its children, once so many bytes are there."""

    def __init__(self, process: int, after: int, how: int = signal.SIGKILL) -> None:
        self._process = process
        self._how = how
        self._left = after

    def start(self, what: str, total: int | None, unit: str = "keys") -> None: ...

    def advance(self, count: int) -> None:
        self._left -= count
        if self._left <= 0:
            signal_family(self._process, self._how)
            self._left = SIZE

    def finish(self) -> None: ...


def test_a_server_that_falls_silent_is_given_up(start_server: StartServer, folder: Folder) -> None:
    server = start_server()
    fill(server, SIZE)
    with server.client() as client:
        process = client.info("server")["process_id"]
    frozen = Killer(process, SIZE // 10, signal.SIGSTOP)
    impatient = f"{server.url}?socket_timeout=0.5"
    try:
        with pytest.raises(ServerError, match="it stopped sending after"):
            Backup(folder.path.parent / "data", impatient, progress=frozen).rdb.save(folder.path)
    finally:  # with the child that saves: the server ends by a signal that does not reach it
        signal_family(process, signal.SIGCONT)
    assert (folder.files(), folder.drafts()) == ([], [])


@pytest.fixture
def full_after(valkey: LiveServer) -> Iterator[Callable[[int], None]]:
    """Sets how many bytes a file of ours may have, which ends as a full disk does."""
    first = resource.getrlimit(resource.RLIMIT_FSIZE)
    yield lambda size: resource.setrlimit(resource.RLIMIT_FSIZE, (size, first[1]))
    resource.setrlimit(resource.RLIMIT_FSIZE, first)


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize("room", [0, 1, 1_000_000, SIZE - 1])
def test_a_disk_that_fills(
    valkey: LiveServer, folder: Folder, full_after: Callable[[int], None], way: str, room: int
) -> None:
    fill(valkey, SIZE)
    full_after(room)
    with pytest.raises(GitbackupError, match=f"cannot save to {folder.path}: File too large"):
        save(valkey.url, folder, way)
    assert (folder.files(), folder.drafts()) == ([], [])


def test_old_files_stay_where_the_new_one_fails(valkey: LiveServer, folder: Folder) -> None:
    """However few are to be kept."""
    backup = Backup(folder.path.parent / "data", valkey.url)
    fill(valkey, 20_000)
    with proxy(valkey.url, folder.path.parent) as between:
        between.limit = 10_000
        with pytest.raises(ServerError):
            Backup(folder.path.parent / "data", between.url).rdb.save(folder.path, keep=1)
    assert folder.files() == []  # and the old one is there
    new = backup.rdb.save(folder.path, keep=1)
    assert [path.name for path in new.removed] == ["dump-20200101-000000.rdb"]
