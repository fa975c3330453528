"""What a page of differences is asked for: every view of two sides has a URL of its own."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Any, Self
from urllib.parse import urlencode

from starlette.requests import Request

from gitbackup.errors import UsageError
from gitbackup.model.changes import Action
from gitbackup.ui.views.differences.groups import Filter, Group

LONGEST = 10_000
"""Characters of what is looked for."""


@dataclass(frozen=True, slots=True)
class Asked:
    """The query of a page that compares two sides.

    `a` and `b` are revisions; an empty `b` is the database, as it was read for `reading`. `space`
    is `db0/user:` for the keys of one group, from `start` on; `quiet` for its quiet ones. `name`
    and `db` are of one key, whose page this is.
    """

    a: str = "HEAD"
    b: str = ""
    key: str = ""
    text: str = ""
    actions: tuple[Action, ...] = tuple(Action)
    space: str | None = None
    quiet: bool = False
    start: int = 0
    db: int | None = None
    name: str = ""
    reading: str = ""

    @classmethod
    def of(cls, request: Request) -> Self:
        """Return what a request asks for. Raises UsageError for what no page of ours asks."""
        query = request.query_params
        chosen = query.getlist("action")
        return cls(
            a=query.get("a") or "HEAD",
            b=query.get("b", ""),
            key=query.get("key", "")[:LONGEST],
            text=query.get("text", "")[:LONGEST],
            actions=tuple(each for each in Action if not chosen or each.value in chosen),
            space=query.get("space"),
            quiet=query.get("quiet") == "1",
            start=max(number_in(query.get("start", "0"), "start"), 0),
            db=number_in(query.get("db", "0"), "db") if query.get("name") else None,
            name=query.get("name", ""),
            reading=query.get("reading", ""),
        )

    @property
    def filter(self) -> Filter:
        """Which keys are shown."""
        return Filter(self.key, self.text, self.actions)

    def by(self, **changes: Any) -> Asked:
        """Return what else a page may be asked for."""
        return replace(self, **changes)

    def of_group(self, group: Group, start: int = 0) -> Asked:
        """Return the query for the keys of one group, from one of them on."""
        place = f"{group.space.place}/{group.space.name}"
        return self.by(space=place, quiet=group.quiet, start=start, db=None, name="")

    def whole(self) -> Asked:
        """Return the query for all that differs."""
        return Asked(self.a, self.b, reading=self.reading)

    def href(self) -> str:
        """Return the URL of a page."""
        return f"/diff?{urlencode([*self._query()], errors='surrogatepass')}"

    def _query(self) -> Iterator[tuple[str, str | int]]:
        yield "a", self.a
        yield "b", self.b
        if self.name:
            yield "db", self.db or 0
        if self.actions != tuple(Action):
            yield from (("action", action.value) for action in self.actions)
        for each in ("name", "key", "text", "reading"):
            if value := getattr(self, each):
                yield each, value
        if self.space is not None:
            yield "space", self.space
        if self.quiet:
            yield "quiet", 1
        if self.start:
            yield "start", self.start


def number_in(text: str, what: str) -> int:
    """Return a number of a query. Raises UsageError for what is none, or has too many digits."""
    try:
        if len(text) <= 10:
            return int(text)
    except ValueError:
        pass
    raise UsageError(f"{what} is {text[:40]!r} in this address, which is not a number")
