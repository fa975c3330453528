"""What came out: rows with a goal, what each command took, and what was left out."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass, field
from statistics import median
from typing import Any

from tests.bench.measure import Contest, Run

SCHEMA = "gitbackup.bench/1"


@dataclass(frozen=True)
class Row:
    """A figure that is to be small, and what it was in each turn.

    `unit` is empty for a ratio. `goal` is None where the row is there to be compared with.
    `keys` is 0 where the size of the database does not matter.
    """

    name: str
    what: str
    keys: int
    figure: float
    turns: tuple[float, ...]
    goal: float | None = None
    unit: str = ""

    @property
    def reached(self) -> bool | None:
        return None if self.goal is None else self.figure <= self.goal


@dataclass(frozen=True)
class Taken:
    """What a command took, each time."""

    name: str
    what: str
    keys: int
    runs: tuple[Run, ...]


@dataclass
class Report:
    """Filled as things are measured, of one size after the other."""

    rows: list[Row] = field(default_factory=list)
    taken: list[Taken] = field(default_factory=list)
    left_out: list[str] = field(default_factory=list)

    def times(self, keys: int, runs: Contest, **told: str) -> None:
        """What those who took part took; `told` are their names for a person."""
        for name, words in told.items():
            if name in runs:
                self.taken.append(Taken(name, words, keys, tuple(runs[name])))

    def ratio(
        self, name: str, what: str, keys: int, runs: Contest, pair: str, goal: float | None = None
    ) -> None:
        """How many times as long the one takes as the other: `pair` is `ours/theirs`.

        No row where one of them did not take part.
        """
        ours, _, theirs = pair.partition("/")
        if ours in runs and theirs in runs:
            times = [[run.seconds for run in runs[one]] for one in (ours, theirs)]
            turns = tuple(a / b for a, b in zip(*times, strict=True))
            figure = median(times[0]) / median(times[1])
            self.rows.append(Row(name, what, keys, figure, turns, goal))

    def figure(
        self, name: str, what: str, keys: int, turns: Sequence[float], goal: float | None, unit: str
    ) -> None:
        """A row of something else than seconds; its median counts."""
        self.rows.append(Row(name, what, keys, median(turns), tuple(turns), goal, unit))

    def leave_out(self, why: str) -> None:
        if why not in self.left_out:
            self.left_out.append(why)

    def to_json(self, machine: dict[str, Any]) -> dict[str, Any]:
        rows = [{**asdict(row), "reached": row.reached} for row in self.rows]
        taken = [asdict(one) for one in self.taken]
        left_out = self.left_out
        return {
            "schema": SCHEMA,
            "machine": machine,
            "rows": rows,
            "taken": taken,
            "left_out": left_out,
        }
