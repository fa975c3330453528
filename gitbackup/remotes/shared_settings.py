"""Settings that travel with the history: what is excluded, quiet and masked, and the scope.

They are one file in a ref of its own, which a push writes. Settings that arrive can only hide more
than before: globs of `exclude`, `quiet` and `redact` are added, `include` is narrowed. Globs that
the other side has removed are reported, and stay until somebody removes them here too. Passwords
and remotes never travel; the server's URL is reported, not used.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from gitbackup import kinds
from gitbackup.errors import Damaged, NewerFormat, UsageError
from gitbackup.format import codec
from gitbackup.model.keys import Scope
from gitbackup.settings import CAME, TRAVELLING, glob, without_password
from gitbackup.store.metadata.settings_ref import FILE
from gitbackup.store.repository.repository import Repository
from gitbackup.store.transports.remote_url import Remote

FORMAT = 1
MANY = 200  # globs that a setting may have
Globs = Mapping[str, Sequence[str]]


@dataclass(frozen=True, slots=True)
class ArrivedSettings:
    """The settings that came with a history.

    `globs` are those that are new here, by setting; `kept` those that the other side has removed
    and that stay here. `url` is that of the other side's server, without its login. `skipped` has
    a sentence for each part that could not be used.
    """

    globs: Globs = field(default_factory=dict)
    kept: Globs = field(default_factory=dict)
    url: str | None = None
    skipped: Sequence[str] = ()


@dataclass(frozen=True, slots=True)
class _FileContent:
    """The settings in a file."""

    globs: dict[str, list[str]]
    url: str | None = None
    skipped: Sequence[str] = ()


def record(repository: Repository) -> bool:
    """Write the repository's own settings to the file that travels; return whether they differed
    from what it had."""
    globs, url = _own(repository)
    before = repository.carried()
    if before is None and not any(globs.values()):
        return False
    content = _compose(globs, url)
    if content == before:
        return False
    repository.carry(content)
    return True


def content(repository: Repository) -> bytes:
    """Return the file that travels, as the repository's own settings make it."""
    return _compose(*_own(repository))


def receive(repository: Repository, remote: Remote) -> ArrivedSettings:
    """Add what a remote's file hides to the repository's own settings; return what is new.

    What would hide less is not taken over, only reported.
    """
    if not repository.has_news(remote):
        return ArrivedSettings()
    record(repository)
    try:
        theirs = _parse(repository.carried(remote), str(remote.place))
    except NewerFormat as newer:
        return ArrivedSettings(skipped=[str(newer)])
    base = _parse(repository.carried_by_both(remote), "both")
    own, url = _own(repository)
    merged = {name: _merged(name, own[name], theirs.globs[name]) for name in TRAVELLING}
    for name, values in merged.items():
        if values != own[name]:
            repository.set_all(name, values)
    new = {name: [v for v in merged[name] if v not in own[name]] for name in TRAVELLING}
    notes = [f"{name} {value}" for name, values in new.items() for value in values]
    if notes:
        repository.set_all(CAME, [*dict.fromkeys([*repository.own(CAME), *notes])])
    content = _compose(merged, url or theirs.url)
    repository.carry(content, remote)
    kept = _kept(merged, base, theirs)
    return ArrivedSettings(_not_empty(new), _not_empty(kept), theirs.url, theirs.skipped)


def take_scope(repository: Repository, scope: Scope) -> ArrivedSettings:
    """Make the scope of a commit the repository's own, for a history without such a file."""
    globs = {"include": [*scope.include], "exclude": [*scope.exclude]}
    for name, values in globs.items():
        repository.set_all(name, values)
    return ArrivedSettings(_not_empty(globs))


def _own(repository: Repository) -> tuple[dict[str, list[str]], str | None]:
    """Return the repository's own settings that travel, and its server's URL without the login."""
    found: dict[str, list[str]] = {name: [] for name in (*TRAVELLING, "url")}
    for name, value, scope, _ in repository.sourced():
        if scope == "local" and name in found:
            found[name].append(value)
    url = found.pop("url")[-1:]
    return found, (without_password(url[0], user=False) or None) if url else None


def _merged(name: str, ours: Sequence[str], theirs: Sequence[str]) -> list[str]:
    """Return the globs of a setting that hide what either side hides."""
    if name != "include":
        return [*dict.fromkeys([*ours, *theirs])]
    narrower = not ours or (theirs and {*theirs} < {*ours})
    return [*(theirs if narrower else ours)]


def _kept(merged: Globs, base: _FileContent, theirs: _FileContent) -> dict[str, list[str]]:
    """Return the globs that the other side has removed since `base`, and that are still here; of
    `include`, those that it has and that are not here."""
    removed = {
        name: [v for v in merged[name] if v in base.globs[name] and v not in theirs.globs[name]]
        for name in TRAVELLING
        if name != "include"
    }
    wider = [v for v in theirs.globs["include"] if v not in merged["include"]]
    return {**removed, "include": wider}


def _not_empty(globs: Mapping[str, Sequence[str]]) -> Globs:
    return {name: values for name, values in globs.items() if values}


def _compose(globs: Globs, url: str | None) -> bytes:
    """Return the file: canonical, the format first."""
    settings: dict[str, Any] = {
        name: sorted({*map(codec.strict, globs[name])}) for name in TRAVELLING
    }
    return codec.encode({"format": FORMAT, "settings": settings | ({"url": url} if url else {})})


def _parse(content: bytes | None, place: str) -> _FileContent:
    """Return the settings in a file, whoever wrote it. Raises NewerFormat for a newer format."""
    globs: dict[str, list[str]] = {name: [] for name in TRAVELLING}
    where = f"the settings of {place}"
    if content is None:
        return _FileContent(globs, skipped=[f"cannot read {where}, so none were copied"])
    try:
        document = codec.decode(FILE, content)
        version = document["format"]
        if type(version) is int and version > FORMAT:
            raise NewerFormat(
                f"{where} have format {version}, and this gitbackup reads up to"
                f" {FORMAT}, so they were not copied: upgrade gitbackup"
            )
        settings = document["settings"]
        if version != FORMAT or not isinstance(settings, dict):
            raise ValueError
    except NewerFormat:
        raise
    except (Damaged, KeyError, TypeError, ValueError, RecursionError):
        return _FileContent(globs, skipped=[f"cannot read {where}, so none were copied"])
    skipped: list[str] = []
    for name in TRAVELLING:
        globs[name] = _globs(settings.get(name, []), f"{where}: {name}", skipped)
    unknown = sorted(settings.keys() - {*TRAVELLING, "url"})
    skipped += [f"{where}: unknown setting {name[:40]!r}, left out" for name in unknown[:9]]
    return _FileContent(globs, _url(settings.get("url"), where, skipped), skipped)


def _globs(values: Any, where: str, skipped: list[str]) -> list[str]:
    """Return the valid globs of a setting; add a sentence to `skipped` for each other."""
    if not isinstance(values, list):
        skipped.append(f"{where} is not a list, left out")
        return []
    globs: list[str] = []
    for value in values[:MANY]:
        try:
            if not isinstance(value, str):
                raise ValueError("not text")
            globs.append(glob(codec.loose(codec.data(kinds.normal_text(value, "a glob")))))
        except (UsageError, ValueError) as error:
            skipped.append(f"{where} {str(value)[:40]!r} was left out: {error}")
    if len(values) > MANY:
        skipped.append(f"{where} has more than {MANY} globs; the rest were left out")
    return [*dict.fromkeys(globs)]


def _url(value: Any, where: str, skipped: list[str]) -> str | None:
    if value is None:
        return None
    url = without_password(value, user=False) if isinstance(value, str) else ""
    if not url or len(url) > 500:
        skipped.append(f"{where}: the url is not a Redis URL, left out")
        return None
    return url
