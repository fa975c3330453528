"""Search indexes are saved as the commands that create them, and a restore creates them again."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from gitbackup import Backup, CommitResult
from gitbackup.live.protocol.slots import slot
from tests.cli.user import User
from tests.clusters import LiveCluster
from tests.servers import LiveServer, modules, program
from tests.store.plain import git
from tests.watching import watching

pytestmark = pytest.mark.long

UNLISTED = (
    "gitbackup: warning: aliases of search indexes and dictionaries are not saved, because the"
    " server does not list them: keep the FT.ALIASADD and FT.DICTADD commands\n"
)
DEFINITIONS = {
    "full": (
        "ON HASH PREFIX 2 a: b: FILTER @age>5 LANGUAGE german LANGUAGE_FIELD lang SCORE 0.3"
        " SCORE_FIELD sc PAYLOAD_FIELD pl NOOFFSETS NOHL NOFIELDS NOFREQS STOPWORDS 2 foo bar"
        " SCHEMA t AS tt TEXT WEIGHT 0.333333333333 NOSTEM PHONETIC dm:en WITHSUFFIXTRIE INDEXEMPTY"
        " INDEXMISSING SORTABLE UNF g TAG SEPARATOR ; CASESENSITIVE WITHSUFFIXTRIE INDEXEMPTY"
        " SORTABLE n NUMERIC SORTABLE NOINDEX geo GEO INDEXMISSING"
        " v VECTOR HNSW 10 TYPE FLOAT32 DIM 4 DISTANCE_METRIC L2 M 20 EF_CONSTRUCTION 150"
        " v2 VECTOR FLAT 6 TYPE FLOAT64 DIM 3 DISTANCE_METRIC COSINE gs GEOSHAPE FLAT"
    ),
    "documents": "ON JSON STOPWORDS 0 SCHEMA $.a[1] AS a TAG $.b AS b TAG SEPARATOR , $.t AS t TEXT"
    " SORTABLE $.s AS s GEOSHAPE SPHERICAL",
    "wide": "MAXTEXTFIELDS SCHEMA " + " ".join(f"f{number} TEXT" for number in range(40)),
    "sounds": "SCHEMA plain TEXT p.h$1 AS ph-1 TEXT PHONETIC dm:en last TEXT PHONETIC dm:fr n GEO",
    "every:key": "PREFIX 1 * SCHEMA n NUMERIC",
}


@pytest.fixture
def user(
    stack: LiveServer,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capfd: pytest.CaptureFixture[str],
) -> Iterator[User]:
    """A user of a server with RediSearch, who has no index after the test."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("REDIS_URL", stack.url)
    user = User(stack, capfd.readouterr)
    yield user
    user.redis.flushall()


def create(user: User, name: str, definition: str) -> None:
    user.redis.execute_command("FT.CREATE", name, *definition.split())


def defined(user: User, name: str) -> dict[str, object]:
    """What FT.INFO tells of the definition of an index."""
    words = ("index_options", "index_definition", "attributes", "stopwords_list")
    reply = user.redis.execute_command("FT.INFO", name)
    return {word: reply.get(word.encode()) for word in words}


def test_every_definition_comes_back_exactly_as_it_was(user: User) -> None:
    for name, definition in DEFINITIONS.items():
        create(user, name, definition)
    user.redis.execute_command("FT.CREATE", b"\xff a", "SCHEMA", 'f"\n', "TEXT")
    for group, terms in {"g1": ("boy", "child"), "g2": ("child", "small kid")}.items():
        user.redis.execute_command("FT.SYNUPDATE", "full", group, *terms)
    user.redis.hset("a:1", mapping={"t": "text", "age": 7})
    before = {name: defined(user, name) for name in DEFINITIONS}
    committed = user.run("commit", "-m", "indexes")
    assert committed.err == (
        "gitbackup: warning: the server does not tell EF_RUNTIME and EPSILON of search indexes"
        f" (full): a restore gives them the defaults\n{UNLISTED}"
    )
    tree = git(user.repo, "rev-parse", "HEAD^{tree}")
    assert "Keys: search=6 db0=1\n" in git(user.repo, "log", "-1", "--format=%B")
    user.redis.flushall()
    restored = user.run("restore", "HEAD", "--yes")
    assert "verified: 7 keys equal commit" in restored.out
    assert {name: defined(user, name) for name in DEFINITIONS} == before
    sounds = user.run("show", "HEAD:sounds").out
    assert "\n  p.h$1 AS ph-1 TEXT PHONETIC dm:en\n  last TEXT PHONETIC dm:en\n" in sounds
    assert user.redis.execute_command("FT.SYNDUMP", "full")[b"child"] == [b"g1", b"g2"]
    assert git(user.repo, "rev-parse", "HEAD^{tree}") == tree
    again = user.run(
        "commit", "-m", "the same over RESP2", "--url", f"{user.server.url}?protocol=2"
    )
    assert "nothing to commit" in again.out
    module_words = [word for path in modules("stack") for word in ("--module", str(path))]
    tested = user.run("verify", "--server", str(program("stack")), *module_words)
    assert "passed" in tested.out
    assert "6 search indexes" in tested.out
    found = user.redis.execute_command("FT.SEARCH", "full", "@tt:text", "LANGUAGE", "german")
    assert found[b"total_results"] == 1


def test_what_changed_is_shown_restored_and_undone(user: User) -> None:
    create(user, "people", "PREFIX 1 user: SCHEMA name TEXT")
    user.redis.hset("user:1", "name", "alice")
    user.run("commit", "-m", "people")
    create(user, "other", "SCHEMA x TAG")
    user.redis.execute_command("FT.ALTER", "people", "SCHEMA", "ADD", "city", "TAG")
    assert "search 1 added, 1 changed" in user.run("status").out
    shown = user.run("diff").out
    assert "M  search people  search-index" in shown
    assert "+   city TAG" in shown
    assert user.run("diff", "--json").code == 0
    assert "FT.ALTER people SCHEMA ADD city TAG" in user.run("diff", "--format", "redis").out
    planned = user.run("restore", "HEAD", "--dry-run").out
    assert "1 search index will be created anew (search people): aliases are lost" in planned
    assert "delete     search-index  search other" in planned
    assert user.run("restore", "HEAD", "--yes").code == 0
    assert user.redis.execute_command("FT._LIST") == [b"people"]
    assert user.run("undo", "--yes").code == 0
    assert sorted(user.redis.execute_command("FT._LIST")) == [b"other", b"people"]
    assert "city TAG" in user.run("show", "HEAD:people").out
    assert user.run("restore", "HEAD", "--yes", "people").code == 0


def test_an_index_that_a_restore_created_is_deleted_by_undo(user: User) -> None:
    user.run("commit", "-m", "none")
    create(user, "people", "SCHEMA name TEXT")
    user.run("commit", "-m", "people")
    user.run("restore", "HEAD~1", "--yes")
    assert user.redis.execute_command("FT._LIST") == []
    user.run("restore", "HEAD~1", "--yes")
    user.run("undo", "--yes")
    assert user.redis.execute_command("FT._LIST") == []


def test_a_commit_that_knows_nothing_of_indexes_deletes_none(
    user: User, valkey: LiveServer
) -> None:
    with valkey.client() as other:
        other.set("a", 1)
    user.says("commit", "-m", "of a server without the module", "--url", valkey.url)
    create(user, "people", "SCHEMA name TEXT")
    assert user.run("restore", "HEAD", "--yes").code == 0
    assert user.redis.execute_command("FT._LIST") == [b"people"]
    assert "nothing changed since" in user.run("status").out
    assert user.run("commit").out.startswith("nothing to commit")


def test_files_that_an_older_version_left_as_they_were_say_nothing(user: User) -> None:
    create(user, "old", "SCHEMA name TEXT")
    user.redis.set("a", 1)
    user.run("commit", "-m", "old")
    message = git(user.repo, "log", "-1", "--format=%B").replace("Keys: search=1 ", "Keys: ")
    git(user.repo, "commit", "--quiet", "--amend", "-m", message)
    user.redis.flushall()
    create(user, "new", "SCHEMA name TEXT")
    assert user.run("restore", "HEAD", "--yes").code == 0
    assert user.redis.execute_command("FT._LIST") == [b"new"]
    assert "nothing changed since" in user.run("status").out
    assert "search/new.index" in git(user.repo, "ls-tree", "-r", "--name-only", "HEAD")


def test_a_server_without_the_module_is_told_before_anything_is_written(
    user: User, valkey: LiveServer
) -> None:
    create(user, "people", "SCHEMA name TEXT")
    user.redis.set("a", 1)
    user.run("commit", "-m", "people")
    done = user.run("restore", "HEAD", "--yes", "--url", valkey.url)
    assert (done.code, done.out) == (12, "")
    assert "does not support search indexes (it has no command FT.CREATE)" in done.err
    done = user.run("restore", "HEAD", "--yes", "--skip-unsupported", "--url", valkey.url)
    assert done.code == 3
    assert "restored, except for types that the server does not know: search people" in done.err
    assert user.run("verify", "HEAD~2").code == 3


def test_the_least_rights_are_enough_and_without_them_indexes_are_left_out(user: User) -> None:
    create(user, "people", "SCHEMA name TEXT")
    user.redis.set("a", 1)
    for verb in ("commit", "restore"):
        line, *_ = user.says("check", "--rights", verb).splitlines()
        user.redis.execute_command(*line.replace(">PASSWORD", ">pw").split())
    urls = {
        verb: user.server.url.replace("unix://", f"unix://{verb}:pw@")
        for verb in ("commit", "restore")
    }
    assert user.run("commit", "-m", "people", "--url", urls["commit"]).code == 0
    user.redis.flushall()
    assert user.run("restore", "HEAD", "--yes", "--url", urls["restore"]).code == 0
    assert user.redis.execute_command("FT._LIST") == [b"people"]
    user.redis.execute_command("ACL", "SETUSER", "commit", "-ft.info")
    left_out = user.run("commit", "-m", "without", "--url", urls["commit"])
    assert "no permission to read search indexes, so they are left out" in left_out.err
    assert "search=" not in git(user.repo, "log", "-1", "--format=%B")
    assert user.run("restore", "HEAD", "--yes").code == 0
    assert user.redis.execute_command("FT._LIST") == [b"people"]


def test_exports_contain_indexes(user: User) -> None:
    create(user, "people", "SCHEMA name TEXT")
    user.redis.set("a", 1)
    for form in ("json", "jsonl"):
        exported = user.run("export", "-o", f"export.{form}", "--format", form).out
        assert "exported 1 key and 1 search index of the live database" in exported
        user.redis.flushall()
        assert user.run("import", f"export.{form}", "--yes").code == 0
        assert user.redis.execute_command("FT._LIST") == [b"people"]


def test_a_definition_that_is_not_told_is_named_and_not_touched(user: User) -> None:
    create(user, "sounds", "SCHEMA n GEO a TEXT PHONETIC dm:en b TEXT")
    create(user, "crashing", "NOFIELDS MAXTEXTFIELDS PREFIX 1 none: SCHEMA a TEXT")
    told = user.run("commit", "-m", "untold").err
    assert (
        "search index crashing is not saved: RediSearch crashes when it indexes a key by NOFIELDS"
        " together with MAXTEXTFIELDS; keep the command that created it\n"
    ) in told
    assert "search index sounds is not saved: which of its fields have PHONETIC" in told
    assert "Not-Covered: 2 search indexes\n" in git(user.repo, "log", "-1", "--format=%B")
    assert (
        "2 search indexes that the commit does not contain"
        in user.run("restore", "HEAD", "--yes").out
    )
    assert sorted(user.redis.execute_command("FT._LIST")) == [b"crashing", b"sounds"]


def test_a_definition_that_a_person_has_spoilt_is_named(user: User) -> None:
    create(user, "people", "SCHEMA name TEXT")
    user.run("commit", "-m", "people")
    path = user.repo / "search" / "people.index"
    path.write_text(path.read_text().replace("SCHEMA", "SCHEMA  "))
    git(user.repo, "commit", "-aqm", "by hand")
    done = user.run("restore", "HEAD", "--yes")
    assert done.code == 13
    assert "search/people.index, line 3: not written as gitbackup writes a search index" in done.err


def test_a_watch_commits_an_index_that_changes(user: User) -> None:
    backup = Backup(user.repo, user.server.url)
    user.redis.set("a", 1)
    with watching(backup) as watcher:
        create(user, "people", "SCHEMA name TEXT")
        assert watcher.told(CommitResult, 2).summary.subject == "search people added"
        user.redis.execute_command("FT.SYNUPDATE", "people", "g", "a")
        assert watcher.told(CommitResult, 3).summary.subject == "search people changed"
        user.redis.execute_command("FT.DROPINDEX", "people")
        assert watcher.told(CommitResult, 4).summary.subject == "search people removed"


def test_a_cluster_has_each_index_at_the_node_of_its_name(
    user: User, start_cluster: Callable[..., LiveCluster]
) -> None:
    cluster = start_cluster(brand="stack")
    names = ["people", "b", "a"]
    assert {cluster.home(slot(name.encode())) for name in names} == {0, 1, 2}
    for name in names:
        cluster.tell(cluster.home(slot(name.encode())), "FT.CREATE", name, "SCHEMA", "n", "TEXT")
    assert user.run("commit", "-m", "a cluster", "--url", cluster.url).err == (
        f"gitbackup: warning: {UNLISTED.partition('warning: ')[2]}"
    )
    for number in range(3):
        cluster.tell(number, "FLUSHALL")
    restored = user.run("restore", "HEAD", "--yes", "--url", cluster.url)
    assert "verified: 3 keys equal commit" in restored.out
    listed = [cluster.tell(number, "FT._LIST") for number in range(3)]
    assert listed == [[b"b"], [b"people"], [b"a"]]
