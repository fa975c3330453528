"""Settings that go along with the history: what is excluded, quiet and masked, and the scope.

They are one file in a ref of its own, written where they are pushed. What comes from elsewhere
can only hide more than before: globs of `exclude`, `quiet` and `redact` are added, `include` is
narrowed. What the other side has taken away is told, and stays until somebody here takes it away
as well. A password never goes along, nor where pushes go to; the server's URL is told, not taken.
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
from gitbackup.store.remotes.remote_url import Remote
from gitbackup.store.remotes.settings_ref import FILE
from gitbackup.store.repository.repository import Repository

FORMAT = 1
MANY = 200  # globs that a setting may have
Globs = Mapping[str, Sequence[str]]


@dataclass(frozen=True, slots=True)
class ArrivedSettings:
    """What came along with a history.

    `globs` are those that are new here, by setting; `kept` those that the other side has no
    more, and that stay here. `url` is the server's that the other side names, without its
    login. `skipped` are sentences on what is of no use.
    """

    globs: Globs = field(default_factory=dict)
    kept: Globs = field(default_factory=dict)
    url: str | None = None
    skipped: Sequence[str] = ()


@dataclass(frozen=True, slots=True)
class _Told:
    """What a file tells."""

    globs: dict[str, list[str]]
    url: str | None = None
    skipped: Sequence[str] = ()


def record(repository: Repository) -> bool:
    """Write the repository's own settings to the file that travels, where they are others than
    it tells; whether they were."""
    globs, url = _own(repository)
    before = repository.carried()
    if before is None and not any(globs.values()):
        return False
    content = _compose(globs, url)
    if content == before:
        return False
    repository.carry(content)
    return True


def receive(repository: Repository, remote: Remote) -> ArrivedSettings:
    """Take what a remote's file tells, as far as it hides more; what does not is told only."""
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
    return ArrivedSettings(
        _some(new), _some(_kept(merged, base, theirs)), theirs.url, theirs.skipped
    )


def take_scope(repository: Repository, scope: Scope) -> ArrivedSettings:
    """Take the scope of a commit, where its history has no such file."""
    globs = {"include": [*scope.include], "exclude": [*scope.exclude]}
    for name, values in globs.items():
        repository.set_all(name, values)
    return ArrivedSettings(_some(globs))


def _own(repository: Repository) -> tuple[dict[str, list[str]], str | None]:
    """Return the repository's own settings that travel, and its server's URL without the login."""
    found: dict[str, list[str]] = {name: [] for name in (*TRAVELLING, "url")}
    for name, value, scope, _ in repository.sourced():
        if scope == "local" and name in found:
            found[name].append(value)
    url = found.pop("url")[-1:]
    return found, (without_password(url[0], user=False) or None) if url else None


def _merged(name: str, ours: Sequence[str], theirs: Sequence[str]) -> list[str]:
    """Return what hides as much as either does."""
    if name != "include":
        return [*dict.fromkeys([*ours, *theirs])]
    narrower = not ours or (theirs and {*theirs} < {*ours})
    return [*(theirs if narrower else ours)]


def _kept(merged: Globs, base: _Told, theirs: _Told) -> dict[str, list[str]]:
    """What the other side took away, and is here still; of `include`, what it would take in."""
    gone = {
        name: [v for v in merged[name] if v in base.globs[name] and v not in theirs.globs[name]]
        for name in TRAVELLING
        if name != "include"
    }
    wider = [v for v in theirs.globs["include"] if v not in merged["include"]]
    return {**gone, "include": wider}


def _some(globs: Mapping[str, Sequence[str]]) -> Globs:
    return {name: values for name, values in globs.items() if values}


def _compose(globs: Globs, url: str | None) -> bytes:
    """Return the file: canonical, the format first."""
    settings: dict[str, Any] = {
        name: sorted({*map(codec.strict, globs[name])}) for name in TRAVELLING
    }
    return codec.encode({"format": FORMAT, "settings": settings | ({"url": url} if url else {})})


def _parse(content: bytes | None, place: str) -> _Told:
    """Return what a file tells, whoever wrote it. Raises NewerFormat for such a one."""
    globs: dict[str, list[str]] = {name: [] for name in TRAVELLING}
    where = f"the settings of {place}"
    if content is None:
        return _Told(globs, skipped=[f"cannot read {where}, so none were copied"])
    try:
        document = codec.decode(FILE, content)
        version = document["format"]
        if type(version) is int and version > FORMAT:
            raise NewerFormat(
                f"{where} have format {version}, and this gitbackup reads up to"
                f" {FORMAT}, so they were not copied: upgrade gitbackup"
            )
        told = document["settings"]
        if version != FORMAT or not isinstance(told, dict):
            raise ValueError
    except NewerFormat:
        raise
    except (Damaged, KeyError, TypeError, ValueError, RecursionError):
        return _Told(globs, skipped=[f"cannot read {where}, so none were copied"])
    skipped: list[str] = []
    for name in TRAVELLING:
        globs[name] = _globs(told.get(name, []), f"{where}: {name}", skipped)
    unknown = sorted(told.keys() - {*TRAVELLING, "url"})
    skipped += [f"{where}: unknown setting {name[:40]!r}, left out" for name in unknown[:9]]
    return _Told(globs, _url(told.get("url"), where, skipped), skipped)


def _globs(values: Any, where: str, skipped: list[str]) -> list[str]:
    """Return the globs of a setting that are such."""
    if not isinstance(values, list):
        skipped.append(f"{where} is not a list, left out")
        return []
    found: list[str] = []
    for value in values[:MANY]:
        try:
            if not isinstance(value, str):
                raise ValueError("not text")
            found.append(glob(codec.loose(codec.data(kinds.normal_text(value, "a glob")))))
        except (UsageError, ValueError) as error:
            skipped.append(f"{where} {str(value)[:40]!r} was left out: {error}")
    if len(values) > MANY:
        skipped.append(f"{where} has more than {MANY} globs; the rest were left out")
    return [*dict.fromkeys(found)]


def _url(value: Any, where: str, skipped: list[str]) -> str | None:
    if value is None:
        return None
    told = without_password(value, user=False) if isinstance(value, str) else ""
    if not told or len(told) > 500:
        skipped.append(f"{where}: the url is not a Redis URL, left out")
        return None
    return told
