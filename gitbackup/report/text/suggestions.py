"""What `suggest` proposes, as lines for a person."""

from __future__ import annotations

import shlex
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING

from gitbackup.format.names import escape
from gitbackup.model.amounts import counted
from gitbackup.report.style import Style, fit, pad, paint, width
from gitbackup.report.values.value_preview import TELLING

if TYPE_CHECKING:  # to print a result, nothing that makes another is loaded
    from gitbackup.compare.suggest import Evidence, Kept, Suggestion, Suggestions

LONGEST = 48
"""Columns of a pattern."""

KEPT = 12
"""Lines of keys to keep in sight, unless all are asked for."""

TITLES = {
    "quiet": "quiet: committed and restored, but not shown",
    "exclude": "exclude: not committed; the keys are gone within the hour",
}
KEEP = "keep in sight: what people change, and what rarely changes"

FIELDS = 4
"""Names of fields that are shown."""


def suggestion_lines(found: Suggestions, repo: str, full: bool, asks: bool) -> Iterator[str]:
    """Yield what is proposed, what must stay in sight, and the commands that set it.

    `repo` are the words that name the repository to a command; with `asks`, a question follows.
    """
    yield _looked_at(found)
    wide = _columns([*found.found, *(found.keep if full else found.keep[:KEPT])])
    for setting, title in TITLES.items():
        some = [each for each in found.found if each.setting == setting]
        if some:
            yield paint(Style.GROUP, title)
            yield from (f"  {_pattern(each, wide)}  {_silenced(each, found)}" for each in some)
    if not found.found:
        yield _nothing(found)
    if found.keep:
        yield paint(Style.GROUP, KEEP)
        shown = found.keep if full else found.keep[:KEPT]
        yield from (f"  {_pattern(each, wide)}  {_reason(each, found)}" for each in shown)
        if len(shown) < len(found.keep):
            yield f"  and {len(found.keep) - len(shown):,} more (--full lists them)"
    for each in found.keep:
        if each.hidden:
            yield f"a setting hides such keys now ({_quoted(each.pattern)}): gitbackup config list"
    if found.found and not asks:
        first = found.found[0]
        yield f"to set them: gitbackup suggest --apply{repo}"
        yield f"or one: gitbackup config add {first.setting} {_quoted(first.pattern)}{repo}"


def apply_lines(found: Suggestions, repo: str) -> Iterator[str]:
    """Yield what was set, and the commands that take it back."""
    yield f"added {counted(len(found.found), 'setting')}; to take them back:"
    for each in found.found:
        yield f"  gitbackup config remove {each.setting} {_quoted(each.pattern)}{repo}"


def _looked_at(found: Suggestions) -> str:
    commits = "commit" if found.commits == 1 else counted(found.commits, "commit")
    since = " and the live database" if found.since else ""
    changes = counted(found.changes, "changed key")
    return f"the last {commits}{since}: {changes}, in {found.states:,} of them"


def _nothing(found: Suggestions) -> str:
    if found.hidden:
        hidden = f"{found.hidden:,} of {counted(found.changes, 'change')}"
        return f"nothing more to silence: the settings hide {hidden} already"
    if found.changes:
        return "nothing to silence: no keys change so often that they hide the others"
    return "nothing to go by yet: commit for a while (gitbackup watch), then ask again"


def _silenced(each: Suggestion, found: Suggestions) -> str:
    """Return what a pattern silences."""
    natures = ", ".join(nature.value for nature in each.natures)
    return f"{_changes(each, found)}; {counted(each.keys, 'key')}: {natures}"


def _reason(kept: Kept, found: Suggestions) -> str:
    """Return why keys must stay in sight."""
    reasons = []
    if kept.by_hand:
        subject = fit(escape(kept.by_hand.subject), LONGEST)
        reasons.append(f'changed by hand ({kept.by_hand.short_id} "{subject}")')
    reasons.append(_changes(kept, found) if kept.counts else "did not change")
    natures = [nature.value for nature in kept.natures]
    if kept.fields:
        fields = ", ".join(fit(escape(name), LONGEST) for name in _telling(kept.fields)[:FIELDS])
        natures = [f"{nature} ({fields})" if nature == "text" else nature for nature in natures]
    return f"{'; '.join(reasons)}: {', '.join(natures)}" if natures else "; ".join(reasons)


def _telling(fields: Sequence[str]) -> list[str]:
    """Return names of fields, those that tell most first."""
    last = len(TELLING)
    ranks = {name: TELLING.index(name) if name in TELLING else last for name in fields}
    return sorted(fields, key=ranks.__getitem__)


def _changes(each: Evidence, found: Suggestions) -> str:
    """Return how often keys changed."""
    count = each.counts.total
    return (
        f"{count:,} of {counted(found.changes, 'change')}, in {each.commits:,} of {found.states:,}"
    )


def _columns(rows: Sequence[Evidence]) -> int:
    return min(LONGEST, max((width(escape(row.pattern)) for row in rows), default=0))


def _pattern(each: Evidence, wide: int) -> str:
    return pad(fit(escape(each.pattern), LONGEST), wide)


def _quoted(pattern: str) -> str:
    """Return a pattern as a shell takes it."""
    return escape(shlex.quote(pattern))
