"""`diff --format redis`: a server that holds the one side holds the other after the commands."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gitbackup import Backup
from gitbackup.compare.redis_commands import LEEWAY, commands
from gitbackup.errors import UsageError
from gitbackup.format import codec
from gitbackup.model.keys import Entry, Scope
from gitbackup.snapshot import file_format
from gitbackup.snapshot.compare import compare
from gitbackup.snapshot.sources import Source
from tests.databases import databases, send
from tests.redis_cli import feed, lines
from tests.servers import LiveServer
from tests.test_functions import lua
from tests.test_roundtrip import backups, commit, fill

NOW = 4_000_000_000_000


@pytest.mark.long
@settings(max_examples=6)
@given(data=st.data())
def test_the_commands_turn_any_database_into_any_other(
    server: LiveServer, data: st.DataObject
) -> None:
    """Between two commits, there and back; and from a commit to what was live."""
    with backups(server) as (backup,):
        fill(server, data.draw(databases(server.brand)))
        one = commit(backup)
        fill(server, data.draw(databases(server.brand)))
        live = told(backup, "HEAD")
        other = commit(backup)
        feed(server, told(backup, "HEAD", "HEAD~1"))
        assert one == commit(backup)
        feed(server, live)
        assert other == commit(backup)


def told(backup: Backup, a: str, b: str | None = None, **how: Any) -> str:
    return lines(backup.diff(a, b, **how).commands())


@pytest.fixture
def server(valkey: LiveServer) -> LiveServer:
    return valkey


def test_libraries_that_exchange_their_functions(valkey: LiveServer, backup: Backup) -> None:
    """No function may be in two libraries, not even for a moment."""
    with valkey.client() as client:
        send(client, [("FUNCTION", "LOAD", lua(*each)) for each in (("one", "f"), ("two", "g"))])
        before = commit(backup)
        client.function_flush()
        send(client, [("FUNCTION", "LOAD", lua(*each)) for each in (("one", "g"), ("two", "f"))])
        after = commit(backup)
        feed(valkey, told(backup, "HEAD", "HEAD~1"))
        assert before == commit(backup)
        feed(valkey, told(backup, "HEAD~2", "HEAD~1"))
        assert after == commit(backup)


def test_a_library_that_changes_alone_is_replaced(valkey: LiveServer, backup: Backup) -> None:
    with valkey.client() as client:
        client.function_load(lua("one", "f"))
        backup.commit()
        client.function_load(lua("one", "g"), replace=True)
        source = lua("one", "g").replace("\n", r"\n")
        assert f'FUNCTION LOAD REPLACE "{source}"\n' == told(backup, "HEAD")
        client.function_flush()
        assert told(backup, "HEAD") == "FUNCTION DELETE one\n"


class Files:
    """A snapshot of entries, in no repository."""

    def __init__(self, entries: dict[str, Entry]) -> None:
        content = {
            "gitbackup.json": file_format.manifest(Scope()),
            "db0/_.json": codec.encode(entries),
        }
        self.files = {path: codec.loose(held) for path, held in content.items()}

    def read(self, path: str) -> bytes:
        return codec.raw(self.files[path])


def side(**more: Any) -> Source:
    entry: Any = {"type": "string", "value": "v", **more}
    return Files({"k": entry} if more else {})


def test_what_has_expired_of_the_other_side_goes_or_does_not_come() -> None:
    gone = side(expires_at=codec.instant(NOW))
    assert list(commands(compare(side(), gone), NOW)) == []
    lives = side(expires_at=codec.instant(NOW + LEEWAY))
    assert list(commands(compare(lives, gone), NOW)) == [("SELECT", 0), ("UNLINK", b"k")]


def test_what_expires_within_a_day_is_built_anew() -> None:
    soon, later = (side(expires_at=codec.instant(NOW + LEEWAY + more)) for more in (0, 1))
    expire = ("PEXPIREAT", b"k", NOW + LEEWAY)
    assert [("SELECT", 0), expire] == list(commands(compare(later, soon), NOW))
    anew = [("SELECT", 0), ("SET", b"k", b"v"), ("PEXPIREAT", b"k", NOW + LEEWAY + 1)]
    assert anew == list(commands(compare(soon, later), NOW))


def test_a_program_sends_them_as_they_are(valkey: LiveServer, backup: Backup) -> None:
    """They are words for any client."""
    with valkey.client() as client:
        before = commit(backup)
        client.hset(b"\xff\n", mapping={"": "\0"})
        commit(backup)
        found = list(backup.diff("HEAD", "HEAD~1").commands())
        assert found == [("SELECT", 0), ("UNLINK", b"\xff\n")]
        send(client, found)
        assert before == commit(backup)


def test_masks_are_never_written(valkey: LiveServer, backup: Backup) -> None:
    """Not one command is given where a key among them is masked."""
    with valkey.client() as client:
        backup.commit()
        client.mset({"a": "1", "token": "s3cret"})
        found = backup.diff("HEAD", redact=["tok*"])
        with pytest.raises(UsageError, match="'token' is masked"):
            found.commands()
        assert told(backup, "HEAD", redact=["tok*"], exclude=["token"]) == "SELECT 0\nSET a 1\n"
