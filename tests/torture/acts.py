"""The commands that are tried, and what each has to have done where it says that it went well."""

from __future__ import annotations

import json
import re
import shutil
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from random import Random

from gitbackup.live.server.staging_keys import MARK
from tests.torture.database import Held, Key, State, library_named, tokens_in
from tests.torture.plain import Plain
from tests.torture.starter import Ended
from tests.torture.world import World

Keys = dict[Key, Held]
LIVE = (
    ("status",),
    ("diff",),
    ("diff", "--stat"),
    ("status", "--json"),
    ("diff", "--format", "redis"),
)
PAST = (
    ("log",),
    ("log", "--stat", "-n", "5"),
    ("log", "--", "user:*"),
    ("show",),
    ("keys",),
    ("show", "HEAD", "--json"),
    ("diff", "HEAD~1", "HEAD"),
    ("log", "--json", "-n3"),
)
GLOBS = ("user:*", "user:1*", "cart:eu:*", "usage:*", "index", "c*")


DONE = frozenset({0, 4})
"""The exit codes of a commit that was made: an alarm is one."""


@dataclass(frozen=True)
class Act:
    """A command: the words, and what is true once it went well.

    `target` is what the database holds then, given what it held before: None where that cannot
    be told. `proof` says what else is not as it should be.
    """

    kind: str
    words: list[str]
    server: bool = True
    writes: bool = False
    records: bool = False  # HEAD is what the database holds, then
    codes: frozenset[int] = frozenset({0})
    target: Callable[[State], Keys | None] = lambda before: before.keys
    libraries: Callable[[State], frozenset[bytes] | None] = lambda before: before.libraries
    proof: Callable[[State, Ended], str] = lambda before, ended: ""
    restores: str | None = None  # the commit, where it is a restore of one
    relative: bool = False  # whether the words mean another commit once HEAD has moved
    needs: bool = True  # whether the repository has to be there
    ends: str = ""  # a signal that ends it, where it does not by itself
    clear: Callable[[], None] = lambda: None  # takes away what it has made
    verdict: bool = False  # whether exit code 1 is one of its answers
    once: bool = False  # whether what has been done cannot be done again
    been_done: str = ""  # what is said of one that was done and cannot be done again
    ready: Callable[[], None] = field(default=lambda: None)  # makes what it needs


def pick(world: World, chance: Random) -> Act:
    """One of all, as likely as its weight says."""
    if world.plain.head() is None:
        return chance.choice((first_init, commit))(world, chance)
    makers = [maker for maker, _ in WEIGHTS]
    weights = [weight for _, weight in WEIGHTS]
    while True:
        act = chance.choices(makers, weights)[0](world, chance)
        if act is not None:
            return act


def alive(keys: Keys, now: int) -> Keys:
    """Those that have not expired."""
    return {key: held for key, held in keys.items() if held.expires_at < 0 or held.expires_at > now}


def commit(world: World, chance: Random) -> Act:
    words = ["commit", *chance.choice(([], ["-m", "a change"], ["-m", "x\ny: z"], ["--json"]))]
    if chance.random() < 0.1:
        words += ["--consistency", chance.choice(("pause", "per-key"))]
    return Act("commit", words, records=True, needs=False, codes=DONE)


def would_commit(world: World, chance: Random) -> Act:
    return Act("commit --dry-run", ["commit", "--dry-run"])


def _first(world: World, chance: Random, word: str) -> Act:
    """A repository that is made, in a folder of its own."""
    repo = world.fresh("new")
    words = [word, "--repo", str(repo)]

    def proof(before: State, ended: Ended) -> str:
        plain = Plain(repo)
        if word == "init":
            done = world.run("commit", "--repo", str(repo))
            if done.code:
                return f"a commit after it: {done.err}"
        if problems := plain.problems():
            return problems
        if plain.tokens() != before.tokens:
            return "the first commit does not hold what the database does"
        return plain.uncommitted()

    return Act(
        f"first {word}", words, server=word == "commit", proof=proof, needs=False,
        clear=lambda: shutil.rmtree(repo, ignore_errors=True),
    )  # fmt: skip


def first_init(world: World, chance: Random) -> Act:
    return _first(world, chance, "init")


def first_commit(world: World, chance: Random) -> Act:
    return _first(world, chance, "commit")


def init(world: World, chance: Random) -> Act:
    return Act("init", ["init", "--redact", "secret*"], server=False)


def config(world: World, chance: Random) -> Act:
    """A setting that travels, there or not."""

    def values() -> list[str]:
        told = world.plain.run("config", "--get-all", "gitbackup.redact").stdout.decode()
        return told.split("\n")

    word = "remove" if "hush*" in values() else "add"

    def proof(before: State, ended: Ended) -> str:
        return (
            "" if ("hush*" in values()) == (word == "add") else "the setting is not as it was set"
        )

    return Act("config", ["config", word, "redact", "hush*"], server=False, proof=proof, once=True,
               been_done="redact has no 'hush*'")  # fmt: skip


def reads(world: World, chance: Random) -> Act:
    """What only looks, at the server or the history."""
    live = chance.choice(LIVE)
    past = chance.choice(PAST)
    if chance.random() < 0.6:
        return Act(live[0], [*live])
    if past[:2] == ("diff", "HEAD~1") and len(world.known) < 3:
        past = ("log",)
    return Act(past[0], [*past], server=False)


def differs(world: World, chance: Random) -> Act:
    def proof(before: State, ended: Ended) -> str:
        same = world.plain.tokens() == before.tokens
        return "" if same or ended.code else "nothing differs, it said, and something does"

    return Act("diff --exit-code", ["diff", "--exit-code"], codes=frozenset({0, 1}), proof=proof,
               verdict=True)  # fmt: skip


def blame(world: World, chance: Random) -> Act | None:
    head = _head(world)
    found = sorted(key for db, key in world.known[head].keys if db == 0 and key.isalnum())
    if not found:
        return None
    words = ["blame", "--db", "0", chance.choice(found).decode(), head]
    return Act("blame", words, server=False)


def check(world: World, chance: Random) -> Act:
    return Act("check", ["check"], codes=frozenset({0, 1}), verdict=True)


def _head(world: World) -> str:
    head = world.plain.head()
    assert head is not None
    return head


def _named(world: World, chance: Random) -> tuple[str, str, bool] | None:
    """A commit whose state is known, a name for it, and whether that name moves with HEAD."""
    line = world.plain.run("rev-list", "--first-parent", "HEAD").stdout.decode().split()
    known = [(at, one) for at, one in enumerate(line) if one in world.known]
    if not known:
        return None
    at, one = chance.choice(known[:12])
    how = chance.random()
    if how < 0.4:
        return one, (f"HEAD~{at}" if at else "HEAD"), True
    return one, one[:12] if how < 0.7 else one, False


def restore(world: World, chance: Random) -> Act | None:
    found = _named(world, chance)
    if found is None:
        return None
    one, name, relative = found
    state = world.known[one]
    words = ["restore", name, "--yes"]
    kind = "restore"
    how = chance.random()
    if how < 0.45:
        target = partial(_whole, state)
    elif how < 0.7:
        globs = chance.sample(GLOBS, chance.choice((1, 1, 2)))
        kind, words = "restore KEYS", [*words, *globs]
        if not any(_matches(globs, key) for _, key in state.keys):
            return None
        target = partial(_some, state, globs)
    elif how < 0.85:
        kind, words = "restore --no-delete", [*words, "--no-delete"]
        target = partial(_added, state)
    else:
        kind, words = "restore --dry-run", ["restore", name, "--dry-run"]
        return Act(kind, words)
    libraries = (lambda before: state.libraries) if how < 0.45 else _any_libraries
    return Act(
        kind, words, writes=True, records=True, target=target, libraries=libraries,
        restores=one, relative=relative,
    )  # fmt: skip


def _any_libraries(before: State) -> None:
    return None


def _whole(state: State, before: State) -> Keys:
    return alive(state.keys, before.now)


def _some(state: State, globs: list[str], before: State) -> Keys:
    rest = {key: held for key, held in before.keys.items() if not _matches(globs, key[1])}
    some = {key: held for key, held in state.keys.items() if _matches(globs, key[1])}
    return rest | alive(some, before.now)


def _added(state: State, before: State) -> Keys:
    return before.keys | alive(state.keys, before.now)


def _matches(globs: list[str], name: bytes) -> bool:
    """As Redis does, for the few globs that we use."""
    for glob in globs:
        head, star, _ = glob.encode().partition(b"*")
        if (star and name.startswith(head)) or name == head:
            return True
    return False


def elsewhere(world: World, chance: Random) -> Act | None:
    """Into another server, whose own digest has to be the same then."""
    found = _named(world, chance)
    if found is None:
        return None
    one = found[0]
    state = world.known[one]
    other = world.other

    def proof(before: State, ended: Ended) -> str:
        there = other.state()
        if world.clock:
            wanted = alive(state.keys, there.now)
            return "" if same(wanted, alive(there.keys, there.now)) else "not the same there"
        if there.digest != state.digest:
            return "the other server's digest is not that of the commit"
        return "" if same(state.keys, there.keys) else "not the same there"

    return Act("restore --to", ["restore", one, "--yes", "--to", other.url], proof=proof)


def same(one: Keys, other: Keys) -> bool:
    return not differing(one, other)


def differing(one: Keys, other: Keys) -> list[Key]:
    """The keys that are not the same, but for values that are built aside."""
    names = [key for key in {*one, *other} if MARK not in key[1]]
    return sorted(key for key in names if _facts(one.get(key)) != _facts(other.get(key)))


def _facts(held: Held | None) -> tuple[object, ...] | None:
    return held and (held.type, held.digest, held.expires_at)


def undo(world: World, chance: Random) -> Act | None:
    last = world.undoable
    if last is None:
        return None

    def target(before: State) -> Keys:
        rest = {key: held for key, held in before.keys.items() if key not in last.keys}
        back = {key: held for key, held in last.before.keys.items() if key in last.keys}
        return rest | alive(back, before.now)

    def libraries(before: State) -> frozenset[bytes]:
        rest = {code for code in before.libraries if library_named(code) not in last.libraries}
        back = {code for code in last.before.libraries if library_named(code) in last.libraries}
        return frozenset(rest | back)

    return Act("undo", ["undo", "--yes"], writes=True, records=True, target=target,
               libraries=libraries, restores="", relative=True)  # fmt: skip


def export(world: World, chance: Random) -> Act | None:
    found = _named(world, chance)
    form = chance.choice(("json", "jsonl", "resp"))
    file = world.fresh("export")
    if found is None or chance.random() < 0.4:
        state, words = None, ["export", "-o", str(file), "--format", form]
    else:
        state = world.known[found[0]]
        words = ["export", found[0], "-o", str(file), "--format", form]

    def proof(before: State, ended: Ended) -> str:
        held = tokens_in(file.read_bytes())
        wanted = (state or before).tokens
        return "" if held == wanted else f"{len(held ^ wanted)} values too many or too few"

    return Act("export", words, server=state is None, proof=proof,
               clear=lambda: file.unlink(missing_ok=True))  # fmt: skip


def import_(world: World, chance: Random) -> Act | None:
    found = _named(world, chance)
    if found is None:
        return None
    one, state = found[0], world.known[found[0]]
    file = world.fresh("import")
    form = chance.choice(("json", "jsonl"))

    def ready() -> None:
        done = world.run("export", one, "-o", str(file), "--format", form)
        assert done.code == 0, done.err

    return Act(
        "import", ["import", str(file), "--yes"], writes=True, records=True,
        target=partial(_added, state), libraries=_any_libraries, restores="", ready=ready,
        clear=lambda: file.unlink(missing_ok=True),
    )  # fmt: skip


def _pushed(world: World) -> str:
    """The id of the commit that a folder's bundle has as HEAD."""
    bundle = str(world.cloud / "data-git-backup.bundle")
    listed = world.plain.run("bundle", "list-heads", bundle, "HEAD").stdout.decode()
    return listed.partition(" ")[0]


def push(world: World, chance: Random) -> Act:
    started = _head(world)

    def proof(before: State, ended: Ended) -> str:
        ours = {started, _head(world)}  # another run's, or plain git's, may have come since
        return "" if _pushed(world) in ours else "the bundle has not HEAD's commit"

    return Act("push", ["push", str(world.cloud)], server=False, proof=proof)


def pull(world: World, chance: Random) -> Act | None:
    """Another copy, that is behind, gets what the folder has."""
    bundle = world.cloud / "data-git-backup.bundle"
    second = world.work / "second"
    if not bundle.exists():
        return None

    def ready() -> None:
        if not second.exists():
            done = world.run("clone", str(world.cloud), str(second))
            assert done.code == 0, done.err
        done = world.run("push", str(world.cloud))
        assert done.code == 0, done.err

    def proof(before: State, ended: Ended) -> str:
        plain = Plain(second)
        if plain.head() != _pushed(world):
            return "what was pulled is not what is in the folder"
        return plain.problems() or plain.uncommitted()

    return Act("pull", ["pull", "--repo", str(second)], server=False, proof=proof, ready=ready)


def clone(world: World, chance: Random) -> Act | None:
    if not (world.cloud / "data-git-backup.bundle").exists():
        return None
    to = world.fresh("clone")

    def ready() -> None:
        done = world.run("push", str(world.cloud))
        assert done.code == 0, done.err

    def proof(before: State, ended: Ended) -> str:
        plain = Plain(to)
        if plain.head() != _pushed(world):
            return "the clone is not what was pushed"
        return plain.problems() or plain.uncommitted()

    return Act("clone", ["clone", str(world.cloud), str(to)], server=False, proof=proof, once=True,
               ready=ready, clear=lambda: shutil.rmtree(to, ignore_errors=True))  # fmt: skip


def rdb_save(world: World, chance: Random) -> Act:
    folder = world.work / "rdb"

    def proof(before: State, ended: Ended) -> str:
        found = re.search(r"\S+\.rdb", ended.out)
        if found is None:
            return f"it names no file: {ended.out!r}"
        file = world.work / found[0]
        held = tokens_in(file.read_bytes())
        if held != before.tokens:
            return f"{len(held ^ before.tokens)} values too many or too few"
        world.rdbs[file] = before
        return ""

    return Act("rdb save", ["rdb", "save", str(folder), "--keep", "3"], proof=proof)


def _an_rdb(world: World, chance: Random) -> Path | None:
    there = [file for file in world.rdbs if file.exists()]
    return chance.choice(there) if there else None


def rdb_verify(world: World, chance: Random) -> Act | None:
    file = _an_rdb(world, chance)
    if file is None:
        return None
    return Act("rdb verify", ["rdb", "verify", str(file)], server=False)


def rdb_restore(world: World, chance: Random) -> Act | None:
    file = _an_rdb(world, chance)
    if file is None:
        return None
    state = world.rdbs[file]
    return Act(
        "restore --rdb", ["restore", "--rdb", str(file), "--yes"], writes=True, records=True,
        target=partial(_whole, state), libraries=lambda before: state.libraries, restores="",
    )  # fmt: skip


def rdb_commit(world: World, chance: Random) -> Act | None:
    """An old file becomes a commit; the database stays as it is."""
    file = _an_rdb(world, chance)
    if file is None:
        return None
    state = world.rdbs[file]

    def proof(before: State, ended: Ended) -> str:
        same = world.plain.tokens() == state.tokens
        return "" if same else "the commit is not what the file holds"

    words = ["commit", "--rdb", str(file)]
    return Act("commit --rdb", words, server=False, proof=proof, codes=DONE)


def verify(world: World, chance: Random) -> Act:
    return Act("verify", ["verify"], server=False)


def watch(world: World, chance: Random) -> Act:
    words = ["watch", "--quiet", "0.02", "--max-wait", "0.1", "--json"]

    def proof(before: State, ended: Ended) -> str:
        made = [json.loads(line)["commit"] for line in ended.out.splitlines()]
        missing = [one for one in made if one and not world.plain.reaches(one)]
        return f"it told of a commit that is not there: {missing}" if missing else ""

    return Act("watch", words, proof=proof, ends="TERM")


WEIGHTS: tuple[tuple[Callable[[World, Random], Act | None], int], ...] = (
    (commit, 22),
    (would_commit, 2),
    (first_init, 2),
    (first_commit, 4),
    (init, 2),
    (config, 2),
    (reads, 8),
    (differs, 3),
    (blame, 1),
    (check, 1),
    (restore, 34),
    (elsewhere, 4),
    (undo, 12),
    (export, 4),
    (import_, 6),
    (push, 5),
    (pull, 3),
    (clone, 3),
    (rdb_save, 3),
    (rdb_verify, 1),
    (rdb_restore, 2),
    (rdb_commit, 1),
    (verify, 2),
    (watch, 5),
)
