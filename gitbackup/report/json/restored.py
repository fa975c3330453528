"""What a restore did, as an object for a program."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from gitbackup.model.keys import key_object

if TYPE_CHECKING:  # to print one result, nothing that makes another is loaded
    from gitbackup.restore.result import RestoreResult


def restore_object(result: RestoreResult) -> dict[str, Any]:
    """Return what a restore did.

    `verified` and `keys` are the keys that hold what they should; `busy`, `refused`, `differing`
    and `gone` those that do not, some of them with the reason why.
    """
    # deferred, as all that makes a result
    from gitbackup.plan.plan_json import conflicts_object, source_object

    plan = result.plan
    failed = {
        "busy": result.busy,
        "refused": [key for key, _ in result.refused],
        "differing": result.differing,
        "gone": result.gone,
        **({"accepted": result.accepted} if result.accepted else {}),
        **({"later": result.later} if result.later else {}),
    }
    return {
        "schema": "gitbackup.restore/1",
        "commit": plan.commit,
        **source_object(plan),
        "server": plan.server,
        "undoes": plan.how.undoes,
        **({"reverted": plan.commit} if plan.how.revert else {}),
        "saved": result.saved,
        "saved_on": result.saved_on,
        **({"first_saved_on": result.first_saved_on} if result.first_saved_on else {}),
        "meanwhile": list(result.meanwhile),
        "recorded": result.recorded,
        "verified": result.verified,
        "keys": [
            {**key_object(step.key), "action": step.action.value, "type": step.type}
            for step in result.done
        ],
        **{
            problem: [
                {**key_object(key), **({"why": str(result.why[key])} if key in result.why else {})}
                for key in keys
            ]
            for problem, keys in failed.items()
        },
        **conflicts_object(result.conflicts),
    }
