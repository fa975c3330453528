from __future__ import annotations

from pathlib import Path

from tests.cli.user import Done, User
from tests.store.plain import git

HINT = "after a few commits, `gitbackup suggest` proposes which keys to hide\n"


def test_init_makes_the_data_repository(user: User) -> None:
    assert user.says("init") == f"made the data repository in data-git-backup\n{HINT}"
    assert git(user.repo, "symbolic-ref", "HEAD") == "refs/heads/main"


def test_init_once_more_keeps_it(user: User) -> None:
    user.says("init")
    assert user.says("init") == "reinitialised the data repository in data-git-backup\n"


def test_init_keeps_the_settings_it_is_given(user: User) -> None:
    user.says("init", "--url", "redis://:s3cret@db:6380", "--include", "a:*", "--include", "b:*")
    user.says("init", "--exclude", "tmp:*")
    assert git(user.repo, "config", "--local", "--get-regexp", "^gitbackup.*") == (
        "gitbackup.format 1\n"
        "gitbackup.url redis://:s3cret@db:6380\n"
        "gitbackup.include a:*\n"
        "gitbackup.include b:*\n"
        "gitbackup.exclude tmp:*"
    )


def test_init_takes_no_url_from_the_environment_into_the_settings(user: User) -> None:
    user.says("init")
    assert git(user.repo, "config", "--local", "--get-regexp", "^gitbackup.*") == (
        "gitbackup.format 1"
    )


def test_init_keeps_no_url_that_is_none(user: User) -> None:
    assert user.run("init", "--url", "http://db").code == 2
    assert not user.repo.exists()


def test_init_makes_a_bare_repository(user: User) -> None:
    assert user.says("init", "--bare", "--repo", "r.git").startswith(
        "made the data repository in r.git\n"
    )
    assert git(Path("r.git"), "rev-parse", "--is-bare-repository") == "true"


def test_init_adopts_no_foreign_repository(user: User) -> None:
    git(Path.cwd(), "init", "--quiet", "other")
    Path("other/file").write_text("mine")
    git(Path("other"), "add", "file")
    git(Path("other"), "commit", "--quiet", "-m", "mine")
    assert user.run("init", "--repo", "other") == Done(
        10,
        "",
        "gitbackup: other is a git repository, but not a gitbackup data repository;"
        " name the right one with --repo\n",
    )


def test_an_empty_word_means_no_place(user: User) -> None:
    """As a variable gives it that is not set."""
    for option in ("--repo", "--url"):
        said = (
            f"gitbackup: Invalid value for '{option}': it is empty. See gitbackup commit --help\n"
        )
        assert user.run("commit", option, "") == Done(2, "", said)
