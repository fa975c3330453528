"""Settings: what is in force, where it is from, and what of it goes along with the history."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from gitbackup.cli.commands import config
from tests.cli.user import Done, User, text
from tests.store.plain import git, run_git

SECRET = "s3cr3t-p4ss"
URL = f"redis://me:{SECRET}@db.example.org:6380/2"


@pytest.fixture
def settled(user: User) -> User:
    user.redis.mset({"a": 1, "usage:1": 1})
    user.says("init", "--url", URL, "--exclude", "tmp:*", "--quiet", "usage:*", "--redact", "tok*")
    user.says("commit", "-m", "one", "--url", user.server.url)
    Path("cloud").mkdir()
    user.run("push", "cloud")
    return user


MANY = json.dumps({"format": 1, "settings": {"quiet": [f"k{n}" for n in range(900)]}}).encode()


def own(folder: Path, name: str) -> list[str]:
    return run_git(folder, "config", "--get-all", f"gitbackup.{name}").stdout.decode().split()


def travelling(folder: Path) -> dict[str, object]:
    told: dict[str, object] = json.loads(
        git(folder, "show", "refs/gitbackup/settings:settings.json")
    )
    return told


def test_init_adds_and_says_what_is_in_force(settled: User) -> None:
    assert settled.says("init", "--exclude", "x:*", "--exclude", "tmp:*") == text("""
        reinitialised the data repository in data-git-backup
        exclude  tmp:*  this repository
        exclude  x:*    this repository
    """)
    for option in ("--include", "--quiet", "--redact"):
        settled.says("init", option, "p:*")
        settled.says("init", option, "q:*")
        assert own(settled.repo, option[2:])[-2:] == ["p:*", "q:*"]


def test_all_that_is_in_force_is_listed_with_where_it_is_from(
    settled: User, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("REDIS_URL", raising=False)
    (tmp_path / "mine").write_text("[gitbackup]\n\tredact = *secret*\n\tpush = on-commit\n")
    monkeypatch.setenv("GIT_CONFIG_GLOBAL", str(tmp_path / "mine"))
    assert settled.says("config", "list") == text("""
        url      redis://me@db.example.org:6380/2 (not shown in full)  this repository
        exclude  tmp:*                                                 this repository
        quiet    usage:*                                               this repository
        redact   *secret*                                              your git config, HERE/mine
        redact   tok*                                                  this repository
        push     on-commit                                             your git config, HERE/mine
    """)
    monkeypatch.setenv("REDIS_URL", f"redis://:{SECRET}@localhost:1")
    told = [json.loads(line) for line in settled.says("config", "list", "--json").splitlines()]
    assert told[0] == {
        "schema": "gitbackup.config/1",
        "name": "url",
        "value": "redis://localhost:1",
        "source": "environment",
        "origin": "REDIS_URL",
        "travels": False,
        "secret": True,
    }
    assert [(each["name"], each["source"], each["travels"]) for each in told[1:]] == [
        ("exclude", "repository", True),
        ("quiet", "repository", True),
        ("redact", "user", True),
        ("redact", "repository", True),
        ("push", "user", False),
    ]
    done = settled.run("config", "remove", "redact", "*secret*")
    assert (done.code, "is not set in this repository, but in" in done.err) == (2, True)


def test_a_change_says_what_is_in_force_then(settled: User) -> None:
    assert settled.says("config", "add", "exclude", "x:*", "y:*") == text("""
        exclude  tmp:*  this repository
        exclude  x:*    this repository
        exclude  y:*    this repository
    """)
    assert settled.says("config", "remove", "exclude", "tmp:*").count("\n") == 2
    assert settled.says("config", "set", "exclude", "z:*") == "exclude  z:*  this repository\n"
    assert settled.says("config", "get", "exclude") == "z:*\n"
    assert settled.says("config", "unset", "exclude") == "exclude is not set\n"
    assert settled.run("config", "get", "exclude") == Done(1, "", "")
    assert settled.says("config", "set", "push", "on-commit").startswith("push  on-commit")
    assert settled.says("config", "set", "push", "off") == "push is not set\n"


@pytest.mark.parametrize(("words", "sentence"), [
    (["set", "nonsense", "1"], "no setting 'nonsense'; the settings are url, include,"),
    (["set", "push", "always"], "push: push must be on-commit or off, not 'always'"),
    (["set", "url", "http://x"], "url: not a Redis URL"),
    (["set", "url", "redis://a", "redis://b"], "url has one value"),
    (["add", "exclude", ""], "exclude: a glob must have at least one character"),
    (["add", "exclude", "x" * 1001], "exclude: a glob may have at most 1000 bytes"),
    (["add", "url", "redis://a"], "url has one value: change it with set or unset"),
    (["remove", "exclude", "x"], "exclude has no 'x'; this repository has 'tmp:*'"),
    (["set", "push-to", "-x"], "push-to: '-x' is not a path"),
    (["set", "timeout", "soon"], "timeout: "),
])  # fmt: skip
def test_what_cannot_be_is_refused_and_changes_nothing(
    settled: User, words: list[str], sentence: str
) -> None:
    config = settled.repo / ".git" / "config"
    before = config.read_bytes()
    done = settled.run("config", words[0], "--", *words[1:])
    assert (done.code, done.out, done.err.count("\n")) == (2, "", 1)
    assert sentence in done.err
    assert config.read_bytes() == before


def test_a_place_to_push_to_that_is_not_there_is_told_at_once(user: User) -> None:
    """It is set all the same: it may be a disk that is mounted later."""
    user.says("commit", "-m", "one")
    done = user.run("config", "set", "push-to", "disk")
    assert (done.code, done.out) == (0, "push-to  disk  this repository\n")
    assert done.err.startswith("gitbackup: warning: a push would fail: 'disk' is neither a remote")
    git(user.repo, "remote", "add", "disk", "/somewhere")
    assert user.says("config", "set", "push-to", "disk").startswith("push-to")


def test_a_clone_has_the_settings_and_says_what_did_not_come(
    settled: User, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("REDIS_URL", raising=False)
    assert settled.says("clone", "cloud", "copy") == text("""
        cloned 1 commit of HERE/cloud/data-git-backup.bundle into copy: HEAD id1
        copied settings: exclude 'tmp:*'; quiet 'usage:*'; redact 'tok*'
        the server there is redis://db.example.org:6380/2 (its login was not copied); to use it, run: gitbackup config set url redis://db.example.org:6380/2 --repo copy
        push on commit is off here; to turn it on, run: gitbackup config set push on-commit --repo copy
    """)  # noqa: E501
    assert settled.says("config", "list", "--repo", "copy") == text("""
        exclude  tmp:*    this repository, copied with its history
        quiet    usage:*  this repository, copied with its history
        redact   tok*     this repository, copied with its history
    """)
    advice = ("config", "set", "url", "redis://db.example.org:6380/2", "--repo", "copy")
    assert settled.run(*advice).code == 0
    assert settled.run("config", "set", "push", "on-commit", "--repo", "copy").code == 0
    everything = run_git(settled.repo, "log", "-p", "--all").stdout
    assert SECRET.encode() not in everything
    assert b"me@" not in everything


@pytest.mark.long
def test_a_clone_of_a_git_repository_has_them_too(settled: User) -> None:
    git(Path(), "init", "--quiet", "--bare", "host.git")
    settled.run("push", "host.git")
    told = json.loads(settled.says("clone", "--json", "host.git", "copy"))
    assert told["settings"] == {"exclude": ["tmp:*"], "quiet": ["usage:*"], "redact": ["tok*"]}
    assert (told["kept"], told["url"]) == ({}, "redis://db.example.org:6380/2")
    assert settled.says("pull", "--repo", "copy").count("\n") == 1
    settled.says("config", "add", "redact", "pw")
    assert settled.says("push", "host.git").startswith("pushed settings but no commits to")
    assert settled.says("pull", "--repo", "copy").splitlines()[1:] == ["copied settings: redact pw"]


@pytest.mark.long
def test_a_pull_masks_more_and_never_less(settled: User) -> None:
    settled.says("clone", "cloud", "copy")
    settled.says("config", "remove", "redact", "tok*")
    settled.says("config", "add", "redact", "pw")
    settled.says("config", "add", "--repo", "copy", "quiet", "mine")
    settled.says("push")
    refused = settled.run("push", "--repo", "copy")
    assert refused.code == 1
    assert "has commits that are not here (settings)" in refused.err
    assert settled.says("pull", "--repo", "copy").splitlines()[1:] == [
        "copied settings: redact pw",
        (
            "removed from redact there, but kept here: 'tok*'; to remove it, run: gitbackup"
            " config remove redact 'tok*' --repo copy"
        ),
    ]
    assert own(Path("copy"), "redact") == ["tok*", "pw"]
    assert settled.says("pull", "--repo", "copy").count("\n") == 1
    assert settled.says("push", "--repo", "copy").startswith("pushed settings")
    assert settled.says("pull").splitlines()[1:] == ["copied settings: quiet mine; redact 'tok*'"]
    settled.says("config", "remove", "--repo", "copy", "redact", "tok*")
    assert own(Path("copy"), "came") == ["exclude", "tmp:*", "quiet", "usage:*", "redact", "pw"]


@pytest.mark.long
def test_a_pull_narrows_what_is_included_and_does_not_widen_it(settled: User) -> None:
    settled.says("clone", "cloud", "copy")
    for included, there in ((["a*", "b*"], ["a*", "b*"]), (["a*"], ["a*"]), (["c*"], ["a*"])):
        settled.says("config", "set", "include", *included)
        settled.says("push")
        told = settled.says("pull", "--repo", "copy")
        assert own(Path("copy"), "include") == there
    assert (
        "included there but not here: 'c*'; to include it, run: gitbackup config add include 'c*'"
    ) in told


def bundle_with(settled: User, content: bytes, how: str = "blob") -> None:
    """The bundle in the cloud, with a file of settings that somebody has made."""
    repo = settled.repo
    ident = git(repo, "hash-object", "-w", "--stdin", stdin=content)
    if how == "blob":
        tree = git(repo, "mktree", stdin=f"100644 blob {ident}\tsettings.json\n".encode())
        ident = git(repo, "commit-tree", tree, "-m", "settings")
    git(repo, "update-ref", "refs/gitbackup/settings", ident)
    (Path("cloud") / "data-git-backup.bundle").unlink()
    git(repo, "bundle", "create", "../cloud/data-git-backup.bundle", "HEAD", "main",
        "refs/gitbackup/settings")  # fmt: skip


HOSTILE = {
    "no JSON": (b"{", "so none were copied"),
    "no object": (b"[]", "so none were copied"),
    "deep": (b"[" * 60_000, "so none were copied"),
    "large": (b"{" + b" " * 70_000 + b"}", "so none were copied"),
    "newer": (b'{"format": 2, "settings": {}}', "have format 2, and this gitbackup reads up to 1"),
    "no list": (b'{"format": 1, "settings": {"redact": "x"}}', "redact is not a list"),
    "no text": (b'{"format": 1, "settings": {"redact": [1, "pw"]}}', "redact '1' was left out"),
    "zero": (b'{"format": 1, "settings": {"redact": ["a\\u0000"]}}', "and no null byte"),
    "long": (b'{"format": 1, "settings": {"quiet": ["%s"]}}' % (b"x" * 2000), "at most 1000 bytes"),
    "unknown": (b'{"format": 1, "settings": {"push": "on-commit"}}', "unknown setting 'push'"),
    "url": (b'{"format": 1, "settings": {"url": "http://x\\u001b[2J"}}', "url is not a Redis URL"),
    "many": (MANY, "has more than 200 globs"),
}  # fmt: skip


@pytest.mark.long
@pytest.mark.parametrize("name", HOSTILE)
def test_settings_that_are_none_are_told_and_the_history_comes_all_the_same(
    settled: User, name: str
) -> None:
    settled.says("clone", "cloud", "before")
    content, sentence = HOSTILE[name]
    bundle_with(settled, content)
    cloned = settled.run("clone", "cloud", "copy")
    pulled = settled.run("pull", "--repo", "before")
    for done in (cloned, pulled):
        assert done.code == 0
        assert sentence in done.err
        assert "\x1b" not in done.err + done.out
    assert own(Path("copy"), "push") == []
    assert own(Path("copy"), "redact") == (["pw"] if name == "no text" else [])
    assert git(Path("copy"), "rev-parse", "HEAD") == git(settled.repo, "rev-parse", "HEAD")
    assert own(Path("before"), "redact")[0] == "tok*"


def test_a_ref_of_settings_that_is_no_commit_is_told(settled: User) -> None:
    bundle_with(settled, b"x", how="ref")
    done = settled.run("clone", "cloud", "copy")
    assert done.code == 0
    assert git(Path("copy"), "rev-parse", "HEAD") == git(settled.repo, "rev-parse", "HEAD")


def test_a_history_without_settings_makes_no_ref(user: User) -> None:
    user.says("commit", "--allow-empty")
    Path("cloud").mkdir()
    user.run("push", "cloud")
    assert "gitbackup" not in git(user.repo, "for-each-ref", "--format=%(refname)")
    assert user.says("clone", "cloud", "copy").count("\n") == 2


def test_a_push_keeps_the_settings_up_with_what_git_was_told(settled: User) -> None:
    git(settled.repo, "config", "--add", "gitbackup.quiet", "b*")
    settled.says("push")
    settings = travelling(settled.repo)
    assert [*settings] == ["format", "settings"]
    assert settings["settings"]["quiet"] == ["b*", "usage:*"]  # type: ignore[index]


@pytest.mark.long
@pytest.mark.parametrize(("line", "words"), [
    ("gitbackup config s", ["set"]),
    ("gitbackup config add ", [*config.MANY]),
    ("gitbackup config add accept re", ["rewrite", "replicas", "rehearsal"]),
    ("gitbackup config set re", ["redact"]),
    ("gitbackup config set push o", ["on-commit", "off"]),
    ("gitbackup config remove quiet u", ["usage:*"]),
])  # fmt: skip
def test_tab_completes_names_and_values(settled: User, line: str, words: list[str]) -> None:
    asked = {"_GITBACKUP_COMPLETE": "fish", "_GITBACKUP_LINE": line}
    done = settled.process(env=asked)
    assert [told.split("\t")[1] for told in done.out.splitlines()] == words
