"""How time and memory grow with the size of the database, as a picture."""

from __future__ import annotations

import importlib
import importlib.util
from collections import defaultdict
from pathlib import Path

from tests.bench.measure import seconds
from tests.bench.report import Report, Taken

DRAWN = ("bare", "tree", "rdb", "script", "restore", "pipe", "later")
"""The commands that do something with every key."""

MISSING = "--plot needs matplotlib, which is in an extra: pip install -e '.[bench]'"


def is_possible() -> bool:
    return importlib.util.find_spec("matplotlib") is not None


def draw(report: Report, path: Path) -> None:
    """Writes the picture; what is in it has a line each."""
    importlib.import_module("matplotlib").use("Agg")  # large, and of no use without a picture
    pyplot = importlib.import_module("matplotlib.pyplot")

    picture, (above, below) = pyplot.subplots(2, 1, figsize=(8, 9), layout="constrained")
    lines: dict[str, list[Taken]] = defaultdict(list)
    for taken in report.taken:
        if taken.name in DRAWN:
            lines[taken.what].append(taken)
    for what, points in lines.items():
        keys = [taken.keys for taken in points]
        above.plot(keys, [seconds(taken.runs) for taken in points], marker="o", label=what)
        peaks = [max(run.peak for run in taken.runs) / 1e6 for taken in points]
        below.plot(keys, peaks, marker="o", label=what)
    for axes, title in ((above, "seconds"), (below, "peak memory, MB")):
        axes.set(xscale="log", yscale="log", xlabel="keys", ylabel=title)
        axes.grid(visible=True, which="both", alpha=0.3)
        axes.legend(fontsize="small")
    picture.savefig(path, dpi=120)
    pyplot.close(picture)
