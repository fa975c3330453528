"""`--html`: the pages of `diff` and `log`, as files."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from gitbackup.cli.output import html_output
from gitbackup.errors import Damaged
from tests.cli.user import Done, User

NAMES = re.compile(r'<code class="name">([^<]*)</code>')
PAGE = Path("page.html")


@pytest.fixture
def history(user: User) -> User:
    """Two commits, and a change that is in none."""
    user.redis.mset({"config": 1, "apikey:1": 1, "apikey:2": 1})
    user.says("commit", "-m", "begin <here>")
    user.redis.mset({"config": 2, "apikey:2": 2})
    user.says("commit", "-m", "two changed")
    user.redis.set("apikey:3", "new")
    return user


def names() -> list[str]:
    return NAMES.findall(PAGE.read_text("utf-8"))


def test_diff_writes_a_page(history: User) -> None:
    """Of two commits, of some keys, of the live database; and says so in a line."""
    told = history.says("diff", "HEAD~1", "HEAD", "--html", "page.html")
    assert told == "wrote page.html: 2 changed\n"
    assert names() == ["config", "apikey:2"]
    history.says("diff", "HEAD~1..HEAD", "--html", "page.html", "apikey:*")
    assert names() == ["apikey:2"]
    assert history.says("diff", "--html", "page.html") == "wrote page.html: 1 added\n"
    assert names() == ["apikey:3"]
    assert "live database" in PAGE.read_text("utf-8")
    history.says("diff", "HEAD", "HEAD", "--html", "page.html")
    assert (names(), "Nothing differs." in PAGE.read_text("utf-8")) == ([], True)


def test_log_writes_a_page(history: User) -> None:
    """With each commit's subject and keys, and no more commits than asked for."""
    told = history.says("log", "--html", "page.html")
    assert told == "wrote page.html: the history of data-git-backup\n"
    assert names() == ["config", "apikey:2", "config", "apikey:1", "apikey:2"]
    assert "begin &lt;here&gt;" in PAGE.read_text("utf-8")
    history.says("log", "--html", "page.html", "-n", "1")
    assert names() == ["config", "apikey:2"]


def test_a_page_is_for_its_owner_only(history: User) -> None:
    """Also where a file that all may read was there before."""
    PAGE.write_text("old")
    PAGE.chmod(0o644)
    history.says("diff", "HEAD~1", "HEAD", "--html", "page.html")
    assert (PAGE.stat().st_mode & 0o777, names()) == (0o600, ["config", "apikey:2"])


def test_a_page_on_standard_output(history: User) -> None:
    """And nothing else there."""
    told = history.says("diff", "HEAD~1", "HEAD", "--html", "-")
    assert told.startswith("<!doctype html>\n")
    assert told.endswith("</html>\n")
    assert NAMES.findall(told) == ["config", "apikey:2"]


def test_a_page_that_breaks_off_leaves_what_was_there(user: User) -> None:
    """Nothing half written, nothing left aside."""
    PAGE.write_text("old")

    def broken() -> Iterator[str]:
        yield "<p>"
        raise Damaged("something is")

    with pytest.raises(Damaged):
        html_output.write("page.html", broken())
    assert (PAGE.read_text(), [*Path().iterdir()]) == ("old", [PAGE])


def test_a_page_needs_a_folder(history: User) -> None:
    done = history.run("diff", "HEAD~1", "HEAD", "--html", "no/page.html")
    assert done == Done(2, "", "gitbackup: cannot write page.html: there is no folder no\n")


def test_an_exit_code_beside_a_page(history: User) -> None:
    """As without one."""
    done = history.run("diff", "HEAD~1", "HEAD", "--exit-code", "--html", "page.html")
    assert done == Done(1, "wrote page.html: 2 changed\n", "")


@pytest.mark.parametrize("other", ["--json", "--stat"])
def test_a_page_is_no_json_and_no_numbers(history: User, other: str) -> None:
    done = history.run("diff", "HEAD~1", "HEAD", "--html", "page.html", other)
    sentence = f"--html writes a page, {other} something else: choose one"
    assert (done.code, done.out, PAGE.exists()) == (2, "", False)
    assert sentence in done.err


def test_what_is_masked_or_hidden_is_so_in_a_page(history: User) -> None:
    """A mask stands for a value; of quiet keys there is a number."""
    history.redis.mset({"token": "secret-one", "usage:1": "counted"})
    history.says("commit", "-m", "more")
    history.redis.mset({"token": "secret-two", "usage:1": "counted again", "new:token": "secret"})
    history.says("init", "--quiet", "usage:*")
    done = history.run("diff", "--redact", "*token*", "--html", "page.html")
    assert done == Done(
        0,
        "wrote page.html: 1 added, 1 changed\n",
        "quiet keys, not shown: 1 changed (--with-quiet shows them)\n",
    )
    page_ = PAGE.read_text("utf-8")
    assert (names(), "secret" in page_, "counted" in page_) == (
        ["token", "new:token"],
        False,
        False,
    )
    assert "***" in page_
    assert "Quiet keys, not shown: 1 changed." in page_
