"""Restore tests as lines of text for a person."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import groupby

from gitbackup.format.names import escape, key_list
from gitbackup.format.unprintable import escaped
from gitbackup.model.amounts import counted
from gitbackup.model.commits import Verdict
from gitbackup.model.safety.proof import Proof, SnapshotCounts, Untried
from gitbackup.report.style import Style, paint
from gitbackup.report.text.diff import change_lines
from gitbackup.report.text.sentences import keys

SHOWN = 20  # findings of one commit
LONGEST = 600  # characters of one
ENDED = {
    Verdict.PASSED: paint(Style.ADDED, "passed"),
    Verdict.PARTLY: paint(Style.COMMIT, "passed in part"),
    Verdict.FAILED: paint(Style.REMOVED, "FAILED"),
}


def proof_lines(proof: Proof) -> Iterator[str]:
    """Yield one commit's restore test: how it ended, what was proved, wrong or not tested."""
    commit = paint(Style.COMMIT, f"commit {proof.commit[:7]}")
    yield f"{commit} {ENDED[proof.verdict]} in {proof.seconds:.1f} s"
    yield f"  {_held(proof.held)}"
    if proof.server:
        yield f"  restored into {escape(proof.server)} and committed again: {_made(proof)}"
    if proof.past:
        have = "has" if proof.past == 1 else "have"
        yield (
            f"  {keys(proof.past)} {have} expired, or will within a day: tested with a later expiry"
        )
    for finding in proof.findings[:SHOWN]:
        yield f"  {_clear(finding.sentence)}"
        if finding.altered:
            yield from (f"    {line}" for line in change_lines(*finding.altered))
    if len(proof.findings) > SHOWN:
        yield f"  and {len(proof.findings) - SHOWN:,} more"
    if not proof.server:
        yield "  not restored: a restore would refuse it"
    yield from (f"  {line}" for line in _untried(proof.untried))


def _held(held: SnapshotCounts) -> str:
    """Return what the snapshot holds."""
    files = counted(held.files, "file")
    types = ", ".join(f"{count:,} {escape(type_)}" for type_, count in held.types.items())
    places = ", ".join(f"db{db} {count:,}" for db, count in held.databases.items() if db >= 0)
    parts = [f"{files}, {keys(held.keys)}" + (f": {types}; {places}" if types else "")]
    if held.libraries:
        parts.append(counted(held.libraries, "library", "libraries"))
    if held.indexes:
        parts.append(counted(held.indexes, "search index", "search indexes"))
    return "; ".join(parts)


def _made(proof: Proof) -> str:
    if proof.made == proof.tree:
        return f"identical (tree {proof.tree[:7]})"
    if proof.made:
        return f"different (tree {proof.made[:7]}, not {proof.tree[:7]})"
    return "identical, except for what was not tested" if not proof.findings else "different"


def _clear(sentence: str) -> str:
    """Return a sentence that cannot steer the terminal; names in it are escaped already."""
    cut = sentence if len(sentence) <= LONGEST else sentence[: LONGEST - 1] + "…"
    return escaped(cut)


def _untried(untried: Sequence[Untried]) -> Iterator[str]:
    """Yield which keys were not tested, by the reason."""
    if untried:
        yield f"not tested: {keys(len(untried))}"
    for why, group in groupby(sorted(untried, key=lambda key: key.why), lambda key: key.why):
        alike = [*group]
        types = ", ".join(sorted({escape(key.type) for key in alike}))
        yield f"  {types}: {key_list(key.key for key in alike)}: {_clear(why)}"


def end_lines(problems: Sequence[str], proofs: Sequence[Proof], seconds: float) -> Iterator[str]:
    """Yield what git finds wrong with the repository, and, of several commits, the verdicts."""
    if len(proofs) > 1:
        trees = len({proof.tree for proof in proofs})
        verdicts = [proof.verdict for proof in proofs]
        ended = ", ".join(f"{verdicts.count(v):,} {ENDED[v]}" for v in Verdict if v in verdicts)
        commits = f"{len(proofs):,} commits, {counted(trees, 'tree')}"
        yield f"{commits}: {ended}, in {seconds:.1f} s"
    if not problems:
        yield "git fsck: the repository is intact"
        return
    yield "git fsck: the repository is damaged:"
    yield from (f"  {_clear(problem)}" for problem in problems[:SHOWN])
    if len(problems) > SHOWN:
        yield f"  and {len(problems) - SHOWN:,} more"
