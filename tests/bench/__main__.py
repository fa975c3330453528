"""`python -m tests.bench`: measures, and prints what came out as tables."""

from __future__ import annotations

import argparse
import json
import os
import platform
import sys
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from tests.bench import database, plot, rows, servers, table
from tests.bench.measure import Failed, output
from tests.bench.report import Report
from tests.bench.stage import stage

LETTERS = {"k": 1_000, "m": 1_000_000}


def number_of_keys(word: str) -> int:
    """10000, 10k or 1M."""
    try:
        times = LETTERS.get(word[-1:].lower(), 1)
        keys = int(word if times == 1 else word[:-1]) * times
    except ValueError:
        raise argparse.ArgumentTypeError(f"no number of keys: {word!r}") from None
    if keys < database.LEAST:
        raise argparse.ArgumentTypeError(f"at least {database.LEAST} keys, not {word}")
    return keys


def sizes(words: str) -> list[int]:
    return sorted({number_of_keys(word) for word in words.split(",")})


def groups(words: str) -> list[str]:
    chosen = words.split(",")
    for word in chosen:
        if word not in rows.NAMES:
            raise argparse.ArgumentTypeError(
                f"no rows: {word!r}; there are {', '.join(rows.NAMES)}"
            )
    return chosen


def times(word: str) -> int:
    if not word.isdigit() or not int(word):
        raise argparse.ArgumentTypeError(f"no number of turns: {word!r}")
    return int(word)


def options(words: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog="python -m tests.bench",
        description="Measures gitbackup beside what else could be done, as ratios.",
    )
    parser.add_argument("--keys", type=sizes, default="10k,100k", help="sizes, such as 10k,1M")
    parser.add_argument("--repeat", type=times, default="3", help="turns of each row")
    parser.add_argument("--rows", type=groups, default=",".join(rows.NAMES), help="which")
    parser.add_argument("--json", type=Path, metavar="FILE", help="write all of it")
    parser.add_argument("--plot", type=Path, metavar="FILE.png", help="draw how it grows with size")
    parser.add_argument("--folder", type=Path, help="work here, and keep what is left")
    chosen = parser.parse_args(words)
    if chosen.plot and not plot.is_possible():
        parser.error(plot.MISSING)
    return chosen


def machine() -> dict[str, str]:
    """What the figures depend on."""
    return {
        "cores": f"{os.cpu_count()} cores",
        "python": f"Python {platform.python_version()}",
        "server": servers.version(servers.program()),
        "git": output("git", "--version"),
        "system": f"{platform.system()} {platform.release()}",
    }


def say(what: str) -> None:
    """Where we are, to a person at a terminal."""
    if sys.stderr.isatty():
        print(f"\r\x1b[K{what}", end="" if what else "\r", file=sys.stderr, flush=True)


@contextmanager
def working_folder(chosen: Path | None) -> Iterator[Path]:
    """The one that was chosen, which stays; or one that goes."""
    if chosen:
        chosen.mkdir(parents=True, exist_ok=True)
        yield Path(tempfile.mkdtemp(dir=chosen.absolute()))
    else:
        with tempfile.TemporaryDirectory(prefix="gitbackup-bench-") as folder:
            yield Path(folder)


def measure(chosen: argparse.Namespace, folder: Path) -> Report:
    """Every row that was chosen, of every size."""
    report = Report()
    plans = [(keys, rows.GROUPS) for keys in chosen.keys] + [(0, rows.ONCE)]
    for keys, of_it in plans:
        wanted = [name for name in of_it if name in chosen.rows]
        if wanted:
            with stage(keys or database.LEAST, chosen.repeat, folder, say) as at:
                for name in wanted:
                    say(f"{at.keys:,} keys: {name}")
                    of_it[name](at, report)
    say("")
    rows.across(report)
    return report


def main(words: Sequence[str] | None = None) -> None:
    chosen = options(words)
    try:
        with working_folder(chosen.folder) as folder:
            report = measure(chosen, folder)
    except Failed as failed:
        sys.exit(f"bench: {failed}")
    facts = machine()
    print(*table.tables(report, facts), sep="\n")
    if chosen.json:
        text = json.dumps(report.to_json(facts), indent=2)
        chosen.json.write_text(text + "\n", encoding="utf-8")
    if chosen.plot:
        plot.draw(report, chosen.plot)


if __name__ == "__main__":
    main()
