"""More requests than can be answered, and clients that let the site wait."""

from __future__ import annotations

import asyncio
import resource
import subprocess
import threading
from collections import Counter
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest

from gitbackup.ui.door.connections import BACKLOG, MOST
from tests.ui.conftest import StartSite
from tests.ui.live_site import LiveSite
from tests.ui.strangers import Stranger, answer, wait_for

CROWD = 10_000


@pytest.fixture
def many_files() -> Iterator[None]:
    """This process may have as many connections as it needs."""
    before = resource.getrlimit(resource.RLIMIT_NOFILE)
    if before[1] < CROWD + 500:
        pytest.skip(f"a process may have only {before[1]} files here")
    resource.setrlimit(resource.RLIMIT_NOFILE, (before[1], before[1]))
    yield
    resource.setrlimit(resource.RLIMIT_NOFILE, before)


def memory(site: LiveSite) -> int:
    """The most bytes that the site has had in memory."""
    status = Path(f"/proc/{site.process.pid}/status").read_text()
    (line,) = (line for line in status.splitlines() if line.startswith("VmHWM:"))
    return int(line.split()[1]) * 1024


def all_at_once(person: Stranger, count: int) -> Counter[int]:
    """Send so many requests, each on a connection of its own; how often each status came."""
    request = person.written("GET", "/", b"")
    got: Counter[int] = Counter()

    async def one() -> None:
        try:
            reader, writer = await asyncio.open_connection(person.host, person.port)
            writer.write(request)
            line = await reader.readline()
            got[int(line.split()[1]) if line else 0] += 1
            writer.close()
        except OSError:
            got[0] += 1

    async def everyone() -> None:
        await asyncio.gather(*(one() for _ in range(count)))

    # in a thread, for playwright has a loop of its own in this one
    thread = threading.Thread(target=lambda: asyncio.run(everyone()))
    thread.start()
    thread.join()
    return got


@pytest.mark.long
def test_ten_thousand_requests_at_once_are_answered_or_refused(
    start_alone: StartSite, many_files: None
) -> None:
    """From nobody and from somebody who has logged in; it has bounded memory, and lives on."""
    site = start_alone()
    site.redis.set("a", "1")
    site.backup.commit("first")
    person = Stranger(site.url).enter(site.entrance)
    assert person.get("/").status == 200
    before = memory(site)

    nobody = all_at_once(Stranger(site.url), CROWD)
    somebody = all_at_once(person, CROWD // 5)

    assert (nobody.total(), somebody.total()) == (CROWD, CROWD // 5)
    assert {*nobody} <= {401, 0}
    assert {*somebody} <= {200, 0}
    assert nobody[401] >= MOST
    assert somebody[200] >= MOST
    assert memory(site) - before < 100_000_000
    assert person.get("/").status == 200


@pytest.mark.long
def test_whoever_says_nothing_gives_way(start_alone: StartSite) -> None:
    """To whoever says something: also after the beginning of a request, or of a form."""
    site = start_alone()
    person = Stranger(site.url).enter(site.entrance)
    begins = b"", b"GET / HTTP/1.1\r\nHost: a\r\nX: ", b"POST /enter HTTP/1.1\r\nHost: a\r\n"
    with ExitStack() as opened:
        for number in range(3 * (MOST + BACKLOG)):
            connection = opened.enter_context(person.connect())
            connection.sendall(begins[number % 3])
        assert person.get("/settings").status == 200
        files = [*Path(f"/proc/{site.process.pid}/fd").iterdir()]
        assert len(files) < MOST + 100


@pytest.mark.long
def test_whoever_lets_the_site_wait_is_left(start_alone: StartSite) -> None:
    site = start_alone()
    person = Stranger(site.url)
    head = person.written("POST", "/enter", b"", content_length="100")
    whole = person.written("GET", "/", b"", connection=None)
    with ExitStack() as opened:
        waiting = []
        for begin in (b"", b"GET / HT", head[:-4], whole):
            connection = opened.enter_context(person.connect())
            connection.sendall(begin)
            waiting.append(connection)
        assert answer(waiting[-1]).status == 401
        assert [connection.recv(1) for connection in waiting] == [b""] * 4


PATHS = ["/", "/search?q=k", "/search?over=history&q=k", "/key?name=key", "/key/history?name=key"]
PATHS += ["/key/blame?name=key", "/commit/HEAD", "/diff?wait=1", "/restore", "/check", "/server"]


def test_a_page_leaves_no_git_process_behind(start_alone: StartSite) -> None:
    """Each has some files open, of which a process may have so many."""
    site = start_alone()
    site.redis.set("key", "value")
    site.backup.commit("first commit")
    site.redis.set("key", "another")
    site.backup.commit("second commit")
    person = Stranger(site.url).enter(site.entrance)
    for path in PATHS:
        assert person.get(path).status == 200, path
    wait_for(lambda: git_processes_of(site) == [])


def git_processes_of(site: LiveSite) -> list[str]:
    """The git commands that a site has started, and that run."""
    told = subprocess.run(["ps", "-A", "-o", "ppid=,args="], stdout=subprocess.PIPE, text=True)
    lines = (line.split(maxsplit=1) for line in told.stdout.splitlines())
    return [args for parent, args in lines if parent == str(site.process.pid)]
