"""Plots as numbers to draw: areas with steps, an axis from zero, and round marks."""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta
from itertools import pairwise

import pytest

from gitbackup.ui.views.plot import BOTTOM, LEFT, RIGHT, TOP, plot

START = datetime(2026, 12, 1, tzinfo=UTC)
WIDTH, HEIGHT = LEFT + 105 + RIGHT, TOP + 100 + BOTTOM


def points(area: str) -> list[tuple[float, float]]:
    """Return the corners of an area, from the left and the top of where it is drawn."""
    found = re.findall(r"([\d.]+),([\d.]+)", area)
    return [(round(float(x) - LEFT, 1), round(float(y) - TOP, 1)) for x, y in found]


def test_an_amount_holds_until_the_next_moment() -> None:
    """The last one for a twentieth of the time; and the axis of amounts begins at zero."""
    moments = [START, START + timedelta(days=1), START + timedelta(days=4)]

    (area,) = plot(moments, [[50], [100], [0]], WIDTH, HEIGHT).areas

    upper = [(0, 50), (25, 50), (25, 0), (100, 0), (100, 100), (105, 100)]
    assert points(area) == [*upper, *((x, 100.0) for x in (105, 100, 100, 25, 25, 0))]


def test_areas_are_on_top_of_each_other() -> None:
    moments = [START, START + timedelta(days=1)]

    first, second = plot(moments, [[20, 80], [20, 80]], WIDTH, HEIGHT).areas

    assert points(first)[:2] == [(0, 80), (100, 80)]
    assert points(second)[:2] == [(0, 0), (100, 0)]
    assert {y for _, y in points(second)} == {0, 80}


@pytest.mark.parametrize(
    ("most", "marks"),
    [
        (0, [0, 1]),
        (1, [0, 1]),
        (7, [0, 2, 4, 6, 8]),
        (100, [0, 20, 40, 60, 80, 100]),
        (1_234_567, [0, 500_000, 1_000_000, 1_500_000]),
    ],
)
def test_amounts_are_marked_with_round_ones_up_to_the_largest(most: int, marks: list[int]) -> None:
    drawn = plot([START, START + timedelta(days=1)], [[0], [most]], WIDTH, HEIGHT)

    assert [mark.value for mark in drawn.amounts] == marks
    assert round(drawn.amounts[0].at) == HEIGHT - BOTTOM
    assert drawn.amounts[-1].at == TOP


@pytest.mark.parametrize("seconds", [1, 90, 3_600, 86_400, 40 * 86_400, 20 * 365 * 86_400])
@pytest.mark.parametrize("width", [350, 760])
def test_moments_are_marked_apart_and_within_the_plot(seconds: int, width: int) -> None:
    """Each where it is in time."""
    end = START + timedelta(seconds=seconds)

    drawn = plot([START, end], [[1], [1]], width, HEIGHT)

    for mark in drawn.moments:
        share = (mark.value - START.timestamp()) / (seconds * 1.05)
        assert mark.at == pytest.approx(LEFT + share * (width - LEFT - RIGHT))
        assert 0 <= share <= 1
    places = [mark.at for mark in drawn.moments]
    assert all(b - a > 40 for a, b in pairwise(places))
    assert drawn.moments


def test_of_two_commits_of_one_moment_the_last_is_seen() -> None:
    (area,) = plot([START, START], [[100], [50]], WIDTH, HEIGHT).areas

    assert points(area)[:4] == [(0, 0), (0, 0), (0, 50), (105, 50)]
