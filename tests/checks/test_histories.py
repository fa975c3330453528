"""What we keep of the data: commits, pushes, rehearsals, RDB files, and who can read them."""

from __future__ import annotations

import socket
import tempfile
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from gitbackup import Backup
from gitbackup.model.commits import Rehearsal, Verdict
from gitbackup.model.safety.risk import Level, Risk
from tests.checks.looking import risks, told
from tests.servers import LiveServer
from tests.store.plain import git

BAD, WARN, UNKNOWN, OK = Level


@pytest.fixture
def backup(valkey: LiveServer, tmp_path: Path) -> Backup:
    with valkey.client() as client:
        client.set("k", "v")
    return Backup(tmp_path / "data", valkey.url)


@pytest.fixture
def open_folder() -> Iterator[Path]:
    """A folder that others can get to, as they cannot to pytest's own."""
    with tempfile.TemporaryDirectory() as folder:
        Path(folder).chmod(0o755)
        yield Path(folder)


def of(backup: Backup, check: str) -> Risk:
    return risks(backup)[check]


def put_back(backup: Backup, days: int) -> str:
    """Makes the last commit as old as that, as plain git can; its short id."""
    date = (datetime.now(UTC) - timedelta(days=days)).isoformat()
    git(backup.path, "commit", "--amend", "--quiet", "--no-edit", f"--date={date}")
    return git(backup.path, "rev-parse", "--short=7", "HEAD")


def rehearsed(backup: Backup, days: int, verdict: Verdict, problem: str = "") -> str:
    """Notes a rehearsal of the last commit that was so many days ago; its short id."""
    head = backup.resolve("HEAD")
    at = datetime.now(UTC) - timedelta(days=days, minutes=1)
    assert backup.repository
    with backup.repository.lock():
        backup.repository.note({head: Rehearsal(at, verdict, "Valkey 9.1", "0.1", problem)})
    return head[:7]


def test_nothing_is_committed(backup: Backup) -> None:
    """With a repository and without one."""
    for _ in range(2):
        found = risks(backup)
        assert told(found["commit"]) == (BAD, "there is no commit")
        assert found["commit"].commands == ("gitbackup commit",)
        assert found.keys().isdisjoint({"push", "rehearsal"})
        backup.init()


def test_the_last_commit_and_what_changed_since(backup: Backup, valkey: LiveServer) -> None:
    short = backup.commit().commit
    assert short
    at = f"commit {short[:7]}, AGE; "
    assert told(of(backup, "commit")) == (OK, f"{at}nothing changed since")
    with valkey.client() as client:
        client.mset({"k": "w", "l": "v"})
    assert told(of(backup, "commit")) == (OK, f"{at}2 keys changed since")
    assert told(risks(backup, quick=True)["commit"]) == (OK, f"{at}not compared (`quick`)")


def test_a_commit_that_is_too_old(backup: Backup, valkey: LiveServer) -> None:
    """It is so once something has changed; and where nobody looked, by its age alone."""
    backup.commit()
    at = f"commit {put_back(backup, 9)}, 9 days ago; "
    assert told(of(backup, "commit")) == (OK, f"{at}nothing changed since")
    assert told(risks(backup, quick=True)["commit"]) == (BAD, f"{at}not compared (`quick`)")
    with valkey.client() as client:
        client.delete("k")
    found = of(backup, "commit")
    assert told(found) == (BAD, f"{at}1 key changed since")
    assert found.advice == "It is older than 7 days; make another:"
    assert risks(backup, timedelta(days=10))["commit"].level is OK


def test_a_database_that_may_not_be_read(backup: Backup, valkey: LiveServer) -> None:
    """It is not known then what changed, which is no error; unless the commit is too old anyway."""
    backup.commit()
    with valkey.client() as client:
        client.execute_command("ACL", "SETUSER", "ann", "on", ">secret", "+info")
    url = valkey.url.replace("unix://", "unix://ann:secret@")
    short = put_back(backup, 3)
    found = of(Backup(backup.path, url), "commit")
    assert told(found) == (
        UNKNOWN,
        f"commit {short}, 3 days ago; changes since then are unknown",
    )
    assert found.advice.startswith("The user has no permission to run ")
    put_back(backup, 8)
    assert of(Backup(backup.path, url), "commit").level is BAD


@pytest.mark.long
def test_what_is_pushed(backup: Backup, valkey: LiveServer, tmp_path: Path) -> None:
    backup.commit()
    found = of(backup, "push")
    assert told(found) == (BAD, "never pushed: the only copy of the history is on this machine")
    assert found.commands == ("gitbackup push FOLDER-OR-GIT-URL",)
    (tmp_path / "Dropbox").mkdir()
    backup.push(str(tmp_path / "Dropbox"))
    once = ", and is safe once Dropbox has copied it"
    assert told(of(backup, "push")) == (OK, f"everything was pushed to origin AGE{once}")
    with valkey.client() as client:
        client.set("k", "w")
    backup.commit()
    found = of(backup, "push")
    assert told(found) == (WARN, "1 commit not pushed to origin; the last push was AGE")
    assert found.commands == ("gitbackup push origin", "gitbackup config set push on-commit")
    assert risks(backup, timedelta())["push"].level is BAD


def test_a_place_that_was_never_pushed_to(backup: Backup) -> None:
    """Nor is its password told."""
    backup.commit()
    git(backup.path, "remote", "add", "far", "https://ann:s3cr3t@example.org/r.git")
    found = of(backup, "push")
    assert told(found) == (
        BAD,
        "never pushed to far: the only copy of the history is on this machine",
    )
    assert found.commands == ("gitbackup push far",)
    assert "s3cr3t" not in str(risks(backup))


def test_one_place_that_has_all_is_enough(backup: Backup, tmp_path: Path) -> None:
    backup.commit()
    git(backup.path, "remote", "add", "far", "https://example.org/r.git")
    (tmp_path / "Dropbox").mkdir()
    backup.push(str(tmp_path / "Dropbox"))
    assert of(backup, "push").level is OK


def test_a_place_that_is_lost_with_the_machine_is_none(backup: Backup, tmp_path: Path) -> None:
    """Whatever it is called by; a disk that is not plugged in now is another one."""
    backup.commit()
    backup.push(str(tmp_path))
    found = of(backup, "push")
    state = "pushed to no other place: origin is on the same disk as the repository"
    assert (told(found), found.commands) == ((BAD, state), ("gitbackup push FOLDER-OR-GIT-URL",))
    (Path.home() / "Nextcloud").mkdir()
    assert of(backup, "push").commands == ("gitbackup push ~/Nextcloud",)
    (Path.home() / "Nextcloud").rmdir()
    for url, level in (
        ("ssh://me@localhost:22/r.git", BAD),
        (f"{socket.gethostname()}:r.git", BAD),
        ("me@[::1]:r.git", BAD),
        (f"file://{tmp_path}/data.bundle", BAD),
        ("example.org:r.git", OK),
        (str(tmp_path / "unplugged" / "data.bundle"), OK),
    ):
        git(backup.path, "remote", "set-url", "origin", url)
        assert (url, of(backup, "push").level) == (url, level)


def test_a_risk_that_is_accepted(backup: Backup) -> None:
    """It is told as that, whatever it is; what is well is not."""
    backup.commit()
    backup.config.add("accept", "push", "rdb", "commit")
    found = risks(backup)
    never = "never pushed: the only copy of the history is on this machine"
    assert found["push"] == Risk("push", "this machine is lost", never, OK, accepted=True)
    assert (found["rdb"].accepted, found["commit"].accepted) == (True, False)
    backup.config.remove("accept", "push")
    assert of(backup, "push").level is BAD


def test_what_is_rehearsed(backup: Backup) -> None:
    backup.commit()
    found = of(backup, "rehearsal")
    assert told(found) == (
        WARN,
        "no commit was ever restore-tested: it is unknown whether one restores",
    )
    assert found.commands == ("gitbackup verify",)
    backup.verify()
    short = backup.resolve("HEAD")[:7]
    assert told(of(backup, "rehearsal")) == (
        OK,
        f"commit {short}, the last, passed its test AGE",
    )


def test_a_rehearsal_of_an_earlier_commit(backup: Backup) -> None:
    """It counts while it is young; of the last commit it always does."""
    backup.commit()
    short = rehearsed(backup, 8, Verdict.PASSED)
    assert told(of(backup, "rehearsal")) == (
        OK,
        f"commit {short}, the last, passed its test 8 days ago",
    )
    backup.commit(allow_empty=True)
    before = f"commit {short}, the one before the last, passed its test"
    assert told(of(backup, "rehearsal")) == (WARN, f"{before} 8 days ago")
    backup.commit(allow_empty=True)
    found = risks(backup, timedelta(days=9))["rehearsal"]
    assert told(found) == (
        OK,
        f"commit {short}, 2 before the last, passed its test 8 days ago",
    )


@pytest.mark.parametrize(
    ("verdict", "expected", "advice"),
    [
        (
            Verdict.FAILED,
            (BAD, "FAILED its restore test 1 day ago"),
            "The problem: k is not as it was. To see everything:",
        ),
        (
            Verdict.PARTLY,
            (WARN, "passed its test in part 1 day ago"),
            "Not tested: k is not as it was. Test it with a server that knows the type:",
        ),
    ],
)
def test_a_rehearsal_that_did_not_pass(
    backup: Backup, verdict: Verdict, expected: tuple[Level, str], advice: str
) -> None:
    backup.commit()
    short = rehearsed(backup, 1, verdict, "k is not as it was")
    found = of(backup, "rehearsal")
    level, ended = expected
    assert told(found) == (level, f"commit {short}, the last, {ended}")
    assert found.advice == advice


def test_rdb_files(backup: Backup) -> None:
    """The newest whole one counts, by the moment that it is of; also where nothing is committed."""
    found = of(backup, "rdb")
    assert told(found) == (WARN, "no RDB file was saved: git history is the only backup")
    assert found.commands == ("gitbackup rdb save",)
    old = backup.rdb.save().file.path
    new = backup.rdb.save().file.path
    assert told(of(backup, "rdb")) == (OK, f"RDB file {new.name}, AGE")
    new.write_bytes(b"REDIS0011 and no end")
    assert told(of(backup, "rdb")) == (OK, f"RDB file {old.name}, AGE")
    found = risks(backup, timedelta())["rdb"]
    assert told(found) == (WARN, f"RDB file {old.name}, AGE")
    assert found.commands == ("gitbackup rdb save",)


def test_rdb_files_that_others_can_read(valkey: LiveServer, open_folder: Path) -> None:
    backup = Backup(open_folder / "data", valkey.url)
    backup.rdb.save()
    assert of(backup, "secrets").level is OK
    backup.rdb.folder.chmod(0o755)
    assert of(backup, "secrets").commands == [f"chmod go= {backup.rdb.folder}"]


def test_a_repository_that_others_can_read(valkey: LiveServer, open_folder: Path) -> None:
    """And what is pushed to a folder; where a folder above shuts others out, they cannot."""
    backup = Backup(open_folder / "my data", valkey.url)
    backup.commit(allow_empty=True)
    assert of(backup, "secrets").level is OK
    backup.path.chmod(0o755)
    backup.push(str(open_folder))
    bundle = open_folder / "my data.bundle"
    bundle.chmod(0o644)
    found = of(backup, "secrets")
    assert told(found) == (BAD, f"every user of this machine can read {backup.path}, {bundle}")
    assert found.commands == [f"chmod go= '{backup.path}'", f"chmod go= '{bundle}'"]
    open_folder.chmod(0o700)
    assert told(of(backup, "secrets")) == (OK, "no other user of this machine can read the files")
