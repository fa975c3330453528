"""gitbackup: git for a Redis database.

    from gitbackup import Backup

    backup = Backup("data-git-backup", url="redis://localhost:6379")
    print(backup.commit("added account").commit)

Everything is loaded when it is first used.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from gitbackup.backup import Backup as Backup
    from gitbackup.backup import InitResult as InitResult
    from gitbackup.backup.rdb import RdbFiles as RdbFiles
    from gitbackup.errors import Busy as Busy
    from gitbackup.errors import Damaged as Damaged
    from gitbackup.errors import GitbackupError as GitbackupError
    from gitbackup.errors import NoRepository as NoRepository
    from gitbackup.errors import PartlyDone as PartlyDone
    from gitbackup.errors import PasswordNeeded as PasswordNeeded
    from gitbackup.errors import ServerError as ServerError
    from gitbackup.errors import UsageError as UsageError
    from gitbackup.model import Action as Action
    from gitbackup.model import CommitInfo as CommitInfo
    from gitbackup.model import Consistency as Consistency
    from gitbackup.model import Entry as Entry
    from gitbackup.model import Key as Key
    from gitbackup.model import Pushed as Pushed
    from gitbackup.model import Rehearsal as Rehearsal
    from gitbackup.model import Selection as Selection
    from gitbackup.model import Verdict as Verdict
    from gitbackup.model.proof import Proof as Proof
    from gitbackup.model.rdb import RdbFile as RdbFile
    from gitbackup.model.rdb import RdbListed as RdbListed
    from gitbackup.model.rdb import RdbSaved as RdbSaved
    from gitbackup.model.rdb import RdbVerified as RdbVerified
    from gitbackup.model.risk import Level as Level
    from gitbackup.model.risk import Risk as Risk
    from gitbackup.model.ttl import Ttl as Ttl
    from gitbackup.ops.check import Checked as Checked
    from gitbackup.ops.commit import CommitResult as CommitResult
    from gitbackup.ops.diff import Diff as Diff
    from gitbackup.ops.diff import Status as Status
    from gitbackup.ops.export import ExportResult as ExportResult
    from gitbackup.ops.outcome import RestoreResult as RestoreResult
    from gitbackup.ops.rdb_history import RdbAdopted as RdbAdopted
    from gitbackup.ops.transfer import CloneResult as CloneResult
    from gitbackup.ops.transfer import PullResult as PullResult
    from gitbackup.ops.transfer import PushResult as PushResult
    from gitbackup.ops.verify import Verified as Verified
    from gitbackup.ops.watch import Trouble as Trouble
    from gitbackup.ops.watch import Watching as Watching
    from gitbackup.plan import Plan as Plan

_HOMES = {
    "backup": ("Backup", "InitResult"),
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
    "model": (
        "Action",
        "CommitInfo",
        "Consistency",
        "Entry",
        "Key",
        "Pushed",
        "Rehearsal",
        "Selection",
        "Verdict",
    ),
    "ops.check": ("Checked",),
    "ops.commit": ("CommitResult",),
    "ops.diff": ("Diff", "Status"),
    "ops.export": ("ExportResult",),
    "ops.outcome": ("RestoreResult",),
    "ops.rdb_history": ("RdbAdopted",),
    "ops.transfer": ("CloneResult", "PullResult", "PushResult"),
    "ops.verify": ("Verified",),
    "ops.watch": ("Trouble", "Watching"),
    "plan": ("Plan",),
    "model.proof": ("Proof",),
    "model.risk": ("Level", "Risk"),
    "model.ttl": ("Ttl",),
    "backup.rdb": ("RdbFiles",),
    "model.rdb": ("RdbFile", "RdbListed", "RdbSaved", "RdbVerified"),
}
_HOME_OF = {name: module for module, names in _HOMES.items() for name in names}

__all__ = sorted(_HOME_OF)


def __getattr__(name: str) -> Any:
    """Loads what is asked for (PEP 562)."""
    if name not in _HOME_OF:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    from importlib import import_module

    return getattr(import_module(f"{__name__}.{_HOME_OF[name]}"), name)


def __dir__() -> list[str]:
    return [*globals(), *__all__]
