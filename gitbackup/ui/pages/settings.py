"""The settings: what is in force, where each value comes from, and changing what a page may.

Settings that run commands, name files of this machine, say whom to trust, where a password goes, or
hold one, are shown only: whoever gets at a page must not get at the machine by it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import NamedTuple
from urllib.parse import urlencode

from starlette.requests import Request
from starlette.responses import RedirectResponse, Response

from gitbackup import Backup
from gitbackup.compare.key_shapes import Nature
from gitbackup.compare.suggest import Suggestion
from gitbackup.errors import NoRepository, UsageError
from gitbackup.model.safety.alarm import AlarmRule
from gitbackup.model.safety.risk import CHECKS
from gitbackup.model.server.access import NAMES as ACCESS
from gitbackup.settings import OFF, ON_COMMIT, SETTINGS, Config, InForce
from gitbackup.ui.jobs.suggest_now import SuggestNow
from gitbackup.ui.pages.jobs.safeguards import NO_REMOTE, begun
from gitbackup.ui.site import Site
from gitbackup.ui.words.commands import quoted
from gitbackup.ui.words.language import later

PATH = "/settings"
OWN = ("repository", "history")
"""Sources of the values that are the repository's own, which can be removed here."""

KEPT = 12
"""Suggestions of what to keep in sight that are listed."""

MANY = {each.name for each in SETTINGS if each.many}
TRAVELS = {each.name for each in SETTINGS if each.travels}

SOURCES = {
    "repository": later("this repository"),
    "history": later("copied with the history"),
    "user": later("your git config"),
    "system": later("the system's git config"),
    "environment": later("as this page was started"),
}

NATURES = {
    Nature.COUNTER: later("counters"),
    Nature.LOG: later("log entries"),
    Nature.EXPIRING: later("keys that expire"),
    Nature.RANKING: later("scores"),
    Nature.RECORD: later("text"),
}


class Row(NamedTuple):
    """A setting on the page: what it does, and how it is changed there.

    `example` is what a value looks like; `choices` are all there are, if not just any. A row that
    is not `changes` is only shown. `usual` is what holds if nothing is set.
    """

    name: str
    about: str
    example: str = ""
    choices: Sequence[str] = ()
    changes: bool = True
    usual: str = ""


class Group(NamedTuple):
    """Settings that belong together, under a title."""

    title: str
    rows: Sequence[Row]


GROUPS = (
    Group(
        later("What is committed"),
        (
            Row("exclude", later("Keys that match are not committed."), "session:*"),
            Row("include", later("Only keys that match are committed."), "user:*"),
        ),
    ),
    Group(
        later("What is shown"),
        (
            Row("quiet", later("Keys that match are committed, but only counted."), "stats:*"),
            Row("redact", later("Values of keys and fields that match are masked."), "*token*"),
            Row("label", later("Shows a part of keys that match beside them."), "user:*=name"),
        ),
    ),
    Group(
        later("Copies elsewhere"),
        (
            Row(
                "push", later("Whether each commit is pushed."), choices=(OFF, ON_COMMIT), usual=OFF
            ),
            Row("push-to", later("The remote to push to, if there are several.")),
            Row(
                "encrypt-to", later("The public keys that bundles are encrypted to."), changes=False
            ),
            Row("identity", later("The files with keys that open bundles."), changes=False),
        ),
    ),
    Group(
        later("Risks and alarms"),
        (
            Row("accept", later("The checks whose risks you live with."), choices=CHECKS),
            Row(
                "alarm-share",
                later("An alarm is raised if a commit removes a larger share of the keys."),
                example="30%",
                usual=f"{AlarmRule().share}%",
            ),
            Row(
                "alarm-keys",
                later("How many keys that has to be, at least."),
                example="100",
                usual=f"{AlarmRule().least}",
            ),
            Row("accept-alarm", later("Commits that were meant to remove so many."), "1f2e3d4"),
        ),
    ),
    Group(
        later("The server"),
        (
            Row("url", later("Where the server is."), changes=False),
            *(Row(name, later("As the option of that name."), changes=False) for name in ACCESS),
        ),
    ),
    Group(
        later("On this machine"),
        (
            Row("on-commit", later("What runs after each commit."), changes=False),
            Row("on-failure", later("What runs after each failure."), changes=False),
            Row("on-alarm", later("What runs after each alarm."), changes=False),
            Row("hook-timeout", later("For how many seconds these may run."), changes=False),
            Row("rdbDir", later("The folder of RDB files."), changes=False),
        ),
    ),
)

ROWS = {row.name: row for group in GROUPS for row in group.rows}


class Change(NamedTuple):
    """A change of a setting, as the command `config` has it: `act` is what it is called there."""

    act: str
    name: str
    values: Sequence[str]

    @property
    def command(self) -> str:
        """The words that do the same."""
        return " ".join(["gitbackup config", self.act, self.name, *map(quoted, self.values)])

    @classmethod
    def of(cls, fields: Callable[[str], list[str]]) -> Change | None:
        """Return what fields of a form or an address name; None for none that a page may do."""
        act, name = "".join(fields("act")), "".join(fields("name"))
        row = ROWS.get(name)
        if act not in ACTS or row is None or not row.changes:
            return None
        return cls(act, name, [] if act == "unset" else fields("value"))


ACTS: Mapping[str, Callable[[Config, Change], None]] = {
    "add": lambda config, change: config.add(change.name, *change.values),
    "remove": lambda config, change: _remove(config, change),
    "set": lambda config, change: config.set(change.name, *change.values),
    "unset": lambda config, change: config.unset(change.name),
}


@dataclass(frozen=True, slots=True)
class Wrong:
    """What a form asked for and did not get: the setting, what was typed, and why not."""

    name: str
    typed: str
    why: str


def page(site: Site, request: Request) -> Response:
    """Return the settings, with suggestions once these are found; begin that if asked to."""
    if "suggest" in request.query_params and site.backup().repository:
        return begun(site, SuggestNow(site.backup))
    return _page(site, request, request.query_params.get("job", ""))


def change(site: Site, request: Request) -> Response:
    """Change a setting, and lead back to the page that asked for it."""
    form = site.form(request)
    wanted = Change.of(form.all)
    if wanted is None:
        return site.error(request, 403, later("A page cannot change that setting."))
    backup = site.backup()
    _expect_known(wanted, backup)
    try:
        ACTS[wanted.act](backup.config, wanted)
    except UsageError as error:
        wrong = Wrong(
            wanted.name, " ".join(wanted.values), str(error).removeprefix(f"{wanted.name}: ")
        )
        return _page(site, request, form.get("job"), wrong)
    back = "/check" if form.get("back") == "/check" else PATH
    told = {"act": wanted.act, "name": wanted.name, "value": wanted.values}
    told |= {"job": form.get("job")} if "job" in form else {}
    return RedirectResponse(f"{back}?{urlencode(told, doseq=True)}", 303)


def done(site: Site, request: Request, backup: Backup) -> Change | None:
    """Return the change that an address says was made, as `change` leads to it.

    Anybody can write an address: it is returned only if the settings are so.
    """
    told = Change.of(request.query_params.getlist)
    if told is None:
        return None
    own = [each.value for each in backup.config.in_force(told.name) if each.source in OWN]
    is_so = {
        "add": {*told.values} <= {*own},
        "remove": not {*told.values} & {*own},
        "set": own == [each for each in told.values if each != OFF],
        "unset": not own,
    }
    return told if is_so[told.act] else None


def _page(site: Site, request: Request, job: str, wrong: Wrong | None = None) -> Response:
    """Return the settings with what a job suggests, without what is set by now."""
    backup = site.backup()
    try:
        found = backup.config.in_force(url_from="")
        remotes = [each.remote for each in backup.pushed()]
    except NoRepository:
        if backup.repository:  # it raises why one that is there is not read
            raise
        return site.page(request, "settings.html", groups=(), wrong=None, done=None)
    values: dict[str, list[InForce]] = {}
    for each in found:
        values.setdefault(each.name, []).append(each)
    known = site.jobs.find(job)
    suggested = known if isinstance(known, SuggestNow) and known.found else None
    return site.page(
        request,
        "settings.html",
        status=422 if wrong else 200,
        groups=[*_groups(values, remotes)],
        values=values,
        many=MANY,
        travels=TRAVELS,
        sources=SOURCES,
        own=OWN,
        wrong=wrong,
        done=None if wrong else done(site, request, backup),
        natures=NATURES,
        kept=KEPT,
        suggested=suggested,
        left=_left(suggested, values) if suggested else (),
    )


def _groups(values: Mapping[str, Sequence[InForce]], remotes: Sequence[str]) -> Iterator[Group]:
    """Yield the groups with those rows that there is anything to say of, or to choose."""
    for group in GROUPS:
        rows = [_row(row, values.get(row.name, ()), remotes) for row in group.rows]
        shown = [row for row in rows if row.changes or row.name in values]
        if shown:
            yield group._replace(rows=shown)


def _row(row: Row, found: Sequence[InForce], remotes: Sequence[str]) -> Row:
    if row.name == "push-to":
        return row._replace(choices=remotes, changes=len(remotes) > 1)
    if any(each.source == "environment" for each in found):
        return row._replace(changes=False)
    return row


def _left(job: SuggestNow, values: Mapping[str, Sequence[InForce]]) -> Sequence[Suggestion]:
    """Return what was suggested and is not set."""
    found = job.found.found if job.found else ()
    have = {(name, each.value) for name, some in values.items() for each in some}
    return [each for each in found if (each.setting, each.pattern) not in have]


def _remove(config: Config, change: Change) -> None:
    for value in change.values:
        config.remove(change.name, value)


def _expect_known(wanted: Change, backup: Backup) -> None:
    """Raise UsageError for a place to push to that is no remote: a page names no new one."""
    if wanted.name == "push-to" and {*wanted.values} - {each.remote for each in backup.pushed()}:
        raise UsageError(NO_REMOTE)
