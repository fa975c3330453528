"""What came out as text: the ratios with their goals, then the seconds."""

from __future__ import annotations

from collections.abc import Sequence
from statistics import median

from tests.bench.measure import Run, seconds
from tests.bench.report import Report, Row, Taken

HEAD = ("row", "keys", "goal", "measured", "least to most", "reached")
SECONDS = ("command", "keys", "seconds", "least to most", "CPU", "peak MB", "with its git, MB")
REACHED = {None: "", True: "yes", False: "NO"}


def tables(report: Report, machine: dict[str, str]) -> list[str]:
    """The lines of both, in Markdown, and of what was left out."""
    return [
        ", ".join(machine.values()),
        "",
        *_table(HEAD, [_row(row) for row in report.rows]),
        "",
        "The goals are for a million keys; of fewer, the start of a process is a larger part.",
        *report.left_out,
        "",
        *_table(SECONDS, [_taken(taken) for taken in report.taken]),
    ]


def _row(row: Row) -> tuple[str, ...]:
    goal = "" if row.goal is None else _number(row.goal, row.unit)
    spread = f"{_number(min(row.turns))} to {_number(max(row.turns))}"
    figure = _number(row.figure, row.unit)
    return row.what, _keys(row.keys), goal, figure, spread, REACHED[row.reached]


def _taken(taken: Taken) -> tuple[str, ...]:
    times = [run.seconds for run in taken.runs]
    spread = f"{_number(min(times))} to {_number(max(times))}"
    computed = median(run.computed for run in taken.runs)
    peak, together = (_megabytes(taken.runs, which) for which in ("peak", "together"))
    return (
        taken.what,
        _keys(taken.keys),
        _number(seconds(taken.runs)),
        spread,
        _number(computed) if computed else "",
        peak,
        together,
    )


def _megabytes(runs: Sequence[Run], which: str) -> str:
    most = max(getattr(run, which) for run in runs)
    return f"{most / 1e6:.0f}" if most else ""


def _keys(keys: int) -> str:
    return f"{keys:,}" if keys else "any"


def _number(value: float, unit: str = "") -> str:
    """With three digits that matter."""
    digits = 0 if abs(value) >= 100 else 1 if abs(value) >= 10 else 2 if abs(value) >= 0.1 else 4
    return f"{value:,.{digits}f}" + (f" {unit}" if unit else "")


def _table(head: Sequence[str], rows: Sequence[Sequence[str]]) -> list[str]:
    wide = [max(len(row[n]) for row in (head, *rows)) for n in range(len(head))]
    rule = ["-" * (width - 1) + ":" if n else "-" * width for n, width in enumerate(wide)]
    return [_line(row, wide) for row in (head, rule, *rows)]


def _line(row: Sequence[str], wide: Sequence[int]) -> str:
    first, *others = (f"{cell:>{width}}" for cell, width in zip(row, wide, strict=True))
    return " | ".join(["| " + first.strip().ljust(wide[0]), *others]) + " |"
