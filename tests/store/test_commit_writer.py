"""Writing commits: whole or not at all, exactly the files that were given."""

from __future__ import annotations

import os
import stat
from datetime import UTC, datetime
from pathlib import Path

import pytest

from gitbackup.errors import Busy, GitbackupError, UsageError
from gitbackup.store.objects import refs
from gitbackup.store.repository.repository import Repository
from tests.store.plain import commit, git, run_python, work_tree


def packs(repository: Repository) -> int:
    return len(list((repository.path / ".git" / "objects" / "pack").iterdir()))


def test_a_first_commit_holds_what_was_given_and_the_work_tree_follows(
    repository: Repository,
) -> None:
    files = {"gitbackup.json": b"{}\n", "db0/x/y.json": "é\r\n".encode(), "db0/empty": b""}
    made = commit(repository, files)

    assert repository.head() == made
    assert {path: repository.read(blob) for path, blob in repository.files(made).items()} == files
    assert work_tree(repository) == files
    assert git(repository.path, "status", "--porcelain") == ""


def test_a_later_commit_changes_adds_and_takes_away(repository: Repository, first: str) -> None:
    made = commit(repository, {"db0/a.json": b"9\n", "db0/b.json": None, "db1/c.json": b"3\n"})

    assert git(repository.path, "rev-parse", f"{made}^") == first
    assert work_tree(repository) == {
        "gitbackup.json": b"{}\n",
        "db0/a.json": b"9\n",
        "db1/c.json": b"3\n",
    }


def test_a_file_becomes_a_folder_and_a_folder_a_file(repository: Repository, first: str) -> None:
    commit(repository, {"db0/a.json/_.json": b"4\n", "db0/a.json": None})
    assert work_tree(repository)["db0/a.json/_.json"] == b"4\n"

    commit(repository, {"db0/a.json": b"1\n", "db0/a.json/_.json": None})
    assert work_tree(repository)["db0/a.json"] == b"1\n"
    assert git(repository.path, "status", "--porcelain") == ""


def test_names_that_differ_by_case_are_both_kept(repository: Repository) -> None:
    git(repository.path, "config", "core.ignoreCase", "true")

    made = commit(repository, {"db0/Key.json": b"1\n", "db0/key.json": b"2\n"})

    assert sorted(repository.files(made)) == ["db0/Key.json", "db0/key.json"]


def test_a_blob_id_is_the_one_that_git_gives(repository: Repository) -> None:
    with repository.lock(), repository.commit_writer(None) as writer:
        assert writer.blob(b"hello\n") == "ce013625030ba8dba906f756967f9e9ca394464a"
    assert Repository.blob_id(b"hello\n") == "ce013625030ba8dba906f756967f9e9ca394464a"


def test_what_was_sent_can_be_read_back_before_there_is_a_commit(repository: Repository) -> None:
    contents = [b"", b"1\n", b"\0" * 100_000, b"blob 3\n"]
    with repository.lock(), repository.commit_writer(None) as writer:
        sent = [writer.blob(content) for content in contents]
        assert [writer.read(blob_id) for blob_id in reversed(sent)] == contents[::-1]
        writer.commit("all", dict(zip("abcd", sent, strict=True)))
        writer.publish()
    assert work_tree(repository) == dict(zip("abcd", contents, strict=True))


def test_a_message_keeps_every_character(repository: Repository) -> None:
    message = 'subject "quoted" \\ é 🐘\n\nbody \u2028 \x85 #hash\n\nKeys: db0=1\n'

    made = commit(repository, {"a": b""}, message)

    assert git(repository.path, "log", "-1", "--format=%B", made) == message.strip("\n")
    with pytest.raises(UsageError, match="null byte"):
        commit(repository, {"a": b"1"}, "a\0b")


def test_a_commit_is_by_gitbackup_where_git_knows_nobody(repository: Repository) -> None:
    commit(repository, {"a": b""})

    by = git(repository.path, "log", "-1", "--format=%an <%ae>, %cn <%ce>")
    assert by == "gitbackup <gitbackup@localhost>, gitbackup <gitbackup@localhost>"


def test_a_commit_is_by_whom_git_knows(
    repository: Repository, monkeypatch: pytest.MonkeyPatch
) -> None:
    git(repository.path, "config", "user.name", "Zoë")
    git(repository.path, "config", "user.email", "zoe@example.org")
    monkeypatch.setenv("GIT_COMMITTER_NAME", "Cron")

    commit(repository, {"a": b""})

    by = git(repository.path, "log", "-1", "--format=%an <%ae>, %cn <%ce>")
    assert by == "Zoë <zoe@example.org>, Cron <zoe@example.org>"


def test_a_commit_may_be_of_another_time(repository: Repository) -> None:
    with repository.lock(), repository.commit_writer(None) as writer:
        when = datetime(2020, 2, 3, 4, 5, 6, tzinfo=UTC)
        made = writer.commit("old\n", {"a": writer.blob(b"")}, when)
        writer.publish()

    assert repository.commit_info(made).date == when


def test_what_is_not_published_leaves_nothing(repository: Repository, first: str) -> None:
    before = packs(repository)

    with repository.lock():
        with repository.commit_writer(first) as writer:
            writer.blob(b"never committed\n")
        with repository.commit_writer(first) as writer:
            writer.commit("never published\n", {"x": writer.blob(b"5\n")})

    assert repository.head() == first
    assert packs(repository) == before
    assert not list((repository.path / ".git" / "objects").glob("tmp_*"))
    assert git(repository.path, "for-each-ref", "--format=%(refname)") == "refs/heads/main"


def test_an_error_inside_leaves_nothing(repository: Repository, first: str) -> None:
    def fails() -> None:
        with repository.lock(), repository.commit_writer(first) as writer:
            writer.blob(b"x" * 1_000_000)
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        fails()

    assert not list((repository.path / ".git" / "objects").glob("tmp_*"))


def test_one_commit_is_one_pack_and_no_loose_object(repository: Repository, first: str) -> None:
    commit(repository, {"db0/a.json": b"2\n"})
    commit(repository, {"db0/a.json": b"1\n"})  # of which all but the commit itself is there

    counted = git(repository.path, "count-objects", "-v").split("\n")
    assert counted[0] == "count: 0"
    assert "packs: 3" in counted


@pytest.mark.parametrize("shared", ["umask", "group", "all", "0640", "0600"])
def test_a_pack_has_the_mode_that_git_gives_one(repository: Repository, shared: str) -> None:
    git(repository.path, "config", "core.sharedRepository", shared)
    before = os.umask(0o077)
    try:
        commit(repository, {"a": b"1"})
        stream = b"blob\ndata 4\ngits\n"
        git(repository.path, "-c", "fastimport.unpackLimit=0", "fast-import", stdin=stream)
    finally:
        os.umask(before)

    files = [*(repository.path / ".git" / "objects" / "pack").iterdir()]
    assert len(files) == 4
    assert len({stat.S_IMODE(file.stat().st_mode) for file in files}) == 1


def test_what_the_repository_has_is_not_written_again(repository: Repository, first: str) -> None:
    large = bytes(range(256)) * 4096
    commit(repository, {"db0/large.json": large})
    commit(repository, {"db1/large.json": large, "db0/large.json": None})

    sizes = [
        file.stat().st_size
        for file in (repository.path / ".git" / "objects" / "pack").glob("*.pack")
    ]
    assert sorted(sizes)[-2] < 1000


@pytest.mark.parametrize("blob", ["a commit", "nothing"])
def test_a_file_without_a_blob_is_refused(repository: Repository, first: str, blob: str) -> None:
    with (
        pytest.raises(GitbackupError, match=r"has no blob [0-9a-f]{40} for x; nothing was"),
        repository.lock(),
        repository.commit_writer(first) as writer,
    ):
        writer.commit("wrong\n", {"x": first if blob == "a commit" else "1" * 40})

    assert repository.head() == first
    assert not list((repository.path / ".git" / "objects").glob("tmp_*"))


@pytest.mark.parametrize("pruned", [True, False])
def test_what_another_git_removes_meanwhile_is_noticed(
    repository: Repository, first: str, pruned: bool
) -> None:
    """A blob that a pack had, and that no commit leads to."""
    git(
        repository.path, "-c", "fastimport.unpackLimit=0", "fast-import", stdin=b"blob\ndata 1\n7\n"
    )
    with repository.lock(), repository.commit_writer(first) as writer:
        blob = writer.blob(b"7")
        git(repository.path, "repack", "-d", "-q", "-a" if pruned else "-A")
        if pruned:
            with pytest.raises(Busy, match=r"another git removes objects .* run again"):
                writer.commit("seven\n", {"x": blob})
        else:
            writer.commit("seven\n", {"x": blob})
            writer.publish()

    assert repository.head() == first or repository.read(blob) == b"7"
    assert git(repository.path, "fsck", "--strict", "--no-dangling") == ""


@pytest.mark.parametrize("path", ["", "db0//x", "db0/../x", ".", ".GIT/config", "db0/"])
def test_a_path_that_git_cannot_hold_is_refused(
    repository: Repository, first: str, path: str
) -> None:
    with (
        pytest.raises(GitbackupError, match="git cannot hold a file at"),
        repository.lock(),
        repository.commit_writer(first) as writer,
    ):
        writer.commit("wrong\n", {path: writer.blob(b"1\n")})

    assert repository.head() == first


def test_a_disk_that_takes_no_more_is_an_error(tmp_path: Path) -> None:
    done = run_python(
        "import os, resource, sys\n"
        "from gitbackup.errors import GitbackupError\n"
        "from gitbackup.store.repository.repository import Repository\n"
        "repository = Repository.create(sys.argv[1])\n"
        "resource.setrlimit(resource.RLIMIT_FSIZE, (100_000, 100_000))\n"
        "try:\n"
        "    with repository.lock(), repository.commit_writer(None) as writer:\n"
        "        blobs = {str(n): writer.blob(os.urandom(50_000)) for n in range(20)}\n"
        "        writer.commit('too large', blobs)\n"
        "except GitbackupError as error: print(error, repository.head())\n",
        str(tmp_path / "data"),
    )

    assert done.stdout == "cannot write to the data repository: File too large None\n", done.stderr
    assert not list((tmp_path / "data" / ".git" / "objects").glob("tmp_*"))


def test_modes_and_files_of_others_stay(repository: Repository, first: str) -> None:
    """What a person has committed beside ours, in the very folders that change."""
    script = repository.path / "db0" / "run"
    script.write_bytes(b"#!/bin/sh\n")
    script.chmod(0o755)
    (repository.path / "link").symlink_to("db0")
    git(repository.path, "add", "--all")
    git(repository.path, "commit", "-m", "by hand")
    before = git(repository.path, "ls-tree", "-r", "HEAD").splitlines()

    commit(repository, {"db0/a.json": b"9\n", "db0/new/b.json": b"8\n"})

    after = git(repository.path, "ls-tree", "-r", "HEAD").splitlines()
    assert {line for line in before if "a.json" not in line} < {*after}
    assert git(repository.path, "fsck", "--strict") == ""


def test_of_two_commits_at_once_one_wins(repository: Repository, first: str) -> None:
    with repository.lock(), repository.commit_writer(first) as writer:
        writer.commit("ours\n", {"db0/a.json": writer.blob(b"7\n")})
        git(repository.path, "commit", "--allow-empty", "-m", "a person's")
        theirs = repository.head()
        with pytest.raises(Busy, match="run again"):
            writer.publish()

    assert repository.head() == theirs
    assert (repository.path / "db0" / "a.json").read_bytes() == b"1\n"


def test_another_branch_takes_a_commit_and_head_stays(repository: Repository, first: str) -> None:
    with repository.lock(), repository.commit_writer(first) as writer:
        made = writer.commit("elsewhere\n", {"db0/a.json": writer.blob(b"7\n")})
        writer.save("servers/staging")

    assert repository.resolve("servers/staging") == made
    assert repository.head() == first
    assert (repository.path / "db0" / "a.json").read_bytes() == b"1\n"


def test_another_branch_never_loses_a_commit(repository: Repository, first: str) -> None:
    second = commit(repository, {"db0/a.json": b"7\n"})
    with repository.lock():
        refs.save(repository._git, "kept", second)
        refs.save(repository._git, "kept", second)
        with pytest.raises(GitbackupError, match="would be lost"):
            refs.save(repository._git, "kept", first)
        with pytest.raises(UsageError, match="HEAD is on"):
            refs.save(repository._git, "main", first)
        for name in ("", "-d", "a..b", "a b", "@{-1}"):
            with pytest.raises(UsageError, match="not a valid branch name"):
                refs.save(repository._git, name, first)


def test_head_advances_to_a_commit_that_is_there(repository: Repository, first: str) -> None:
    second = commit(repository, {"db0/a.json": b"7\n"})
    with repository.lock():
        repository.advance(first, second)

        assert (repository.path / "db0" / "a.json").read_bytes() == b"1\n"
        with pytest.raises(Busy):
            repository.advance(first, second)


def test_writing_without_the_lock_is_a_mistake(repository: Repository) -> None:
    with pytest.raises(RuntimeError, match="lock"):
        repository.commit_writer(None)


def test_a_file_with_any_name_can_go(repository: Repository, first: str) -> None:
    names = ['"quoted".json', "new\nline", "tab\t", "back\\slash", "é.json", " space ", "db0/ü/x"]
    for name in names:
        file = repository.path / name
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_bytes(b"by hand\n")
    git(repository.path, "add", "--all")
    git(repository.path, "commit", "-m", "by hand")
    head = repository.head() or ""

    assert set(names) <= set(repository.files(head))
    commit(repository, dict.fromkeys(names))

    assert sorted(work_tree(repository)) == ["db0/a.json", "db0/b.json", "gitbackup.json"]


def test_equal_files_have_an_equal_tree_id_whatever_the_way_to_them(tmp_path: Path) -> None:
    one = Repository.create(tmp_path / "one")
    two = Repository.create(tmp_path / "two")
    a = commit(one, {"db0/b.json": b"2\n", "db0/a.json": b"1\n"})
    commit(two, {"db0/a.json": b"other\n", "db1/c.json": b"3\n"})
    b = commit(two, {"db0/a.json": b"1\n", "db0/b.json": b"2\n", "db1/c.json": None})

    assert one.tree_id(a) == two.tree_id(b)


def test_maintenance_keeps_everything(repository: Repository, first: str) -> None:
    git(repository.path, "config", "gc.autoPackLimit", "2")
    for number in range(4):
        commit(repository, {"db0/a.json": b"%d\n" % number})
    with repository.lock():
        repository.maintain()

    assert "packs: 1" in git(repository.path, "count-objects", "-v")
    assert len(list(repository.log())) == 5
    assert repository.read(repository.files("HEAD")["db0/a.json"]) == b"3\n"
