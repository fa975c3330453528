"""Names of commits."""

from __future__ import annotations

from pathlib import Path

import pytest

from gitbackup.errors import Damaged, UsageError
from gitbackup.model.commits import Selection
from gitbackup.store.git.command import Commands
from gitbackup.store.objects import refs
from gitbackup.store.repository.repository import Repository
from tests.store.plain import commit, git, run_git


def test_whatever_git_resolves_is_a_commit_ish(repository: Repository, first: str) -> None:
    second = commit(repository, {"db0/a.json": b"9\n"}, "The second one\n")
    git(repository.path, "tag", "-a", "-m", "a tag", "v1", first)

    for name in ("HEAD~1", "v1", first, first[:10], "main^", "HEAD@{1}"):
        assert repository.resolve(name) == first
    for name in ("HEAD", "main", "@", ":/second", "@{0}", "refs/heads/main"):
        assert repository.resolve(name) == second


@pytest.mark.parametrize(
    "pattern", ["a\\{1,32767\\}", "\\(a*\\)*\\1b", "(((a{1,255}){1,255}){99})", "a" * 1001]
)
def test_a_pattern_that_would_take_all_memory_is_refused(
    repository: Repository, first: str, pattern: str
) -> None:
    """As the name of a commit, which is in the address of a page, and as what `log` looks for."""
    for name in (f":/{pattern}", f"HEAD^{{/{pattern}}}"):
        with pytest.raises(UsageError, match="repeats too much"):
            repository.resolve(name)
    with pytest.raises(UsageError, match="repeats too much"):
        [*repository.history.records(Selection(grep=(pattern,)))]
    with pytest.raises(UsageError, match="null byte"):
        [*repository.history.records(Selection(grep=("a\0",)))]


def test_a_branch_that_is_empty_is_damage(repository: Repository, first: str) -> None:
    (repository.path / ".git" / "refs" / "heads" / "main").write_text("")

    with pytest.raises(Damaged, match=r"HEAD of .* is damaged"):
        repository.head()


def test_a_tag_of_the_same_name_is_not_head(repository: Repository, first: str) -> None:
    """As a clone meets it, whose HEAD is on a branch that is not there yet."""
    git(repository.path, "update-ref", "refs/tags/HEAD", first)
    assert repository.head() == first

    git(repository.path, "symbolic-ref", "HEAD", "refs/heads/none")
    assert repository.head() is None


def test_a_first_commit_that_is_made_meanwhile_is_no_damage(
    repository: Repository, monkeypatch: pytest.MonkeyPatch
) -> None:
    real = refs.read

    def late(commands: Commands, ref: str) -> str | None:
        found = real(commands, ref)
        monkeypatch.setattr(refs, "read", real)
        commit(repository, {"db0/a.json": b"9\n"})
        return found

    monkeypatch.setattr(refs, "read", late)
    assert Repository.open(repository.path).head() == git(repository.path, "rev-parse", "HEAD")


def test_a_head_on_no_branch_is_moved_as_git_moves_it(repository: Repository, first: str) -> None:
    git(repository.path, "checkout", "--detach")

    second = commit(repository, {"db0/a.json": b"9\n"})

    assert repository.head() == second
    assert repository.resolve("main") == first


STATES = {
    "loose": (),
    "packed": (("pack-refs", "--all"),),
    "packed, and moved since": (
        ("pack-refs", "--all"),
        ("update-ref", "HEAD", "side"),
    ),
    "detached": (("checkout", "--quiet", "--detach", "side"),),
    "on a branch that is another": (("symbolic-ref", "refs/heads/main", "refs/heads/side"),),
    "on a branch that is yet to be": (("symbolic-ref", "HEAD", "refs/heads/new"),),
    "in other letters": (("symbolic-ref", "HEAD", "refs/heads/é ü".replace(" ", "/")),),
}


@pytest.mark.parametrize("commands", STATES.values(), ids=STATES)
def test_head_is_where_git_says(
    repository: Repository, first: str, commands: tuple[tuple[str, ...], ...]
) -> None:
    git(repository.path, "branch", "side")
    commit(repository, {"db0/a.json": b"9\n"})
    for words in commands:
        git(repository.path, *words)
    said = run_git(repository.path, "rev-parse", "--verify", "--quiet", "HEAD").stdout
    branch = run_git(repository.path, "symbolic-ref", "--quiet", "HEAD").stdout
    assert repository.head() == (said.decode().strip() or None)
    assert repository.branch() == branch.decode().strip().removeprefix("refs/heads/")


def test_head_of_a_repository_of_reftables_is_where_git_says(tmp_path: Path) -> None:
    made = run_git(tmp_path, "init", "--quiet", "--ref-format=reftable", "--initial-branch=main")
    if made.returncode:
        pytest.skip("this git knows no reftables")
    git(tmp_path, "commit", "--quiet", "--allow-empty", "-m", "first")
    repository = Repository(tmp_path, Commands(tmp_path / ".git", tmp_path))
    assert repository.head() == git(tmp_path, "rev-parse", "HEAD")
    assert repository.branch() == "main"


def test_a_note_that_comes_is_in_what_is_told_of_a_commit(
    repository: Repository, first: str
) -> None:
    assert repository.commit_info(first).rehearsal is None
    for verdict in ("passed", "failed"):
        note = f'{{"rehearsed_at": "2026-11-22T12:00:00+00:00", "result": "{verdict}"}}'
        git(repository.path, "notes", "--ref=gitbackup", "add", "-f", "-m", note, first)
        rehearsal = repository.commit_info(first).rehearsal
        assert rehearsal is not None
        assert rehearsal.verdict.value == verdict


def test_branches_and_tags_tell_the_commits_that_they_lead_to(
    repository: Repository, first: str
) -> None:
    """Also a tag that has a message of its own."""
    second = commit(repository, {"db0/a.json": b"2\n"}, "another\n")
    git(repository.path, "tag", "light", first)
    git(repository.path, "tag", "-a", "heavy", "-m", "a word", first)
    found = {(ref.name, ref.commit, ref.subject) for ref in repository.names()}
    subject = repository.commit_info(first).subject
    assert found == {
        ("main", second, "another"),
        ("light", first, subject),
        ("heavy", first, "a word"),
    }


def test_more_refs_than_a_command_line_has_room_for(repository: Repository, first: str) -> None:
    """As a bundle of somebody else may bring them."""
    commands = Commands(repository.path / ".git", repository.path)
    second = commit(repository, {"db0/a.json": b"2\n"})
    assert refs.count(commands, second, *[f"^{first}"] * 60_000) == 1
    assert refs.count_beyond(commands, second, [first] * 60_000) == 1
    assert refs.count_beyond(commands, second, [first] * 60_000 + [second]) == 0


NOT_COMMITS = [
    *("", "nope", "HEAD~9", "a" * 40, "HEAD:db0", "HEAD:gitbackup.json", "^HEAD", "HEAD..HEAD"),
    *("--help", "-x", "--all", "--git-dir=/", "--end-of-options", "a\nb", "a\0b", "é", "--"),
]


@pytest.mark.parametrize("name", NOT_COMMITS)
def test_what_names_no_commit_is_refused(repository: Repository, first: str, name: str) -> None:
    with pytest.raises(UsageError, match=r"there is no commit .*`Backup.log\(\)` lists them"):
        repository.resolve(name)


def test_before_the_first_commit_the_error_says_so(repository: Repository) -> None:
    with pytest.raises(UsageError, match=r"there is no commit in .*`Backup.commit\(\)` makes one"):
        repository.resolve("HEAD")


@pytest.mark.long
def test_a_short_id_that_fits_two_commits_is_refused(repository: Repository, first: str) -> None:
    tree = repository.tree_id(first)
    made: dict[str, str] = {}
    for number in range(100_000):
        new = git(repository.path, "commit-tree", tree, "-m", str(number))
        if (short := new[:4]) in made:
            break
        made[short] = new

    with pytest.raises(UsageError, match="more than one"):
        repository.resolve(short)


def test_a_short_id_means_a_commit_where_a_blob_begins_so_too(repository: Repository) -> None:
    made = commit(repository, {f"db0/{n}.json": b"%d\n" % n for n in range(3000)})
    blobs = {blob[:4] for blob in repository.files(made).values()}
    for number in range(1000):
        made = git(repository.path, "commit-tree", repository.tree_id("HEAD"), "-m", str(number))
        if made[:4] in blobs:
            break

    assert repository.resolve(made[:4]) == made
