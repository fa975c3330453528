from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime

import pytest

from gitbackup.model.commits import Rehearsal, Verdict
from gitbackup.store.metadata.rehearsals import REF, compose
from gitbackup.store.repository.repository import Repository
from tests.store.plain import commit, git

PASSED = Rehearsal(
    datetime(2026, 11, 22, 12, 36, 1, tzinfo=UTC), Verdict.PASSED, "Valkey 9.1.0", "0.1.0"
)
FAILED = replace(PASSED, verdict=Verdict.FAILED, problem="db0/_.json: it\nis broken")


def note(repository: Repository, *commits: str, rehearsal: Rehearsal = PASSED) -> None:
    with repository.lock():
        repository.note(dict.fromkeys(commits, rehearsal))


def test_a_commit_has_no_rehearsal_at_first(repository: Repository, first: str) -> None:
    assert repository.commit_info(first).rehearsal is None


def test_the_log_tells_each_commit_s_own_rehearsal(repository: Repository, first: str) -> None:
    second = commit(repository, {"db0/a.json": b"3\n"}, "a subject\x01with a control\n")
    third = commit(repository, {"db0/a.json": b"4\n"})
    note(repository, first)
    note(repository, second, rehearsal=FAILED)
    told = [(info.id, info.rehearsal) for info in repository.log()]
    assert [(third, None), (second, FAILED), (first, PASSED)] == told
    assert repository.commit_info(second).subject == "a subject\x01with a control"


def test_git_itself_reads_the_note(repository: Repository, first: str) -> None:
    note(repository, first)
    assert git(repository.path, "notes", "--ref=gitbackup", "show", first) == (
        '{"rehearsed_at": "2026-11-22T12:36:01+00:00", "result": "passed",'
        ' "server": "Valkey 9.1.0", "gitbackup": "0.1.0"}'
    )


def test_of_notes_that_git_merged_the_latest_counts(repository: Repository, first: str) -> None:
    """As when a commit was rehearsed on two machines, in whatever order the lines stand."""
    later = replace(FAILED, at=datetime(2026, 11, 23, tzinfo=UTC))
    merged = f"{compose(later)}{compose(PASSED)}\n[]\n{{}}\na person's line\n"
    git(repository.path, "notes", "--ref=gitbackup", "add", "-m", merged, first)
    assert repository.commit_info(first).rehearsal == later


@pytest.mark.parametrize("by_hand", [True, False])
def test_a_later_note_takes_the_place_of_an_earlier_one(
    repository: Repository, first: str, by_hand: bool
) -> None:
    """Also where git wrote it, which puts few notes in a folder of their own."""
    if by_hand:
        git(repository.path, "notes", "--ref=gitbackup", "add", "-m", "a person's", first)
        assert repository.commit_info(first).rehearsal is None
    else:
        note(repository, first, rehearsal=FAILED)
    note(repository, first)
    listed = git(repository.path, "notes", "--ref=gitbackup", "list").splitlines()
    assert [line.split()[1] for line in listed] == [first]
    assert repository.commit_info(first).rehearsal == PASSED


def test_a_person_s_own_notes_are_left_alone(repository: Repository, first: str) -> None:
    git(repository.path, "notes", "add", "-m", "mine", first)
    before = git(repository.path, "rev-parse", "refs/notes/commits")
    note(repository, first)
    assert before == git(repository.path, "rev-parse", "refs/notes/commits")
    assert git(repository.path, "log", "-1", "--format=%N") == "mine"


def test_noting_leaves_nothing_but_the_ref_and_its_pack(repository: Repository, first: str) -> None:
    before = git(repository.path, "for-each-ref")
    note(repository, first)
    git(repository.path, "update-ref", "-d", REF)
    assert before == git(repository.path, "for-each-ref")
    assert git(repository.path, "status", "--porcelain") == ""
    assert [*(repository.path / ".git/objects").glob("tmp_*")] == []


def test_notes_are_written_under_the_lock(repository: Repository, first: str) -> None:
    with pytest.raises(RuntimeError, match="needs its lock"):
        repository.note({first: PASSED})
