"""What is taken of the live database, and what of a commit by hand is data, or told as it is."""

from __future__ import annotations

from collections.abc import Sequence

import pytest
import redis

from gitbackup import Backup
from gitbackup.errors import GitbackupError
from gitbackup.model.changes import Counts
from gitbackup.snapshot import file_format
from tests.live_snapshot import Kept, live_files
from tests.servers import LiveServer
from tests.store.plain import git

ONE = '{"a": {"type": "string", "value": "%s"}}\n'


@pytest.fixture
def server(valkey: LiveServer) -> LiveServer:
    return valkey


def commit_by_hand(backup: Backup, files: dict[str, str]) -> None:
    for path, content in files.items():
        (backup.path / path).parent.mkdir(exist_ok=True)
        (backup.path / path).write_text(content)
    git(backup.path, "add", ".")
    git(backup.path, "commit", "-qm", "by hand")


@pytest.mark.parametrize("value", ["1", "other"])
def test_a_key_in_two_files_of_head_is_told_and_not_counted_as_removed(
    client: redis.Redis, backup: Backup, value: str
) -> None:
    client.mset({"a": "1", "b": "1"})
    backup.commit()
    commit_by_hand(backup, {"db0/hand.json": ONE % value})
    result = backup.commit()
    assert result.summary.counts == Counts()
    assert list(result.warnings) == ["in HEAD, the key a in db0/hand.json was also in another file"]
    assert result.subject == "rewrote 1 file in canonical form, no keys changed"
    assert backup.commit().commit is None


@pytest.mark.parametrize(
    ("content", "subject"),
    [
        (ONE % "1", "rewrote 1 file in canonical form, no keys changed"),
        ("{", "rewrote 1 file that could not be read"),
    ],
)
def test_a_subject_tells_of_files_where_it_can_tell_of_no_key(
    client: redis.Redis, backup: Backup, content: str, subject: str
) -> None:
    client.set("a", "1")
    backup.commit()
    (path,) = {path for path in git(backup.path, "ls-files").split() if path.startswith("db0/")}
    commit_by_hand(backup, {path: content})
    assert backup.commit().subject == subject
    assert backup.commit().commit is None


def test_a_key_in_two_files_that_both_go_on_counts_once(
    client: redis.Redis, backup: Backup
) -> None:
    client.mset({"a": "1", "b": "1", "c": "1"})
    backup.commit()
    commit_by_hand(backup, {"db0/hand.json": ONE % "1", "db0/more.json": ONE % "2"})
    client.set("a", "2")
    client.delete("c")
    result = backup.commit()
    assert result.summary.counts == Counts(changed=1, removed=1)
    assert len([warning for warning in result.warnings if "another file" in warning]) == 2


def test_a_key_that_went_is_counted_though_it_stood_in_two_files(
    client: redis.Redis, backup: Backup
) -> None:
    client.mset({"a": "1", "b": "1"})
    backup.commit()
    commit_by_hand(backup, {"db0/hand.json": ONE % "1"})
    client.delete("a")
    assert backup.commit().summary.counts == Counts(removed=1)


PERSONS = [
    *("functions/README.md", "functions/notes.txt", "functions/Index.rst", "functions/LICENSE"),
    *("functions/.luacheckrc", "functions/.x.lua", "functions/mylib.lua.orig"),
    *("functions/tests/mylib.lua", "functions/X.LUA", "db0/README.md", "db01/a.json"),
]


def test_a_persons_own_files_stay_and_hinder_no_restore(
    client: redis.Redis, backup: Backup
) -> None:
    client.set("a", "1")
    client.function_load("#!lua name=l\nredis.register_function('f', function() end)")
    backup.commit()
    commit_by_hand(backup, dict.fromkeys(PERSONS, "a person's own"))
    client.set("a", "2")
    assert backup.commit().summary.counts == Counts(changed=1)
    assert backup.restore("HEAD~1", lambda plan: True).whole
    assert client.get("a") == "1"
    assert [path for path in PERSONS if not (backup.path / path).exists()] == []


def test_two_files_of_one_path_are_no_snapshot(
    client: redis.Redis, valkey: LiveServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As no layout should have it."""

    def twice(db: int, keys: Sequence[bytes]) -> list[tuple[str, Sequence[bytes]]]:
        return [("db0/_.json", keys), ("db0/_.json", keys)]

    client.set("a", "1")
    monkeypatch.setattr(file_format, "place_files", twice)
    with pytest.raises(GitbackupError, match=r"'db0/_\.json' is the path of two files"):
        live_files(valkey).read(Kept())


def test_a_first_commit_counts_each_namespace(client: redis.Redis, backup: Backup) -> None:
    """Also one whose keys no text can name, or that is as no other is named."""
    names = [b"a:1", b"a:2", b"a:\xff", b"a", b"a;", b"base64:1", b"\xfe:1", b"b:1", b":", b":1"]
    client.mset({**dict.fromkeys(names, "v"), **{f"many:{n}": "v" for n in range(300)}})
    found = backup.commit().summary.namespaces
    assert {name: counts.added for (_, name), counts in found.items()} == {
        "a": 3,
        "a;": 1,
        "base64": 3,
        "b": 1,
        "": 2,
        "many": 300,
    }
