"""What commits changed, in numbers."""

from __future__ import annotations

from pathlib import Path

from gitbackup import Backup
from gitbackup.model.changes import Counts
from tests.servers import LiveServer


def test_one_commit_is_summed_up_as_all_of_them_are(valkey: LiveServer, tmp_path: Path) -> None:
    backup = Backup(tmp_path / "data", valkey.url)
    with valkey.client() as client:
        client.mset({"user:1": "a", "usage:1": "1"})
        backup.commit()
        backup.config.add("quiet", "usage:*")
        client.mset({"user:2": "b", "usage:1": "2"})
        backup.commit()

    every = [*backup.summaries()]

    assert [backup.summary("HEAD"), backup.summary("HEAD~1")] == every
    assert every[0].hidden == Counts(changed=1)
    assert every[0].summary is not None
    assert every[0].summary.namespaces == {("db0", "user"): Counts(added=1)}
