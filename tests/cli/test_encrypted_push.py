"""A bundle that is encrypted: pushed, cloned and pulled with the key, and by nobody else."""

from __future__ import annotations

import base64
import json
import os
import pty
import re
import shutil
import stat
import subprocess
import sys
from pathlib import Path

import pyrage
import pytest

from gitbackup.errors import UsageError
from gitbackup.store.encryption import age
from tests.cli.user import GITBACKUP, User, rest, surroundings, until
from tests.store.plain import git, run_git

PLACE = "HERE/cloud/data-git-backup.bundle.age"
BUNDLE = Path("cloud/data-git-backup.bundle.age")
KEY_FILE = Path("cloud/data-git-backup.key.age")
INCOMPLETE = "is damaged or not complete; if a cloud drive is still copying it, wait and try again"


def new_key(file: str) -> str:
    """Writes a private key to a file; returns its public key."""
    identity = pyrage.x25519.Identity.generate()
    Path(file).write_text(f"# a key\n{identity}\n")
    return str(identity.to_public())


@pytest.fixture
def key(user: User) -> str:
    """The public key of KEY.txt. One commit is here, and `cloud` is empty."""
    user.redis.set("a", "a secret of one")
    user.says("commit", "-m", "one")
    Path("cloud").mkdir()
    return new_key("KEY.txt")


@pytest.fixture
def pushed(user: User, key: str) -> str:
    """The same, with the commit in `cloud`, encrypted."""
    assert user.run("push", "cloud", "--encrypt-to", key).code == 0
    return key


def another_commit(user: User) -> None:
    user.redis.incr("count")
    user.says("commit")


def test_an_encrypted_push_says_so_and_stays_encrypted(user: User, key: str) -> None:
    done = user.run("push", "cloud", "--encrypt-to", key)
    line = f"pushed 1 commit to origin ({PLACE}): HEAD id1, encrypted to 1 key\n"
    assert (done.code, done.out) == (0, line)
    assert "keep these also outside this machine" in done.err
    another_commit(user)
    assert json.loads(user.says("push", "--json"))["encrypted_to"] == [key]
    assert user.says("push").startswith(f"nothing to push, everything is in origin ({PLACE})")
    assert sorted(file.name for file in Path("cloud").iterdir()) == [
        "RESTORE.txt",
        "data-git-backup.bundle.age",
    ]
    for file in Path("cloud").iterdir():
        assert stat.S_IMODE(file.stat().st_mode) == 0o600
    plain = Path("there.bundle")
    identity = pyrage.x25519.Identity.from_str(Path("KEY.txt").read_text().split()[-1])
    pyrage.decrypt_file(str(BUNDLE), str(plain), [identity])
    git(Path.cwd(), "clone", "--quiet", str(plain), "by-git")
    assert git(Path("by-git"), "rev-parse", "HEAD") == user.commits()[-1]


def test_clone_and_pull_need_the_key(user: User, pushed: str) -> None:
    done = user.run("clone", "cloud", "copy")
    sentence = f"gitbackup: {PLACE} is encrypted: --identity FILE names the file with its key\n"
    assert (done.code, done.err, Path("copy").exists()) == (2, sentence, False)
    user.says("clone", "cloud", "copy", "--identity", "KEY.txt")
    another_commit(user)
    user.says("push")
    assert user.run("pull", "--repo", "copy").err == sentence
    user.says("config", "set", "identity", "../KEY.txt", "--repo", "copy")
    assert user.says("pull", "--repo", "copy").startswith("pulled 1 commit from origin")


def test_another_key_and_another_file_are_one_sentence_and_change_nothing(
    user: User, pushed: str
) -> None:
    new_key("other.txt")
    whole = BUNDLE.read_bytes()

    def refused(*words: str) -> str:
        done = user.run("clone", str(BUNDLE), "copy", *words)
        assert (done.code != 0, done.out, Path("copy").exists()) == (True, "", False)
        return done.err.removeprefix(f"gitbackup: {PLACE} ").rstrip("\n")

    assert refused("--identity", "other.txt") == (
        "cannot be opened with this key: it was encrypted to other ones"
    )
    assert refused("--identity", "none.txt").startswith("gitbackup: cannot read the key: No such")
    Path("no-key.txt").write_text("hello\n")
    assert "has no private key that can be used" in refused("--identity", "no-key.txt")
    for content in (whole[:-1], whole[: len(whole) // 2], whole[:-9] + b"x" + whole[-8:]):
        BUNDLE.write_bytes(content)
        assert refused("--identity", "KEY.txt") == INCOMPLETE
    git(user.repo, "bundle", "create", "--quiet", str(BUNDLE.resolve()), "--all")
    assert refused("--identity", "KEY.txt").startswith("is not encrypted, though its name says so")


def test_a_file_that_somebody_else_wrote_is_opened_before_it_is_replaced(
    user: User, pushed: str
) -> None:
    user.says("clone", "cloud", "copy", "--identity", "KEY.txt")
    user.redis.set("b", 1)
    user.says("commit", "--repo", "copy")
    assert "encrypted to 1 key" in user.says("push", "--repo", "copy")
    theirs = BUNDLE.read_bytes()
    another_commit(user)
    assert "Nothing was pushed: it is not the file that was pushed" in user.run("push").err
    done = user.run("push", "--identity", "KEY.txt")
    assert "has commits that are not here (main), pushed from elsewhere" in done.err
    assert BUNDLE.read_bytes() == theirs


def test_a_clone_encrypts_to_the_key_that_opened_it_unless_it_is_for_others_too(
    user: User, pushed: str
) -> None:
    user.says("clone", "cloud", "copy", "--identity", "KEY.txt")
    assert json.loads(user.says("push", "--repo", "copy", "--json"))["encrypted_to"] == [pushed]
    assert user.run("push", "--encrypt-to", pushed, "--encrypt-to", new_key("other.txt")).code == 0
    user.says("clone", "cloud", "second", "--identity", "KEY.txt")
    refused = user.run("push", "--repo", "second")
    assert (refused.code, "no key is known here to encrypt to" in refused.err) == (2, True)


def test_a_clone_follows_when_the_bundle_is_encrypted_to_another_key(
    user: User, pushed: str
) -> None:
    """So that the old key, which may be in wrong hands, does not open what it pushes."""
    user.says("clone", "cloud", "copy", "--identity", "KEY.txt")
    other = new_key("other.txt")
    another_commit(user)
    user.says("push", "--encrypt-to", other, "--identity", "KEY.txt")

    pulled = user.run("pull", "--repo", "copy", "--identity", "other.txt")

    assert (pulled.code, "is encrypted to another key now" in pulled.err) == (0, True)
    again = user.says("push", "--repo", "copy", "--json", "--identity", "other.txt")
    assert json.loads(again)["encrypted_to"] == [other]
    assert "another key" not in user.run("pull", "--repo", "copy", "--identity", "other.txt").err


def test_a_busy_machine_opens_what_a_quiet_one_encrypted(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Of a file that takes longer than any machine has, one sentence says that it is not opened."""
    made, file = age.new_key("a horse"), tmp_path / "key.age"
    file.write_bytes(made.content)
    decrypt, tries = pyrage.passphrase.decrypt, list[bytes]()
    too_slow = re.sub(rb"(-> scrypt \S+) \d+", rb"\1 40", binary(made.content))

    def measured_twice_too_slow(content: bytes, passphrase: str) -> bytes:
        tries.append(content)
        return bytes(decrypt(content if len(tries) > 2 else too_slow, passphrase))

    monkeypatch.setattr(pyrage.passphrase, "decrypt", measured_twice_too_slow)
    assert age.public_key(file, "a horse") == made.recipient
    assert len(tries) == 3
    monkeypatch.undo()
    file.write_bytes(too_slow)
    with pytest.raises(UsageError, match="the passphrase does not open"):
        age.public_key(file, "a horse")


def binary(armored: bytes) -> bytes:
    """What is in a file of age that is text."""
    return base64.b64decode(b"".join(armored.strip().split(b"\n")[1:-1]))


def test_once_a_folder_is_encrypted_nothing_is_written_there_in_plain(
    user: User, pushed: str
) -> None:
    before = sorted(Path("cloud").iterdir())
    git(user.repo, "config", "--unset-all", "remote.origin.gitbackup-encrypt-to")
    assert "no key is known here to encrypt to" in user.run("push").err
    git(user.repo, "remote", "remove", "origin")
    assert "no key is known here to encrypt to" in user.run("push", "cloud").err
    done = user.run("push", "cloud/other.bundle")
    assert (done.code, "has an encrypted bundle" in done.err) == (2, True)
    assert sorted(Path("cloud").iterdir()) == before
    user.says("config", "set", "encrypt-to", pushed)
    assert user.run("push", "cloud", "--identity", "KEY.txt").code == 0


def test_a_plain_bundle_is_replaced_and_removed(user: User, key: str) -> None:
    first = user.run("push", "cloud").err
    assert "to encrypt it, push with --passphrase or --encrypt-to KEY" in first
    user.says("clone", "cloud", "copy")
    done = user.run("push", "--encrypt-to", key)
    assert "removed the plain bundle" in done.err
    assert not BUNDLE.with_suffix("").exists()
    assert "is encrypted" in user.run("pull", "--repo", "copy").err
    assert user.run("pull", "--repo", "copy", "--identity", "KEY.txt").code == 0


def test_a_passphrase_opens_the_key_file_and_a_push_needs_neither(user: User, key: str) -> None:
    Path("words").write_text("correct horse\n")
    read, write = os.pipe()
    os.write(write, b"correct horse\n")
    os.close(write)
    assert user.run("push", "cloud", "--passphrase-file", f"/dev/fd/{read}").code == 0
    os.close(read)
    another_commit(user)
    user.says("push")
    refused = user.run("clone", "cloud", "copy", "--passphrase")
    assert (refused.code, "nobody is here to type a passphrase" in refused.err) == (2, True)
    Path("wrong").write_text("a wrong horse\n")
    refused = user.run("clone", "cloud", "copy", "--passphrase-file", "wrong")
    assert (refused.code, "the passphrase does not open" in refused.err) == (2, True)
    user.says("clone", "cloud", "copy", "--passphrase-file", "words")
    kept = KEY_FILE.read_bytes()
    KEY_FILE.unlink()
    user.says("push", "--repo", "copy")
    assert KEY_FILE.read_bytes() == kept
    KEY_FILE.unlink()
    another_commit(user)
    user.says("push")
    assert KEY_FILE.read_bytes() == kept
    assert b"correct horse" not in b"".join(
        file.read_bytes() for file in Path().rglob("*") if file.is_file() and file.name != "words"
    )


@pytest.mark.long
def test_a_person_is_asked_for_a_new_passphrase_twice_and_for_a_known_one_once(
    user: User, key: str
) -> None:
    ours, theirs = pty.openpty()
    words = [*GITBACKUP, "push", "cloud", "--passphrase"]
    child = subprocess.Popen(
        words,
        env=surroundings({}),
        stdin=theirs,
        stderr=theirs,
        stdout=subprocess.PIPE,
        start_new_session=True,
    )
    os.close(theirs)
    for asked in (b"key.age: ", b"confirmation: "):
        until(ours, asked)
        os.write(ours, b"horse\n")
    out, _ = child.communicate(timeout=30)
    rest(ours)
    assert (child.returncode, b"encrypted to 1 key" in out) == (0, True)
    cloned = user.at_terminal("clone", "cloud", "copy", types="horse\n", asked=".key.age: ")
    assert (cloned.code, "Passphrase of " in cloned.err) == (0, True)


def test_a_link_in_the_folder_is_not_written_through(user: User, key: str) -> None:
    Path("mine").write_text("mine\n")
    for name in ("data-git-backup.bundle.age", "data-git-backup.key.age", "RESTORE.txt"):
        Path("cloud", name).symlink_to(Path("mine").resolve())
    Path("words").write_text("horse\n")
    done = user.run("push", "cloud/data-git-backup.bundle.age", "--passphrase-file", "words")
    assert done.code != 0
    KEY_FILE.unlink()
    BUNDLE.unlink()
    assert user.run("push", str(BUNDLE), "--passphrase-file", "words").code == 0
    assert Path("mine").read_text() == "mine\n"


def test_only_a_bundle_can_be_encrypted(user: User, key: str) -> None:
    git(Path.cwd(), "init", "--quiet", "--bare", "there.git")
    refused = user.run("push", "there.git", "--encrypt-to", key)
    assert (refused.code, "is a git repository; only a bundle" in refused.err) == (2, True)
    assert run_git(Path("there.git"), "rev-parse", "main").returncode
    refused = user.run("push", "cloud", "--encrypt-to", "age1nonsense")
    assert (refused.code, "is not a public key" in refused.err) == (2, True)
    refused = user.run("config", "add", "encrypt-to", Path("KEY.txt").read_text().split()[-1])
    assert (refused.code, "AGE-SECRET" in refused.err) == (2, False)
    assert list(Path("cloud").iterdir()) == []


def test_without_the_package_one_sentence_says_what_to_install(user: User, key: str) -> None:
    script = (
        "import sys; sys.modules['pyrage'] = None\n"
        "from gitbackup.cli.app import code_of; sys.exit(code_of(sys.argv[1:]))"
    )
    words = ("push", "cloud", "--encrypt-to", key)
    done = subprocess.run([sys.executable, "-c", script, *words], capture_output=True, text=True)
    assert (done.returncode, done.stdout) == (1, "")
    assert done.stderr == (
        "gitbackup: encryption needs the Python package pyrage: pip install 'gitbackup[encrypt]',"
        " or with pipx: pipx inject gitbackup pyrage\n"
    )
    assert shutil.which("git")
    assert not list(Path("cloud").iterdir())
