"""Clients that write to a server while it is read, each a process of its own.

- `bank`: transfers between accounts, in MULTI; the sum of all holds.
- `index`: items added together with their entry in an index, and deleted together.
- `modules`: the same into two keys of each of several types of modules, and between documents.
"""

from __future__ import annotations

import random
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import hiredis

from gitbackup import Backup
from gitbackup.model.keys import Entry
from gitbackup.snapshot import file_format
from tests.servers import LiveServer

ACCOUNTS = 10_000
BALANCE = 1_000
SUM = ACCOUNTS * BALANCE
ITEMS = 2_000
PAIR = ("one", "other")
LATE = 0.05  # seconds behind its rate that a writer makes up for
Command = tuple[bytes | str | int, ...]
Transaction = Callable[[random.Random], list[Command]]


def account(number: int) -> str:
    return f"account:{number:05}"


def fill(server: LiveServer) -> None:
    with server.client() as client:
        client.mset({account(number): BALANCE for number in range(ACCOUNTS)})


def bank(chance: random.Random) -> list[Command]:
    one, other = chance.sample(range(ACCOUNTS), 2)
    amount = chance.randint(1, 100)
    return [("DECRBY", account(one), amount), ("INCRBY", account(other), amount)]


def index(chance: random.Random) -> list[Command]:
    name = f"item:{chance.randrange(ITEMS)}"
    if chance.random() < 0.5:
        return [("HSET", name, "name", name), ("SADD", "items:index", name)]
    return [("DEL", name), ("SREM", "items:index", name)]


def modules(chance: random.Random) -> list[Command]:
    item, at = f"item:{chance.randrange(10**9)}", chance.randrange(10**12)
    amount = chance.randint(1, 100)
    pairs: list[Command] = []
    for name in PAIR:
        pairs += [
            ("BF.ADD", f"bloom:{name}", item),
            ("CMS.INCRBY", f"sketch:{name}", item, 1),
            ("TS.ADD", f"series:{name}", at, amount, "ON_DUPLICATE", "LAST"),
            ("JSON.NUMINCRBY", f"document:{name}", ".n", amount if name == "one" else -amount),
            ("JSON.NUMINCRBY", f"document:{name}", ".count", 1),
        ]
    chance.shuffle(pairs)
    return pairs


def held(backup: Backup, commit: str = "HEAD") -> dict[str, Entry]:
    """The entries of a commit's database 0."""
    repository = Backup(backup.path).repository
    assert repository is not None
    files = repository.files(backup.resolve(commit)).items()
    found = (
        file_format.decode_file(path, repository.read(blob_id))
        for path, blob_id in files
        if path.startswith("db0/")
    )
    return {key.name: entry for entries in found for key, entry in entries.items()}


def balance(backup: Backup, commit: str = "HEAD") -> int:
    """The sum of all accounts in a commit."""
    return sum(int(entry["value"]) for entry in held(backup, commit).values())


@contextmanager
def writing(server: LiveServer, what: str, rate: int, clients: int = 3) -> Iterator[None]:
    """Some clients write, so many transactions a second together; 0 is all that they can."""
    command = (sys.executable, "-m", "tests.writers", server.address, what)
    started = [
        subprocess.Popen(
            [*command, str(rate / clients), str(seed)],
            cwd=Path(__file__).parents[1],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
        )
        for seed in range(clients)
    ]
    try:
        for process in started:
            assert process.stdout is not None
            assert process.stdout.readline() == b"writing\n"
        yield
    finally:
        for process in started:
            process.kill()
            process.communicate()


def write(address: str, transaction: Transaction, rate: float, seed: int) -> None:
    """Writes until the server goes away, or we are killed."""
    chance = random.Random(seed)
    reader = hiredis.Reader()
    with socket.socket(socket.AF_UNIX) as wire:
        wire.connect(address.removeprefix("unix://"))
        next_one = time.monotonic()
        for turn in range(sys.maxsize):
            if rate:
                next_one = max(next_one + 1 / rate, time.monotonic() - LATE)
                time.sleep(max(0.0, next_one - time.monotonic()))
            commands = [("MULTI",), *transaction(chance), ("EXEC",)]
            wire.sendall(b"".join(map(hiredis.pack_command, commands)))
            _await(wire, reader, len(commands))
            if turn == 0:
                print("writing", flush=True)


def _await(wire: socket.socket, reader: hiredis.Reader, replies: int) -> None:
    while replies:
        if reader.gets() is not False:
            replies -= 1
        elif data := wire.recv(65536):
            reader.feed(data)
        else:
            sys.exit("the server has gone")


def main(words: Sequence[str]) -> None:
    address, what, rate, seed = words
    write(address, {"bank": bank, "index": index, "modules": modules}[what], float(rate), int(seed))


if __name__ == "__main__":
    main(sys.argv[1:])
