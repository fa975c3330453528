"""Which disk a path is on, and whether that is another one."""

from __future__ import annotations

import os
import shutil
import socket
import subprocess
import sys
from pathlib import Path

import pytest

from gitbackup.system.mounts import Mount, is_here, mount_of, on_one_disk, server_of

SHARED_MEMORY = Path("/dev/shm")  # noqa: S108  not written to

MOUNTS = r"""
26 1 254:0 / / rw - ext4 /dev/vda rw
27 26 0:40 / /mnt/my\040nas rw - nfs4 nas.example.org:/export/my\040files rw
28 26 0:41 / /mnt/share rw - cifs //192.168.1.5/share rw
29 26 0:42 / /mnt/ssh rw - fuse.sshfs me@localhost:/srv rw
30 26 0:43 / /mnt/six rw - nfs4 [fe80::1]:/srv rw
31 26 0:44 / /home rw - btrfs /dev/sda2 rw
32 26 0:45 / /tmp rw - tmpfs tmpfs rw
"""


@pytest.mark.parametrize(
    ("path", "server"),
    [
        ("/mnt/my nas/a", "nas.example.org"),
        ("/mnt/share/a", "192.168.1.5"),
        ("/mnt/ssh/a", "localhost"),
        ("/mnt/six/a", "fe80::1"),
        ("/home/a", ""),
        ("/tmp/a", ""),  # noqa: S108  a path in a text
        ("/a", ""),
    ],
)
def test_the_machine_that_a_file_system_comes_from(path: str, server: str) -> None:
    found = mount_of(MOUNTS.strip(), path)
    assert found
    assert server_of(found) == server


def test_a_name_of_this_machine() -> None:
    here = ["localhost", "LocalHost.", "127.0.1.1", "::1", "[::1]", socket.gethostname()]
    assert [name for name in here if not is_here(name)] == []
    assert [
        name for name in ("example.org", "", "1.2.3.4", "localhost.example") if is_here(name)
    ] == []


def test_folders_of_one_disk(tmp_path: Path) -> None:
    (tmp_path / "link").symlink_to(tmp_path)
    assert on_one_disk(tmp_path, tmp_path / "link")
    assert on_one_disk(tmp_path, tmp_path.parent)
    with pytest.raises(FileNotFoundError):
        on_one_disk(tmp_path, tmp_path / "gone")


@pytest.mark.skipif(not SHARED_MEMORY.is_mount(), reason=f"{SHARED_MEMORY} is no mount")
def test_folders_of_two_disks(tmp_path: Path) -> None:
    if tmp_path.stat().st_dev == SHARED_MEMORY.stat().st_dev:
        pytest.skip("the tests run in memory")
    assert not on_one_disk(tmp_path, SHARED_MEMORY)


TRY = """
import sys; from pathlib import Path; from gitbackup.system.mounts import on_one_disk
print(on_one_disk(Path(sys.argv[1]), Path(sys.argv[2])))
"""


@pytest.mark.skipif(os.geteuid() != 0 or not shutil.which("unshare"), reason="root may mount")
def test_a_folder_that_is_mounted_once_more(tmp_path: Path) -> None:
    for name in ("a", "b"):
        (tmp_path / name).mkdir()
    script = 'mount --bind a b || exit 77; exec "$0" -c "$1" a b'
    done = subprocess.run(
        ["unshare", "-m", "sh", "-c", script, sys.executable, TRY],
        cwd=tmp_path, capture_output=True, text=True, check=False,
        env={**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)},
    )  # fmt: skip
    if done.returncode in (1, 77):
        pytest.skip(done.stderr)
    assert done.stdout == "True\n"


def test_a_mount_has_its_source() -> None:
    assert mount_of(MOUNTS.strip(), "/home/me") == Mount("/home", "btrfs", "0:44", "/", "/dev/sda2")
