"""The settings of a data repository: what is in force, where it comes from, and changing it."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import NamedTuple

from gitbackup.errors import UsageError
from gitbackup.format import codec
from gitbackup.model.access import NAMES as ACCESS
from gitbackup.store.remotes import remote_url
from gitbackup.store.repository.repository import Repository

ON_COMMIT = "on-commit"
OFF = "off"
LONGEST = 1000  # bytes of a glob
CAME = "came"
"""The variable that notes which values came with a history: `NAME VALUE` each."""

_SOURCES = {"local": "repository", "worktree": "repository", "global": "user", "system": "system"}


def glob(value: str) -> str:
    """Return a glob of key names. Raise UsageError for what is none."""
    if not value or "\0" in value:
        raise UsageError("a glob has one character at least, and no zero byte")
    if len(codec.raw(value)) > LONGEST:
        raise UsageError(f"a glob has {LONGEST} bytes at most")
    return value


def url(value: str) -> str:
    """Return a server's URL. Raise UsageError, not showing it, for what is none."""
    from gitbackup.live.connection import (
        address,  # deferred: it loads redis, which globs have no need of
    )

    address.parse(value)
    return value


def push(value: str) -> str:
    """Return when to push. Raise UsageError for what is no such time."""
    if value != ON_COMMIT:
        raise UsageError(f"{value!r} is no time to push: {ON_COMMIT}, or {OFF}")
    return value


def word(value: str) -> str:
    """Return a path, or the name of a remote or its URL. Raise UsageError for what is none."""
    if not value or value.startswith("-") or "\0" in value:
        raise UsageError(f"{value!r} names no place")
    return value


def access(name: str) -> Callable[[str], str]:
    """Return what checks a setting of how the server is come to."""

    def check(value: str) -> str:
        from gitbackup.live.connection import address  # deferred, as above

        address.access_of({name: value})
        return value

    return check


class Setting(NamedTuple):
    """A setting: its name, whether it has many values and travels, what a value has to be."""

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
    Setting("push", push),
    Setting("push-to", word),
    Setting("rdbDir", word),
    *(Setting(name, access(name)) for name in ACCESS),
)
TRAVELLING = tuple(each.name for each in SETTINGS if each.travels)


@dataclass(frozen=True, slots=True)
class InForce:
    """A value of a setting that is in force, as it may be shown, and where it comes from.

    `source` is `environment`, `repository`, `history` (it came with one), `user` or `system`;
    `origin` the file that it stands in, or the variable. `secret` tells whether a password is
    left out.
    """

    name: str
    value: str
    source: str
    origin: str
    travels: bool
    secret: bool = False


def named(name: str) -> Setting:
    """Return the setting of that name, in capitals or not. Raise UsageError for none."""
    for each in SETTINGS:
        if each.name.lower() == name.removeprefix("gitbackup.").lower():
            return each
    names = ", ".join(each.name for each in SETTINGS)
    raise UsageError(f"there is no setting {name!r}; there are {names}")


def in_force(repository: Repository, given: str | None, origin: str) -> list[InForce]:
    """Return all that is in force. `given` is a URL that goes before the setting's, if there is
    one, and `origin` where that is from."""
    found = repository.sourced()
    came = {text for name, text, _, _ in found if name == CAME}
    told: list[InForce] = []
    for each in SETTINGS:
        if each.name == "url" and given:
            told.append(_shown(each, given, "environment", origin))
            continue
        mine = [(value, scope, file) for name, value, scope, file in found
                if name == each.name.lower()]  # fmt: skip
        for value, scope, file in mine if each.many else mine[-1:]:
            source = _SOURCES.get(scope, scope)
            if source == "repository" and f"{each.name} {value}" in came:
                source = "history"
            told.append(_shown(each, value, source, file))
    return told


def _shown(setting: Setting, value: str, source: str, origin: str) -> InForce:
    shown = value
    if setting.name == "url":
        shown = without_password(value)
    elif setting.name == "push-to":
        shown = remote_url.hidden(value)
    return InForce(setting.name, shown, source, origin, setting.travels, shown != value)


def without_password(value: str, user: bool = True) -> str:
    """Return a server's URL as it may be shown; empty where it is none."""
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
    return f"{scheme}://{login}{parsed.label}" + ("" if parsed.db is None else f"/{parsed.db}")


def put(repository: Repository, name: str, values: Sequence[str]) -> None:
    """Make these the repository's own values of a setting. Raise UsageError for what cannot be."""
    setting = named(name)
    if setting.name == "push" and list(values) == [OFF]:
        values = []
    if len(values) > 1 and not setting.many:
        raise UsageError(f"{setting.name} has one value")
    _write(repository, setting, [_checked(setting, value) for value in values])


def add(repository: Repository, name: str, values: Sequence[str]) -> None:
    """Add values to a setting that may have many, those that it has not. Raise as `put` does."""
    setting = _of_many(name, "add")
    own = repository.own(setting.name)
    new = [_checked(setting, value) for value in values]
    _write(repository, setting, [*dict.fromkeys([*own, *new])])


def remove(repository: Repository, name: str, value: str) -> None:
    """Take a value from a setting that may have many. Raise UsageError where it has not got it."""
    setting = _of_many(name, "remove")
    own = repository.own(setting.name)
    if value not in own:
        raise UsageError(_not_own(repository, setting, value))
    _write(repository, setting, [each for each in own if each != value])


def check(name: str, values: Sequence[str]) -> None:
    """Raise UsageError where one of the values cannot be the setting's."""
    for value in values:
        _checked(named(name), value)


def _write(repository: Repository, setting: Setting, values: Sequence[str]) -> None:
    repository.set_all(setting.name, values)
    came = repository.own(CAME)
    kept = [each for each in came if _still(each, setting, values)]
    if kept != came:
        repository.set_all(CAME, kept)


def _still(note: str, setting: Setting, values: Sequence[str]) -> bool:
    """Whether a value that came with a history is there still."""
    name, _, value = note.partition(" ")
    return name != setting.name or value in values


def _checked(setting: Setting, value: str) -> str:
    try:
        return setting.check(value)
    except UsageError as error:
        raise UsageError(f"{setting.name}: {error}") from None


def _of_many(name: str, doing: str) -> Setting:
    setting = named(name)
    if not setting.many:
        raise UsageError(f"{setting.name} has one value, which set and unset change, not {doing}")
    return setting


def _not_own(repository: Repository, setting: Setting, value: str) -> str:
    for name, text, scope, file in repository.sourced():
        if (name, text) == (setting.name.lower(), value) and _SOURCES.get(scope) != "repository":
            return f"{setting.name} {value!r} is not of this repository: it stands in {file}"
    own = ", ".join(map(repr, repository.own(setting.name))) or "none"
    return f"{setting.name} has no {value!r}; of this repository's own it has {own}"
