"""`init`: make the data repository, and write its settings."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

from gitbackup import settings
from gitbackup.backup.context import Context
from gitbackup.model.server.access import FILES, Access


@dataclass(frozen=True, slots=True)
class InitResult:
    """What `init` did: the path of the repository, and whether it existed before."""

    path: Path
    existed: bool


def init(
    context: Context,
    include: Sequence[str],
    exclude: Sequence[str],
    quiet: Sequence[str],
    redact: Sequence[str],
    bare: bool,
) -> InitResult:
    """Make the data repository, or adopt the one that exists; store the URL and how it is come to,
    and add the globs.

    Raises UsageError for a URL, a certificate or a glob that is not valid, before anything is made.
    """
    globs = {"include": include, "exclude": exclude, "quiet": quiet, "redact": redact}
    for name, values in globs.items():
        settings.check(name, values)
    access = _stored(context.access)
    if context.url or access:
        _ = context.address  # raises before a wrong URL is stored
    existed = context.repository is not None
    repository = context.create(bare)
    config = settings.Config(lambda: repository)
    if context.url:
        repository.set("url", context.url)
    for name, value in access.items():
        config.set(name, value)
    for name, values in globs.items():
        if values:
            config.add(name, *values)
    return InitResult(context.path, existed)


def _stored(access: Access) -> dict[str, str]:
    """Return how a server is come to as settings. Files are found from the root of the disk, so
    that they are the same wherever a command is run."""
    given = {name: value for name, value in asdict(access).items() if value}
    return {
        name: str(Path(value).absolute()) if name in FILES else _word(value)
        for name, value in given.items()
    }


def _word(value: object) -> str:
    if value is True:
        return "true"
    return f"{value:g}" if isinstance(value, float) else str(value)
