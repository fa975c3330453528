"""Which writes no server reports: each command that may write is run on each server at hand.

A command that is in no table here fails the test: it has to be looked at. docs/servers.md has the
table of those that are not reported.
"""

from __future__ import annotations

import re
import socket
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import hiredis
import pytest
import redis

from gitbackup import Backup, CommitResult
from gitbackup.kinds import SILENT_COMMANDS
from gitbackup.live.read.invalidation import SilentChange
from tests.servers import BRANDS, MODULES, LiveServer
from tests.watching import watching

DOCS = Path(__file__).parents[2] / "docs" / "servers.md"
TTL, HYPERLOGLOG = "SET k 1; EXPIRE k 100", "PFADD k a"
HASH, STREAM = "HSET k f 1 g 2", "XADD k 1-1 f v"
GROUP = f"{STREAM}; XADD k 2-1 f v; XGROUP CREATE k g 0"
PENDING = f"{GROUP}; XREADGROUP GROUP g c COUNT 1 STREAMS k >"
JSON = 'JSON.SET k $ {"n":3,"a":[1,2],"s":"x","b":true}'
SKETCHES = "CMS.INITBYDIM k 10 3; CMS.INCRBY k a 5; CMS.INITBYDIM l 10 3"
SERIES = "TS.CREATE k; TS.ADD k 1 1; TS.CREATE l"
RULE = f"{SERIES}; TS.CREATERULE k l AGGREGATION sum 10"
WRITES: dict[str, str] = {
    "SET k 1": "APPEND k x; BITFIELD k SET u8 0 1; DECR k; DECRBY k 2; INCR k; INCRBY k 2;"
    " INCRBYFLOAT k 1.5; GETDEL k; GETSET k x; SET k x; SETBIT k 1 1; DEL k; SETEX k 100 x;"
    " PSETEX k 100000 x; SETRANGE k 1 x; UNLINK k; EXPIRE k 100; EXPIREAT k 4000000000;"
    " PEXPIRE k 100000; PEXPIREAT k 4000000000000; GETEX k EX 100; RENAME k l; RENAMENX k l;"
    " MOVE k 1; COPY k l; MSET k 2 l 3; BITOP NOT l k; DELIFEQ k 1; DELEX k",
    "": "MSETNX k 1; SETNX k 1; PFADD k a; PFMERGE k l; FT.SUGADD k a 1; BF.RESERVE k 0.01 100;"
    " BF.ADD k a; CF.RESERVE k 100; CF.ADD k a; CMS.INITBYDIM k 10 3; CMS.INITBYPROB k 0.01 0.01;"
    " TOPK.RESERVE k 3; TDIGEST.CREATE k; TS.CREATE k; TS.ADD k 1 1; VADD k VALUES 2 1 2 a;"
    f" MSETEX 1 k v EX 100; {JSON}",
    TTL: "PERSIST k",
    HYPERLOGLOG: "PFADD k b; PFDEBUG TODENSE k; PFCOUNT k",
    HASH: "HDEL k f; HINCRBY k f 1; HINCRBYFLOAT k f 1.5; HMSET k f 3; HSET k f 3; HSETNX k h 1;"
    " HEXPIRE k 100 FIELDS 1 f; HEXPIREAT k 4000000000 FIELDS 1 f; HPEXPIRE k 100000 FIELDS 1 f;"
    " HPEXPIREAT k 4000000000000 FIELDS 1 f; HGETDEL k FIELDS 1 f; HGETEX k EX 100 FIELDS 1 f;"
    " HSETEX k EX 100 FIELDS 1 f 2",
    f"{HASH}; HEXPIRE k 100 FIELDS 1 f": "HPERSIST k FIELDS 1 f",
    "RPUSH k a b a": "LINSERT k BEFORE a x; LMOVE k l LEFT LEFT; LPOP k; LPUSH k x; LPUSHX k x;"
    " LREM k 1 a; LSET k 0 x; LTRIM k 1 2; RPOP k; RPOPLPUSH k l; RPUSH k x; RPUSHX k x;"
    " BLPOP k 1; BRPOP k 1; BLMOVE k l LEFT LEFT 1; BRPOPLPUSH k l 1; LMPOP 1 k LEFT;"
    " BLMPOP 1 1 k LEFT; SORT k ALPHA STORE l",
    "SADD k a b": "SADD k c; SREM k a; SPOP k; SMOVE k l a; SDIFFSTORE l k; SINTERSTORE l k;"
    " SUNIONSTORE l k",
    "ZADD k 1 a 2 b": "ZADD k 3 c; ZINCRBY k 1 a; ZREM k a; ZPOPMAX k; ZPOPMIN k; BZPOPMAX k 1;"
    " BZPOPMIN k 1; ZMPOP 1 k MIN; BZMPOP 1 1 k MIN; ZREMRANGEBYRANK k 0 0;"
    " ZREMRANGEBYSCORE k 1 1; ZRANGESTORE l k 0 -1; ZDIFFSTORE l 1 k; ZINTERSTORE l 1 k;"
    " ZUNIONSTORE l 1 k",
    "ZADD k 0 a 0 b": "ZREMRANGEBYLEX k [a [a",
    "GEOADD k 1 2 a 3 4 b": "GEOADD k 5 6 c; GEORADIUS k 1 2 100 km STORE l;"
    " GEORADIUSBYMEMBER k a 100 km STORE l;"
    " GEOSEARCHSTORE l k FROMMEMBER a BYRADIUS 100 km",
    STREAM: "XADD k 2-1 f v; XDEL k 1-1; XTRIM k MAXLEN 0; XSETID k 5-1; XGROUP CREATE k g 0;"
    " XDELEX k IDS 1 1-1",
    GROUP: "XREADGROUP GROUP g c STREAMS k >; XGROUP CREATECONSUMER k g c; XGROUP DESTROY k g;"
    " XGROUP SETID k g 2-1",
    PENDING: "XACK k g 1-1; XCLAIM k g d 0 1-1; XAUTOCLAIM k g d 0 0; XGROUP DELCONSUMER k g c;"
    " XACKDEL k g IDS 1 1-1",
    JSON: "JSON.ARRAPPEND k $.a 3; JSON.ARRINSERT k $.a 0 3; JSON.ARRPOP k $.a;"
    " JSON.ARRTRIM k $.a 0 0; JSON.CLEAR k $.a; JSON.DEL k $.a; JSON.FORGET k $.a;"
    ' JSON.MERGE k $ {"z":1}; JSON.MSET k $.n 5; JSON.NUMINCRBY k $.n 1; JSON.NUMMULTBY k $.n 2;'
    ' JSON.NUMPOWBY k $.n 2; JSON.SET k $.n 9; JSON.STRAPPEND k $.s "y"; JSON.TOGGLE k $.b',
    "BF.RESERVE k 0.01 100": "BF.ADD k a; BF.MADD k a b; BF.INSERT k ITEMS a",
    "CF.RESERVE k 100; CF.ADD k a": "CF.ADD k b; CF.ADDNX k b; CF.DEL k a; CF.INSERT k ITEMS b;"
    " CF.INSERTNX k ITEMS b; CF.COMPACT k",
    SKETCHES: "CMS.INCRBY k a 1; CMS.MERGE l 1 k",
    "TOPK.RESERVE k 3": "TOPK.ADD k a; TOPK.INCRBY k a 3; TOPK.COUNT k a",
    "TDIGEST.CREATE k; TDIGEST.ADD k 1 2": "TDIGEST.ADD k 3; TDIGEST.RESET k; TDIGEST.MERGE l 1 k;"
    " TDIGEST.QUANTILE k 0.5",
    SERIES: "TS.ADD k 2 2; TS.ALTER k RETENTION 100000; TS.DECRBY k 1; TS.DEL k 0 5; TS.INCRBY k 1;"
    " TS.MADD k 3 3; TS.CREATERULE k l AGGREGATION sum 10",
    RULE: "TS.DELETERULE k l; TS.ADD k 25 1; TS.DEL k 0 5",
    "FT.SUGADD k a 1; FT.SUGADD k b 1": "FT.SUGADD k c 1; FT.SUGADD k a 1 INCR; FT.SUGDEL k a",
    "VADD k VALUES 2 1 2 a": 'VADD k VALUES 2 3 4 b; VREM k a; VSETATTR k a {"x":1}',
    "GRAPH.QUERY k CREATE(:A)": "GRAPH.QUERY k CREATE(:B); GRAPH.DELETE k",
}
"""What there has to be, and commands each of which is run when there is that and nothing else."""

OTHERS = {
    *("flushall", "flushdb", "swapdb", "restore", "restore-asking", "migrate", "pfdebug"),
    *("bf.loadchunk", "cf.loadchunk"),  # parts of what another filter's SCANDUMP gave
    *("graph.bulk", "graph.constraint", "graph.copy", "graph.effect", "graph.explain"),
    *("graph.password", "graph.profile", "graph.restore"),  # a graph's dump may differ by itself
    *("ft.add", "ft.safeadd", "ft.del"),  # old names of HSET and DEL
    *SilentChange.SEARCH.value,
}
"""Commands that write, and are no change of one key, or are looked at elsewhere."""


IN_CASE = {"xackdel", "xcfgset", "xdelex", "xnack"}
"""Commands that are watched for, though the servers at hand report them or do not have them."""


class Hearer:
    """A connection that is told which keys are written to."""

    def __init__(self, server: LiveServer) -> None:
        self.wire = socket.socket(socket.AF_UNIX)
        self.wire.connect(server.address.removeprefix("unix://"))
        self._reader = hiredis.Reader()
        self._names: set[bytes] = set()
        self._call("HELLO", "3")
        self._call("CLIENT", "TRACKING", "ON", "BCAST")

    def heard(self) -> set[bytes]:
        """The keys that were written to since this was last asked; of a flush, none."""
        self._call("PING")
        self._call("PING")
        names, self._names = self._names, set()
        return names

    def _call(self, *words: str) -> None:
        self.wire.sendall(hiredis.pack_command(words))
        while True:
            reply = self._reader.gets()
            if reply is False:
                self._reader.feed(self.wire.recv(65536))
            elif isinstance(reply, hiredis.PushNotification):
                self._names.update(reply[1] or ())
            else:
                return


def held(client: redis.Redis) -> dict[bytes, tuple[Any, bool]]:
    """What the keys hold, and whether they expire."""
    return {key: (client.dump(key), client.pttl(key) > 0) for key in (b"k", b"l")}


def run(client: redis.Redis, command: str) -> bool:
    """Whether the server knows a command; raises if it refuses it for another reason."""
    try:
        client.execute_command(*command.split(" "))
    except redis.exceptions.ResponseError as error:
        if "unknown" not in str(error):
            raise
        return False
    return True


def writes() -> Iterator[tuple[str, str]]:
    for before, commands in WRITES.items():
        yield from ((before, command.strip()) for command in commands.split(";"))


@pytest.mark.long
@pytest.mark.parametrize("brand", [*BRANDS, *MODULES])
def test_what_is_not_reported_is_known(running: Callable[[str], LiveServer], brand: str) -> None:
    server = running(brand)
    hearer, run_here, silent = Hearer(server), set[str](), set[str]()
    with server.client() as client, hearer.wire:
        for before, command in writes():
            client.flushall()
            if not all(run(client, each) for each in filter(None, before.split("; "))):
                continue
            there = held(client)
            hearer.heard()
            if not run(client, command):
                continue
            name = command.split(" ")[0].lower()
            run_here.add(name)
            now, heard = held(client), hearer.heard()
            if any(now[key] != there[key] and key not in heard for key in now):
                silent.add(name)
        told = client.execute_command("COMMAND")
        known = {
            str(name).lower() for name, facts in told.items() if "write" in map(str, facts["flags"])
        }
    assert known - run_here - OTHERS == set()
    watched = {*SilentChange.KEYS.value, *SilentChange.EVERYTHING.value}
    assert silent <= watched
    assert silent == (run_here & {*_documented()}) | {"pfdebug"}


@pytest.mark.long
@pytest.mark.parametrize(
    ("before", "silent"),
    [
        ("CMS.INITBYDIM k 10 3", "CMS.INCRBY k a 1"),
        ("FT.SUGADD k a 1; FT.SUGADD k b 1", "FT.SUGDEL k a"),
    ],
)
def test_a_watch_commits_what_is_not_reported(
    stack: LiveServer, tmp_path: Path, before: str, silent: str
) -> None:
    with stack.client() as client:
        for command in before.split("; "):
            assert run(client, command)
        with watching(Backup(tmp_path / "data", stack.url)) as watcher:
            assert run(client, silent)
            result = watcher.told(CommitResult, 2)
    assert (result.summary.subject, result.consistency) == ("k changed", "point-in-time")


def test_the_table_of_the_docs_has_what_is_watched_for_by_type() -> None:
    watched = {name for names in SILENT_COMMANDS.values() for name in names}
    assert watched == {*_documented(), *IN_CASE}


def _documented() -> Iterator[str]:
    """The commands of the table in docs/servers.md, in lower case."""
    text = DOCS.read_text("utf-8")
    (table,) = re.findall(r"^\| type \| commands \|\n(.*?)\n\n", text, re.DOTALL | re.MULTILINE)
    yield from (name.lower() for name in re.findall(r"[A-Z]+\.?[A-Z]+", table.split("|---|\n")[1]))
