"""The server that a restore test runs: one that knows the data's types."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple, Self

from gitbackup.errors import ServerError
from gitbackup.kinds import same
from gitbackup.live.connection.address import parse
from gitbackup.live.connection.connect import connect
from gitbackup.live.read.key_reader import KeyReader
from gitbackup.live.server.embedded import EmbeddedServer, find_servers
from gitbackup.live.write.key_writer import KeyWrite, KeyWriter
from gitbackup.model.keys import Entry

DATABASES = 16  # at least


class DrillServer(NamedTuple):
    """The program of a server, None for the first that is found, and the modules that it loads."""

    program: Path | None = None
    modules: tuple[Path, ...] = ()

    def start(self, databases: int = DATABASES) -> EmbeddedServer:
        """Return an empty server, to be entered as a context."""
        return EmbeddedServer(self.program, databases=databases, modules=self.modules)

    def choose(self, samples: Sequence[Entry]) -> Self:
        """Return the server with the program given, or else the first at hand that gives back
        most of these entries as they are, or at least takes most."""
        if self.program or not samples:
            return self
        at_hand = [self._replace(program=program) for program in find_servers()]
        return min(at_hand, key=lambda server: server.failures(samples), default=self)

    def failures(self, samples: Sequence[Entry]) -> tuple[int, int]:
        """Return how many of these entries it does not give back as they are, and does not take."""
        steps = [KeyWrite(b"%d" % at, None, entry) for at, entry in enumerate(samples)]
        try:
            with self.start() as embedded:
                server = connect(parse(embedded.url))
                with KeyWriter(server) as writer, KeyReader(server) as reader:
                    refused = len(writer.apply(0, steps).refused)
                    entries = [
                        entry for _, entry in reader.entries(0, [step.key for step in steps])
                    ]
        except ServerError:  # it may not even start: a module may be for another brand
            return len(steps), len(steps)
        return sum(not same(*pair) for pair in zip(entries, samples, strict=True)), refused
