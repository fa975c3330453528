"""`gitbackup diff --format redis`: what is said, and what is refused."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.cli.user import User, text


@pytest.fixture
def busy(user: User) -> User:
    """Two commits of keys in two databases."""
    user.redis.hset("account:1", mapping={"name": "eu", "token": "s3cret"})
    user.redis.set("usage:1", "1")
    user.says("commit", "-m", "begin")
    user.redis.hset("account:1", "name", "us")
    user.redis.incr("usage:1")
    user.redis.execute_command("SELECT", 3)
    user.redis.set("config", '{"daily": 1}')
    user.redis.execute_command("SELECT", 0)
    user.says("commit", "-m", "end")
    return user


THERE = """
    SELECT 0
    HSET account:1 name us
    SET usage:1 2
    SELECT 3
    SET config '{"daily": 1}'
"""
BACK = """
    SELECT 0
    HSET account:1 name eu
    SET usage:1 1
    SELECT 3
    UNLINK config
"""


def test_there_and_back(busy: User) -> None:
    assert text(THERE) == busy.says("diff", "HEAD~1..HEAD", "--format", "redis")
    assert text(BACK) == busy.says("diff", "HEAD", "HEAD~1", "--format", "redis")
    assert text(THERE) == busy.says("diff", "HEAD~1", "--format", "redis")
    assert busy.says("diff", "--format", "redis", "--exit-code") == ""
    assert (1, text(THERE)) == _ended(busy, "HEAD~1", "--exit-code")


def _ended(user: User, *words: str) -> tuple[int, str]:
    done = user.run("diff", "--format", "redis", *words)
    assert done.err == ""
    return done.code, done.out


def test_of_some_keys(busy: User) -> None:
    some = "SELECT 3\nSET config '{\"daily\": 1}'\n"
    assert (0, some) == _ended(busy, "HEAD~1", "HEAD", "--db", "3")
    assert (0, some) == _ended(busy, "HEAD~1", "HEAD", "conf*")
    assert (0, some) == _ended(busy, "HEAD~1", "HEAD", "--exclude", "*:*")


def test_that_quiet_keys_are_left_out_is_said(busy: User) -> None:
    busy.says("init", "--quiet", "usage:*")
    done = busy.run("diff", "HEAD~1", "HEAD", "--format", "redis")
    assert text(THERE).replace("SET usage:1 2\n", "") == done.out
    assert done.err == (
        "gitbackup: warning: these commands leave out changed quiet keys (1 changed);"
        " --with-quiet includes them\n"
    )
    assert text(THERE) == busy.says("diff", "HEAD~1", "HEAD", "--format", "redis", "--all")


def test_what_is_masked_is_refused(busy: User) -> None:
    words = "diff", "HEAD~1", "HEAD", "--format", "redis"
    refused = (
        "gitbackup: 'account:1' is masked by --redact or gitbackup.redact, and the"
        " commands would write the mask: leave the key out with --exclude, or do not mask"
        " it\n"
    )
    done = busy.run(*words, "--redact", "token")
    assert (2, "", refused) == (done.code, done.out, done.err)
    busy.says("init", "--redact", "token")
    done = busy.run(*words)
    assert (2, "", refused) == (done.code, done.out, done.err)
    assert "account" not in busy.says(*words, "--exclude", "account:*")


@pytest.mark.few(1)
@pytest.mark.parametrize("other", ["--html", "--json", "--stat", "--name-only", "--name-status"])
def test_there_is_one_way_to_tell_it(busy: User, other: str) -> None:
    page = ["page.html"] if other == "--html" else []
    done = busy.run("diff", "HEAD~1", "HEAD", "--format", "redis", other, *page)
    sentence = f"--format redis writes commands, {other} something else: choose one"
    assert (done.code, done.out) == (2, "")
    assert sentence in done.err
    assert not Path("page.html").exists()


@pytest.mark.parametrize("other", ["--name-only", "--name-status"])
def test_names_are_for_a_person_and_a_program_gets_objects(busy: User, other: str) -> None:
    done = busy.run("diff", "HEAD~1", "HEAD", other, "--json")
    assert (done.code, done.out) == (2, "")
    assert f"--json writes objects, {other} something else: choose one" in done.err


def test_on_a_terminal_nothing_steers_it(busy: User) -> None:
    busy.redis.set("evil", "\x1b[2J\u202e")
    done = busy.on_screen("diff", "--format", "redis")
    assert done.out == 'SELECT 0\nSET evil "\\x1b[2J\\xe2\\x80\\xae"\n'
