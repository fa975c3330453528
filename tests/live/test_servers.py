"""The fixtures of the real servers keep their word: each test gets them as good as new."""

from collections.abc import Callable

import pytest
import redis

from gitbackup.errors import ServerError
from tests import servers as fixtures
from tests.servers import LiveServer


def missing() -> None:
    raise ServerError("it is not installed")


@pytest.fixture
def without_valkey(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(fixtures.BRANDS, "valkey", missing)


def test_a_server_tells_its_brand(server: LiveServer) -> None:
    with server.client() as client:
        told = client.info("server")
    version = told.get("valkey_version", told["redis_version"])
    name = told.get("server_name", "redis") + version.partition(".")[0]
    assert name.startswith(server.brand)


def test_a_reset_leaves_nothing_of_a_test(server: LiveServer) -> None:
    with server.client(db=3) as client:
        client.set("name", "alice")
        client.config_set("hash-max-ziplist-entries", 7)
        client.acl_setuser("bob", enabled=True, nopass=True)
        client.client_pause(60_000, all=False)
    server.reset()
    with server.client() as client:
        assert client.info("keyspace") == {}
        assert client.config_get("hash-max-ziplist-entries") != {"hash-max-ziplist-entries": "7"}
        assert client.acl_users() == ["default"]
        assert client.set("name", "bob")


def test_a_reset_forgets_function_libraries(valkey: LiveServer) -> None:
    code = "#!lua name=mylib\nredis.register_function('one', function() return 1 end)"
    with valkey.client() as client:
        client.function_load(code)
        valkey.reset()
        assert client.function_list() == []


def test_a_reset_ends_connections(valkey: LiveServer) -> None:
    with valkey.client(retry=None) as client:
        left_open = client.connection_pool.get_connection()
        left_open.send_command("CLIENT", "TRACKING", "ON", "BCAST")
        left_open.read_response()
        valkey.reset()
        with pytest.raises(redis.ConnectionError):
            left_open.read_response()


@pytest.mark.usefixtures("without_valkey")
def test_a_missing_brand_is_a_skip_at_home(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("CI", raising=False)
    outcome = outcome_of(lambda: fixtures.program("valkey"))
    assert isinstance(outcome, pytest.skip.Exception)


@pytest.mark.usefixtures("without_valkey")
def test_a_missing_brand_is_a_failure_in_ci(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CI", "true")
    outcome = outcome_of(lambda: fixtures.program("valkey"))
    assert isinstance(outcome, pytest.fail.Exception)


def outcome_of(call: Callable[[], object]) -> BaseException | None:
    try:
        call()
    except (pytest.skip.Exception, pytest.fail.Exception) as outcome:
        return outcome
    return None
