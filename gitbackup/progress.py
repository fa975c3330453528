"""What the engine tells of long work. Silence is the default; the CLI draws a line."""

from __future__ import annotations

from typing import Protocol


class Progress(Protocol):
    """Told of work as it goes; never asked anything."""

    def start(self, what: str, total: int | None) -> None:
        """A stretch of work begins: `what` in a word or two, `total` keys if known."""

    def advance(self, keys: int) -> None:
        """So many more keys are done."""

    def finish(self) -> None:
        """The stretch is over, well or not."""


class Silent:
    """A Progress that says nothing."""

    def start(self, what: str, total: int | None) -> None:
        pass

    def advance(self, keys: int) -> None:
        pass

    def finish(self) -> None:
        pass


SILENT = Silent()
