"""What is known of a commit besides its changes, in a word each."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import NamedTuple

from gitbackup import Backup
from gitbackup.commit.message import PER_KEY, POINT_IN_TIME
from gitbackup.model.commits import CommitInfo, Pushed, Selection, Verdict
from gitbackup.model.safety.alarm import alarm_in
from gitbackup.plan.plan_json import ID
from gitbackup.restore import trailers
from gitbackup.ui.words.language import Language, later


class Badge(NamedTuple):
    """A word on a commit. `kind` is as for `badge` of parts.html, `title` says more, and `href`
    leads to another commit; both may be empty."""

    text: str
    kind: str = ""
    title: str = ""
    href: str = ""


VERDICTS = {
    Verdict.PASSED: (later("restore-tested"), "good"),
    Verdict.PARTLY: (later("restore-tested in part"), "warn"),
    Verdict.FAILED: (later("restore test failed"), "bad"),
}

OTHERS = {
    trailers.DONE: later("restore of %(commit)s"),
    trailers.BEGUN: later("before restore of %(commit)s"),
    trailers.REVERTED: later("revert of %(commit)s"),
    trailers.REVERTING: later("before revert of %(commit)s"),
    trailers.UNDOES: later("undo of %(commit)s"),
}
"""Trailers that name another commit, and what each says."""

NAMED, MOST = 6, 100
"""Branches and tags of a commit that are shown, and those that can be read at all."""

UNPUSHED = 1_000
"""Commits that are marked as not pushed, at most."""


class Badges:
    """The badges of commits, in a language.

    `refs` has the names of branches and tags by commit, `pushed` what remotes have, and `unpushed`
    the commits that a remote lacks, by its name.
    """

    def __init__(
        self,
        language: Language,
        refs: Mapping[str, Sequence[str]],
        pushed: Sequence[Pushed],
        unpushed: Mapping[str, frozenset[str]],
    ) -> None:
        self._language = language
        self._refs = refs
        self._pushed = pushed
        self._unpushed = unpushed

    def of(self, info: CommitInfo) -> list[Badge]:
        """Return the badges of a commit, what matters most first."""
        return [*self._alarm(info), *self._names(info), *self._kin(info), *self._proof(info)]

    def _alarm(self, info: CommitInfo) -> Iterator[Badge]:
        if alarm := alarm_in(info.trailers):
            say, number = self._language.say, self._language.number
            told = {"removed": number(alarm.removed), "all": number(alarm.of)}
            yield Badge(say("alarm: removed %(removed)s of %(all)s keys", **told), "bad")

    def _names(self, info: CommitInfo) -> Iterator[Badge]:
        names = self._refs.get(info.id, ())
        yield from (Badge(name, "ref") for name in names[:NAMED])
        if left := names[NAMED:]:
            yield Badge(f"+{self._language.number(len(left))}", "ref", ", ".join(left[:MOST]))
        for remote in self._pushed:
            say, name = self._language.say, remote.remote
            if remote.commit == info.id:
                since = self._language.age(remote.when) if remote.when else ""
                yield Badge(say("pushed to %(remote)s", remote=name), "good", since)
            elif info.id in self._unpushed.get(name, ()):
                yield Badge(say("not pushed to %(remote)s", remote=name), "plain")

    def _kin(self, info: CommitInfo) -> Iterator[Badge]:
        for trailer, text in OTHERS.items():
            other = info.trailers.get(trailer, "")
            if ID.fullmatch(other):
                said = self._language.say(text, commit=other[:7])
                is_there = info.subject.startswith(said)  # for every reader to see
                yield Badge(f"→ {other[:7]}" if is_there else said, "kin", href=f"/commit/{other}")

    def _proof(self, info: CommitInfo) -> Iterator[Badge]:
        say = self._language.say
        if found := info.rehearsal:
            text, kind = VERDICTS[found.verdict]
            title = f"{self._language.age(found.at)}, {found.server}"
            if found.problem:
                why = self._language.told(found.problem)
                title = say("%(when)s: %(why)s", when=title, why=why)
            yield Badge(say(text), kind, title)
        consistency = info.trailers.get("Consistency", "")
        if consistency == POINT_IN_TIME:
            yield Badge(say("point in time"), "plain", title=say("All of it is from one moment."))
        elif consistency.startswith(PER_KEY):
            written = {trailers.DONE, trailers.REVERTED} & info.trailers.keys()
            kind = "plain" if written else "warn"
            if written:
                why = say("It was written key by key, and read so, too.")
            else:
                said = say("each key was read at a moment of its own")
                more = map(self._language.told, consistency.split(", ")[1:])
                why = say(", ").join([said, *more])
            yield Badge(say("not one point in time"), kind, why)
        if info.counts is None:
            yield Badge(say("made with plain git"))


def badges_of(language: Language, backup: Backup, head: str) -> Badges:
    """Return the badges of the commits of a backup; `head` is the one that HEAD is."""
    refs: dict[str, list[str]] = {head: ["HEAD"]}
    for ref in backup.repository.names() if backup.repository else ():
        refs.setdefault(ref.commit, []).append(ref.name)
    pushed = backup.pushed()
    unpushed = {each.remote: frozenset(_unpushed(backup, each)) for each in pushed}
    return Badges(language, refs, pushed, unpushed)


def _unpushed(backup: Backup, remote: Pushed) -> Iterator[str]:
    """Yield the commits of HEAD that a remote lacks; not more than a reader would look at."""
    since = f"{remote.commit}..HEAD" if remote.commit else "HEAD"
    if remote.missing:
        yield from (info.id for info in backup.log(Selection((since,), UNPUSHED)))
