"""What can happen to the data, what stands against it, and what there is to do."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from enum import StrEnum

CHECKS = (
    *("loading", "append-only", "fsync", "rewrite", "save-points", "last-save", "files"),
    *("memory", "replicas", "access", "commit", "push", "rehearsal", "rdb", "secrets"),
    "alarm",
)
"""The names of all checks."""


class Level(StrEnum):
    """How it stands, the worst first: data are or can soon be lost; a protection is missing;
    it cannot be known; all is well."""

    BAD = "bad"
    WARN = "warn"
    UNKNOWN = "unknown"
    OK = "ok"

    @property
    def rank(self) -> int:
        """0 is the worst."""
        return [*Level].index(self)


@dataclass(frozen=True, slots=True)
class Risk:
    """One thing that can happen to the data.

    `check` is its name for programs. `danger` and `protection` tell a person what can happen
    and what is there against it; `advice` what to do, `commands` what to type for that. Both
    are empty if all is well. `accepted` tells that the owner lives with it, by a setting: then
    it is no longer judged.
    """

    check: str
    danger: str
    protection: str
    level: Level
    advice: str = ""
    commands: Sequence[str] = ()
    accepted: bool = False


def accepted(risk: Risk) -> Risk:
    """Return a risk that the owner lives with."""
    return replace(risk, level=Level.OK, advice="", commands=(), accepted=True)


def worst(risks: Iterable[Risk]) -> Level:
    """Return the worst level of all; OK if there is no risk."""
    return min((risk.level for risk in risks), key=lambda level: level.rank, default=Level.OK)


def worst_first(risks: Iterable[Risk]) -> list[Risk]:
    """Return the risks sorted by level, those of one level in their own order."""
    return sorted(risks, key=lambda risk: risk.level.rank)
