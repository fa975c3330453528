"""What somebody wants back, as a form says it: a commit restored or reverted, or an undo."""

from __future__ import annotations

import base64
import json
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Protocol, TypeVar
from urllib.parse import urlencode

from gitbackup import Backup
from gitbackup.errors import UsageError
from gitbackup.format import codec, unprintable
from gitbackup.model.keys import Key
from gitbackup.model.merging import Side
from gitbackup.model.ttl import Ttl
from gitbackup.plan.chosen import as_restore
from gitbackup.plan.command import command_words
from gitbackup.plan.plan import Plan, RestoreOptions
from gitbackup.plan.plan_json import ID, read_how
from gitbackup.restore.restore import Restorer
from gitbackup.store.repository.restore_journal import JournalEntry
from gitbackup.ui.words.commands import quoted

RESTORE, REVERT, UNDO = ("restore", "revert", "undo")

MOST_DATABASE = 2**31 - 1

Choice = TypeVar("Choice", Ttl, Side)


class Fields(Protocol):
    """The fields of a form, or of a URL behind its question mark."""

    def get(self, name: str, default: str = "", /) -> str: ...

    def all(self, name: str, /) -> Sequence[str]: ...


@dataclass(frozen=True)
class Wish:
    """What is wanted back; each member is as a parameter of `Backup.restorer` or `.reverter`.

    `verb` is RESTORE, REVERT or UNDO. `commit` is a revision as it was given. `databases` are
    pairs: the commit's and the live one.
    """

    verb: str
    commit: str = ""
    patterns: tuple[str, ...] = ()
    databases: tuple[tuple[int, int], ...] = ()
    delete: bool = True
    ttl: Ttl = Ttl.KEEP
    field_expiry: bool = True
    skip_unsupported: bool = False
    skip_damaged: bool = False
    side: Side | None = None
    counters: bool = False
    exclude: tuple[str, ...] = ()
    every: bool = False

    @classmethod
    def of(cls, fields: Fields, verb: str) -> Wish:
        """Return what the form for a verb says. Raises UsageError for what no form of ours says."""
        return cls(
            verb,
            fields.get("commit").strip(),
            _globs(fields.all("key")),
            _databases(fields.all("db")),
            not fields.get("keep"),
            _one_of(Ttl, fields.get("ttl") or Ttl.KEEP),
            not fields.get("plain"),
            bool(fields.get("skip")),
            bool(fields.get("intact")),
            _one_of(Side, side) if (side := fields.get("side")) else None,
            bool(fields.get("counters")),
            _globs(fields.all("exclude")),
            bool(fields.get("quiet")),
        )

    @property
    def named(self) -> str:
        """The commit as it was given, an id by its first digits."""
        return self.commit[:7] if ID.fullmatch(self.commit) else self.commit

    def restorer(self, backup: Backup) -> Restorer:
        """Return what plans it and carries it out."""
        if self.verb == UNDO:
            return backup.undoer()
        if self.verb == REVERT:
            return backup.reverter(
                self.commit,
                patterns=self.patterns,
                side=self.side,
                counters=self.counters,
                exclude=self.exclude,
                every=self.every,
            )
        return backup.restorer(
            self.commit,
            patterns=self.patterns,
            databases=self.moves,
            delete=self.delete,
            ttl=self.ttl,
            field_expiry=self.field_expiry,
            skip_damaged=self.skip_damaged,
            skip_unsupported=self.skip_unsupported,
        )

    @property
    def moves(self) -> Mapping[int, int] | None:
        """The databases as `Backup.restorer` takes them. Raises UsageError for a database that
        goes into two."""
        moves: dict[int, int] = {}
        for of, to in self.databases:
            if moves.setdefault(of, to) != to:
                raise UsageError(f"database {of} can be restored into one database only")
        return moves or None

    def only(self, plan: Plan, keys: Collection[Key]) -> Wish:
        """Return the same for some keys of its plan only. Raises UsageError if no words of a
        restore name these keys, and no others of the plan."""
        chosen = as_restore(plan, keys, by_database=self.verb != REVERT)
        pairs = tuple(sorted((chosen.databases or {}).items()))
        return replace(self, patterns=chosen.patterns, databases=pairs)

    @classmethod
    def unfinished(cls, begun: JournalEntry) -> Wish | None:
        """Return what finishes a restore that was cut off; None if only its own words do."""
        if begun.undoes:
            return cls(UNDO)
        try:
            how = read_how(json.loads(begun.how))
        except ValueError:
            return None
        revert = how.revert
        if not begun.home or begun.is_import or (revert and how.databases):
            return None
        return cls(
            REVERT if revert else RESTORE,
            begun.commit,
            how.patterns,
            how.databases or (),
            how.delete,
            how.ttl,
            how.field_expiry,
            side=revert.rule.side if revert else None,
            counters=bool(revert and revert.rule.counters),
            exclude=revert.exclude if revert else (),
            every=bool(revert and not revert.quiet),
        )

    def command(self, commit: str, how: RestoreOptions) -> str:
        """Return the command that does the same; `how` is as its plan has it."""
        if self.verb == UNDO:
            return "gitbackup undo"
        more = ["--skip-unsupported"] if self.skip_unsupported else []
        more += ["--skip-damaged"] if self.skip_damaged else []
        more += ["--with-quiet"] if self.every and self.verb == REVERT else []
        return " ".join(map(quoted, ["gitbackup", *command_words(commit[:7], how, more)]))

    @property
    def fields(self) -> list[tuple[str, str]]:
        """The fields of a form that says this, without the verb."""
        told = [("commit", self.commit)]
        told += [("key", as_field(glob)) for glob in self.patterns]
        told += [("db", f"{of}:{to}") for of, to in self.databases]
        told += [("exclude", as_field(glob)) for glob in self.exclude]
        told += [("ttl", self.ttl.value)] if self.ttl is not Ttl.KEEP else []
        told += [("side", self.side.value)] if self.side else []
        flags = {
            "keep": not self.delete,
            "plain": not self.field_expiry,
            "skip": self.skip_unsupported,
            "intact": self.skip_damaged,
            "counters": self.counters,
            "quiet": self.every,
        }
        return [*told, *((name, "1") for name, on in flags.items() if on)]

    @property
    def form(self) -> str:
        """The URL of the form that says this; of an undo, which has none, that of the timeline."""
        return "/" if self.verb == UNDO else f"/{self.verb}?{urlencode(self.fields)}"


def as_field(glob: str) -> str:
    """Return a glob as a line of a form has it: under the text rule, since a form has no bytes."""
    plain = codec.is_utf8(glob) and unprintable.is_plain(glob) and glob == glob.strip()
    if plain and not glob.startswith(codec.PREFIX):
        return glob
    return codec.PREFIX + base64.b64encode(codec.raw(glob)).decode()


def _globs(lines: Sequence[str]) -> tuple[str, ...]:
    """Return the globs of some fields, in which each has a line."""
    globs = (line.strip() for field in lines for line in field.splitlines())
    try:
        return tuple(codec.loose(codec.data(glob)) for glob in globs if glob)
    except ValueError:
        raise UsageError("a key that begins with base64: goes on with base64") from None


def _databases(words: Sequence[str]) -> tuple[tuple[int, int], ...]:
    """Return the pairs that words such as `3` and `3:5` say."""
    pairs = []
    for pair in (pair for field in words for pair in field.replace(",", " ").split()):
        of, _, to = pair.partition(":")
        numbers = [codec.whole_number(number) for number in (of, to or of)]
        if any(number is None or number > MOST_DATABASE for number in numbers):
            raise UsageError(f"{pair!r} is neither a database, such as 3, nor a pair, such as 3:5")
        pairs.append((int(of), int(to or of)))
    return tuple(pairs)


def _one_of(choices: type[Choice], word: str) -> Choice:
    try:
        return choices(word)
    except ValueError:
        raise UsageError(f"{word!r} is no choice of this form") from None
