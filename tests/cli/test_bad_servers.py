"""What a server refuses is said in one sentence, and everything stays as it was."""

from __future__ import annotations

import json
import socket
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from tests.cli.test_bad_repositories import refusal
from tests.cli.user import Done, User
from tests.servers import StartServer

pytestmark = pytest.mark.few(5)

USAGE = "use redis://[[user]:password@]host[:port][/db], rediss://... or unix:///path\n"


@pytest.fixture
def kept(user: User) -> Iterator[User]:
    user.redis.mset({f"user:{number}": "a" for number in range(50)})
    user.says("commit", "-m", "begin")
    user.redis.set("user:1", "changed")
    yield user
    user.redis.config_set("requirepass", "")


def as_user(user: User, *rules: str) -> tuple[str, str]:
    """The options of somebody who may do only what the rules allow."""
    user.redis.execute_command("ACL", "SETUSER", "bob", "on", ">s3cret", "~*", *rules)
    return "--url", user.server.url.replace("unix://", "unix://bob:s3cret@")


COMMANDS = [["commit"], ["status"], ["diff"], ["restore", "HEAD", "--yes"]]


@pytest.mark.parametrize("words", COMMANDS)
def test_no_server_there(kept: User, words: list[str]) -> None:
    assert refusal(kept, *words, "--url", "redis://localhost:1") == Done(
        12,
        "",
        "gitbackup: no server answers at localhost:1 (Connection refused): start it, or"
        " name yours with --url or REDIS_URL; `gitbackup demo` needs no server\n",
    )


@pytest.mark.parametrize("words", COMMANDS)
def test_a_wrong_password(kept: User, words: list[str]) -> None:
    url = kept.server.url.replace("unix://", "unix://:wr0ng@")
    kept.redis.config_set("requirepass", "s3cret")
    assert refusal(kept, *words, "--url", url) == Done(
        12, "", "gitbackup: the server at SERVER does not accept this user name and password\n"
    )


def test_no_password(kept: User) -> None:
    kept.redis.config_set("requirepass", "s3cret")
    assert refusal(kept, "commit") == Done(
        12,
        "",
        "gitbackup: the server at SERVER requires a password: set REDISCLI_AUTH, or put"
        " it in the URL\n",
    )


@pytest.mark.parametrize(
    ("url", "sentence"),
    [
        ("http://localhost", f"not a Redis URL: {USAGE}"),
        ("localhost:6379", f"not a Redis URL: {USAGE}"),
        ("redis://localhost:many", f"not a Redis URL: {USAGE}"),
        (
            "redis://localhost/db",
            f"the path of a Redis URL must be the number of a database: {USAGE}",
        ),
        (
            "redis://:s3cret@localhost:1?nope=1",
            f"the Redis URL has an unknown option: {USAGE}",
        ),
        ("redis://localhost?ssl_cert_reqs=none", f"the Redis URL has an unknown option: {USAGE}"),
        ("rediss://localhost?ssl_cert_reqs=no", f"not a Redis URL: {USAGE}"),
        ("redis://localhost?protocol=4", f"not a Redis URL: {USAGE}"),
        ("redis://localhost:99999", f"not a Redis URL: {USAGE}"),
        *(
            (url, "the port of a server is a number from 1 to 65535, not 0\n")
            for url in (
                "redis://localhost:0",
                "rediss://localhost:0/1",
                "redis://localhost?port=0",
                "redis+sentinel://localhost,other:0/service",
            )
        ),
    ],
)
def test_a_url_that_is_none(kept: User, url: str, sentence: str) -> None:
    assert refusal(kept, "commit", "--url", url) == Done(2, "", f"gitbackup: {sentence}")


def test_what_a_url_says_to_other_programs_is_passed_over(kept: User) -> None:
    mark = "&" if "?" in kept.server.url else "?"
    url = f"{kept.server.url}{mark}client_name=app&health_check_interval=30&socket_keepalive=true"
    assert kept.run("status", "--url", f"{url}&protocol=2").code == 0


def test_a_name_that_no_host_can_have(kept: User) -> None:
    done = refusal(kept, "commit", "--url", f"redis://{'x' * 300}")
    assert done.code == 12
    assert done.err.startswith(f"gitbackup: no server answers at {'x' * 300}:6379 (")


def test_a_database_number_below_zero(kept: User) -> None:
    assert refusal(kept, "commit", "--db", "-1") == Done(
        2,
        "",
        "gitbackup: Invalid value for '--db': -1 is less than 0. See gitbackup commit --help\n",
    )


def test_a_database_that_the_server_does_not_have(kept: User) -> None:
    assert refusal(kept, "commit", "--db", "99") == Done(
        12,
        "",
        "gitbackup: the server at SERVER has no database 99: see its setting `databases`\n",
    )


@pytest.mark.parametrize(
    ("words", "without", "named"),
    [
        (["commit"], "-scan", "SCAN"),
        (["commit"], "-get -getrange", "GET"),
        (["restore", "HEAD", "--yes"], "-set", "SET"),
        (["restore", "HEAD", "--yes"], "-multi", "MULTI"),
    ],
)
def test_a_user_without_a_needed_command(
    kept: User, words: list[str], without: str, named: str
) -> None:
    done = refusal(kept, *words, *as_user(kept, "+@all", *without.split()))
    assert (done.code, done.err) == (
        12,
        (
            f"gitbackup: the user has no permission to run {named} at SERVER: grant it with"
            f" ACL SETUSER ... +{named.lower()}\n"
        ),
    )


def test_a_user_who_may_only_read_commits(kept: User) -> None:
    assert kept.run("commit", *as_user(kept, "+@read", "+@connection")).code == 0


def test_a_user_who_may_only_read_restores_nothing(kept: User) -> None:
    options = as_user(kept, "+@read", "+@connection", "+@transaction")
    done = refusal(kept, "restore", "HEAD", "--yes", *options)
    assert (done.code, done.err) == (
        12,
        (
            "gitbackup: the user has no permission to run SET, PEXPIREAT, PERSIST and UNLINK"
            " at SERVER: grant them with ACL SETUSER ... +set +pexpireat +persist +unlink\n"
        ),
    )


def test_a_read_only_replica(kept: User, start_server: StartServer) -> None:
    primary = start_server(tcp=True)
    kept.redis.replicaof("127.0.0.1", str(primary.port))
    try:
        while kept.redis.info("replication")["master_link_status"] != "up":
            time.sleep(0.01)  # the first synchronisation empties it
        done = refusal(kept, "restore", "HEAD", "--yes")
    finally:
        kept.redis.replicaof("NO", "ONE")
    assert done == Done(12, "", "gitbackup: SERVER is a read-only replica; name its primary\n")


@contextmanager
def cut_after(target: str, replies: int) -> Iterator[str]:
    """A way to the server that breaks after so many bytes of replies; its URL."""
    listener = socket.create_server(("127.0.0.1", 0))
    left = [replies]

    def serve(client: socket.socket) -> None:
        with client, socket.socket(socket.AF_UNIX) as server:
            server.connect(target)
            back = threading.Thread(target=pump, args=(client, server), daemon=True)
            back.start()
            while left[0] > 0 and (data := server.recv(4096)):
                client.sendall(data[: left[0]])
                left[0] -= len(data)
            client.shutdown(socket.SHUT_RDWR)

    def pump(source: socket.socket, sink: socket.socket) -> None:
        try:
            while data := source.recv(4096):
                sink.sendall(data)
        except OSError:
            return

    def accept() -> None:
        try:
            while True:
                threading.Thread(target=serve, args=(listener.accept()[0],), daemon=True).start()
        except OSError:
            return

    threading.Thread(target=accept, daemon=True).start()
    try:
        yield f"redis://127.0.0.1:{listener.getsockname()[1]}"
    finally:
        listener.close()


@pytest.mark.parametrize("replies", [10, 300, 600, 900, 1_500, 3_000])
@pytest.mark.parametrize("words", [["commit"], ["diff"], ["restore", "HEAD", "--yes"]])
def test_a_server_that_goes_away_in_the_middle(kept: User, words: list[str], replies: int) -> None:
    kept.redis.mset({f"large:{number}": "x" * 1_000 for number in range(20)})
    socket_path = kept.server.url.removeprefix("unix://")
    before = kept.state()
    with cut_after(socket_path, replies) as url:
        done = kept.run(*words, "--url", url)
    assert (done.code, done.err.count("\n"), kept.state()) == (12, 1, before)
    assert done.err.startswith("gitbackup: ")


def test_the_server_s_refusal_is_json_where_the_output_is(kept: User) -> None:
    done = refusal(kept, "commit", "--json", *as_user(kept, "+@all", "-get", "-getrange"))
    assert json.loads(done.err) == {
        "schema": "gitbackup.error/1",
        "error": (
            "the user has no permission to run GET at SERVER: grant it with ACL SETUSER ... +get"
        ),
        "exit_code": 12,
    }
