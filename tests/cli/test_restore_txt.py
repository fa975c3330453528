"""RESTORE.txt: its commands bring the data back on a new machine, with gitbackup and without."""

from __future__ import annotations

import os
import pty
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gitbackup.store.transports.restore_txt import text
from tests.cli.test_encrypted_push import new_key
from tests.cli.user import HOUSE, User, rest, until
from tests.databases import Database, databases
from tests.servers import LiveServer, StartServer, redis_cli
from tests.test_roundtrip import backups, digests, fill

COMMAND = re.compile(r"^    (.+)$", re.MULTILINE)
AGE = """
import os, sys, pyrage
_, _, identity, _, out, file = sys.argv[1:]
key = open(identity, "rb").read()
if key.startswith(b"-----BEGIN AGE"):
    key = pyrage.passphrase.decrypt(key, os.environ["GITBACKUP_PASSPHRASE"])
key = pyrage.x25519.Identity.from_str(key.decode().split()[-1])
pyrage.decrypt_file(file, out, [key])
"""


def commands(content: str) -> tuple[list[str], list[str]]:
    """The commands of a RESTORE.txt: those with gitbackup, and those without."""
    head, _, rest_of_it = content.partition("\nWITH GITBACKUP")
    assert not COMMAND.search(head)
    with_it, _, rest_of_it = rest_of_it.partition("\nWITHOUT GITBACKUP")
    without, _, _ = rest_of_it.partition("\n这是什么\n")
    return COMMAND.findall(with_it), COMMAND.findall(without)


def run(folder: Path, line: str, server: LiveServer) -> str:
    """A line as a person pastes it; the server of the text is this one."""
    place = server.address.removeprefix("unix://")
    line = line.replace("redis-cli", f"{redis_cli()} -s {place}")
    line = line.replace("python3", sys.executable).replace("redis://localhost:6379", server.url)
    line = re.sub("^gitbackup", f"{sys.executable} -m gitbackup", line)
    if line.startswith("age "):
        return decrypt(folder, line)
    environment = {**os.environ, "PYTHONPATH": str(HOUSE), "GITBACKUP_PASSPHRASE": "a horse"}
    environment.pop("REDIS_URL", None)
    done = subprocess.run(
        ["sh", "-c", line + " --yes" * (" restore HEAD" in line)],
        cwd=folder,
        env=environment,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, (line, done.stderr)
    return done.stdout


def decrypt(folder: Path, line: str) -> str:
    """An `age` command, typed at a terminal; where there is no age, the same by pyrage."""
    if not shutil.which("age"):
        words = [sys.executable, "-c", AGE, *line.split()[1:]]
        environment = {**os.environ, "GITBACKUP_PASSPHRASE": "a horse"}
        subprocess.run(words, cwd=folder, env=environment, check=True)
        return ""
    ours, theirs = pty.openpty()
    child = subprocess.Popen(
        ["sh", "-c", line],
        cwd=folder,
        stdin=theirs,
        stdout=theirs,
        stderr=theirs,
        start_new_session=True,
        preexec_fn=lambda: os.close(os.open(os.ttyname(theirs), os.O_RDWR)),
    )
    os.close(theirs)
    if "key.age" in line:
        until(ours, b": ")
        os.write(ours, b"a horse\n")
    shown = rest(ours)
    assert child.wait() == 0, shown
    return ""


KINDS = {
    "key": ("--encrypt-to",),
    "plain": (),
    "passphrase": ("--passphrase",),
    "both": ("--encrypt-to", "--passphrase"),
}


@pytest.mark.few(1)
@pytest.mark.parametrize("kind", KINDS)
def test_each_command_does_what_the_text_says(
    user: User,
    kind: str,
    start_server: StartServer,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    user.redis.hset("apikey:42", mapping={"name": "李四", "secret": b"\xff\xfe"})
    user.redis.zadd("rank", {"a": 0.1, "b": float("inf")})
    user.says("commit", "-m", "one")
    Path("cloud").mkdir()
    public = new_key("KEY.txt")
    monkeypatch.setenv("GITBACKUP_PASSPHRASE", "a horse")
    options = [word for o in KINDS[kind] for word in ([o, public] if "to" in o else [o])]
    assert user.run("push", "cloud", *options).code == 0
    monkeypatch.delenv("GITBACKUP_PASSPHRASE")
    machine = start_server("valkey")
    lines = commands(Path("cloud/RESTORE.txt").read_text("utf-8"))
    assert lines[0][0] == f"pipx install {'./gitbackup' if kind == 'plain' else QUOTED}"
    for part in (lines[0][1:], lines[1]):
        folders = [tmp_path / f"new-{number}" for number in range(2 if kind == "both" else 1)]
        for number, folder in enumerate(folders):
            shutil.copytree("cloud", folder)
            shutil.copy("KEY.txt", folder)
            keyed = [line for line in part if "KEY.txt" in line or "key.age" in line]
            keyed += [line for line in part if "--passphrase" in line]
            left_out = [line for line in keyed if line != keyed[number]] if kind == "both" else []
            fill(machine, Database(()))
            said = [run(folder, line, machine) for line in part if line not in left_out]
            assert digests(machine) == digests(user.server), said
            shutil.rmtree(folder)


QUOTED = "'./gitbackup[encrypt]'"


@settings(max_examples=5)
@given(data=st.data())
def test_the_program_brings_every_key_back(server: LiveServer, data: st.DataObject) -> None:
    fill(server, data.draw(databases(server.brand)))
    before = digests(server)
    content = text("data.bundle", "RESTORE.txt", (), "", "")
    begin, end = content.index("\n# restore.py begins"), content.index("\n# restore.py ends")
    with backups(server) as (backup,):
        backup.commit("all", allow_empty=True)
        fill(server, Database(()))
        words = [sys.executable, "-c", content[begin:end], str(backup.path)]
        made = subprocess.run(words, capture_output=True)
        assert (made.returncode, made.stderr) == (0, b"")
    if server.brand.startswith("redis6") and b"ENTRIESADDED" in made.stdout:
        assert "Streams with counters or groups need Redis 7" in content
        return
    place = server.address.removeprefix("unix://")
    piped = subprocess.run(
        [redis_cli(), "-s", place, "--pipe"], input=made.stdout, capture_output=True
    )
    assert (piped.stdout + piped.stderr).decode().splitlines()[-1].startswith("errors: 0,")
    assert digests(server) == before


def test_a_file_of_that_name_that_is_another_s_stays(user: User) -> None:
    user.redis.set("a", 1)
    user.says("commit")
    Path("cloud").mkdir()
    Path("cloud/RESTORE.txt").write_text("my own notes\n")
    assert user.run("push", "cloud").code == 0
    assert Path("cloud/RESTORE.txt").read_text() == "my own notes\n"
    own = Path("cloud/data-git-backup.RESTORE.txt").read_text("utf-8")
    assert "ends/p' data-git-backup.RESTORE.txt > restore.py" in own
    user.says("push")
    assert len(list(Path("cloud").iterdir())) == 3


def test_a_name_is_quoted_for_the_shell() -> None:
    content = text("-a b'.bundle", "RESTORE.txt", (), "", "")
    assert "git clone './-a b'\"'\"'.bundle' restored" in content
