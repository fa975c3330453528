"""The restore test: a snapshot restored into an empty server of our own, read again, compared."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import closing
from dataclasses import dataclass, field, replace

from gitbackup.capture.capture import Capture, take
from gitbackup.capture.reader import SnapshotReader
from gitbackup.diff.values import diff_entries
from gitbackup.errors import ServerError
from gitbackup.format import codec
from gitbackup.format.names import key_list
from gitbackup.kinds import opaque
from gitbackup.kinds.base import pieces
from gitbackup.live.connection.address import parse
from gitbackup.live.connection.connect import Server, connect
from gitbackup.live.server import keyspace
from gitbackup.live.server.keyspace import LibraryChange
from gitbackup.live.server.search_indexes import IndexChange, change_index
from gitbackup.live.server.unsupported import Unsupported
from gitbackup.live.write.key_writer import KeyWrite, KeyWriter
from gitbackup.model.changes import Action, KeyChange
from gitbackup.model.keys import FUNCTIONS, SEARCH, Entry, Key
from gitbackup.model.safety.proof import Altered, Finding, Sort, Untried
from gitbackup.progress import Progress
from gitbackup.snapshot import file_format
from gitbackup.snapshot.compare import Comparison
from gitbackup.snapshot.sources import LiveSource, Spool, content_of
from gitbackup.store.objects.trees import TreeEntry, tree_id
from gitbackup.store.repository.repository import Repository
from gitbackup.verify.drill_server import DATABASES, DrillServer
from gitbackup.verify.fsck import PLAIN, FsckResult
from gitbackup.verify.shifted_expiries import ShiftedExpiries, beyond

BATCH = 200  # keys written at once
DETAILED = 20  # keys that are compared value by value


@dataclass(slots=True)
class DrillResult:
    """What became of a snapshot in a server; the members are those of a Proof."""

    server: str
    findings: list[Finding] = field(default_factory=list)
    untried: list[Untried] = field(default_factory=list)
    made: str | None = None
    past: int = 0


def run_drill(
    repository: Repository, examined: FsckResult, own: DrillServer, progress: Progress
) -> DrillResult:
    """Restore a snapshot that was found well-formed, read the server, and compare the two.

    Raises ServerError if the server does not start, or is lost.
    """
    highest = max((db for db in examined.where if db < keyspace.MOST_DATABASES), default=0)
    chosen = own.choose([*_samples(repository, examined)])
    with chosen.start(max(DATABASES, highest + 1)) as embedded, Spool() as spool:
        try:
            server = connect(parse(embedded.url))
            return _Drill(repository, examined, server, progress).run(spool)
        except ServerError as error:
            raise ServerError(
                "the restore test, which takes as much memory as the database,"
                f" was interrupted: {error}"
            ) from error


def _samples(repository: Repository, examined: FsckResult) -> Iterator[Entry]:
    """Yield an entry of each type that only some servers can read, without its expiry."""
    for path, key in examined.opaque.values():
        content = content_of(repository, path, examined.listing[path].id)
        entry = file_format.decode_file(path, content)[key]
        yield {"type": entry["type"], "value": entry["value"]}


def _proves_nothing(before: Entry, after: Entry) -> str:
    """Return why what was read of a dump that the server took does not tell whether it holds the
    value; empty if it does tell."""
    if not file_format.is_opaque(before) or before["type"] != after["type"]:
        return ""
    if not file_format.is_opaque(after):
        return "accepts the dump of this type, which is read by its content now"
    if before["type"] in opaque.UNSTABLE:
        return "accepts the dump of this type, but returns another each time"
    if not opaque.comparable(before, after):
        return "accepts the dump of this type, but returns another version"
    return ""


class _Drill:
    """The restore of one snapshot into an empty server."""

    def __init__(
        self, repository: Repository, examined: FsckResult, server: Server, progress: Progress
    ) -> None:
        with closing(server.dial()) as connection:
            now = keyspace.clock(connection)
        self._repository = repository
        self._examined = examined
        self._server = server
        self._progress = progress
        self._due = ShiftedExpiries(
            repository, {path: examined.listing[path].id for path in examined.data}, now
        )
        self._unsupported = Unsupported(server)
        self._result = DrillResult(f"{server.brand} {server.version}")
        self._refusals: dict[Key, str] = {}

    def run(self, spool: Spool) -> DrillResult:
        self._restore()
        if self._examined.scope is None:
            raise ValueError("a snapshot without a scope cannot be restored")
        scope = self._examined.scope
        every = replace(scope, databases=None)  # the server may have fewer, and holds no others
        live = SnapshotReader(self._server, every, self._progress)
        taken = take(live, self._due, Repository.blob_id, spool, strict=True)
        untried = {each.key for each in self._result.untried}
        changes = [change for change in taken.changes if change.key not in untried]
        source = LiveSource(self._repository, taken.files, spool)
        self._result.findings += self._differences(Comparison(self._due, source, changes))
        self._result.past = self._due.past
        if not self._result.untried:
            self._compare_trees(taken, file_format.manifest(scope))
        return self._result

    def _restore(self) -> None:
        """Write every key, library and index that the server can hold, file by file."""
        libraries: dict[Key, tuple[str, Entry]] = {}
        indexes: dict[Key, Entry] = {}
        self._progress.start("rehearsing", self._examined.counts.keys)
        try:
            with KeyWriter(self._server) as writer:
                for path in self._examined.data:
                    entries = self._possible(path) if path != file_format.MANIFEST else {}
                    if file_format.database_of(path) == FUNCTIONS:
                        libraries |= {key: (path, entry) for key, entry in entries.items()}
                    elif file_format.database_of(path) == SEARCH:
                        indexes |= entries
                    else:
                        self._write(writer, file_format.database_of(path), entries)
                        self._progress.advance(len(entries))
        finally:
            self._progress.finish()
        self._load(libraries)
        self._index(indexes)

    def _possible(self, path: str) -> Mapping[Key, Entry]:
        """Return the entries of a file that the server can hold; note the others as not tested."""
        possible = {}
        for key, entry in self._due.entries(path).items():
            if needed := beyond(key, entry, self._server):
                self._skip(key, entry, f"does not know {needed}")
            elif not file_format.is_opaque(entry) and (lack := self._unsupported.lack(entry)):
                self._skip(key, entry, f"does not know this type: {lack.reason}")
            else:
                possible[key] = entry
        return possible

    def _skip(self, key: Key, entry: Entry, why: str) -> None:
        sentence = f"{self._result.server} {why}"
        self._result.untried.append(Untried(key, entry["type"], sentence))

    def _write(self, writer: KeyWriter, db: int, entries: Mapping[Key, Entry]) -> None:
        steps = [KeyWrite(codec.data(key.name), None, entry) for key, entry in entries.items()]
        for batch in pieces(steps, BATCH):
            for step, why in writer.apply(db, batch).refused:
                key = Key(db, codec.text(step.key))
                if file_format.is_opaque(entries[key]):  # only some servers know its type
                    self._skip(key, entries[key], f"does not accept the dump of this type ({why})")
                else:
                    self._refusals[key] = why

    def _load(self, libraries: Mapping[Key, tuple[str, Entry]]) -> None:
        changes = [
            LibraryChange(key.name, None, entry["value"]) for key, (_, entry) in libraries.items()
        ]
        if not changes:
            return
        with closing(self._server.dial()) as connection:
            refused = keyspace.change_libraries(connection, changes, seen={}) or {}
        for key, (path, entry) in libraries.items():
            if key.name in refused and path.endswith(".lua"):
                self._refusals[key] = refused[key.name]
            elif key.name in refused:
                self._skip(key, entry, f"does not load it ({refused[key.name]})")

    def _index(self, indexes: Mapping[Key, Entry]) -> None:
        for key, entry in indexes.items():
            change = IndexChange(key.name, None, codec.data(entry["value"]))
            with closing(self._server.dial()) as connection:
                if refused := change_index(connection, change):
                    self._skip(key, entry, f"does not create it ({refused})")

    def _differences(self, comparison: Comparison) -> Iterator[Finding]:
        """Yield what differs. A dump in another version of the server's format is not tested."""
        detailed = DETAILED
        for change, before, after in comparison.pairs():
            if before and after and (why := _proves_nothing(before, after)):
                self._skip(change.key, before, why)
                continue
            altered = None
            if before and after and detailed:
                detailed -= 1
                altered = Altered(change, before, after, diff_entries(before, after))
            yield self._finding(change, altered)

    def _finding(self, change: KeyChange, altered: Altered | None) -> Finding:
        path = change.before or change.after
        how = {
            Action.ADDED: "exists after the restore, but not in the commit",
            Action.CHANGED: "has a different value after the restore",
            Action.REMOVED: "does not exist after the restore",
        }[change.action]
        if change.key in self._refusals:
            how = f"is refused by {self._result.server}: {self._refusals[change.key]}"
        sentence = f"{path}: {key_list([change.key])} {how}"
        return Finding(Sort.DIFFERENT, sentence, path, change.key, altered)

    def _compare_trees(self, taken: Capture, manifest: bytes) -> None:
        """Return the tree of a commit of the server: the commit's own, unless a problem was found.
        If all keys are as they should be and the tree is not, that is a problem."""
        listing = self._examined.listing
        tree = {path: place for path, place in listing.items() if not file_format.is_data(path)}
        tree |= {
            path: TreeEntry(PLAIN, self._due.original(path, blob_id))
            for path, blob_id in taken.files.items()
            if path != file_format.MANIFEST
        }
        tree[file_format.MANIFEST] = TreeEntry(PLAIN, Repository.blob_id(manifest))
        self._result.made = tree_id(tree)
        problems = self._result.findings or self._examined.findings
        if self._result.made != tree_id(listing) and not problems:
            paths = [
                path for path in [*taken.fresh, *taken.gone][:3] if path != file_format.MANIFEST
            ]
            sentence = f"the same keys are in other files after the restore: {', '.join(paths)}"
            self._result.findings.append(Finding(Sort.DIFFERENT, sentence))
