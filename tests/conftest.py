"""What every test gets: a world without anyone's files or settings, and real servers."""

from __future__ import annotations

import os
import signal
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from hypothesis import HealthCheck, settings

pytest_plugins = [
    "tests.outlived",
    "tests.servers",  # before those that import it, so that pytest explains its asserts
    "tests.browser",
    "tests.clusters",
    "tests.strangers",
]

if git_to_test := os.environ.pop("GITBACKUP_TEST_GIT", None):
    # another git than the system's, the path of its program; each worker process inherits this
    os.environ["PATH"] = f"{Path(git_to_test).parent}{os.pathsep}{os.environ['PATH']}"

REAL = {
    *("user", "kept", "history", "valkey", "server", "servers", "start_server", "repository"),
    *("cluster", "start_cluster"),
}
"""Fixtures that start what takes a while."""

USUAL = 2  # parameters of a test with one of them

SETTINGS_OF = ("GIT_", "GITBACKUP_", "REDIS", "VALKEY", "XDG_")
"""How the names of the variables begin that could reach a test from the person who runs it."""

settings.register_profile(
    "home",
    deadline=None,
    max_examples=10,
    suppress_health_check=[HealthCheck.function_scoped_fixture],  # a server is emptied by hand
)
settings.register_profile("ci", settings.get_profile("home"), max_examples=25, derandomize=True)
settings.load_profile("ci" if os.environ.get("CI") else "home")


def pytest_xdist_auto_num_workers() -> int:
    """Three processes for two cores, since tests wait for servers and git a fifth of their time."""
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()
    return (cores or 1) * 3 // 2 or 1


@pytest.hookimpl(tryfirst=True)  # before what is long is left out
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Of a test with a server or git, all its parameters but the first few are long; how many
    these are a mark `few(count)` tells."""
    seen: Counter[str] = Counter()
    for item in items:
        marker = item.get_closest_marker("few")
        if marker is None and not REAL.intersection(getattr(item, "fixturenames", ())):
            continue
        test = item.nodeid.partition("[")[0]
        seen[test] += 1
        if seen[test] > (marker.args[0] if marker else USUAL):
            item.add_marker(pytest.mark.long)


@contextmanager
def closed_off(home: Path) -> Iterator[None]:
    """Only the empty folder `home`, which is also where we are, git without settings, and
    no signal ignored that a person's keys send."""
    with pytest.MonkeyPatch.context() as patch:
        for name in [name for name in os.environ if name.startswith(SETTINGS_OF)]:
            patch.delenv(name)
        patch.delenv("EMAIL", raising=False)
        patch.setenv("HOME", str(home))
        patch.setenv("XDG_CONFIG_HOME", str(home / ".config"))
        patch.setenv("GIT_CONFIG_NOSYSTEM", "1")
        patch.setenv("GIT_CONFIG_GLOBAL", os.devnull)
        patch.chdir(home)
        with heard(signal.SIGINT, signal.SIGQUIT):
            yield


@contextmanager
def heard(*signals: signal.Signals) -> Iterator[None]:
    """These signals reach us and our children, also where a script that runs us in its
    background has them ignored."""
    ignored = [one for one in signals if signal.getsignal(one) is signal.SIG_IGN]
    for one in ignored:
        usual = signal.default_int_handler if one is signal.SIGINT else signal.SIG_DFL
        signal.signal(one, usual)
    try:
        yield
    finally:
        for one in ignored:
            signal.signal(one, signal.SIG_IGN)


@pytest.fixture(scope="session", autouse=True)
def hermetic(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    with closed_off(tmp_path_factory.mktemp("home")):
        yield
