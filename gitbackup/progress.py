"""The progress of long work, which the CLI shows. By default it is silent."""

from __future__ import annotations

from typing import Protocol


class Progress(Protocol):
    """Is told how work goes on."""

    def start(self, what: str, total: int | None, unit: str = "keys") -> None:
        """Begin work: `what` it is in a word or two, and `total` keys if that is known.

        What is counted is `unit`: keys, or bytes.
        """

    def advance(self, count: int) -> None:
        """Note that so many more keys, or bytes, are done."""

    def finish(self) -> None:
        """End the work, whether it succeeded or not."""


class Silent:
    """A Progress that says nothing."""

    def start(self, what: str, total: int | None, unit: str = "keys") -> None:
        pass

    def advance(self, count: int) -> None:
        pass

    def finish(self) -> None:
        pass


SILENT = Silent()
