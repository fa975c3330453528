"""Results as objects for a program, each with its schema and version first."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from gitbackup.diff.labels import NO_LABELS, Labels
from gitbackup.format import codec
from gitbackup.kinds import kind_of
from gitbackup.model.changes import Counts, KeyDiff, Summary, counts_object, summary_object
from gitbackup.model.keys import Entry, Key, key_object
from gitbackup.model.server.replicas import replicas_object
from gitbackup.report.json.diff import to_json

if TYPE_CHECKING:  # to print one result, nothing that makes another is loaded
    from gitbackup.backup.hooks import HookRun
    from gitbackup.checks.check import Checked
    from gitbackup.commit.commit import CommitResult
    from gitbackup.commit.words import Amended
    from gitbackup.compare.diff import Status
    from gitbackup.model.commits import BlameLine, CommitInfo, KeyLine, Pushed, Rehearsal
    from gitbackup.model.safety.proof import Finding, Proof
    from gitbackup.model.server.rdb import RdbFile, RdbListed, RdbSaved, RdbVerified
    from gitbackup.remotes.shared_settings import ArrivedSettings
    from gitbackup.remotes.sync import CloneResult, PullResult, PushResult
    from gitbackup.restore.result import RestoreResult
    from gitbackup.settings import InForce
    from gitbackup.transfer.export import ExportResult


def error_object(message: str, exit_code: int) -> dict[str, Any]:
    """Return what went wrong."""
    return {"schema": "gitbackup.error/1", "error": message, "exit_code": exit_code}


def amend_object(result: Amended) -> dict[str, Any]:
    """Return what `commit --amend` did; `why` is null if the commit got another message."""
    return {
        "schema": "gitbackup.amend/1",
        "commit": result.commit,
        "before": result.before,
        "subject": result.subject,
        "note": result.note or None,
        "why": result.why or None,
    }


def note_object(commit: str, note: str, before: str) -> dict[str, Any]:
    """Return the note on a commit, and what it was; null if there is none."""
    return {
        "schema": "gitbackup.note/1",
        "commit": commit,
        "note": note or None,
        "before": before or None,
    }


def hooks_object(runs: Sequence[HookRun]) -> dict[str, Any]:
    """Return the member that tells of the hooks that have run; none if none has."""
    told = [
        {"event": run.event, "ok": run.ok, "how": run.how, "output": run.output} for run in runs
    ]
    return {"hooks": told} if told else {}


def watch_object(result: CommitResult) -> dict[str, Any]:
    """Return a commit that `watch` made; the members are those of `commit`."""
    from gitbackup.commit.commit import commit_object  # deferred, as all that makes a result

    return {**commit_object(result), "schema": "gitbackup.watch/1"}


def status_object(status: Status, pushed: Sequence[Pushed]) -> dict[str, Any]:
    """Return the live database against HEAD, and HEAD against the remotes.

    `hidden` counts the keys that are quiet or were excluded; no other number includes them.
    """
    head = status.head
    return {
        "schema": "gitbackup.status/1",
        "server": status.server,
        "head": head.id if head else None,
        "head_date": head.date.isoformat() if head else None,
        "keys": status.keys,
        "replicas": replicas_object(status.replicas),
        **summary_object(status.summary),
        "hidden": counts_object(status.hidden + status.excluded),
        "pushed": [
            {
                "remote": remote.remote,
                "place": remote.place,
                "commit": remote.commit,
                "missing": remote.missing,
                "date": remote.when.isoformat() if remote.when else None,
            }
            for remote in pushed
        ],
    }


def stat_object(before: str, after: str, summary: Summary, hidden: Counts) -> dict[str, Any]:
    """Return what differs between two sides, in numbers; `hidden` as in a status."""
    return {
        "schema": "gitbackup.stat/1",
        "before": before,
        "after": after,
        **summary_object(summary),
        "hidden": counts_object(hidden),
    }


def hidden_object(hidden: Counts) -> dict[str, Any]:
    """Return the last object of a diff: how many quiet keys differ that it leaves out."""
    return {"schema": "gitbackup.hidden/1", **counts_object(hidden)}


def log_object(info: CommitInfo) -> dict[str, Any]:
    """Return a commit of the history.

    `counts` is null for a commit made with plain git, `rehearsal` for one that was never verified.
    """
    return {
        "schema": "gitbackup.log/1",
        "commit": info.id,
        "parents": list(info.parents),
        "author": info.author,
        "date": info.date.isoformat(),
        "subject": info.subject,
        "body": info.body,
        "trailers": dict(info.trailers),
        "counts": None if info.counts is None else counts_object(info.counts),
        "rehearsal": _rehearsal(info.rehearsal) if info.rehearsal else None,
        "note": info.note or None,
    }


def _rehearsal(rehearsal: Rehearsal) -> dict[str, Any]:
    return {
        "at": rehearsal.at.isoformat(),
        "result": rehearsal.verdict.value,
        "server": rehearsal.server,
        "gitbackup": rehearsal.version,
        "problem": rehearsal.problem or None,
    }


def traced_object(
    info: CommitInfo, keys: Sequence[KeyDiff], damage: str, left: int, labels: Labels = NO_LABELS
) -> dict[str, Any]:
    """Return a commit of the history, and each key asked for that it changed.

    `left` counts the keys that the commit lacks only because its scope is another.
    """
    changed = [
        to_json(
            *(k.change, k.before, k.after, k.values, k.redacted),
            label=labels.of(k.change.key, k.after, k.before),
        )
        for k in keys
    ]
    return log_object(info) | {"keys": changed, "damage": damage or None, "out_of_scope": left}


def summary_of_commit(
    info: CommitInfo, summary: Summary | None, hidden: Counts, damage: str
) -> dict[str, Any]:
    """Return a commit of the history, and what it changed by namespace; `hidden` as in a status.

    Without a summary, `damage` says why.
    """
    stat = {**summary_object(summary), "hidden": counts_object(hidden)} if summary else None
    return log_object(info) | {"stat": stat, "damage": damage or None}


def _redacted(redacted: bool) -> dict[str, Any]:
    """Return the member that tells that something of a key is masked; none if nothing is."""
    return {"redacted": True} if redacted else {}


def blame_object(key: Key, line: BlameLine, redacted: bool, label: str = "") -> dict[str, Any]:
    """Return a part of a key, and the commit that it is from."""
    return {
        "schema": "gitbackup.blame/1",
        **key_object(key),
        **_redacted(redacted),
        **({"label": label} if label else {}),
        "part": line.part.value,
        "name": line.name,
        "path": list(line.path),
        "value": line.value,
        "commit": line.info.id,
        "date": line.info.date.isoformat(),
        "subject": line.info.subject,
    }


def keys_object(line: KeyLine) -> dict[str, Any]:
    """Return a key of a list of keys; `elements` is null if its type has none."""
    return {
        "schema": "gitbackup.keys/1",
        **key_object(line.key),
        "type": line.type,
        "expires_at": line.expires_at,
        "elements": line.elements,
        "size": line.size,
        **({"label": line.label} if line.label else {}),
    }


def entry_object(commit: str, key: Key, entry: Entry, redacted: bool) -> dict[str, Any]:
    """Return a key's entry in a commit."""
    return {
        "schema": "gitbackup.entry/1",
        "commit": commit,
        **key_object(key),
        **_redacted(redacted),
        "entry": entry,
    }


def entry_as_stored(key: Key, entry: Entry) -> bytes:
    """Return the entry as its file holds it, or a library's source or an index's definition."""
    if not key.in_database:
        return codec.data(entry["value"])
    entry = {**entry, "value": kind_of(entry).written(entry["value"])}
    return codec.encode({key.name: entry})


def field_object(commit: str, key: Key, field: str, value: Any, redacted: bool) -> dict[str, Any]:
    """Return one part of a key's entry in a commit, as it is stored."""
    return {
        "schema": "gitbackup.field/1",
        "commit": commit,
        **key_object(key),
        **_redacted(redacted),
        "field": field,
        "value": value,
    }


def restore_object(result: RestoreResult) -> dict[str, Any]:
    """Return what a restore did.

    `verified` and `keys` are the keys that hold what they should; `busy`, `refused`, `differing`
    and `gone` those that do not, some of them with the reason why.
    """
    # deferred, as all that makes a result
    from gitbackup.plan.plan_json import conflicts_object, source_object

    plan = result.plan
    failed = {
        "busy": result.busy,
        "refused": [key for key, _ in result.refused],
        "differing": result.differing,
        "gone": result.gone,
        **({"accepted": result.accepted} if result.accepted else {}),
        **({"later": result.later} if result.later else {}),
    }
    return {
        "schema": "gitbackup.restore/1",
        "commit": plan.commit,
        **source_object(plan),
        "server": plan.server,
        "undoes": plan.how.undoes,
        **({"reverted": plan.commit} if plan.how.revert else {}),
        "saved": result.saved,
        "saved_on": result.saved_on,
        **({"first_saved_on": result.first_saved_on} if result.first_saved_on else {}),
        "meanwhile": list(result.meanwhile),
        "recorded": result.recorded,
        "verified": result.verified,
        "keys": [
            {**key_object(step.key), "action": step.action.value, "type": step.type}
            for step in result.done
        ],
        **{
            problem: [
                {**key_object(key), **({"why": str(result.why[key])} if key in result.why else {})}
                for key in keys
            ]
            for problem, keys in failed.items()
        },
        **conflicts_object(result.conflicts),
    }


def push_object(result: PushResult) -> dict[str, Any]:
    """Return what a push did; `commits` is how many the place did not have."""
    return {
        "schema": "gitbackup.push/1",
        "remote": result.remote,
        "place": result.place,
        "head": result.head,
        "commits": result.commits,
        "first": result.first,
        "settings": result.settings,
        "encrypted_to": [*result.encrypted_to],
        "also": [*result.also],
    }


def pull_object(result: PullResult) -> dict[str, Any]:
    """Return what a pull did; `commits` is by how many HEAD went forward."""
    return {
        "schema": "gitbackup.pull/1",
        "remote": result.remote,
        "place": result.place,
        "before": result.before,
        "head": result.head,
        "commits": result.commits,
        **_arrived(result.came),
    }


def clone_object(result: CloneResult) -> dict[str, Any]:
    """Return what a clone made, and of what."""
    return {
        "schema": "gitbackup.clone/1",
        "path": str(result.path),
        "place": result.place,
        "head": result.head,
        "commits": result.commits,
        **_arrived(result.came),
    }


def _arrived(settings: ArrivedSettings) -> dict[str, Any]:
    """Return the settings that came along with a history, and those that are kept here only."""
    return {
        "settings": {name: [*globs] for name, globs in settings.globs.items()},
        "kept": {name: [*globs] for name, globs in settings.kept.items()},
        "url": settings.url,
    }


def export_object(path: str, result: ExportResult) -> dict[str, Any]:
    """Return what an export wrote; `commit` is null if it was the live database."""
    return {
        "schema": "gitbackup.exported/1",
        "path": path,
        "commit": result.commit,
        "format": result.form,
        "keys": result.keys,
        "libraries": result.libraries,
        "indexes": result.indexes,
        "bytes": result.size,
    }


def config_object(setting: InForce) -> dict[str, Any]:
    """Return a value of a setting that is in force, and where it comes from."""
    return {
        "schema": "gitbackup.config/1",
        "name": setting.name,
        "value": setting.value,
        "source": setting.source,
        "origin": setting.origin,
        "travels": setting.travels,
        "secret": setting.secret,
    }


def check_object(checked: Checked) -> dict[str, Any]:
    """Return all that a check found; `verdict` is the worst of all."""
    return {
        "schema": "gitbackup.check/1",
        "server": checked.server,
        "verdict": checked.level.value,
        "risks": [
            {
                "check": risk.check,
                "verdict": risk.level.value,
                "risk": risk.danger,
                "protection": risk.protection,
                "advice": risk.advice or None,
                "commands": list(risk.commands),
                "accepted": risk.accepted,
            }
            for risk in checked.risks
        ],
    }


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


def rdb_saved_object(saved: RdbSaved) -> dict[str, Any]:
    """Return what `rdb save` did."""
    return {
        "schema": "gitbackup.rdb-save/1",
        **_rdb_file(saved.file),
        "server": saved.server,
        "checksum": saved.checksum,
        "removed": [str(path) for path in saved.removed],
        "replicas": replicas_object(saved.replicas),
    }


def rdb_listed_object(listed: RdbListed) -> dict[str, Any]:
    """Return a file of a list; `problem` is null if the file is as it should be."""
    return {
        "schema": "gitbackup.rdb/1",
        "path": str(listed.path),
        "size": listed.size,
        **(_rdb_file(listed.file) if listed.file else {}),
        "problem": listed.problem or None,
    }


def rdb_verified_object(verified: RdbVerified) -> dict[str, Any]:
    """Return what `rdb verify` found."""
    return {
        "schema": "gitbackup.rdb-verify/1",
        **_rdb_file(verified.file),
        "checksum": verified.checksum,
        "loaded_by": verified.server,
        "keys": sum(verified.keys.values()),
        "databases": [
            {
                "db": db,
                "keys": count,
                "expiring": verified.expiring[db],
                "expired": verified.expired[db],
            }
            for db, count in sorted(verified.keys.items())
        ],
        "libraries": verified.libraries,
        "indexes": verified.indexes,
    }


def _rdb_file(file: RdbFile) -> dict[str, Any]:
    """Return what an RDB file tells of itself; `taken_at` is the file's own time if not `dated`."""
    return {
        "path": str(file.path),
        "size": file.size,
        "taken_at": file.taken_at.isoformat(),
        "dated": file.dated,
        "rdb_version": file.version,
        "written_by": file.server or None,
        "nodes": [
            {
                "id": node.id,
                "at": node.place,
                "slots": [[*ends] for ends in node.slots],
                **{name: told for name, told in _rdb_file(node.file).items() if name != "nodes"},
            }
            for node in file.nodes
        ],
    }
