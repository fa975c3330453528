"""Packs and their indexes are those that git would write, and git finds nothing wrong with them."""

from __future__ import annotations

import gc
import os
import stat
import struct
import subprocess
import sys
import threading
import weakref
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path
from random import Random

import pytest

from gitbackup.store.pack import deflate, writer
from gitbackup.store.pack.index import LARGE, PackedIds, PackedObject, PackIndex, encode
from gitbackup.store.pack.writer import PackWriter, entry_header, object_id
from tests.store.plain import git, run_git

SIZES = [0, 1, 15, 16, 17, 2_047, 2_048, 65_535, 65_536, 65_537, 262_144, 3_000_000]
Deflate = Callable[[bytes], bytes]


@pytest.fixture
def packs(tmp_path: Path) -> Path:
    """Where a repository of plain git has its packs."""
    git(tmp_path, "init", "--quiet", "--object-format=sha1")
    return tmp_path / ".git" / "objects" / "pack"


@pytest.fixture(params=["isal", "zlib"])
def compressed(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> str:
    """By which library it is compressed."""
    if request.param == "zlib":
        monkeypatch.setitem(sys.modules, "isal", None)
        assert deflate.best() is deflate.by_zlib
    else:
        pytest.importorskip("isal")
        assert deflate.best() is not deflate.by_zlib
    return str(request.param)


def blobs(random: Random) -> Iterator[bytes]:
    """Contents that compress well, and some that do not."""
    for size in SIZES:
        yield b"a line of text\n" * (size // 15) + b"x" * (size % 15)
        yield random.randbytes(size)


def write(folder: Path, contents: list[bytes]) -> dict[bytes, bytes]:
    """Packs them as blobs; returns them by id."""
    found = {object_id(b"blob", content): content for content in contents}
    with PackWriter(folder) as pack:
        for id_, content in found.items():
            pack.put(b"blob", content, id_)
        pack.finish()
    return found


def put_many(pack: PackWriter) -> None:
    """Puts more than may wait."""
    for number in range(10_000):
        content = b"%d" % number * 4_096
        pack.put(b"blob", content, object_id(b"blob", content))


def fast_import(packs: Path, stream: bytes) -> None:
    """Has git write a pack."""
    setting = ("-c", "fastimport.unpackLimit=0")
    git(packs.parents[1], *setting, "fast-import", "--quiet", stdin=stream)


def the_index(packs: Path) -> Path:
    (found,) = packs.glob("*.idx")
    return found


def import_by_git(packs: Path, stream: bytes) -> None:
    """git itself makes a pack of a stream of `fast-import`."""
    words = ("-c", "fastimport.unpackLimit=0", "fast-import", "--quiet")
    git(packs.parents[1], *words, stdin=stream)


@pytest.mark.parametrize("seed", range(2))
def test_git_reads_objects_of_every_size(packs: Path, compressed: str, seed: int) -> None:
    random = Random(seed)
    contents = [*blobs(random), *(random.randbytes(random.randrange(400)) for _ in range(300))]
    found = write(packs, contents)

    index = the_index(packs)
    assert git(packs, "index-pack", "--strict", "-o", "own.idx", str(index.with_suffix(".pack")))
    assert (packs / "own.idx").read_bytes() == index.read_bytes()
    git(packs, "verify-pack", str(index))
    fsck = run_git(packs.parents[1], "fsck", "--strict", "--full", "--no-dangling")
    assert (fsck.returncode, fsck.stdout) == (0, b"")
    for id_, content in found.items():
        done = run_git(packs, "cat-file", "blob", id_.hex())
        assert done.stdout == content


def test_what_was_put_can_be_read_at_any_time(tmp_path: Path, compressed: str) -> None:
    contents = [*blobs(Random(3))]
    with PackWriter(tmp_path) as pack:
        for content in contents:
            pack.put(b"blob", content, object_id(b"blob", content))
            assert pack.read(object_id(b"blob", content)) == content
        pack.finish()
        for content in contents:
            assert pack.read(object_id(b"blob", content)) == content


def test_a_pack_has_an_object_once_and_none_that_is_known(packs: Path) -> None:
    one, two = (object_id(b"blob", content) for content in (b"1", b"2"))
    with PackWriter(packs, lambda id_: id_ == two) as pack:
        pack.put(b"blob", b"1", one)
        pack.put(b"blob", b"2", two)
        pack.put(b"blob", b"1", one)
        assert one in pack
        assert two in pack
        assert pack.read(two) is None
        pack.finish()
    with PackIndex(the_index(packs)) as index:
        assert index.has(one)
        assert not index.has(two)
    assert "non delta: 1 object" in git(packs, "verify-pack", "-v", str(the_index(packs)))


def test_no_object_is_no_pack(tmp_path: Path) -> None:
    with PackWriter(tmp_path) as pack:
        pack.finish()
    assert not [*tmp_path.iterdir()]


def test_what_is_not_finished_is_gone(tmp_path: Path) -> None:
    with PackWriter(tmp_path) as pack:
        pack.put(b"blob", b"x" * 100_000, object_id(b"blob", b"x" * 100_000))
    assert not [*tmp_path.iterdir()]
    assert "gitbackup-pack" not in {thread.name for thread in threading.enumerate()}


@pytest.mark.skipif(os.name == "nt", reason="modes are not those of POSIX there")
def test_files_have_the_modes_that_git_gives_them(packs: Path) -> None:
    before = os.umask(0o027)
    try:
        write(packs, [b"ours"])
        stream = b"blob\ndata 5\ngit's\n"
        import_by_git(packs, stream)
    finally:
        os.umask(before)
    modes = {stat.S_IMODE(file.stat().st_mode) for file in packs.glob("pack-*.*")}
    assert modes == {0o440}


def test_an_error_of_the_disk_is_raised_and_never_waited_for(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*_: object) -> bytes:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(deflate, "best", lambda: fail)
    with PackWriter(tmp_path) as pack:
        with pytest.raises(OSError, match="No space left"):
            put_many(pack)
        with pytest.raises(OSError, match="No space left"):
            pack.read(object_id(b"blob", b"another"))
        with pytest.raises(OSError, match="No space left"):
            pack.finish()
    assert not [*tmp_path.iterdir()]


def test_an_error_of_the_disk_leaves_nothing_for_the_garbage_collector(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The caller, which the traceback has, goes at once with all that it holds open."""

    class Caller:
        def fill(self) -> None:
            with PackWriter(tmp_path) as pack:
                put_many(pack)

    def fail(*_: object) -> bytes:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(deflate, "best", lambda: fail)
    gc.collect()
    gc.disable()
    try:
        caller = Caller()
        seen = weakref.ref(caller)
        with suppress(OSError):
            caller.fill()
        del caller
        assert seen() is None
    finally:
        gc.enable()


def test_what_the_disk_did_not_keep_is_noticed(tmp_path: Path) -> None:
    content = Random(5).randbytes(100_000)
    with PackWriter(tmp_path) as pack:
        pack.put(b"blob", content, object_id(b"blob", content))
        pack.read(object_id(b"blob", content))
        with (tmp_path / "tmp_pack").open("r+b") as file:
            file.seek(50_000)
            file.write(b"another")
        with pytest.raises(OSError, match="not what was written"):
            pack.finish()
    assert not [*tmp_path.iterdir()]


@pytest.mark.parametrize("size", [0, 1, 15, 16, 2_047, 2_048, 1 << 31, (1 << 40) + 5])
def test_the_header_of_an_entry_tells_its_kind_and_size(size: int) -> None:
    """As gitformat-pack(5) has it: four bits of the size first, then seven in each byte."""
    for kind, number in {b"commit": 1, b"tree": 2, b"blob": 3}.items():
        first, *more = entry_header(kind, size)
        told, shift = first & 15, 4
        for byte in more:
            told |= (byte & 127) << shift
            shift += 7
        assert (first >> 4 & 7, told) == (number, size)
        flags = [byte >> 7 for byte in (first, *more)]
        assert flags == [1] * len(more) + [0]


def test_offsets_beyond_two_gigabytes_are_in_a_table_of_their_own() -> None:
    offsets = [12, LARGE - 1, LARGE, LARGE + 1, 1 << 33, (1 << 62) + 7]
    objects = [
        PackedObject(object_id(b"blob", b"%d" % offset), number, offset)
        for number, offset in enumerate(offsets)
    ]
    content = encode(objects, b"p" * 20)
    count = len(objects)
    ids = content[1_032 : 1_032 + 20 * count]
    small = struct.unpack_from(f">{count}L", content, 1_032 + 24 * count)
    large = struct.unpack_from(">4Q", content, 1_032 + 28 * count)
    found = {
        ids[20 * at : 20 * at + 20]: large[place - LARGE] if place >= LARGE else place
        for at, place in enumerate(small)
    }
    assert found == {each.id: each.offset for each in objects}
    assert len(content) == 1_032 + 28 * count + 4 * 8 + 40


def test_git_takes_an_index_with_large_offsets(packs: Path) -> None:
    """It lists what the index says without reading the pack."""
    objects = [PackedObject(object_id(b"blob", b"%d" % n), n, n << 30) for n in range(1, 9)]
    done = run_git(packs, "show-index", "--object-format=sha1", stdin=encode(objects, b"p" * 20))
    told = {tuple(line.split()[:2]) for line in done.stdout.decode().splitlines()}
    assert told == {(str(each.offset), each.id.hex()) for each in objects}


@pytest.mark.parametrize("ids", [[b"x" * 20, b"x" * 20], [b"short"]])
def test_ids_that_cannot_be_are_refused(ids: list[bytes]) -> None:
    with pytest.raises(ValueError, match="an id of its own"):
        encode([PackedObject(id_, 0, 12) for id_ in ids], b"p" * 20)


class TestPackedIds:
    """What the packs of a repository have."""

    def test_it_knows_what_is_in_each_pack_and_nothing_else(self, packs: Path) -> None:
        random = Random(9)
        found = [write(packs, [random.randbytes(9) for _ in range(n)]) for n in (1, 3, 700)]
        known = PackedIds(packs)
        assert all(known.have(id_) for each in found for id_ in each)
        assert not any(known.have(random.randbytes(20)) for _ in range(1_000))
        assert not known.have(b"\0" * 20)
        assert not known.have(b"\xff" * 20)
        known.close()
        assert not known.have(next(iter(found[0])))

    def test_a_pack_that_git_made_is_read(self, packs: Path) -> None:
        stream = b"".join(b"blob\ndata 2\n%d\n\n" % n for n in range(9))
        import_by_git(packs, stream)
        known = PackedIds(packs)
        assert known.have(object_id(b"blob", b"7\n"))
        known.close()

    @pytest.mark.parametrize(
        "damage", [b"", b"\xfftOc\0\0\0\1", b"\xfftOc\0\0\0\2" + b"\xff" * 1_024]
    )
    def test_an_index_that_is_none_counts_as_empty(self, packs: Path, damage: bytes) -> None:
        (id_,) = write(packs, [b"1"])
        index = the_index(packs)
        index.chmod(0o600)
        index.write_bytes(damage)
        known = PackedIds(packs)
        assert not known.have(id_)
        known.close()

    def test_an_index_without_its_pack_counts_as_empty(self, packs: Path) -> None:
        (id_,) = write(packs, [b"1"])
        the_index(packs).with_suffix(".pack").unlink()
        assert not PackedIds(packs).have(id_)


def test_the_thread_falls_no_further_behind_than_some_megabytes(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(writer, "AHEAD", 1_000)
    go_on, most = threading.Event(), 0

    def slow(content: bytes) -> bytes:
        go_on.wait()
        return deflate.by_zlib(content)

    monkeypatch.setattr(deflate, "best", lambda: slow)
    with PackWriter(tmp_path) as pack:
        for number in range(100):
            content = b"%03d" % number * 100
            if number == 3:
                go_on.set()
            pack.put(b"blob", content, object_id(b"blob", content))
            most = max(most, sum(len(content) for _, content, _ in [*pack._queue]))
        pack.finish()
    assert most <= 1_000
    git(tmp_path, "index-pack", "--strict", *(str(file) for file in tmp_path.glob("*.pack")))


def test_a_killed_writer_leaves_no_pack(packs: Path) -> None:
    script = (
        "import os, signal, sys\n"
        "from pathlib import Path\n"
        "from gitbackup.store.pack.writer import PackWriter, object_id\n"
        "pack = PackWriter(Path(sys.argv[1]))\n"
        "pack.put(b'blob', b'x', object_id(b'blob', b'x'))\n"
        "pack.read(object_id(b'blob', b'x'))\n"
        "os.kill(os.getpid(), signal.SIGKILL)\n"
    )
    house = Path(__file__).parents[2]
    subprocess.run([sys.executable, "-c", script, str(packs)], cwd=house, check=False)
    assert [file.name for file in packs.iterdir()] == ["tmp_pack"]
    assert run_git(packs.parents[1], "fsck", "--strict").returncode == 0
