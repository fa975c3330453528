"""`import gitbackup`: what any Python program can use."""

from __future__ import annotations

import dataclasses
import inspect
import subprocess
import sys
import typing
from pathlib import Path

import pytest

import gitbackup
from gitbackup import Backup, GitbackupError
from tests.servers import LiveServer

HOUSE = Path(gitbackup.__file__).parents[1]
every_name = pytest.mark.parametrize("name", gitbackup.__all__)


@every_name
def test_every_public_name_is_there_and_documented(name: str) -> None:
    found = getattr(gitbackup, name)
    assert inspect.isclass(found)
    assert inspect.getdoc(found)
    assert name in dir(gitbackup)


@every_name
def test_every_public_method_is_documented_and_typed(name: str) -> None:
    own = vars(getattr(gitbackup, name)).items()
    methods = [part for word, part in own if inspect.isfunction(part) and word[0] != "_"]
    for method in methods:
        signature = inspect.signature(method)
        said = [*signature.parameters.values()][1:]
        assert inspect.getdoc(method), method
        assert signature.return_annotation is not inspect.Signature.empty, method
        assert all(word.annotation is not inspect.Parameter.empty for word in said), method


def test_the_package_says_that_it_is_typed() -> None:
    assert (HOUSE / "gitbackup" / "py.typed").exists()


def test_a_name_that_is_not_public_is_an_ordinary_mistake() -> None:
    with pytest.raises(AttributeError, match="module 'gitbackup' has no attribute 'nope'"):
        typing.cast("typing.Any", gitbackup).nope  # noqa: B018


@pytest.mark.parametrize("statement", ["import gitbackup", "from gitbackup import Backup"])
def test_importing_it_loads_nothing_heavy(statement: str) -> None:
    script = f"import sys\n{statement}\nprint(*{{name.partition('.')[0] for name in sys.modules}})"
    done = subprocess.run(
        [sys.executable, "-c", script], cwd=HOUSE, capture_output=True, text=True, check=True
    )
    heavy = {"redis", "hiredis", "deepdiff", "git", "click", "filelock", "asyncio"}
    assert heavy & set(done.stdout.split()) == set()


def test_every_verb_returns_a_frozen_result(valkey: LiveServer, tmp_path: Path) -> None:
    with valkey.client() as client:
        client.mset({"a": 1, "config": '{"limits": {"daily": 100}}'})
        backup = Backup(tmp_path / "data", valkey.url)
        made = backup.init(exclude=["tmp:*"])
        first = backup.commit("begin")
        client.set("config", '{"limits": {"daily": 250}}')
        status = backup.status()
        diff = backup.diff()
        result = backup.restore("HEAD", lambda plan: True)
        verified = backup.verify()
        shown = backup.show()
        exported = backup.export(tmp_path / "all.json")
        with (tmp_path / "all.json").open("rb") as file:
            imported = backup.importer(file, "all.json").run(lambda plan: True)
        sent = backup.push(str(tmp_path))
        (told,) = backup.pushed()
        other = Backup(tmp_path / "other")
        cloned = other.clone(str(tmp_path))
        pulled = other.pull()
        newest, saved, oldest = backup.log()
    key, entry, redacted = backup.entry("HEAD", "config")
    assert (made.existed, first.keys, status.summary.counts.changed) == (False, 2, 1)
    assert [change.values[0].path for change in diff] == [("limits", "daily")]
    assert (result.verified, result.saved, result.recorded) == (1, saved.id, newest.id)
    assert newest.id == shown.info.id == sent.head == told.commit == cloned.head == pulled.head
    assert (oldest.id, oldest.subject) == (first.commit, "begin")
    assert (key.name, entry["value"]) == ("config", '{"limits": {"daily": 100}}')
    assert (exported.keys, imported.plan.name, imported.applied) == (2, "all.json", False)
    assert not redacted
    assert (verified.whole, newest.rehearsal) == (True, backup.rehearsal())
    for frozen in (
        made,
        first,
        status,
        diff,
        result,
        result.plan,
        verified,
        shown,
        newest,
        sent,
        told,
        cloned,
        pulled,
        exported,
        imported,
    ):
        with pytest.raises(dataclasses.FrozenInstanceError):
            setattr(frozen, dataclasses.fields(frozen)[0].name, None)


def test_every_error_is_a_gitbackup_error_with_a_code(tmp_path: Path) -> None:
    names = [name for name in gitbackup.__all__ if isinstance(getattr(gitbackup, name), type)]
    classes = [getattr(gitbackup, name) for name in names]
    errors = [found for found in classes if issubclass(found, Exception)]
    assert all(issubclass(error, GitbackupError) for error in errors)
    codes = {error.__name__: error.exit_code for error in errors}
    assert codes == {
        "GitbackupError": 1,
        "UsageError": 2,
        "PartlyDone": 3,
        "NoRepository": 10,
        "Busy": 11,
        "ServerError": 12,
        "PasswordNeeded": 12,
        "Damaged": 13,
    }
    with pytest.raises(gitbackup.NoRepository):
        Backup(tmp_path / "none").status()
