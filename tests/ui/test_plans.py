"""Plans as jobs, without a browser: of which server they are, and that they can be cancelled."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple
from urllib.parse import urlsplit

import pytest
import redis
from starlette.requests import Request

from gitbackup import Backup
from gitbackup.model.keys import FUNCTIONS, Key
from gitbackup.plan.chosen import literal
from gitbackup.progress import Progress
from gitbackup.ui.jobs.bring_back import BringBack
from gitbackup.ui.jobs.jobs import Jobs, State
from gitbackup.ui.jobs.wish import RESTORE, Wish
from gitbackup.ui.pages.jobs.bring_back import UrlFields
from gitbackup.ui.pages.jobs.unfinished import standing
from gitbackup.ui.site import Site
from gitbackup.ui.views.links import restore_of
from tests.servers import LiveServer, StartServer

PATIENCE = 60
"""Seconds for a job, on a machine that is busy with other things."""

KEYS = {"key": "value", "gone": "1"}


class Place(NamedTuple):
    """A data repository, and a socket at which one server or another answers."""

    folder: Path
    socket: Path

    def backup(self, progress: Progress | None = None) -> Backup:
        url = f"unix://{self.socket}"
        return Backup(self.folder, url, **({"progress": progress} if progress else {}))

    def lead_to(self, server: LiveServer) -> redis.Redis:
        """Have this server answer there from now on; return a client of it."""
        self.socket.unlink(missing_ok=True)
        self.socket.symlink_to(server.address.removeprefix("unix://"))
        return server.client()


@pytest.fixture
def place(tmp_path: Path) -> Place:
    return Place(tmp_path / "data-git-backup", tmp_path / "sock")


@pytest.fixture
def client(place: Place, start_server: StartServer) -> Iterator[redis.Redis]:
    """A client of the server at that socket, which has lost a key of the only commit."""
    with place.lead_to(start_server()) as client:
        client.mset(KEYS)
        place.backup().commit("first commit")
        client.delete("gone")
        yield client


def test_a_plan_is_not_carried_out_on_another_server(
    place: Place, client: redis.Redis, start_server: StartServer
) -> None:
    """Not even on one of the same version, at the same address, and with the same values."""
    jobs = Jobs()
    job = BringBack(place.backup, jobs, Wish(RESTORE, "HEAD"))
    job.plan()
    assert jobs.settle(job, PATIENCE)

    with place.lead_to(start_server()) as second:
        second.set("key", KEYS["key"])
        assert job.confirm(job.turn, tolerant=True)
        assert jobs.settle(job, PATIENCE)

        assert (job.state, job.elsewhere, job.wrote) == (State.ASKING, True, False)
        assert (client.keys(), second.keys()) == ([b"key"], [b"key"])
        assert job.confirm(job.turn)
        assert jobs.settle(job, PATIENCE)
        assert (job.state, job.elsewhere) == (State.DONE, False)
        assert (client.keys(), sorted(second.keys())) == ([b"key"], [b"gone", b"key"])


class Held:
    """A Progress that holds who tells it of the first stretch of work until it is released, and
    notes what it is told."""

    def __init__(self, told: Progress) -> None:
        self._told = told
        self.stretches: list[str] = []
        self.reached, self.release = threading.Event(), threading.Event()

    def start(self, what: str, total: int | None, unit: str = "keys") -> None:
        self.stretches.append(what)
        self.reached.set()
        assert self.release.wait(PATIENCE)
        self._told.start(what, total, unit)

    def advance(self, count: int) -> None:
        self._told.advance(count)

    def finish(self) -> None:
        self._told.finish()


@pytest.mark.usefixtures("client")
def test_a_plan_that_is_being_made_stops_when_it_is_cancelled(place: Place) -> None:
    held = list[Held]()

    def opened(progress: Progress) -> Backup:
        held.append(Held(progress))
        return place.backup(held[-1])

    site = Site(opened)
    job = BringBack(opened, site.jobs, Wish(RESTORE, "HEAD"))
    job.plan()
    assert held[0].reached.wait(PATIENCE)
    assert job.state is State.PLANNING
    assert standing(site, place.backup()).planning == [job]
    job.leave()
    assert standing(site, place.backup()).planning == []
    held[0].release.set()
    assert site.jobs.settle(job, PATIENCE)
    assert (job.state, job.shown, job.error) == (State.LEFT, None, None)
    assert held[0].stretches == ["listing db0"]


def test_what_is_written_is_not_cancelled(place: Place, client: redis.Redis) -> None:
    jobs, held = Jobs(), list[Held]()

    def opened(progress: Progress) -> Backup:
        held.append(Held(progress))
        if len(held) == 1:
            held[0].release.set()
        return place.backup(held[-1])

    job = BringBack(opened, jobs, Wish(RESTORE, "HEAD"))
    job.plan()
    assert jobs.settle(job, PATIENCE)
    assert job.confirm(job.turn)
    assert held[1].reached.wait(PATIENCE)
    job.leave()
    held[1].release.set()
    assert jobs.settle(job, PATIENCE)
    assert (job.state, sorted(client.keys())) == (State.DONE, [b"gone", b"key"])


@pytest.mark.parametrize(
    ("key", "databases"),
    [(Key(0, "a*"), ((0, 0),)), (Key(3, "key"), ((3, 3),)), (Key(FUNCTIONS, "lib"), ())],
)
def test_a_link_to_bring_back_leads_to_a_form_for_that_key(
    key: Key, databases: tuple[tuple[int, int], ...]
) -> None:
    """A library has no database."""
    query = urlsplit(restore_of(key, "HEAD")).query
    request = Request({"type": "http", "query_string": query.encode()})

    wish = Wish.of(UrlFields(request), RESTORE)

    assert (wish.patterns, wish.databases) == ((literal(key.name),), databases)


def test_a_plan_that_nobody_wants_any_more_or_that_is_another_one_by_now_is_not_carried_out(
    place: Place, client: redis.Redis
) -> None:
    """Whoever says no first is heard, and who has seen an older plan has not said yes to this."""
    jobs = Jobs()
    job = BringBack(place.backup, jobs, Wish(RESTORE, "HEAD"))
    job.plan()
    assert jobs.settle(job, PATIENCE)
    old = job.turn
    job.plan()
    assert jobs.settle(job, PATIENCE)
    assert not job.confirm(old)
    job.leave()
    assert not job.confirm(job.turn)
    assert (job.wrote, client.keys()) == (False, [b"key"])
