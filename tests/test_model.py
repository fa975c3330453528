"""The commands against a model of them in plain Python, in any order, with laws after each step.

The model is what the documentation says: the database is a dictionary, a commit a copy of it, a
restore takes keys from such a copy, and an undo puts back what the last restore replaced.
"""

from __future__ import annotations

from collections.abc import Callable
from copy import deepcopy
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import pytest
import redis
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    invariant,
    precondition,
    rule,
    run_state_machine_as_test,
)

from gitbackup.cli.app import code_of
from gitbackup.format import codec
from gitbackup.snapshot import file_format
from gitbackup.store.repository.repository import Repository
from tests.servers import LiveServer
from tests.store.plain import git

DATABASES = (0, 3)
NAMES = ("user:1", "user:2", "cart:1", "cart:2", "config", "odd \n\xff", "日本", "")
GLOBS = ("user:*", "cart:*", "config", "*")
LATER = 4_102_444_800_000
Model = dict[tuple[int, bytes], dict[str, Any]]
"""What a database holds: for each key the entry that the stored format has for it."""

names = st.sampled_from([name.encode("latin-1" if "\xff" in name else "utf-8") for name in NAMES])
contents = st.sampled_from([b"", b"one", b"two", b"\xff\x00", b'{"a": 1}', b"base64:", b"x\ny"])
scores = st.sampled_from([1, -2.5, 0.1 + 0.2, 1e300])
values = st.one_of(
    contents,
    st.dictionaries(contents, contents, min_size=1, max_size=4),
    st.lists(contents, min_size=1, max_size=4),
    st.sets(contents, min_size=1, max_size=4).map(frozenset),
    st.dictionaries(contents, scores, min_size=1, max_size=3).map(lambda pairs: [*pairs.items()]),
)
expiries = st.none() | st.integers(LATER, LATER + 5)


def entry_of(value: Any, expires_at: int | None) -> dict[str, Any]:
    """A value of Python's as the stored format has it."""
    entry: dict[str, Any]
    if isinstance(value, bytes):
        entry = {"type": "string", "value": codec.text(value)}
    elif isinstance(value, dict):
        fields = {codec.text(name): codec.text(item) for name, item in value.items()}
        entry = {"type": "hash", "value": fields}
    elif isinstance(value, frozenset):
        entry = {"type": "set", "value": sorted(map(codec.text, value))}
    elif not isinstance(value[0], bytes):
        entry = {"type": "zset", "value": {codec.text(name): score for name, score in value}}
    else:
        entry = {"type": "list", "value": [*map(codec.text, value)]}
    if expires_at:
        entry["expires_at"] = codec.instant(expires_at)
    return entry


class Commands(RuleBasedStateMachine):
    """One server and one repository, and the model of both."""

    def __init__(self, server: LiveServer) -> None:
        super().__init__()
        self.server = server
        self.clients = {db: server.client(db=db) for db in DATABASES}
        self.folder = TemporaryDirectory()
        self.repo = Path(self.folder.name) / "data"
        self.live: Model = {}
        self.head: Model = {}
        self.commits: list[tuple[str, Model]] = []
        self.last: tuple[Model, Model] | None = None  # what the last restore found, and left
        server.reset()

    def teardown(self) -> None:
        if self.commits:
            assert git(self.repo, "fsck", "--strict", "--no-dangling") == ""
            assert git(self.repo, "status", "--porcelain") == ""
        for client in self.clients.values():
            client.close()
        self.folder.cleanup()

    def run(self, *words: str, code: int = 0) -> None:
        """`gitbackup <words>`."""
        where = ["--repo", str(self.repo)]
        if words[0] not in ("log", "verify", "push"):
            where += ["--url", self.server.url]
        assert code_of([words[0], *where, *words[1:]]) == code

    def record(self) -> None:
        """What is there becomes a commit, where it is another than HEAD."""
        if self.live != self.head or not self.commits:
            self.head = deepcopy(self.live)
            self.commits.append(("", self.head))

    def restore(self, wanted: Model) -> None:
        """The database becomes that: what was there is a commit first, though HEAD may hold the
        same, and what is there is one after."""
        if wanted == self.live:
            return
        self.head = deepcopy(self.live)
        self.commits.append(("", self.head))
        self.last = deepcopy(self.live), deepcopy(wanted)
        self.live = deepcopy(wanted)
        self.record()
        self.name_commits()

    def name_commits(self) -> None:
        """The ids of new commits; their number is a law by itself."""
        ids = git(self.repo, "rev-list", "--reverse", "HEAD").split()
        assert len(ids) == len(self.commits)
        self.commits = [(id_, model) for id_, (_, model) in zip(ids, self.commits, strict=True)]

    @initialize()
    def first(self) -> None:
        self.run("commit")
        self.record()
        self.name_commits()

    @rule(db=st.sampled_from(DATABASES), name=names, value=values, at=expiries)
    def write(self, db: int, name: bytes, value: Any, at: int | None) -> None:
        put(self.clients[db], name, value, at)
        self.live[db, name] = entry_of(value, at)

    @rule(db=st.sampled_from(DATABASES), name=names)
    def delete(self, db: int, name: bytes) -> None:
        self.clients[db].delete(name)
        self.live.pop((db, name), None)

    @rule()
    def flush(self) -> None:
        self.clients[0].flushall()
        self.live = {}

    @rule(words=st.sampled_from([(), ("-m", "why")]))
    def commit(self, words: tuple[str, ...]) -> None:
        self.run("commit", *words)
        self.record()
        self.name_commits()

    @rule(data=st.data(), how=st.sampled_from(["whole", "some", "keep", "database", "dry"]))
    def restore_one(self, data: st.DataObject, how: str) -> None:
        commit, model = data.draw(st.sampled_from(self.commits[-8:]))
        words, wanted = ["restore", commit, "--yes"], deepcopy(model)
        if how == "some":
            glob = data.draw(st.sampled_from(GLOBS))
            if not any(matches(glob, key) for key in model):
                return
            words.append(glob)
            wanted = {key: held for key, held in self.live.items() if not matches(glob, key)}
            wanted |= {key: held for key, held in model.items() if matches(glob, key)}
        elif how == "keep":
            words.append("--no-delete")
            wanted = self.live | model
        elif how == "database":
            if not any(db == 3 for db, _ in model):
                return
            words += ["--db", "3"]
            wanted = {key: held for key, held in self.live.items() if key[0] != 3}
            wanted |= {key: held for key, held in model.items() if key[0] == 3}
        elif how == "dry":
            words[2:] = ["--dry-run"]
            wanted = self.live
        self.run(*words)
        self.restore(wanted)

    @precondition(lambda self: self.last)
    @rule()
    def undo(self) -> None:
        assert self.last
        found, left = self.last
        touched = {key for key in {*found, *left} if found.get(key) != left.get(key)}
        wanted = {key: held for key, held in self.live.items() if key not in touched}
        wanted |= {key: held for key, held in found.items() if key in touched}
        self.run("undo", "--yes")
        self.restore(wanted)

    @rule(data=st.data(), form=st.sampled_from(["json", "jsonl"]))
    def export_and_import(self, data: st.DataObject, form: str) -> None:
        commit, model = data.draw(st.sampled_from(self.commits[-8:]))
        file = str(self.repo.parent / "export")
        self.run("export", commit, "-o", file, "--format", form)
        self.run("import", file, "--yes")
        self.restore(self.live | model)

    @rule()
    def look(self) -> None:
        """Commands that only look tell whether something differs, and change nothing."""
        self.run("status")
        self.run("diff", "--exit-code", code=int(self.live != self.head))
        self.run("log")

    @invariant()
    def the_server_holds_what_the_model_does(self) -> None:
        assert {
            (db, name): held
            for db, client in self.clients.items()
            for name, held in entries_of(client)
        } == self.live

    @invariant()
    def head_holds_what_the_model_s_does(self) -> None:
        if not self.commits:
            return
        repository = Repository.open(self.repo)
        stored: Model = {}
        for path, blob in repository.files("HEAD").items():
            if file_format.is_data(path):
                for key, entry in file_format.decode_file(path, repository.read(blob)).items():
                    stored[key.db, codec.data(key.name)] = {**entry}
        repository.close()
        assert stored == self.head


def matches(glob: str, key: tuple[int, bytes]) -> bool:
    head, star, _ = glob.encode().partition(b"*")
    return key[1].startswith(head) if star else key[1] == head


def put(client: redis.Redis, name: bytes, value: Any, expires_at: int | None) -> None:
    with client.pipeline() as pipe:
        pipe.delete(name)
        if isinstance(value, bytes):
            pipe.set(name, value)
        elif isinstance(value, dict):
            pipe.hset(name, mapping=value)
        elif isinstance(value, frozenset):
            pipe.sadd(name, *value)
        elif isinstance(value[0], tuple):
            pipe.zadd(name, dict(value))
        else:
            pipe.rpush(name, *value)
        if expires_at:
            pipe.pexpireat(name, expires_at)
        pipe.execute()


def entries_of(client: redis.Redis) -> list[tuple[bytes, dict[str, Any]]]:
    """What a database holds, read by a plain client."""
    read: dict[bytes, Callable[[bytes], Any]] = {
        b"string": client.get,
        b"hash": client.hgetall,
        b"list": lambda name: client.lrange(name, 0, -1),
        b"set": lambda name: frozenset(client.smembers(name)),
        b"zset": lambda name: client.zrange(name, 0, -1, withscores=True),
    }
    found = []
    names: list[Any] = client.keys()
    for name in names:
        at = client.pexpiretime(name)
        kind: Any = client.type(name)
        found.append((name, entry_of(read[kind](name), at if at > 0 else None)))
    return found


def holds(server: LiveServer, examples: int, steps: int) -> None:
    class Here(Commands):
        def __init__(self) -> None:
            super().__init__(server)

    run_state_machine_as_test(
        Here,
        settings=settings(
            max_examples=examples,
            stateful_step_count=steps,
            deadline=None,
            suppress_health_check=[*HealthCheck],
        ),
    )


def test_the_commands_do_what_the_model_of_them_does(valkey: LiveServer) -> None:
    holds(valkey, 6, 12)


@pytest.mark.long
def test_the_commands_do_what_the_model_of_them_does_for_long(valkey: LiveServer) -> None:
    holds(valkey, 25, 30)
