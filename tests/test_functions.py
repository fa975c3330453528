"""Libraries of Redis Functions: none is lost, they change together, refusals are sentences."""

from __future__ import annotations

from pathlib import Path

import pytest
import redis

from gitbackup.backup import Backup
from tests.servers import LiveServer

ALIKE = ["Collision_of_libraries_that_end_27703", "Collision_of_libraries_that_end_74258"]
"""Two names whose slugs, and first 8 hex digits of their SHA-256, are the same."""


def lua(name: str, *functions: str, more: str = "") -> str:
    """The source of a library with these functions."""
    made = (f"redis.register_function('{each}', function() return 1 end)" for each in functions)
    return "\n".join([f"#!lua name={name}", *made, more])


@pytest.fixture(params=["valkey", "redis7"])
def server(request: pytest.FixtureRequest) -> LiveServer:
    found: LiveServer = request.getfixturevalue("running")(request.param)
    return found


@pytest.fixture
def client(server: LiveServer) -> redis.Redis:
    return server.client(decode_responses=True, protocol=3)


@pytest.fixture
def backup(server: LiveServer, tmp_path: Path) -> Backup:
    return Backup(tmp_path / "data", server.url)


def sources(client: redis.Redis) -> dict[str, str]:
    return {one["library_name"]: one["library_code"] for one in client.function_list(withcode=True)}


def test_libraries_whose_names_are_almost_alike_are_two_files(
    client: redis.Redis, backup: Backup
) -> None:
    for at, name in enumerate(ALIKE):
        client.function_load(lua(name, f"f{at}"))
    before = sources(client)
    backup.commit()
    client.function_flush()
    assert backup.restore("HEAD", lambda plan: True).whole
    assert sources(client) == before
