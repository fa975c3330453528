"""`init`: make the data repository, and write its settings."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from gitbackup import settings
from gitbackup.backup.context import Context


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
    """Make the data repository, or adopt the one that exists; store the URL and add the globs.

    Raises UsageError for a URL or a glob that is not valid, before anything is made.
    """
    globs = {"include": include, "exclude": exclude, "quiet": quiet, "redact": redact}
    for name, values in globs.items():
        settings.check(name, values)
    if context.url:
        _ = context.address  # raises before a wrong URL is stored
    existed = context.repository is not None
    repository = context.create(bare)
    config = settings.Config(lambda: repository)
    if context.url:
        repository.set("url", context.url)
    for name, values in globs.items():
        if values:
            config.add(name, *values)
    return InitResult(context.path, existed)
