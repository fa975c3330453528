"""A restore that is killed, or that another run gets in the way of."""

from __future__ import annotations

import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from gitbackup import Backup
from gitbackup.plan.plan import Plan
from tests.servers import LiveServer, in_turn

KEYS = 20_000
RESTORE = (
    "import sys; from gitbackup import Backup;"
    "Backup(sys.argv[1], sys.argv[2]).restore('HEAD', lambda plan: True)"
)


def fill(server: LiveServer) -> None:
    with server.client() as client, client.pipeline(transaction=False) as pipe:
        for number in range(KEYS):
            pipe.hset(f"user:{number}", mapping={"name": number, "visits": 1})
        pipe.execute()


def size(server: LiveServer) -> int:
    with server.client() as client:
        return int(client.dbsize())


@pytest.mark.parametrize("share", in_turn([0.5, 0.1, 0.9]))
def test_the_same_words_finish_a_restore_that_was_killed(
    valkey: LiveServer, tmp_path: Path, share: float
) -> None:
    """Though HEAD, which it was asked for by, is the commit of the accident since."""
    fill(valkey)
    backup = Backup(tmp_path / "data", valkey.url)
    good = backup.commit("good").commit
    with valkey.client() as client:
        client.flushall()
        client.set("precious", "1")
    words = [sys.executable, "-c", RESTORE, str(tmp_path / "data"), valkey.url]
    process = subprocess.Popen(words)
    while size(valkey) < KEYS * share and process.poll() is None:
        time.sleep(0.001)
    process.send_signal(signal.SIGKILL)
    process.wait()

    result = Backup(tmp_path / "data", valkey.url).restore("HEAD", lambda plan: True)

    assert result.whole
    assert backup.repository is not None
    assert good is not None
    assert backup.repository.tree_id("HEAD") == backup.repository.tree_id(good)
    assert Backup(tmp_path / "data", valkey.url).status().summary.counts.added == 0
    saved = [info for info in backup.log() if "before restore" in info.subject]
    assert backup.entry(saved[-1].id, "precious")[1]["value"] == "1"


@pytest.mark.long
def test_a_commit_by_another_run_meanwhile_is_never_written_over(
    valkey: LiveServer, tmp_path: Path
) -> None:
    """What HEAD holds in the end is what the database does, in files that can be read."""
    fill(valkey)
    backup = Backup(tmp_path / "data", valkey.url)
    backup.commit("good")

    def meanwhile(plan: Plan) -> bool:
        with valkey.client() as client:
            client.mset({f"other:{number}": number for number in range(500)})
        Backup(tmp_path / "data", valkey.url).commit("by another run")
        return True

    with valkey.client() as client:
        client.delete(*[f"user:{number}" for number in range(100)])
    with pytest.raises(Exception, match="another run has made a commit meanwhile"):
        backup.restore("HEAD", meanwhile)
    result = Backup(tmp_path / "data", valkey.url).restore("HEAD~1", lambda plan: True)
    assert result.whole
    assert Backup(tmp_path / "data", valkey.url).commit().commit is None
