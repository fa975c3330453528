"""Plain git in a data repository names the Redis key at the head of each hunk."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from gitbackup.format import codec
from gitbackup.store.repository.repository import Repository
from tests.store.plain import commit, git

KEYS = ["config", "usage:42:2026-11-22", 'q"\\', "tab\tand\nline", "é🐘", "{", "  "]


def snapshot_of(fields: int) -> bytes:
    """Keys of many fields, the last of which counts."""
    hash_ = {**{f"f{n:02}": "x" for n in range(20)}, "last": str(fields)}
    return codec.encode({key: {"type": "hash", "value": hash_} for key in KEYS})


def headings(diff: str) -> list[str]:
    return re.findall(r"^@@ .* @@ ?(.*)$", diff, re.MULTILINE)


@pytest.mark.parametrize("path", ["db0/_.json", "db12/user/_/4/0-9.json"])
def test_each_hunk_names_its_key(repository: Repository, path: str) -> None:
    """As it stands in the file, whatever is in the name."""
    for count in (1, 2):
        commit(repository, {"gitbackup.json": b"{}\n", path: snapshot_of(count)})
    written = [codec.encode(key).decode().strip()[1:-1] for key in sorted(KEYS)]
    told = headings(git(repository.path, "log", "-p", "-1", "--format="))
    assert [name.strip() for name in written] == told


def test_a_repository_of_old_gets_it_with_the_next_run(repository: Repository) -> None:
    """The tree stays data only, and a person's own pattern stays."""
    attributes = repository.path / ".git" / "info" / "attributes"
    attributes.write_text("*.txt text\n")
    git(repository.path, "config", "--unset-all", "diff.gitbackup.xfuncname")
    with Repository.open(repository.path).lock():
        pass
    assert attributes.read_text() == "*.txt text\n/db*/**/*.json diff=gitbackup\n"
    assert git(repository.path, "config", "diff.gitbackup.xfuncname").startswith("^  ")
    git(repository.path, "config", "diff.gitbackup.xfuncname", "mine")
    Repository.create(repository.path)
    assert git(repository.path, "config", "diff.gitbackup.xfuncname") == "mine"


def test_a_bare_repository_has_it_too(tmp_path: Path) -> None:
    Repository.create(tmp_path, bare=True)
    assert (tmp_path / "info" / "attributes").read_text() == "/db*/**/*.json diff=gitbackup\n"


def test_fields_have_a_history_of_their_own(repository: Repository) -> None:
    """git blame and git log -L, since a field is a line."""
    first, second = (
        commit(repository, {"gitbackup.json": b"{}\n", "db0/_.json": data}, message)
        for data, message in ((snapshot_of(1), "one\n"), (snapshot_of(2), "two\n"))
    )
    lines = git(repository.path, "blame", "-l", "--root", "-s", "db0/_.json").splitlines()
    assert {line[:40] for line in lines if '"last"' in line} == {second}
    assert {line[:40] for line in lines if '"f03"' in line} == {first}
    for lines_of in (":config:db0/_.json", '/"config"/,+24:db0/_.json'):
        told = git(repository.path, "log", "--format=%s", "-s", "-L", lines_of)
        assert told.split() == ["two", "one"]
