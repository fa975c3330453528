"""Histories that an enemy has made: every command reads around them, and does nothing else.

Each case commits something hostile on top of a good snapshot, with plain git and its plumbing.
"""

from __future__ import annotations

import json
import os
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.cli.user import User
from tests.store.plain import git, run_git

CANARY = "touch CANARY"
CODES = {0, 1, 2, 3, 12, 13}

COMMANDS = (
    ["log"],
    ["log", "--stat"],
    ["log", "-p", "--", "*"],
    ["log", "--json"],
    ["show"],
    ["show", "HEAD:good:1"],
    ["keys", "HEAD"],
    ["blame", "good:1"],
    ["diff"],
    ["diff", "HEAD~1", "HEAD"],
    ["diff", "HEAD~1", "HEAD", "--json"],
    ["diff", "HEAD~1", "HEAD", "--stat"],
    ["diff", "HEAD~1", "HEAD", "--html", "page.html"],
    ["status"],
    ["export", "HEAD", "-o", "out.json"],
    ["verify"],
    ["check"],
    ["restore", "HEAD", "--dry-run"],
    ["commit", "--dry-run"],
    ["push", "cloud"],
    ["clone", "data-git-backup", "copied"],
)


def entry(value: object, **more: object) -> dict[str, object]:
    return {"type": "string", "value": value, **more}


def deep(levels: int) -> str:
    return "[" * levels + "]" * levels


FILES: dict[str, str] = {
    "deep": '{\n  "bad": ' + deep(100_000) + "\n}\n",
    "less deep": '{\n  "bad": ' + deep(900) + "\n}\n",
    "a deep value": json.dumps({"bad": entry(deep(100_000))}),
    "a deep value of JSON": json.dumps({"bad": entry('{"a":' * 900 + "1" + "}" * 900)}),
    "a long number": '{"bad": {"type": "zset", "value": {"m": ' + "9" * 100_000 + "}}}",
    "an infinite number": '{"bad": {"type": "zset", "value": {"m": 1e999}}}',
    "no number": '{"bad": {"type": "zset", "value": {"m": NaN}}}',
    "twice": '{"bad": {"type": "string", "value": "1"}, "bad": {"type": "string", "value": "2"}}',
    "an odd type": json.dumps({"bad": {"type": "$(touch CANARY)", "value": "x"}}),
    "an odd expiry": json.dumps({"bad": entry("x", expires_at="0001-01-01T00:00:00+14:00")}),
    "an early expiry": json.dumps({"bad": entry("x", expires_at="0000-00-00T00:00:00Z")}),
    "a late expiry": json.dumps({"bad": entry("x", expires_at="99999-01-01T00:00:00Z")}),
    "no base64": json.dumps({"base64:$$$": entry("base64:?")}),
    "a dump that is none": json.dumps({"bad": {"type": "opaque", "value": "base64:AAAA"}}),
    "a list of lists": json.dumps({"bad": {"type": "list", "value": [[[]]]}}),
    "a stream of nonsense": json.dumps({"bad": {"type": "stream", "value": {"entries": {"x": 1}}}}),
    "commands": json.dumps({"$(touch CANARY)": entry("`touch CANARY`; touch CANARY")}),
    "controls": json.dumps({"\x1b]0;owned\x07\u202e\u200b": entry("\x1b[2J\u2066")}),
    "markup": json.dumps({"<script>alert(1)</script>": entry("<img src=x onerror=alert(1)>")}),
    "an option": json.dumps({"--upload-pack=touch CANARY": entry("-rf")}),
    "no UTF-8": '{"bad": "\udcff"}',
    "surrogates": '{"bad\\ud800": {"type": "string", "value": "\\udfff"}}',
    "nothing": "",
    "zeros": "\0" * 100,
    "long": json.dumps({"bad": entry("x" * 5_000_000)}),
}

MANIFESTS: dict[str, str] = {
    "a slow glob": '{"format": 1, "include": ["*a*a*a*a*a*a*a*a*a*a*b"]}',
    "many globs": json.dumps({"format": 1, "exclude": ["*a*b*c"] * 50_000}),
    "a later format": '{"format": 99}',
    "no format": "{}",
    "deep": deep(100_000),
    "a list": "[]",
    "a path": '{"format": 1, "databases": ["../../x"]}',
    "an odd number": '{"format": 1e999}',
    "nothing": "",
}

TREES: dict[str, str] = {
    "a link out": "120000 blob {link}\tdb0/bad.json\n",
    "a link for a folder": "120000 blob {link}\tdb7\n",
    "a submodule": "160000 commit {head}\tdb0/bad.json\n",
    "a program": "100755 blob {blob}\tdb0/bad.json\n",
    "a strange database": "100644 blob {blob}\tdb99999999999999999999/bad.json\n",
    "a negative database": "100644 blob {blob}\tdb-1/bad.json\n",
    "an option": "100644 blob {blob}\t--output=CANARY.json\n",
    "commands": "100644 blob {blob}\tdb0/$(touch CANARY).json\n",
    "controls": "100644 blob {blob}\tdb0/\x1b[2J.json\n",
    "settings": "100644 blob {settings}\t.gitconfig\n",
    "modules": "100644 blob {modules}\t.gitmodules\n",
    "a deep folder": "100644 blob {blob}\tdb0/" + "a/" * 300 + "bad.json\n",
    "a long name": "100644 blob {blob}\tdb0/" + "a" * 250 + ".json\n",
}


def cases(name: str, named: dict[str, str]) -> pytest.MarkDecorator:
    """The cases by name, of which all but the first two are long."""
    params = [
        pytest.param(case, id=title, marks=[pytest.mark.long] if at > 1 else [])
        for at, (title, case) in enumerate(named.items())
    ]
    return pytest.mark.parametrize(name, params)


@pytest.fixture
def kept(user: User) -> User:
    """Two commits of good keys; a folder to push to; the live database is empty afterwards."""
    Path("cloud").mkdir()
    user.redis.mset({"good:1": "a", "good:2": "b"})
    user.says("commit", "-m", "one")
    user.redis.set("good:2", "c")
    user.says("commit", "-m", "two")
    return user


def blob(user: User, content: str) -> str:
    data = content.encode("utf-8", "surrogateescape")
    return git(user.repo, "hash-object", "-w", "--stdin", stdin=data)


def committed(user: User, lines: str, message: str = "hostile") -> None:
    """A commit of HEAD's files and these entries, of the index; the work tree is left behind."""
    git(user.repo, "read-tree", "HEAD")
    git(user.repo, "update-index", "--index-info", stdin=lines.encode())
    tree = git(user.repo, "write-tree")
    git(
        user.repo,
        "update-ref",
        "HEAD",
        git(user.repo, "commit-tree", tree, "-p", "HEAD", "-m", message),
    )
    run_git(user.repo, "reset", "--hard", "--quiet")


def try_all(user: User, before: dict[str, bytes]) -> None:
    for words in COMMANDS:
        done = user.run(*words)
        assert done.code in CODES, (words, done)
        assert "\x1b]" not in done.out + done.err, words
    assert user.redis.get("good:1") == b"a"
    assert [path for path in Path.cwd().rglob("CANARY*") if ".git" not in path.parts] == []
    outside = {"data-git-backup", "cloud", "copied", "page.html", "out.json"}
    assert {path.name for path in Path.cwd().iterdir()} - before.keys() <= outside


def then_go_on(user: User) -> None:
    """The good part is there: by the commit before, and by name."""
    user.redis.delete("good:1")
    done = user.run("restore", "HEAD~1", "good:*", "--yes")
    if "upgrade gitbackup" in done.err:  # a later version may read it, and we must not guess
        return
    assert done.code == 0
    assert user.redis.get("good:1") == b"a"


def check(user: User, make: Callable[[], None]) -> None:
    Path("secret").write_text('{"good:1": "outside"}')
    before = {path.name: b"" for path in Path.cwd().iterdir()}
    make()
    try_all(user, before)
    assert Path("secret").read_text() == '{"good:1": "outside"}'
    then_go_on(user)


@pytest.mark.long
@cases("content", FILES)
def test_a_file_of_keys(content: str, kept: User) -> None:
    check(kept, lambda: committed(kept, f"100644 {blob(kept, content)}\tdb0/bad.json\n"))


@pytest.mark.long
@cases("content", MANIFESTS)
def test_a_manifest(content: str, kept: User) -> None:
    check(kept, lambda: committed(kept, f"100644 {blob(kept, content)}\tgitbackup.json\n"))


@pytest.mark.long
@cases("line", TREES)
def test_a_tree(line: str, kept: User) -> None:
    head = git(kept.repo, "rev-parse", "HEAD")
    parts = {
        "link": blob(kept, os.path.abspath("secret")),  # noqa: PTH100  as a link holds it
        "blob": blob(kept, json.dumps({"bad": entry("x")})),
        "settings": blob(kept, f"[core]\n\tpager = {CANARY}\n\tfsmonitor = {CANARY}\n"),
        "modules": blob(
            kept, f'[submodule "x"]\n\tpath = x\n\turl = -u{CANARY}\n\tupdate = !{CANARY}\n'
        ),
        "head": head,
    }
    entries = line.format(**parts).replace(" blob ", " ").replace(" commit ", " ")
    check(kept, lambda: committed(kept, entries))


MESSAGES = {
    "a restore": "x\n\nRestore-Of: " + "1" * 40,
    "a restore of nothing": "x\n\nRestore-Of: ../../x\nReplaced: -x\nRestore-With: {",
    "deep options": "x\n\nRestore-Of: HEAD\nRestore-With: " + "[" * 100_000,
    "numbers": "x\n\nAdded: " + "9" * 5000 + "\nChanged: 1\nRemoved: 1\nKeys: db0=" + "9" * 5000,
    "controls": "\x1b]0;owned\x07\x1b[2J\u202e",
    "markup": "<script>alert(1)</script>",
    "long": "x" * 1_000_000,
    "many lines": "x\n" * 100_000,
    "no words": "",
}


@pytest.mark.long
@cases("message", MESSAGES)
def test_a_message(message: str, kept: User) -> None:
    def make() -> None:
        tree = git(kept.repo, "write-tree")
        made = git(kept.repo, "commit-tree", tree, "-p", "HEAD", "-F", "-", stdin=message.encode())
        git(kept.repo, "update-ref", "HEAD", made)

    check(kept, make)
    assert kept.run("undo", "--yes").code in CODES


def test_what_is_whole_of_a_damaged_commit_is_restored(kept: User) -> None:
    kept.redis.set("bad:1", "x")
    kept.redis.set("other", "live")
    committed(kept, f"100644 {blob(kept, 'no JSON')}\tdb0/bad.json\n")
    kept.redis.delete("good:1")

    refused = kept.run("restore", "HEAD", "--yes")
    done = kept.run("restore", "HEAD", "--skip-damaged", "--yes")

    assert (refused.code, "--skip-damaged restores the rest" in refused.err) == (13, True)
    assert (done.code, "db0/bad.json, line 1: not valid JSON" in done.err) == (3, True)
    assert kept.redis.mget("good:1", "good:2", "bad:1", "other") == [b"a", b"c", b"x", b"live"]
    assert kept.run("restore", "HEAD", "--skip-damaged", "--yes").code in (0, 3)
    assert kept.run("undo", "--yes").code in (0, 3, 13)


def test_neither_of_two_files_that_hold_a_key_is_believed(kept: User) -> None:
    twin = json.dumps({"good:1": entry("another")})
    committed(kept, f"100644 {blob(kept, twin)}\tdb0/more.json\n")
    kept.redis.flushall()

    done = kept.run("restore", "HEAD", "--skip-damaged", "--yes")

    assert (done.code, "db0/more.json: key 'good:1' is also in db0/_.json" in done.err) == (3, True)
    assert kept.redis.get("good:1") is None
