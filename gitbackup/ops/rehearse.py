"""The rehearsal: a snapshot restored into an empty server of our own, taken again, compared."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass, field, replace
from itertools import islice
from pathlib import Path

from gitbackup import codec, snapshot
from gitbackup.diff.values import diff_entries
from gitbackup.errors import ServerError
from gitbackup.kinds.base import pieces
from gitbackup.live import keyspace
from gitbackup.live.address import parse
from gitbackup.live.connect import Server, connect
from gitbackup.live.embedded import EmbeddedServer, find_servers
from gitbackup.live.keyspace import LibraryChange
from gitbackup.live.write import KeyWriter, Step
from gitbackup.model import FUNCTIONS, Action, Entry, Key, KeyChange
from gitbackup.ops.compare import Comparison
from gitbackup.ops.examine import PLAIN, Examined
from gitbackup.ops.scan import LiveFiles
from gitbackup.ops.sides import LiveSide, Spool
from gitbackup.ops.stage import Staged, beyond
from gitbackup.ops.take import Taken, take
from gitbackup.progress import Progress
from gitbackup.proof import Altered, Finding, Sort, Untried
from gitbackup.report.text import key_list
from gitbackup.store.repository import Repository
from gitbackup.store.trees import Place, tree_id

BATCH = 200  # keys written at once
DETAILED = 20  # keys of which it is told how they came back
DATABASES = 16  # at least


@dataclass(slots=True)
class Rehearsed:
    """What became of a snapshot in a server; the members are those of a Proof."""

    server: str
    findings: list[Finding] = field(default_factory=list)
    untried: list[Untried] = field(default_factory=list)
    made: str | None = None
    past: int = 0


def rehearse(
    repository: Repository, examined: Examined, binary: Path | None, progress: Progress
) -> Rehearsed:
    """Restores a snapshot that was found well-formed, takes one of the server, compares them.

    `binary` is the program to run; None is the first at hand that knows the snapshot's types.
    Raises ServerError where it does not start, or is lost.
    """
    highest = max((db for db in examined.where if db < keyspace.MOST_DATABASES), default=0)
    chosen = binary or _choose(repository, examined)
    databases = max(DATABASES, highest + 1)
    with EmbeddedServer(chosen, databases=databases) as embedded, Spool() as spool:
        try:
            server = connect(parse(embedded.url))
            return _Rehearsal(repository, examined, server, progress).run(spool)
        except ServerError as error:
            told = "which takes as much memory as the database itself"
            raise ServerError(f"the rehearsal, {told}, was cut off: {error}") from error


def _choose(repository: Repository, examined: Examined) -> Path | None:
    """The first server at hand which takes a sample of each opaque type, else the one that
    takes the most; None, for the usual one, where there is no such type."""
    if not examined.opaque:
        return None
    samples = [_bare(repository, examined, *one) for one in examined.opaque.values()]
    return min(find_servers(), key=lambda binary: _refused(binary, samples), default=None)


def _bare(repository: Repository, examined: Examined, path: str, key: Key) -> Entry:
    """A key's entry, without its expiry."""
    entry = snapshot.decode_file(path, repository.read(examined.listing[path].id))[key]
    return {"type": entry["type"], "value": entry["value"]}


def _refused(binary: Path, samples: Sequence[Entry]) -> int:
    """How many of the samples a server does not take."""
    steps = [Step(b"%d" % at, None, entry) for at, entry in enumerate(samples)]
    with EmbeddedServer(binary) as embedded, KeyWriter(connect(parse(embedded.url))) as writer:
        return len(writer.apply(0, steps).refused)


class _Rehearsal:
    """One snapshot, and the empty server that it is restored into."""

    def __init__(
        self, repository: Repository, examined: Examined, server: Server, progress: Progress
    ) -> None:
        with closing(server.dial()) as wire:
            now = keyspace.clock(wire)
        self._repository = repository
        self._examined = examined
        self._server = server
        self._progress = progress
        self._staged = Staged(
            repository, {path: examined.listing[path].id for path in examined.data}, now
        )
        self._result = Rehearsed(f"{server.brand} {server.version}")
        self._refusals: dict[Key, str] = {}

    def run(self, spool: Spool) -> Rehearsed:
        self._restore()
        if self._examined.scope is None:
            raise ValueError("a snapshot without a scope is not restored")
        scope = self._examined.scope
        every = replace(scope, databases=None)  # the server may have fewer, and holds no others
        live = LiveFiles(self._server, every, self._progress)
        taken = take(live, self._staged, Repository.blob_id, spool.put, strict=True)
        untried = {one.key for one in self._result.untried}
        changes = [change for change in taken.changes if change.key not in untried]
        side = LiveSide(self._repository, taken.files, spool)
        self._result.findings += self._differences(Comparison(self._staged, side, changes))
        self._result.past = self._staged.past
        if not untried:
            self._compare_trees(taken, snapshot.manifest(scope))
        return self._result

    def _restore(self) -> None:
        """Writes every key and library that the server can hold, file by file."""
        libraries: dict[Key, tuple[str, Entry]] = {}
        self._progress.start("restoring", self._examined.held.keys)
        try:
            with KeyWriter(self._server) as writer:
                for path in self._examined.data:
                    entries = self._possible(path) if path != snapshot.MANIFEST else {}
                    if snapshot.database_of(path) == FUNCTIONS:
                        libraries |= {key: (path, entry) for key, entry in entries.items()}
                    else:
                        self._write(writer, snapshot.database_of(path), entries)
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
        steps = [Step(codec.data(key.name), None, entry) for key, entry in entries.items()]
        for batch in pieces(steps, BATCH):
            for step, why in writer.apply(db, batch).refused:
                self._refuse(Key(db, codec.text(step.key)), entries, why)

    def _refuse(self, key: Key, entries: Mapping[Key, Entry], why: str) -> None:
        """A type that only some servers know is beyond this one; any other has to be taken."""
        if snapshot.is_opaque(entries[key]):
            self._leave(key, entries[key], f"does not take this type's dump ({why})")
        else:
            self._refusals[key] = why

    def _load(self, libraries: Mapping[Key, tuple[str, Entry]]) -> None:
        changes = [
            LibraryChange(key.name, None, entry["value"]) for key, (_, entry) in libraries.items()
        ]
        if not changes:
            return
        with closing(self._server.dial()) as wire:
            refused = keyspace.change_libraries(wire, changes)
        for key, (path, entry) in libraries.items():
            if key.name in refused and path.endswith(".lua"):
                self._refusals[key] = refused[key.name]
            elif key.name in refused:
                self._leave(key, entry, f"does not load it ({refused[key.name]})")

    def _differences(self, comparison: Comparison) -> Iterator[Finding]:
        for change, before, after in islice(comparison.pairs(), DETAILED):
            altered = None
            if before and after:
                altered = Altered(change, before, after, diff_entries(before, after))
            yield self._difference(change, altered)
        for change in comparison.changes[DETAILED:]:
            yield self._difference(change, None)

    def _difference(self, change: KeyChange, altered: Altered | None) -> Finding:
        path = change.before or change.after
        how = {
            Action.ADDED: "is there once all is restored, and is not in the commit",
            Action.CHANGED: "comes back as something else",
            Action.REMOVED: "is not there once it is restored",
        }[change.action]
        if change.key in self._refusals:
            how = f"is refused by {self._result.server}: {self._refusals[change.key]}"
        sentence = f"{path}: {key_list([change.key])} {how}"
        return Finding(Sort.DIFFERENT, sentence, path, change.key, altered)

    def _compare_trees(self, taken: Taken, manifest: bytes) -> None:
        """Reckons the tree that a commit of the server has; it is the commit's own, unless
        something was found."""
        own = {
            path: place
            for path, place in self._examined.listing.items()
            if not snapshot.is_data(path)
        }
        ours = {
            path: Place(PLAIN, self._staged.original(path, blob_id))
            for path, blob_id in taken.files.items()
            if path != snapshot.MANIFEST
        }
        place = Place(PLAIN, Repository.blob_id(manifest))
        self._result.made = tree_id({**own, **ours, snapshot.MANIFEST: place})
        if self._result.made != tree_id(self._examined.listing):
            self._expect_reasons([*taken.fresh, *taken.gone])

    def _expect_reasons(self, paths: Sequence[str]) -> None:
        """Where every key is as it should be, the files have to be, or to have been found."""
        if not self._result.findings and not self._examined.findings:
            named = ", ".join(path for path in paths[:3] if path != snapshot.MANIFEST)
            sentence = f"the same keys come back in other files: {named}"
            self._result.findings.append(Finding(Sort.DIFFERENT, sentence))
