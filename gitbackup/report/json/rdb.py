"""RDB files as objects for a program."""

from __future__ import annotations

from typing import Any

from gitbackup.model.rdb import RdbFile, RdbListed, RdbSaved, RdbVerified


def file_object(file: RdbFile) -> dict[str, Any]:
    """What an RDB file tells of itself; `taken_at` is the file's own time where not `dated`."""
    return {
        "path": str(file.path),
        "size": file.size,
        "taken_at": file.taken_at.isoformat(),
        "dated": file.dated,
        "rdb_version": file.version,
        "written_by": file.server or None,
    }


def saved_object(saved: RdbSaved) -> dict[str, Any]:
    """What `rdb save` did."""
    return {
        "schema": "gitbackup.rdb-save/1",
        **file_object(saved.file),
        "server": saved.server,
        "checksum": saved.checksum,
        "removed": [str(path) for path in saved.removed],
    }


def listed_object(listed: RdbListed) -> dict[str, Any]:
    """A file of a list; `problem` is null for one that is as it should be."""
    told = {"path": str(listed.path), "size": listed.size}
    told |= file_object(listed.file) if listed.file else {}
    return {"schema": "gitbackup.rdb/1", **told, "problem": listed.problem or None}


def verified_object(found: RdbVerified) -> dict[str, Any]:
    """What `rdb verify` found."""
    return {
        "schema": "gitbackup.rdb-verify/1",
        **file_object(found.file),
        "checksum": found.checksum,
        "loaded_by": found.server,
        "keys": sum(found.keys.values()),
        "databases": [
            {
                "db": db,
                "keys": count,
                "expiring": found.expiring[db],
                "expired": found.expired[db],
            }
            for db, count in sorted(found.keys.items())
        ],
        "libraries": found.libraries,
    }
