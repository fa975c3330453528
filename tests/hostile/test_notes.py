"""What others wrote in notes, messages and dates is data: it hides no commit and forges none."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import pytest

from gitbackup.commit.message import Origin, compose
from gitbackup.model.changes import Counts, Summary
from gitbackup.model.commits import Verdict
from gitbackup.store.commits import message as messages
from gitbackup.store.metadata import word_notes
from gitbackup.store.metadata.rehearsals import REF, parse
from gitbackup.store.repository.repository import Repository
from tests.cli.user import User
from tests.store.plain import commit, git

pytestmark = pytest.mark.few(5)

PASSED = '{"rehearsed_at": "2026-11-22T12:36:01+00:00", "result": "passed"}'

NOTES = {
    "the first year": '{"rehearsed_at":"0001-01-01T00:00:00+01:00","result":"passed"}',
    "the last year": '{"rehearsed_at":"9999-12-31T23:59:59-12:00","result":"passed"}',
    "no date": '{"rehearsed_at":7,"result":"passed"}',
    "no verdict": '{"rehearsed_at":"2026-11-22T12:36:01+00:00","result":[]}',
    "a number": "1",
    "deep": "[" * 100_000,
    "deep facts": '{"rehearsed_at":' + "[" * 100_000,
    "long": '{"problem":"' + "x" * 1_000_000 + '"}',
    "many lines": "\n" * 100_000,
    "controls": "\x01" * 8 + "forged\x02\x03",
    "a record": "\x01\n".join(["0" * 40, "", "0" * 40, "A <a>", "2026", "A <a>", "2026", "x"]),
    "zero bytes": "a\0\0b\0" * 5,
    "no UTF-8": "\udcff\udcfe",
}


def annotate(folder: Path, notes: dict[str, bytes], ref: str = REF) -> None:
    """Write notes as `git notes` does, of any bytes."""
    blobs = {id_: git(folder, "hash-object", "-w", "--stdin", stdin=n) for id_, n in notes.items()}
    lines = "".join(f"100644 blob {blob}\t{id_}\n" for id_, blob in sorted(blobs.items()))
    tree = git(folder, "mktree", stdin=lines.encode())
    made = git(folder, "commit-tree", tree, "-m", "notes")
    git(folder, "update-ref", ref, made)


@pytest.mark.parametrize("note", NOTES.values(), ids=NOTES)
def test_a_note_changes_nothing_of_what_a_commit_says(
    note: str, repository: Repository, first: str
) -> None:
    second = commit(repository, {"db0/a.json": b"9\n"}, "a subject\n\nAdded: 1\n")
    before = list(repository.log())

    content = note.encode("utf-8", "surrogateescape")
    annotate(repository.path, {second: content})

    assert list(repository.log()) == before

    annotate(repository.path, {second: content, first: b"good"}, word_notes.REF)
    told = list(repository.log())
    assert [replace(info, note="") for info in told] == before
    assert told[1].note == repository.commit_info(first).note == "good"
    assert told[0].note == repository.commit_info(second).note
    assert len(told[0].note) <= word_notes.LONGEST


def test_words_forge_neither_a_trailer_nor_a_restore_test(user: User) -> None:
    """And steer no terminal, as text or in a page; not even if one looks for them."""
    user.redis.set("a", "1")
    user.says("commit", "-m", "one")
    head = user.commits()[0]
    said = f"\x1b[31m\u202ered<b>\n\nRestore-Of: {head}\nReplaced: {head}\n{PASSED}\n"
    annotate(user.repo, {head: said.encode()}, word_notes.REF)

    for words in ([], ["--grep", "red"]):
        (found,) = map(json.loads, user.says("log", "--json", *words).splitlines())
        assert (found["rehearsal"], "Restore-Of" in found["trailers"]) == (None, False)
    for words in (["log"], ["show"], ["note"], ["log", "--html", "-"]):
        told = user.says(*words)
        assert "red" in told
        steering = ["\x1b", "\u202e", *(["red<b>"] if "--html" in words else [])]
        assert [mark for mark in steering if mark in told] == []
    assert user.run("undo", "--yes").code == 2


def test_a_good_line_among_nonsense_counts() -> None:
    found = parse("\n".join([*NOTES.values()][:7]) + f"\n{PASSED}\n")
    assert found
    assert found.verdict is Verdict.PASSED


def broken(folder: Path, commit_id: str) -> dict[str, str]:
    """Ids of what is no good as a ref of notes."""
    lost = "1234567890123456789012345678901234567890"
    empty = git(folder, "mktree", stdin=b"")

    def notes(entry: str) -> str:
        tree = git(folder, "mktree", "--missing", stdin=entry.encode())
        return git(folder, "commit-tree", tree, "-m", "notes")

    return {
        "a blob": git(folder, "hash-object", "-w", "--stdin", stdin=b"hi"),
        "a tree": empty,
        "nothing": lost,
        "a lost tree": notes(f"040000 tree {lost}\t{commit_id[:2]}\n"),
        "a lost blob": notes(f"100644 blob {lost}\t{commit_id}\n"),
        "a folder": notes(f"040000 tree {empty}\t{commit_id}\n"),
        "a submodule": notes(f"160000 commit {commit_id}\t{commit_id}\n"),
    }


@pytest.mark.long
def test_notes_that_cannot_be_read_hide_no_commit(repository: Repository, first: str) -> None:
    commits = [first, *(commit(repository, {"db0/a.json": b"%d\n" % n}) for n in range(40))]
    for name, ident in broken(repository.path, commits[3]).items():
        (repository.path / ".git" / REF).parent.mkdir(parents=True, exist_ok=True)
        (repository.path / ".git" / REF).write_text(ident + "\n")
        assert [info.id for info in repository.log()] == commits[::-1], name
        words = repository.path / ".git" / word_notes.REF
        (repository.path / ".git" / REF).rename(words)
        assert [info.id for info in repository.log()] == commits[::-1], name
        assert [repository.commit_info(commit).id for commit in commits] == commits, name
        words.unlink()


def test_the_log_says_that_notes_cannot_be_read(user: User) -> None:
    user.redis.set("a", "1")
    user.says("commit", "-m", "one")
    (user.repo / ".git" / REF).parent.mkdir(parents=True, exist_ok=True)
    (user.repo / ".git" / REF).write_text("1" * 40 + "\n")

    done = user.run("log")

    assert done.code == 0
    assert "one" in done.out
    assert "cannot read the notes of restore tests" in done.err
    for command in (["status"], ["show"], ["verify"], ["restore", "HEAD", "--yes"], ["check"]):
        assert "Traceback" not in user.run(*command).err


def test_a_clone_leaves_out_refs_that_are_none(
    repository: Repository, first: str, tmp_path: Path
) -> None:
    blob = git(repository.path, "hash-object", "-w", "--stdin", stdin=b"hi")
    for name in (REF, "refs/heads/odd", "refs/tags/odd"):
        (repository.path / ".git" / name).parent.mkdir(parents=True, exist_ok=True)
        (repository.path / ".git" / name).write_text(blob + "\n")

    with Repository.clone(str(repository.path), tmp_path / "clone") as (made, _):
        assert [info.id for info in made.log()] == [first]
        assert git(made.path, "for-each-ref", "--format=%(refname)", "refs/heads") == (
            "refs/heads/main"
        )


DATES = ["0 +0000", "253402300799 -1200", "9223372036854775807 +0000", "1 -9959", "5 +9999"]


@pytest.mark.few(1)
@pytest.mark.parametrize("date", DATES)
def test_a_date_that_no_calendar_has_is_data(date: str, user: User) -> None:
    user.redis.set("a", "1")
    user.says("commit", "-m", "one")
    head = git(user.repo, "cat-file", "commit", "HEAD").split("\n")
    lines = [
        line.rsplit(" ", 2)[0] + " " + date if line.startswith(("author", "committer")) else line
        for line in head
    ]
    data = "\n".join(lines).encode() + b"\n"
    made = git(user.repo, "hash-object", "-t", "commit", "-w", "--literally", "--stdin", stdin=data)
    git(user.repo, "update-ref", "HEAD", made)
    user.redis.set("a", "2")

    for command in (["log"], ["log", "--stat"], ["log", "--json"], ["show"], ["status"], ["blame"]):
        words = [*command, "a"] if command == ["blame"] else command
        done = user.run(*words)
        assert (done.code, done.err) == (0, ""), command
    assert user.run("restore", "HEAD", "--yes").code == 0
    assert user.redis.get("a") == b"1"


FORGERY = "7.0\n\nRestore-Of: " + "1" * 40


def test_nothing_that_others_wrote_adds_a_trailer() -> None:
    """Neither a server's own version, nor the name of a file: only we write what `undo` reads."""
    summary = Summary(Counts(0, 0, 0), {}, (), "x")
    made = compose(None, summary, Origin(FORGERY, 0, FORGERY, {0: 1}), {"Note": FORGERY})

    assert "Restore-Of" not in messages.parse(made).trailers
    assert not any(line.startswith("Restore-Of") for line in made.split("\n"))
