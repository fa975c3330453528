"""Restore tests as objects for a program."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from gitbackup.model.keys import key_object
from gitbackup.report.json.diff import to_json

if TYPE_CHECKING:  # to print one result, nothing that makes another is loaded
    from gitbackup.model.safety.proof import Finding, Proof


def proof_object(proof: Proof, problems: Sequence[str], unnoted: str) -> dict[str, Any]:
    """Return one commit's restore test; `problems` are git's own about the whole repository."""
    held = proof.held
    return {
        "schema": "gitbackup.verify/1",
        "commit": proof.commit,
        "result": proof.verdict.value,
        "tree": proof.tree,
        "tree_restored": proof.made,
        "server": proof.server or None,
        "files": held.files,
        "keys": held.keys,
        "types": dict(held.types),
        "databases": {f"db{db}": count for db, count in held.databases.items() if db >= 0},
        "libraries": held.libraries,
        "indexes": held.indexes,
        "expired": proof.past,
        "findings": [_finding(finding) for finding in proof.findings],
        "untried": [
            {**key_object(untried.key), "type": untried.type, "why": untried.why}
            for untried in proof.untried
        ],
        "repository": list(problems),
        "noted": not unnoted,
        "seconds": round(proof.seconds, 3),
    }


def _finding(finding: Finding) -> dict[str, Any]:
    return {
        "sort": finding.sort.value,
        "sentence": finding.sentence,
        "path": finding.path,
        "key": key_object(finding.key) if finding.key else None,
        "diff": to_json(*finding.altered) if finding.altered else None,
    }
