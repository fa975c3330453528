"""Search by key and by value, over a commit or the history, a page and a few seconds at a time."""

from __future__ import annotations

import re
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import NamedTuple, Self
from urllib.parse import urlencode

from starlette.requests import Request
from starlette.responses import Response

from gitbackup import Backup
from gitbackup.errors import UsageError
from gitbackup.format import codec
from gitbackup.history import growth, search
from gitbackup.history.entry import files, lines
from gitbackup.history.growth import Amount
from gitbackup.history.key_log import CommitChanges
from gitbackup.history.lookup import FoundEntry
from gitbackup.history.selector import KeySelector, entry_of
from gitbackup.kinds import KINDS
from gitbackup.model.changes import Counts
from gitbackup.model.commits import KeyLine
from gitbackup.model.keys import Entry, Key, Space, db_of
from gitbackup.plan.chosen import literal
from gitbackup.redact import Redaction
from gitbackup.report.words import Words
from gitbackup.store.objects.trees import EMPTY_TREE
from gitbackup.ui.site import Site
from gitbackup.ui.views.differences.asked import LONGEST, Asked, number_in
from gitbackup.ui.views.differences.groups import Filter
from gitbackup.ui.views.differences.pairs import repository_of
from gitbackup.ui.views.differences.shown import ShownKey, shown, texts
from gitbackup.ui.views.entries import labels_of, redaction_of
from gitbackup.ui.views.value import expiry, with_lines
from gitbackup.ui.views.walk import ends_of, walked
from gitbackup.ui.words.commands import quoted

FOUND = 50
"""Keys, or commits, on one page."""

PATIENCE = 2.0
"""Seconds for one page of the keys of a commit."""

KEYS = 20
"""Keys of one commit that are shown."""

MOST_KEYS = 200
"""Keys of one commit that are looked for; there may be more."""

COUNTED = 50_000
"""Keys of a commit that are counted by prefix unasked: that reads all of them."""

AROUND = 60
"""Characters shown before and after what was found."""

KEY, VALUE, WHEN = "key", "value", "when"
COMMIT, HISTORY = "commit", "history"


@dataclass(frozen=True)
class Query:
    """What is looked for, as the form says it.

    `by` is `key`, `value` or `when`, and `over` is `commit` or `history`. `at` is a revision. From
    the file `start` a commit goes on, of which `skip` keys were shown; from `ends` a history does.
    `bare` is 1 for keys of a commit without a prefix.
    """

    q: str = ""
    by: str = KEY
    over: str = COMMIT
    at: str = "HEAD"
    db: str = ""
    type: str = ""
    start: str = ""
    skip: int = 0
    ends: str = ""
    bare: str = ""

    @classmethod
    def of(cls, request: Request) -> Self:
        """Return what a request asks for. Raises UsageError for what no form of ours asks."""
        told = request.query_params
        by = told.get("by", KEY)
        return cls(
            told.get("q", "")[:LONGEST],
            by if by in (VALUE, WHEN) else KEY,
            HISTORY if told.get("over") == HISTORY or by == WHEN else COMMIT,
            told.get("at") or "HEAD",
            str(number_in(told["db"], "db")) if told.get("db", "").strip() else "",
            told.get("type", ""),
            told.get("start", ""),
            max(number_in(told.get("skip", "0"), "skip"), 0),
            told.get("ends", ""),
            "1" if told.get("bare") == "1" else "",
        )

    @property
    def asks(self) -> bool:
        """Whether anything is looked for: without words, the keys of a commit are."""
        return bool(self.q.strip()) or (self.by == KEY and self.over == COMMIT)

    @property
    def glob(self) -> str:
        """The glob that the names of keys match, which are looked for."""
        return Filter(self.q.strip()).glob

    @property
    def databases(self) -> Sequence[int] | None:
        return [int(self.db)] if self.db else None

    @property
    def href(self) -> str:
        """The address of this search."""
        usual = Query()
        told = {name: value for name, value in vars(self).items() if value != getattr(usual, name)}
        return f"/search?{urlencode(told, errors='surrogatepass')}"

    @property
    def everywhere(self) -> Query:
        """The same search in the history."""
        return replace(self, over=HISTORY, start="", skip=0)

    def command(self) -> str:
        """Return the command that finds the same; for a value, always in the history. It is empty
        where there is none."""
        if self.bare:
            return ""
        db = f" --db {self.db}" if self.db else ""
        if self.by == WHEN:
            return f"gitbackup log{db} --when {quoted(self.q)} {quoted(self.at)}"
        if self.by == VALUE:
            return f"gitbackup log{db} -S {quoted(self.q)} {quoted(self.at)}"
        keys = f" -- {quoted(self.glob)}" if self.q.strip() else ""
        verb = "log" if self.over == HISTORY else "keys"
        return f"gitbackup {verb}{db} {quoted(self.at)}{keys}"


class Excerpt(NamedTuple):
    """Where a text was found: what stands before it, itself, and what comes after."""

    before: str
    found: str
    after: str


class FoundKey(NamedTuple):
    """A key of a commit, where in its value the text is, and when it expires, as text where no
    clock goes so far."""

    line: KeyLine
    excerpt: Excerpt | None
    expires: datetime | str | None


class Branch(NamedTuple):
    """The keys of a commit under one prefix, and the address of their list."""

    space: Space
    amount: Amount
    href: str

    @property
    def length(self) -> Counts:
        """How many keys it has, as a bar takes it."""
        return Counts(changed=self.amount.keys)


class FoundCommit(NamedTuple):
    """A commit, the first keys that it changed so, and how many more at least."""

    found: CommitChanges
    keys: Sequence[ShownKey]
    more: int


class Results(NamedTuple):
    """A page of what was found, how much was looked at for it, and the search that goes on.

    `looked` is a part of the commit, from 0 to 1, or the number of commits. `full` tells that the
    page has as much as it holds, so that no reader waits for more.
    """

    keys: Sequence[FoundKey] = ()
    commits: Sequence[FoundCommit] = ()
    looked: float = 0
    more: Query | None = None
    full: bool = False


def page(site: Site, request: Request) -> Response:
    """Return the form, and what was found."""
    backup, problem, results, commit = site.backup(), "", None, ""
    query = Query(request.query_params.get("q", "")[:LONGEST])
    try:
        query = Query.of(request)
        commit = backup.resolve(query.at)
        if query.asks:
            results = _results(backup, query, commit, site.language(request))
    except UsageError as error:
        problem = str(error)
    return site.page(
        request,
        "search.html",
        status=400 if problem else 200,
        query=query,
        problem=problem,
        results=results,
        commit=commit,
        types=sorted(KINDS),
        command=site.pasted(query.command()) if query.command() else "",
        few=bool(commit) and _is_small(backup, commit),
    )


def prefixes(site: Site, request: Request) -> Response:
    """Return the prefixes of a commit's keys, those with the most keys first."""
    backup = site.backup()
    commit = backup.resolve(request.query_params.get("at") or "HEAD")
    found = growth.amounts(repository_of(backup), commit, site.tallies)
    ranked = sorted(found.items(), key=lambda item: (-item[1].keys, item[0]))
    return site.page(
        request,
        "search_prefixes.html",
        branches=[Branch(space, amount, _list_of(commit, space)) for space, amount in ranked],
        info=repository_of(backup).commit_info(commit),
    )


def _list_of(commit: str, space: Space) -> str:
    """Return the address of the keys of a commit under a prefix."""
    query, number = Query(at=commit), db_of(space.place)
    if space.name:
        query = replace(query, q=f"{literal(space.name)}*")
    elif number >= 0:
        query = replace(query, bare="1")
    return replace(query, db=str(number)).href


def _is_small(backup: Backup, commit: str) -> bool:
    """Return whether the keys of a commit are counted by prefix unasked."""
    told = repository_of(backup).commit_info(commit).trailers.get("Keys", "")
    return sum(int(count) for count in re.findall("=([0-9]+)", told)) <= COUNTED


def _results(backup: Backup, query: Query, commit: str, words: Words) -> Results:
    query = replace(query, at=commit)
    if query.over == HISTORY:
        return _in_history(backup, query, commit, words)
    return _in_commit(backup, query, commit, words)


def _in_commit(backup: Backup, query: Query, commit: str, words: Words) -> Results:
    """Look through the files of a commit until a page is full, or time is up."""
    repository, redaction = repository_of(backup), redaction_of(backup)
    patterns = [query.glob] if query.by == KEY and query.q.strip() else []
    selector = KeySelector(patterns, query.databases)
    text = query.q if query.by == VALUE else ""
    stored = search.as_stored(text).lower() if text else b""
    look = _Look(selector, stored, query.type, bool(query.bare))
    until, found, skip = time.monotonic() + PATIENCE, list[tuple[Key, Entry]](), query.skip
    more, excerpts = None, dict[Key, Excerpt]()
    paths, first = sorted(repository.files(commit)), ""
    for path, content, canonical in files(repository, commit, selector, query.start):
        if first and (len(found) >= FOUND or time.monotonic() > until):
            more = replace(query, start=path, skip=0)
            break
        first, hits = first or path, []
        for key, entry in look.into(path, content, canonical):
            masked = redaction.entry(key, entry)
            excerpt = _excerpt(masked, text) if text else None
            if not text or excerpt:
                hits.append((key, entry))
                if excerpt:
                    excerpts[key] = excerpt
        room = FOUND - len(found)
        found += hits[skip : skip + room]
        if len(hits) > skip + room:
            more = replace(query, start=path, skip=skip + room)
            break
        skip = 0
    told = [
        FoundKey(line, excerpts.get(line.key), expiry(line.expires_at, words))
        for line in lines(found, labels_of(backup), redaction)
    ]
    done = _share(paths, more.start) if more else 1.0
    return Results(told, looked=done, more=more, full=len(found) >= FOUND)


def _share(paths: Sequence[str], path: str) -> float:
    """Return which part of some sorted paths come before one."""
    return sum(each < path for each in paths) / max(len(paths), 1)


class _Look:
    """Finds entries in the files of a commit: by name, by type, by a text as it is stored, or
    `bare` ones, without a prefix."""

    def __init__(self, selector: KeySelector, text: bytes, type_: str, bare: bool) -> None:
        self._selector, self._text, self._type, self._bare = selector, text, type_, bare

    def into(self, path: str, content: bytes, canonical: bool) -> Iterator[tuple[Key, Entry]]:
        """Yield the entries of a file that may be what is looked for."""
        if self._text and canonical and self._text not in content.lower():
            return
        picked = (self._selector.pick if canonical else self._selector.read)(path, content)
        for key, each in sorted(picked.items()):
            if self._bare and key.prefix:
                continue
            if isinstance(each, bytes) and self._text and self._text not in each.lower():
                continue
            entry = entry_of(path, key, each)
            if not self._type or entry["type"] == self._type:
                yield key, entry


def _excerpt(entry: Entry, text: str) -> Excerpt | None:
    """Return where an entry has a text, in small letters or large ones; None if nowhere."""
    wanted = text.casefold()
    for each in texts([entry["value"]]):
        folded = each.casefold()
        at = folded.find(wanted) if len(folded) == len(each) else each.find(text)
        if at >= 0:
            end = at + len(text)
            cut = "…" if at > AROUND else ""
            before, after = each[max(at - AROUND, 0) : at], each[end : end + AROUND]
            rest = "…" if len(each) > end + AROUND else ""
            return Excerpt(
                cut + with_lines(before), with_lines(each[at:end]), with_lines(after) + rest
            )
    return None


def _in_history(backup: Backup, query: Query, commit: str, words: Words) -> Results:
    """Look back through the commits until a page is full, or time is up."""
    repository, redaction = repository_of(backup), redaction_of(backup)
    wanted: search.Wanted = search.every_change
    selector, text = KeySelector([query.glob], query.databases), None
    if query.by == VALUE:
        wanted, text = search.comes_or_goes(query.q), search.as_stored(query.q)
        selector = KeySelector([], query.databases)
    elif query.by == WHEN:
        sought = search.condition(query.q)
        wanted = sought.becomes_true
        selector = KeySelector.key(codec.data(sought.key), query.databases)
    seen = _Seen(wanted, redaction if query.by != KEY else Redaction(), query.type)
    ends = ends_of(query.ends) or [commit]

    def show(found: CommitChanges) -> FoundCommit:
        return _commit(backup, found, seen.left.get(found.info.id, 0), words)

    part = walked(repository, selector, redaction, ends, FOUND, show, seen, text, seen.begin)
    more = replace(query, ends=",".join(part.ends)) if part.ends else None
    full = len(part.found) >= FOUND
    return Results(commits=part.found, looked=part.looked, more=more, full=full)


class _Seen:
    """Wants what is wanted of what a reader may see, and so many keys of one commit at most.

    `left` counts those beyond, by commit.
    """

    def __init__(self, wanted: search.Wanted, redaction: Redaction, type_: str) -> None:
        self._wanted, self._redaction, self._type = wanted, redaction, type_
        self._found, self._commit = 0, ""
        self.left = dict[str, int]()

    def begin(self, commit: str) -> None:
        """Say which commit is looked at from here on."""
        self._commit, self._found = commit, 0

    def __call__(self, old: FoundEntry | None, new: FoundEntry | None) -> bool:
        either = new or old
        if self._type and either and either.entry["type"] != self._type:
            return False
        if not self._wanted(old, new) or (self._redaction and not self._is_visible(old, new)):
            return False
        self._found += 1
        if self._found > MOST_KEYS:
            self.left[self._commit] = self._found - MOST_KEYS
            return False
        return True

    def _is_visible(self, old: FoundEntry | None, new: FoundEntry | None) -> bool:
        before, after = (each and each.masked(self._redaction) for each in (old, new))
        return self._wanted(before, after)


def _commit(backup: Backup, found: CommitChanges, left: int, words: Words) -> FoundCommit:
    parent = found.info.parents[0] if found.info.parents else EMPTY_TREE
    asked = Asked(parent, found.info.id)
    keys = [*shown(found.keys[:KEYS], labels_of(backup), asked, words)]
    return FoundCommit(replace(found, keys=()), keys, len(found.keys) - len(keys) + left)
