"""Words that begin with a dash, or name a program, are never an option of git's or of its own."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from gitbackup import Backup
from gitbackup.errors import GitbackupError, UsageError
from tests.cli.user import User
from tests.store.plain import git

pytestmark = pytest.mark.few(3)

DASHES = "begins with a dash"


@pytest.fixture
def canary(tmp_path: Path) -> Path:
    return tmp_path / "PWNED"


@pytest.fixture
def kept(user: User) -> User:
    user.redis.set("a", 1)
    user.says("commit", "-m", "begin")
    return user


def traps(canary: Path) -> list[str]:
    """Places that are none: options, and programs to run."""
    return [
        f"--upload-pack=touch {canary} #:",
        f"--receive-pack=touch {canary} #:",
        f"--exec=touch {canary} #:",
        f"-u{canary}:x",
        "--all",
        "-",
        "--",
        "--mirror",
        "--bare.bundle",
        f"ext::sh -c touch% {canary}",
        f"ext::touch {canary}",
        f"ssh://-oProxyCommand=touch${{IFS}}{canary}/r.git",
        f"-oProxyCommand=touch {canary}:r.git",
        f"x@-oProxyCommand=touch {canary}:r.git",
        f"ssh://-l@-oProxyCommand=touch {canary}/r",
        f"git://-touch{canary}/r",
        f"file://--upload-pack=touch {canary}.bundle",
        "fd::17",
        f"touch::{canary}",
    ]


@pytest.mark.parametrize("number", range(19))
def test_no_command_takes_a_place_for_an_option(kept: User, canary: Path, number: int) -> None:
    before = kept.state()
    place = traps(canary)[number]
    for words in (("clone", "--", place, "d"), ("push", "--", place), ("pull", "--", place)):
        done = kept.run(*words)
        assert done.code in (1, 2), (words, done)
        assert done.err.startswith("gitbackup: ")
        if place.startswith("-"):
            assert DASHES in done.err
    assert not canary.exists()
    assert not Path("d").exists()
    assert kept.state() == before
    assert git(kept.repo, "remote") == ""


@pytest.mark.parametrize("number", range(19))
def test_no_configured_remote_is_taken_for_one(kept: User, canary: Path, number: int) -> None:
    """As its url, as another place to push to, as what a URL stands for, or as the setting."""
    place = traps(canary)[number]
    git(kept.repo, "config", "remote.bad.url", place)
    git(kept.repo, "config", "remote.half.url", "https://127.0.0.1:1/r")
    git(kept.repo, "config", "remote.half.pushurl", place)
    git(kept.repo, "config", f"url.{place}.insteadOf", "short:")
    git(kept.repo, "config", "remote.-dash.url", "https://127.0.0.1:1/r")
    for words in (
        ("push", "bad"),
        ("pull", "bad"),
        ("push", "half"),
        ("push", "short:r"),
        ("push", "--", "-dash"),
    ):
        done = kept.run(*words)
        assert done.code in (0, 1, 2), words  # a path from the repository on is one
        assert "Traceback" not in done.err
    git(kept.repo, "config", "gitbackup.push-to", place)
    assert kept.run("push").code in (1, 2)
    assert kept.run("status").code == 0
    assert not canary.exists()


REVISIONS = [
    "--output=PWNED",
    "--all",
    "-1",
    "--open-files-in-pager=touch PWNED",
    "-p",
    "HEAD~1\n-p",
]


@pytest.mark.few(1)
@pytest.mark.parametrize("word", REVISIONS)
def test_no_revision_or_key_is_taken_for_one(kept: User, word: str) -> None:
    before = kept.state()
    for words in (
        ("log", "--", word),
        ("show", "--", word),
        ("show", "--", f"{word}:a"),
        ("diff", "--", word),
        ("keys", "--", word),
        ("export", "--", word),
        ("verify", "--", word),
        ("restore", "--yes", "--", word),
        ("blame", "--", "HEAD", word),
        ("commit", "-m", word, "--allow-empty", "--dry-run"),
    ):
        done = kept.run(*words)
        assert "Traceback" not in done.err
        assert done.code in (0, 1, 2, 10), (words, done)
    assert kept.state() == before
    assert not list(Path().rglob("PWNED"))


def test_files_whose_names_begin_with_a_dash(kept: User, monkeypatch: pytest.MonkeyPatch) -> None:
    """Are files, wherever a path is asked for."""
    Path("-repo").mkdir()
    assert kept.run("push", "./-repo").code == 0  # it warns of the first push
    assert Path("-repo/data-git-backup.bundle").is_file()
    kept.says("clone", "./-repo/data-git-backup.bundle", "./-copy")
    assert kept.says("log", "--repo=-copy").count("begin") == 1
    kept.says("export", "-o", "-file.json", "HEAD")
    assert Path("-file.json").is_file()
    assert kept.run("import", "--yes", "--", "-file.json").code == 0
    monkeypatch.chdir("-copy")
    assert kept.says("log").count("begin") == 1


@pytest.mark.long
@pytest.mark.parametrize(
    "call",
    [
        lambda backup, word: backup.push(word),
        lambda backup, word: backup.pull(word),
        lambda backup, word: Backup("d").clone(word),
        lambda backup, word: backup.resolve(word),
        lambda backup, word: list(backup.log(word)),
        lambda backup, word: backup.show(word),
        lambda backup, word: backup.diff(word),
    ],
)
def test_nor_from_python(kept: User, canary: Path, call: Callable[[Backup, str], object]) -> None:
    for word in traps(canary)[:9]:
        with pytest.raises(UsageError):
            call(Backup(kept.repo), word)
    for word in traps(canary)[9:]:
        with pytest.raises(GitbackupError):
            call(Backup(kept.repo), word)
    assert not canary.exists()


def test_a_branch_of_a_hostile_bundle_is_a_branch(kept: User) -> None:
    """git itself lets a ref be called so."""
    head = git(kept.repo, "rev-parse", "HEAD")
    for name in ("-x", "--upload-pack=touch PWNED", "$(touch PWNED)", "`touch${IFS}PWNED`"):
        name = name.replace(" ", "${IFS}")
        git(kept.repo, "update-ref", f"refs/heads/{name}", head)
    git(kept.repo, "bundle", "create", str(Path("b.bundle").resolve()), "--all")
    kept.says("clone", "b.bundle", "copy")
    Path("disk").mkdir()
    assert kept.run("push", "disk", "--repo", "copy").code == 0
    assert kept.run("pull", "disk", "--repo", "copy").code == 0
    assert not list(Path().rglob("PWNED"))
