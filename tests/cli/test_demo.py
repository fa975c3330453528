from __future__ import annotations

import re
from pathlib import Path

import pytest

from tests.cli.user import Done, User, text
from tests.store.plain import git

WALK = """
    This demo runs a temporary server with 11 keys.

    # Commit the whole database: every key, with its type and expiry.
    $ gitbackup commit -m 'first commit'
      account    3 added
      apikey     3 added
      billing    1 added
      config     1 added
      cost_rank  1 added
      usage      2 added
    [id1] first commit
    11 keys: 11 added

    # Something changes: an account is added, and a limit is raised.
    $ redis-cli HSET account:eu-2 status active token tok-eu2
    $ redis-cli SADD account:index eu-2
    $ redis-cli SET config '{"limits": {"daily": 250, "hourly": 10}, "theme": "dark"}'
    $ gitbackup status
    DEMO: 12 keys
    HEAD id1 (AGE): first commit
    changed since: 1 added, 2 changed
      account  1 added, 1 changed
      config   1 changed
    $ gitbackup commit -m 'added account'
      account  1 added, 1 changed
      config   1 changed
    [id2] added account
    12 keys: 1 added, 2 changed

    # What changed between the two commits, down to the path in the JSON?
    $ gitbackup diff HEAD~1 HEAD
    account: 1 added, 1 changed
    A  account:eu-2  hash
         + status: "active"
         + token: "tok-eu2"
    M  account:index  set
         + eu-2

    M  config  string
         limits.daily: 100 -> 250

    # An accident: the accounts are deleted, and a key is overwritten.
    $ redis-cli DEL account:eu-1 account:us-1 account:eu-2 account:index
    $ redis-cli SET apikey:42 oops
    $ gitbackup status
    DEMO: 8 keys
    HEAD id2 (AGE): added account
    changed since: 1 changed, 4 removed
      account  4 removed
      apikey   1 changed

    # Restore the last good commit. The current state is committed first.
    $ gitbackup restore HEAD --yes
    restore id2 into DEMO: create 4, overwrite 1
      create     hash  account:eu-1
      create     hash  account:eu-2
      create     set   account:index
      create     hash  account:us-1
      overwrite  hash  apikey:42
      replaces 42 bytes with 439 bytes
    saved the previous state as commit id3
    verified: 5 keys equal commit id2
    the restored state is commit id4 (HEAD)

    # Nothing is lost, not even the accident: it is in the history.
    $ gitbackup log
    id4  MINUTE (AGE)
        restore of id2
        4 added, 1 changed
    id3  MINUTE (AGE)
        before restore of id2
        1 changed, 4 removed
    id2  MINUTE (AGE)
        added account
        1 added, 2 changed
    id1  MINUTE (AGE)
        first commit
        11 added

"""
YOURS = "Now commit your own database: gitbackup commit --url redis://[:password@]host:6379\n"


def numbered(out: str) -> str:
    """The ids of commits that are gone by now, in the order they came."""
    found = dict.fromkeys(re.findall(r"\b[0-9a-f]{7}\b", out))
    for number, commit in enumerate(found, 1):
        out = out.replace(commit, f"id{number}")
    return re.sub(r"unix://\S+/sock", "DEMO", out)


def test_the_demo_walks_through_the_commands_and_leaves_nothing(user: User) -> None:
    before = user.state()
    assert numbered(user.says("demo")) == text(WALK) + YOURS
    assert (user.state(), [*Path.cwd().iterdir()]) == (before, [])


def test_the_demo_leaves_its_repository_in_the_folder_it_is_given(user: User) -> None:
    repo = "try/data-git-backup"
    assert numbered(user.says("demo", "try")) == (
        text(WALK) + f"Look around: git -C {repo} log -p\n\n" + YOURS
    )
    assert git(Path(repo), "rev-list", "--count", "HEAD") == "4"


def test_the_demo_wants_an_empty_folder(user: User) -> None:
    Path("full").mkdir()
    Path("full/file").write_text("mine")
    assert user.run("demo", "full") == Done(
        2,
        "",
        "gitbackup: full is not empty: name an empty folder, or one that does not exist\n",
    )


def test_the_demo_needs_no_server_and_minds_no_settings(
    user: User, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("REDIS_URL", "redis://localhost:1")
    monkeypatch.setenv("REDISCLI_AUTH", "secret")
    assert numbered(user.says("demo")) == text(WALK) + YOURS
