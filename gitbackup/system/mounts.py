"""The file systems and disks that paths of this machine are on.

Linux tells them below /proc and /sys; elsewhere two paths are on one disk if they are on one
device.
"""

from __future__ import annotations

import os
import socket
import sys
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path, PurePosixPath
from typing import NamedTuple

SELF = Path("/proc/self/mountinfo")
BLOCK = Path("/sys/dev/block")
DEEPEST = 8  # devices that are made of others
LOOPBACK = ("localhost", "::1", "ip6-localhost")


class Mount(NamedTuple):
    """A file system as a process sees it: where it begins, of which type it is, what of which
    device is there, and the device or the server that it comes from."""

    point: str
    type: str
    device: str
    root: str
    source: str = ""


def mount_of(mountinfo: str, folder: str) -> Mount | None:
    """Return the file system that a folder is on, by what /proc tells of a process's mounts."""
    found = None
    for line in mountinfo.splitlines():
        before, _, after = line.partition(" - ")
        _, _, device, root, point, *_ = before.split()
        point = _unescaped(point)
        inside = PurePosixPath(folder).is_relative_to(point)
        if inside and (found is None or len(point) >= len(found.point)):  # the last one covers
            type_, source, *_ = [*after.split(), ""]
            found = Mount(point, type_, device, root, _unescaped(source))
    return found


def mount_at(path: Path) -> Mount | None:
    """Return the file system that a path of this machine is on; None if that is not told."""
    with suppress(OSError, ValueError):
        return mount_of(SELF.read_text(errors="replace"), str(path.resolve()))
    return None


def on_one_disk(one: Path, other: Path) -> bool:
    """Return whether two paths that exist are on one disk, also by another mount or partition.

    Raises OSError if one of them cannot be looked at.
    """
    if one.stat().st_dev == other.stat().st_dev:
        return True
    return not {*_disks(one)}.isdisjoint(_disks(other))


def server_of(mount: Mount) -> str:
    """Return the host that a file system comes from through a network; empty if it is on a disk of
    this machine."""
    if mount.source.startswith("//"):
        return mount.source[2:].partition("/")[0]
    host, colon, folder = mount.source.rpartition(":")
    return host.rpartition("@")[2].strip("[]") if colon and folder.startswith("/") else ""


def is_here(host: str) -> bool:
    """Return whether a host's name is known to be this machine's; nobody else is asked."""
    name = host.lower().strip("[]").rstrip(".")
    if name in LOOPBACK or name.startswith("127."):
        return True
    own = socket.gethostname().lower()
    return name in (own, own.partition(".")[0], f"{own}.local")


def _unescaped(word: str) -> str:
    return word.replace(r"\040", " ").replace(r"\011", "\t").replace(r"\134", "\\")


def _disks(path: Path) -> Iterator[str]:
    """Yield the names of the disks that a path is on, as far as they are told."""
    if sys.platform == "win32":
        return
    device = path.stat().st_dev
    mount = mount_at(path)
    if os.major(device) == 0 and mount and mount.source.startswith("/dev/"):  # as of btrfs
        with suppress(OSError):
            device = Path(mount.source).stat().st_rdev
    if os.major(device):
        yield from _below(BLOCK / f"{os.major(device)}:{os.minor(device)}", DEEPEST)


def _below(block: Path, left: int) -> Iterator[str]:
    """Yield the names of the disks that a block device is made of."""
    with suppress(OSError):
        place = block.resolve(strict=True)
        if (place / "partition").exists():
            place = place.parent
        slaves = [*(place / "slaves").iterdir()] if (place / "slaves").is_dir() else []
        backing = place / "loop" / "backing_file"
        if backing.is_file() and left:
            file = Path(backing.read_text(errors="replace").strip())
            yield from _disks(file)
        elif slaves and left:
            for slave in slaves:
                yield from _below(slave, left - 1)
        else:
            yield place.name
