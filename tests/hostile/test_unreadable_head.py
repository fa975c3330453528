"""HEAD cannot be read: whoever made it so keeps nobody from restoring an earlier commit."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path

import pytest

from gitbackup.snapshot.file_format import MANIFEST
from gitbackup.store.repository.repository import Repository
from tests.cli.user import User
from tests.hostile.test_bombs import empty, exponential, loose
from tests.store.plain import git, run_git

NOWHERE = "1" * 40


def objects(repository: Path) -> Path:
    return repository / git(repository, "rev-parse", "--git-path", "objects")


def put_loose(repository: Path, whole: bytes) -> str:
    """Writes an object whatever it says; its id. `loose` knows only of a work tree's .git."""
    if not (repository / ".git").exists():
        (repository / ".git").symlink_to(".")
    return loose(repository, whole)


def put_tree(repository: Path, tree: str, at: str = "db0") -> None:
    """HEAD has this tree at a folder; no work tree follows."""
    kept = [
        line
        for line in git(repository, "ls-tree", "HEAD").split("\n")
        if not line.endswith(f"\t{at}")
    ]
    lines = "\n".join([*kept, f"040000 tree {tree}\t{at}\n"])
    whole = git(repository, "mktree", "--missing", stdin=lines.encode())
    made = git(repository, "commit-tree", whole, "-p", "HEAD", "-m", "hostile")
    git(repository, "update-ref", "HEAD", made)


def lose_root(repository: Path) -> None:
    lines = f"tree {NOWHERE}\nparent {git(repository, 'rev-parse', 'HEAD')}\n"
    lines += "author A <a@b> 1 +0000\ncommitter A <a@b> 1 +0000\n\nhostile\n"
    made = put_loose(repository, b"commit %d\0" % len(lines) + lines.encode())
    git(repository, "update-ref", "HEAD", made)


def lose_blob(repository: Path) -> None:
    """The file of the key `good`, which the work tree still has."""
    lose(repository, git(repository, "rev-parse", "HEAD:db0/_.json"))


def lose_manifest(repository: Path) -> None:
    """All commits have the same, which the next one writes anew."""
    lose(repository, git(repository, "rev-parse", f"HEAD:{MANIFEST}"))


def lose(repository: Path, ident: str) -> None:
    packs = objects(repository) / "pack"
    for pack in sorted(packs.glob("*.pack")):
        data = pack.read_bytes()
        for file in packs.glob(f"{pack.stem}.*"):
            file.unlink()
        run_git(repository, "unpack-objects", "-q", stdin=data)
    (objects(repository) / ident[:2] / ident[2:]).unlink()


def break_tree(repository: Path) -> None:
    put_tree(repository, put_loose(repository, b"tree 8\0nonsense"))


CASES: dict[str, Callable[[Path], None]] = {
    "files without end": lambda at: put_tree(at, exponential(at)),
    "a missing root": lose_root,
    "folders without end": lambda at: put_tree(at, empty(at)),
    "files without end of a person": lambda at: put_tree(at, exponential(at), "elsewhere"),
    "a missing tree": lambda at: put_tree(at, NOWHERE),
    "a broken tree": break_tree,
    "a missing file": lose_blob,
    "a missing manifest": lose_manifest,
}


def cases(but: str = "") -> pytest.MarkDecorator:
    params = [
        pytest.param(make, bare, id=name + ", bare" * bare, marks=[pytest.mark.long] * (at > 0))
        for at, (name, make) in enumerate(CASES.items())
        if name != but
        for bare in (False, True)
    ]
    return pytest.mark.parametrize(("make", "bare"), params)


@pytest.fixture
def kept(user: User, bare: bool) -> User:
    """Two commits, and a person's file in the work tree; the live database is another."""
    if bare:
        user.says("init", "--bare")
    user.redis.mset({"good": "old", "other": "x"})
    user.says("commit", "-m", "one")
    user.redis.set("good", "a")
    user.says("commit", "-m", "two")
    if not bare:
        (user.repo / "mine.txt").write_text("mine")
    return user


@pytest.mark.few(1)
@cases(but="a missing manifest")
def test_an_earlier_commit_is_restored(
    make: Callable[[Path], None], bare: bool, kept: User
) -> None:
    good = git(kept.repo, "rev-parse", "HEAD~1")
    make(kept.repo)
    kept.redis.set("good", "live")

    done = kept.run("restore", good, "--yes")

    assert done.code == 0, done
    assert kept.redis.get("good") == b"old"
    assert "nothing changed since" in kept.says("status")
    assert kept.run("undo", "--yes").code == 0
    assert kept.redis.get("good") == b"live"
    if not bare:
        assert (kept.repo / "mine.txt").read_text() == "mine"
        assert git(kept.repo, "status", "--porcelain") == "?? mine.txt"


@pytest.mark.few(1)
@cases()
def test_the_next_commit_is_good(make: Callable[[Path], None], bare: bool, kept: User) -> None:
    make(kept.repo)
    kept.redis.set("good", "live")

    done = kept.run("commit", "-m", "after")

    assert done.code == 0, done
    assert re.search("HEAD cannot be read|in HEAD, ", done.err), done
    kept.redis.flushall()
    kept.says("restore", "HEAD", "--yes")
    assert kept.redis.mget("good", "other") == [b"live", b"x"]


@pytest.mark.parametrize("bare", [False, True])
def test_a_missing_commit_is_told_with_what_helps(bare: bool, kept: User) -> None:
    """Nothing can be made on top of it: the way back that is named is gone."""
    good = git(kept.repo, "rev-parse", "HEAD~1")
    branch = git(kept.repo, "symbolic-ref", "HEAD")
    (kept.repo / ("" if bare else ".git") / branch).write_text(f"{NOWHERE}\n")

    words = (["log"], ["status"], ["diff"], ["commit"], ["restore", good, "--yes"])
    told = [kept.run(*each) for each in words]

    assert [each.code for each in told] == [13] * len(words), told
    assert len({each.err for each in told}) == 1, told
    (file,) = re.findall(r"(\S+/logs/HEAD) lists", told[0].err)
    (command,) = re.findall(r"`git -C \S+ (.*) COMMIT`", told[0].err)
    assert good in Path(file.replace("HERE", str(Path.cwd()))).read_text()
    git(kept.repo, *command.split(), good)
    kept.says("restore", "HEAD", "--yes")
    assert kept.redis.get("good") == b"old"


@pytest.mark.parametrize("bare", [False])
def test_what_keeps_git_from_reading_it_is_told_as_it_is(bare: bool, kept: User) -> None:
    """The commit is there, so that going back to another one would not help."""
    (kept.repo / ".git" / "shallow").write_text("nonsense\n")

    for words in (["log"], ["commit"], ["restore", "HEAD", "--yes"]):
        done = kept.run(*words)
        assert (done.code, "bad shallow line: nonsense" in done.err) == (13, True), done
        assert "reset" not in done.err


@pytest.mark.parametrize("bare", [False, True])
def test_a_newer_format_is_told_with_what_helps(bare: bool, kept: User) -> None:
    """A newer version may know what is there, so nothing is made on top of it by ourselves."""
    good = git(kept.repo, "rev-parse", "HEAD~1")
    blob = git(kept.repo, "hash-object", "-w", "--stdin", stdin=b'{"format": 99}\n')
    lines = git(kept.repo, "ls-tree", "HEAD").split("\n")
    kept_lines = [line for line in lines if not line.endswith(MANIFEST)]
    tree = git(
        kept.repo,
        "mktree",
        stdin="\n".join([*kept_lines, f"100644 blob {blob}\t{MANIFEST}\n"]).encode(),
    )
    made = git(kept.repo, "commit-tree", tree, "-p", "HEAD", "-m", "hostile")
    git(kept.repo, *(["update-ref", "HEAD"] if bare else ["reset", "--hard"]), made)

    done = kept.run("restore", good, "--yes")

    assert (done.code, "upgrade gitbackup, or make an earlier commit" in done.err) == (13, True)
    (command,) = re.findall(r"`git -C \S+ (.*) COMMIT`", done.err)
    git(kept.repo, *command.split(), good)
    kept.says("restore", "HEAD", "--yes")
    assert kept.redis.get("good") == b"old"


@pytest.mark.parametrize("bare", [False])
def test_a_pull_goes_on_from_it(bare: bool, kept: User) -> None:
    """The other side has gone on already."""
    old = git(kept.repo, "rev-parse", "HEAD~1")
    put_tree(kept.repo, NOWHERE)
    bad = git(kept.repo, "rev-parse", "HEAD")
    after = git(kept.repo, "commit-tree", f"{old}^{{tree}}", "-p", bad, "-m", "good again")
    repository = Repository.open(kept.repo)

    with repository.lock():
        repository.advance(after, bad)

    assert "old" in (kept.repo / "db0" / "_.json").read_text()
    assert git(kept.repo, "status", "--porcelain") == "?? mine.txt"


@pytest.mark.parametrize("bare", [False])
def test_a_run_that_is_killed_in_between_is_ended_by_the_next(bare: bool, kept: User) -> None:
    put_tree(kept.repo, NOWHERE)
    kept.redis.set("good", "live")
    assert kept.run("commit", "-m", "after").code == 0
    head = git(kept.repo, "rev-parse", "HEAD")
    git(kept.repo, "read-tree", "HEAD~2")
    git(kept.repo, "checkout-index", "--all", "--force")
    (kept.repo / ".git" / "gitbackup" / "following").write_text(f"lost {head}\n")

    kept.says("commit")

    assert "live" in (kept.repo / "db0" / "_.json").read_text()
    assert git(kept.repo, "status", "--porcelain") == "?? mine.txt"


@pytest.mark.parametrize("bare", [False])
def test_a_folder_of_git_is_not_checked_out(bare: bool, kept: User) -> None:
    blob = git(kept.repo, "hash-object", "-w", "--stdin", stdin=b"[core]\n\tpager = touch X\n")
    inner = b"100644 config\0" + bytes.fromhex(blob)
    folder = put_loose(kept.repo, b"tree %d\0" % len(inner) + inner)
    outer = run_git(kept.repo, "cat-file", "tree", "HEAD^{tree}").stdout
    outer = b"40000 .git\0" + bytes.fromhex(folder) + outer
    root = put_loose(kept.repo, b"tree %d\0" % len(outer) + outer)
    made = git(kept.repo, "commit-tree", root, "-p", "HEAD", "-m", "hostile")
    git(kept.repo, "update-ref", "HEAD", made)

    done = kept.run("clone", str(kept.repo), "copied")

    assert (done.code, Path("copied").exists()) == (13, False)
    assert done.err.startswith("gitbackup: a commit contains .git/config, which git cannot write")
    kept.says("clone", "--bare", str(kept.repo), "copied.git")
    kept.redis.set("good", "live")
    assert kept.run("restore", "HEAD~1", "--yes").code == 0
    assert kept.redis.get("good") == b"a"
