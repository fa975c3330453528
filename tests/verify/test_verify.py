"""The drill: what is whole passes, whatever it holds; what is not is found and named."""

from __future__ import annotations

import base64
import os
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gitbackup import Backup
from gitbackup.errors import ServerError, UsageError
from gitbackup.format import codec
from gitbackup.model.commits import Verdict
from gitbackup.model.keys import Key, Scope
from gitbackup.model.safety.proof import Proof, Sort
from gitbackup.snapshot import file_format
from gitbackup.store.repository.repository import Repository
from gitbackup.verify import drill_server
from tests.databases import databases, library
from tests.golden.test_golden import FORMAT_1, files_of
from tests.module import TYPE, compiled
from tests.servers import BRANDS, LiveServer, StartServer, every_brand, in_turn
from tests.store.plain import commit, everything, git

DAY = 86_400_000
MANIFEST = file_format.manifest(Scope())
LIBRARY = library("mylib")


def program(brand: str) -> Path:
    try:
        return BRANDS[brand]()
    except ServerError as missing:
        pytest.skip(f"{brand}: {missing}")


@dataclass
class Snapshot:
    """A data repository with commits made by hand, of entries as they are stored."""

    path: Path

    def commit(self, entries: Mapping[str, Any], more: Mapping[str, bytes] = {}) -> str:
        """These keys of database 0, and more files."""
        keys = file_format.encode_stored(entries)
        return self.write({file_format.MANIFEST: MANIFEST, "db0/_.json": keys, **more})

    def write(self, files: Mapping[str, bytes | None], message: str = "by hand") -> str:
        return commit(Repository.create(self.path), files, message)

    def proof(self, commit_ish: str = "HEAD", **how: Any) -> Proof:
        """The one proof of a repository that git finds nothing wrong with."""
        verified = Backup(self.path).verify(commit_ish, **how)
        assert verified.problems == []
        (proof,) = verified.proofs
        return proof


@pytest.fixture
def made(tmp_path: Path) -> Snapshot:
    return Snapshot(tmp_path / "data")


def string(value: str, **more: Any) -> dict[str, Any]:
    return {"type": "string", "value": value, **more}


def stream(**more: Any) -> dict[str, Any]:
    return {"type": "stream", "value": {"entries": {"1-0": ["a", "b"]}, **more}}


def pending(delivered_at: Any, id_: str = "1-0") -> dict[str, Any]:
    """A group with one entry on its way to a consumer."""
    one = {"consumer": "ann", "delivered_at": delivered_at, "deliveries": 1}
    group = {"last_id": "1-0", "entries_read": 1, "consumers": ["ann"], "pending": {id_: one}}
    return stream(groups={"g": group})


def sentences(proof: Proof) -> list[tuple[Sort, str]]:
    return [(finding.sort, finding.sentence) for finding in proof.findings]


def now() -> int:
    return time.time_ns() // 1_000_000


# --- what is whole


@every_brand
@given(data=st.data())
@settings(max_examples=5)
def test_any_database_passes(
    data: st.DataObject,
    running: Callable[[str], LiveServer],
    tmp_path_factory: pytest.TempPathFactory,
    brand: str,
) -> None:
    """Every type, awkward names, counters and expiries, whatever brand it is of: the tree comes
    again to the bit."""
    database = data.draw(databases(brand))
    server = running(brand)
    with server.client() as client:
        database.build(client)
    path = tmp_path_factory.mktemp("data")
    Backup(path, server.url).commit("all", allow_empty=True)
    proof = Snapshot(path).proof()
    assert (Verdict.PASSED, proof.tree) == (proof.verdict, proof.made)
    assert len(database.items) >= proof.held.keys


def test_a_past_format_s_repository_passes(made: Snapshot) -> None:
    made.write(files_of(FORMAT_1 / "basic"))
    proof = made.proof()
    assert (Verdict.PASSED, proof.tree) == (proof.verdict, proof.made)
    assert (proof.held.keys + proof.held.libraries, proof.held.libraries) == (480, 3)


def test_what_a_person_left_of_it_restores_but_is_not_canonical(made: Snapshot) -> None:
    """And the tree that the server's commit would have is told: that of the tidy set."""
    made.write(files_of(FORMAT_1 / "basic"))
    tidy = made.proof().tree
    gone = dict.fromkeys(files_of(FORMAT_1 / "basic").keys())
    by_hand = files_of(FORMAT_1 / "by-hand")
    readme = by_hand.pop("README.md")
    made.write({**gone, **by_hand})
    proof = made.proof()
    assert {Sort.UNTIDY} == {finding.sort for finding in proof.findings}
    assert {finding.path for finding in proof.findings} <= by_hand.keys()
    assert (Verdict.FAILED, tidy) == (proof.verdict, proof.made)
    made.write({"README.md": readme})
    assert proof.findings == made.proof().findings


def test_what_has_expired_is_proved_too(made: Snapshot) -> None:
    """Whole keys and fields of hashes, with instants long past, of today and far ahead."""
    past, soon, far = "2001-09-09T01:46:40.123Z", codec.instant(now() + 1_000), 2**55 + 1
    epoch = "1970-01-01T00:00:00.000Z"
    fields = {"value": {"a": "1", "b": "2"}, "field_expires_at": {"a": past, "b": far}}
    entries = {
        "hash": {"type": "hash", **fields, "expires_at": soon},
        "hash:gone": {"type": "hash", "value": {"a": "1"}, "field_expires_at": {"a": past}},
        "list": {"type": "list", "value": ["b", "a"], "expires_at": past},
        "living": string("x", expires_at=far),
        "long gone": string("x", expires_at=epoch),
        "stays": string("x"),
        "stream": {**pending(past), "expires_at": past},
        "x:gitbackup-aside:0123456789abcdef": string("a key like any other", expires_at=soon),
    }
    made.commit(entries)
    proof = made.proof()
    assert (Verdict.PASSED, proof.tree) == (proof.verdict, proof.made)
    assert proof.past == 6


@pytest.mark.parametrize("ahead", in_turn([60_000, 60 * 365 * DAY, -100 * 365 * DAY]))
def test_a_clock_that_is_not_ours_is_no_fault(made: Snapshot, ahead: int) -> None:
    """A delivery that the server's machine dated a minute into our future comes back so."""
    made.commit({"stream": pending(codec.instant(now() + ahead))})
    assert (made.proof().verdict, made.proof().past) == (Verdict.PASSED, 0)


def test_large_entries_and_high_databases_pass(made: Snapshot, valkey: LiveServer) -> None:
    made.commit({"a": string("1")})
    large = file_format.encode_stored({"x:big": string("b" * 1_200_000)})
    place = file_format.beside("db1000/_.json", b"x:big")
    made.write({place: large, "db1000/_.json": file_format.encode_stored({"y": string("1")})})
    proof = made.proof()
    assert (proof.verdict, proof.held.databases) == (Verdict.PASSED, {0: 1, 1000: 2})


@every_brand
def test_a_server_that_knows_less_tries_all_that_it_knows(made: Snapshot, brand: str) -> None:
    """What it cannot hold is named, and is not a fault of the commit's."""
    made.write(files_of(FORMAT_1 / "basic"))
    proof = made.proof(server=program(brand))
    unknown = {
        "valkey": set(),
        "redis7": {"expiring hash fields (Redis 7.4, Valkey 9.0)"},
        "redis6": {
            "functions (Redis 7.0, Valkey)",
            "stream counters (Redis 7.0, Valkey)",
            "expiring hash fields (Redis 7.4, Valkey 9.0)",
        },
    }[brand]
    assert proof.findings == []
    assert {f"{proof.server} does not know {one}" for one in unknown} == {
        one.why for one in proof.untried
    }
    assert (Verdict.PARTLY if unknown else Verdict.PASSED) == proof.verdict


# --- what is not


def test_a_hand_edited_file_is_found(made: Snapshot) -> None:
    """It restores, and so it is told that nothing is lost, and what to do."""
    made.commit({"a": string("1"), "b": string("2")})
    content = file_format.encode_stored({"a": string("1"), "b": string("3")})
    made.write({"db0/_.json": content.replace(b'"value": "3"', b'"value":  "3"')})
    proof = made.proof()
    assert sentences(proof) == [
        (
            Sort.UNTIDY,
            (
                "db0/_.json, line 8: not in canonical form; the next `gitbackup commit`"
                " rewrites it; `gitbackup restore` can read it as it is"
            ),
        )
    ]
    assert proof.made not in (None, proof.tree)


@pytest.mark.few(1)
@pytest.mark.parametrize(
    ("files", "path"),
    [
        ({"db0/mine.json": b'{\n  "b": {\n    "type": "string",\n    "value": ""\n  }\n}\n'}, None),
        ({"functions/other.lua": LIBRARY}, None),
        ({"functions/mylib.lua": LIBRARY, "db0/empty.json": b"{}\n"}, "db0/empty.json"),
        ({"gitbackup.json": MANIFEST.replace(b"\n", b"")}, "gitbackup.json"),
    ],
    ids=["a file of a person's own", "a library by another name", "no keys", "the manifest"],
)
def test_what_a_commit_would_write_elsewhere_is_found(
    made: Snapshot, files: dict[str, bytes], path: str | None
) -> None:
    made.commit({"a": string("1")})
    made.write(files)
    proof = made.proof()
    assert {Sort.UNTIDY} == {finding.sort for finding in proof.findings}
    assert [path or next(iter(files))] == [finding.path for finding in proof.findings]
    assert proof.made not in (None, proof.tree)


def test_a_file_that_is_a_program_to_git_is_found(made: Snapshot) -> None:
    made.commit({"a": string("1")})
    git(made.path, "update-index", "--chmod=+x", "db0/_.json")
    git(made.path, "commit", "--quiet", "-m", "executable")
    assert [(f.sort, f.path) for f in made.proof().findings] == [(Sort.UNTIDY, "db0/_.json")]


def test_a_key_that_is_in_two_files_is_found(made: Snapshot) -> None:
    made.commit({"a": string("1")})
    made.write({"db0/other.json": file_format.encode_stored({"a": string("1")})})
    assert sentences(made.proof()) == [
        (Sort.DAMAGED, "db0/other.json: key 'a' is also in db0/_.json; remove one of them")
    ]
    assert made.proof().server == ""


def test_a_key_that_is_in_one_file_twice_is_found(made: Snapshot) -> None:
    one = b'"a": {"type": "string", "value": "1"}'
    made.commit({}, {"db0/_.json": b"{" + one + b",\n" + one + b"}\n"})
    assert sentences(made.proof()) == [
        (Sort.DAMAGED, "db0/_.json, line 2: duplicate name 'a'"),
    ]


@pytest.mark.parametrize(
    ("content", "sentence"),
    [
        (b"{", "gitbackup.json, line 1: not valid JSON"),
        (b"{}\n", "gitbackup.json: not a manifest"),
        (MANIFEST.replace(b"1", b"2"), "gitbackup.json: the snapshot has format 2"),
        (None, "there is no gitbackup.json: not a gitbackup snapshot"),
    ],
)
def test_a_broken_manifest_is_found(made: Snapshot, content: bytes | None, sentence: str) -> None:
    made.commit({"a": string("1")})
    made.write({file_format.MANIFEST: content})
    ((sort, told),) = sentences(made.proof())
    assert (Sort.DAMAGED, sentence) == (sort, told[: len(sentence)])


def test_all_that_is_damaged_is_found_at_once(made: Snapshot) -> None:
    made.commit({"a": string("1")})
    made.write({"db0/b.json": b"[", "db0/c.json": b'{"c": {}}', "functions/d.lua": b"--"})
    assert [(Sort.DAMAGED, f) for f in ("db0/b.json", "db0/c.json", "functions/d.lua")] == [
        (finding.sort, finding.path) for finding in made.proof().findings
    ]


def test_a_key_outside_the_scope_is_found(made: Snapshot) -> None:
    """For a restore leaves it out."""
    made.commit({"a": string("1"), "tmp:b": string("1")})
    made.write(
        {file_format.MANIFEST: file_format.manifest(Scope(exclude=("tmp:*",), functions=False))}
    )
    made.write({"functions/mylib.lua": LIBRARY})
    found = [
        finding for finding in made.proof().findings if "outside the scope" in finding.sentence
    ]
    assert [Key(-1, "mylib"), Key(0, "tmp:b")] == [finding.key for finding in found]


NO_ID = "a pending entry with the id that none can have"
ALTERED = {
    NO_ID: pending("2020-01-01T00:00:00.000Z", "0-0"),
    "a field whose instant is before 1970": {
        "type": "hash",
        "value": {"a": "1"},
        "field_expires_at": {"a": -(2**62)},
    },
    "an expiry before 1970": string("1", expires_at=-(2**62)),
}


@pytest.mark.parametrize("entry", ALTERED.values(), ids=ALTERED)
def test_a_value_that_does_not_restore_to_itself_is_found(
    made: Snapshot, entry: dict[str, Any]
) -> None:
    made.commit({"a": string("1"), "odd": entry})
    proof = made.proof()
    assert [(Sort.DIFFERENT, Key(0, "odd"))] == [(f.sort, f.key) for f in proof.findings]
    assert proof.made not in (None, proof.tree)


def test_a_dump_of_another_type_is_found(made: Snapshot, valkey: LiveServer) -> None:
    """A string's dump, under the name of a module's type; how it came back is shown."""
    with valkey.client() as client:
        client.set("a", "text")
        payload = base64.b64encode(client.dump("a") or b"").decode()
    made.commit({"odd": {"type": "MBbloom--", "value": {"dump": payload}}})
    proof = made.proof()
    assert [(Sort.DIFFERENT, Key(0, "odd"))] == [(f.sort, f.key) for f in proof.findings]
    assert proof.findings[0].altered.values[0].part == "type"


@pytest.mark.parametrize(
    ("source", "words"),
    [
        (b"#!lua name=mylib\nthis is no lua", "Error compiling function"),
        (b"#!lua name=mylib\nreturn 1", "No functions registered"),
        (LIBRARY.replace(b"name=mylib", b"name=mylib flags=x"), "Invalid metadata value"),
    ],
)
def test_a_library_that_does_not_load_is_found(made: Snapshot, source: bytes, words: str) -> None:
    made.commit({"a": string("1")})
    made.write({"functions/mylib.lua": source})
    (finding,) = made.proof().findings
    assert (Sort.DIFFERENT, Key(-1, "mylib")) == (finding.sort, finding.key)
    assert words in finding.sentence


def test_two_libraries_with_the_same_function_are_found(made: Snapshot) -> None:
    made.commit({"a": string("1")})
    twin = LIBRARY.replace(b"name=mylib", b"name=twin")
    made.write({"functions/mylib.lua": LIBRARY, "functions/twin.lua": twin})
    assert [Key(-1, "twin")] == [finding.key for finding in made.proof().findings]


# --- what cannot be tried


def test_a_module_s_type_that_no_server_knows_is_named(made: Snapshot) -> None:
    made.commit({"a": string("1"), "seen": {"type": "MBbloom--", "value": {"dump": "BwEC"}}})
    proof = made.proof()
    assert (proof.verdict, proof.findings, proof.made) == (Verdict.PARTLY, [], None)
    assert [(Key(0, "seen"), "MBbloom--")] == [(one.key, one.type) for one in proof.untried]


def test_the_server_is_one_that_takes_the_data_s_dumps(
    made: Snapshot, valkey: LiveServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Valkey's own are of a version that Redis refuses, though it is asked first here."""
    programs = [program("redis7"), program("valkey")]
    monkeypatch.setattr(drill_server, "find_servers", lambda: programs)
    with valkey.client() as client:
        client.set("a", "text")
        payload = base64.b64encode(client.dump("a") or b"").decode()
    made.commit({"odd": {"type": "strange", "value": {"dump": payload}}})
    assert made.proof().server.startswith("Valkey")


@pytest.mark.long
@pytest.mark.parametrize("brand", in_turn(["valkey", "redis7"]))
def test_a_module_s_type_is_proved_by_a_server_that_loads_the_module(
    made: Snapshot,
    start_server: StartServer,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    brand: str,
) -> None:
    """On the brand that wrote it, which is found by itself: the other gives other dumps."""
    module = compiled(tmp_path)
    path = f"{program('redis7').parent}{os.pathsep}{os.environ['PATH']}"
    monkeypatch.setenv("PATH", path)
    server = start_server(brand, loadmodule=f'"{quoted(module)}"')
    with server.client() as client:
        client.execute_command("NOTE.SET", "note:1", "text")
        client.execute_command("NOTE.SET", "note:2", "text that expires")
        client.pexpireat("note:2", now() + 1_000)
    Backup(made.path, server.url).commit("notes")
    assert made.proof().held.types == {TYPE: 2}
    assert [one.type for one in made.proof().untried] == [TYPE, TYPE]
    proof = made.proof(modules=[module])
    assert (Verdict.PASSED, proof.tree) == (proof.verdict, proof.made)
    assert proof.server.lower().startswith(brand[:5])


def test_a_dump_that_comes_back_in_another_version_proves_nothing(
    made: Snapshot, start_server: StartServer, tmp_path: Path
) -> None:
    """The server reads the older one's, but has to write its own."""
    module = compiled(tmp_path)
    server = start_server("redis7", loadmodule=f'"{quoted(module)}"')
    with server.client() as client:
        client.execute_command("NOTE.SET", "note", "text")
    Backup(made.path, server.url).commit("a note")
    proof = made.proof(server=program("valkey"), modules=[module])
    assert (proof.verdict, proof.findings, proof.made) == (Verdict.PARTLY, [], None)
    assert proof.untried[0].why.endswith(
        " accepts the dump of this type, but returns another version"
    )


def quoted(path: Path) -> str:
    return str(path).replace('"', '\\"')


def test_a_library_of_an_engine_that_no_server_has_is_named(made: Snapshot) -> None:
    made.commit({"a": string("1")})
    made.write({"functions/mylib.js": b"#!js name=mylib\nserver.register_function()"})
    proof = made.proof()
    assert (Verdict.PARTLY, [Key(-1, "mylib")]) == (
        proof.verdict,
        [one.key for one in proof.untried],
    )


# --- several commits, the verdict, and what is left alone


def test_all_commits_of_all_branches_are_verified_and_equal_trees_once(made: Snapshot) -> None:
    first = made.commit({"a": string("1")})
    second = made.commit({"a": string("2")})
    git(made.path, "checkout", "--quiet", "-b", "other", first)
    third = made.write({"db0/_.json": file_format.encode_stored({"a": string("2")})}, "another")
    git(made.path, "checkout", "--quiet", "main")
    told: list[Proof] = []
    verified = Backup(made.path).verify(None, tell=told.append)
    assert {first, second, third} == {proof.commit for proof in verified.proofs}
    assert (3, 2, verified.proofs) == (len(told), verified.trees, told)
    assert [proof.seconds > 0 for proof in told].count(True) == 2
    assert verified.whole


def test_a_bad_commit_among_good_ones_is_the_one_that_is_named(made: Snapshot) -> None:
    good = made.commit({"a": string("1")})
    bad = made.commit({"a": string("1")}, {"db0/b.json": b"["})
    verified = Backup(made.path).verify(None)
    assert {good: Verdict.PASSED, bad: Verdict.FAILED} == {
        proof.commit: proof.verdict for proof in verified.proofs
    }
    rehearsals = {info.id: info.rehearsal for info in Backup(made.path).log()}
    assert {good: Verdict.PASSED, bad: Verdict.FAILED} == {
        commit: rehearsal and rehearsal.verdict for commit, rehearsal in rehearsals.items()
    }


def test_the_verdict_is_kept_and_can_be_asked_for(made: Snapshot) -> None:
    made.commit({"a": string("1"), "odd": ALTERED[NO_ID]})
    backup = Backup(made.path)
    assert backup.rehearsal() is None
    proof = made.proof()
    kept = backup.rehearsal()
    assert kept is not None
    assert (Verdict.FAILED, proof.server) == (kept.verdict, kept.server)
    assert proof.findings[0].sentence == kept.problem


def test_a_commit_that_is_under_way_keeps_the_verdict_from_being_noted(made: Snapshot) -> None:
    """But not from being found."""
    made.commit({"a": string("1")})
    with Repository.open(made.path).lock():
        verified = Backup(made.path, lock_wait=0).verify()
    assert verified.whole
    assert "is working in" in verified.unnoted
    assert Backup(made.path).rehearsal() is None


def test_nothing_but_the_notes_changes(made: Snapshot, valkey: LiveServer) -> None:
    """Neither the database, nor HEAD, the index and the work tree, even where they are edited."""
    made.commit({"a": string("1"), "odd": ALTERED[NO_ID]})
    git(made.path, "notes", "add", "-m", "mine")
    (made.path / "db0/_.json").write_text("edited")
    (made.path / "staged").write_text("staged")
    git(made.path, "add", "staged")
    before = {name: data for name, data in everything(made.path).items() if _a_person_s(name)}
    with valkey.client() as client:
        client.set("a", "1")
        digest = client.execute_command("DEBUG", "DIGEST")
        Backup(made.path, valkey.url).verify()
        assert digest == client.execute_command("DEBUG", "DIGEST")
    after = {name: data for name, data in everything(made.path).items() if _a_person_s(name)}
    assert before == after


def _a_person_s(name: str) -> bool:
    ours = (".git/objects/", ".git/gitbackup/", ".git/refs/notes/gitbackup", ".git/logs/refs/notes")
    return not name.startswith(ours)


def test_a_commit_that_there_is_not_is_a_usage_error(made: Snapshot) -> None:
    Repository.create(made.path)
    with pytest.raises(UsageError, match="there is no commit"):
        Backup(made.path).verify()
    assert Backup(made.path).verify(None).proofs == []


# --- damage below git


def flip(pack: Path, at: int) -> None:
    pack.chmod(0o600)
    data = bytearray(pack.read_bytes())
    data[at] ^= 1
    pack.write_bytes(data)


@pytest.mark.long
def test_a_flipped_byte_in_a_pack_is_found_and_the_repository_named(made: Snapshot) -> None:
    """Anywhere: it may hit the commit, its tree, its files, or what git keeps beside them."""
    made.commit({"a": string("1" * 2_000)})
    (pack,) = (made.path / ".git/objects/pack").glob("*.pack")
    for at in range(0, pack.stat().st_size, pack.stat().st_size // 6):
        flip(pack, at)
        assert Backup(made.path).verify().problems != [], at
        flip(pack, at)
        assert Backup(made.path).verify().problems == []


def test_a_missing_blob_is_found_and_its_file_named(made: Snapshot) -> None:
    made.commit({"a": string("1")})
    (made.path / "db0/_.json").write_bytes(file_format.encode_stored({"a": string("2")}))
    git(made.path, "commit", "--quiet", "-am", "by hand, so that its objects are loose")
    lost = git(made.path, "rev-parse", "HEAD:db0/_.json")
    (made.path / ".git/objects" / lost[:2] / lost[2:]).unlink()
    verified = Backup(made.path).verify()
    (proof,) = verified.proofs
    assert f"missing blob {lost}" in verified.problems
    assert [(f.sort, f.path) for f in proof.findings] == [(Sort.DAMAGED, "db0/_.json")]
    assert lost in proof.findings[0].sentence
    assert Backup(made.path).verify("HEAD~1").proofs[0].verdict == Verdict.PASSED
