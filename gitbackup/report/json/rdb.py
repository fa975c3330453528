"""RDB files as objects for a program."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from gitbackup.model.server.replicas import replicas_object

if TYPE_CHECKING:  # to print one result, nothing that makes another is loaded
    from gitbackup.model.server.rdb import RdbFile, RdbListed, RdbSaved, RdbVerified


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
