"""Whatever a server answers: it is right, or one sentence says that it is not, in bounded time."""

from __future__ import annotations

import random
import socket
import threading
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager, suppress
from itertools import count
from pathlib import Path

import pytest

from gitbackup import Backup
from gitbackup.errors import GitbackupError, ServerError
from gitbackup.live.connection.address import parse
from gitbackup.live.connection.connect import connect
from gitbackup.live.protocol.bulk_parser import MOST_UNASKED
from gitbackup.live.read.atomic_read import AtomicReader
from gitbackup.snapshot import file_format
from tests.servers import LiveServer

pytestmark = pytest.mark.few(5)

Answer = Callable[[bytes, int], bytes]
"""Of what a client sent, and how often it did before."""

TIMEOUT = 1.0  # seconds
SEEDS = range(40)


@contextmanager
def listening(serve: Callable[[socket.socket], None]) -> Iterator[str]:
    """The URL of a free port, each of whose connections is given to `serve`."""
    stopped = threading.Event()

    def accept() -> None:
        while True:
            client, _ = listener.accept()
            if stopped.is_set():
                client.close()
                return
            serve(client)

    with socket.create_server(("127.0.0.1", 0)) as listener:
        thread = threading.Thread(target=accept)
        thread.start()
        port = listener.getsockname()[1]
        try:
            yield f"redis://127.0.0.1:{port}?socket_timeout={TIMEOUT}"
        finally:
            stopped.set()
            socket.create_connection(("127.0.0.1", port)).close()
            thread.join()


@contextmanager
def answering(answer: Answer, drip: float = 0) -> Iterator[str]:
    """A server that says what `answer` does, byte for byte with a pause where it is to drip."""
    stopped = threading.Event()

    def talk(client: socket.socket) -> None:
        with client, client.makefile("rb", buffering=0) as sent:
            times = 0
            while not stopped.is_set() and (data := sent.read(1 << 16)):
                said = answer(data, times)
                times += 1
                for at in range(len(said)) if drip else ():
                    if stopped.wait(drip):
                        return
                    client.sendall(said[at : at + 1])
                if not drip:
                    client.sendall(said)

    def serve(client: socket.socket) -> None:
        threading.Thread(target=_quietly, args=(talk, client), daemon=True).start()

    with listening(serve) as url:
        try:
            yield url
        finally:
            stopped.set()


def _quietly(talk: Callable[[socket.socket], None], client: socket.socket) -> None:
    with suppress(OSError):  # the client has left
        talk(client)


HELLO = (
    b"%7\r\n$6\r\nserver\r\n$5\r\nredis\r\n$7\r\nversion\r\n$5\r\n7.0.0\r\n$5\r\nproto\r\n:3\r\n"
    b"$2\r\nid\r\n:1\r\n$4\r\nmode\r\n$10\r\nstandalone\r\n$4\r\nrole\r\n$6\r\nmaster\r\n"
    b"$7\r\nmodules\r\n*0\r\n"
)


def each(one: Callable[[list[bytes]], bytes]) -> Answer:
    """What answers each command by itself, which has to come whole."""

    def answer(data: bytes, _: int) -> bytes:
        said, lines = b"", iter(data.split(b"\r\n"))
        while (head := next(lines, b"")).startswith(b"*"):
            said += one([(next(lines), next(lines))[1] for _ in range(int(head[1:]))])
        return said

    return answer


def after_hello(rest: bytes) -> Answer:
    """What knows its manners, and then says the same to every command."""

    def answer(data: bytes, _: int) -> bytes:
        commands = data.count(b"*") or 1
        return HELLO + rest * (commands - 1) if b"HELLO" in data else rest * commands

    return answer


NONSENSE: dict[str, Answer] = {
    "a number": lambda data, times: b":1\r\n" * 3 if times == 0 else b"+OK\r\n" * 5,
    "a pong": lambda data, times: b"+PONG\r\n" * 3 if times == 0 else b"+OK\r\n" * 5,
    "nothing but OK": lambda data, times: b"+OK\r\n" * 1000,
    "a page": lambda data, times: b"HTTP/1.1 400 Bad Request\r\n\r\n<html>",
    "a length beyond measure": lambda data, times: b"$99999999999999999999\r\n",
    "as many as there are": lambda data, times: b"*4294967295\r\n",
    "a nest": lambda data, times: b"*1\r\n" * 100_000,
    "an odd map": lambda data, times: b"*3\r\n$1\r\na\r\n$1\r\nb\r\n$1\r\nc\r\n",
    "OK after a greeting": after_hello(b"+OK\r\n"),
    "a number after a greeting": after_hello(b":1\r\n"),
    "nil after a greeting": after_hello(b"_\r\n"),
    "empty lists after a greeting": after_hello(b"*0\r\n"),
    "pushes after a greeting": after_hello(b">1\r\n+x\r\n"),
}


@pytest.mark.parametrize("what", NONSENSE)
@pytest.mark.parametrize("verb", ["commit", "check", "export"])
def test_an_answer_that_is_none(what: str, verb: str, tmp_path: Path) -> None:
    with answering(NONSENSE[what]) as url:
        backup = Backup(tmp_path / "data", url)
        with pytest.raises(ServerError) as raised:
            getattr(backup, verb)(*[tmp_path / "file"] if verb == "export" else [])
    assert "\n" not in str(raised.value)


def test_a_key_that_is_nowhere(tmp_path: Path) -> None:
    with answering(after_hello(b"-MOVED x\r\n")) as url, pytest.raises(ServerError) as raised:
        Backup(tmp_path / "data", url).commit()
    assert "\n" not in str(raised.value)


@pytest.mark.long
def test_an_answer_that_comes_byte_by_byte(tmp_path: Path) -> None:
    """A byte does not earn it the time that it takes."""
    slow = pytest.raises(ServerError, match="answers too slowly, with a timeout of 1 s")
    with answering(after_hello(b"+OK\r\n"), drip=TIMEOUT / 5) as url, slow:
        Backup(tmp_path / "data", url).commit()


@pytest.mark.long
def test_no_answer(tmp_path: Path) -> None:
    silent = pytest.raises(ServerError, match="does not answer, with a timeout of 1 s")
    with answering(lambda data, times: b"") as url, silent:
        Backup(tmp_path / "data", url).commit()


def fill(server: LiveServer) -> None:
    with server.client() as client:
        for number in range(5):
            client.set(f"string:{number}", f"value {number}", ex=10_000)
            client.hset(f"hash:{number}", mapping={"a": number, "b": "x" * 50})
            client.rpush(f"list:{number}", *range(5))
            client.sadd(f"set:{number}", *range(5))
            client.zadd(f"zset:{number}", {"a": 1.5, "b": number})
            client.xadd(f"stream:{number}", {"a": number})
        client.rpush("long", *range(10_100))
        client.xgroup_create("stream:0", "group", "0")
        client.xreadgroup("group", "consumer", {"stream:0": ">"})


@contextmanager
def spoilt(server: str, seed: int) -> Iterator[str]:
    """Passes on what the server says, but somewhere some of it is otherwise, or said twice."""
    chance = random.Random(seed)
    at, how = chance.randrange(60_000 if seed % 2 else 6_000), chance.randrange(5)
    passed = 0

    def spoil(data: bytes) -> bytes:
        nonlocal passed
        here, passed = at - passed, passed + len(data)
        if not 0 <= here < len(data):
            return data
        head, byte, tail = data[:here], data[here], data[here + 1 :]
        match how:
            case 0:
                return head + bytes([byte ^ 1 << chance.randrange(8)]) + tail
            case 1:
                return head + bytes([chance.randrange(256)]) + tail
            case 2:
                return head + tail
            case 3:
                return data[: here + 1] + data[max(0, here - 30) :]
        return head + chance.choice([b":1\r\n", b"*-1\r\n", b"$5\r\n", b"_\r\n", b"\r\n"]) + tail

    def pump(of: socket.socket, to: socket.socket, through: Callable[[bytes], bytes]) -> None:
        with suppress(OSError):
            while data := of.recv(1 << 16):
                to.sendall(through(data))
        for one in (of, to):
            with suppress(OSError):
                one.shutdown(socket.SHUT_RDWR)

    def serve(ours: socket.socket) -> None:
        theirs = socket.socket(socket.AF_UNIX)
        theirs.connect(server.removeprefix("unix://"))
        for pair in ((ours, theirs, lambda data: data), (theirs, ours, spoil)):
            threading.Thread(target=pump, args=pair, daemon=True).start()

    with listening(serve) as url:
        yield url


@pytest.mark.parametrize("seed", SEEDS)
def test_a_spoilt_answer(valkey: LiveServer, seed: int, tmp_path: Path) -> None:
    """What was committed all the same can be read back."""
    fill(valkey)
    with spoilt(valkey.address, seed) as url:
        backup = Backup(tmp_path / "data", url)
        with suppress(GitbackupError):
            backup.commit()
    if backup.repository is not None and backup.repository.head() is not None:
        files = backup.repository.files(backup.resolve("HEAD"))
        for path, blob in files.items():
            file_format.decode_file(path, backup.repository.read(blob))
    with suppress(GitbackupError), spoilt(valkey.address, seed) as url:
        connect(parse(url))


def test_messages_that_nobody_asked_for_without_end(tmp_path: Path) -> None:
    """They would fill the memory, each byte of them having earned some time."""
    message = b">2\r\n$10\r\ninvalidate\r\n*1\r\n$1\r\na\r\n"

    with (
        answering(after_hello(message * 2 * MOST_UNASKED)) as url,
        pytest.raises(ServerError, match="not requested"),
    ):
        Backup(tmp_path / "data", url).commit()


def test_databases_without_end(tmp_path: Path) -> None:
    """Each is told to be there, and INFO does not tell which."""

    def one(command: list[bytes]) -> bytes:
        word = command[0].upper()
        if word == b"INFO":
            return b"-NOPERM this user has no permissions to run the 'info' command\r\n"
        return {b"HELLO": HELLO, b"DBSIZE": b":0\r\n"}.get(word, b"+OK\r\n")

    with answering(each(one)) as url, pytest.raises(ServerError):
        Backup(tmp_path / "data", url).commit()


def listing(names: bytes) -> Callable[[list[bytes]], bytes]:
    """A server that tells of these names again and again, each time by another cursor."""
    cursors = count(1)

    def one(command: list[bytes]) -> bytes:
        word = command[0].upper()
        if word == b"SCAN":
            cursor = b"%d" % next(cursors)
            return b"*2\r\n$%d\r\n%s\r\n%s" % (len(cursor), cursor, names)
        info = b"# Keyspace\r\ndb0:keys=1,expires=0,avg_ttl=0\r\n"
        told = {
            b"HELLO": HELLO,
            b"DBSIZE": b":1\r\n",
            b"PING": b"+PONG\r\n",
            b"FUNCTION": b"*0\r\n",
        }
        told[b"TIME"] = b"*2\r\n$10\r\n1700000000\r\n$1\r\n0\r\n"
        told[b"INFO"] = b"$%d\r\n%s\r\n" % (len(info), info)
        return told.get(word, b"+OK\r\n")

    return one


@pytest.mark.long
def test_a_scan_without_end(tmp_path: Path) -> None:
    """Each time by another cursor, and without a key."""
    server = each(listing(b"*0\r\n"))
    with answering(server) as url:
        patient = url.replace(f"={TIMEOUT}", "=60")  # thousands of replies, from a thread of ours
        with pytest.raises(ServerError, match="SCAN"):
            Backup(tmp_path / "data", patient).commit()


def test_keys_without_end(tmp_path: Path) -> None:
    """It says that it has one, and tells of thousands each time that it is asked."""
    names = b"*100000\r\n" + b"$1\r\na\r\n" * 100_000
    sentence = "lists keys without end: [0-9,]+ so far, while it reports 1;"
    with answering(each(listing(names))) as url, pytest.raises(ServerError, match=sentence):
        Backup(tmp_path / "data", url).commit()


def one_list(word: bytes, reply: bytes) -> Callable[[list[bytes]], bytes]:
    """A server with a list, which answers so to one command."""
    info = b"# Keyspace\r\ndb0:keys=1,expires=0,avg_ttl=0\r\n"
    told = {
        b"HELLO": HELLO,
        b"DBSIZE": b":1\r\n",
        b"INFO": b"$%d\r\n%s\r\n" % (len(info), info),
        b"SCAN": b"*2\r\n$1\r\n0\r\n*1\r\n$1\r\nk\r\n",
        b"TYPE": b"+list\r\n",
        b"MEMORY": b":50\r\n",
        b"PEXPIRETIME": b":-1\r\n",
        b"LRANGE": b"*1\r\n$1\r\na\r\n",
        b"TIME": b"*2\r\n$10\r\n1700000000\r\n$1\r\n0\r\n",
        b"FUNCTION": b"*0\r\n",
        word: reply,
    }
    inside = False

    def one(command: list[bytes]) -> bytes:
        nonlocal inside
        before, inside = inside, (inside or command[0] == b"MULTI") and command[0] != b"EXEC"
        return b"+QUEUED\r\n" if before and inside else told.get(command[0], b"+OK\r\n")

    return one


def test_a_list_that_is_none(tmp_path: Path) -> None:
    server = each(one_list(b"LRANGE", b"*-1\r\n"))
    with answering(server) as url, pytest.raises(ServerError, match="to LRANGE is not valid"):
        Backup(tmp_path / "data", url).commit()


@pytest.mark.parametrize(
    ("reply", "sentence"),
    [(b"*-1\r\n", "to EXEC is not valid"), (b"-ASK 1 :0\r\n", "is a node of a cluster")],
)
def test_a_transaction_that_has_no_reason_to_fail(reply: bytes, sentence: str) -> None:
    """No key was watched, and the server is no node of a cluster."""
    with answering(each(one_list(b"EXEC", reply))) as url:
        server = connect(parse(url))
        with closing(server.dial()) as connection, pytest.raises(ServerError, match=sentence):
            AtomicReader(connection, server.abilities).read([], libraries=False)
