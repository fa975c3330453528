"""Many blobs, of which git is asked for many at a time."""

from __future__ import annotations

import pytest

from gitbackup.errors import Damaged
from gitbackup.store.objects import AHEAD, blob_id
from gitbackup.store.repository import Repository
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


def test_what_is_read_meanwhile_ends_it(repository: Repository, blobs: list[bytes]) -> None:
    reading = repository.read_all(map(blob_id, blobs))
    next(reading)
    repository.read(blob_id(blobs[-1]))

    with pytest.raises(Damaged):
        next(reading)
