"""Commits that claim to be gitbackup's own, and hold what no gitbackup writes.

Files of such a commit are read without a second look, and found by the layout's rules.
"""

from __future__ import annotations

from random import Random

import pytest

from tests.cli.user import User
from tests.hostile.test_mutated_files import mutated
from tests.store.plain import git, run_git

COMMANDS = [
    ("log", "--", "*"),
    ("log", "--", "t*"),
    ("log", "-p", "--", "text:1"),
    ("log", "--stat"),
    ("blame", "text:1"),
    ("show", "HEAD:text:1"),
    ("show",),
    ("keys",),
    ("keys", "HEAD", "a?b"),
    ("restore", "HEAD", "--dry-run"),
]
CODES = {0, 2, 13}
GOOD = b'{\n  "text:1": {\n    "type": "string",\n    "value": "q"\n  }\n}\n'
NAMES = {
    "another encoding": b"db0/\xff.json",
    "another encoding, behind": b"db0/text\xff.json",
    "a folder in another encoding": b"db0/text/\xff/a.json",
    "no digits": b"db0/_/zz.json",
    "no hash": b"db0/text~.json",
    "a folder like a file": b"db0/_.json/_.json",
    "controls": b"db0/\n\x1b.json",
    "a database beyond all": b"db99999999999999999999/_.json",
    "no database": b"db0",
    "a library": b"functions/\xff.json",
    "deep": b"db0/_/_/_/_/_/_.json",
}


@pytest.fixture
def kept(user: User) -> User:
    user.says("init", "--bare")
    user.redis.mset({f"text:{number}": "abc" * number for number in range(5)})
    user.redis.hset("hash", mapping={"a": "1", "b": "2"})
    user.redis.set(b"raw\xff", b"\xff\x00")
    user.says("commit")
    user.redis.set("text:1", "z")
    user.says("commit")
    return user


def forge(user: User, path: bytes, content: bytes) -> None:
    """A commit after HEAD with HEAD's author, dates and message, and this file."""
    who, mail, date, text = git(user.repo, "log", "-1", "--format=%an%n%ae%n%ad%n%B",
                                "--date=raw").split("\n", 3)  # fmt: skip
    blob = git(user.repo, "hash-object", "-w", "--stdin", stdin=content)
    git(user.repo, "read-tree", "HEAD")
    run_git(user.repo, "rm", "-rq", "--cached", "--ignore-unmatch", "db0/_.json", "db0/text.json")
    entry = b"100644 " + blob.encode() + b"\t" + path + b"\0"
    git(user.repo, "update-index", "-z", "--replace", "--index-info", stdin=entry)
    tree = git(user.repo, "write-tree")
    parent = git(user.repo, "rev-parse", "HEAD")
    person = f"{who} <{mail}> {date}"
    lines = f"tree {tree}\nparent {parent}\nauthor {person}\ncommitter {person}\n\n{text}"
    made = git(user.repo, "hash-object", "-t", "commit", "-w", "--stdin", stdin=lines.encode())
    git(user.repo, "update-ref", "HEAD", made)


def expect_sentences(user: User) -> None:
    for words in COMMANDS:
        done = user.run(*words)
        assert done.code in CODES, (words, done)
        assert done.err.count("\n") == bool(done.code), (words, done)


@pytest.mark.few(4)
@pytest.mark.parametrize("seed", range(60))
def test_a_file_that_is_not_canonical(seed: int, kept: User) -> None:
    random = Random(seed)
    path = random.choice(git(kept.repo, "ls-tree", "-r", "--name-only", "HEAD").split("\n"))
    content = run_git(kept.repo, "cat-file", "blob", f"HEAD:{path}").stdout

    forge(kept, path.encode(), mutated(content, random))

    expect_sentences(kept)


@pytest.mark.parametrize("name", ["\\ud800", "base64:!", '\\"', "\\u0000"])
def test_a_name_that_no_key_has(name: str, kept: User) -> None:
    forge(kept, b"db0/text.json", GOOD.replace(b"text:1", b"text:" + name.encode()))

    expect_sentences(kept)


@pytest.mark.few(2)
@pytest.mark.parametrize("path", NAMES.values(), ids=NAMES)
def test_a_file_that_the_layout_does_not_know(path: bytes, kept: User) -> None:
    forge(kept, path, GOOD)

    expect_sentences(kept)
