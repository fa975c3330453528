"""A key's entry in a commit, quickly found, and what a key is called."""

from __future__ import annotations

from gitbackup import Backup
from gitbackup.diff.labels import Labels
from gitbackup.format import codec
from gitbackup.history.entry import entries
from gitbackup.history.selector import KeySelector
from gitbackup.model.keys import Entry, Key
from gitbackup.redact import Redaction
from gitbackup.ui.views.differences.pairs import repository_of


def entry_in(backup: Backup, commit: str, key: Key) -> Entry | None:
    """Return a key's entry in a commit, given by id, as it is; None if the commit has no such key.

    Nothing of it is masked: see `redaction_of`.
    """
    selector = KeySelector.key(codec.data(key.name), [key.db])
    return dict(entries(repository_of(backup), commit, selector)).get(key)


def labels_of(backup: Backup) -> Labels:
    """Return the labels that the repository's setting has."""
    return Labels(repository_of(backup).get_all("label"))


def redaction_of(backup: Backup) -> Redaction:
    """Return what is masked, by the repository's setting."""
    return Redaction(repository_of(backup).get_all("redact"))
