"""A comparison of two commits costs what differs, not what there is."""

from __future__ import annotations

import gc
import warnings
from pathlib import Path

from gitbackup import Backup
from gitbackup.snapshot import file_format
from gitbackup.snapshot.sources import Spool, SpooledSource
from gitbackup.store.repository.repository import Repository
from tests.store.plain import commit


def test_files_that_are_equal_are_never_opened(tmp_path: Path) -> None:
    """Here one of them is no JSON at all."""
    repository = Repository.create(tmp_path, bare=True)
    for value in ("1", "2"):
        ((path, content),) = file_format.encode_file(
            "db0/a.json", {"a:1": {"type": "string", "value": value}}
        )
        commit(repository, {path: content, "db0/b.json": b"{", "gitbackup.json": b"{}\n"})
    (told,) = Backup(tmp_path).diff("HEAD~1", "HEAD")
    assert [(change.before, change.after) for change in told.values] == [("1", "2")]


def test_the_temporary_file_of_a_snapshot_goes_with_it_without_a_warning() -> None:
    with warnings.catch_warnings(record=True) as warned:
        warnings.simplefilter("always")
        spool = Spool()
        spool.put("id", b"content")
        assert SpooledSource({"path": "id"}, spool).read("path") == b"content"
        del spool
        gc.collect()
    assert [str(warning.message) for warning in warned] == []
