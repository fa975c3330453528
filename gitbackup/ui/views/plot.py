"""A plot of amounts over time as numbers to draw: areas on top of each other, and both axes.

An amount stays what it is until the next moment, so the areas have steps. The axis of amounts
begins at zero.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import NamedTuple

LEFT, RIGHT, TOP, BOTTOM = 64, 12, 10, 26
"""Room for what stands beside the areas, in pixels."""

APART = 66
"""Pixels between two marks of the axis of time, at least."""

LONGER = 20
"""Which part of the time the last amounts hold."""

DAY = 86_400
STEPS = (
    *(1, 2, 5, 10, 15, 30, 60, 300, 900, 3_600, 3 * 3_600, 6 * 3_600, 12 * 3_600),
    *(DAY, 2 * DAY, 3 * DAY, 7 * DAY, 14 * DAY, 28 * DAY, 91 * DAY, 182 * DAY, 365 * DAY),
    *(2 * 365 * DAY, 5 * 365 * DAY, 10 * 365 * DAY, 100 * 365 * DAY),
)
"""Seconds between two marks of the axis of time."""


class Mark(NamedTuple):
    """A mark of an axis: how far from the left or the top, and what it stands for."""

    at: float
    value: float


@dataclass(frozen=True, slots=True)
class Plot:
    """A plot of a size in pixels, which spans so many seconds.

    `areas` are the outlines, as SVG writes paths, of what was given, the first at the bottom.
    """

    width: int
    height: int
    areas: Sequence[str]
    amounts: Sequence[Mark]
    moments: Sequence[Mark]
    span: float

    left, right, top, bottom = LEFT, RIGHT, TOP, BOTTOM


def plot(
    moments: Sequence[datetime], rows: Sequence[Sequence[float]], width: int, height: int
) -> Plot:
    """Return the plot of amounts, a row for each moment in order, of which there are two.

    The last amounts hold a little longer, so that they are seen.
    """
    start, last = moments[0].timestamp(), moments[-1].timestamp()
    end = last + (last - start or 1) / LONGER
    marks = [*_round(max(map(sum, rows)))]
    across, up = width - LEFT - RIGHT, height - TOP - BOTTOM

    def x(moment: float) -> float:
        return LEFT + across * (moment - start) / ((end - start) or 1)

    def y(amount: float) -> float:
        return TOP + up * (1 - amount / marks[-1])

    places = [*(x(moment.timestamp()) for moment in moments), x(end)]
    sums = [[sum(row[:count]) for count in range(len(row) + 1)] for row in rows]
    areas = [
        _area(places, [(y(each[row]), y(each[row + 1])) for each in sums])
        for row in range(len(rows[0]))
    ]
    times = [Mark(x(each), each) for each in _times(start, end, across // APART)]
    return Plot(width, height, areas, [Mark(y(each), each) for each in marks], times, end - start)


def _area(places: Sequence[float], edges: Sequence[tuple[float, float]]) -> str:
    """Return the outline of an area between edges, each of which holds until the next place."""
    upper, lower = list[str](), list[str]()
    for start, end, (bottom, top) in zip(places, places[1:], edges, strict=False):
        upper += [f"{start:.1f},{top:.1f}", f"{end:.1f},{top:.1f}"]
        lower += [f"{start:.1f},{bottom:.1f}", f"{end:.1f},{bottom:.1f}"]
    return f"M{' L'.join([*upper, *reversed(lower)])} Z"


def _round(most: float) -> Iterator[float]:
    """Yield round amounts from zero to the first that is not below `most`."""
    step = next(each for each in _steps() if each * 5 >= most)
    amount = 0.0
    yield amount
    while amount < max(most, step):
        amount += step
        yield amount


def _steps() -> Iterator[int]:
    power = 1
    while True:
        yield from (power, 2 * power, 5 * power)
        power *= 10


def _times(start: float, end: float, most: int) -> Iterator[float]:
    """Yield round times between two, about so many at most."""
    step = next((each for each in STEPS if (end - start) / each <= most), STEPS[-1])
    moment = -(-start // step) * step
    while moment <= end:
        yield moment
        moment += step
