"""The log, and what messages say."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gitbackup.errors import UsageError
from gitbackup.model.changes import Counts
from gitbackup.model.commits import Selection
from gitbackup.store.commits.message import parse
from gitbackup.store.repository.repository import Repository
from tests.store.plain import commit, git

OURS = """\
apikey: 1 added; Grüße 🐘

  added apikey:42
  changed usage:1: a colon, as in a trailer

Format: 1
Server: valkey 9.1.0 standalone localhost:6379
Taken-At: 2026-11-22T10:00:00.123Z
Consistency: per-key
Keys: db0=1164 db3=2
Added: 2
Changed: 7
Removed: 0
"""


def test_a_message_of_ours_tells_everything(repository: Repository) -> None:
    made = commit(repository, {"a": b""}, OURS)
    info = repository.commit_info(made)

    assert info.id == made
    assert info.parents == ()
    assert info.author == "gitbackup <gitbackup@localhost>"
    assert info.subject == "apikey: 1 added; Grüße 🐘"
    assert info.body == "  added apikey:42\n  changed usage:1: a colon, as in a trailer"
    assert info.trailers["Server"] == "valkey 9.1.0 standalone localhost:6379"
    assert info.trailers["Taken-At"] == "2026-11-22T10:00:00.123Z"
    assert info.counts == Counts(added=2, changed=7, removed=0)


def test_git_reads_the_same_trailers(repository: Repository) -> None:
    commit(repository, {"a": b""}, OURS)

    told = git(repository.path, "log", "-1", "--format=%(trailers:only)").strip()
    assert told == "\n".join(f"{name}: {value}" for name, value in parse(OURS).trailers.items())


def test_a_persons_commit_is_read_as_well(repository: Repository, first: str) -> None:
    git(repository.path, "commit", "--allow-empty", "-m", "By hand", "-m", "Why:\nbecause\n\nso")
    info = repository.commit_info("HEAD")

    assert info.author == "A Person <person@example.org>"
    assert info.parents == (first,)
    assert (info.subject, info.body) == ("By hand", "Why:\nbecause\n\nso")
    assert (info.trailers, info.counts) == ({}, None)


def test_a_message_may_be_empty_or_not_be_text(repository: Repository, first: str) -> None:
    tree = repository.tree_id(first)
    empty = git(repository.path, "commit-tree", tree, stdin=b"")
    odd = git(repository.path, "commit-tree", tree, stdin=b"\xff odd\n\n\xfe: x\n")

    assert repository.commit_info(empty).subject == ""
    assert repository.commit_info(odd).subject == "ÿ odd"  # git takes it for Latin-1


ANYBODY = b"A Person <person@example.org> 1764500000 +0100"
SIGNATURES = [
    ANYBODY,
    b"Gr\xc3\xbc\xc3\x9fe \xe9  <a@b> 1764500000 -1130",
    b"<> 0 +0000",
    b" spaced  < a b > 007 +7",
    b"A <a@b>",
    b"A <a@b> soon",
    b"A <a@b> 12 later",
    b"A <a<b@c>> 12 +0000",
    b"nobody",
    b"A <a@b 12 +0000",
    b"A <a@b> 99999999999999999 +99999",
]
MESSAGES = {
    b"": OURS.encode(),
    b"encoding ISO-8859-1\n": b"\xe9t\xe9\n",
    b"encoding nonsense\n": b"\xc3\xa9\n",
    b"encoding base64\n": b"x\n",
    b"gpgsig -----BEGIN\n encoding x\n -----END\n": b"\n\n  signed\n\n\nbody",
    b"odd\n": b"\xff\n",
}


def test_one_commit_is_read_as_the_log_tells_it(repository: Repository, first: str) -> None:
    tree = repository.tree_id(first).encode()
    note = '{"rehearsed_at": "2026-11-22T12:00:00+00:00", "result": "passed"}'
    for signature, (header, message) in [
        *((signature, (b"", OURS.encode())) for signature in SIGNATURES),
        *((ANYBODY, each) for each in MESSAGES.items()),
    ]:
        data = b"tree %s\nparent %s\nauthor %s\ncommitter %s\n%s\n%s"
        data %= tree, first.encode(), signature, ANYBODY, header, message
        words = ("hash-object", "-t", "commit", "-w", "--literally", "--stdin")
        made = git(repository.path, *words, stdin=data)
        git(repository.path, "notes", "--ref=gitbackup", "add", "-f", "-m", note, made)
        (logged,) = repository.history.records(Selection((made,), 1))
        record = repository.history.record(made)
        assert record.info == logged.info
        assert record._replace(text="") == logged._replace(text="")
        assert record.canonical == (signature == ANYBODY and header == b"")


def test_the_newest_commit_comes_first(repository: Repository, first: str) -> None:
    second = commit(repository, {"db0/a.json": b"9\n"})
    third = commit(repository, {"db0/b.json": b"9\n"})

    assert [info.id for info in repository.log()] == [third, second, first]
    assert [info.id for info in repository.log(limit=2)] == [third, second]
    assert [info.id for info in repository.log("HEAD~1")] == [second, first]
    touching = repository.history.records(Selection(), ["db0/a.json"])
    assert [record.id for record in touching] == [second, first]


def test_before_the_first_commit_the_log_is_empty(repository: Repository) -> None:
    assert list(repository.log()) == []


def test_a_revision_that_is_not_there_is_refused_at_once(
    repository: Repository, first: str
) -> None:
    with pytest.raises(UsageError, match="there is no commit 'nope'"):
        repository.log("nope")


def test_a_log_may_be_left_early(tmp_path: Path) -> None:
    repository = Repository.create(tmp_path / "data")
    stream = b"".join(
        b"commit refs/heads/main\ncommitter a <a@b> %d +0000\ndata 1000\n%s\n" % (n, b"x" * 1000)
        for n in range(5000)
    )
    git(repository.path, "fast-import", "--quiet", stdin=stream)
    log = repository.log()

    assert next(log).subject == "x" * 1000
    log.close()  # type: ignore[attr-defined]  # it is a generator
    assert sum(1 for _ in repository.log()) == 5000


def test_a_trailer_may_go_on_and_come_twice() -> None:
    message = parse("subject\n\nCo-Authored-By: a\nCo-Authored-By: b\nNote: one\n  two\n")

    assert message.trailers == {"Co-Authored-By": "a, b", "Note": "one two"}


def test_a_subject_alone_is_no_trailer() -> None:
    assert parse("fix: it\n") == ("fix: it", "", {})


def test_counts_that_are_no_numbers_are_none(repository: Repository) -> None:
    made = commit(repository, {"a": b""}, "s\n\nAdded: many\nChanged: 1\nRemoved: ²\n")

    assert repository.commit_info(made).counts is None


TEXT = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\r\n\0"), min_size=1)


@given(TEXT, TEXT)
def test_subject_and_body_survive_any_text(subject: str, body: str) -> None:
    parsed = parse(f"{subject}\n\nsee {body}\n\nFormat: 1\n")

    assert parsed.subject == " ".join(subject.split())
    assert parsed.body == f"see {body}".rstrip()
    assert parsed.trailers == {"Format": "1"}


def test_the_first_commits_may_be_left_out(repository: Repository) -> None:
    made = [commit(repository, {"a": str(number).encode()}) for number in range(5)]

    def found(**how: int) -> list[str]:
        return [info.id for info in repository.log(Selection(**how))]

    assert found(skip=2) == made[2::-1]
    assert found(skip=1, limit=2) == [made[3], made[2]]
    assert found(skip=5) == []
