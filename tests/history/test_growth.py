"""How many keys and bytes each namespace had along the history."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from gitbackup import Backup
from gitbackup.history import growth as module
from gitbackup.history.growth import Growth, Tallies, growth, sampled
from gitbackup.model.keys import Space
from gitbackup.store.commits.commits import Record
from tests.servers import LiveServer
from tests.store.plain import git


@pytest.fixture
def backup(server: LiveServer, tmp_path: Path) -> Backup:
    return Backup(tmp_path / "data", server.url)


def grown(backup: Backup, points: int = 50, tallies: Tallies | None = None) -> Growth:
    assert backup.repository
    return growth(backup.repository, points, tallies or Tallies())


def test_each_state_has_the_keys_and_bytes_of_its_commit(
    server: LiveServer, backup: Backup
) -> None:
    """As `keys` lists them one by one."""
    client = server.client()
    client.mset({f"user:{number}": "x" * number for number in range(300)})
    client.mset({"config": "{}", "a:b:c": "1", b"\xff:1": "raw"})
    backup.commit()
    client.select(3)
    client.mset({"user:1": "in another database", "a:b": "2"})
    backup.commit()
    client.select(0)
    client.delete("a:b:c", *(f"user:{number}" for number in range(290)))
    backup.commit()

    found = grown(backup)

    assert [each.info.id for each in found.states] == [
        each.id for each in reversed([*backup.log()])
    ]
    for state in found.states:
        keys = [*backup.keys(state.info.id)]
        expected: dict[Space, int] = {}
        for line in keys:
            name = line.key.name
            plain = ":" in name and not name.startswith("base64:")
            space = Space(line.key.place, name.partition(":")[0] + ":" if plain else "")
            expected[space] = expected.get(space, 0) + 1
        assert {space: amount.keys for space, amount in state.amounts.items()} == expected
        assert backup.repository
        assert module.amounts(backup.repository, state.info.id, Tallies()) == state.amounts
        files = backup.repository.files(state.info.id)
        data = sum(len(backup.repository.read(files[path])) for path in files if path[:2] == "db")
        assert state.total.keys == len(keys)
        braces = len("{\n}\n") * len(files)
        assert data - braces - 2 * len(keys) <= state.total.bytes <= data


def test_a_file_is_read_once(
    server: LiveServer, backup: Backup, monkeypatch: pytest.MonkeyPatch
) -> None:
    server.client().mset({"user:1": "a", "user:2": "b"})
    backup.commit()
    server.client().set("user:2", "c")
    backup.commit()
    tallies = Tallies()
    first = grown(backup, tallies=tallies)

    monkeypatch.setattr(module, "_tally", lambda path, content: pytest.fail(f"read {path} again"))

    assert grown(backup, tallies=tallies) == first


def test_a_commit_that_cannot_be_read_is_left_out(server: LiveServer, backup: Backup) -> None:
    """The next one is compared with the last that could be."""
    server.client().set("user:1", "a")
    backup.commit()
    (backup.path / "db0/broken.json").write_text("{")
    git(backup.path, "add", "-A")
    git(backup.path, "commit", "-m", "by hand")
    (backup.path / "db0/broken.json").write_text('{"by hand": {"type": "string", "value": "1"}}')
    git(backup.path, "commit", "-am", "mended by hand")

    found = grown(backup)

    assert (found.damaged, found.commits) == (1, 3)
    assert [state.total.keys for state in found.states] == [1, 2]


def test_of_a_long_history_the_last_commit_of_each_part_of_its_time_stands_for_all() -> None:
    start = datetime(2026, 1, 1, tzinfo=UTC)
    hours = [*range(1000), 2000, 2999, 3000]  # many at first, then few
    records = [_record(number, start + timedelta(hours=hour)) for number, hour in enumerate(hours)]

    found = sampled(records, 10)

    assert len(found) <= 10
    assert (found[0], found[-1]) == (records[0], records[-1])
    assert records[999] in found  # what was there while nothing was committed
    assert records[1000] in found
    assert [*found] == sorted(found, key=records.index)


@pytest.mark.parametrize("count", [1, 2, 9, 10])
def test_of_a_short_history_every_commit_stands_for_itself(count: int) -> None:
    records = [_record(number, datetime(2026, 1, 1, tzinfo=UTC)) for number in range(count)]
    assert sampled(records, 10) == records


def test_commits_of_one_moment_are_no_division_by_nothing() -> None:
    records = [_record(number, datetime(2026, 1, 1, tzinfo=UTC)) for number in range(99)]
    assert [*sampled(records, 10)] == [records[0], records[-1]]


def _record(number: int, moment: datetime) -> Record:
    written = f"{int(moment.timestamp())} +0000"
    return Record(f"{number:040x}", (), "", True, "a <a@b>", written, "text")
