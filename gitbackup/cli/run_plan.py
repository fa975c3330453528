"""Carrying out a plan before a person's eyes: what `restore`, `revert`, `undo`, `import` and `copy`
share."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import nullcontext
from functools import wraps
from typing import TYPE_CHECKING, Any, NamedTuple, cast

import click

from gitbackup import Backup
from gitbackup.cli.after_commit import say_after_commit
from gitbackup.cli.arguments.options import Command, json_option
from gitbackup.cli.output import terminal
from gitbackup.cli.output.diff_output import LabelledNames, labels_of, object_of, view
from gitbackup.cli.output.pager import reading
from gitbackup.errors import PartlyDone, UsageError
from gitbackup.plan.plan import Plan
from gitbackup.plan.plan_json import plan_object
from gitbackup.report.json.restored import restore_object
from gitbackup.report.text import conflicts, restored, sentences
from gitbackup.report.text.diff import change_lines
from gitbackup.report.text.plan import plan_lines

if TYPE_CHECKING:  # it loads what `restore --help` has no need of
    from gitbackup.restore.restore import Restorer
    from gitbackup.restore.result import RestoreResult
    from gitbackup.transfer.incoming import Incoming


class PlanOptions(NamedTuple):
    """How a plan is shown and carried out: what its options say."""

    dry_run: bool
    yes: bool
    as_json: bool
    full: bool
    patch: bool


def plan_options(command: Command) -> Command:
    """Add these options to a command, which is given them as its `options`."""

    @json_option
    @click.option("--dry-run", is_flag=True, help="Show the plan; write nothing.")
    @click.option(
        "-p", "--patch", is_flag=True, help="Also show what the plan changes inside the values."
    )
    @click.option("--full", is_flag=True, help="List every key, even if the plan is long.")
    @click.option("-y", "--yes", is_flag=True, help="Do not ask.")
    @wraps(command)
    def with_options(
        *given: Any, dry_run: bool, yes: bool, as_json: bool, full: bool, patch: bool, **words: Any
    ) -> Any:
        return command(*given, options=PlanOptions(dry_run, yes, as_json, full, patch), **words)

    return cast(Command, with_options)


def expect_answer(ctx: click.Context, options: PlanOptions) -> None:
    """Raise UsageError if nobody can be asked, and has to be."""
    if not (options.yes or options.dry_run or terminal.asks()):
        raise UsageError(
            f"{ctx.info_name} asks before it writes: add --yes, or --dry-run to see the plan"
        )


def carry_out(
    ctx: click.Context,
    backup: Backup,
    how: Restorer | Incoming,
    options: PlanOptions,
    left_out: Sequence[str] = (),
) -> None:
    """Show the plan, and carry it out where that is wanted.

    `left_out` is why files of the commit are no part of it: it is done in part only, then.
    """
    if how.resumes:
        terminal.warn("continuing the same restore, which was interrupted")
    if options.dry_run:
        how.plan(lambda plan: say_plan(backup, plan, options))
        return
    answer = Answer(backup, options)
    try:
        result = how.run(answer.to, lambda result: _say_done(result, options.as_json, answer.named))
    except (click.Abort, KeyboardInterrupt):
        if answer.yes:
            raise
        raise terminal.Untouched from None
    if not result.applied:
        _say_nothing(ctx, backup, result, options.as_json)
    made = [*filter(None, (result.saved, *result.meanwhile, result.recorded))]
    undone = [*restored.undone(result, left_out, answer.named)]
    if result.conflicts and (result.applied or not result.plan.keys):
        undone.append(conflicts.left(result.conflicts, answer.named))
    undone += say_after_commit(backup, options.as_json, *made).failed if made else []
    if undone:
        raise PartlyDone("; ".join(undone))


def say_plan(backup: Backup, plan: Plan, options: PlanOptions) -> None:
    """Print the plan."""
    if not options.as_json:
        with reading(backup) if options.patch else nullcontext():
            named = LabelledNames(backup).among(plan.commit)
            terminal.say(plan_lines(plan, options.full, labels_of(backup), named))
            if options.patch:
                say_differences(backup, plan, options)
        _say_more_before(backup, plan, as_json=False)
        return
    terminal.say_json(plan_object(plan))
    if options.patch:
        seen = view(backup)
        for key in plan.differences():
            terminal.say_json(object_of(key, seen))


def say_differences(backup: Backup, plan: Plan, options: PlanOptions) -> None:
    """Print what the plan changes inside each key; on standard error if the output is for a
    program."""
    seen = view(backup, options.full)
    for key in plan.differences():
        lines = change_lines(key.change, key.before, key.after, key.values, seen)
        terminal.say(["\n".join(lines)], err=options.as_json)


class Answer:
    """What a person says to a plan; `yes` is true from when it may be carried out.

    `named` returns a key as it is shown beside the plan.
    """

    def __init__(self, backup: Backup, options: PlanOptions) -> None:
        self.yes = False
        self.named = LabelledNames(backup)
        self._backup = backup
        self._options = options

    def to(self, plan: Plan) -> bool:
        """Show the plan, beside what is for a program, and ask."""
        options = self._options
        self.named = self.named.among(plan.commit)
        if not (options.yes and options.as_json):
            labels = labels_of(self._backup)
            lines = plan_lines(plan, options.full, labels, self.named)
            with nullcontext() if self.yes else terminal.showing_plan():
                terminal.say(lines, err=options.as_json)
                if options.patch:
                    say_differences(self._backup, plan, options)
        self.yes = options.yes or self._asked(plan)
        return self.yes

    def _asked(self, plan: Plan) -> bool:
        """Ask until the answer is yes or no; show on p what changes inside the values."""
        question = terminal.seen(f"Write this to {plan.server}? [y/N, p to see what changes]")
        while True:
            answer = click.prompt(question, default="n", show_default=False, err=True).lower()
            if answer in ("y", "yes", "n", "no"):
                return bool(answer[0] == "y")
            if answer == "p":
                with nullcontext() if self._options.as_json else reading(self._backup):
                    say_differences(self._backup, plan, self._options)


def _say_nothing(ctx: click.Context, backup: Backup, result: RestoreResult, as_json: bool) -> None:
    """Print that there was nothing to do, or that the person said no."""
    if as_json:
        terminal.say_json(restore_object(result))
    elif result.plan.keys:
        click.echo("nothing was changed")
    else:
        named = LabelledNames(backup).among(result.plan.commit)
        terminal.say(plan_lines(result.plan, named=named))
    if result.plan.keys:
        ctx.exit(1)
    _say_more_before(backup, result.plan, as_json)


def _say_more_before(backup: Backup, plan: Plan, as_json: bool) -> None:
    """Name the commit that has keys which HEAD lacks, if the database equals HEAD already: the one
    before an alarm, or before HEAD's own commit."""
    how = plan.how
    if plan.keys or plan.name or how.patterns or how.revert or how.undoes:
        return
    head = next(backup.log(limit=1))
    if head.id != plan.commit:
        return
    if alarm := backup.events.alarm():
        terminal.say([sentences.more_before_line(alarm.back + 1, alarm.missing)], err=as_json)
    elif head.parents and head.counts and head.counts.removed:
        terminal.say([sentences.more_before_line(1, head.counts.removed)], err=as_json)


def _say_done(result: RestoreResult, as_json: bool, named: LabelledNames) -> None:
    terminal.changed()
    if as_json:
        terminal.say_json(restore_object(result))
        return
    if result.saved:
        terminal.say([f"saved the previous state as {result.place}"])
    terminal.say(filter(None, [result.first_place]))
    for commit in result.meanwhile:
        terminal.say([f"saved what was written meanwhile as commit {commit[:7]}"])
    terminal.say(restored.outcome(result, named))
    if result.recorded:
        all_of_it = result.whole and not (result.plan.name or result.plan.how.revert)
        state = "the restored state" if all_of_it else "the current state"
        terminal.say([f"{state} is commit {result.recorded[:7]} (HEAD)"])
