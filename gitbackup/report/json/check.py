"""A check as an object for a program."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:  # to print one result, nothing that makes another is loaded
    from gitbackup.checks.check import Checked


def check_object(checked: Checked) -> dict[str, Any]:
    """Return all that a check found; `verdict` is the worst of all."""
    return {
        "schema": "gitbackup.check/1",
        "server": checked.server,
        "verdict": checked.level.value,
        "risks": [
            {
                "check": risk.check,
                "verdict": risk.level.value,
                "risk": risk.danger,
                "protection": risk.protection,
                "advice": risk.advice or None,
                "commands": list(risk.commands),
                "accepted": risk.accepted,
            }
            for risk in checked.risks
        ],
    }
