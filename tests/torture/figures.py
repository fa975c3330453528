"""How many trials there were, by fault and by command, and what did not hold."""

from __future__ import annotations

import json
from collections import Counter
from pathlib import Path
from typing import Any

from tests.torture.trial import Verdict

LAWS = ("lost", "false success", "needs a person", "words", "rig")


class Figures:
    """Adds up verdicts. A trial counts as faulted where its fault struck the run."""

    def __init__(self) -> None:
        self.count = 0
        self.faulted: Counter[tuple[str, str]] = Counter()
        self.spared = 0
        self.endings: Counter[tuple[str, str]] = Counter()  # by fault
        self.laws: Counter[tuple[str, str]] = Counter()  # by fault
        self.failures: list[dict[str, str]] = []

    def take(self, verdict: Verdict) -> None:
        self.count += 1
        if verdict.law:
            self.laws[verdict.fault, verdict.law] += 1
            self.failures.append(
                {
                    "trial": verdict.trial,
                    "fault": verdict.fault,
                    "act": verdict.act,
                    "law": verdict.law,
                    "told": verdict.told,
                }
            )
        if verdict.struck:
            self.faulted[verdict.fault, verdict.act] += 1
            self.endings[verdict.fault, verdict.ending] += 1
        else:
            self.spared += 1

    def as_json(self) -> dict[str, Any]:
        def flat(counter: Counter[tuple[str, str]]) -> list[list[Any]]:
            return [[one, other, count] for (one, other), count in sorted(counter.items())]

        return {
            "count": self.count,
            "spared": self.spared,
            "faulted": flat(self.faulted),
            "endings": flat(self.endings),
            "laws": flat(self.laws),
            "failures": self.failures,
        }

    def read(self, file: Path) -> None:
        """Adds those of a file."""
        found = json.loads(file.read_text())
        self.count += found["count"]
        self.spared += found["spared"]
        for name in ("faulted", "endings", "laws"):
            for one, other, count in found[name]:
                getattr(self, name)[one, other] += count
        self.failures += found["failures"]

    def save(self, file: Path) -> None:
        file.write_text(json.dumps(self.as_json(), indent=1) + "\n")

    def table(self) -> str:
        """As Markdown: a row for each fault, then one for each command."""
        faults = sorted({fault for fault, _ in self.faulted})
        commands = sorted({act for _, act in self.faulted})
        lines = [
            f"{self.count:,} trials, {self.faulted.total():,} of them with a fault that struck;"
            f" {len(self.failures)} failures",
            "",
            "| fault | trials | done all the same | failed, and said so | killed | failures |",
            "|---|---|---|---|---|---|",
        ]
        for fault in faults:
            total = sum(count for (one, _), count in self.faulted.items() if one == fault)
            ends = [self.endings[fault, ending] for ending in ("done", "failed", "killed")]
            wrong = sum(self.laws[fault, law] for law in LAWS)
            lines.append(f"| {fault} | {total:,} | {' | '.join(map(str, ends))} | {wrong} |")
        lines += ["", f"| command | {' | '.join(faults)} | all |", "|---" * (len(faults) + 2) + "|"]
        for act in commands:
            row = [self.faulted[fault, act] for fault in faults]
            lines.append(f"| {act} | {' | '.join(map(str, row))} | {sum(row):,} |")
        return "\n".join(lines)
