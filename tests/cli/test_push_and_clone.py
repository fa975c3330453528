"""The history goes elsewhere, and comes back: a machine is lost, and nothing with it."""

from __future__ import annotations

import json
import re
import shutil
from pathlib import Path

import pytest

from tests.cli.user import AGO, Done, User
from tests.store.plain import git

PLACE = "HERE/cloud/data-git-backup.bundle"


@pytest.fixture
def pushed(user: User) -> User:
    """One commit is in the folder `cloud`, and so are its settings here."""
    user.redis.mset({"a": 1, "tmp:x": 2})
    Path("cloud").mkdir()
    user.says("init", "--exclude", "tmp:*")
    user.says("commit", "-m", "one")
    assert user.run("push", "cloud").code == 0
    return user


def test_the_first_push_warns_and_the_next_one_knows_where_to(user: User) -> None:
    Path("cloud").mkdir()
    user.redis.set("a", 1)
    user.says("commit")
    assert user.run("push", "cloud") == Done(
        0,
        f"pushed 1 commit to origin ({PLACE}): HEAD id1\n",
        f"gitbackup: warning: first push to {PLACE}: whoever can read that place can read"
        " every value of every commit, secrets included; to encrypt it, push with"
        " --passphrase or --encrypt-to KEY\n",
    )
    assert user.says("push") == f"nothing to push, everything is in origin ({PLACE}): HEAD id1\n"
    user.redis.set("b", 1)
    user.says("commit")
    assert user.says("push") == f"pushed 1 commit to origin ({PLACE}): HEAD id2\n"


def test_a_program_gets_a_push_as_json(pushed: User) -> None:
    assert json.loads(pushed.says("push", "--json")) == {
        "schema": "gitbackup.push/1",
        "remote": "origin",
        "place": PLACE,
        "head": "ID1",
        "commits": 0,
        "first": False,
        "settings": False,
        "encrypted_to": [],
        "also": [],
    }


def test_what_goes_without_a_commit_is_named(pushed: User) -> None:
    """To a bundle, as to a git repository: there a note, a tag and a branch are new."""
    git(Path(), "init", "-q", "--bare", "there.git")
    assert pushed.run("push", "there.git").code == 0
    pushed.says("note", "-m", "the reason")
    git(pushed.repo, "tag", "v1")
    git(pushed.repo, "branch", "other")
    for place in ("cloud", "there.git"):
        told = pushed.says("push", place)
        assert told.startswith("pushed branches, tags and notes but no commits to ")
        assert pushed.says("push", place).startswith("nothing to push, everything is in ")
    pushed.says("note", "--append", "-m", "and another")
    assert json.loads(pushed.says("push", "cloud", "--json"))["also"] == ["notes"]


def test_a_commit_here_that_cannot_be_read_is_named(pushed: User) -> None:
    """Its object, in a pack, is damaged; git itself would speak of the pack first."""
    for number in range(3):
        pushed.redis.set("b", number)
        pushed.says("commit")
    git(Path(), "init", "-q", "--bare", "there.git")
    git(pushed.repo, "gc", "-q")
    (pack,) = (pushed.repo / ".git" / "objects" / "pack").glob("*.pack")
    packed = git(
        pushed.repo, "verify-pack", "-v", str(pack.with_suffix(".idx").resolve())
    ).splitlines()
    commit = git(pushed.repo, "rev-parse", "HEAD~1")
    offset = next(int(line.split()[4]) for line in packed if line.startswith(commit))
    data = bytearray(pack.read_bytes())
    data[offset + 10 : offset + 40] = b"\xff" * 30
    pack.chmod(0o644)
    pack.write_bytes(data)
    done = pushed.run("push", "there.git")
    assert done.code == 13
    named = r"object \w+ cannot be read|missing commit \w+"  # by what the bytes happen to be
    assert re.search(rf"is damaged: ({named}); `gitbackup verify --all`", done.err)


def test_a_clone_is_made_where_the_variable_says(
    pushed: User, monkeypatch: pytest.MonkeyPatch
) -> None:
    source = str(Path("cloud").resolve())
    monkeypatch.setenv("GITBACKUP_REPO", "elsewhere")
    assert "into elsewhere: HEAD" in pushed.says("clone", source)
    assert "into named: HEAD" in pushed.says("clone", source, "named")
    assert pushed.run("clone", source).code == 10  # it is not empty any more


def test_a_lost_machine_comes_back_from_the_folder(pushed: User) -> None:
    before = pushed.redis.execute_command("DEBUG", "DIGEST-VALUE", "a")
    shutil.rmtree(pushed.repo)
    pushed.redis.flushall()

    cloned = pushed.says("clone", "cloud")
    assert cloned == (
        f"cloned 1 commit of {PLACE} into data-git-backup: HEAD id1\ncopied settings:"
        " exclude 'tmp:*'\npush on commit is off here; to turn it on, run: gitbackup config"
        " set push on-commit\n"
    )
    assert pushed.run("restore", "HEAD", "--yes").code == 0

    assert pushed.redis.execute_command("DEBUG", "DIGEST-VALUE", "a") == before
    assert pushed.says("commit", "--dry-run") == (
        "nothing to commit: the only key has not changed since id3\n"
    )
    assert git(pushed.repo, "config", "--get-regexp", r"^gitbackup\.") == (
        "gitbackup.format 1\ngitbackup.exclude tmp:*\ngitbackup.came exclude tmp:*"
    )
    assert pushed.says("push").startswith("pushed 2 commits to origin")


def test_a_program_gets_a_clone_and_a_pull_as_json(pushed: User) -> None:
    assert json.loads(pushed.says("clone", "--bare", "--json", "cloud", "copy.git")) == {
        "schema": "gitbackup.clone/1",
        "path": "copy.git",
        "place": PLACE,
        "head": "ID1",
        "commits": 1,
        "settings": {"exclude": ["tmp:*"]},
        "kept": {},
        "url": None,
    }
    pushed.redis.set("b", 1)
    pushed.says("commit")
    pushed.says("push")
    told = json.loads(pushed.says("pull", "--repo", "copy.git", "--json"))
    assert told == {
        "schema": "gitbackup.pull/1",
        "remote": "origin",
        "place": PLACE,
        "before": "ID1",
        "head": "ID2",
        "commits": 1,
        "settings": {},
        "kept": {},
        "url": None,
    }


def test_a_pull_goes_forward_and_says_so(pushed: User) -> None:
    pushed.says("clone", "cloud", "copy")
    assert pushed.says("pull", "--repo", "copy") == (
        f"nothing to pull from origin ({PLACE}): HEAD id1\n"
    )
    pushed.redis.set("b", 1)
    pushed.says("commit")
    pushed.says("push")
    assert pushed.says("pull", "--repo", "copy") == (
        f"pulled 1 commit from origin ({PLACE}): HEAD id2\n"
    )


def test_status_tells_what_is_not_pushed(pushed: User) -> None:
    lines = pushed.says("status").splitlines()
    assert lines[-2] == "nothing changed since"
    assert re.fullmatch(f"pushed to origin {AGO}", lines[-1])
    pushed.redis.set("b", 1)
    pushed.says("commit")
    git(pushed.repo, "remote", "add", "far", "git@example.org:r.git")
    lines = pushed.says("status").splitlines()
    assert lines[-2].startswith("not pushed to origin: 1 commit since id1 (pushed ")
    assert lines[-1] == "never pushed to far"
    origin, far = json.loads(pushed.says("status", "--json"))["pushed"]
    assert (origin.pop("date") is not None, far.pop("date")) == (True, None)
    assert [origin, far] == [
        {"remote": "origin", "place": PLACE, "commit": "ID1", "missing": 1},
        {"remote": "far", "place": "git@example.org:r.git", "commit": None, "missing": 2},
    ]


def test_a_setting_pushes_every_commit_and_restore(pushed: User) -> None:
    git(pushed.repo, "config", "gitbackup.push", "on-commit")
    pushed.redis.set("b", 1)
    assert pushed.says("commit").splitlines()[-1] == (
        f"pushed 1 commit to origin ({PLACE}): HEAD id2"
    )
    pushed.redis.set("b", 2)
    assert pushed.says("restore", "HEAD~1", "--yes").splitlines()[-1] == (
        f"pushed 2 commits to origin ({PLACE}): HEAD id4"
    )
    assert git(pushed.repo, "rev-parse", "main") == git(pushed.repo, "rev-parse", "origin/main")


def test_a_commit_stands_where_its_push_fails(pushed: User) -> None:
    git(pushed.repo, "config", "gitbackup.push", "on-commit")
    Path("cloud").rename("unmounted")
    pushed.redis.set("b", 1)
    done = pushed.run("commit", "--json")
    assert done.code == 3
    assert json.loads(done.out)["commit"] == "ID2"
    sentence = (
        f"the commit was made, but not pushed: no folder for {PLACE}; if it is on a disk,"
        " is the disk mounted?"
    )
    assert json.loads(done.err) == {
        "schema": "gitbackup.error/1",
        "error": sentence,
        "exit_code": 3,
    }
    pushed.redis.set("b", 2)
    assert pushed.run("restore", "HEAD", "--yes").code == 3


def test_a_setting_that_is_none_is_told(pushed: User) -> None:
    git(pushed.repo, "config", "gitbackup.push", "always")
    pushed.redis.set("b", 1)
    done = pushed.run("commit")
    assert (done.code, done.err) == (
        3,
        (
            "gitbackup: the commit was made, but not pushed: the setting gitbackup.push is"
            " 'always', but can only be 'on-commit'\n"
        ),
    )


def test_a_diverged_bundle_is_explained_and_the_advice_works(pushed: User) -> None:
    pushed.says("clone", "cloud", "copy")
    pushed.redis.set("b", 1)
    pushed.says("commit", "--repo", "copy")
    pushed.says("push", "--repo", "copy")
    pushed.redis.set("b", 2)
    pushed.says("commit")

    refused = pushed.run("push")
    assert (refused.code, refused.err) == (
        1,
        (
            f"gitbackup: origin ({PLACE}) has commits that are not here (main), pushed from"
            " elsewhere, so it was not changed: `gitbackup pull` fetches them. If it belongs"
            " to another database, push to another file name in that folder\n"
        ),
    )
    parted = pushed.run("pull")
    assert parted.code == 1
    advice = parted.err.rstrip("\n").rpartition("the state here: git ")[2]
    assert advice == "-C HERE/data-git-backup merge -s ours origin/main"
    git(Path(), *advice.replace("HERE", str(Path.cwd())).split(), "-m", "both")
    assert pushed.says("push").startswith("pushed 2 commits to origin")
    assert pushed.says("pull", "--repo", "copy").startswith("pulled 2 commits from origin")
    assert git(Path("copy"), "show", "HEAD:db0/_.json") == git(
        pushed.repo, "show", "HEAD:db0/_.json"
    )


@pytest.mark.parametrize(
    ("words", "code", "sentence"),
    [
        (["push"], 2, "no remote yet: name a folder or a git URL"),
        (
            ["push", "clud"],
            2,
            (
                "'clud' is neither a remote of the data repository, nor a URL, nor an"
                " existing folder"
            ),
        ),
        (["pull", "cloud"], 2, "there is no bundle "),
        (["clone", "cloud", "copy"], 2, "is not a git repository, and contains no .bundle file"),
        (["clone", "two", "copy"], 2, "more than one bundle; name one of them: a.bundle, b.bundle"),
        (["clone", "two/a.bundle", "copy"], 13, "a.bundle is not a git bundle"),
        (["clone", "cloud", "full"], 10, "full is not empty; a clone needs an empty or new folder"),
        (["push", "--repo", "nowhere"], 10, "no data repository at nowhere"),
    ],
)
def test_what_cannot_be_is_one_sentence_and_changes_nothing(
    user: User, words: list[str], code: int, sentence: str
) -> None:
    user.says("commit", "--allow-empty")
    for folder in ("cloud", "two", "full"):
        Path(folder).mkdir()
    for file in ("two/a.bundle", "two/b.bundle", "full/file"):
        Path(file).write_text("mine\n")
    before = user.state(), sorted(Path().rglob("[!.]*"))

    done = user.run(*words)

    assert (done.code, done.out) == (code, "")
    assert sentence in done.err
    assert done.err.count("\n") == 1
    assert (user.state(), sorted(Path().rglob("[!.]*"))) == before


def test_a_plain_clone_is_adopted_by_init(pushed: User) -> None:
    git(Path(), "clone", "--quiet", "cloud/data-git-backup.bundle", "plain")
    assert pushed.says("init", "--repo", "plain") == "reinitialised the data repository in plain\n"
    assert Path("plain").stat().st_mode & 0o777 == 0o700
    assert pushed.says("pull", "--repo", "plain").startswith("nothing to pull from origin")


@pytest.mark.long
def test_a_push_that_failed_is_tried_again_by_a_commit_that_finds_nothing_to_commit(
    pushed: User,
) -> None:
    git(pushed.repo, "config", "gitbackup.push", "on-commit")
    Path("cloud").rename("unmounted")
    pushed.redis.set("b", 1)
    assert pushed.run("commit").code == 3
    again = pushed.run("commit")
    assert (again.code, again.out) == (3, "nothing to commit: none of 2 keys changed since id2\n")
    assert again.err.startswith("gitbackup: earlier commits were not pushed: no folder for ")

    Path("unmounted").rename("cloud")
    assert (
        pushed.says("commit", "--dry-run")
        == "nothing to commit: none of 2 keys changed since id2\n"
    )
    assert pushed.says("commit").splitlines()[-1] == (
        f"pushed 1 commit to origin ({PLACE}): HEAD id2"
    )
    assert pushed.says("commit") == "nothing to commit: none of 2 keys changed since id2\n"
    assert json.loads(pushed.says("status", "--json"))["pushed"][0]["missing"] == 0


def test_commits_on_no_branch_are_not_left_out_of_a_push_in_silence(pushed: User) -> None:
    git(pushed.repo, "switch", "--quiet", "--detach")
    assert pushed.says("push").startswith("nothing to push, everything is in origin")
    pushed.redis.set("b", 1)
    pushed.run("commit")
    refused = pushed.run("push")
    assert (refused.code, refused.err) == (
        2,
        "gitbackup: HEAD is detached, with 1 commit on no branch. Nothing was pushed, because"
        " a clone would lack them; to create a branch for them:"
        " git -C HERE/data-git-backup switch -c NAME\n",
    )
    last = pushed.run("status").out.splitlines()[-1]
    assert last.startswith("not pushed to origin: 1 commit since id1")
    git(pushed.repo, "switch", "--quiet", "-c", "NAME")
    assert pushed.says("push").startswith("pushed 1 commit to origin")
    pushed.says("clone", "cloud", "copy")
    assert git(Path("copy"), "rev-parse", "HEAD") == git(pushed.repo, "rev-parse", "HEAD")


@pytest.mark.parametrize("bundled", [True, False])
def test_a_clone_has_what_a_detached_head_has(pushed: User, bundled: bool) -> None:
    """In a bundle that plain git has made, or a repository in a folder."""
    git(pushed.repo, "switch", "--quiet", "--detach")
    pushed.redis.set("b", 1)
    pushed.run("commit")
    place = f"cloud/{pushed.repo}.bundle" if bundled else str(pushed.repo)
    if bundled:
        words = ("bundle", "create", "--quiet", f"../{place}", "HEAD", "--branches")
        git(pushed.repo, *words)
    cloned = pushed.run("clone", place, "copy")
    assert cloned.out.startswith("cloned 2 commits of")
    assert cloned.err == (
        f"gitbackup: warning: HEAD of HERE/{place} is detached; here it is on the branch detached\n"
    )
    assert git(Path("copy"), "rev-parse", "HEAD") == git(pushed.repo, "rev-parse", "HEAD")
    assert git(Path("copy"), "branch", "--format=%(refname:short)").split() == ["detached", "main"]


def test_a_pull_gets_the_commits_that_a_push_is_refused_for(pushed: User) -> None:
    pushed.says("clone", "cloud", "copy")
    git(pushed.repo, "switch", "--quiet", "--detach")
    pushed.redis.set("b", 1)
    pushed.run("commit")
    words = ("bundle", "create", "--quiet", f"../cloud/{pushed.repo}.bundle", "HEAD", "--branches")
    git(pushed.repo, *words)

    refused = pushed.run("push", "--repo", "copy")
    assert refused.code == 1
    assert "`gitbackup pull` fetches them, and then git -C HERE/copy branch NAME id2" in refused.err
    pulled = pushed.run("pull", "--repo", "copy")
    assert pulled.code == 0
    assert pulled.err == (
        f"gitbackup: warning: origin ({PLACE}) has 1 commit of a detached HEAD, on no"
        " branch; to create a branch for them here: git -C HERE/copy branch NAME id2\n"
    )
    git(Path("copy"), "branch", "NAME", git(pushed.repo, "rev-parse", "HEAD"))
    assert pushed.run("push", "--repo", "copy").code == 0
    assert pushed.says("pull", "--repo", "copy").startswith("nothing to pull")
