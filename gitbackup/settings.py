"""The settings of a data repository: what is in force, where it comes from, how to change it."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from typing import NamedTuple

from gitbackup.errors import UsageError
from gitbackup.format import codec
from gitbackup.model.safety.alarm import AlarmRule
from gitbackup.model.safety.risk import CHECKS
from gitbackup.model.server.access import NAMES as ACCESS
from gitbackup.store.repository.repository import Repository
from gitbackup.store.transports import remote_url

ON_COMMIT, ON_FAILURE, ON_ALARM = HOOKS = ("on-commit", "on-failure", "on-alarm")
"""The settings of what to run when something happens; the first is also a value of `push`."""

OFF = "off"
HTTPS = "https://"
HOOK_TIMEOUT = 30.0  # seconds
LONGEST_TIMEOUT = 3600.0
ALARM_SHARE, ALARM_KEYS, ACCEPT_ALARM = "alarm-share", "alarm-keys", "accept-alarm"
LONGEST = 1000  # bytes of a glob
CAME = "came"
"""The variable that notes which values came with a history: `NAME VALUE` each."""

_SOURCES = {"local": "repository", "worktree": "repository", "global": "user", "system": "system"}


def glob(value: str) -> str:
    """Return a glob of key names. Raises UsageError for an empty, long or impossible one."""
    if not value or "\0" in value:
        raise UsageError("a glob must have at least one character, and no null byte")
    if len(codec.raw(value)) > LONGEST:
        raise UsageError(f"a glob may have at most {LONGEST} bytes")
    return value


def label(value: str) -> str:
    """Return a rule for labels. Raises UsageError unless it is a glob, `=`, and a part of a key."""
    named, _, part = value.rpartition("=")
    if not part:
        raise UsageError(f"{value!r} is not a glob and a part of a key, such as 'apikey:*=name'")
    glob(named)
    return value


def accept(value: str) -> str:
    """Return the name of a check. Raises UsageError for another word."""
    if value not in CHECKS:
        raise UsageError(f"there is no check {value!r}; the checks are {', '.join(CHECKS)}")
    return value


def url(value: str) -> str:
    """Return a server's URL. Raises UsageError, without showing it, for another."""
    from gitbackup.live.connection import address  # deferred: it loads redis

    address.parse(value)
    return value


def push(value: str) -> str:
    """Return when to push. Raises UsageError for anything else."""
    if value != ON_COMMIT:
        raise UsageError(f"push must be {ON_COMMIT} or {OFF}, not {value!r}")
    return value


def is_webhook(value: str) -> bool:
    """Return whether a hook is a URL; otherwise it is a command."""
    return value.lower().startswith(HTTPS)


def hook(value: str) -> str:
    """Return a command, or the URL of a webhook. Raises UsageError for neither."""
    if not value.strip() or "\0" in value:
        raise UsageError("a hook is a command, or a URL that begins with https://")
    if value.lower().startswith("http://"):
        raise UsageError("a webhook begins with https://, so that nobody else can read it")
    if is_webhook(value):
        rest = value[len(HTTPS) :]
        if not re.fullmatch(r"[!-~]+", rest) or rest[:1] in "/?#:" or "@" in rest.split("/")[0]:
            raise UsageError("not the URL of a webhook, https://HOST/PATH, without a login")
    return value


def seconds(value: str) -> str:
    """Return a number of seconds. Raises UsageError for anything else."""
    try:
        if 0 < float(value) <= LONGEST_TIMEOUT:
            return value
    except ValueError:
        pass
    raise UsageError(f"{value!r} is not a number of seconds up to {LONGEST_TIMEOUT:g}")


def percent(value: str) -> str:
    """Return a whole number of percent, from 1 to 100. Raises UsageError for anything else."""
    if not re.fullmatch(r"(100|[1-9][0-9]?)%?", value):
        raise UsageError(f"{value!r} is not a share of the keys, from 1% to 100%")
    return value


def count(value: str) -> str:
    """Return a number of keys, at least 1. Raises UsageError for anything else."""
    if not re.fullmatch(r"[1-9][0-9]{0,14}", value):
        raise UsageError(f"{value!r} is not a number of keys")
    return value


def commit_id(value: str) -> str:
    """Return a commit's id, long or short. Raises UsageError for anything else."""
    if not re.fullmatch(r"[0-9A-Fa-f]{7,40}", value):
        raise UsageError(f"{value!r} is not the id of a commit, of 7 digits or more")
    return value


def word(value: str) -> str:
    """Return a path, or the name or URL of a remote. Raises UsageError for an option."""
    if not value or value.startswith("-") or "\0" in value:
        raise UsageError(f"{value!r} is not a path")
    return value


def recipient(value: str) -> str:
    """Return a public key to encrypt to. Raises UsageError for anything else."""
    from gitbackup.store.encryption import age  # deferred, as above

    age.check_recipient(value)
    return value


def access(name: str) -> Callable[[str], str]:
    """Return the check of a setting of the connection to the server."""

    def check(value: str) -> str:
        from gitbackup.live.connection import address  # deferred, as above

        address.access_of({name: value})
        return value

    return check


class Setting(NamedTuple):
    """A setting. `check` returns a value or raises UsageError; `many` tells whether it has a list
    of values, `travels` whether push, pull and clone copy it."""

    name: str
    check: Callable[[str], str]
    many: bool = False
    travels: bool = False


SETTINGS = (
    Setting("url", url),
    Setting("include", glob, many=True, travels=True),
    Setting("exclude", glob, many=True, travels=True),
    Setting("quiet", glob, many=True, travels=True),
    Setting("redact", glob, many=True, travels=True),
    Setting("label", label, many=True),
    Setting("accept", accept, many=True),
    Setting("push", push),
    Setting("push-to", word),
    Setting("encrypt-to", recipient, many=True),
    Setting("identity", word, many=True),
    Setting("rdbDir", word),
    *(Setting(name, hook) for name in HOOKS),
    Setting("hook-timeout", seconds),
    Setting(ALARM_SHARE, percent),
    Setting(ALARM_KEYS, count),
    Setting(ACCEPT_ALARM, commit_id, many=True),
    *(Setting(name, access(name)) for name in ACCESS),
)
TRAVELLING = tuple(each.name for each in SETTINGS if each.travels)


@dataclass(frozen=True, slots=True)
class InForce:
    """A value of a setting that is in force, as it may be shown, and where it comes from.

    `source` is `environment`, `repository`, `history` (copied with a history), `user` or
    `system`; `origin` is the file or the variable that it is in. `secret` tells whether a
    password is left out.
    """

    name: str
    value: str
    source: str
    origin: str
    travels: bool
    secret: bool = False


def named(name: str) -> Setting:
    """Return the setting of that name, in capitals or not. Raises UsageError for another."""
    for each in SETTINGS:
        if each.name.lower() == name.removeprefix("gitbackup.").lower():
            return each
    names = ", ".join(each.name for each in SETTINGS)
    raise UsageError(f"no setting {name!r}; the settings are {names}")


class Config:
    """The settings of a data repository: reads those in force, changes the repository's own.

    The names are those of `SETTINGS`; they are `gitbackup.<name>` in git's config. Every method
    raises UsageError for another name or a value that is not valid, and changes nothing then.
    `repository` returns the repository, or raises NoRepository; `url` is a server's URL that
    takes precedence over the setting.
    """

    def __init__(self, repository: Callable[[], Repository], url: str | None = None) -> None:
        self._repository = repository
        self._url = url

    def in_force(self, name: str | None = None, url_from: str = "the caller") -> Sequence[InForce]:
        """Return the values that are in force, of one setting or of all.

        `url_from` says where the URL of this object is from, if it has one.
        """
        lines = self._repository().sourced()
        came = {value for name, value, _, _ in lines if name == CAME}
        in_force: list[InForce] = []
        for setting in [named(name)] if name else SETTINGS:
            if setting.name == "url" and self._url:
                in_force.append(_shown(setting, self._url, "environment", url_from))
                continue
            own = [line[1:] for line in lines if line[0] == setting.name.lower()]
            for value, scope, file in own if setting.many else own[-1:]:
                source = _SOURCES.get(scope, scope)
                if source == "repository" and f"{setting.name} {value}" in came:
                    source = "history"
                in_force.append(_shown(setting, value, source, file))
        return in_force

    def set(self, name: str, *values: str) -> None:
        """Make these the repository's own values, in place of the ones that it had."""
        repository, setting = self._repository(), named(name)
        if setting.name == "push" and values == (OFF,):
            values = ()
        if len(values) > 1 and not setting.many:
            raise UsageError(f"{setting.name} has one value")
        _write(repository, setting, [_checked(setting, value) for value in values])

    def unset(self, name: str) -> None:
        """Remove all of the repository's own values."""
        self.set(name)

    def add(self, name: str, *values: str) -> None:
        """Add the values that it does not have yet to a setting that may have many."""
        repository, setting = self._repository(), _of_many(name, "add")
        new = [_checked(setting, value) for value in values]
        _write(repository, setting, [*dict.fromkeys([*repository.own(setting.name), *new])])

    def remove(self, name: str, value: str) -> None:
        """Remove one value. Raises UsageError if the repository itself does not have it."""
        repository, setting = self._repository(), _of_many(name, "remove")
        own = repository.own(setting.name)
        if value not in own:
            raise UsageError(_not_own(repository, setting, value))
        _write(repository, setting, [each for each in own if each != value])


def _shown(setting: Setting, value: str, source: str, origin: str) -> InForce:
    shown = value
    if setting.name == "url":
        shown = without_password(value)
    elif setting.name == "push-to":
        shown = remote_url.hidden(value)
    elif setting.name in HOOKS and is_webhook(value):  # whoever knows its path may post to it
        shown = f"{HTTPS}{re.split('[/?#]', value[len(HTTPS) :])[0]}/..."
    return InForce(setting.name, shown, source, origin, setting.travels, shown != value)


def without_password(value: str, user: bool = True) -> str:
    """Return a server's URL as it may be shown; empty if it is not valid."""
    from gitbackup.live.connection import address  # deferred, as above

    try:
        parsed = address.parse(value)
    except UsageError:
        return ""
    scheme = value.partition("://")[0]
    name = parsed.options.get("username") if user else None
    if not (parsed.options.get("password") or parsed.options.get("username")) and "?" not in value:
        return value
    login = f"{name}@" if name else ""
    if scheme == "unix":
        database = "" if parsed.db is None else f"?db={parsed.db}"
        return f"unix://{login}{parsed.options.get('path', '')}{database}"
    place = parsed.label.rpartition("://")[2]
    return f"{scheme}://{login}{place}" + ("" if parsed.db is None else f"/{parsed.db}")


def check(name: str, values: Sequence[str]) -> None:
    """Raise UsageError if a value is not valid for the setting."""
    for value in values:
        _checked(named(name), value)


def hook_timeout(repository: Repository) -> float:
    """Return for how many seconds a hook may run; the default if the setting is not valid."""
    value = repository.get("hook-timeout")
    try:
        return float(seconds(value)) if value else HOOK_TIMEOUT
    except UsageError:
        return HOOK_TIMEOUT


def is_pushed_at_once(repository: Repository) -> bool:
    """Return whether a commit is pushed at once. Raises UsageError if the setting is invalid."""
    value = repository.get("push")
    if value not in (None, "", ON_COMMIT):
        raise UsageError(f"the setting gitbackup.push is {value!r}, but can only be {ON_COMMIT!r}")
    return value == ON_COMMIT


def alarm_rule(repository: Repository) -> AlarmRule:
    """Return when a commit raises an alarm; the default of what is not set, or not valid."""
    share, least = repository.get(ALARM_SHARE) or "", repository.get(ALARM_KEYS) or ""
    rule = AlarmRule()
    with suppress(UsageError):
        rule = replace(rule, share=int(percent(share).removesuffix("%")))
    with suppress(UsageError):
        rule = replace(rule, least=int(count(least)))
    return rule


def _write(repository: Repository, setting: Setting, values: Sequence[str]) -> None:
    repository.set_all(setting.name, values)
    came = repository.own(CAME)
    notes = {f"{setting.name} {value}" for value in values}
    kept = [note for note in came if note in notes or note.partition(" ")[0] != setting.name]
    if kept != came:
        repository.set_all(CAME, kept)


def _checked(setting: Setting, value: str) -> str:
    try:
        return setting.check(value)
    except UsageError as error:
        raise UsageError(f"{setting.name}: {error}") from None


def _of_many(name: str, doing: str) -> Setting:
    setting = named(name)
    if not setting.many:
        raise UsageError(f"{setting.name} has one value: change it with set or unset, not {doing}")
    return setting


def _not_own(repository: Repository, setting: Setting, value: str) -> str:
    for name, text, scope, file in repository.sourced():
        if (name, text) == (setting.name.lower(), value) and _SOURCES.get(scope) != "repository":
            return f"{setting.name} {value!r} is not set in this repository, but in {file}"
    own = ", ".join(map(repr, repository.own(setting.name))) or "none"
    return f"{setting.name} has no {value!r}; this repository has {own}"
