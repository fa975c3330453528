"""Trials one after another, in a world that is made anew now and then, and after a failure."""

from __future__ import annotations

import shutil
import tempfile
import time
from collections.abc import Callable
from contextlib import AbstractContextManager, ExitStack
from pathlib import Path

from tests.torture.database import Gone
from tests.torture.figures import Figures
from tests.torture.starter import Starter
from tests.torture.trial import Trial, Verdict
from tests.torture.world import Cost, World, may_mount

IN_A_WORLD = 40  # trials


class Session(AbstractContextManager["Session"]):
    """`keep` is where what a failure leaves is copied to; `say` is told what happens, and `save`
    called after each world."""

    def __init__(
        self,
        seed: str,
        keep: Path | None = None,
        say: Callable[[str], None] = lambda line: None,
        save: Callable[[], None] = lambda: None,
    ) -> None:
        self._seed = seed
        self._keep = keep
        self._say = say
        self._save = save
        self._costs: dict[str, Cost] = {}
        self._opened = ExitStack()

    def __enter__(self) -> Session:
        folder = Path(self._opened.enter_context(tempfile.TemporaryDirectory(prefix="torturer-")))
        self._starter = self._opened.enter_context(Starter(folder))
        self._mounts = may_mount()
        return self

    def __exit__(self, *_: object) -> None:
        self._opened.close()

    def run(self, figures: Figures, over: Callable[[], bool]) -> None:
        """One world after another, until it is over."""
        number = 0
        while not over():
            self.world(f"{self._seed}-{number}", figures, over)
            number += 1

    def replay(self, name: str, figures: Figures) -> None:
        """A world's trials up to that one."""
        world, _, last = name.rpartition(":")
        left = figures.count + int(last) + 1
        self.world(world, figures, lambda: figures.count >= left)

    def world(self, name: str, figures: Figures, over: Callable[[], bool]) -> None:
        began, before = time.monotonic(), figures.count
        try:
            with World(name, self._starter, self._costs, self._mounts) as world:
                self._trials(world, figures, over)
        except (Gone, OSError) as error:  # a server does not start on a machine that is too busy
            self._say(f"world {name} is no place for trials: {error}")
            return
        took, made = time.monotonic() - began, figures.count - before
        about = f"{world.brand}{' keeps' * world.keeps}{' disk' * world.disk}"
        about += " clock" if world.clock else ""
        self._say(f"world {name} ({about}): {made} trials, {took / max(made, 1):.2f} s each")
        self._save()

    def _trials(self, world: World, figures: Figures, over: Callable[[], bool]) -> None:
        for number in range(IN_A_WORLD):
            if over():
                return
            verdict = Trial(world, number).run()
            figures.take(verdict)
            if verdict.law:
                self._tell(verdict, world)
                return

    def _tell(self, verdict: Verdict, world: World) -> None:
        replay = f"python -m tests.torture --replay {verdict.trial}"
        self._say(f"FAILED {verdict.act} / {verdict.fault}: {verdict.told}\n    {replay}")
        if self._keep:
            to = self._keep / verdict.trial.replace(":", "_")
            shutil.copytree(world.work, to, symlinks=True, dirs_exist_ok=True)
            (to / "told").write_text(f"{verdict.told}\n{replay}\n")
