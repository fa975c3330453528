"""`log -- KEY-GLOB` misses no commit and invents none, whatever the layout did meanwhile."""

from __future__ import annotations

import os
from pathlib import Path
from random import Random

import pytest

from gitbackup import Backup
from gitbackup.format import codec, layout
from gitbackup.format.patterns import matcher
from gitbackup.history import key_locator, lookup, walker
from gitbackup.model.changes import Action
from gitbackup.model.keys import Entry, Key
from gitbackup.snapshot import file_format
from tests.histories import Commit, ancestors, entries, history, write
from tests.servers import in_turn
from tests.store.plain import git

Told = dict[str, dict[Key, tuple[Action, "Entry | None", "Entry | None"]]]


@pytest.fixture
def small_files(monkeypatch: pytest.MonkeyPatch) -> None:
    """Files of few keys and few bytes, so that a few keys make all that a layout can have."""
    monkeypatch.setattr(layout, "LIMIT", 3)
    monkeypatch.setattr(layout, "_FEWEST", 2)
    monkeypatch.setattr(layout, "DEEP", 30)
    monkeypatch.setattr(file_format, "LARGE", 300)


def brute(commits: list[Commit], ids: list[str], pattern: str) -> Told:
    """What `log -- PATTERN` has to tell, by all entries of all commits."""
    matches, told = matcher([pattern]), Told()
    for number in ancestors(commits, len(commits) - 1):
        after = entries(commits[number])
        edges = [
            {
                key: (before.get(key), after.get(key))
                for key in before.keys() | after.keys()
                if before.get(key) != after.get(key) and matches(codec.data(key.name))
            }
            for before in [entries(commits[p]) for p in commits[number].parents] or [{}]
        ]
        keys = [key for key in edges[0] if all(key in edge for edge in edges)]
        if keys:
            told[ids[number]] = {key: (action(*edges[0][key]), *edges[0][key]) for key in keys}
    return told


def action(before: Entry | None, after: Entry | None) -> Action:
    if before and after:
        return Action.CHANGED
    return Action.ADDED if after else Action.REMOVED


def traced(folder: Path, pattern: str) -> Told:
    found = [*Backup(folder).trace([pattern])]
    assert [commit.damage for commit in found] == [""] * len(found)
    return {
        commit.info.id: {
            each.change.key: (each.change.action, each.before, each.after) for each in commit.keys
        }
        for commit in found
    }


@pytest.mark.long
@pytest.mark.parametrize("seed", in_turn(range(int(os.environ.get("SEEDS", "4")))))
def test_no_commit_is_missed_and_none_invented(
    small_files: None, tmp_path: Path, seed: int
) -> None:
    """For every key that ever was, and for patterns."""
    random = Random(seed)
    commits = history(random, 40)
    ids = write(tmp_path / "data", commits, random)
    names = sorted({key for commit in commits for key in {**commit.state, **commit.other}})
    patterns = ["*", "a*", "user:*", "s:?", "s:[1-8]*", "*1", "nothing"]
    literal = [
        codec.loose(name.replace(b"\\", b"\\\\"))
        for name in random.sample(names, min(len(names), 15))
    ]
    for pattern in [*patterns, *literal]:
        assert brute(commits, ids, pattern) == traced(tmp_path / "data", pattern), pattern


def test_files_that_keep_their_names_and_hold_other_keys(small_files: None, tmp_path: Path) -> None:
    """What the keys of a folder share became less: a.json and b-c.json are of another byte."""
    older = dict.fromkeys([b"aa1", b"aa2", b"ab1", b"ab2"], "1")
    newer = dict.fromkeys([b"aa1", b"aa2", b"ba1", b"bb1"], "1")
    commits = [Commit((), older, {}), Commit((0,), newer, {})]
    ids = write(tmp_path / "data", commits, Random(1))
    assert brute(commits, ids, "ab1") == traced(tmp_path / "data", "ab1")


def test_a_database_that_has_become_another(small_files: None, tmp_path: Path) -> None:
    """Git has one object for both, as it has for all that is equal."""
    keys = dict.fromkeys([b"aa1", b"aa2", b"ab1", b"ab2"], "1")
    commits = [Commit((), keys, {}), Commit((0,), {}, keys), Commit((1,), {}, {**keys, b"b": "2"})]
    ids = write(tmp_path / "data", commits, Random(1))
    for pattern in ("ab1", "a*", "b", "*"):
        assert brute(commits, ids, pattern) == traced(tmp_path / "data", pattern), pattern


@pytest.mark.few(1)
@pytest.mark.parametrize("kept", [0, 2_000])
def test_little_need_be_kept(
    small_files: None, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, kept: int
) -> None:
    """What is too much to be read ahead is read when it is needed; of keys, too."""
    monkeypatch.setattr(lookup, "KEPT", kept)
    monkeypatch.setattr(walker, "AHEAD", 3)
    monkeypatch.setattr(key_locator, "KEPT", kept // 500)
    monkeypatch.setattr(key_locator, "KEPT_FOLDERS", kept // 200)
    commits = history(Random(5), 40)
    ids = write(tmp_path / "data", commits, Random(5))
    names = sorted({key for commit in commits for key in commit.state})
    keys = [codec.loose(name.replace(b"\\", b"\\\\")) for name in Random(5).sample(names, 6)]
    for pattern in ("*", "a*", "user:*", "s:[1-8]*", *keys):
        assert brute(commits, ids, pattern) == traced(tmp_path / "data", pattern), pattern


def test_a_database_that_is_named_is_looked_for_in_all_of_the_history(
    small_files: None, tmp_path: Path
) -> None:
    states = [({b"a": "1"}, {}), ({b"a": "1"}, {b"a": "2"}), ({b"a": "3"}, {}), ({}, {b"a": "4"})]
    commits = [Commit((n - 1,) if n else (), *state) for n, state in enumerate(states)]
    ids = write(tmp_path / "data", commits, Random(1))

    def told(*databases: int) -> list[str]:
        return [
            each.info.id for each in Backup(tmp_path / "data", databases=databases).trace(["a"])
        ]

    assert told(0) == [ids[3], ids[2], ids[0]]
    assert told(3) == [ids[3], ids[2], ids[1]]
    assert told(0, 3) == told() == ids[::-1]
    assert told(7) == []


def test_damage_is_told_where_it_is(small_files: None, tmp_path: Path) -> None:
    commits = [Commit((n - 1,) if n else (), {b"a": f"{n}"}, {}) for n in range(6)]
    ids = write(tmp_path / "data", commits, Random(1))
    git(tmp_path / "data", "-c", "gc.auto=0", "unpack-objects", "-q", stdin=_pack(tmp_path))
    blob = git(tmp_path / "data", "rev-parse", f"{ids[2]}:db0/_.json")
    (tmp_path / "data" / "objects" / blob[:2] / blob[2:]).unlink()

    found = Backup(tmp_path / "data").trace(["a"])
    damaged = {commit.info.id: commit.damage for commit in found}
    assert [*damaged] == ids[::-1]
    assert [bool(damaged[each]) for each in ids] == [False, False, True, True, False, False]
    assert f"blob {blob} cannot be read: it is missing" in damaged[ids[2]]


def _pack(folder: Path) -> bytes:
    """The repository's one pack, which is taken away."""
    objects = folder / "data" / "objects" / "pack"
    (pack,) = objects.glob("*.pack")
    content = pack.read_bytes()
    for file in objects.iterdir():
        file.unlink()
    return content
