"""What `import` reads: our own exports, and two other tools' dumps as these really write them.

The dumps in tests/dumps were made by npm's redis-dump 0.1.10 and redis-dump-load 1.1 (with
redis-py 3.5) of one database each.
"""

from __future__ import annotations

import json
from io import BytesIO
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gitbackup.errors import UsageError
from gitbackup.format import codec
from gitbackup.kinds import KINDS
from gitbackup.model.keys import FUNCTIONS, Entry, Key, Scope
from gitbackup.snapshot import file_format
from gitbackup.snapshot.sources import Spool
from gitbackup.transfer.export_reader import read
from gitbackup.transfer.formats import FORMS
from tests.kinds.examples import EXAMPLES

DUMPS = Path(__file__).parents[1] / "dumps"
NOW = 1_800_000_000_000
FACTS: dict[str, Any] = {
    "commit": None,
    "patterns": [],
    "redacted": [],
    "scope": {"databases": "all", "exclude": [], "functions": True, "include": []},
    "taken_at": "2026-11-24T14:00:00.000Z",
}
SOURCE = "#!lua name=mylib\nredis.register_function('f', function() return 1 end)\n"


def entries_of(content: bytes) -> tuple[dict[Key, Entry], list[str]]:
    """All entries, read back from the files of a snapshot; and the warnings."""
    with Spool() as spool:
        dump = read(BytesIO(content), "FILE", NOW, spool)
        found = dict[Key, Entry]()
        for path, file in dump.files():
            found |= file_format.decode_file(path, file)
        return found, dump.warnings


def written(form: str, entries: dict[Key, Entry]) -> bytes:
    gathered = {key: FORMS[form].entry(key, entry) for key, entry in entries.items()}
    return b"".join(FORMS[form].file(FACTS, sorted(entries), gathered.__getitem__))


def refusal(content: bytes) -> str:
    with pytest.raises(UsageError) as refused:
        entries_of(content)
    return str(refused.value)


def entries() -> st.SearchStrategy[dict[Key, Entry]]:
    names = st.sampled_from(["a", "user:1", "base64:/w==", "base64:YmFzZTY0Og==", "é"])
    kinds = st.sampled_from(sorted(EXAMPLES))
    values = kinds.flatmap(
        lambda kind: EXAMPLES[kind].strategy.map(
            lambda value: {"type": kind, "value": KINDS[kind].canonicalize(value)}
        )
    )
    return st.dictionaries(st.builds(Key, st.sampled_from([0, 3, 15]), names), values)


@given(given_entries=entries())
@pytest.mark.parametrize("form", ["json", "jsonl"])
def test_what_is_written_reads_back_equal(form: str, given_entries: dict[Key, Entry]) -> None:
    given_entries[Key(FUNCTIONS, "mylib")] = {"type": "function", "value": SOURCE}
    found, warnings = entries_of(written(form, given_entries))
    assert codec.encode([*found.values()]) == codec.encode([given_entries[key] for key in found])
    assert (found.keys(), warnings) == (given_entries.keys(), [])


PLAIN: dict[str, Any] = {
    "apikey:42": {"type": "hash", "value": {"createdAt": "2026-11-22", "name": "alice"}},
    "config": {"type": "string", "value": '{"limits": {"daily": 250}}'},
    "empty": {"type": "string", "value": ""},
    "greeting": {"type": "string", "value": "héllo 👋"},
    "plain": {"type": "zset", "value": {"alice": 1, "bob": 250}},
    "queue": {"type": "list", "value": ["b", "a", "b"]},
    "tags": {"type": "set", "value": ["10", "x", "y"]},
    "tricky": {"type": "string", "value": codec.text(b"base64:aGk=")},
}
NO_DATABASE = (
    "the file does not name a database: its keys are written to database 0, or to that of"
    " `databases` or the URL"
)
SINCE = (
    "2 keys expire, and the file does not say when it was made: the time to live counts from now"
)
CUT = (
    "2 sorted sets are from redis-dump, which truncates scores to whole numbers: the"
    " fractions are lost"
)


def expiring(file: Path) -> dict[str, Any]:
    """Two keys that expire, as the file tells of them."""
    return {key: json.loads(file.read_bytes())[key] for key in ("session:1", "session:2")}


@pytest.mark.parametrize("file", ["redis-dump", "redis-dump-pretty"])
def test_redis_dump_is_read_and_what_it_leaves_open_is_told(file: str) -> None:
    path = DUMPS / f"{file}.json"
    found, warnings = entries_of(path.read_bytes())
    rank = {"alice": 1, "big": 1, "bob": 2, "zoe": -3}
    for key, told in expiring(path).items():
        expires_at = codec.instant(NOW + told.pop("ttl") * 1000)
        assert found.pop(Key(0, key)) == {**told, "expires_at": expires_at}
    assert found.pop(Key(0, "rank")) == {"type": "zset", "value": rank}
    assert found == {Key(0, key): entry for key, entry in PLAIN.items()}
    assert warnings == [NO_DATABASE, SINCE, CUT]


@pytest.mark.parametrize("file", ["load", "load-pretty", "load-infinite"])
def test_redis_dump_load_is_read_with_the_instants_that_it_tells(file: str) -> None:
    path = DUMPS / f"redis-dump-{file}.json"
    found, warnings = entries_of(path.read_bytes())
    rank = {"alice": 1, "big": 1e21, "bob": 2.5, "zoe": -3}
    for key, told in expiring(path).items():
        assert told.pop("ttl") > 3000
        expires_at = codec.instant(round(told.pop("expireat") * 1000))
        assert found.pop(Key(0, key)) == {**told, "expires_at": expires_at}
    assert found.pop(Key(0, "rank")) == {"type": "zset", "value": rank}
    if file == "load-infinite":
        assert found.pop(Key(0, "limits"))["value"] == {"low": "-inf", "top": "inf"}
    assert found == {Key(0, key): entry for key, entry in PLAIN.items()}
    assert warnings == [NO_DATABASE]


def test_redis_dump_load_tells_when_it_was_made() -> None:
    with Spool() as spool, (DUMPS / "redis-dump-load.json").open("rb") as file:
        told = read(file, "FILE", NOW, spool).taken_at
    first = json.loads((DUMPS / "redis-dump-load.json").read_bytes())["session:1"]
    assert told == round(first["expireat"] * 1000) - round(first["ttl"] * 1000)


def test_a_score_that_redis_dump_has_lost_is_asked_for() -> None:
    assert refusal((DUMPS / "redis-dump-lossy.json").read_bytes()) == (
        "FILE, line 1: key 'limits': the score of 'low' is null, which redis-dump writes"
        " for inf and -inf: change it to Infinity or -Infinity"
    )


def test_a_score_that_was_put_there_is_read_and_lost_bytes_are_told() -> None:
    content = (DUMPS / "redis-dump-lossy.json").read_bytes()
    content = content.replace(b'[null,"low"]', b'[-Infinity,"low"]')
    found, warnings = entries_of(content.replace(b'[null,"top"]', b'[Infinity,"top"]'))
    assert found[Key(0, "limits")]["value"] == {"low": "-inf", "top": "inf"}
    assert warnings[-1] == (
        "1 key contains the character U+FFFD: redis-dump writes it for bytes that are not UTF-8,"
        " and those bytes are lost"
    )


def test_values_that_redis_dump_put_by_the_wrong_keys_are_refused() -> None:
    """It asked nothing for a stream, and gave each key after it the next one's value."""
    assert refusal((DUMPS / "redis-dump-shifted.json").read_bytes()) == (
        "FILE, line 1: key 'd': it has no value: if the database has a stream or a"
        " module's type, redis-dump writes values under the wrong keys, so no value in"
        " this file can be trusted"
    )


DOCUMENT = written("json", {Key(0, "a"): {"type": "string", "value": "1"}})
LINES = written("jsonl", {Key(0, "a"): {"type": "string", "value": "1"}})
REFUSED = [
    (b"", "FILE, line 1: not valid JSON: "),
    (b"hello", "FILE, line 1: not valid JSON: "),
    (b"[]", "FILE, line 1: neither a gitbackup export (json or jsonl) nor a dump of redis-du"),
    (b'{"a": 1}', "FILE, line 1: neither a gitbackup export (json or jsonl) nor a dump of re"),
    (b"*2\r\n$6\r\nSELECT\r\n$1\r\n0\r\n", "FILE: these are commands for redis-cli --pipe, whic"),
    (DOCUMENT[:-30], "FILE, line "),
    (DOCUMENT.replace(b"export/1", b"export/2"), "FILE, line 1: the schema is 'gitbackup.export/2"),
    (DOCUMENT.replace(b'"string"', b'"hash"'), "FILE, line 15: key 'a': the value is not an obje"),
    (DOCUMENT.replace(b'"1"', b"1"), "FILE, line 15: key 'a': the value is not a string"),
    (DOCUMENT.replace(b'"0"', b'"zero"'), "FILE: 'zero' is not the number of a database"),
    (DOCUMENT.replace(b'"0"', b'"00"'), "FILE: '00' is not the number of a database"),
    (DOCUMENT.replace(b'"all"', b"[3]"), "FILE, line 15: key 'a': it is outside the scope and pat"),
    (DOCUMENT.replace(b'"patterns": []', b'"patterns": ["b*"]'), "FILE, line 15: key 'a': it is "),
    (DOCUMENT.replace(b'"redacted": []', b'"redacted": ["*token*"]'), (
        "FILE, line 1: the export is redacted, so values are missing: export it again without"
        " `redact`"
    )),
    (DOCUMENT.replace(b'"libraries": {}', b'"libraries": {"b": "x"}'), "FILE, line 21: key 'b': "
     "does not begin like #!lua name=mylib"),
    (DOCUMENT.replace(b'"libraries"', b'"more"'), "FILE, line 1: the export lacks 'libraries'"),
    (DOCUMENT.replace(b'"taken_at": "2', b'"taken_at": "x2'), "FILE, line 1: the header of the"),
    (DOCUMENT.replace(b'"value": "1"', b'"value": "1", "value": "2"'), "FILE, line 17: duplicate"),
    (LINES.replace(b'"entries":1', b'"entries":2'), "FILE, line 1: it announces 2 entries, but"),
    (LINES.partition(b"\n")[0] + b"\n", "FILE, line 1: it announces 1 entries, but 0 follow: the "),
    (LINES[:-20], "FILE, line 2: not valid JSON: "),
    (LINES + LINES, "FILE, line 3: not an entry of an export: it needs db, key and entry"),
    (LINES.replace(b'"key":"a"', b'"key":"a","key":"b"'), "FILE, line 2: duplicate name 'key'"),
    (LINES.replace(b'"db":0', b'"db":-1'), "FILE, line 2: key 'a': -1 is not the number of a dat"),
    (LINES.replace(b'"string"', b'"list"'), "FILE, line 2: key 'a': the value is not an array"),
    (LINES.replace(b'"1"', b'"base64:?"'), "FILE, line 2: key 'a': the value begins with base64:"),
    (b'{"a": {"type": "string", "value": "x", "more": 1}}', "FILE, line 1: key 'a': unknown mem"),
    (b'{"a": {"type": "stream", "value": []}}', "FILE, line 1: key 'a': such a dump cannot conta"),
    (b'{"a": {"type": "hash", "value": {}}}', "FILE, line 1: key 'a': the value is empty"),
    (b'{"a": {"type": "string", "value": null}}', "FILE, line 1: key 'a': the value is not a str"),
    (b'{"a": {"type": "string", "value": "", "ttl": "1"}}', "FILE, line 1: key 'a': '1' is not a"),
    (b'{"a": {"type": "string", "value": "", "ttl": 1e300}}', "FILE, line 1: key 'a': 1e+300 sec"),
    (b'{"a": {"type": "zset", "value": [["x"]]}}', "FILE, line 1: key 'a': the value is not an a"),
    (b'{"a": {"type": "zset", "value": [["x", "y"]]}}', "FILE, line 1: key 'a': the value is not"),
    (b'{"a": {"type": "zset", "value": [["x", 1], ["x", 2]]}}', "FILE, line 1: key 'a': duplicate"),
    (b'{"a": {"type": "zset", "value": [["x", NaN], ["y", Infinity]]}}', "FILE, line 1: not valid"),
    (b'{"a": {"type": "zset", "value": [["x", 1%s], ["y", Infinity]]}}' % (b"0" * 400), "FILE, "
     "line 1: not valid JSON: nested too deeply, or an invalid number or string"),
    (b'{"a": {"type": "zset", "value": [["x", true]]}}', "FILE, line 1: key 'a': True is not a sc"),
    (b'{"a": {"type": "list", "value": ["\\ud800", Infinity]}}', "FILE, line 1: not valid"),
]  # fmt: skip


@pytest.mark.parametrize(("content", "sentence"), REFUSED)
def test_a_file_that_is_not_right_is_refused_with_line_and_key(
    content: bytes, sentence: str
) -> None:
    assert refusal(content)[: len(sentence)] == sentence
    assert "\n" not in refusal(content)


def test_a_document_that_a_person_has_laid_out_anew_reads_the_same() -> None:
    squeezed = json.dumps(json.loads(DOCUMENT), sort_keys=True).encode()
    assert entries_of(squeezed) == entries_of(DOCUMENT)


def test_a_key_of_a_dump_may_be_called_as_ours_are() -> None:
    found, _ = entries_of(b'{"schema": {"type": "string", "value": "x"}}')
    assert found == {Key(0, "schema"): {"type": "string", "value": "x"}}


def test_what_it_is_a_copy_of_is_told() -> None:
    scope = {"databases": "all", "exclude": [], "functions": False, "include": []}
    facts = FACTS | {"patterns": ["a*"], "scope": scope}
    with Spool() as spool:
        content = b"".join(FORMS["json"].file(facts, [], lambda _: b""))
        dump = read(BytesIO(content), "FILE", NOW, spool)
    assert (dump.scope, dump.patterns) == (Scope(functions=False), ("a*",))
    assert codec.instant(dump.taken_at) == FACTS["taken_at"]


LATIN = {
    "caf\u00e9": {"type": "string", "value": "caf\u00e9"},
    "list": {"type": "list", "value": ["\u0080", "a"]},
    "hash": {"type": "hash", "value": {"\u00ff": "1"}},
    "zset": {"type": "zset", "value": [["\u00e9", 1]]},
}


def recoded(document: object, encoding: str | None) -> dict[Key, Entry]:
    with Spool() as spool:
        dump = read(BytesIO(json.dumps(document).encode()), "FILE", NOW, spool, encoding)
        files = [*dump.files()]
        return {
            key: entry for _, found in file_format.decode_all(files) for key, entry in found.items()
        }


def test_bytes_that_were_taken_for_another_encoding_come_back() -> None:
    """As redis-dump-load writes them with -E."""
    found = recoded(LATIN, "iso-8859-1")
    values = {codec.data(key.name): entry["value"] for key, entry in found.items()}
    assert codec.data(values[b"caf\xe9"]) == b"caf\xe9"
    assert [*map(codec.data, values[b"list"])] == [b"\x80", b"a"]
    assert [*map(codec.data, values[b"hash"])] == [b"\xff"]
    assert [*map(codec.data, values[b"zset"])] == [b"\xe9"]
    found = recoded({"\u043a\u043b\u044e\u0447": {"type": "string", "value": "x"}}, "koi8-r")
    assert [codec.data(key.name) for key in found] == ["\u043a\u043b\u044e\u0447".encode("koi8-r")]


def test_text_that_may_be_either_is_not_guessed_at() -> None:
    with pytest.raises(
        UsageError, match="`encoding` iso-8859-1 if it was made like that, otherwise with"
    ):
        recoded(LATIN, None)
    assert {key.name for key in recoded(LATIN, "utf-8")} == {"caf\u00e9", "list", "hash", "zset"}
    clear = {**LATIN, "more": {"type": "string", "value": "\u20ac"}}
    assert recoded(clear, None) == recoded(clear, "utf-8")


@pytest.mark.parametrize(("content", "encoding", "sentence"), [
    (LATIN, "nonsense", "there is no encoding 'nonsense'"),
    (LATIN, "rot13", "there is no encoding 'rot13'"),
    (LATIN, "utf_16", "there is no encoding 'utf_16'"),
    (LATIN, "ascii", "not text in ascii"),
    (json.loads(DOCUMENT), "utf-8", "`encoding` is only for dumps of other tools"),
])  # fmt: skip
def test_an_encoding_that_cannot_be_is_told(content: object, encoding: str, sentence: str) -> None:
    with pytest.raises(UsageError, match=sentence):
        recoded(content, encoding)
