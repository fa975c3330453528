"""The remotes of a repository: which there are, push to them, pull and clone from them.

What arrives is measured and checked before it counts. Which settings travel, and when to push, is
for the room `remotes` to decide.

Each module is loaded when it is first used: most commands need none.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from gitbackup.store.remotes import clone as clone
    from gitbackup.store.remotes import push_pull as push_pull
    from gitbackup.store.remotes import remotes as remotes


def __getattr__(name: str) -> Any:
    """Load a module of this room (PEP 562)."""
    if name not in ("clone", "push_pull", "remotes"):
        raise AttributeError(name)
    return import_module(f"{__name__}.{name}")
