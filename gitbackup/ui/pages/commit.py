"""A commit: what it says of itself, its neighbours, and what it changed against a parent."""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

from starlette.requests import Request
from starlette.responses import Response

from gitbackup.commit.message import POINT_IN_TIME
from gitbackup.model.commits import CommitInfo, Selection
from gitbackup.model.safety.alarm import alarm_in
from gitbackup.report.text.sentences import reason
from gitbackup.store.objects.trees import EMPTY_TREE
from gitbackup.store.repository.repository import Repository
from gitbackup.ui.pages.compare import looked_at
from gitbackup.ui.site import Site
from gitbackup.ui.views.badges import badges_of
from gitbackup.ui.views.differences.asked import Asked, number_in
from gitbackup.ui.views.differences.pairs import repository_of
from gitbackup.ui.words.language import Language, later

TOLD_ELSEWHERE = {
    *("Added", "Alarm", "Changed", "Consistency", "Format", "Keys", "Removed", "Server"),
    *("Taken-At",),
}
"""Trailers that a page says in plain words."""


class Fact(NamedTuple):
    """What a commit says of itself: its title, and a text."""

    title: str
    text: str


def page(site: Site, request: Request) -> Response:
    """Return the page of a commit."""
    backup = site.backup()
    repository = repository_of(backup)
    info = repository.commit_info(backup.resolve(request.path_params["id"]))
    parent = _parent(info, request)
    asked = Asked.of(request).by(a=parent, b=info.id)
    language = site.language(request)
    return site.page(
        request,
        "commit.html",
        info=info,
        message=reason(info),
        facts=[*_facts(info, language)],
        others={name: text for name, text in info.trailers.items() if name not in TOLD_ELSEWHERE},
        alarm=alarm_in(info.trailers),
        badges=badges_of(language, backup, repository.head() or "").of(info),
        parents=[repository.commit_info(each) for each in info.parents],
        parent=parent,
        child=_child(repository, info.id),
        asked=asked,
        view=looked_at(site, request, backup, asked),
        path=f"/commit/{info.id}",
        clear=f"/commit/{info.id}",
        command=site.pasted(f"gitbackup show {info.short_id}"),
    )


def _parent(info: CommitInfo, request: Request) -> str:
    """Return the parent that the reader chose to compare with, by its number from 1 on."""
    number = number_in(request.query_params.get("parent", "1"), "parent")
    if not info.parents:
        return EMPTY_TREE
    return info.parents[min(max(number, 1), len(info.parents)) - 1]


def _child(repository: Repository, commit: str) -> str:
    """Return a commit of HEAD's history that came after this one; empty if there is none."""
    later_ones = repository.history.records(Selection((f"{commit}..HEAD",)))
    return next((record.id for record in later_ones if commit in record.parents), "")


def _facts(info: CommitInfo, language: Language) -> Iterator[Fact]:
    """Yield what the trailers of a commit of ours say, in plain words."""
    told = info.trailers
    yield Fact(language.say("Author"), info.author)
    if server := told.get("Server"):
        yield Fact(language.say("Server"), language.server(server))
    if counts := _counts(told.get("Keys", "")):
        total = language.number(sum(counts.values()))
        each = ", ".join(f"{place} {language.number(count)}" for place, count in counts.items())
        yield Fact(language.say("Keys"), f"{total} ({each})" if len(counts) > 1 else total)
    if consistency := told.get("Consistency"):
        at_once = consistency == POINT_IN_TIME
        text = later("all of one point in time") if at_once else later("each key at its own moment")
        said = language.say(text)
        if rest := [] if at_once else consistency.split(", ")[1:]:
            told_too = language.say(", ").join(map(language.told, rest))
            said = language.say("%(said)s (%(rest)s)", said=said, rest=told_too)
        yield Fact(language.say("Consistency"), said)


def _counts(told: str) -> dict[str, int]:
    """Return how many keys each database has, by a trailer such as `db0=1164 db3=2`."""
    parts = (word.partition("=") for word in told.split())
    return {place: int(count) for place, _, count in parts if count.isascii() and count.isdigit()}
