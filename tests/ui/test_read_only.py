"""With --read-only nothing is written, neither to the server nor to the repository, by any path."""

from __future__ import annotations

import re
from hashlib import sha256
from pathlib import Path

from gitbackup.ui.pages import ROUTES
from tests.ui.conftest import StartSite
from tests.ui.live_site import LiveSite
from tests.ui.strangers import Stranger


def written_files(repo: Path) -> dict[str, str]:
    """Every file of a repository, by its digest."""
    files = [path for path in repo.rglob("*") if path.is_file()]
    return {str(path.relative_to(repo)): sha256(path.read_bytes()).hexdigest() for path in files}


def writes(site: LiveSite) -> dict[str, int]:
    """How often the server was asked for each command that writes."""
    told = site.redis.command().items()
    names = {name for name, each in told if {"write", b"write"} & {*each["flags"]}}
    assert "set" in names
    calls = site.redis.info("commandstats")
    counted = {name.removeprefix("cmdstat_"): told["calls"] for name, told in calls.items()}
    return {name: count for name, count in counted.items() if name.partition("|")[0] in names}


PLACES = {"code": "en", "id": "HEAD", "commit": "HEAD", "key": "0/a", "db": "0"}
QUERY = "?commit=HEAD~1&at=HEAD&a=HEAD~1&b=HEAD&key=a&name=a&db=0&q=a&seen=&look=1&text=a"


def test_nothing_is_written(start_alone: StartSite) -> None:
    """Every address is asked for, and every form is sent, with a login and its token."""
    site = start_alone("--read-only")
    site.redis.set("a", "1")
    site.backup.commit("first")
    site.redis.set("a", "2")
    site.backup.commit("second")
    site.redis.set("a", "3")
    person = Stranger(site.url).enter(site.entrance)
    found = re.search(r'<meta name="csrf" content="([^"]+)">', person.get("/").body)
    assert found
    before = written_files(site.repo), writes(site), site.redis.execute_command("DEBUG", "DIGEST")

    for route in ROUTES:
        path = re.sub(r"\{(\w+).*?\}", lambda place: PLACES.get(place[1], "1"), route.path)
        form = {"csrf": found[1], "message": "x", "commit": "HEAD~1", "key": "a", "db": "0"}
        form |= {"act": "set", "name": "quiet", "value": "x*", "remote": "origin", "yes": "1"}
        answer = person.post(path + QUERY, form)
        if route.changes or route.acts:
            assert (answer.status, "read-only" in answer.body) == (403, True), path
        else:
            assert answer.status in (403, 404, 405), path
            assert person.get(path + QUERY).status < 500, path

    after = written_files(site.repo), writes(site), site.redis.execute_command("DEBUG", "DIGEST")
    assert after == before
    assert [each.subject for each in site.backup.log()] == ["second", "first"]


def test_nothing_is_made_where_there_is_no_repository(start_alone: StartSite) -> None:
    site = start_alone("--read-only")
    person = Stranger(site.url).enter(site.entrance)
    for route in ROUTES:
        if not route.changes:
            person.get(re.sub(r"\{.*?\}", "1", route.path))
    assert not site.repo.exists()
