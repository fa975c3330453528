"""A restore's plan as lines of text for a person."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from gitbackup.diff.labels import NO_LABELS, Labels
from gitbackup.format.names import escape, key_name
from gitbackup.model.amounts import counted, size
from gitbackup.model.changes import Action, Counts
from gitbackup.model.keys import Key
from gitbackup.plan.plan import Plan, PlannedKey
from gitbackup.report.text.conflicts import Named, conflict_lines
from gitbackup.report.text.diff import beside
from gitbackup.report.text.namespaces import namespace_lines

PLANNED = 40
"""Keys that a plan names at most, unless all are asked for."""

FEW = 10
"""Keys that tell enough by themselves: where there are more, and more than two in a namespace,
the namespaces are counted first."""

LONGEST = 1_000
"""Characters of a warning, in which a server may have its say."""

VERBS = {Action.ADDED: "create", Action.CHANGED: "overwrite", Action.REMOVED: "delete"}


def plan_lines(
    plan: Plan, every: bool = False, labels: Labels = NO_LABELS, named: Named = key_name
) -> Iterator[str]:
    """Yield what a restore is going to do: in numbers, then key by key, with their labels.

    `named` returns a key that is no part of it as it is shown.
    """
    if plan.keys:
        what = f"{_verb(plan)} {escape(plan.name) if plan.name else plan.commit[:7]}"
        place = "into"
        if plan.how.undoes and not plan.name:
            what = f"undo {plan.how.undoes[:7]}, put {plan.commit[:7]} back"
        elif plan.how.revert:
            place = "in"
        yield f"{what} {place} {escape(plan.server)}: {_counted(plan.counts)}"
    else:
        yield _nothing(plan)
    if len(plan.keys) > max(FEW, 2 * len(plan.namespaces)):
        yield from namespace_lines(plan.namespaces, _counted)
        yield ""
    yield from _key_lines(plan, every, labels)
    yield from conflict_lines(plan.conflicts, plan.commit, every, named)
    yield from _set_aside("already expired, left out", plan.expired, named)
    yield from _set_aside("expires within the hour", plan.soon, named)
    yield from _set_aside(f"not in the {_source(plan)}, kept", plan.kept, named)
    yield from _set_aside("not supported by the server, left out", plan.unsupported, named)
    if plan.goes and plan.comes:
        yield f"  replaces {size(plan.goes)} with {size(plan.comes)}"
    elif plan.goes or plan.comes:
        yield f"  adds {size(plan.comes)}" if plan.comes else f"  deletes {size(plan.goes)}"
    yield from (f"  warning: {escape(warning, LONGEST)}" for warning in plan.warnings)


def _nothing(plan: Plan) -> str:
    """Return why there is nothing to do."""
    source = escape(plan.name) if plan.name else plan.commit[:7]
    if plan.how.revert:
        left = "nothing that can be merged" if plan.conflicts else f"nothing of {source}"
        return f"nothing to revert: the database holds {left}"
    if plan.how.undoes or plan.how.patterns or plan.how.databases:
        fact = f"these keys already equal {source}"
    elif plan.name or plan.kept or plan.expired:
        fact = f"the database already contains all of {source}"
    else:
        fact = f"the database already equals {source}"
    return f"nothing to {_verb(plan)}: {fact}"


def _verb(plan: Plan) -> str:
    if plan.copied:
        return "copy"
    if plan.how.revert:
        return "revert"
    return "import" if plan.name else "undo" if plan.how.undoes else "restore"


def _source(plan: Plan) -> str:
    if plan.copied:
        return "source"
    return "file" if plan.name else "commit"


def _counted(counts: Counts) -> str:
    numbers = zip(VERBS.values(), (counts.added, counts.changed, counts.removed), strict=True)
    return ", ".join(f"{verb} {count:,}" for verb, count in numbers if count)


def _key_lines(plan: Plan, every: bool, labels: Labels) -> Iterator[str]:
    shown = plan.keys if every else plan.keys[:PLANNED]
    rows = [
        (VERBS[step.action], escape(step.type), step_name(plan, step, labels)) for step in shown
    ]
    verbs, types = (max((len(row[at]) for row in rows), default=0) for at in (0, 1))
    yield from (f"  {verb:<{verbs}}  {kind:<{types}}  {key}" for verb, kind, key in rows)
    if len(plan.keys) > len(shown):
        yield f"  and {len(plan.keys) - len(shown):,} more; --full lists all"


def step_name(plan: Plan, step: PlannedKey, labels: Labels) -> str:
    """Return the key of a step with its label."""
    if not labels.concern(step.key):
        return key_name(step.key)
    before, after = plan.sides(step)
    return key_name(step.key) + beside(labels.of(step.key, after, before))


def _set_aside(why: str, left: Sequence[Key], named: Named) -> Iterator[str]:
    if left:
        first = ", ".join(named(key) for key in left[:3])
        more = f" and {len(left) - 3:,} more" if len(left) > 3 else ""
        yield f"  {why}: {counted(len(left), 'key')} ({first}{more})"
