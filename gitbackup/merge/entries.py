"""Merge three versions of an entry, part by part."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Any, NamedTuple

from gitbackup.format.exact import same
from gitbackup.kinds import is_opaque, kind_of
from gitbackup.kinds.base import MergePart, MergeParts
from gitbackup.merge import documents
from gitbackup.merge.lists import merge_lists
from gitbackup.model.changes import ABSENT, Part
from gitbackup.model.keys import Entry
from gitbackup.model.merging import Clash, MergeRule, Side, Versions

LARGEST = {Part.SCORE: 2**53 - 1}
"""Up to where whole numbers of a part are exact; of any other up to 2^63 - 1."""

INTEGER = re.compile(r"0|-?[1-9][0-9]{0,18}")
UNCOUNTED = (Part.EXPIRY, Part.FIELD_EXPIRY, Part.STREAM_ENTRY, Part.STREAM_STATE)
"""Parts whose numbers are no counters."""

SEVERAL = "the items from here on"
LISTS_DIFFER = "the lists differ too much to be merged"
WRITTEN_OTHERWISE = "JSON in a style that is not known"

UNDECIDED = object()
"""Returned by `agreed` if all three versions differ."""

Path = tuple[str | int, ...]


class Merged(NamedTuple):
    """The merged entry, None for none, and what of it could not be merged."""

    entry: Entry | None
    clashes: Sequence[Clash]


def merge_entries(
    before: Entry | None, after: Entry | None, now: Entry | None, rule: MergeRule
) -> Merged:
    """Return `now` without what changed from `before` to `after`.

    A part that cannot be merged is as the rule's side has it, or, if that is None, as it is now;
    then it is among the clashes.
    """
    versions = Versions(*(ABSENT if each is None else each for each in (before, after, now)))
    merged, merger = agreed(versions), _Merger(rule)
    if merged is UNDECIDED:
        try:
            merged = merger.entry(versions)
        except RecursionError:  # a document of very many levels
            merger = _Merger(rule)
            merged = merger.whole(versions)
    return Merged(None if merged is ABSENT else merged, merger.clashes)


def agreed(versions: Versions) -> Any:
    """Return the version that is left if two of the three are the same; UNDECIDED if none are."""
    before, after, now = versions
    if _same(after, now):
        return before
    return now if _same(before, after) or _same(before, now) else UNDECIDED


def _same(one: Any, other: Any) -> bool:
    if one is ABSENT or other is ABSENT:
        return one is other
    return same(one, other)


class _Merger(MergeParts):
    """Merges the parts of one key, and collects those that cannot be merged."""

    def __init__(self, rule: MergeRule) -> None:
        self.clashes: list[Clash] = []
        self._rule = rule

    def entry(self, versions: Versions) -> Any:
        """Return the merged entry."""
        found = [each for each in versions if each is not ABSENT]
        if len({(each["type"], is_opaque(each)) for each in found}) > 1:
            return self.whole(versions)
        kind = kind_of(found[0])
        value = kind.merge(versions.each(lambda entry: entry["value"]), self)
        if value is ABSENT:
            return ABSENT
        merged: Entry = {"type": kind.name, "value": value}
        if kind.fields_expire:
            due = {field: self._field_expiry(versions, field) for field in value}
            if expiries := {field: moment for field, moment in due.items() if moment is not None}:
                merged["field_expires_at"] = expiries
        return self._with_expiry(merged, versions)

    def whole(self, versions: Versions) -> Any:
        """Return the entry merged as a whole, but for its expiry."""
        types = versions.each(lambda entry: entry["type"], "none")
        found = self.leaf(Part.TYPE, "", versions.each(_timeless), note=" -> ".join(types))
        if found is ABSENT:
            return ABSENT
        merged: Entry = found.copy()
        return self._with_expiry(merged, versions)

    def leaf(
        self, part: Part, name: str, versions: Versions, path: Path = (), note: str = ""
    ) -> Any:
        decided = agreed(versions)
        if decided is UNDECIDED and self._rule.counters and part not in UNCOUNTED:
            decided = _counted(part, versions)
        if decided is not UNDECIDED:
            return decided
        if self._rule.side is None:
            told = versions.each(documents.told)
            self.clashes.append(Clash(part, name, path, told, note))
        return versions.before if self._rule.side is Side.THEIRS else versions.now

    def text(self, part: Part, name: str, versions: Versions) -> Any:
        decided = agreed(versions)
        if decided is not UNDECIDED:
            return decided
        read = documents.read_all(versions)
        if read is None:
            return self.leaf(part, name, versions)
        clashes = len(self.clashes)
        style = documents.style_of(versions.now, read.now)
        text = style.written(self.document(part, name, read)) if style else None
        if text is not None:
            return text
        del self.clashes[clashes:]
        return self.leaf(part, name, versions, note=WRITTEN_OTHERWISE)

    def named(self, part: Part, versions: Versions, each: MergePart) -> dict[str, Any]:
        versions = versions.each(lambda parts: parts, {})
        parts = ((name, each(part, name, versions.of(name))) for name in _names(versions))
        return {name: merged for name, merged in parts if merged is not ABSENT}

    def items(self, part: Part, versions: Versions) -> Any:
        lists = versions.each(list, [])
        merged = merge_lists(
            lists,
            lists,
            lambda at, items: self.text(part, str(at), items),
            lambda at, runs: self.leaf(part, str(at), runs, note=SEVERAL),
        )
        if merged is None:
            return self.leaf(Part.VALUE, "", versions, note=LISTS_DIFFER)
        return merged

    def document(self, part: Part, name: str, versions: Versions, path: Path = ()) -> Any:
        decided = agreed(versions)
        if decided is not UNDECIDED:
            return decided
        if all(isinstance(version, dict) for version in versions):
            return self.named(
                part,
                versions,
                lambda part, step, inner: self.document(part, name, inner, (*path, step)),
            )
        if not all(isinstance(version, list) for version in versions):
            return self.leaf(part, name, versions, path)
        merged = merge_lists(
            versions,
            Versions(*([*map(documents.key_of, version)] for version in versions)),
            lambda at, items: self.document(part, name, items, (*path, at)),
            lambda at, runs: self.leaf(part, name, runs, (*path, at), SEVERAL),
        )
        if merged is None:
            return self.leaf(part, name, versions, path, LISTS_DIFFER)
        return merged

    def _with_expiry(self, merged: Entry, versions: Versions) -> Entry:
        due = versions.each(lambda entry: entry.get("expires_at"))
        moment = self._expiry(Part.EXPIRY, "", due)
        if moment is not None:
            merged["expires_at"] = moment
        return merged

    def _field_expiry(self, versions: Versions, field: str) -> Any:
        def due(entry: Entry) -> Any:
            if field not in entry["value"]:
                return ABSENT
            return entry.get("field_expires_at", {}).get(field)

        return self._expiry(Part.FIELD_EXPIRY, field, versions.each(due))

    def _expiry(self, part: Part, name: str, due: Versions) -> Any:
        """Merge an expiry of what is in the result; None is none. That of what does not exist is
        no version of it."""
        if due.before is ABSENT or due.now is ABSENT:
            return due.before if due.now is ABSENT else due.now
        return self.leaf(part, name, due)


def _names(versions: Versions) -> dict[str, Any]:
    """Return the names of the parts that the result may have, in order."""
    return {**versions.now, **versions.before}


def _timeless(entry: Entry) -> dict[str, Any]:
    return {name: part for name, part in entry.items() if name != "expires_at"}


def _counted(part: Part, versions: Versions) -> Any:
    """Return `now` less what was added from `before` to `after`, in the same form; UNDECIDED if
    these are not whole numbers, or the result is too large. A counter begins at 0."""
    before, after = (0 if each is ABSENT else _whole(each) for each in versions[:2])
    now = _whole(versions.now)
    if before is None or after is None or now is None:
        return UNDECIDED
    count = now - (after - before)
    if abs(count) > LARGEST.get(part, 2**63 - 1):
        return UNDECIDED
    return documents.number_like(versions.now, count)


def _whole(version: Any) -> int | None:
    """Return the whole number that a version is; None for anything else."""
    digits = version.digits if isinstance(version, documents.Literal) else version
    if isinstance(digits, str):
        return int(digits) if INTEGER.fullmatch(digits) else None
    return digits if type(digits) is int else None
