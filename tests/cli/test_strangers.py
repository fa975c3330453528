"""Repositories of other users: refused as git refuses them, before a setting of theirs is read."""

from __future__ import annotations

import os
import re
import socket
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from gitbackup import Backup
from gitbackup.errors import NoRepository, ServerError
from gitbackup.store.repository.repository import Repository
from tests.cli.user import Done, User
from tests.store.plain import commit, git, run_python
from tests.strangers import ANOTHER, STRANGER, by_root

SECRET = "s3cr3t-p4ss"
RUNS = "could run programs as you"

pytestmark = [
    pytest.mark.few(6),
    by_root,
]


def trap(folder: Path, bare: bool = False) -> Path:
    """A data repository whose every setting would make a file beside it; the file."""
    canary = folder.parent / "PWNED"
    repository = Repository.create(folder, bare)
    commit(repository, {"gitbackup.json": b"{}\n", "db0/a.json": b"{}\n"})
    inner = folder if bare else folder / ".git"
    for name in ("core.pager", "pager.log", "core.sshCommand", "core.fsmonitor", "diff.external"):
        git(folder, "config", name, f"touch {canary}")
    git(folder, "config", "gitbackup.url", "redis://localhost:1")
    git(folder, "config", "remote.origin.url", f"ext::touch {canary}")
    git(folder, "config", "protocol.ext.allow", "always")
    hook = inner / "hooks" / "post-receive"
    hook.parent.mkdir(exist_ok=True)
    hook.write_text(f"#!/bin/sh\ntouch {canary}\n")
    hook.chmod(0o755)
    return canary


def give(folder: Path, user: int) -> None:
    """Makes all of a folder a user's."""
    for path in (folder, *folder.rglob("*")):
        os.chown(path, user, user, follow_symlinks=False)


COMMANDS = [
    ("log",),
    ("show",),
    ("show", "HEAD:a"),
    ("status",),
    ("diff",),
    ("keys",),
    ("commit",),
    ("init",),
    ("restore", "HEAD", "--yes"),
    ("undo", "--yes"),
    ("push",),
    ("pull",),
    ("verify",),
    ("check",),
    ("export",),
    ("rdb", "list"),
]


@pytest.mark.parametrize("bare", [False, True])
@pytest.mark.parametrize("words", COMMANDS)
def test_every_command_refuses_the_repository_of_another_user(
    user: User, tmp_path: Path, bare: bool, words: tuple[str, ...]
) -> None:
    canary = trap(user.repo, bare)
    give(user.repo, STRANGER)
    done = user.run(*words)
    assert (done.code, done.out) == (10, "")
    assert "detected dubious ownership in repository at 'HERE/data-git-backup'" in done.err
    assert "git config --global --add safe.directory HERE/data-git-backup" in done.err
    assert not canary.exists()


@pytest.mark.parametrize("part", [".", ".git"])
def test_a_part_of_another_user_is_enough(user: User, part: str) -> None:
    trap(user.repo)
    os.chown(user.repo / part, STRANGER, STRANGER)
    assert user.run("log").code == 10


def test_where_git_is_led_elsewhere_every_part_counts(user: User, tmp_path: Path) -> None:
    """As in a submodule: the file `.git` names the folder."""
    trap(user.repo)
    (user.repo / ".git").rename(tmp_path / "inner")
    (user.repo / ".git").write_text(f"gitdir: {tmp_path / 'inner'}\n")
    assert user.run("log").code == 0
    os.chown(tmp_path / "inner", STRANGER, STRANGER)
    assert RUNS in user.run("log").err
    os.chown(tmp_path / "inner", 0, 0)
    os.chown(user.repo / ".git", STRANGER, STRANGER)
    assert RUNS in user.run("log").err


def test_one_that_is_found_by_walking_up_is_held_to_the_same(
    user: User, monkeypatch: pytest.MonkeyPatch
) -> None:
    canary = trap(user.repo)
    (user.repo / "db0").mkdir(exist_ok=True)
    give(user.repo, STRANGER)
    monkeypatch.chdir(user.repo / "db0")
    assert RUNS in user.run("log").err
    assert not canary.exists()


def test_a_bare_one_in_the_current_folder_is_held_to_the_same(
    user: User, monkeypatch: pytest.MonkeyPatch
) -> None:
    canary = trap(user.repo, bare=True)
    give(user.repo, STRANGER)
    monkeypatch.chdir(user.repo)
    assert RUNS in user.run("log").err
    assert not canary.exists()


def test_none_is_made_in_a_folder_of_another_user(user: User) -> None:
    """Another could put its own in the place of ours."""
    user.repo.mkdir()
    give(user.repo, STRANGER)
    assert RUNS in user.run("commit").err
    assert list(user.repo.iterdir()) == []


def test_a_place_to_push_to_and_to_get_from_is_held_to_the_same(user: User) -> None:
    """Its hooks would run as us."""
    canary = trap(Path("theirs"), bare=True)
    user.says("commit", "--allow-empty")
    give(Path("theirs"), STRANGER)
    path = Path("theirs").resolve()
    hosts = ("", "localhost", "127.0.0.1", "me@example.org")
    for where in ("theirs", *(f"file://{host}{path}" for host in hosts), f"file:///%2f{path}"):
        for words in (("push", where), ("pull", where), ("clone", where, "copy")):
            done = user.run(*words)
            assert (done.code, RUNS in done.err) == (10, True), words
    assert not canary.exists()
    assert not Path("copy").exists()


@pytest.mark.long
def test_the_check_does_not_depend_on_being_root(user: User, shared: Path) -> None:
    trap(user.repo)
    canary = trap(shared / "data-git-backup")
    give(shared / "data-git-backup", ANOTHER)
    for folder in (shared / "data-git-backup", shared / "data-git-backup" / ".git"):
        folder.chmod(0o755)
    for folder in (shared, shared / "data-git-backup"):
        done = as_stranger(user.repo, folder, "log")
        assert (done.code, done.out) == (10, ""), done.err
        assert RUNS in done.err
    assert not canary.exists()
    give(shared / "data-git-backup", STRANGER)
    assert "a commit" in as_stranger(user.repo, shared, "log").out


AS_STRANGER = f"""
import contextlib, io, os, sys
from gitbackup.cli.app import code_of
with contextlib.redirect_stdout(io.StringIO()):
    code_of(["log", "--repo", sys.argv[1]])  # what is loaded late may be out of reach then
os.setgroups([])
os.setgid({STRANGER})
os.setuid({STRANGER})
os.chdir(sys.argv[2])
sys.exit(code_of(sys.argv[3:]))
"""


def as_stranger(ours: Path, folder: Path, *words: str) -> Done:
    """gitbackup, run by a user who is not root; `ours` is a repository of root's."""
    done = run_python(AS_STRANGER, str(ours), str(folder), *words)
    return Done(done.returncode, done.stdout, done.stderr)


def test_for_root_by_sudo_the_files_of_who_ran_it_are_ours(
    user: User, monkeypatch: pytest.MonkeyPatch
) -> None:
    trap(user.repo)
    give(user.repo, STRANGER)
    monkeypatch.setenv("SUDO_UID", str(ANOTHER))
    assert user.run("log").code == 10
    monkeypatch.setenv("SUDO_UID", str(STRANGER))
    assert user.run("log").code == 0
    for wrong in ("", "0x3039", "-1", "١٢٣٤٥"):
        monkeypatch.setenv("SUDO_UID", wrong)
        assert user.run("log").code == 10


@pytest.mark.long
@pytest.mark.parametrize(
    ("settings", "code"),
    [
        ("directory = *", 0),
        ("directory = {here}/data-git-backup", 0),
        ("directory = {here}/data-git-backup/", 0),
        ("directory = {here}/*", 0),
        ("directory = {here}/other", 10),
        ("directory = {here}/data-git-backup/*", 10),
        ("directory = data-git-backup", 10),
        ("directory = ~nobody-at-all/x", 10),
        ("directory = *\n directory =", 10),
        ("directory = *\n directory", 10),
        ("directory =\n directory = *", 0),
        ("directory = ~/data-git-backup", 0),
    ],
)
def test_safe_directory_permits_as_for_git(
    user: User, monkeypatch: pytest.MonkeyPatch, settings: str, code: int
) -> None:
    """Each is what git says, where it knows the setting."""
    trap(user.repo)
    give(user.repo, STRANGER)
    config = Path("global")
    config.write_text("[safe]\n " + settings.format(here=Path.cwd()) + "\n")
    monkeypatch.setenv("GIT_CONFIG_GLOBAL", str(config.resolve()))
    monkeypatch.setenv("HOME", str(Path.cwd()))
    assert user.run("log").code == code


def test_the_repository_s_own_settings_do_not_permit_it(user: User) -> None:
    trap(user.repo)
    git(user.repo, "config", "safe.directory", "*")
    give(user.repo, STRANGER)
    assert user.run("log").code == 10


def test_settings_given_by_the_environment_permit_it(
    user: User, monkeypatch: pytest.MonkeyPatch
) -> None:
    trap(user.repo)
    give(user.repo, STRANGER)
    monkeypatch.setenv("GIT_CONFIG_COUNT", "1")
    monkeypatch.setenv("GIT_CONFIG_KEY_0", "safe.directory")
    monkeypatch.setenv("GIT_CONFIG_VALUE_0", str(user.repo.resolve()))
    assert user.run("log").code == 0


def test_python_is_refused_too(user: User) -> None:
    trap(user.repo)
    give(user.repo, STRANGER)
    with pytest.raises(NoRepository, match="dubious ownership"):
        next(Backup(user.repo).log())


COMMAND = re.compile(rb"(?:\A|(?<=\r\n))\*\d+\r\n")
"""How each command of a client begins."""


class Listener:
    """A server that a stranger named: it keeps what it is sent, and wants a password."""

    def __init__(self) -> None:
        self._socket = socket.create_server(("127.0.0.1", 0))
        self.port = self._socket.getsockname()[1]
        self.heard = b""
        threading.Thread(target=self._serve, daemon=True).start()

    def _serve(self) -> None:
        while True:
            try:
                connection, _ = self._socket.accept()
            except OSError:
                return
            with connection:
                while heard := connection.recv(1 << 16):
                    self.heard += heard
                    commands = len(COMMAND.findall(heard))
                    connection.sendall(b"-NOAUTH Authentication required.\r\n" * commands)

    def close(self) -> None:
        self._socket.close()


@pytest.fixture
def listener() -> Iterator[Listener]:
    made = Listener()
    yield made
    made.close()


def name_by_stranger(user: User, listener: Listener, monkeypatch: pytest.MonkeyPatch) -> None:
    """The repository is a stranger's, which the user permits, and its settings name a server."""
    trap(user.repo)
    git(user.repo, "config", "gitbackup.url", f"redis://127.0.0.1:{listener.port}")
    give(user.repo, STRANGER)
    Path("global").write_text("[safe]\n directory = *\n")
    monkeypatch.setenv("GIT_CONFIG_GLOBAL", str(Path("global").resolve()))


def test_no_password_goes_to_a_server_that_a_stranger_s_settings_name(
    user: User, listener: Listener, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Though the repository itself is permitted; nor is one asked for."""
    name_by_stranger(user, listener, monkeypatch)
    monkeypatch.setenv("REDISCLI_AUTH", SECRET)
    monkeypatch.delenv("REDIS_URL")
    for words in (("commit",), ("status",), ("check",), ("restore", "HEAD", "--yes"), ("watch",)):
        done = user.run(*words)
        assert (done.code, SECRET.encode() in listener.heard) == (12, False)
        assert "your password is not sent there" in done.err
    monkeypatch.delenv("REDISCLI_AUTH")
    asked = user.at_terminal("status", types="", asked="REDIS_URL\r\n")
    assert "your password is not sent there" in asked.err
    assert listener.heard


@pytest.mark.parametrize("by", ["option", "environment", "global", "own"])
def test_it_goes_to_the_server_that_the_user_named(
    user: User, listener: Listener, monkeypatch: pytest.MonkeyPatch, by: str
) -> None:
    trap(user.repo)
    url = f"redis://127.0.0.1:{listener.port}"
    settings = "[safe]\n directory = *\n"
    words = ["status"]
    monkeypatch.delenv("REDIS_URL")
    git(user.repo, "config", "--unset", "gitbackup.url")
    if by == "option":
        words += ["--url", url]
    elif by == "environment":
        monkeypatch.setenv("REDIS_URL", url)
    elif by == "global":
        settings += f"[gitbackup]\n url = {url}\n"
    else:
        git(user.repo, "config", "gitbackup.url", url)
    if by != "own":
        give(user.repo, STRANGER)
    Path("global").write_text(settings)
    monkeypatch.setenv("GIT_CONFIG_GLOBAL", str(Path("global").resolve()))
    monkeypatch.setenv("REDISCLI_AUTH", SECRET)
    assert user.run(*words).code == 12
    assert SECRET.encode() in listener.heard


def test_python_s_password_is_not_sent_either(
    user: User, listener: Listener, monkeypatch: pytest.MonkeyPatch
) -> None:
    name_by_stranger(user, listener, monkeypatch)
    with pytest.raises(ServerError, match="your password is not sent there"):
        Backup(user.repo, password=SECRET).commit()
    assert SECRET.encode() not in listener.heard


@pytest.mark.parametrize("here", [True, False])
def test_a_bare_repository_is_to_be_named_where_git_wants_that(
    user: User, monkeypatch: pytest.MonkeyPatch, here: bool
) -> None:
    """As git has it, a repository's own settings do not tell."""
    trap(user.repo, bare=True)
    git(user.repo, "config", "safe.bareRepository", "all")
    named = str(user.repo.absolute())
    if here:
        monkeypatch.chdir(user.repo)
    monkeypatch.setenv("GIT_CONFIG_COUNT", "1")
    monkeypatch.setenv("GIT_CONFIG_KEY_0", "safe.bareRepository")
    for value, code in (("explicit", 10), ("all", 0)):
        monkeypatch.setenv("GIT_CONFIG_VALUE_0", value)
        done = user.run("log")
        assert (done.code, "(safe.bareRepository is 'explicit')" in done.err) == (code, code == 10)
        assert user.run("log", "--repo", named).code == 0
    assert user.run("log").code == 0


@pytest.mark.parametrize("inside", ["data-git-backup", "."])
def test_a_bare_repository_that_a_project_brought_along_is_not_opened(
    user: User, monkeypatch: pytest.MonkeyPatch, inside: str
) -> None:
    """It is owned by whoever checked the project out; git tracks a bare one as any files."""
    user.redis.set("a", "1")
    user.says("commit", "-m", "one")
    git(Path.cwd(), "init", "--quiet", "project")
    bare = Path("project/data-git-backup").absolute()
    git(Path.cwd(), "clone", "--quiet", "--bare", str(user.repo), str(bare))
    git(bare, "config", "core.pager", "touch CANARY; cat")
    monkeypatch.chdir(bare if inside == "." else bare.parent)

    for command in ("log", "status", "commit", "check"):
        done = user.run(command)
        assert (done.code, "is a bare repository inside the project" in done.err) == (10, True)
    assert user.run("log", "--repo", str(bare)).code == 0
    monkeypatch.setenv("GITBACKUP_REPO", str(bare))
    assert user.run("log").code == 0
