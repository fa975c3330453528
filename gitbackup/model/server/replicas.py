"""Which of a primary's replicas was read instead of it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True, slots=True)
class ReplicaRead:
    """A primary, and the replica that was read instead of it, each as `host:port`.

    `behind` is in how many seconds the replica had what the primary had when reading began. If the
    primary was read itself, `replica` is empty, `behind` is None, and `why` says why.
    """

    primary: str
    replica: str = ""
    behind: float | None = None
    why: str = ""

    def __str__(self) -> str:
        if not self.replica:
            return f"{self.primary} (primary: {self.why})"
        return f"{self.replica} (replica of {self.primary}, {self.behind:.3f} s behind)"


def replicas_object(replicas: Sequence[ReplicaRead]) -> list[dict[str, Any]]:
    """Return which replicas were read, for a program; `replica` is null for a primary itself."""
    return [
        {
            "primary": each.primary,
            "replica": each.replica or None,
            "seconds_behind": None if each.behind is None else round(each.behind, 3),
            "reason": each.why or None,
        }
        for each in replicas
    ]
