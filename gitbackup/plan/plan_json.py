"""A plan as JSON for a program to keep, and read again: what is read is not trusted.

Digests stand for values, so that a plan contains none.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator, Sequence
from typing import Any

from gitbackup import wording
from gitbackup.errors import UsageError
from gitbackup.format import codec
from gitbackup.model.changes import ABSENT, Action, counts_object
from gitbackup.model.keys import PLACES, Key, key_object
from gitbackup.model.merging import Conflict, MergeRule, Side
from gitbackup.plan.plan import Clock, Plan, PlannedKey, RestoreOptions, Revert, Ttl

SCHEMA = "gitbackup.plan/1"
ID = re.compile(r"[0-9a-f]{40}")
DIGEST = re.compile(r"[0-9a-f]{32}")
LAST_DATABASE = 2**31 - 1


def plan_object(plan: Plan) -> dict[str, Any]:
    """Return what a restore is going to do; `read_plan` reads it."""
    return {
        "schema": SCHEMA,
        "commit": plan.commit,
        **source_object(plan),
        "server": plan.server,
        **({"nodes": list(plan.nodes)} if plan.nodes else {}),
        **({"runs": sorted(plan.runs)} if plan.runs else {}),
        "how": how_object(plan.how),
        "now": codec.instant(plan.clock.now),
        "taken_at": codec.instant(plan.clock.taken_at),
        "namespaces": [
            {"place": place, "namespace": name, **counts_object(counts)}
            for (place, name), counts in plan.namespaces.items()
        ],
        "bytes": {"go": plan.goes, "come": plan.comes},
        "keys": [
            {
                **key_object(step.key),
                "action": step.action.value,
                "type": step.type,
                "holds": step.digest or None,
            }
            for step in plan.keys
        ],
        "expired": [key_object(key) for key in plan.expired],
        "soon": [key_object(key) for key in plan.soon],
        "kept": [key_object(key) for key in plan.kept],
        **(
            {"unsupported": [key_object(key) for key in plan.unsupported]}
            if plan.unsupported
            else {}
        ),
        **conflicts_object(plan.conflicts),
        "warnings": list(plan.warnings),
    }


def conflicts_object(conflicts: Sequence[Conflict]) -> dict[str, Any]:
    """Return the conflicts of a revert; nothing if there are none. A version that does not have
    the part is left out."""
    if not conflicts:
        return {}
    return {
        "conflicts": [
            {
                **key_object(key),
                "part": clash.part.value,
                "name": clash.name,
                "path": list(clash.path),
                **{
                    side: version
                    for side, version in clash.versions._asdict().items()
                    if version is not ABSENT
                },
                "note": clash.note,
            }
            for key, clash in conflicts
        ]
    }


def source_object(plan: Plan) -> dict[str, str]:
    """Return where the commit's content is from, if it is from a file or another server."""
    if not plan.name:
        return {}
    return {"source": plan.name} if plan.copied else {"file": plan.name}


def how_object(how: RestoreOptions) -> dict[str, Any]:
    """Return the options of a restore."""
    return {
        "patterns": [codec.strict(pattern) for pattern in how.patterns],
        "databases": how.databases and [list(pair) for pair in how.databases],
        "delete": how.delete,
        "ttl": how.ttl.value,
        "undoes": how.undoes,
        **({"revert": _revert_object(how.revert)} if how.revert else {}),
        **({} if how.field_expiry else {"field_expiry": False}),
    }


def _revert_object(revert: Revert) -> dict[str, Any]:
    return {
        "side": revert.rule.side,
        "counters": revert.rule.counters,
        "exclude": [codec.strict(pattern) for pattern in revert.exclude],
        "quiet": [codec.strict(pattern) for pattern in revert.quiet],
    }


def read_plan(content: bytes) -> Plan:
    """Return the plan that `plan_object` wrote, without what is only for a person.

    Raises UsageError for anything else.
    """
    try:
        document = json.loads(content, parse_constant=_refuse)
        return _plan(document)
    except (ValueError, RecursionError) as error:
        why = f": {error}" if type(error) is ValueError else ""
        by = wording.command("restore --dry-run --json", "restorer()")
        raise UsageError(f"not a plan made by {by}{why}") from None


def read_how(document: Any) -> RestoreOptions:
    """Return the options that `how_object` wrote. Raises ValueError for anything else."""
    databases = _member(document, "databases", list, or_null=True)
    return RestoreOptions(
        _patterns(document, "patterns"),
        None if databases is None else tuple(map(_pair, databases)),
        _member(document, "delete", bool),
        _one_of(Ttl, _member(document, "ttl", str)),
        _id(_member(document, "undoes", str, or_null=True)),
        _revert(_member(document, "revert", dict)) if "revert" in document else None,
        "field_expiry" not in document or _member(document, "field_expiry", bool),
    )


def _revert(document: Any) -> Revert:
    side = _member(document, "side", str, or_null=True)
    rule = MergeRule(side and _one_of(Side, side), _member(document, "counters", bool))
    return Revert(rule, _patterns(document, "exclude"), _patterns(document, "quiet"))


def _texts(document: Any, name: str) -> Iterator[str]:
    return map(str, _member(document, name, list) if name in document else ())


def _patterns(document: Any, name: str) -> tuple[str, ...]:
    return tuple(
        codec.loose(codec.data(_text(pattern, "a pattern")))
        for pattern in _member(document, name, list)
    )


def _plan(document: Any) -> Plan:
    if not isinstance(document, dict) or document.get("schema") != SCHEMA:
        raise ValueError(f'its "schema" is not "{SCHEMA}"')
    commit = _id(_member(document, "commit", str))
    if commit is None:
        raise ValueError('its "commit" is not a commit id')
    keys = [_planned_key(step) for step in _member(document, "keys", list)]
    if len({step.key for step in keys}) < len(keys):
        raise ValueError("it has a duplicate key")
    return Plan(
        commit,
        _member(document, "server", str),
        read_how(_member(document, "how", dict)),
        Clock(*(codec.milliseconds(_member(document, name, str)) for name in ("now", "taken_at"))),
        sorted(keys, key=lambda step: step.key),
        nodes=tuple(_texts(document, "nodes")),
        runs=frozenset(_texts(document, "runs")),
    )


def _planned_key(document: Any) -> PlannedKey:
    action = _one_of(Action, _member(document, "action", str))
    digest = _member(document, "holds", str, or_null=True)
    if (digest is None) is not (action is Action.ADDED) or not DIGEST.fullmatch(digest or "0" * 32):
        raise ValueError('the "holds" of a key is not a digest, or does not fit its "action"')
    name = _text(_member(document, "key", str), "the name of a key")
    places = (db for db, place in PLACES.items() if document.get(place) is True)
    place = None if "db" in document else next(places, None)
    key = Key(_database(_member(document, "db", int)) if place is None else place, name)
    return PlannedKey(key, action, _member(document, "type", str), digest=digest or "")


def _member(document: Any, name: str, kind: type, or_null: bool = False) -> Any:
    """Return a member of an object. Raises ValueError if it is not of that type."""
    if not isinstance(document, dict):
        raise ValueError(f'what should contain "{name}" is not an object')
    value = document.get(name, ...)
    if type(value) is kind or (value is None and or_null):
        return value
    raise ValueError(f'the member "{name}" is missing or not valid')


def _one_of(choices: Callable[[str], Any], value: str) -> Any:
    try:
        return choices(value)
    except ValueError:
        raise ValueError(f"unexpected value {value[:40]!r}") from None


def _id(value: str | None) -> str | None:
    if value is not None and not ID.fullmatch(value):
        raise ValueError("a commit id is not valid")
    return value


def _text(value: Any, what: str) -> str:
    """Return text under the text rule. Raises ValueError for anything else."""
    try:
        if isinstance(value, str) and codec.text(codec.data(value)) == value:
            return value
    except ValueError:
        pass
    raise ValueError(f"{what} is not text")


def _pair(value: Any) -> tuple[int, int]:
    if not isinstance(value, list) or len(value) != 2:
        raise ValueError('its "databases" are not pairs of numbers')
    return _database(value[0]), _database(value[1])


def _database(value: Any) -> int:
    if type(value) is not int or not 0 <= value <= LAST_DATABASE:
        raise ValueError("the number of a database is not valid")
    return value


def _refuse(constant: str) -> None:
    raise ValueError(f"{constant} is not valid JSON")
