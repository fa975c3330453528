"""What goes wrong, and when.

A fault strikes at a share of what the command takes when nothing goes wrong: at a step that it
takes in the system, at a byte between it and the server, at a moment; or it is there at first.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from random import Random

from tests.torture.acts import Act
from tests.torture.database import HOUR, Gone, Writer
from tests.torture.starter import Ended, Run, kill_git
from tests.torture.world import PATIENCE, World


@dataclass(frozen=True)
class Fault:
    """`at` is the instant, between 0 and 1; `disturbs` where it changes or loses data itself."""

    kind: str
    when: str  # step, byte, time, start
    at: float
    disturbs: bool = False
    stays: bool = False  # the trouble goes on until the command has ended


KINDS = {
    # kind: (weight, instants, needs the server, disturbs)
    "kill gitbackup": (22, ("step", "step", "byte", "time"), False, False),
    "kill git": (10, ("step", "step", "time"), False, False),
    "kill server": (8, ("byte", "time"), True, True),
    "cut": (8, ("byte",), True, False),
    "stall": (2, ("byte",), True, False),
    "slow": (2, ("byte",), True, False),
    "flip": (7, ("byte",), True, True),
    "restart": (4, ("byte", "time"), True, False),
    "out of memory": (5, ("start", "byte"), True, False),
    "replica": (4, ("start", "byte"), True, False),
    "flush": (4, ("byte", "time"), True, True),
    "evict": (4, ("start", "byte"), True, True),
    "a second run": (7, ("byte", "time"), False, True),
    "plain git": (5, ("byte", "time"), False, False),
    "a writer": (7, ("start",), True, True),
}
DISK = {
    "disk full": (40, ("start", "time"), False, False),
    "read-only": (12, ("start",), False, False),
}
CLOCK = {"clock": (40, ("start", "byte", "time"), True, True)}
ALL = (*KINDS, *DISK, *CLOCK)


def pick(world: World, act: Act, chance: Random) -> Fault:
    """One that can be where the world is, and the command goes."""
    kinds = KINDS | (DISK if world.disk else {}) | (CLOCK if world.clock else {})
    fit = {kind: facts for kind, facts in kinds.items() if act.server or not facts[2]}
    kind = chance.choices([*fit], [facts[0] for facts in fit.values()])[0]
    _, instants, _, disturbs = fit[kind]
    when = chance.choice([one for one in instants if act.server or one != "byte"])
    if kind in ("kill server", "restart"):
        disturbs = not world.keeps and kind == "kill server"
    return Fault(kind, when, chance.random(), disturbs)


class Trouble:
    """A fault that is made to happen to one run."""

    def __init__(self, world: World, fault: Fault, act: Act, chance: Random) -> None:
        self.world, self.fault, self.act, self.chance = world, fault, act, chance
        self.struck = False
        self.instant = ""
        self.second: Run | None = None
        self.second_ended: Ended | None = None
        self.second_words: list[str] = []
        self.told: list[tuple[bytes, bytes]] = []  # (key, token) that a writer's were replaced
        self.latest: dict[bytes, bytes] = {}
        self.errors: list[str] = []
        self.by_hand = False  # whether a person made a commit
        self._run: Run | None = None
        self._ready = threading.Event()
        self._over = threading.Event()
        self._writer: threading.Thread | None = None

    @property
    def dies(self) -> tuple[str, int] | None:
        """What the run is to kill of itself, and at which of its steps."""
        victims = {"kill gitbackup": "self", "kill git": "git"}
        if self.fault.when != "step" or self.fault.kind not in victims:
            return None
        at = 1 + int(self.fault.at * self.world.cost(self.act.kind).steps)
        self.instant = f"step {at}"
        return victims[self.fault.kind], at

    def arm(self) -> None:
        """Before the run begins."""
        proxy, cost = self.world.proxy, self.world.cost(self.act.kind)
        if self.fault.when == "start":
            self.instant = "the start"
            self._strike()
        elif self.fault.when == "byte":
            of_replies = self.fault.kind == "flip"
            total = cost.replied if of_replies else cost.bytes
            at = int(self.fault.at * total)
            self.instant = f"byte {at}"
            proxy.at(at, self._at_byte, of_replies)

    def follow(self, run: Run) -> None:
        """While the run goes on."""
        self._run = run
        self._ready.set()
        if self.fault.when == "time":
            seconds = self.fault.at * self.world.cost(self.act.kind).seconds
            self.instant = f"{seconds:.3f} s"
            if run.wait(seconds) is None:
                self._strike()

    def lift(self, ended: Ended | None) -> None:
        """After it: all is well again, but for what it has left."""
        world, database = self.world, self.world.database
        world.proxy.as_ever()
        self._over.set()
        if self._writer:
            self._writer.join()
        if self.second:
            done = self.second.end(PATIENCE)
            if done is None:
                self.second.signal(9)
                self.errors.append(f"{self.second_words} hangs beside it")
            else:
                self.second_ended = done
        if world.disk:
            world.free_disk()
        if not database.up:
            database.start()
        database.hang_up()
        database.ask(
            ("CONFIG", "SET", "maxmemory", 0),
            ("CONFIG", "SET", "maxmemory-policy", "noeviction"),
            ("REPLICAOF", "NO", "ONE"),
        )
        if ended and ended.struck:
            self.struck = True

    def _at_byte(self, data: bytes) -> bytes:
        kind = self.fault.kind
        if kind == "cut":
            self.struck = True
            self.world.proxy.cut()
            return b""
        if kind == "flip":
            self.struck = True
            return bytes([data[0] ^ (1 << self.chance.randrange(8))]) + data[1:]
        if kind == "stall":
            self.struck = True
            time.sleep(0.3)
        elif kind == "slow":
            self._drip()
        else:
            self._strike()
        return data

    def _drip(self, left: int = 40) -> None:
        self.struck = True
        time.sleep(0.003)
        if left:
            self.world.proxy.at(
                self.chance.randrange(1, 40), lambda data: self._dripped(data, left)
            )

    def _dripped(self, data: bytes, left: int) -> bytes:
        self._drip(left - 1)
        return data

    def _strike(self) -> None:
        with suppress(Gone):
            STRIKES[self.fault.kind](self)

    def _running(self) -> Run:
        self._ready.wait(5)
        assert self._run is not None
        return self._run

    def _kill_gitbackup(self) -> None:
        self.struck = self._running().signal(9)

    def _kill_git(self) -> None:
        until = time.monotonic() + 0.05
        while time.monotonic() < until and not self.struck:
            self.struck = kill_git(self._running().pid)

    def _kill_server(self) -> None:
        self.world.database.kill()
        self.struck = True

    def _restart(self) -> None:
        self.world.database.stop()
        self.world.database.start()
        self.struck = True

    def _out_of_memory(self) -> None:
        (info,) = self.world.database.ask(("INFO", "memory"))
        used = int(info.split(b"used_memory:")[1].split()[0])
        room = self.chance.choice((-1, 0, 2_000, 20_000, 60_000))
        limit = used + room if room >= 0 else 1
        self.world.database.ask(("CONFIG", "SET", "maxmemory", limit))
        self.struck = True

    def _replica(self) -> None:
        self.world.database.ask(("REPLICAOF", "127.0.0.1", "1"))
        self.struck = True

    def _flush(self) -> None:
        self.world.database.ask(("FLUSHALL",))
        self.struck = True

    def _evict(self) -> None:
        self.world.database.ask(
            ("CONFIG", "SET", "maxmemory-policy", "allkeys-random"),
        )
        (info,) = self.world.database.ask(("INFO", "memory"))
        used = int(info.split(b"used_memory:")[1].split()[0])
        share = self.chance.choice((0.9, 0.98, 1.0, 1.01))
        self.world.database.ask(("CONFIG", "SET", "maxmemory", int(used * share)))
        self.struck = True

    def _second(self) -> None:
        push = ["push", str(self.world.cloud)]
        choices = (["commit"], ["commit", "-m", "the other"], ["status"], ["log"], push)
        words = self.chance.choice(choices)
        if self.world.known and self.chance.random() < 0.4:
            words = ["restore", self.chance.choice([*self.world.known]), "--yes"]
        self.second_words = words
        self.second = self.world.start(words)
        self.struck = True

    def _plain_git(self) -> None:
        words = self.chance.choice(
            (
                ["commit", "--allow-empty", "-q", "-m", "by hand"],
                ["gc", "-q"],
                ["status"],
                ["repack", "-adq"],
                ["tag", f"t{self.chance.randrange(10**9)}"],
                ["branch", f"b{self.chance.randrange(10**9)}"],
            )
        )
        if self.world.repo.exists():
            self.world.plain.run(*words)
            self.by_hand = words[0] == "commit"
            self.instant += f" git {words[0]}"
            self.struck = True

    def _write(self) -> None:
        self._writer = threading.Thread(target=self._go_on_writing)
        self._writer.start()
        self.struck = True

    def _go_on_writing(self) -> None:
        """Writes to strings, and hears each time which value was there."""
        made = Writer(self.chance, self.world.name)
        database = self.world.database
        database.ask(("SELECT", 0))
        while not self._over.is_set():
            key, token = b"w:%d" % self.chance.randrange(6), made.token()
            (before,) = database.ask(("SET", key, token, "GET"))
            if isinstance(before, bytes) or before is None:
                last = self.latest.get(key)
                if last is not None and before != last:
                    self.told.append((key, last))
                self.latest[key] = token
            time.sleep(0.0005)

    def _disk_full(self) -> None:
        self.world.fill_disk(self.chance.choice((0, 4096, 16_384, 65_536, 262_144)))
        self.struck = True

    def _read_only(self) -> None:
        self.world.remount("ro")
        self.struck = True

    def _clock(self) -> None:
        self.world.database.jump(self.chance.choice((-HOUR, HOUR, 2 * HOUR, 48 * HOUR, 0)))
        self.struck = True


STRIKES: dict[str, Callable[[Trouble], None]] = {
    "kill gitbackup": Trouble._kill_gitbackup,
    "kill git": Trouble._kill_git,
    "kill server": Trouble._kill_server,
    "restart": Trouble._restart,
    "out of memory": Trouble._out_of_memory,
    "replica": Trouble._replica,
    "flush": Trouble._flush,
    "evict": Trouble._evict,
    "a second run": Trouble._second,
    "plain git": Trouble._plain_git,
    "a writer": Trouble._write,
    "disk full": Trouble._disk_full,
    "read-only": Trouble._read_only,
    "clock": Trouble._clock,
}
