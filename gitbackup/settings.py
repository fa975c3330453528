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
        raise UsageError("a glob must have at least one character, and no null byte")
    if len(codec.raw(value)) > LONGEST:
        raise UsageError(f"a glob may have at most {LONGEST} bytes")
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
        raise UsageError(f"push must be {ON_COMMIT} or {OFF}, not {value!r}")
    return value


def word(value: str) -> str:
    """Return a path, or the name of a remote or its URL. Raise UsageError for what is none."""
    if not value or value.startswith("-") or "\0" in value:
        raise UsageError(f"{value!r} is not a path")
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
    raise UsageError(f"no setting {name!r}; the settings are {names}")


class Config:
    """The settings of a data repository: those in force, and changing the repository's own.

    The names are `url`, `include`, `exclude`, `quiet`, `redact`, `push`, `push-to`, `rdbDir`, and
    those of model.access; they are `gitbackup.<name>` in git's config. Every method raises
    UsageError for another name, and for a value that cannot be; nothing is changed then.
    `repository` returns the repository, or raises NoRepository; `url` is a server's URL that
    goes before the setting's, if there is one.
    """

    def __init__(self, repository: Callable[[], Repository], url: str | None = None) -> None:
        self._repository = repository
        self._url = url

    def in_force(self, name: str | None = None, url_from: str = "the caller") -> Sequence[InForce]:
        """Return the values that are in force, of one setting or of all.

        `url_from` says where the URL of this object is from, if it has one.
        """
        chosen = [named(name)] if name else SETTINGS
        found = self._repository().sourced()
        came = {text for name, text, _, _ in found if name == CAME}
        values: list[InForce] = []
        for each in chosen:
            if each.name == "url" and self._url:
                values.append(_shown(each, self._url, "environment", url_from))
                continue
            own = [(value, scope, file) for name, value, scope, file in found
                   if name == each.name.lower()]  # fmt: skip
            for value, scope, file in own if each.many else own[-1:]:
                source = _SOURCES.get(scope, scope)
                if source == "repository" and f"{each.name} {value}" in came:
                    source = "history"
                values.append(_shown(each, value, source, file))
        return values

    def set(self, name: str, *values: str) -> None:
        """Make these the repository's own values, in place of those that it had."""
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
        """Add values, those that it does not have yet, to a setting that may have many."""
        repository, setting = self._repository(), _of_many(name, "add")
        new = [_checked(setting, value) for value in values]
        _write(repository, setting, [*dict.fromkeys([*repository.own(setting.name), *new])])

    def remove(self, name: str, value: str) -> None:
        """Remove one value. Raises UsageError where the repository itself does not have it."""
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
    place = parsed.label.rpartition("://")[2]
    return f"{scheme}://{login}{place}" + ("" if parsed.db is None else f"/{parsed.db}")


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
    """Return whether a value that came with a history is there still."""
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
        raise UsageError(f"{setting.name} has one value: change it with set or unset, not {doing}")
    return setting


def _not_own(repository: Repository, setting: Setting, value: str) -> str:
    for name, text, scope, file in repository.sourced():
        if (name, text) == (setting.name.lower(), value) and _SOURCES.get(scope) != "repository":
            return f"{setting.name} {value!r} is not set in this repository, but in {file}"
    own = ", ".join(map(repr, repository.own(setting.name))) or "none"
    return f"{setting.name} has no {value!r}; this repository has {own}"
