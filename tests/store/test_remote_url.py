"""What a person names a place to push to by, and that its password is nobody's business."""

from __future__ import annotations

from pathlib import Path

import pytest

from gitbackup.errors import UsageError
from gitbackup.store.repository.repository import Repository
from gitbackup.store.transports import remote_url, transports
from tests.store.plain import git


@pytest.mark.parametrize(
    ("url", "shown", "user", "password"),
    [
        ("https://me:s3cr3t@example.org/r.git", "https://example.org/r.git", "me", "s3cr3t"),
        ("https://:tok%2Fen@example.org:8080/r", "https://example.org:8080/r", "", "tok/en"),
        ("https://me:p@ss@example.org/a@b:c", "https://example.org/a@b:c", "me", "p@ss"),
        ("https://ghp_token@example.org/r.git", "https://example.org/r.git", "ghp_token", None),
        ("https://me:@[::1]:80/r", "https://[::1]:80/r", "me", ""),
        ("git@example.org:r.git", "git@example.org:r.git", "", None),
        ("ssh://git:no@example.org:22/r.git", "ssh://git@example.org:22/r.git", "", None),
        ("file:///srv/a@b/r.git", "file:///srv/a@b/r.git", "", None),
        ("/srv/a:b@c/r.git", "/srv/a:b@c/r.git", "", None),
    ],
)
def test_a_url_is_shown_without_who_may_log_in(
    url: str, shown: str, user: str, password: str | None
) -> None:
    place = remote_url.at(url)

    assert (str(place), place.user, place.password, place.given) == (shown, user, password, url)
    assert not user or user not in repr(place)
    assert not password or password not in repr(place)


def test_git_s_own_words_are_told_without_who_may_log_in() -> None:
    said = "fatal: Authentication failed for 'https://me:p@ss@example.org/r/', see https://a.b/c@d"
    assert remote_url.hidden(said) == (
        "fatal: Authentication failed for 'https://example.org/r/', see https://a.b/c@d"
    )


@pytest.mark.parametrize(
    "url", ["https://me:s3/cr3t@example.org/r", "https://me:s3%0acr3t@example.org/r"]
)
def test_a_password_that_cannot_be_told_from_the_rest_is_refused_unseen(url: str) -> None:
    with pytest.raises(UsageError) as refused:
        remote_url.at(url)
    assert "cr3t" not in str(refused.value)


def test_a_folder_stands_for_the_bundle_in_it(tmp_path: Path) -> None:
    assert transports.target(str(tmp_path), Path("relay")) == str(tmp_path / "relay.bundle")


def test_a_bundle_may_be_named_itself(tmp_path: Path) -> None:
    named = str(tmp_path / "other.bundle")
    assert transports.target(named, Path("relay")) == named


def test_a_folder_that_is_a_git_repository_is_a_remote(tmp_path: Path) -> None:
    git(tmp_path, "init", "--bare", "r.git")
    assert transports.target(str(tmp_path / "r.git"), Path("relay")) == str(tmp_path / "r.git")


@pytest.mark.parametrize("word", ["nowhere", "/mnt/disk/backups", "./a:b", "no/r.bundle"])
def test_a_folder_that_is_not_there_is_never_made(word: str) -> None:
    with pytest.raises(UsageError, match="if it is on a disk, is the disk mounted"):
        transports.target(word, Path("relay"))
    assert not Path(word).exists()


@pytest.mark.parametrize("word", ["https://example.org/r", "git@example.org:r", "host:r"])
def test_anything_else_is_a_url_of_git_s(word: str) -> None:
    assert transports.target(word, Path("relay")) == word


@pytest.mark.parametrize(
    ("folder", "name"), [("data-git-backup", "data-git-backup.bundle"), ("r.git", "r.bundle")]
)
def test_a_bundle_is_named_after_the_repository(tmp_path: Path, folder: str, name: str) -> None:
    assert transports.target(str(tmp_path), Path("there", folder)) == str(tmp_path / name)


def test_the_first_place_is_origin_and_others_are_named_after_where_they_are(
    repository: Repository, first: str, tmp_path: Path
) -> None:
    (tmp_path / "cloud").mkdir()
    (tmp_path / "a disk").mkdir()

    names = [_pushed(repository, str(tmp_path / folder)) for folder in ("cloud", "a disk")]

    assert names == ["origin", "a-disk"]
    assert repository.remote("git@example.org:r.git").name == "example-org"
    assert repository.remote("https://me:pass@example.org/r.git").name == "example-org"
    assert repository.remote(str(tmp_path / "cloud")).name == "origin"
    assert repository.remote("a-disk").place.url == str(tmp_path / "a disk" / "data.bundle")


def test_where_a_push_goes_without_a_word_is_a_setting_or_the_only_remote(
    repository: Repository, first: str, tmp_path: Path
) -> None:
    with pytest.raises(UsageError, match="no remote yet"):
        repository.remote()
    for folder in ("one", "two"):
        (tmp_path / folder).mkdir()
        _pushed(repository, str(tmp_path / folder))
    with pytest.raises(
        UsageError, match="more than one remote; name one of them: origin, two"
    ) as no:
        repository.remote()
    assert str(no.value).endswith("; to choose one for good: gitbackup config set push-to origin")

    git(repository.path, "config", "branch.main.remote", "origin")
    assert repository.remote().name == "origin"
    repository.set("push-to", "two")
    assert repository.remote().name == "two"


def test_a_remote_that_is_a_path_counts_from_the_repository_s_folder(
    repository: Repository, first: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path.parent)
    git(repository.path, "remote", "add", "near", "../near.bundle")
    assert _pushed(repository, "near") == "near"
    assert (tmp_path / "near.bundle").is_file()
    git(repository.path, "fetch", "--quiet", "near")


def _pushed(repository: Repository, word: str) -> str:
    remote = repository.remote(word)
    repository.push(remote)
    return remote.name
