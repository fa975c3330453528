"""Objects, of which git is asked for many at a time, and all through one process."""

from __future__ import annotations

import pytest

from gitbackup.errors import Damaged
from gitbackup.store.objects.object_reader import AHEAD, blob_id
from gitbackup.store.repository.repository import Repository
from tests.store.plain import commit

MISSING = "1" * 40


@pytest.fixture
def blobs(repository: Repository) -> list[bytes]:
    """More than are asked for at once, and together more than any pipe holds."""
    data = [b"%d\n" % number * (number * 100) for number in range(2 * AHEAD + 10)]
    commit(repository, {f"{number}": each for number, each in enumerate(data)})
    return data


def test_every_blob_comes_in_its_turn(repository: Repository, blobs: list[bytes]) -> None:
    assert [*repository.read_all(map(blob_id, blobs))] == blobs
    assert [*repository.read_all([])] == []
    assert [*repository.read_all([blob_id(blobs[3])] * 100)] == [blobs[3]] * 100


def test_a_blob_that_is_missing_is_damage_in_its_turn(
    repository: Repository, blobs: list[bytes]
) -> None:
    ids = [*map(blob_id, blobs)]
    reading = repository.read_all([*ids[:5], MISSING, *ids])

    assert [next(reading) for _ in range(5)] == blobs[:5]
    with pytest.raises(Damaged, match="1111 cannot be read: it is missing"):
        next(reading)
    assert [*repository.read_all(ids)] == blobs


def test_nobody_need_read_on(repository: Repository, blobs: list[bytes]) -> None:
    """The answers that are left are nobody else's."""
    reading = repository.read_all(map(blob_id, blobs))

    assert [next(reading), next(reading)] == blobs[:2]
    assert repository.read(blob_id(blobs[-1])) == blobs[-1]
    assert "0" in repository.folder("HEAD")


def test_something_else_may_be_read_meanwhile(repository: Repository, blobs: list[bytes]) -> None:
    reading = repository.read_all(map(blob_id, blobs))
    for data in blobs:
        assert next(reading) == data
        assert repository.read(blob_id(blobs[-1])) == blobs[-1]
        assert repository.resolve("HEAD") == repository.head()
    assert [*reading] == []


def test_blobs_that_are_foretold_come_as_they_are_asked_for(
    repository: Repository, blobs: list[bytes]
) -> None:
    ids = [*map(blob_id, blobs)]
    repository.prefetch(ids)
    assert [*map(repository.read, ids)] == blobs
    assert repository.read(ids[0]) == blobs[0]


def test_what_was_foretold_need_not_be_read(repository: Repository, blobs: list[bytes]) -> None:
    """In another order, nothing of it, only its beginning, something else in between."""
    ids = [*map(blob_id, blobs)]
    repository.prefetch(ids)
    assert [*map(repository.read, reversed(ids))] == blobs[::-1]
    repository.prefetch(ids)
    repository.prefetch(ids[:3])
    assert [*map(repository.read, ids)] == blobs
    repository.prefetch(ids)
    assert [*map(repository.read, ids[:2])] == blobs[:2]
    assert "0" in repository.folder("HEAD")
    assert [*map(repository.read, ids[2:])] == blobs[2:]


def test_of_blobs_foretold_one_that_is_missing_is_damage_and_others_are_read(
    repository: Repository, blobs: list[bytes]
) -> None:
    ids = [*map(blob_id, blobs)]
    repository.prefetch([ids[0], MISSING, *ids[1:]])
    assert repository.read(ids[0]) == blobs[0]
    with pytest.raises(Damaged, match="1111 cannot be read: it is missing"):
        repository.read(MISSING)
    assert [*map(repository.read, ids[1:])] == blobs[1:]
