"""Rehearsals as objects for a program."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from gitbackup.model.keys import FUNCTIONS, key_object
from gitbackup.model.proof import Finding, Proof
from gitbackup.report.json.diff import to_json


def proof_object(proof: Proof, problems: Sequence[str], unnoted: str) -> dict[str, Any]:
    """One commit's rehearsal; `problems` are git's own about the whole repository."""
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
        "databases": {f"db{db}": count for db, count in held.databases.items() if db != FUNCTIONS},
        "libraries": held.libraries,
        "expired": proof.past,
        "findings": [_finding_object(finding) for finding in proof.findings],
        "untried": [
            {**key_object(one.key), "type": one.type, "why": one.why} for one in proof.untried
        ],
        "repository": list(problems),
        "noted": not unnoted,
        "seconds": round(proof.seconds, 3),
    }


def _finding_object(finding: Finding) -> dict[str, Any]:
    return {
        "sort": finding.sort.value,
        "sentence": finding.sentence,
        "path": finding.path,
        "key": key_object(finding.key) if finding.key else None,
        "diff": to_json(*finding.altered) if finding.altered else None,
    }
