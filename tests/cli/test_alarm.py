"""A commit that removes most of the keys is made all the same, and shouted about."""

from __future__ import annotations

import json
import shlex
from pathlib import Path

import pytest

from gitbackup import Backup
from gitbackup.model.safety.alarm import Alarm, AlarmRule, alarm_in
from gitbackup.model.safety.risk import Level
from tests.checks.looking import risks
from tests.cli.test_hooks import told
from tests.cli.test_watch import service
from tests.cli.user import User
from tests.watching import eventually

KEYS = [f"apikey:{number}" for number in range(40)]
REVERT = "`gitbackup revert id2` brings them back"
ACCEPT = "`gitbackup config add accept-alarm id2`"


@pytest.fixture
def filled(user: User) -> User:
    """Forty keys, committed; the hook on-alarm writes what it is told to a file."""
    user.redis.mset(dict.fromkeys(KEYS, "x"))
    user.says("commit", "-m", "one")
    user.says("config", "set", "on-alarm", "cat >> ../on-alarm")
    return user


@pytest.fixture
def alarmed(filled: User) -> User:
    """The second commit has removed 30 of the keys."""
    filled.redis.delete(*KEYS[10:])
    assert filled.run("commit").code == 4
    return filled


@pytest.mark.parametrize(
    ("removed", "of", "share", "least", "expected"),
    [
        (20, 39, 50, 20, True),
        (20, 40, 50, 20, False),  # half is not more than half
        (19, 19, 50, 20, False),
        (3, 4, 50, 3, True),
        (26, 100, 25, 20, True),
        (100, 100, 100, 1, False),  # 100% turns it off
    ],
)
def test_when_there_is_an_alarm(
    removed: int, of: int, share: int, least: int, expected: bool
) -> None:
    assert AlarmRule(share, least).raises(removed, of) is expected


def test_the_trailer_is_read_as_it_is_written_and_nothing_else_is() -> None:
    assert alarm_in({"Alarm": str(Alarm(30, 40))}) == Alarm(30, 40)
    for wrong in (
        "",
        "removed -1 of 2 keys",
        "removed ٣ of ٤ keys",
        f"removed {'9' * 99} of 1 keys",
    ):
        assert alarm_in({"Alarm": wrong}) is None


def test_the_commit_is_made_and_shouted_about(filled: User) -> None:
    filled.redis.delete(*KEYS[10:])
    done = filled.run("commit", "-m", "spring clean")
    assert (done.code, done.out) == (
        4,
        "  apikey  30 removed\n[id2] spring clean\n10 keys: 30 removed\n",
    )
    assert done.err.splitlines()[-1] == (
        f"gitbackup: ALARM: commit id2 removed 30 of 40 keys; if that was a mistake, {REVERT};"
        f" if it was meant, accept it: {ACCEPT}"
    )
    (event,) = told("on-alarm")
    assert (event["commit"], event["alarm"]) == (filled.commits()[1], {"removed": 30, "of": 40})
    assert "    alarm: removed 30 of 40 keys\n" in filled.says("log")
    assert filled.says("commit").startswith("nothing to commit")


def test_json_has_it_too(filled: User) -> None:
    filled.redis.flushall()
    done = filled.run("commit", "--json")
    printed = json.loads(done.out)
    assert (done.code, printed["alarm"]) == (4, {"removed": 40, "of": 40})
    assert [hook["event"] for hook in printed["hooks"]] == ["on-alarm"]
    error = json.loads(done.err.splitlines()[-1])
    assert error["exit_code"] == 4


def test_what_expires_and_what_is_quiet_does_not_count(filled: User) -> None:
    """However many quiet keys there are, the others are looked at by themselves."""
    filled.says("config", "add", "quiet", "usage:*")
    filled.redis.mset({f"usage:{number}": 1 for number in range(200)})
    for number in range(50):
        filled.redis.set(f"session:{number}", 1, px=1_500)
    filled.says("commit")
    assert eventually(lambda: filled.redis.dbsize() == 240)
    filled.redis.delete(*(f"usage:{number}" for number in range(190)))
    assert filled.run("commit").code == 0
    filled.redis.delete(*KEYS[19:])
    done = filled.run("commit")
    assert (done.code, "removed 21 of 40 keys" in done.err) == (4, True)


def test_a_dry_run_tells_of_it(filled: User) -> None:
    """In lines and in JSON; it ends well, for nothing was committed."""
    filled.redis.delete(*KEYS[10:])
    done = filled.run("commit", "--dry-run")
    assert (done.code, done.out.splitlines()[-1]) == (
        0,
        "would raise an alarm: it removes 30 of 40 keys, so the commit would end with exit code 4",
    )
    found = json.loads(filled.run("commit", "--dry-run", "--json").out)
    assert (found["commit"], found["alarm"]) == (None, {"removed": 30, "of": 40})
    filled.says("config", "set", "alarm-keys", "31")
    assert "alarm" not in filled.run("commit", "--dry-run").out


def test_the_rule_is_a_setting(filled: User) -> None:
    filled.says("config", "set", "alarm-share", "90%")
    filled.redis.delete(*KEYS[10:])
    assert filled.run("commit").code == 0
    filled.says("config", "set", "alarm-keys", "5")
    filled.redis.delete(*KEYS[:5])
    assert filled.run("commit").code == 0
    filled.redis.delete(*KEYS[5:10])
    assert filled.run("commit").code == 4
    for words in (["alarm-share", "0"], ["alarm-share", "x"], ["alarm-keys", "0"]):
        assert filled.run("config", "set", *words).code == 2
    assert filled.run("config", "add", "accept-alarm", "HEAD").code == 2


def alarm_of(user: User) -> tuple[Level, str] | None:
    found = risks(Backup(user.repo, user.server.url), quick=True).get("alarm")
    if found is None:
        return None
    return found.level, found.protection.partition(", ")[2].partition(", ")[2]


def test_check_says_it_until_it_is_undone(alarmed: User) -> None:
    """And what it says to type does that; a later commit changes nothing of it."""
    assert alarm_of(alarmed) == (Level.BAD, "removed 30 of 40 keys; 30 of them are still missing")
    alarmed.redis.set("later", 1)
    alarmed.says("commit")
    printed = alarmed.run("check", "--quick", "--repo", "data-git-backup").out
    (line,) = [each for each in printed.splitlines() if "gitbackup revert" in each]
    _, *words = shlex.split(line.replace("$ ", ""))
    words[words.index("id2")] = alarmed.commits()[1]
    assert alarmed.run(*words, "--yes").code == 0
    assert alarm_of(alarmed) is None
    assert alarmed.redis.get("later") == b"1"
    assert alarmed.redis.dbsize() == 41


def test_check_says_it_until_it_is_accepted(alarmed: User) -> None:
    """Also if the commit gets another id, for it has another message, or forgets a value."""
    alarmed.says("config", "add", "accept-alarm", alarmed.commits()[1][:7])
    assert alarm_of(alarmed) is None
    alarmed.says("commit", "--amend", "-m", "spring clean")
    assert alarm_of(alarmed) is None
    log = alarmed.repo / ".git" / "gitbackup" / "hooks.log"
    assert log.exists()
    before = alarmed.commits()[1]
    alarmed.run("forget", KEYS[0], "--yes")
    assert before not in alarmed.commits()
    assert not log.exists()  # whatever hooks printed
    assert alarm_of(alarmed) is None
    alarmed.says("config", "unset", "accept-alarm")
    assert alarm_of(alarmed) is not None


def test_a_restore_of_head_says_where_the_keys_are(alarmed: User) -> None:
    said = "nothing to restore: the database already equals id2\n"
    more = "HEAD~1 has 30 keys more; to see them: gitbackup restore HEAD~1 --dry-run\n"
    assert alarmed.says("restore", "HEAD", "--yes") == said + more
    assert alarmed.says("restore", "HEAD", "--dry-run") == said + more
    assert alarmed.run("restore", "HEAD", "--yes", "--json").err == more
    alarmed.redis.set("later", 1)
    alarmed.says("commit")
    assert more.replace("~1", "~2") in alarmed.says("restore", "HEAD", "--yes")
    assert alarmed.run("restore", "HEAD~2", "--yes").code == 0  # an alarm is no matter of a restore
    assert alarmed.says("restore", "HEAD", "--yes").count("\n") == 2  # `later` is gone
    alarmed.redis.delete(KEYS[0])
    alarmed.says("commit")
    assert "HEAD~1 has 1 key more" in alarmed.says("restore", "HEAD", "--yes")


def test_a_watch_goes_on_after_an_alarm(filled: User) -> None:
    filled.redis.set("a", 1)
    with service(filled) as watch:
        assert watch.line() == "[id2] a added\n"
        watch.line()
        filled.redis.delete(*KEYS[5:])
        assert watch.line() == "[id3] apikey: 35 removed\n"
        filled.redis.set("b", 1)
        assert watch.line() == "[id4] b added\n"
        assert eventually(lambda: bool(told("on-alarm")))
        done = watch.end()
    assert done.code == 0
    assert done.err.startswith("gitbackup: ALARM: commit id3 removed 35 of 41 keys; if that was a")
    (event,) = told("on-alarm")
    assert event["commit"] == filled.commits()[2]
    assert Path("on-alarm").exists()
