from __future__ import annotations

import pytest

from gitbackup.model.amounts import counted, size


@pytest.mark.parametrize(
    ("count", "told"),
    [
        (0, "0 bytes"),
        (1, "1 byte"),
        (999, "999 bytes"),
        (1_000, "1.0 kB"),
        (1_314, "1.3 kB"),
        (999_949, "999.9 kB"),
        (999_999, "1.0 MB"),
        (1_000_000, "1.0 MB"),
        (999_999_999, "1.0 GB"),
        (2_500_000_000_000, "2.5 TB"),
        (1_234_000_000_000_000, "1,234.0 TB"),
    ],
)
def test_a_size_is_in_the_largest_unit_that_it_fills(count: int, told: str) -> None:
    assert size(count) == told


def test_a_count_agrees_with_its_noun() -> None:
    assert [counted(n, "key") for n in (0, 1, 1_164)] == ["0 keys", "1 key", "1,164 keys"]
    assert [counted(n, "entry", "entries") for n in (1, 2)] == ["1 entry", "2 entries"]
