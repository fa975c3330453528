"""What `forget` is going to do, and what it did, in words."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from gitbackup.forget.forget import ForgetPlan, ForgetResult
from gitbackup.format import codec
from gitbackup.format.names import escape, key_list, name
from gitbackup.model.amounts import counted
from gitbackup.report.text.redis_cli import command_line
from gitbackup.store.metadata.forgotten import Forgotten


def plan_lines(plan: ForgetPlan) -> Iterator[str]:
    """Yield the plan."""
    versions = counted(plan.versions, "value")
    yield f"forget {_label(plan)}: {versions} in {plan.commits:,} of {plan.total:,} commits"
    if plan.first:
        yield (
            f"  {counted(plan.rewritten, 'commit')} from {plan.first[:7]} on get new ids;"
            " branches, tags, notes and logs follow"
        )
    for remote in plan.remotes:
        yield f"  {escape(remote.name)} ({escape(remote.place)}) has it until it follows"
    if plan.also_in:
        yield f"  other keys of HEAD have the same value, and keep it: {key_list(plan.also_in)}"
    yield "  the database is not touched"


def done_lines(result: ForgetResult, repo_words: str, rdb_files: int) -> Iterator[str]:
    """Yield what was done, and what is left to do; `repo_words` name the repository."""
    plan = result.plan
    if result.before:
        yield f"{_label(plan)} was forgotten before: no commit has it"
    elif not result.done:
        return
    else:
        head = f": HEAD {result.head[:7]}" if result.head else ""
        yield f"forgot {_label(plan)}; {counted(plan.rewritten, 'commit')} rewritten{head}"
    for remote in plan.remotes:
        words = repo_words if remote.command.startswith("gitbackup ") else ""
        yield f"to replace the history at {escape(remote.name)}: {escape(remote.command)}{words}"
    if any(remote.command.startswith("gitbackup push ") for remote in plan.remotes):
        yield "a cloud drive may keep older versions of the bundle: remove them there"
    yield f"in other clones, pull says what to do; in redis-cli, {_command(plan)} removes it live"
    if rdb_files:
        files = counted(rdb_files, "RDB file")
        yield f"{files} may hold it, too: gitbackup rdb list names them"


def allowed_lines(records: Sequence[Forgotten]) -> Iterator[str]:
    """Yield what may be committed again."""
    for record in records:
        yield f"{escape(str(record))} may be committed again"


def _label(plan: ForgetPlan) -> str:
    part = "" if plan.field is None else f", field {name(plan.field)}"
    return f"{name(plan.key)}{part}"


def _command(plan: ForgetPlan) -> str:
    key = codec.data(plan.key)
    if plan.field is None:
        return command_line(("DEL", key))
    return command_line(("HDEL", key, codec.data(plan.field)))
