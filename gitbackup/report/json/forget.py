"""What `forget` did, or was going to do, as JSON."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from gitbackup.forget.forget import ForgetResult
from gitbackup.store.metadata.forgotten import Forgotten


def forget_object(result: ForgetResult | None, allowed: Sequence[Forgotten] = ()) -> dict[str, Any]:
    """Return what `forget` did, or was going to do; or what it has `allowed`."""
    plan = result.plan if result else None
    return {
        "schema": "gitbackup.forget/1",
        "done": bool(result and result.done),
        "key": plan.key if plan else allowed[0].key,
        "field": plan.field if plan else allowed[0].field,
        "commits": plan.commits if plan else 0,
        "total": plan.total if plan else None,
        "rewritten": plan.rewritten if plan else 0,
        "first": plan.first if plan else None,
        "versions": plan.versions if plan else 0,
        "old_head": result.old_head if result else None,
        "head": result.head if result else None,
        "remotes": [
            {"remote": each.name, "place": each.place, "command": each.command}
            for each in (plan.remotes if plan else ())
        ],
        "also_in": [{"db": key.db, "key": key.name} for key in (plan.also_in if plan else ())],
        "allowed": len(allowed),
    }
