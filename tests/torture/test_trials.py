"""A share of the torture; and that it would tell, were something wrong."""

from __future__ import annotations

import os
import signal
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from gitbackup.live.server import staging_keys
from gitbackup.restore import commits
from gitbackup.store.repository.repository import Repository
from tests.servers import in_turn
from tests.torture.database import Held, State
from tests.torture.figures import Figures
from tests.torture.session import Session
from tests.torture.starter import Starter
from tests.torture.trial import Trial
from tests.torture.world import World


def tortured(seed: str, trials: int) -> Figures:
    figures = Figures()
    with Session(seed) as session:
        session.run(figures, lambda: figures.count >= trials)
    assert figures.count == trials
    return figures


def test_nothing_is_lost_whatever_goes_wrong() -> None:
    failures = tortured("pytest", 10).failures
    assert not failures, "\n".join(failure["told"] for failure in failures)


@pytest.mark.long
def test_nothing_is_lost_whatever_goes_wrong_for_long() -> None:
    failures = tortured("long", 80).failures
    assert not failures, "\n".join(failure["told"] for failure in failures)


def saves_nothing(repository: Repository, live_state: Any, *rest: Any) -> Any:
    """A restore that overwrites what is in no commit."""
    return live_state.parent


def leaves_a_lock(self: Repository) -> None:
    """A command that leaves behind what keeps git from its work."""
    (self.path / ".git" / "index.lock").touch()


@pytest.mark.long
@pytest.mark.parametrize(
    ("broken", "put", "law"),
    [
        ((commits, "commit_before"), saves_nothing, "lost"),
        ((Repository, "maintain"), leaves_a_lock, "needs a person"),
    ],
)
def test_it_tells_what_is_wrong(
    monkeypatch: pytest.MonkeyPatch,
    broken: tuple[object, str],
    put: Callable[..., object],
    law: str,
) -> None:
    """The runs are forks of this process, so what is broken here is broken there."""
    monkeypatch.setattr(*broken, put)
    figures = Figures()

    def is_told() -> bool:
        return law in {failure["law"] for failure in figures.failures}

    with Session("broken") as session:
        session.run(figures, lambda: is_told() or figures.count >= 300)
    assert is_told()


@pytest.mark.long
def test_a_trial_is_replayed(tmp_path: Path) -> None:
    """The same world, up to the same trial."""
    figures = Figures()
    with Session("replayed", tmp_path) as session:
        session.replay("replayed-0:2", figures)
    assert figures.count == 3


def test_what_a_run_has_built_aside_is_in_no_commit() -> None:
    aside = 0, staging_keys.name_for(b"a")
    tokens = {(0, b"a"): b"t0k00000000", aside: b"t0k00000001"}
    keys = {key: Held(b"stream", "", -1, frozenset({token})) for key, token in tokens.items()}
    state = State(keys, frozenset(), b"", 0)
    assert (state.aside, state.tokens) == ([aside], frozenset({b"t0k00000000"}))


@pytest.mark.long
def test_a_restore_that_has_made_its_last_commit_is_not_typed_again(tmp_path: Path) -> None:
    """The same words would do something else by then: an undo takes back the undo."""
    with Starter(tmp_path) as starter, World("completed", starter, {}, False) as world:
        assert world.run("commit").code == 0
        world.writer.write(world.database, 6)
        head = world.plain.head()
        assert not Trial(world, 0)._completed(head)
        assert world.run("restore", "HEAD", "--yes").code == 0
        assert Trial(world, 0)._completed(head)


@pytest.mark.parametrize("script", in_turn(["import time; time.sleep(600)", "while True: pass"]))
def test_a_run_that_does_nothing_or_works_for_ever_hangs(tmp_path: Path, script: str) -> None:
    with Starter(tmp_path) as starter:
        run = starter.start(["-c", script], tmp_path, dict(os.environ), script=[sys.executable])
        assert run.end(0.3) is None
        assert run.signal(signal.SIGKILL)
