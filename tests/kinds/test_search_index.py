"""The text of a search index: written in one way, and read back only if it is."""

from __future__ import annotations

import pytest

from gitbackup.kinds import search_index
from gitbackup.kinds.search_index import Definition, Untold

PEOPLE = (
    b"FT.CREATE people\n  ON HASH\n  PREFIX 1 user:\n  SCHEMA\n  name TEXT\n"
    b"FT.SYNUPDATE people g1 boy child\n"
)
ODD = Definition(
    b"\xff \"'\\",
    ((b"ON", b"JSON"), (b"FILTER", b"@a == 'b c'\n")),
    ((b'$.a["b c"]', b"AS", b"", b"TAG", b"SEPARATOR", b"\t"), ("é\u2028".encode(), b"TEXT")),
    ((b"g", b"a b", b"c"),),
)


@pytest.mark.parametrize("definition", [search_index.parse(PEOPLE), ODD])
def test_a_definition_is_read_back_from_its_text(definition: Definition) -> None:
    assert search_index.parse(definition.text) == definition


def test_a_text_is_readable() -> None:
    assert ODD.text.decode() == (
        'FT.CREATE "\\xff \\"\'\\\\"\n'
        "  ON JSON\n"
        "  FILTER \"@a == 'b c'\\n\"\n"
        "  SCHEMA\n"
        '  "$.a[\\"b c\\"]" AS "" TAG SEPARATOR "\\t"\n'
        '  "é\\xe2\\x80\\xa8" TEXT\n'
        'FT.SYNUPDATE "\\xff \\"\'\\\\" g "a b" c\n'
    )


@pytest.mark.parametrize(
    "text",
    [
        b"",
        b"\xff",
        b"FLUSHALL\n",
        b"FT.CREATE\n",
        b"  FT.CREATE a\n",
        b"FT.CREATE a\n  ON HASH\n",
        PEOPLE.replace(b"people g1", b"others g1"),
        PEOPLE.replace(b"FT.SYNUPDATE", b"FLUSHALL"),
        PEOPLE + b"FLUSHALL\n",
        PEOPLE.replace(b"  SCHEMA\n", b""),
        PEOPLE.replace(b"name", b'"name"'),
        PEOPLE[:-1],
        PEOPLE.replace(b"name", b'"' + b'\\"' * 50_000),
        PEOPLE.replace(b"name", b'"' + b'\\"' * 50_000 + b'" "'),
        PEOPLE.replace(b"name", b'"' * 50_001),
        PEOPLE.replace(b"  SCHEMA", b"  NOFIELDS\n  MAXTEXTFIELDS\n  SCHEMA"),
        PEOPLE.replace(b"  SCHEMA", b"  NOFIELDS\n  SCHEMA" + b"\n  a TEXT" * 40),
    ],
)
def test_what_is_not_written_so_is_refused(text: bytes) -> None:
    with pytest.raises(ValueError, match=r"line [0-9]+: "):
        search_index.parse(text)


def test_fields_and_synonyms_are_added_without_creating_the_index_anew() -> None:
    before = search_index.parse(PEOPLE)
    after = search_index.parse(
        PEOPLE.replace(b"TEXT\n", b"TEXT\n  city TAG\n").replace(b"boy", b"boy girl")
        + b"FT.SYNUPDATE people g2 a\n"
    )
    assert after.change(before) == [
        ("FT.ALTER", b"people", "SCHEMA", "ADD", b"city", b"TAG"),
        ("FT.SYNUPDATE", b"people", b"g1", b"boy", b"girl", b"child"),
        ("FT.SYNUPDATE", b"people", b"g2", b"a"),
    ]
    assert before.change(after) is None


@pytest.mark.parametrize(
    ("about", "options", "field", "lacks"),
    [
        ({"shape": "new"}, [], {}, "its shape is not known"),
        ({}, ["NOVEL"], {}, "its option NOVEL is not known"),
        ({}, [], {"type": "MATRIX"}, "the type MATRIX of its field 'f' is not known"),
        ({}, [], {"flags": ["LOUD"]}, "LOUD of its field 'f' is not known"),
        ({}, [], {"colour": "red"}, "colour of its field 'f' is not known"),
        ({}, [], {"type": "VECTOR"}, "how its field 'f' is indexed is not known"),
    ],
)
def test_what_is_not_known_is_named_and_not_guessed(
    about: dict[str, str], options: list[str], field: dict[str, object], lacks: str
) -> None:
    attribute = {"identifier": "f", "attribute": "f", "type": "GEO", "flags": [], **field}
    info = {
        "index_definition": {"key_type": "HASH", "prefixes": [""], "default_score": 1, **about},
        "index_options": options,
        "attributes": [attribute],
    }
    with pytest.raises(Untold, match=lacks):
        search_index.told(b"i", [info, {}])
