"""What a site knows of the database without a browser."""

from __future__ import annotations

import threading
from pathlib import Path
from typing import Any

import pytest

from gitbackup import Backup
from gitbackup.progress import SILENT, Progress
from gitbackup.ui.views.live import Live, Sight, State
from tests.servers import LiveServer


@pytest.fixture
def live(valkey: LiveServer, tmp_path: Path) -> Live:
    with valkey.client() as client:
        client.set("key", "value")
    Backup(tmp_path / "data", valkey.url).commit()
    return Live(lambda progress: Backup(tmp_path / "data", valkey.url, progress=progress))


def test_what_is_known_is_of_head(live: Live) -> None:
    sight = live.sight(30)
    assert (sight.state, sight.head, sight.keys) == (State.KNOWN, live.head(), 1)
    assert sight.knows(live.head())
    assert sight.status is not None
    assert not sight.status.summary.counts


def test_who_asks_anew_is_never_told_that_nothing_was_written(
    live: Live, valkey: LiveServer
) -> None:
    """However soon after the last comparison."""
    live.sight(30)
    with valkey.client() as client:
        client.set("other", "value")
    sight = live.sight(30, fresh=True)
    assert sight.status is not None
    assert sight.stale or sight.status.summary.counts.added == 1


def test_who_asks_before_a_comparison_ends_is_answered_by_the_next(
    live: Live, valkey: LiveServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What was written once it had read all is not missed."""
    goes_on, look = threading.Event(), live._look

    def slow(*how: Any) -> None:
        look(*how)
        assert goes_on.wait(30)

    monkeypatch.setattr(live, "_look", slow)
    live.sight(30)
    with valkey.client() as client:
        client.set("other", "value")
    seen: list[Sight] = []
    asker = threading.Thread(target=lambda: seen.append(live.sight(30, fresh=True)))
    asker.start()
    while not live._fresh:
        asker.join(0.01)
    goes_on.set()
    asker.join()
    (sight,) = seen
    assert sight.status is not None
    assert sight.stale or sight.status.summary.counts.added == 1


def test_nothing_is_compared_while_the_site_is_busy(valkey: LiveServer, tmp_path: Path) -> None:
    """What a restore has written half is no change of somebody's."""
    Backup(tmp_path / "data", valkey.url).commit(allow_empty=True)
    live = Live(lambda progress: Backup(tmp_path / "data", valkey.url), busy=lambda: True)
    assert live.sight(30).status is None
    assert live.sight(30, look=True).status is not None


def test_a_fault_of_ours_leaves_a_sentence(
    valkey: LiveServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """And what it was is for the terminal."""
    told: list[object] = []
    monkeypatch.setattr(threading, "excepthook", lambda ended: told.append(ended.exc_type))

    def opened(progress: Progress) -> Backup:
        if progress is not SILENT:  # it is for the comparison
            raise ZeroDivisionError
        return Backup(tmp_path / "data", valkey.url)

    sight = Live(opened).sight(30)
    assert (sight.state, sight.problem) == (
        State.FAILED,
        "This page has a fault; the terminal says where.",
    )
    for thread in threading.enumerate():
        if thread.name == "live":
            thread.join(30)
    assert told == [ZeroDivisionError]
