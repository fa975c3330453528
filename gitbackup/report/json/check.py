"""A check as an object for a program."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from typing import Any

from gitbackup.model.risk import Risk, worst


def check_object(server: str, risks: Sequence[Risk]) -> dict[str, Any]:
    """All that a check found; `verdict` is the worst of all."""
    return {
        "schema": "gitbackup.check/1",
        "server": server,
        "verdict": worst(risks).value,
        "risks": [*_objects(risks)],
    }


def _objects(risks: Iterable[Risk]) -> Iterator[dict[str, Any]]:
    for risk in risks:
        yield {
            "check": risk.check,
            "verdict": risk.level.value,
            "risk": risk.danger,
            "protection": risk.protection,
            "advice": risk.advice or None,
            "commands": list(risk.commands),
        }
