"""The RDB files of a cluster: one of each node in a folder, which together are one.

The folder is as `redis-cli --cluster backup` makes it: `nodes.json` tells which slots each node
has, and the name of a node's file ends with the node's id. What takes a file takes such a folder,
too, by the functions here.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, replace
from itertools import groupby
from pathlib import Path
from typing import NamedTuple, Protocol

from gitbackup.errors import Damaged
from gitbackup.format import codec
from gitbackup.live.connection.address import place_of, told_place
from gitbackup.live.connection.cluster import SLOTS, Cluster
from gitbackup.live.connection.connect import Server
from gitbackup.live.protocol.slots import slot
from gitbackup.live.rdb import rdb_file, rdb_server
from gitbackup.live.rdb.rdb_server import RdbServer
from gitbackup.live.read.key_reader import KeyReader
from gitbackup.model.server.rdb import RdbFile, RdbNode

NODES = "nodes.json"
LARGEST = 1 << 24  # bytes of nodes.json: a thousand nodes with many ranges of slots have fewer
UNSAFE = re.compile(r"[^\w.:-]", re.ASCII)
Slots = Sequence[tuple[int, int]]


class LoadedRdb(Protocol):
    """What `load()` gives: a file, and a server that holds its data, or several as one."""

    @property
    def file(self) -> RdbFile: ...

    @property
    def server(self) -> Server: ...

    @property
    def keys(self) -> Mapping[int, int]: ...

    @property
    def expiring(self) -> Mapping[int, int]: ...

    @property
    def hides(self) -> bool: ...

    def living(self, db: int) -> int:
        """Return how many keys of a database have not expired by now."""
        ...

    def drop_expired(self) -> None:
        """Remove what had expired before the file was written."""
        ...


def is_set(path: Path) -> bool:
    """Return whether there is a folder of a cluster's files at `path`."""
    return path.is_dir() and (path / NODES).is_file()


def look(path: Path) -> RdbFile:
    """Return what a file tells of itself, or the files of a cluster's nodes in a folder.

    Raises Damaged if one is not whole, or is missing, or if not each slot is in one of them;
    UsageError if there is neither.
    """
    return _together(path) if is_set(path) else rdb_file.look(path)


def check(path: Path) -> bool:
    """Read all of a file, or of each file in a folder; return whether all have checksums.

    Raises what `look` does, and Damaged if a checksum is wrong.
    """
    if not is_set(path):
        return rdb_file.check(path)
    checksums = [rdb_file.check(node.file.path) for node in _together(path).nodes]
    return all(checksums)


@contextmanager
def load(
    path: Path, program: Path | None = None, modules: Sequence[Path] = ()
) -> Iterator[LoadedRdb]:
    """Load a file into a server of our own, or each file in a folder into one.

    The rest is as for `rdb_server.load`. Raises Damaged if a file has a key of another's slots.
    """
    if not is_set(path):
        with rdb_server.load(path, program, modules) as loaded:
            yield loaded
        return
    file = _together(path)
    with ExitStack() as opened:
        parts = {
            node.id: opened.enter_context(rdb_server.load(node.file.path, program, modules))
            for node in file.nodes
        }
        owners = _owners(file)
        for node in file.nodes:
            _expect_own_keys(file, node, parts[node.id], owners)
        yield _LoadedSet(file, _as_cluster(parts, owners), [*parts.values()])


def file_name(host: str, port: int, node: str) -> str:
    """Return the name of a node's file, which no node can lead out of the folder."""
    return UNSAFE.sub("_", f"redis-node-{host}-{port}-{node}") + ".rdb"


def described(nodes: Mapping[str, tuple[str, int]], owners: Sequence[str]) -> bytes:
    """Return the content of `nodes.json`: the ids of nodes with their hosts and ports, and who has
    each slot."""
    slots: dict[str, list[tuple[int, int]]] = {node: [] for node in nodes}
    first = 0
    for owner, numbers in groupby(owners):
        last = first + len([*numbers]) - 1
        slots[owner].append((first, last))
        first = last + 1
    return codec.encode(
        [
            {"name": node, "host": host, "port": port, "replicate": None, "slots": slots[node]}
            for node, (host, port) in nodes.items()
        ]
    )


class _Told(NamedTuple):
    """What `nodes.json` says of a node."""

    id: str
    place: str
    slots: Slots


@dataclass(frozen=True, slots=True)
class _LoadedSet:
    """Servers that hold the files of a cluster's nodes; `server` reads them as one."""

    file: RdbFile
    server: Server
    parts: Sequence[RdbServer]

    @property
    def keys(self) -> Mapping[int, int]:
        return sum((Counter(part.keys) for part in self.parts), Counter[int]())

    @property
    def expiring(self) -> Mapping[int, int]:
        return sum((Counter(part.expiring) for part in self.parts), Counter[int]())

    @property
    def hides(self) -> bool:
        return any(part.hides for part in self.parts)

    def living(self, db: int) -> int:
        return sum(part.living(db) for part in self.parts)

    def drop_expired(self) -> None:
        for part in self.parts:
            part.drop_expired()


class _Loaded(Cluster[Server]):
    """The servers of a set as the nodes of a cluster, which nothing moves between."""

    def __init__(self, nodes: dict[str, Server], owners: list[str]) -> None:
        first = next(iter(nodes.values()))
        super().__init__(first.address, lambda connection, address: first)
        self.nodes, self.owners = nodes, owners

    def look(self) -> None:
        """Do nothing: the nodes stay the same."""


def _as_cluster(parts: Mapping[str, RdbServer], owners: list[str]) -> Server:
    nodes = {node: part.server for node, part in parts.items()}
    first = next(iter(nodes.values()))
    return replace(first, cluster=_Loaded(nodes, owners))


def _together(path: Path) -> RdbFile:
    """Return a folder's files as one. Raises Damaged if they are not a whole cluster's."""
    named = {file.stem.rpartition("-")[2]: file for file in sorted(path.glob("*.rdb"))}
    nodes = list[RdbNode]()
    for told in sorted(_told(path), key=lambda told: [*told.slots]):
        file = named.get(told.id)
        if file is None:
            raise Damaged(f"{path} lacks the file of node {told.place}, {_words(told.slots)}")
        nodes.append(RdbNode(told.id, told.place, told.slots, rdb_file.look(file)))
    files = [node.file for node in nodes]
    whole = RdbFile(
        path,
        sum(file.size for file in files),
        min(file.version for file in files),
        ", ".join(dict.fromkeys(file.server for file in files if file.server)),
        min(file.taken_at for file in files),
        all(file.dated for file in files),
        nodes=tuple(nodes),
    )
    _owners(whole)
    return whole


def _told(path: Path) -> list[_Told]:
    """Return the nodes that have slots, by `nodes.json`; there is one at least."""
    listing = path / NODES
    with listing.open("rb") as file:
        content = file.read(LARGEST + 1)
    try:
        if len(content) > LARGEST:
            raise ValueError("too large")
        told = [_node(**each) for each in codec.load(content)]
        if len({each.id for each in told}) < len(told):
            raise ValueError("a node that is told of twice")
    except (TypeError, ValueError, LookupError):
        raise Damaged(f"{listing} does not tell the nodes of a cluster and their slots") from None
    if found := [each for each in told if each.slots]:
        return found
    raise Damaged(f"{listing} names no node that has slots")


def _node(name: str, host: str, port: int, slots: Sequence[Sequence[int]], **_: object) -> _Told:
    ranges = sorted((int(first), int(last)) for first, last in slots)
    if not all(0 <= first <= last < SLOTS for first, last in ranges):
        raise ValueError(slots)
    return _Told(str(name), place_of(*told_place(host, port)), ranges)


def _owners(file: RdbFile) -> list[str]:
    """Return the id of the node that has each slot. Raises Damaged if none has it, or two have."""
    owners = [""] * SLOTS
    for node in file.nodes:
        for first, last in node.slots:
            for number in range(first, last + 1):
                if owners[number]:
                    raise Damaged(
                        f"{file.path}: more than one node has {_words([(number, number)])}"
                    )
                owners[number] = node.id
    if "" in owners:
        missing = [number for number, owner in enumerate(owners) if not owner]
        raise Damaged(f"{file.path} is not a whole cluster: no file has {_words(_ranges(missing))}")
    return owners


def _ranges(numbers: Sequence[int]) -> list[tuple[int, int]]:
    """Return ascending numbers as ranges."""
    ranges: list[tuple[int, int]] = []
    for number in numbers:
        if ranges and ranges[-1][1] == number - 1:
            ranges[-1] = ranges[-1][0], number
        else:
            ranges.append((number, number))
    return ranges


def _words(slots: Slots) -> str:
    """Return the first of some slots in words, and how many there are if that is not all."""
    (first, last), *others = slots
    words = f"slot {first}" if first == last and not others else f"slots {first}-{last}"
    count = sum(last - first + 1 for first, last in others)
    return f"{words} and {count:,} more" if count else words


def _expect_own_keys(
    file: RdbFile, node: RdbNode, loaded: RdbServer, owners: Sequence[str]
) -> None:
    """Raise Damaged if a node's file has a key of another's slots: nobody knows which counts."""
    with KeyReader(loaded.server) as reader:
        for db in loaded.keys:
            for name in reader.names(db):
                number = slot(name)
                if owners[number] != node.id:
                    other = next(each for each in file.nodes if each.id == owners[number])
                    raise Damaged(
                        f"{node.file.path} has key {codec.text(name)!r} of slot {number}, which is"
                        f" one of node {other.place}: were slots moving when it was saved?"
                    )
