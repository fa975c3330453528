"""Is the data safe: what `gitbackup check` says, and what there is to do."""

from __future__ import annotations

import re
import shlex
from collections import Counter
from collections.abc import Iterator, Sequence
from datetime import timedelta
from functools import partial
from itertools import islice
from typing import NamedTuple

from starlette.requests import Request
from starlette.responses import HTMLResponse, Response

from gitbackup import Backup
from gitbackup.checks import backups, persistence, server
from gitbackup.checks.check import Checked
from gitbackup.errors import Damaged, ServerError
from gitbackup.model.commits import CommitInfo, Pushed
from gitbackup.model.safety.risk import Level, Risk
from gitbackup.ui.jobs.safeguards import WholeCheck
from gitbackup.ui.pages.jobs.result import VERDICTS
from gitbackup.ui.pages.jobs.safeguards import begun
from gitbackup.ui.pages.settings import done
from gitbackup.ui.site import Site
from gitbackup.ui.words.language import later

DAYS = (1, 7, 30)
"""How old the last commit, push, save and restore test may be, by choice."""

USUAL = 7

FAR = 1_000
"""Commits that are searched for those that were verified."""

VERIFIED = 10
"""Verified commits that are listed."""

LEVELS = {
    Level.BAD: later("bad"),
    Level.WARN: later("warn"),
    Level.UNKNOWN: later("unknown"),
    Level.OK: later("ok"),
}

DANGERS = {
    backups.BROKEN: later("If the history is damaged"),
    backups.DELETED: later("If keys were deleted by mistake"),
    backups.LOST: later("If this machine is lost"),
    backups.MISTAKE: later("If a mistake deletes data"),
    backups.NEEDED: later("If a backup is needed"),
    backups.READ: later("If others look at the files"),
    persistence.AWAY: later("If the folder does not last"),
    persistence.CRASH: later("If the server crashes"),
    persistence.FILES: later("If a data file is damaged"),
    persistence.GROWTH: later("If the append-only file grows"),
    persistence.LOADING: later("If the data read now is incomplete"),
    persistence.POWER: later("If the machine loses power"),
    persistence.SAVING: later("If saving fails"),
    server.GONE: later("If the server is down"),
    server.MEMORY: later("If memory runs full"),
    server.STRANGER: later("If a stranger connects"),
}
"""What can happen, as a check says it, and as a page does."""

ACCEPT = re.compile(r"gitbackup config add (accept|accept-alarm) \S+")


class Step(NamedTuple):
    """A command that helps, and what a page offers to do instead of it: to `accept` a value of a
    setting, to `push` to a remote, to `verify` the last commit, or to go to a page."""

    command: str
    accept: tuple[str, str] | None = None
    push: str = ""
    verify: bool = False
    href: str = ""


def page(site: Site, request: Request) -> Response:
    """Return the verdicts of a quick check, or of a whole one once that is done."""
    days = _days(request)
    if "whole" in request.query_params:
        return begun(site, WholeCheck(site.backup, days, _command(days, whole=True)))
    known = site.jobs.find(request.query_params.get("job", ""))
    if isinstance(known, WholeCheck) and known.found:
        return _shown(site, request, known.found, known.days, whole=True)
    try:
        found = site.backup().check(timedelta(days=days), quick=True)
    except ServerError as error:
        return _shown(site, request, Checked("", ()), days, whole=False, trouble=str(error))
    if days == USUAL:
        site.verdict.keep(found, site.live.head())
    return _shown(site, request, found, days, whole=False)


def verdict(site: Site, request: Request) -> Response:
    """Return in a line how many risks there are, and the worst; nothing if the server is away."""
    try:
        found = site.verdict.of(site.backup(), site.live.head(), timedelta(days=USUAL))
    except ServerError:
        return HTMLResponse("")
    risks = [risk for risk in found.risks if risk.level is not Level.OK]
    counts = Counter(risk.level for risk in risks)
    return site.page(
        request, "verdict.html", counts=counts, risks=risks, levels=LEVELS, dangers=DANGERS
    )


def _shown(
    site: Site, request: Request, found: Checked, days: int, whole: bool, trouble: str = ""
) -> Response:
    """Return the page of what a check found; in `trouble` only what the repository tells."""
    backup = site.backup()
    remotes = _remotes(backup)
    counts = {level: sum(risk.level is level for risk in found.risks) for level in Level}
    return site.page(
        request,
        "check.html",
        status=502 if trouble else 200,
        trouble=trouble,
        server=found.server,
        risks=[risk for risk in found.risks if risk.level is not Level.OK],
        fine=[risk for risk in found.risks if risk.level is Level.OK],
        counts={level: count for level, count in counts.items() if count},
        steps=partial(_steps, [each.remote for each in remotes]),
        levels=LEVELS,
        verdicts=VERDICTS,
        dangers=DANGERS,
        days=days,
        choices=DAYS,
        whole=whole,
        command=_command(days, whole),
        done=done(site, request, backup) if backup.repository else None,
        remotes=remotes,
        verified=_verified(backup),
        head=backup.repository.head() if backup.repository else None,
    )


def _days(request: Request) -> int:
    told = request.query_params.get("days", "")
    return int(told) if told in map(str, DAYS) else USUAL


def _command(days: int, whole: bool) -> str:
    age = "" if days == USUAL else f" --max-age {days}d"
    return "gitbackup check" + ("" if whole else " --quick") + age


def _steps(remotes: Sequence[str], risk: Risk) -> Iterator[Step]:
    """Yield the commands of a risk."""
    for command in risk.commands:
        accept = ACCEPT.fullmatch(command)
        words = shlex.split(command)
        if accept:
            yield Step(command, accept=(accept[1], words[-1]))
        elif words[:2] == ["gitbackup", "push"] and words[-1] in remotes:
            yield Step(command, push=words[-1])
        else:
            href = "/" if command == "gitbackup commit" else ""
            yield Step(command, verify=command == "gitbackup verify", href=href)


def _remotes(backup: Backup) -> Sequence[Pushed]:
    return backup.pushed() if backup.repository and backup.repository.head() else []


def _verified(backup: Backup) -> Sequence[CommitInfo]:
    """Return the newest commits that were verified."""
    found = list[CommitInfo]()
    if backup.repository is None:
        return found
    try:
        for info in islice(backup.log(), FAR):
            if info.rehearsal:
                found.append(info)
            if len(found) == VERIFIED:
                break
    except Damaged:  # the check says so
        pass
    return found
