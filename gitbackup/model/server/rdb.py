"""RDB files: what they say of themselves, and the results of saving, listing and verifying them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from gitbackup.model.server.replicas import ReplicaRead


@dataclass(frozen=True, slots=True)
class RdbFile:
    """What an RDB file says of itself.

    `version` is the format's; `server` who wrote it, such as `Redis 7.0.15`, empty if it
    does not say; `taken_at` the moment it is of, or the file's own time where `dated` is false.
    `start` and `end` are the bytes where the data begin and end: replication may have put a line
    before them, and a mark behind. `commands` tells whether the file is an append-only file, in
    which commands follow.

    The files of a cluster's nodes are one RdbFile together: `path` is their folder, `nodes` has
    each of them, `size` is that of all, `version` the oldest, and `taken_at` the earliest of the
    moments that they are of.
    """

    path: Path
    size: int
    version: int
    server: str
    taken_at: datetime
    dated: bool
    start: int = 0
    end: int = 0
    commands: bool = False
    nodes: Sequence[RdbNode] = ()


@dataclass(frozen=True, slots=True)
class RdbNode:
    """A file of one node of a cluster: the node's id, its place as `host:port`, and its slots, as
    pairs of the first and the last."""

    id: str
    place: str
    slots: Sequence[tuple[int, int]]
    file: RdbFile


@dataclass(frozen=True, slots=True)
class RdbSaved:
    """What `save` did: the file; whether the server gave it a checksum, which then is right;
    which older files went; sentences for the user; and the replicas that were read instead of
    primaries."""

    file: RdbFile
    server: str
    checksum: bool
    removed: Sequence[Path]
    warnings: Sequence[str]
    replicas: Sequence[ReplicaRead] = ()


@dataclass(frozen=True, slots=True)
class RdbListed:
    """A file in a folder; `file` is None if it is not a whole RDB file, and `problem` says why."""

    path: Path
    size: int
    file: RdbFile | None
    problem: str = ""


@dataclass(frozen=True, slots=True)
class RdbVerified:
    """What a server of our own, `server`, found in a file.

    `keys`, `expiring` and `expired` tell by database how many keys there are in the file, how
    many of these expire, and how many have by now; `libraries` and `indexes` how many libraries of
    functions and search indexes there are.
    """

    file: RdbFile
    checksum: bool
    server: str
    keys: Mapping[int, int]
    expiring: Mapping[int, int]
    expired: Mapping[int, int]
    libraries: int
    indexes: int
