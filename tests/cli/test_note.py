"""Why, afterwards: `commit --amend`, `note`, and the words of a commit that was not made."""

from __future__ import annotations

import io
import json
import shlex
from pathlib import Path

import pytest

from gitbackup import Backup
from gitbackup.errors import GitbackupError
from gitbackup.store.repository.repository import Repository
from gitbackup.store.repository.restore_journal import JOURNAL
from tests.cli.test_watch import service
from tests.cli.user import Done, User
from tests.store.plain import git

ID = "1" * 40
FORGERY = f"added account\n\nRestore-Of: {ID}\nReplaced: {ID}"


@pytest.fixture
def committed(user: User) -> User:
    """Two commits with the subjects that they gave themselves."""
    user.redis.mset({"a": 1, "b": 2})
    user.says("commit", "-m", "one")
    user.redis.hset("apikey:1", "name", "bob")
    user.says("commit")
    return user


def raw(user: User, commit: str = "HEAD") -> list[str]:
    """A commit's object up to its message, and the paragraphs of that."""
    head, _, message = git(user.repo, "cat-file", "commit", commit).partition("\n\n")
    return [head, *message.split("\n\n")]


def refs(user: User) -> str:
    return git(user.repo, "for-each-ref")


def test_the_words_of_a_commit_that_was_not_made_are_not_lost(committed: User) -> None:
    """The line that it prints does what it says when it is pasted."""
    told = committed.says("commit", "-m", "bob's account")
    assert told == (
        "nothing to commit: none of 3 keys changed since id2\n"
        "to give the last commit, id2 (just now: apikey: 1 added), these words:\n"
        "  gitbackup commit --amend -m 'bob'\"'\"'s account'\n"
        "to put them on an earlier one: gitbackup note COMMIT -m 'bob'\"'\"'s account'\n"
    ).replace("(just now:", told[told.index("(") :].partition(":")[0] + ":")
    _, *words = shlex.split(told.splitlines()[2])
    before = committed.commits()[-1]
    assert committed.says(*words).startswith("[id2] bob's account\n")
    assert before not in committed.commits()
    assert "-m TEXT" in committed.says("commit", "-m", "a bell \a")
    assert committed.says("commit") == "nothing to commit: none of 3 keys changed since id2\n"


def test_an_amend_changes_the_words_and_nothing_else(committed: User) -> None:
    committed.says("verify")
    git(committed.repo, "notes", "add", "-m", "a person's own")
    committed.says("note", "-m", "a customer of old")
    head, subject, *rest = raw(committed)
    assert subject == "apikey: 1 added"

    done = json.loads(committed.says("commit", "--amend", "-m", FORGERY, "--json"))

    assert raw(committed) == [head, *FORGERY.split("\n\n"), *rest]
    assert (done["commit"], done["why"], done["note"]) == ("ID2", None, None)
    (newest, _) = map(json.loads, committed.says("log", "--json").splitlines())
    assert newest["trailers"].keys().isdisjoint({"Restore-Of", "Replaced"})
    assert (newest["counts"], newest["subject"]) == (
        {"added": 1, "changed": 0, "removed": 0},
        "added account",
    )
    assert (newest["rehearsal"]["result"], newest["note"]) == ("passed", "a customer of old")
    assert git(committed.repo, "notes", "show") == "a person's own"
    assert git(committed.repo, "status", "--porcelain") == ""
    assert git(committed.repo, "fsck", "--strict") == ""
    assert committed.says("commit", "--amend", "-m", FORGERY) == "[id2] added account\n"
    committed.redis.delete("apikey:1")
    assert committed.run("restore", "HEAD", "--yes").code == 0
    assert committed.redis.hget("apikey:1", "name") == b"bob"


def test_a_restore_is_undone_whatever_its_commits_are_called(committed: User) -> None:
    committed.redis.delete("apikey:1")
    committed.run("restore", "HEAD", "--yes")
    committed.says("commit", "--amend", "-m", "bob is back")
    assert committed.run("undo", "--yes").code == 0
    assert not committed.redis.exists("apikey:1")


NAMED = {
    "a tag": ("the tag v1 names it", ["tag", "v1"]),
    "a branch": ("the branch other has it, too", ["branch", "other"]),
    "a remote": ("it was pushed to origin", ["update-ref", "refs/remotes/origin/main", "HEAD"]),
    "plain git": ("it was made with plain git", ["commit", "-q", "--allow-empty", "-m", "by hand"]),
}


@pytest.mark.few(4)
@pytest.mark.parametrize("name", NAMED)
def test_a_commit_that_something_names_keeps_its_id(committed: User, name: str) -> None:
    why, words = NAMED[name]
    person = ("-c", "user.name=p", "-c", "user.email=p@example.org")
    git(committed.repo, *person, *words)
    before = raw(committed)
    told = committed.says("commit", "--amend", "-m", FORGERY)
    assert told.startswith(f"commit {'id3' if name == 'plain git' else 'id2'} keeps its message,")
    assert f"because {why}; its note is:\n    added account\n" in told
    assert raw(committed) == before
    assert "    note: added account …\n" in committed.says("log", "-n", "1")


def test_a_commit_that_others_name_by_its_id_keeps_it(committed: User) -> None:
    """A restore that was cut off, and a commit of another branch."""
    head = committed.commits()[-1]
    journal = committed.repo / ".git" / JOURNAL
    entry = {"asked": "x", "how": "{}", "commit": head, "server": "s", "home": True}
    document = {"schema": "gitbackup.restore-journal/1", "open": [{**entry, "state": "writing"}]}
    journal.write_text(json.dumps(document))
    assert "because a restore that was interrupted names it" in committed.says(
        "commit", "--amend", "-m", "one"
    )
    journal.unlink()
    tree = git(committed.repo, "rev-parse", "HEAD~1^{tree}")
    other = git(committed.repo, "commit-tree", tree, "-m", f"x\n\nRestore-Of: {head}")
    git(committed.repo, "update-ref", "refs/heads/other", other)
    told = committed.says("commit", "--amend", "-m", "two")
    assert "names it; its note is:\n    one\n\n    two\n" in told


def test_a_commit_that_is_being_sent_keeps_its_id(committed: User) -> None:
    """While a push runs, the words wait; after one that was killed, they become a note."""
    with Repository.open(committed.repo).unpushed():
        done = committed.run("commit", "--amend", "-m", "why", "--lock-wait", "0")
        assert (done.code, "already pushing from" in done.err) == (11, True)
    holder = {"process": 1, "machine": "elsewhere", "since": 0}
    (committed.repo / ".git" / "gitbackup" / "pushing.lock").write_text(json.dumps(holder))
    told = committed.says("commit", "--amend", "-m", "why")
    assert "because a push was interrupted, which may have sent it; its note is:\n    why" in told


def test_a_note_is_put_added_to_replaced_and_removed(
    committed: User, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert committed.run("note") == Done(1, "", "gitbackup: commit id2 has no note\n")
    told = committed.says("note", "HEAD~1", "-m", "one", "-m", "two")
    assert told == "id1  note:\n    one\n\n    two\n"
    assert committed.run("note", "HEAD~1", "-m", "x") == Done(
        2,
        "",
        "gitbackup: commit id1 has a note already: --append adds to it, and --replace replaces"
        " it\n",
    )
    Path("words").write_text("three\r\n")
    assert committed.says("note", "HEAD~1", "--append", "-F", "words").endswith(
        "two\n\n    three\n"
    )
    monkeypatch.setattr("sys.stdin", io.TextIOWrapper(io.BytesIO("名\n".encode())))
    committed.says("note", "HEAD~1", "--replace", "-F", "-")
    assert committed.says("note", "HEAD~1") == "id1  note:\n    名\n"
    assert git(committed.repo, "notes", "--ref=gitbackup-words", "show", "HEAD~1") == "名"
    told = committed.says("show", "HEAD~1")
    assert "\n    one\n\nnote:\n    名\n" in told
    assert json.loads(committed.says("note", "HEAD~1", "--remove", "--json")) == {
        "schema": "gitbackup.note/1",
        "commit": "ID1",
        "note": None,
        "before": "名",
    }
    assert committed.run("note", "HEAD~1", "--remove").code == 2
    assert "note:" not in committed.says("log")


@pytest.mark.parametrize(
    ("words", "sentence"),
    [
        (["note", "-m", " \n"], "there are no words: give some with -m TEXT"),
        (["note", "-m", "x" * 16_385], "a note may have at most 16,384 characters, not 16,385"),
        (["note", "--append"], "name the words: -m TEXT, or -F - to read them from standard input"),
        (["note", "-m", "x", "-F", "-"], "-m and -F both give the message: choose one"),
        (["note", "--remove", "-m", "x"], "--remove removes the note,"),
        (["note", "nope", "-m", "x"], "there is no commit 'nope' in HERE"),
        (["commit", "--amend"], "name the words: -m TEXT, or -F -"),
        (["commit", "--amend", "-m", "x", "--allow-empty"], "--amend changes the last message,"),
        (["commit", "--amend", "-m", "\udcff"], "the message is not UTF-8"),
    ],
)
@pytest.mark.few(9)
def test_wrong_words_change_nothing(committed: User, words: list[str], sentence: str) -> None:
    before = committed.state()
    done = committed.run(*words)
    assert (done.code, done.out) == (2, "")
    assert sentence in done.err
    assert committed.state() == before


def test_words_are_written_in_the_editor_as_for_git(
    committed: User, monkeypatch: pytest.MonkeyPatch
) -> None:
    """With what is there to begin with, and without the password of the server."""
    monkeypatch.setenv("REDISCLI_AUTH", "s3cr3t")
    monkeypatch.setenv("GIT_EDITOR", 'env > around; f() { cp "$1" seen; echo more >> "$1"; }; f')
    monkeypatch.delenv("REDIS_URL")
    committed.at_terminal("commit", "--amend", types="", asked="\n")
    assert Path("seen").read_text().startswith("apikey: 1 added\n\n# The message of commit ")
    assert "s3cr3t" not in Path("around").read_text()
    assert raw(committed)[1] == "apikey: 1 added"
    assert raw(committed)[2] == "more"


def test_notes_travel_and_are_joined(committed: User) -> None:
    """With push, clone and pull; of two on one commit none is lost, and each keeps its lines."""
    Path("cloud").mkdir()
    committed.run("push", "cloud")
    committed.says("clone", "cloud", "copy")
    committed.says("note", "HEAD", "-m", "z first\na second")
    committed.says("note", "HEAD~1", "-m", "here")
    committed.says("note", "HEAD", "-m", "there", "--repo", "copy")
    committed.says("push")
    committed.says("pull", "--repo", "copy")
    assert "    here\n" in committed.says("note", "HEAD~1", "--repo", "copy")
    both = committed.says("note", "HEAD", "--repo", "copy")
    assert "there\n" in both
    assert "    z first\n    a second\n" in both
    assert (
        committed.says("log", "--grep", "a second", "--oneline", "--repo", "copy").count("\n") == 1
    )
    page = committed.says("log", "--html", "-", "--repo", "copy")
    assert "Note: " in page


@pytest.mark.long
def test_a_watch_goes_on_from_a_commit_with_other_words(committed: User) -> None:
    """Which a person gives it while it watches."""
    with service(committed) as watch:
        watch.line()
        committed.redis.set("c", 1)
        assert watch.line() == "[id3] c added\n"
        amended = json.loads(committed.run("commit", "--amend", "-m", "why", "--json").out)
        assert (amended["subject"], amended["why"]) == ("why", None)
        committed.redis.set("d", 1)
        assert watch.line() == "[id4] d added\n"
        assert watch.end() == Done(0, "", "")
    assert committed.says("log", "--oneline").count("\n") == 4
    assert git(committed.repo, "log", "-1", "--format=%s", "HEAD~1") == "why"
    assert git(committed.repo, "status", "--porcelain") == ""


def test_words_of_a_bare_repository(user: User) -> None:
    user.redis.set("a", 1)
    user.says("init", "--bare")
    user.says("commit")
    assert user.says("commit", "--amend", "-m", "why").startswith("[id1] why\n")
    user.says("note", "-m", "more")
    assert "    note: more\n" in user.says("log")


def test_words_of_a_program(committed: User) -> None:
    words = Backup(committed.repo).words
    assert words.put("a", "HEAD~1") == "a"
    assert words.put("b", "HEAD~1", append=True) == words.note("HEAD~1") == "a\n\nb"
    with pytest.raises(GitbackupError, match="has a note already"):
        words.put("c", "HEAD~1")
    assert words.put("c", "HEAD~1", replace=True) == "c"
    assert words.remove("HEAD~1") == "c"
    amended = words.amend("why")
    assert (amended.subject, amended.why) == ("why", "")
    assert next(Backup(committed.repo).log(limit=1)).id == amended.commit != amended.before
