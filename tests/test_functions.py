"""Libraries of Redis Functions: none is lost, they change together, refusals are sentences."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any

import pytest
import redis

from gitbackup import Backup
from gitbackup.errors import ServerError
from gitbackup.live.server import keyspace
from gitbackup.model.keys import FUNCTIONS, Key
from gitbackup.restore.result import RestoreResult
from tests.servers import LiveServer
from tests.store.plain import git, run_git

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


def test_functions_that_two_libraries_exchanged_go_back(
    client: redis.Redis, backup: Backup
) -> None:
    client.function_load(lua("a", "f"))
    client.function_load(lua("b", "g"))
    before = sources(client)
    backup.commit()
    client.function_flush()
    client.function_load(lua("a", "g"))
    client.function_load(lua("b", "f"))
    assert backup.restore("HEAD", lambda plan: True).whole
    assert sources(client) == before


@pytest.mark.few(1)
@pytest.mark.parametrize("name", ["a", "b"])
def test_a_library_loaded_after_the_plan_is_saved_before_it_goes(
    client: redis.Redis, backup: Backup, name: str
) -> None:
    client.function_load(lua("a", "f"))
    backup.commit()
    client.function_load(lua("a", "f", "g"), replace=True)

    def meanwhile(plan: object) -> bool:
        client.function_load(lua(name, "h"), replace=True)
        return True

    assert backup.restore("HEAD", meanwhile).whole
    assert sources(client) == {"a": lua("a", "f")}
    assert lua(name, "h") in saved(backup)


@pytest.mark.few(1)
@pytest.mark.parametrize("name", ["a", "b"])
def test_a_library_loaded_at_the_last_moment_is_saved_before_it_goes(
    client: redis.Redis, backup: Backup, name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Between the last look and the transaction; once more each time, for a few times."""
    client.function_load(lua("a", "f"))
    backup.commit()
    client.function_load(lua("a", "f", "g"), replace=True)
    late = [lua(name, f"h{number}") for number in range(3)]
    change, left = keyspace.change_libraries, [*late]

    def changed(*what: Any) -> dict[str, str] | None:
        if left:
            client.function_load(left.pop(0), replace=True)
        return change(*what)

    monkeypatch.setattr(keyspace, "change_libraries", changed)
    assert backup.restore("HEAD", lambda plan: True).whole
    assert sources(client) == {"a": lua("a", "f")}
    assert set(late) <= {*saved(backup)}


def saved(backup: Backup) -> list[str]:
    """The sources of all libraries in all commits, which is where nothing is lost."""
    paths = git(backup.path, "log", "--format=", "--name-only", "--", "functions").split()
    commits = git(backup.path, "log", "--format=%H").split()
    shown = [run_git(backup.path, "show", f"{c}:{p}") for c in commits for p in {*paths}]
    return [one.stdout.decode() for one in shown]


def restored(backup: Backup, source: str) -> RestoreResult:
    """What a restore does of a commit by hand that has another source for the library a."""
    (backup.path / "functions" / "a.lua").write_text(source)
    git(backup.path, "commit", "-qam", "by hand")
    return backup.restore("HEAD", lambda plan: True)


def test_a_library_that_the_server_refuses_is_named_and_what_was_there_is_back(
    client: redis.Redis, backup: Backup
) -> None:
    client.function_load(lua("a", "f"))
    client.function_load(lua("b", "g"))
    client.set("k", "1")
    backup.commit()
    client.function_delete("b")
    client.set("k", "2")
    result = restored(backup, lua("a", "f", more="no Lua ("))
    ((key, why),) = result.refused
    assert (key, "the previous library was put back" in why) == (Key(FUNCTIONS, "a"), True)
    assert sources(client) == {"a": lua("a", "f"), "b": lua("b", "g")}
    assert (client.get("k"), result.verified, result.differing) == ("1", 2, [])


def test_a_library_whose_function_another_has_that_stays_is_refused(
    client: redis.Redis, backup: Backup
) -> None:
    client.function_load(lua("a", "f"))
    backup.commit()
    client.function_flush()
    client.function_load(lua("b", "f"))
    result = backup.restore("HEAD", lambda plan: True, delete=False)
    assert [key for key, _ in result.refused] == [Key(FUNCTIONS, "a")]
    assert sources(client) == {"b": lua("b", "f")}


def as_user(client: redis.Redis, backup: Backup, *rights: str) -> Backup:
    client.execute_command("ACL", "SETUSER", "ann", "on", ">pw", "~*", "+@all", *rights)
    scheme, _, place = str(backup._context.url).partition("://")
    return Backup(backup.path, f"{scheme}://ann:pw@{place}")


def test_who_may_not_list_functions_leaves_them_as_they_are_and_is_told(
    client: redis.Redis, backup: Backup
) -> None:
    client.function_load(lua("a", "f"))
    client.set("k", "1")
    backup.commit()
    client.function_load(lua("a", "g"), replace=True)
    client.set("k", "2")
    result = as_user(client, backup, "-function|list").restore("HEAD", lambda plan: True)
    assert (result.whole, client.get("k")) == (True, "1")
    assert [str(warning)[:47] for warning in result.plan.warnings] == [
        "function libraries are not restored, because th"
    ]
    assert sources(client) == {"a": lua("a", "g")}


def test_the_first_commit_of_who_may_not_list_functions_says_so(
    client: redis.Redis, backup: Backup
) -> None:
    client.function_load(lua("a", "f"))
    (warning,) = as_user(client, backup, "-function|list").commit().warnings
    assert warning.startswith(
        "the user has no permission to list functions, so libraries are left out"
    )


@pytest.mark.parametrize("right", ["function|load", "function|delete", "multi"])
def test_a_right_that_libraries_need_is_named_before_anything_is_written(
    client: redis.Redis, backup: Backup, right: str
) -> None:
    client.function_load(lua("a", "f"))
    backup.commit()
    client.function_load(lua("a", "g"), replace=True)
    with pytest.raises(ServerError, match=re.escape(f"... +{right}")):
        as_user(client, backup, f"-{right}").restore("HEAD", lambda plan: True)
    assert sources(client) == {"a": lua("a", "g")}


def test_a_server_without_functions_says_so_before_anything_is_written(
    client: redis.Redis, backup: Backup, running: Callable[[str], LiveServer]
) -> None:
    old = running("redis6")
    client.function_load(lua("a", "f"))
    client.set("k", "1")
    backup.commit()
    with old.client() as other:
        with pytest.raises(
            ServerError, match=r"does not know .* FUNCTION LOAD; .* restore only keys"
        ):
            backup.restore("HEAD", lambda plan: True, to=old.url)
        assert other.keys() == []
        assert backup.restore("HEAD", lambda plan: True, databases={0: 0}, to=old.url).whole
        assert other.get("k") == b"1"
