"""Where trials are made: a folder, a server, a repository, and what is known of its commits."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import tempfile
from contextlib import AbstractContextManager, ExitStack, suppress
from dataclasses import dataclass, field
from pathlib import Path
from random import Random

from gitbackup.live.server.embedded import find_server
from tests.proxy import Proxy
from tests.torture.database import HOUR, LATER, Database, Key, State, Writer
from tests.torture.plain import Plain
from tests.torture.starter import Ended, Run, Starter

HOUSE = Path(__file__).parents[2]
SCRIPT = (sys.executable, "-m", "gitbackup")
ROOM = 48  # megabytes of a disk that may run full
CLOCKS = (
    "/usr/lib/x86_64-linux-gnu/faketime/libfaketimeMT.so.1",
    "/usr/lib/aarch64-linux-gnu/faketime/libfaketimeMT.so.1",
    "/usr/lib/faketime/libfaketimeMT.so.1",
)
PATIENCE = 90.0  # seconds of nothing, or of work, after which a run hangs


@dataclass
class Cost:
    """What a command took when nothing went wrong: so it is known when something may."""

    bytes: int = 6_000
    replied: int = 4_000
    steps: int = 60
    seconds: float = 0.2


@dataclass
class Undoable:
    """What the last restore replaced: the state before; the keys and the libraries, by the first
    line of their code, that it changed."""

    before: State
    keys: set[Key] = field(default_factory=set)
    libraries: set[bytes] = field(default_factory=set)


def program(brand: str) -> Path | None:
    """The server of a brand; None where it is not installed."""
    if brand == "valkey":
        return find_server()
    folders = os.environ.get("PATH", os.defpath).split(os.pathsep)
    systems = [one for one in folders if not (Path(one).parent / "pyvenv.cfg").exists()]
    found = shutil.which("redis-server", path=os.pathsep.join(systems))
    return Path(found) if found else None


def clock() -> str | None:
    """The library that gives a program a clock of its own; None where it is not installed."""
    return next((path for path in CLOCKS if Path(path).exists()), None)


def may_mount() -> bool:
    """Whether a small disk of our own is to be had."""
    if sys.platform != "linux" or os.geteuid():
        return False
    with tempfile.TemporaryDirectory() as folder:
        words = ["mount", "-t", "tmpfs", "-o", "size=1m", "none", folder]
        if subprocess.run(words, capture_output=True).returncode:
            return False
        return not subprocess.run(["umount", folder], capture_output=True).returncode


class World(AbstractContextManager["World"]):
    """A folder with a server and a data repository, made from a seed."""

    def __init__(self, name: str, starter: Starter, costs: dict[str, Cost], mounts: bool) -> None:
        self.name = name
        self.costs = costs
        self.chance = Random(name)
        brands = [brand for brand in ("valkey", "redis7") if program(brand)]
        self.brand = self.chance.choice(brands)
        self.keeps = self.chance.random() < 0.5
        self.large = self.chance.random() < 0.15
        odd = self.chance.random()
        self.disk = mounts and odd < 0.25
        self.clock = clock() if 0.25 <= odd < 0.4 else None
        if self.clock:  # with the jemalloc of Debian's Redis it does not come up
            self.brand = "valkey"
        self.known: dict[str, State] = {}
        self.undoable: Undoable | None = None
        self.rdbs: dict[Path, State] = {}
        self.made = 0
        self._starter = starter
        self._opened = ExitStack()

    def __enter__(self) -> World:
        with ExitStack() as opened:
            self.folder = Path(opened.enter_context(tempfile.TemporaryDirectory(prefix="torture-")))
            self.work = self.folder / "work"
            self.work.mkdir()
            if self.disk:
                words = ["mount", "-t", "tmpfs", "-o", f"size={ROOM}m", "none", str(self.work)]
                subprocess.run(words, check=True)
                opened.callback(lambda: subprocess.run(["umount", "-l", self.work], check=False))
            self.repo = self.work / "data-git-backup"
            self._settings = self.folder / "gitconfig"  # databases are emptied on purpose
            self._settings.write_text("[gitbackup]\n\talarm-share = 100%\n")
            self.cloud = self.work / "cloud"
            self.cloud.mkdir()
            self.plain = Plain(self.repo)
            found = program(self.brand)
            assert found is not None
            self.database = Database(self.folder / "live", found, self.keeps, self.clock)
            opened.callback(self.database.kill)
            self.proxy = opened.enter_context(Proxy(self.database.url, self.folder / "p"))
            self._other: Database | None = None
            opened.callback(self._end_other)
            expiry = 3 * HOUR if self.clock else LATER
            self.writer = Writer(self.chance, self.name, expiry, fields=self.brand == "valkey")
            self.writer.fill(self.database, self.large)
            self._opened = opened.pop_all()
        return self

    def __exit__(self, *_: object) -> None:
        self._opened.close()

    def _end_other(self) -> None:
        if self._other:
            self._other.kill()

    @property
    def other(self) -> Database:
        """Another server of the same brand, empty at first."""
        if self._other is None:
            found = program(self.brand)
            assert found is not None
            self._other = Database(self.folder / "other", found, False, self.clock)
        return self._other

    def environment(self) -> dict[str, str]:
        """What every run is given."""
        return {
            "PATH": os.environ["PATH"],
            "HOME": str(self.folder),
            "LANG": "C.UTF-8",
            "TMPDIR": str(self.folder),
            "PYTHONPATH": str(HOUSE),
            "GIT_CONFIG_NOSYSTEM": "1",
            "GIT_CONFIG_GLOBAL": str(self._settings),
            "REDIS_URL": self.proxy.url,
        }

    def start(
        self, words: list[str], dies: tuple[str, int] | None = None, script: bool = False
    ) -> Run:
        around = self.environment()
        return self._starter.start(words, self.work, around, dies, SCRIPT if script else ())

    def run(self, *words: str) -> Ended:
        """`gitbackup <words>`, and nothing goes wrong."""
        run = self.start([*words])
        ended = run.end(PATIENCE)
        if ended is None:
            where = stacks(run.pid)
            run.signal(9)
            return Ended(124, "", f"it hangs: {where}", 0, PATIENCE, False)
        return ended

    def cost(self, kind: str) -> Cost:
        return self.costs.setdefault(kind, Cost())

    def fresh(self, name: str) -> Path:
        """A name in the working folder that is not taken."""
        self.made += 1
        return self.work / f"{name}-{self.made}"

    def fill_disk(self, left: int) -> None:
        """Leaves so many bytes on the disk."""
        space = os.statvfs(self.work)
        size = space.f_bavail * space.f_bsize - left
        with suppress(OSError), (self.work / "filler").open("wb") as file:
            if size > 0:
                os.posix_fallocate(file.fileno(), 0, size)

    def free_disk(self) -> None:
        self.remount("rw")
        (self.work / "filler").unlink(missing_ok=True)

    def remount(self, how: str) -> None:
        words = ["mount", "-o", f"remount,{how}", str(self.work)]
        subprocess.run(words, check=False, capture_output=True)


def stacks(pid: int) -> str:
    """What a process that hangs is waiting for, as far as the system tells."""
    told = []
    for name in ("wchan", "syscall"):
        with suppress(OSError):
            told.append(Path(f"/proc/{pid}/{name}").read_text().strip())
    return " ".join(told)
