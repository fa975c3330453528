"""What `export`, `importer`, `copier` and `clone` of a Backup return, by its settings."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import BinaryIO

from gitbackup.backup.context import Context
from gitbackup.model.encryption import EncryptionKeys
from gitbackup.model.ttl import Ttl
from gitbackup.plan.plan import RestoreOptions
from gitbackup.redact import Redaction
from gitbackup.remotes import sync
from gitbackup.remotes.sync import CloneResult
from gitbackup.transfer import copy, import_file
from gitbackup.transfer import export as exporting
from gitbackup.transfer.export import ExportOptions, ExportResult
from gitbackup.transfer.incoming import Destination


def export(
    context: Context,
    to: Path | BinaryIO,
    commit_ish: str | None,
    form: str,
    patterns: Sequence[str],
    redact: Sequence[str],
) -> ExportResult:
    """Write a commit, or without one the live database, to a file."""
    redaction = context.redaction(redact) if redact else Redaction()
    options = ExportOptions(form, tuple(patterns), context.databases, redaction)
    if commit_ish is not None:
        history = context.history
        return exporting.of_commit(history, history.resolve(commit_ish), options, to)
    return exporting.of_live(context.server, context.scope(), options, to, context.progress)


def importer(
    context: Context,
    file: BinaryIO,
    name: str,
    patterns: Sequence[str],
    databases: Mapping[int, int] | None,
    to: str | None,
    delete: bool,
    ttl: Ttl,
    field_expiry: bool,
    encoding: str | None,
    skip_unsupported: bool,
) -> import_file.Importing:
    """Return an import of a file into the server of the URL `to`, None for this one."""
    options = context.restore_options(patterns, databases, to, delete, ttl, field_expiry)
    place = context.destination(to, skip_unsupported=skip_unsupported)
    return import_file.begin(file, name, options, place, encoding)


def clone(context: Context, source: str, bare: bool, keys: EncryptionKeys) -> CloneResult:
    """Make the context's repository a copy of another one, which the `keys` may have to open."""
    result = sync.clone(source, context.path, bare, keys)
    context.look_again()
    return result


def copier(
    context: Context,
    to: str,
    place: Destination,
    patterns: Sequence[str],
    databases: Mapping[int, int] | None,
    delete: bool,
    ttl: Ttl,
    field_expiry: bool,
) -> copy.Copying:
    """Return a copy into the server at the URL `to`, to plan or to carry out."""
    named = [address.db for address in (context.address, context.address_of(to))]
    pairs = copy.pairs(databases, *named)
    how = RestoreOptions(tuple(patterns), pairs, delete, ttl, field_expiry=field_expiry)
    return copy.begin(context.server, how, place)
