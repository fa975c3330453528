"""`gitbackup verify`."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from gitbackup.cli.arguments.options import (
    OwnFirst,
    color_option,
    examples,
    json_option,
    lock_wait_option,
    module_option,
    open_backup,
    program,
    repo_option,
)
from gitbackup.cli.completion import completions
from gitbackup.cli.output import pager, terminal
from gitbackup.errors import Damaged, GitbackupError, PartlyDone, UsageError
from gitbackup.format.names import key_list
from gitbackup.report.json.verify import proof_object
from gitbackup.report.text.verify import end_lines, proof_lines

if TYPE_CHECKING:  # it loads what `verify --help` has no need of
    from gitbackup.model.safety.proof import Proof
    from gitbackup.verify.verify import Verified


@click.command(
    cls=OwnFirst,
    epilog=examples(
        "gitbackup verify",
        "gitbackup verify before-upgrade --json",
        "gitbackup verify --all",
        "gitbackup verify --server /usr/bin/redis-server --module ./redisbloom.so",
        failed="failed, or a problem was found",
    ),
)
@repo_option
@lock_wait_option
@json_option
@color_option
@click.option(
    "--all", "every", is_flag=True, help="Verify every commit of HEAD and of all branches."
)
@click.option(
    "--server",
    metavar="PROGRAM",
    callback=program,
    help="The redis-server or valkey-server to run. [default: one that can hold the data]",
)
@module_option
@click.argument(
    "commit_ish", metavar="[COMMIT-ISH]", required=False, shell_complete=completions.commits
)
@click.pass_context
def verify(
    ctx: click.Context,
    repo: Path | None,
    as_json: bool,
    every: bool,
    server: Path | None,
    modules: tuple[Path, ...],
    commit_ish: str | None,
) -> None:
    """Verify that COMMIT-ISH (default: HEAD) is intact and restores exactly.

    Checks the repository (git fsck), and that each file has the form in which a commit writes
    it. Then restores the commit into an empty temporary server, commits it again from there,
    and compares the two. It does not touch your server or your files. While it runs, it takes
    as much memory as the database.

    The result is saved as a git note, which `gitbackup log` shows. The exit code is 13 if the
    repository is damaged or a restore would refuse the commit; 1 if a file is not as a commit
    writes it or a value does not restore exactly; and 3 if the only problem is a key whose
    type no server at hand knows.
    """
    if every and commit_ish is not None:
        raise UsageError("give either a commit or --all")
    wanted = None if every else commit_ish or "HEAD"
    backup = open_backup(repo)
    ctx.meta[pager.NO_PAGER] = True  # it would stand between proofs that take their time

    def tell(proof: Proof) -> None:
        if not as_json:
            terminal.say(proof_lines(proof))

    with pager.reading(backup):
        result = backup.verify(wanted, server=server, modules=modules, tell=tell)
        _say(result, as_json)
    _judge(result)


def _say(result: Verified, as_json: bool) -> None:
    """Print the verdict on all commits."""
    if as_json:
        for proof in result.proofs:
            terminal.say_json(proof_object(proof, result.problems, result.unnoted))
    else:
        terminal.say(end_lines(result.problems, result.proofs, result.seconds))
    if result.unnoted:
        terminal.warn(f"warning: the result was not saved: {result.unnoted}")


def _judge(result: Verified) -> None:
    """Raise the error whose exit code tells the worst verdict of all."""
    damaged = [proof for proof in result.proofs if proof.damaged]
    failed = [proof for proof in result.proofs if proof.findings]
    partly = [proof for proof in result.proofs if proof.untried]
    if result.problems:
        raise Damaged(f"the data repository is damaged: {result.problems[0]}")
    if damaged:
        raise Damaged(f"{_named(damaged)} cannot be restored as it is")
    if failed:
        raise GitbackupError(f"{_named(failed)} failed")
    if partly:
        keys = key_list(one.key for one in partly[0].untried)
        raise PartlyDone(f"{_named(partly)} passed, except for what the server cannot hold: {keys}")


def _named(found: list[Proof]) -> str:
    if len(found) == 1:
        return f"commit {found[0].commit[:7]}"
    return f"each of {len(found):,} commits, of which {found[0].commit[:7]} is the newest,"
