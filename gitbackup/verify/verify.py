"""`verify`: is the repository whole, and does every value restore to itself?"""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from datetime import UTC, datetime

from gitbackup.errors import Damaged, GitbackupError
from gitbackup.model.commits import Rehearsal
from gitbackup.model.safety.proof import Finding, Proof, SnapshotCounts, Sort
from gitbackup.progress import Progress
from gitbackup.store.repository.repository import Repository
from gitbackup.verify.drill import run_drill
from gitbackup.verify.drill_server import DrillServer
from gitbackup.verify.fsck import SnapshotFsck
from gitbackup.version import __version__

Tell = Callable[[Proof], None]


@dataclass(frozen=True, slots=True)
class Verified:
    """What `verify` found.

    `problems` are git's own about the whole repository, `proofs` one for each commit, and
    `trees` how many different snapshots those have. `unnoted` tells why the verdicts could
    not be kept as notes; it is empty if they were.
    """

    problems: Sequence[str]
    proofs: Sequence[Proof]
    trees: int
    seconds: float
    unnoted: str = ""

    @property
    def whole(self) -> bool:
        """Whether all of it was proved."""
        return not self.problems and not any(
            proof.findings or proof.untried for proof in self.proofs
        )


def verify(
    repository: Repository,
    commit_ish: str | None,
    own: DrillServer,
    progress: Progress,
    tell: Tell,
) -> Verified:
    """Verify a commit, or with None all that HEAD and the branches lead to.

    `tell` is called with each proof as it is made; `own` is the server to restore into. The
    verdicts are noted on the commits. Raises UsageError for a commit that does not exist,
    ServerError if no server of our own runs.
    """
    began = time.monotonic()
    problems = _problems(repository)
    proofs = []
    try:
        commits = (
            repository.history.commits() if commit_ish is None else [repository.resolve(commit_ish)]
        )
    except GitbackupError:
        if not problems:
            raise
        commits = []
    prover = Prover(repository, own, progress)
    for proof in map(prover.proof, commits):
        proofs.append(proof)
        tell(proof)
    trees = len({proof.tree for proof in proofs})
    unnoted = _note(repository, proofs)
    if not (problems or unnoted):
        with suppress(GitbackupError), repository.lock():
            repository.maintain()
    return Verified(problems, proofs, trees, time.monotonic() - began, unnoted)


def _problems(repository: Repository) -> list[str]:
    """Return what git finds wrong. It looks again under the lock, since a repack at the same
    time may hide what is there."""
    problems = repository.problems()
    if problems:
        with suppress(GitbackupError), repository.lock():
            return repository.problems()
    return problems


class Prover:
    """Proves commits of one repository; what they share is done once."""

    def __init__(self, repository: Repository, own: DrillServer, progress: Progress) -> None:
        self._repository = repository
        self._own = own
        self._progress = progress
        self._examiner = SnapshotFsck(repository, progress)
        self._proofs: dict[str, Proof] = {}

    def proof(self, commit: str) -> Proof:
        """Return one commit's proof, which is that of another if their trees are the same."""
        try:
            tree = self._repository.tree_id(commit)
        except Damaged as damaged:
            return Proof(commit, "", SnapshotCounts(), [Finding(Sort.DAMAGED, str(damaged))])
        if tree in self._proofs:
            return replace(self._proofs[tree], commit=commit, seconds=0.0)
        self._proofs[tree] = self._prove(commit, tree)
        return self._proofs[tree]

    def _prove(self, commit: str, tree: str) -> Proof:
        began = time.monotonic()
        try:
            examined = self._examiner.examine(commit)
        except Damaged as damaged:
            return Proof(commit, tree, SnapshotCounts(), [Finding(Sort.DAMAGED, str(damaged))])
        proof = Proof(commit, tree, examined.counts, examined.findings)
        if not examined.damaged:
            done = run_drill(self._repository, examined, self._own, self._progress)
            proof = replace(
                proof,
                findings=[*examined.findings, *done.findings],
                untried=done.untried,
                server=done.server,
                made=done.made,
                past=done.past,
            )
        return replace(proof, seconds=time.monotonic() - began)


def _note(repository: Repository, proofs: Sequence[Proof]) -> str:
    """Keep the verdicts as notes; return why that failed, empty if it did not."""
    now, ours = datetime.now(UTC), __version__
    rehearsals = {}
    for proof in proofs:
        problems = [finding.sentence for finding in proof.findings]
        problems += [f"{each.key}: {each.why}" for each in proof.untried]
        problem = next(iter(problems), "")
        rehearsals[proof.commit] = Rehearsal(now, proof.verdict, proof.server, ours, problem)
    try:
        with repository.lock():
            if rehearsals:
                repository.note(rehearsals)
    except GitbackupError as error:
        return str(error)
    return ""
