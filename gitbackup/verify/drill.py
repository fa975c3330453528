"""The rehearsal: a snapshot restored into an empty server of our own, taken again, compared."""

from __future__ import annotations

import base64
from collections.abc import Iterator, Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass, field, replace

from gitbackup.capture.capture import Capture, take
from gitbackup.capture.reader import SnapshotReader
from gitbackup.diff.values import diff_entries
from gitbackup.errors import ServerError
from gitbackup.format import codec
from gitbackup.format.names import key_list
from gitbackup.kinds.base import pieces
from gitbackup.live.connection.address import parse
from gitbackup.live.connection.connect import Server, connect
from gitbackup.live.server import keyspace
from gitbackup.live.server.keyspace import LibraryChange
from gitbackup.live.write.key_writer import KeyWrite, KeyWriter
from gitbackup.model.changes import Action, KeyChange
from gitbackup.model.keys import FUNCTIONS, Entry, Key
from gitbackup.model.proof import Altered, Finding, Sort, Untried
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
DETAILED = 20  # keys of which it is told how they came back


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
    """Restores a snapshot that was found well-formed, takes one of the server, compares them.

    Raises ServerError where the server does not start, or is lost.
    """
    highest = max((db for db in examined.where if db < keyspace.MOST_DATABASES), default=0)
    chosen = own.choose([*_samples(repository, examined)])
    with chosen.start(max(DATABASES, highest + 1)) as embedded, Spool() as spool:
        try:
            server = connect(parse(embedded.url))
            return _Rehearsal(repository, examined, server, progress).run(spool)
        except ServerError as error:
            told = "which takes as much memory as the database"
            raise ServerError(f"the restore test, {told}, was interrupted: {error}") from error


def _samples(repository: Repository, examined: FsckResult) -> Iterator[Entry]:
    """An entry of each type that only a server which knows it can read, without its expiry."""
    for path, key in examined.opaque.values():
        content = content_of(repository, path, examined.listing[path].id)
        entry = file_format.decode_file(path, content)[key]
        yield {"type": entry["type"], "value": entry["value"]}


def _incomparable(before: Entry, after: Entry) -> bool:
    """Whether these are dumps of one type, in two versions of the server's own format."""
    if not file_format.is_opaque(before) or before["type"] != after["type"]:
        return False
    ends = [base64.b64decode(entry["value"]["dump"])[-10:-8] for entry in (before, after)]
    return ends[0] != ends[1]


class _Rehearsal:
    """One snapshot, and the empty server that it is restored into."""

    def __init__(
        self, repository: Repository, examined: FsckResult, server: Server, progress: Progress
    ) -> None:
        with closing(server.dial()) as connection:
            now = keyspace.clock(connection)
        self._repository = repository
        self._examined = examined
        self._server = server
        self._progress = progress
        self._staged = ShiftedExpiries(
            repository, {path: examined.listing[path].id for path in examined.data}, now
        )
        self._result = DrillResult(f"{server.brand} {server.version}")
        self._refusals: dict[Key, str] = {}

    def run(self, spool: Spool) -> DrillResult:
        self._restore()
        if self._examined.scope is None:
            raise ValueError("a snapshot without a scope cannot be restored")
        scope = self._examined.scope
        every = replace(scope, databases=None)  # the server may have fewer, and holds no others
        live = SnapshotReader(self._server, every, self._progress)
        taken = take(live, self._staged, Repository.blob_id, spool, strict=True)
        left = {one.key for one in self._result.untried}
        changes = [change for change in taken.changes if change.key not in left]
        source = LiveSource(self._repository, taken.files, spool)
        self._result.findings += self._differences(Comparison(self._staged, source, changes))
        self._result.past = self._staged.past
        if not self._result.untried:
            self._compare_trees(taken, file_format.manifest(scope))
        return self._result

    def _restore(self) -> None:
        """Writes every key and library that the server can hold, file by file."""
        libraries: dict[Key, tuple[str, Entry]] = {}
        self._progress.start("rehearsing", self._examined.held.keys)
        try:
            with KeyWriter(self._server) as writer:
                for path in self._examined.data:
                    entries = self._possible(path) if path != file_format.MANIFEST else {}
                    if file_format.database_of(path) == FUNCTIONS:
                        libraries |= {key: (path, entry) for key, entry in entries.items()}
                    else:
                        self._write(writer, file_format.database_of(path), entries)
                        self._progress.advance(len(entries))
        finally:
            self._progress.finish()
        self._load(libraries)

    def _possible(self, path: str) -> Mapping[Key, Entry]:
        """The entries of a file, but for those that are beyond the server."""
        possible = {}
        for key, entry in self._staged.entries(path).items():
            if needed := beyond(key, entry, self._server.abilities):
                self._leave(key, entry, f"does not know {needed}")
            else:
                possible[key] = entry
        return possible

    def _leave(self, key: Key, entry: Entry, why: str) -> None:
        sentence = f"{self._result.server} {why}"
        self._result.untried.append(Untried(key, entry["type"], sentence))

    def _write(self, writer: KeyWriter, db: int, entries: Mapping[Key, Entry]) -> None:
        steps = [KeyWrite(codec.data(key.name), None, entry) for key, entry in entries.items()]
        for batch in pieces(steps, BATCH):
            for step, why in writer.apply(db, batch).refused:
                self._refuse(Key(db, codec.text(step.key)), entries, why)

    def _refuse(self, key: Key, entries: Mapping[Key, Entry], why: str) -> None:
        """A type that only some servers know is beyond this one; any other has to be taken."""
        if file_format.is_opaque(entries[key]):
            self._leave(key, entries[key], f"does not accept the dump of this type ({why})")
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
                self._leave(key, entry, f"does not load it ({refused[key.name]})")

    def _differences(self, comparison: Comparison) -> Iterator[Finding]:
        """What differs; but a dump in another version of the server's format tells nothing."""
        detailed = DETAILED
        for change, before, after in comparison.pairs():
            if before and after and _incomparable(before, after):
                self._leave(
                    change.key, before, "accepts the dump of this type, but returns another version"
                )
                continue
            altered = None
            if before and after and detailed:
                detailed -= 1
                altered = Altered(change, before, after, diff_entries(before, after))
            yield self._difference(change, altered)

    def _difference(self, change: KeyChange, altered: Altered | None) -> Finding:
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
        """Reckons the tree that a commit of the server has; it is the commit's own, unless
        something was found."""
        own = {
            path: place
            for path, place in self._examined.listing.items()
            if not file_format.is_data(path)
        }
        ours = {
            path: TreeEntry(PLAIN, self._staged.original(path, blob_id))
            for path, blob_id in taken.files.items()
            if path != file_format.MANIFEST
        }
        place = TreeEntry(PLAIN, Repository.blob_id(manifest))
        self._result.made = tree_id({**own, **ours, file_format.MANIFEST: place})
        if self._result.made != tree_id(self._examined.listing):
            self._expect_reasons([*taken.fresh, *taken.gone])

    def _expect_reasons(self, paths: Sequence[str]) -> None:
        """Where every key is as it should be, the files have to be, or to have been found."""
        if not self._result.findings and not self._examined.findings:
            named = ", ".join(path for path in paths[:3] if path != file_format.MANIFEST)
            sentence = f"the same keys are in other files after the restore: {named}"
            self._result.findings.append(Finding(Sort.DIFFERENT, sentence))
