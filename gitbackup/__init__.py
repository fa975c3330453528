"""gitbackup: git for a Redis database.

    from gitbackup import Backup

    backup = Backup("data-git-backup", url="redis://localhost:6379")
    print(backup.commit("added account").commit)

Everything is loaded when it is first used.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from gitbackup.backup.backup import Backup as Backup
    from gitbackup.backup.events import AfterCommit as AfterCommit
    from gitbackup.backup.events import Events as Events
    from gitbackup.backup.hooks import HookQueue as HookQueue
    from gitbackup.backup.hooks import HookRun as HookRun
    from gitbackup.backup.init import InitResult as InitResult
    from gitbackup.backup.rdb_files import RdbFiles as RdbFiles
    from gitbackup.checks.check import Checked as Checked
    from gitbackup.commit.commit import CommitResult as CommitResult
    from gitbackup.commit.watch import Trouble as Trouble
    from gitbackup.commit.watch import Watching as Watching
    from gitbackup.commit.words import Amended as Amended
    from gitbackup.commit.words import Words as Words
    from gitbackup.compare.diff import Diff as Diff
    from gitbackup.compare.diff import Status as Status
    from gitbackup.errors import Busy as Busy
    from gitbackup.errors import Damaged as Damaged
    from gitbackup.errors import GitbackupError as GitbackupError
    from gitbackup.errors import NoRepository as NoRepository
    from gitbackup.errors import PartlyDone as PartlyDone
    from gitbackup.errors import PasswordNeeded as PasswordNeeded
    from gitbackup.errors import ServerError as ServerError
    from gitbackup.errors import UsageError as UsageError
    from gitbackup.model.changes import Action as Action
    from gitbackup.model.commits import CommitInfo as CommitInfo
    from gitbackup.model.commits import Consistency as Consistency
    from gitbackup.model.commits import Pushed as Pushed
    from gitbackup.model.commits import Rehearsal as Rehearsal
    from gitbackup.model.commits import Selection as Selection
    from gitbackup.model.commits import Verdict as Verdict
    from gitbackup.model.keys import Entry as Entry
    from gitbackup.model.keys import Key as Key
    from gitbackup.model.merging import Side as Side
    from gitbackup.model.safety.proof import Proof as Proof
    from gitbackup.model.safety.risk import Level as Level
    from gitbackup.model.safety.risk import Risk as Risk
    from gitbackup.model.server.rdb import RdbFile as RdbFile
    from gitbackup.model.server.rdb import RdbListed as RdbListed
    from gitbackup.model.server.rdb import RdbNode as RdbNode
    from gitbackup.model.server.rdb import RdbSaved as RdbSaved
    from gitbackup.model.server.rdb import RdbVerified as RdbVerified
    from gitbackup.model.server.replicas import ReplicaRead as ReplicaRead
    from gitbackup.model.ttl import Ttl as Ttl
    from gitbackup.plan.plan import Plan as Plan
    from gitbackup.rdb.import_as_branch import RdbAdopted as RdbAdopted
    from gitbackup.remotes.sync import CloneResult as CloneResult
    from gitbackup.remotes.sync import PullResult as PullResult
    from gitbackup.remotes.sync import PushResult as PushResult
    from gitbackup.restore.result import RestoreResult as RestoreResult
    from gitbackup.transfer.export import ExportResult as ExportResult
    from gitbackup.verify.verify import Verified as Verified
    from gitbackup.version import __version__ as __version__

_HOMES = {
    "backup.backup": ("Backup",),
    "backup.events": (
        "AfterCommit",
        "Events",
    ),
    "backup.hooks": (
        "HookQueue",
        "HookRun",
    ),
    "backup.rdb_files": ("RdbFiles",),
    "checks.check": ("Checked",),
    "commit.commit": ("CommitResult",),
    "commit.watch": (
        "Trouble",
        "Watching",
    ),
    "commit.words": (
        "Amended",
        "Words",
    ),
    "compare.diff": (
        "Diff",
        "Status",
    ),
    "errors": (
        "Busy",
        "Damaged",
        "GitbackupError",
        "NoRepository",
        "PartlyDone",
        "PasswordNeeded",
        "ServerError",
        "UsageError",
    ),
    "backup.init": ("InitResult",),
    "model.changes": ("Action",),
    "model.commits": (
        "CommitInfo",
        "Consistency",
        "Pushed",
        "Rehearsal",
        "Selection",
        "Verdict",
    ),
    "model.keys": (
        "Entry",
        "Key",
    ),
    "model.merging": ("Side",),
    "model.safety.proof": ("Proof",),
    "model.server.rdb": (
        "RdbFile",
        "RdbListed",
        "RdbNode",
        "RdbSaved",
        "RdbVerified",
    ),
    "model.server.replicas": ("ReplicaRead",),
    "model.safety.risk": (
        "Level",
        "Risk",
    ),
    "model.ttl": ("Ttl",),
    "plan.plan": ("Plan",),
    "rdb.import_as_branch": ("RdbAdopted",),
    "remotes.sync": (
        "CloneResult",
        "PullResult",
        "PushResult",
    ),
    "restore.result": ("RestoreResult",),
    "transfer.export": ("ExportResult",),
    "verify.verify": ("Verified",),
    "version": ("__version__",),
}
_HOME_OF = {name: module for module, names in _HOMES.items() for name in names}

__all__ = sorted(name for name in _HOME_OF if name[0] != "_")


def __getattr__(name: str) -> Any:
    """Load what is asked for (PEP 562)."""
    if name not in _HOME_OF:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    from importlib import import_module

    return getattr(import_module(f"{__name__}.{_HOME_OF[name]}"), name)


def __dir__() -> list[str]:
    return [*globals(), *__all__]
