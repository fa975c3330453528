"""`import gitbackup`: what any Python program can use."""

from __future__ import annotations

import ast
import dataclasses
import inspect
import os
import re
import subprocess
import sys
import typing
from collections.abc import Iterator
from pathlib import Path

import pytest

import gitbackup
from gitbackup import Backup, GitbackupError
from gitbackup.cli.app import code_of
from tests.servers import LiveServer, StartServer
from tests.test_floors import SOURCES, tree_of

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


def test_a_backup_that_is_left_has_no_git_process_and_no_connection(
    valkey: LiveServer, tmp_path: Path
) -> None:
    others = git_processes()
    with valkey.client() as client:
        client.set("a", 1)
        with Backup(tmp_path / "data", valkey.url) as backup:
            backup.commit("begin")
            client.set("a", 2)
            backup.commit("change")
            assert [change.change.action for change in backup.diff("HEAD~1", "HEAD")] == ["changed"]
            assert git_processes() - others
        assert git_processes() <= others
        assert len(client.client_list()) == 1
        assert [info.subject for info in backup.log()] == ["change", "begin"]
        backup.close()
        backup.close()
    assert git_processes() <= others


def git_processes() -> set[int]:
    """Return the git processes that this one has started."""
    words = ["ps", "-A", "-o", "pid=,ppid=,comm="]
    told = subprocess.run(words, stdout=subprocess.PIPE, text=True, check=True).stdout
    rows = [line.split(None, 2) for line in told.splitlines()]
    return {
        int(pid)
        for pid, parent, name in rows
        if int(parent) == os.getpid() and Path(name.split()[0]).name == "git"
    }


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


def test_a_program_of_gitbackup_0_1_still_pushes_after_a_commit(
    valkey: LiveServer, tmp_path: Path
) -> None:
    backup = Backup(tmp_path / "data", valkey.url)
    backup.commit("begin", allow_empty=True)
    backup.config.set("push", "on-commit")
    backup.push(str(tmp_path))
    made = backup.commit("again", allow_empty=True)
    done = backup.after_commit(made=made.commit is not None)
    (told,) = backup.pushed()
    assert ([*done.failed], told.commit) == ([], made.commit)


def test_the_version_is_that_of_the_command(capfd: pytest.CaptureFixture[str]) -> None:
    assert code_of(["--version"]) == 0
    assert capfd.readouterr().out == f"gitbackup {gitbackup.__version__}\n"


SECRET = "s3cr3t-p4ss"


def test_no_repr_shows_a_password(start_server: StartServer, tmp_path: Path) -> None:
    """Of what a program holds: the object for each verb, results, and what they are made of."""
    server = start_server(requirepass=SECRET)
    url = server.url.replace("unix://", f"unix://:{SECRET}@")
    asked, by_url = Backup(tmp_path / "a", server.url, password=SECRET), Backup(tmp_path / "b", url)
    for backup in (asked, by_url):
        made = backup.init(), backup.commit("begin", allow_empty=True), backup.status()
        plan, pushed = backup.restorer("HEAD"), backup.push(str(tmp_path))
        held = (
            backup.server,
            backup.config.in_force(),
            backup.rdb,
            backup.repository,
            backup.check(),
        )
        told = [*map(repr, (backup, *made, plan, plan.plan(), pushed, *held))]
        told += [repr(vars(each)) for each in (backup, plan)]
        assert [one for one in told if SECRET in one] == []
        assert f"Backup('{backup.path}', url='{server.url}'" in repr(backup)


def test_a_repr_says_what_it_is(tmp_path: Path) -> None:
    assert repr(Backup("data")) == "Backup('data')"
    assert repr(Backup("data", "redis://u:p@host:7/3", databases=[3])) == (
        "Backup('data', url='redis://u@host:7/3', databases=[3])"
    )
    assert repr(Backup("data", "nonsense:p@ss")) == "Backup('data', url='...')"
    assert repr(Backup("data").rdb) == "Backup('data').rdb"


BELOW = [module for module in SOURCES if module.partition(".")[0] not in ("cli", "report")]


@pytest.mark.parametrize("module", [name for name in BELOW if name != "wording"])
def test_no_message_speaks_of_an_option_but_by_its_name_in_python(module: str) -> None:
    """Both names are in `wording`. Whole commands, and those of git and redis-cli, stay as they
    are."""
    texts = [re.sub(r"{wording\.[^}]*}", "", text) for text in sentences(tree_of(module))]
    options = [text for text in texts if re.search(r"(?<![\w-])--[a-z]", text)]
    assert [
        text for text in options if not re.search(r"git |redis-cli |^f?.(--|gitbackup )", text)
    ] == []


def sentences(tree: ast.Module) -> Iterator[str]:
    """The texts of more than three words that are no docstrings, as they are written."""
    told = {id(node.value) for node in ast.walk(tree) if isinstance(node, ast.Expr)}
    texts = [node for node in ast.walk(tree) if isinstance(node, ast.JoinedStr)]
    told |= {id(part) for text in texts for part in ast.walk(text) if part is not text}
    for node in ast.walk(tree):
        text = isinstance(node, ast.JoinedStr) or isinstance(getattr(node, "value", None), str)
        if text and id(node) not in told and len((said := ast.unparse(node)).split()) > 3:
            yield said


def test_an_error_names_a_parameter_in_python_and_an_option_to_a_person(
    tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(gitbackup.NoRepository) as raised:
        Backup(tmp_path / "none").diff("HEAD", "HEAD~1")
    assert str(raised.value) == (
        f"no data repository at {tmp_path / 'none'}; `Backup.commit()` creates one, and"
        " `repository` names another"
    )
    assert code_of(["log", "--repo", str(tmp_path / "none")]) == 10
    assert capfd.readouterr().err == (
        f"gitbackup: no data repository at {tmp_path / 'none'}; `gitbackup commit` creates one,"
        " and --repo names another\n"
    )
