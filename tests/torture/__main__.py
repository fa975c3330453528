"""python -m tests.torture: see the package."""

from __future__ import annotations

import argparse
import subprocess
import sys
import tempfile
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
    parser.add_argument("--jobs", type=int, default=1)
    parser.add_argument("--replay", metavar="TRIAL", help="its world up to that trial")
    parser.add_argument("--keep", type=Path, metavar="DIR", help="a copy of what a failure leaves")
    parser.add_argument("--json", type=Path, metavar="FILE", help="add the figures to a file")
    parser.add_argument("--quiet", action="store_true", help="no line for each world")
    given = parser.parse_args()
    if given.jobs > 1 and not given.replay:
        return _several(given)
    figures = Figures()
    with Session(given.seed, given.keep, say=None if given.quiet else _say) as session:
        if given.replay:
            session.replay(given.replay, figures)
        else:
            deadline = time.monotonic() + given.seconds
            if given.trials:
                session.run(figures, lambda: figures.count >= given.trials)
            else:
                session.run(figures, lambda: time.monotonic() > deadline)
    if given.json:
        figures.add_to(given.json)
    print(figures.table())
    return 1 if figures.failures else 0


def _several(given: argparse.Namespace) -> int:
    """A process for each job, with a seed of its own."""
    with tempfile.TemporaryDirectory() as folder:
        files = [Path(folder) / f"{job}.json" for job in range(given.jobs)]
        command = [sys.executable, "-m", "tests.torture", f"--seconds={given.seconds}"]
        command += [f"--keep={given.keep}"] if given.keep else []
        command += [f"--trials={given.trials // given.jobs}"] if given.trials else []
        command += ["--quiet"] if given.quiet else []
        running = [
            subprocess.Popen(
                [*command, f"--seed={given.seed}.{job}", f"--json={file}"],
                cwd=HOUSE,
                stdout=subprocess.DEVNULL,
            )
            for job, file in enumerate(files)
        ]
        codes = [one.wait() for one in running]
        figures = Figures()
        for file in filter(Path.exists, files):
            figures.read(file)
    if given.json:
        figures.add_to(given.json)
    print(figures.table())
    return max(codes)


def _say(line: str) -> None:
    print(f"{time.strftime('%H:%M:%S')} {line}", file=sys.stderr, flush=True)


if __name__ == "__main__":
    sys.exit(main())
