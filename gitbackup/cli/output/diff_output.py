"""How `diff` and `show` say what differs: key by key, in numbers, by name, or to a program."""

from __future__ import annotations

import re
import shlex
from typing import TYPE_CHECKING, Any

from gitbackup import Backup
from gitbackup.cli.output import terminal
from gitbackup.diff.labels import NO_LABELS, Labels
from gitbackup.errors import GitbackupError
from gitbackup.format.names import key_name
from gitbackup.report.json import objects
from gitbackup.report.json.diff import to_json
from gitbackup.report.text import namespaces, sentences
from gitbackup.report.text.diff import DiffView, beside, change_lines, headline
from gitbackup.report.text.redis_cli import command_line

if TYPE_CHECKING:  # it loads what no `--help` has need of
    from collections.abc import Sequence

    from gitbackup.compare.diff import Diff
    from gitbackup.model.changes import KeyDiff, Summary
    from gitbackup.model.keys import Key

NAME = re.compile(r"[\w@./-][\w@./~-]*", re.ASCII)
CREDENTIALS = "--url"
"""An option that may hold a password, which no output repeats."""


def view(backup: Backup, full: bool = False) -> DiffView:
    """Return how a diff is shown on this terminal, or on none, with the repository's labels."""
    return DiffView(terminal.width(), full=full, labels=labels_of(backup))


def labels_of(backup: Backup) -> Labels:
    """Return the labels that the repository's setting has."""
    if backup.repository is None:
        return NO_LABELS
    return Labels(each.value for each in backup.config.in_force("label"))


class LabelledNames:
    """Names a key as a person reads it, with the label that it has in the first of these commits
    which has the key, or in HEAD.

    Where no commit has it, or the setting `label` is not about it, the name stands alone.
    """

    def __init__(self, backup: Backup, commits: Sequence[str] = ()) -> None:
        self._backup = backup
        self._commits = *commits, "HEAD"
        self._labels = labels_of(backup)
        self._known: dict[Key, str] = {}

    def among(self, commit: str) -> LabelledNames:
        """Return such names by that commit first."""
        return LabelledNames(self._backup, [commit])

    def __call__(self, key: Key) -> str:
        if not self._labels.concern(key):
            return key_name(key)
        if key not in self._known:
            found = (self._label_in(commit, key) for commit in self._commits)
            self._known[key] = next(filter(None, found), "")
        return key_name(key) + beside(self._known[key])

    def _label_in(self, commit: str, key: Key) -> str:
        try:
            return self._labels.of(key, self._backup.entry(commit, key.name, key.db).entry)
        except GitbackupError:  # the commit has no such key, or cannot be read
            return ""


def say_changes(found: Diff, view: DiffView) -> None:
    """Print each key that differs, as soon as it is read, by database and namespace."""
    headings = namespaces.Headings(found.summary)
    for key in found.ordered(namespaces.order):
        lines = change_lines(key.change, key.before, key.after, key.values, view)
        terminal.say(["\n".join([*headings.above(key.change), *lines])])
    terminal.say(sentences.hidden_lines(found.hidden))


def say_objects(found: Diff, view: DiffView) -> None:
    """Print an object for each key that differs, as soon as it is read, for a program."""
    for key in found:
        terminal.say_json(object_of(key, view))
    if found.hidden:
        terminal.say_json(objects.hidden_object(found.hidden))


def object_of(key: KeyDiff, view: DiffView) -> dict[str, Any]:
    """Return a key that differs, for a program, with the ranks and the label that a view has."""
    label = view.labels.of(key.change.key, key.after, key.before)
    return to_json(key.change, key.before, key.after, key.values, key.redacted, view.rank, label)


def say_commands(found: Diff) -> None:
    """Print the commands that make the one side the other, for `redis-cli`."""
    for command in found.commands():
        terminal.say_stored(command_line(command).encode() + b"\n")
    if found.hidden:
        terminal.warn(
            f"warning: these commands leave out changed quiet keys ({found.hidden});"
            " --with-quiet includes them"
        )


def say_names(found: Diff, status: bool) -> None:
    """Print the name of each key that differs, with `status` also what happened to it."""
    for change in found.changes:
        terminal.say([headline(change) if status else key_name(change.key)])
    terminal.say(sentences.hidden_lines(found.hidden), err=True)


def say_stat(found: Diff, view: DiffView, words: Sequence[str]) -> None:
    """Print what differs, in numbers, and by which command noise is left out; `words` are those
    of this command."""
    summary = found.summary
    hint = " (--full shows them)"
    terminal.say(namespaces.stat_lines(summary, view.columns, view.full, hint))
    terminal.say(sentences.hidden_lines(found.hidden))
    say_noise(summary, ["diff", *words])


def say_noise(summary: Summary, words: Sequence[str]) -> None:
    """Print the command that leaves out a namespace, if most of many changes are in it."""
    space = namespaces.noise(summary)
    if space is None or any(word.startswith(CREDENTIALS) for word in words):
        return
    dashes = words.index("--") if "--" in words else len(words)
    exclude = ["--exclude", namespaces.silenced(space)]
    command = ["gitbackup", *words[:dashes], *exclude, *words[dashes:]]
    terminal.say([namespaces.noise_line(summary, space, " ".join(map(_quoted, command)))])


def _quoted(word: str) -> str:
    """Return a word as it is typed into a shell; what git's names are made of needs no quotes."""
    return word if NAME.fullmatch(word) else shlex.quote(word)
