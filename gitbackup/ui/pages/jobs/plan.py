"""What the page of a plan shows: its keys, a page at a time, and what changes inside them."""

from __future__ import annotations

from typing import Any, NamedTuple
from urllib.parse import urlencode

from markupsafe import Markup
from starlette.requests import Request

from gitbackup import Backup
from gitbackup.commit.warnings import cut_off
from gitbackup.diff.labels import NO_LABELS, Labels
from gitbackup.format.codec import whole_number
from gitbackup.format.names import key_name
from gitbackup.model.changes import KeyDiff
from gitbackup.model.keys import Space
from gitbackup.model.merging import Conflict
from gitbackup.plan.plan import Plan
from gitbackup.report.html.inside import inside
from gitbackup.report.html.rows import rows
from gitbackup.report.text import conflicts, restored
from gitbackup.report.words import Words
from gitbackup.ui.jobs.bring_back import BringBack
from gitbackup.ui.jobs.shown_plan import PAGE, ShownPlan, View
from gitbackup.ui.site import Site
from gitbackup.ui.views.links import of_key

CONFLICTS = 100
"""Conflicts that are shown with their versions."""


class Line(NamedTuple):
    """A key of a plan: its number in it, its type, the address of its page, and as markup what
    changes inside."""

    number: int
    key: KeyDiff
    space: Space
    types: str
    label: str
    href: str
    rows: Markup


class Clash(NamedTuple):
    """A conflict in words: which part of which key, and its three versions."""

    key: str
    part: str
    before: str
    after: str
    now: str


def known(site: Site, request: Request, job: BringBack, shown: ShownPlan) -> dict[str, Any]:
    """Return what the template of a plan is to know."""
    backup = site.backup()
    query = request.query_params
    number = whole_number(query.get("page", "1")) or 1
    view = View(
        query.get("place", ""), query.get("space", ""), query.get("action", ""),
        query.get("q", ""), number,
    )  # fmt: skip
    found, labels, words = shown.page(view), _labels(backup), site.language(request)
    pages = max(1, -(-found.of // PAGE))
    return {
        "shown": shown,
        "plan": shown.plan,
        "view": view,
        "found": found,
        "lines": [_line(shown.plan, number, key, labels, words) for number, key in found.keys],
        "clashes": [_clash(each, words) for each in shown.plan.conflicts[:CONFLICTS]],
        "spaces": [(*place, counts, _href(view, *place)) for place, counts in shown.spaces],
        "newer": _href(view, page=number - 1) if number > 1 else "",
        "older": _href(view, page=number + 1) if number < pages else "",
        "moved": restored.listed(job.moved, words=words),
        "ending": job.resumes or bool(backup.repository and cut_off(backup.repository)),
    }


def _labels(backup: Backup) -> Labels:
    if backup.repository is None:
        return NO_LABELS
    return Labels(each.value for each in backup.config.in_force("label"))


def _line(plan: Plan, number: int, key: KeyDiff, labels: Labels, words: Words) -> Line:
    change, before, after = key.change, key.before, key.after
    types = dict.fromkeys(entry["type"] for entry in (before, after) if entry)
    inner = inside(rows(change, before, after, key.values, words))
    return Line(
        number,
        key,
        change.key.space,
        " → ".join(types),
        labels.of(change.key, after, before),
        of_key(change.key, plan.commit) if after and not _moves(plan) else "",
        Markup("".join(inner)),  # noqa: S704  what it is made of is escaped
    )


def _moves(plan: Plan) -> bool:
    """Return whether keys come from another database than they go to."""
    return any(of != to for of, to in plan.how.databases or ())


def _clash(conflict: Conflict, words: Words) -> Clash:
    key, clash = conflict
    versions = (conflicts.version(clash.part, each, words) for each in clash.versions)
    return Clash(key_name(key), conflicts.part(clash, words), *versions)


def _href(view: View, place: str | None = None, space: str = "", page: int = 1) -> str:
    """Return the address of another page of the plan: of a namespace, or of the same view."""
    if place is None:
        place, space = view.place, view.space
    query = {"place": place, "space": space, "action": view.action, "q": view.text}
    told = {name: value for name, value in query.items() if value}
    told |= {"page": str(page)} if page > 1 else {}
    return f"?{urlencode(told, errors='surrogatepass')}#changing"
