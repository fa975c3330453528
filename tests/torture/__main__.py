"""python -m tests.torture: see the package."""

from __future__ import annotations

import argparse
import subprocess
import sys
import time
from pathlib import Path

from tests.torture.figures import Figures
from tests.torture.session import Session

HOUSE = Path(__file__).parents[2]


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.torture", description=__doc__)
    parser.add_argument("--seconds", type=float, default=60)
    parser.add_argument("--trials", type=int, help="so many, in place of seconds")
    parser.add_argument("--seed", default="1")
    parser.add_argument("--jobs", type=int, default=1, help="processes, each with its own seed")
    parser.add_argument("--replay", metavar="TRIAL", help="its world up to that trial")
    parser.add_argument("--keep", type=Path, metavar="DIR", help="a copy of what a failure leaves")
    parser.add_argument(
        "--json",
        type=Path,
        metavar="FILE",
        help="add the figures to those in a file, after each world",
    )
    parser.add_argument(
        "--figures", type=Path, nargs="+", metavar="FILE", help="only print the sum of such files"
    )
    given = parser.parse_args()
    if given.figures:
        return _told(_sum(given.figures))
    if given.jobs > 1 and not given.replay:
        return _several(given)
    figures = _sum([given.json] if given.json else [])
    trials: int | None = given.trials and figures.count + given.trials
    deadline = time.monotonic() + given.seconds

    def over() -> bool:
        return time.monotonic() > deadline if trials is None else figures.count >= trials

    def save() -> None:
        if given.json:
            figures.save(given.json)

    with Session(given.seed, given.keep, _say, save) as session:
        if given.replay:
            session.replay(given.replay, figures)
        else:
            session.run(figures, over)
    save()
    return _told(figures)


def _sum(files: list[Path]) -> Figures:
    figures = Figures()
    for file in filter(Path.exists, files):
        figures.read(file)
    return figures


def _told(figures: Figures) -> int:
    print(figures.table())
    return 1 if figures.failures else 0


def _several(given: argparse.Namespace) -> int:
    """A process for each job; with --json each has a file of its own, FILE.0 and so on."""
    command = [sys.executable, "-m", "tests.torture", f"--seconds={given.seconds}"]
    command += [f"--keep={given.keep}"] if given.keep else []
    command += [f"--trials={given.trials // given.jobs}"] if given.trials else []
    running = [
        subprocess.Popen(
            [
                *command,
                f"--seed={given.seed}.{job}",
                *([f"--json={given.json}.{job}"] if given.json else []),
            ],
            cwd=HOUSE,
        )
        for job in range(given.jobs)
    ]
    return max(one.wait() for one in running)


def _say(line: str) -> None:
    print(f"{time.strftime('%H:%M:%S')} {line}", file=sys.stderr, flush=True)


if __name__ == "__main__":
    sys.exit(main())
