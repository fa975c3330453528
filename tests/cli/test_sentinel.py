"""A primary is found by its sentinels, and found again after a failover; real ones, all of them."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path

import pytest
import redis

from gitbackup import Backup
from gitbackup.commit.commit import CommitResult
from gitbackup.commit.watch import Watching
from gitbackup.errors import PasswordNeeded, ServerError, UsageError
from gitbackup.live.connection.address import parse
from gitbackup.live.connection.connect import connect
from gitbackup.live.server.embedded import EmbeddedServer
from gitbackup.settings import without_password
from tests.cli.user import User
from tests.servers import LiveServer, StartServer, every_brand, free_port, program
from tests.store.plain import git
from tests.watching import eventually, watching

SECRET = "s3cr3t-w0rd"
OTHER = "0th3r-w0rd"


@contextmanager
def sentinels(
    brand: str, folder: Path, primary: LiveServer, count: int = 1, **settings: str
) -> Iterator[list[int]]:
    """That many sentinels of the service `mymaster`, and the port of each. The program's name is
    what makes it one."""
    link = folder / "redis-sentinel"
    link.symlink_to(program(brand).absolute())
    ports = []
    with ExitStack() as opened:
        for _ in range(count):
            port = free_port()
            words = {
                "monitor": f"mymaster 127.0.0.1 {primary.port} {count // 2 + 1}",
                "down-after-milliseconds": "mymaster 500",
                "failover-timeout": "mymaster 4000",
                **{name.replace("_", "-"): value for name, value in settings.items()},
            }
            extra = words.pop("requirepass", "")
            config = {
                "bind": "127.0.0.1",
                "port": str(port),
                "protected-mode": "no",
                "sentinel": "\n".join(f"{name} {value}" for name, value in words.items()),
                **({"requirepass": extra} if extra else {}),
            }
            opened.enter_context(EmbeddedServer(link, config))
            ports.append(port)
        yield ports


def url_of(ports: Sequence[int], login: str = "", rest: str = "") -> str:
    places = ",".join(f"127.0.0.1:{port}" for port in ports)
    return f"redis+sentinel://{login}{places}/mymaster{rest}"


@pytest.fixture
def guarded(start_server: StartServer, tmp_path: Path) -> Iterator[tuple[LiveServer, int]]:
    """A primary and its one sentinel, each with a password of its own."""
    primary = start_server(tcp=True, requirepass=SECRET)
    of_the_primary = {"auth_pass": f"mymaster {SECRET}"}
    with sentinels("valkey", tmp_path, primary, requirepass=OTHER, **of_the_primary) as ports:
        yield primary, ports[0]


def test_a_service_is_committed_by_its_url_in_the_settings(
    user: User, guarded: tuple[LiveServer, int], monkeypatch: pytest.MonkeyPatch
) -> None:
    """A sentinel that does not answer is passed over."""
    _, port = guarded
    url = url_of([1, port])
    monkeypatch.delenv("REDIS_URL")
    monkeypatch.setenv("REDISCLI_AUTH", SECRET)
    monkeypatch.setenv("GITBACKUP_SENTINEL_PASSWORD", OTHER)
    user.says("init", "--url", url)
    user.says("commit")
    assert f" standalone at {url}\n" in git(user.repo, "log")
    shown = user.says("config", "list").splitlines()
    assert [line for line in shown if line.startswith("url") and url in line]


@pytest.mark.long
def test_a_service_is_restored_and_no_password_of_its_url_is_said(
    user: User, guarded: tuple[LiveServer, int], monkeypatch: pytest.MonkeyPatch
) -> None:
    primary, port = guarded
    whole = url_of([port], f":{SECRET}@", f"/0?sentinel_password={OTHER}")
    assert without_password(whole) == url_of([port], rest="/0")
    monkeypatch.delenv("REDIS_URL")
    with primary.client(password=SECRET) as client:
        client.set("k", "v")
        user.says("init", "--url", whole)
        user.says("commit")
        client.set("k", "other")
        assert "verified: 1 key equals commit id1\n" in user.says("restore", "HEAD", "--yes")
        assert "verified: 1 key equals commit id2\n" in user.says("undo", "--yes")
        assert client.get("k") == b"other"
    checked = user.run("check", "--quick").out
    assert f"redis-cli -h 127.0.0.1 -p {primary.port} " in checked
    said = [user.run(*words) for words in (["status"], ["config", "list"], ["commit", "--json"])]
    said += [user.run("status", "--url", wrong) for wrong in (url_of([port]), whole + "!")]
    text = checked + "".join(done.out + done.err for done in said)
    assert (SECRET in text, OTHER in text) == (False, False)


def test_what_keeps_from_finding_a_primary_is_told(guarded: tuple[LiveServer, int]) -> None:
    primary, port = guarded
    login, rest = f":{SECRET}@", f"?sentinel_password={OTHER}"
    whole = url_of([port], login, rest)
    assert connect(parse(whole)).label == url_of([port])
    with pytest.raises(PasswordNeeded, match=f"the server at 127.0.0.1:{primary.port} requires"):
        connect(parse(url_of([port], rest=rest)))
    for wrong, sentence in (
        (url_of([port], login), "the sentinel at .* requires a password: set GITBACKUP_SENTINEL_"),
        (url_of([port], login, "?sentinel_password=no"), "does not accept this user name and"),
        (whole.replace("mymaster", "other"), "not know the service 'other': it knows 'mymaster'"),
        (url_of([primary.port], login, f"?sentinel_password={SECRET}"), "is not a sentinel"),
        (url_of([1, 2]), r"no sentinel of 'mymaster' answers \(127.0.0.1:1: Connection refused\)"),
        (f"redis://:{OTHER}@127.0.0.1:{port}", re.escape(url_of([port]))),
    ):
        with pytest.raises(ServerError, match=sentence) as refused:
            connect(parse(wrong))
        assert not isinstance(refused.value, PasswordNeeded)
    server = connect(parse(whole))
    with primary.client(password=SECRET) as client:
        client.replicaof("127.0.0.1", "1")
    for doing in (server.dial, server.listen, lambda: connect(parse(whole))):
        with pytest.raises(ServerError, match="is a replica, not the primary of 'mymaster': a fai"):
            doing()


@pytest.mark.parametrize(
    "url",
    [
        "redis+sentinel://localhost",
        "redis+sentinel://localhost/",
        "redis+sentinel://a,,b/mymaster",
        "redis+sentinel://:pw@/mymaster",
        "redis+sentinel://a:x/mymaster",
        "sentinel://localhost/mymaster",
    ],
)
def test_a_url_of_sentinels_that_is_none_is_told_what_one_is(url: str) -> None:
    with pytest.raises(UsageError, match=r"use redis\+sentinel://.*/service\[/db\]"):
        parse(url)


def test_the_places_of_sentinels(tmp_path: Path) -> None:
    address = parse("rediss+sentinel://ann:a,b@c/d@one,two:1,[::1]:2,[::2]/m/3?sentinel_username=x")
    assert address.sentinels is not None
    assert address.sentinels.places == (("one", 26379), ("two", 1), ("::1", 2), ("::2", 26379))
    assert (address.sentinels.service, address.sentinels.username) == ("m", "x")
    assert (address.db, address.is_secure) == (3, True)
    assert (address.options["username"], address.options["password"]) == ("ann", "a,b@c/d")
    assert address.label == "rediss+sentinel://one:26379,two:1,[::1]:2,[::2]:26379/m"


def await_failover(ports: Sequence[int], before: int) -> int:
    """The primary's port, once every sentinel names another than before, which is one."""
    found: list[int] = []
    with ExitStack() as opened:
        asked = [
            opened.enter_context(redis.Redis(port=port, decode_responses=True)) for port in ports
        ]

        def agree() -> bool:
            found[:] = {one.sentinel_get_master_addr_by_name("mymaster")[1] for one in asked}
            return len(found) == 1 and before not in found

        assert eventually(agree)
    (port,) = found
    with redis.Redis(port=port) as client:
        assert eventually(lambda: client.role()[0] == b"master")
    return port


@contextmanager
def service(
    start_server: StartServer, brand: str, folder: Path
) -> Iterator[tuple[LiveServer, LiveServer, list[int]]]:
    """A primary with a replica, and three sentinels that know both and one another."""
    primary = start_server(brand, tcp=True)
    replica = start_server(brand, tcp=True, replicaof=f"127.0.0.1 {primary.port}")
    with replica.client() as client:
        assert eventually(lambda: client.info("replication")["master_link_status"] == "up")
    with sentinels(brand, folder, primary, 3) as ports, ExitStack() as opened:
        for port in ports:
            one = opened.enter_context(redis.Redis(port=port, decode_responses=True))
            assert eventually(
                lambda one=one: (  # type: ignore[misc]
                    len(one.sentinel_sentinels("mymaster")) == 2
                    and len(one.sentinel_slaves("mymaster")) == 1
                )
            )
        yield primary, replica, ports


@pytest.mark.long
@every_brand
def test_a_watch_goes_on_at_the_new_primary(
    start_server: StartServer, tmp_path: Path, brand: str
) -> None:
    with service(start_server, brand, tmp_path) as (primary, _, ports):
        backup = Backup(tmp_path / "data", url_of(ports))
        with primary.client() as client:
            client.mset({f"k:{number}": "v" for number in range(300)})
        with watching(backup) as watcher:
            with redis.Redis(port=ports[1]) as asked:
                asked.execute_command("SENTINEL", "FAILOVER", "mymaster")
            now = await_failover(ports, primary.port)
            watcher.told(Watching, 2)
            with redis.Redis(port=now) as client:
                client.set("after", "v")
            assert watcher.told(CommitResult, 2).summary.counts.added == 1
        with redis.Redis(port=now) as client:
            client.delete("k:1", "after")
            assert backup.restore("HEAD", lambda plan: True).whole
            assert client.mget("k:1", "after") == [b"v", b"v"]
            assert backup.undo(lambda plan: True).whole
            assert client.mget("k:1", "after") == [None, None]


@pytest.mark.long
@every_brand
def test_a_restore_that_a_failover_cuts_off_is_finished_at_the_new_primary(
    start_server: StartServer, tmp_path: Path, brand: str
) -> None:
    with service(start_server, brand, tmp_path) as (primary, replica, ports):
        folder, url = tmp_path / "data", url_of(ports)
        with primary.client() as client:
            client.mset({f"k:{number}": "v" for number in range(300)})
            Backup(folder, url).commit()
            client.flushall()
            client.wait(1, 10_000)

        def kill(plan: object) -> bool:
            with primary.client(retry=None) as client:
                client.shutdown(nosave=True, now=not brand.startswith("redis6"))
            return True

        with pytest.raises(ServerError, match=r"primary of 'mymaster'|lost the server") as cut:
            Backup(folder, url).restore("HEAD", kill)
        assert "\n" not in str(cut.value)
        assert await_failover(ports, primary.port) == replica.port
        assert Backup(folder, url).restore("HEAD", lambda plan: True).whole
        with replica.client() as client:
            assert client.dbsize() == 300
        assert Backup(folder, url).commit().commit is None
