"""What is told of long work: how much of how much is done, and nothing where nobody looks."""

from __future__ import annotations

import io

import pytest

from gitbackup.capture.reader import SnapshotReader
from gitbackup.cli.output import terminal
from gitbackup.live.connection.address import parse
from gitbackup.live.connection.connect import connect
from gitbackup.model.keys import Scope
from tests.live_snapshot import Kept
from tests.servers import LiveServer


class Told:
    """A Progress that notes each stretch: what it was, how many there were to be, and were."""

    def __init__(self) -> None:
        self.stretches: list[tuple[str, int | None, int]] = []

    def start(self, what: str, total: int | None, unit: str = "keys") -> None:
        self.stretches.append((what, total, 0))

    def advance(self, count: int) -> None:
        what, total, done = self.stretches[-1]
        self.stretches[-1] = (what, total, done + count)

    def finish(self) -> None:
        """It is over, well or not."""


@pytest.mark.parametrize(
    ("scope", "read"),
    [(Scope(), 300), (Scope(exclude=("a:*",)), 200), (Scope(include=("a:*", "b:1*")), 111)],
)
def test_reading_tells_how_much_of_its_scope_is_done(
    server: LiveServer, scope: Scope, read: int
) -> None:
    with server.client() as client:
        client.mset({f"{space}:{number}": "v" for space in "abc" for number in range(100)})
    told = Told()
    SnapshotReader(connect(parse(server.url)), scope, told).read(Kept())
    assert told.stretches == [("listing db0", 300, 300), ("reading db0", read, read)]


class Screen(io.StringIO):
    def isatty(self) -> bool:
        return True


@pytest.fixture
def impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(terminal, "PATIENCE", -1.0)
    monkeypatch.setattr(terminal, "STEP", -1.0)


def draw(line: terminal.Line) -> None:
    line.start("reading db0", 400)
    line.advance(100)
    line.finish()


@pytest.mark.usefixtures("impatient")
def test_a_terminal_shows_the_keys_done_their_share_the_rate_and_the_time_left(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    screen = Screen()
    monkeypatch.setattr("sys.stderr", screen)
    draw(terminal.Line())
    shown = screen.getvalue()
    assert "reading db0: 100 of 400 keys (25%), " in shown
    assert " a second, " in shown
    assert " s left" in shown
    assert shown.endswith("\r\x1b[K")  # in the end the line is gone


@pytest.mark.usefixtures("impatient")
def test_a_pipe_shows_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    pipe = io.StringIO()
    monkeypatch.setattr("sys.stderr", pipe)
    draw(terminal.Line())
    assert pipe.getvalue() == ""
