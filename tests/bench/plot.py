"""How time and memory grow with the size of the database, as a picture."""

from __future__ import annotations

import importlib
import importlib.util
from collections import defaultdict
from pathlib import Path

from tests.bench.measure import seconds
from tests.bench.report import Report, Taken

DRAWN = ("bare", "tree", "rdb", "script", "restore", "pipe", "later", "status", "diff")
"""The commands that do something with every key."""

MISSING = "--plot needs matplotlib, which is in an extra: pip install -e '.[bench]'"


def is_possible() -> bool:
    return importlib.util.find_spec("matplotlib") is not None


def draw(report: Report, path: Path) -> None:
    """Writes the picture; what is in it has a line each."""
    importlib.import_module("matplotlib").use("Agg")  # large, and of no use without a picture
    pyplot = importlib.import_module("matplotlib.pyplot")

    picture, (above, below) = pyplot.subplots(2, 1, figsize=(8, 10), layout="constrained")
    lines: dict[str, list[Taken]] = defaultdict(list)
    for taken in report.taken:
        if taken.name in DRAWN:
            lines[taken.what].append(taken)
    for number, (what, points) in enumerate(lines.items()):
        look = {"marker": "o", "color": f"C{number}", "label": what}
        above.plot(*zip(*((one.keys, seconds(one.runs)) for one in points), strict=True), **look)
        peaks = [(one.keys, _peak(one)) for one in points if _peak(one)]
        below.plot(*(zip(*peaks, strict=True) if peaks else ([], [])), **look)
    for axes, title, scale in ((above, "seconds", "log"), (below, "peak memory, MB", "linear")):
        axes.set(xscale="log", yscale=scale, xlabel="keys", ylabel=title)
        axes.grid(visible=True, which="both", alpha=0.3)
        for formatted in (axes.xaxis.set_major_formatter, axes.yaxis.set_major_formatter):
            formatted("{x:,g}")
    below.set_ylim(bottom=0)
    picture.legend(*above.get_legend_handles_labels(), loc="outside lower center", ncols=2)
    picture.savefig(path, dpi=120)
    pyplot.close(picture)


def _peak(taken: Taken) -> float:
    """Megabytes; 0 is not known."""
    return max(run.peak for run in taken.runs) / 1e6
