"""Choosing keys of a plan from a list, as `git add -i` does."""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Callable, Iterator, Sequence
from typing import NamedTuple

import click

from gitbackup.cli.output import terminal
from gitbackup.diff.labels import NO_LABELS, Labels
from gitbackup.format import codec
from gitbackup.format.names import escape
from gitbackup.format.patterns import matcher
from gitbackup.model.keys import Key
from gitbackup.plan.chosen import Chosen, as_restore
from gitbackup.plan.plan import Plan, PlannedKey
from gitbackup.report.text.plan import VERBS, step_name

LISTED = 40
"""Keys that are listed one by one; of more, only the namespaces are."""

RANGE = re.compile(r"([0-9]{1,18})(?:-([0-9]{1,18}))?")

HELP = (
    "3  1,4-7   these lines",
    "user:*     keys that match a glob",
    "*          everything",
    "-3         not this line, or glob, after all",
    "Enter      when all are chosen that are to be; they have a * then",
)


class _Line(NamedTuple):
    """A line of the list, and the keys that it stands for."""

    text: str
    keys: frozenset[Key]


def choose(plan: Plan, err: bool, labels: Labels = NO_LABELS) -> Chosen | None:
    """Ask which keys of a plan to restore, until the person is content; None for none.

    The list has the keys' `labels`, and is shown on standard error if `err`. Raises UsageError if
    no restore can be of these keys only.
    """
    steps = [*plan.keys]
    lines, chosen = [*_lines(steps, lambda step: step_name(plan, step, labels))], set[Key]()
    while True:
        terminal.say(_shown(lines, chosen), err=err)
        question = f"Restore which of {len(steps):,}? [Enter when done, ? for help]"
        words = click.prompt(question, default="", show_default=False, err=True)
        if not words.strip():
            return as_restore(plan, chosen) if chosen else None
        for word in words.replace(",", " ").split():
            if word == "?":
                terminal.say((f"  {line}" for line in HELP), err=err)
                continue
            removes = word[0] == "-" and len(word) > 1
            keys = _named(word[removes:], lines, steps)
            if not keys:
                terminal.warn(f"no line and no key here is called {word[removes:]!r}")
            chosen = chosen - keys if removes else chosen | keys


def _lines(steps: Sequence[PlannedKey], named: Callable[[PlannedKey], str]) -> Iterator[_Line]:
    """Yield a line for each namespace of several keys, then for each key, unless these are many."""
    spaces = defaultdict[tuple[str, str], list[PlannedKey]](list)
    for step in steps:
        spaces[step.key.place, step.key.namespace].append(step)
    listed = steps
    if len(steps) > LISTED:
        listed = [some[0] for some in spaces.values() if len(some) == 1]
    for (place, space), some in spaces.items():
        if len(some) > 1:
            title = escape(space) if place == "db0" else f"{place} {escape(space)}"
            counts = ", ".join(
                f"{verb} {count:,}"
                for action, verb in VERBS.items()
                if (count := sum(step.action is action for step in some))
            )
            yield _Line(f"{title}:*  {counts}", frozenset(step.key for step in some))
    for step in listed:
        text = f"{VERBS[step.action]:<9}  {escape(step.type):<6}  {named(step)}"
        yield _Line(text, frozenset([step.key]))


def _shown(lines: Sequence[_Line], chosen: set[Key]) -> Iterator[str]:
    """Yield the lines with their numbers; those that are chosen have a *, in part a +."""
    wide = len(str(len(lines)))
    for number, line in enumerate(lines, 1):
        mark = "*" if line.keys <= chosen else "+" if line.keys & chosen else " "
        yield f"{mark} {number:>{wide}}  {line.text}"


def _named(word: str, lines: Sequence[_Line], steps: Sequence[PlannedKey]) -> set[Key]:
    """Return the keys that a word names: by a line's number, a range of them, or a glob."""
    if span := RANGE.fullmatch(word):
        first, last = int(span[1]), int(span[2] or span[1])
        return {key for line in lines[max(first - 1, 0) : last] for key in line.keys}
    matches = matcher([word])
    return {step.key for step in steps if matches(codec.data(step.key.name))}
