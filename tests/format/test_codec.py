"""Bytes to JSON text and back, nothing lost: the text rule, instants, scores, documents."""

from __future__ import annotations

import json
import math
import struct
from base64 import b64decode, b64encode
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gitbackup.errors import Damaged
from gitbackup.format import codec
from tests.databases import AWKWARD

DAY = 86_400_000


def double(bits: int) -> float:
    return float(struct.unpack("<d", struct.pack("<Q", bits))[0])


def bits(value: float) -> bytes:
    return struct.pack("<d", value)


def stored(value: float) -> str:
    """A score as it stands in a file."""
    return codec.encode(codec.written(codec.score(value))).decode().strip()


@given(st.binary() | st.sampled_from(AWKWARD) | st.binary().map(lambda b: b"base64:" + b))
def test_text_gives_back_its_bytes(data: bytes) -> None:
    assert codec.data(codec.text(data)) == data


@given(st.binary() | st.sampled_from(AWKWARD))
def test_text_is_a_plain_json_string(data: bytes) -> None:
    assert json.loads(codec.encode(codec.text(data))) == codec.text(data)


@pytest.mark.parametrize("piece", [6, codec.PIECE])
@given(st.binary() | st.text().map(codec.raw) | st.binary().map(lambda b: b"base64:" + b))
def test_text_is_written_at_once_as_it_is_in_two_steps(piece: int, data: bytes) -> None:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(codec, "PIECE", piece)
        written = codec.write(data)
    assert codec.encode(written) == codec.encode(codec.text(data))
    assert codec.unwritten(written) == codec.loose(data)


@pytest.mark.parametrize("piece", [6, codec.PIECE])
@given(st.text("AQgw/+=é ", max_size=40) | st.binary().map(lambda b: b64encode(b).decode()))
def test_base64_is_read_piece_by_piece_as_it_is_at_once(piece: int, digits: str) -> None:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(codec, "PIECE", piece)
        patch.setattr(codec, "DIGITS", piece // 3 * 4)
        try:
            data = b64decode(digits, validate=True)
        except ValueError:
            with pytest.raises(ValueError, match=r"[Pp]adding|base64|character|ASCII"):
                codec.data(f"base64:{digits}")
            return
        assert codec.data(f"base64:{digits}") == data
        normal = codec.text(data) == f"base64:{digits}"
        assert codec.is_encoded(f"base64:{digits}", data) == normal


@given(st.text(st.characters(exclude_categories=["Cs"])))
def test_text_that_is_text_is_itself(text: str) -> None:
    expected = f"base64:{text}" if text.startswith("base64:") else text
    assert codec.text(text.encode()).startswith(expected[:7])
    assert text.startswith("base64:") or codec.text(text.encode()) == text


@pytest.mark.parametrize(
    ("data", "text"),
    [
        (b"", ""),
        (b"a\0b", "a\0b"),
        (b"base64:", "base64:YmFzZTY0Og=="),
        (b"base64:aGk=", "base64:YmFzZTY0OmFHaz0="),
        (b"Base64:", "Base64:"),
        (b"\xff", "base64:/w=="),
        (b"\xed\xa0\x80", "base64:7aCA"),
        (b"\xc0\x80", "base64:wIA="),
        ("é\U0001f600".encode(), "é\U0001f600"),
    ],
)
def test_the_text_rule_by_example(data: bytes, text: str) -> None:
    assert codec.text(data) == text


@pytest.mark.parametrize("text", ["base64:a", "base64:aGk", "base64:a*Gk=", "base64: aGk="])
def test_what_only_begins_like_base64_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match=r"."):
        codec.data(text)


@pytest.mark.parametrize(
    ("milliseconds", "instant"),
    [
        (0, "1970-01-01T00:00:00.000Z"),
        (1, "1970-01-01T00:00:00.001Z"),
        (1_800_000_000_120, "2027-01-15T08:00:00.120Z"),
        (253_402_300_799_999, "9999-12-31T23:59:59.999Z"),
        (253_402_300_800_000, 253_402_300_800_000),
        (2**63 - 1, 2**63 - 1),
        (-1, -1),
    ],
)
def test_an_instant_has_milliseconds_and_past_the_year_9999_is_a_number(
    milliseconds: int, instant: str | int
) -> None:
    assert codec.instant(milliseconds) == instant
    assert codec.milliseconds(instant) == milliseconds


@given(st.integers(0, 2**63 - 1) | st.integers(0, codec.FOREVER))
def test_an_instant_gives_back_its_milliseconds(milliseconds: int) -> None:
    assert codec.milliseconds(codec.instant(milliseconds)) == milliseconds


@pytest.mark.parametrize("instant", ["2027-01-15T10:00:00.123+02:00", "2027-01-15 08:00:00.123Z"])
def test_an_instant_may_be_written_in_other_words(instant: str) -> None:
    assert codec.instant(codec.milliseconds(instant)) == "2027-01-15T08:00:00.123Z"


@pytest.mark.parametrize("instant", ["2027-01-15T08:00:00", "soon", "", True, None, 1.5, [], 2**63])
def test_what_is_no_instant_is_refused(instant: object) -> None:
    with pytest.raises(ValueError, match=r"."):
        codec.milliseconds(instant)


@pytest.mark.parametrize("instant", ["2027-01-15T08:00:00.1234Z", "2027-01-15T08:00:00,000000001Z"])
def test_an_instant_is_not_rounded(instant: str) -> None:
    with pytest.raises(ValueError, match="has more than milliseconds"):
        codec.milliseconds(instant)


def test_an_instant_may_have_zeros_beyond_its_milliseconds() -> None:
    assert codec.milliseconds("1970-01-01T00:00:00.120000000Z") == 120


@pytest.mark.parametrize(
    ("pattern", "written"),
    [  # RFC 8785, appendix B; but for -0.0, which keeps its sign
        (0x0000000000000000, "0"),
        (0x8000000000000000, "-0.0"),
        (0x0000000000000001, "5e-324"),
        (0x8000000000000001, "-5e-324"),
        (0x7FEFFFFFFFFFFFFF, "1.7976931348623157e+308"),
        (0xFFEFFFFFFFFFFFFF, "-1.7976931348623157e+308"),
        (0x4340000000000000, "9007199254740992"),
        (0xC340000000000000, "-9007199254740992"),
        (0x4430000000000000, "295147905179352830000"),
        (0x44B52D02C7E14AF5, "9.999999999999997e+22"),
        (0x44B52D02C7E14AF6, "1e+23"),
        (0x44B52D02C7E14AF7, "1.0000000000000001e+23"),
        (0x444B1AE4D6E2EF4E, "999999999999999700000"),
        (0x444B1AE4D6E2EF4F, "999999999999999900000"),
        (0x444B1AE4D6E2EF50, "1e+21"),
        (0x3EB0C6F7A0B5ED8C, "9.999999999999997e-7"),
        (0x3EB0C6F7A0B5ED8D, "0.000001"),
        (0x41B3DE4355555553, "333333333.3333332"),
        (0x41B3DE4355555554, "333333333.33333325"),
        (0x41B3DE4355555555, "333333333.3333333"),
        (0x41B3DE4355555556, "333333333.3333334"),
        (0x41B3DE4355555557, "333333333.33333343"),
        (0xBECBF647612F3696, "-0.0000033333333333333333"),
        (0x43143FF3C1CB0959, "1424953923781206.2"),
    ],
)
def test_a_score_is_written_as_rfc_8785_says(pattern: int, written: str) -> None:
    assert stored(double(pattern)) == written


@pytest.mark.parametrize(
    ("value", "written"),
    [
        (1.0, "1"),
        (-17.0, "-17"),
        (2.0**53 - 1, "9007199254740991"),
        (2.0**53 + 2, "9007199254740994"),
        (1e20, "100000000000000000000"),
        (0.1, "0.1"),
        (1e-5, "0.00001"),
        (1.5e-10, "1.5e-10"),
        (math.inf, '"inf"'),
        (-math.inf, '"-inf"'),
    ],
)
def test_scores_by_example(value: float, written: str) -> None:
    assert stored(value) == written


@given(st.integers(0, 2**64 - 1).map(double).filter(lambda value: not math.isnan(value)))
def test_a_score_reads_back_to_the_same_double(value: float) -> None:
    assert bits(codec.number(codec.load(stored(value).encode()))) == bits(value)


@given(st.floats(allow_nan=False, allow_infinity=False))
def test_a_score_has_no_more_digits_than_it_takes(value: float) -> None:
    def digits(number: str) -> str:
        return number.partition("e")[0].lstrip("-0.").replace(".", "").rstrip("0")

    assert digits(stored(value)) == digits(repr(value))


@pytest.mark.parametrize("score", ["1", "nan", "Infinity", "", True, None, math.inf, math.nan, []])
def test_what_is_no_score_is_refused(score: object) -> None:
    with pytest.raises(ValueError, match="is not a score"):
        codec.number(score)


def test_a_document_is_sorted_indented_utf_8_with_a_final_newline() -> None:
    document: dict[str, Any] = {"é": [1, "\U0001f600"], "b": {}, "B": None}
    expected = '{\n  "B": null,\n  "b": {},\n  "é": [\n    1,\n    "\U0001f600"\n  ]\n}\n'
    assert codec.encode(document) == expected.encode()


def test_loose_text_never_reaches_a_document() -> None:
    with pytest.raises(TypeError):
        codec.encode({codec.loose(b"\xff"): 1})


@pytest.mark.parametrize("depth", [255, 400, 2000])
def test_what_is_nested_too_deeply_is_told_with_its_file(depth: int) -> None:
    content = b'{"a": ' + b"[" * depth + b"]" * depth + b"}"
    with pytest.raises(Damaged, match=r"^db0/a.json, line 1: not valid"):
        codec.decode("db0/a.json", content)


@pytest.mark.parametrize(
    ("content", "line"),
    [
        (b'{\n  "a": 1,\n  "b" 2\n}\n', 3),
        (b'{\n  "a": 1,\n}\n', 2),
        (b"", 1),
        (b'{"a": NaN}', 1),
        (b'\n\n{"a": "\xff"}', None),
        (b'\n{"a": "\\ud800"}', 2),
        (b"\xef\xbb\xbf{}", 1),
        (b'{"a": 1} {"b": 2}', 1),
    ],
)
def test_what_is_no_json_is_told_with_file_and_line(content: bytes, line: int | None) -> None:
    with pytest.raises(Damaged, match=rf"^db0/a.json, line {line or '.'}: not valid JSON: "):
        codec.decode("db0/a.json", content)


@pytest.mark.parametrize(
    ("content", "line"),
    [
        (b'{\n"a": 1,\n"b": 2,\n"a": 1\n}', 4),
        (b'{\n"x": {\n"k": 1,\n"k": 2}}', 4),
        (b'[{"v": 1}, {"k": 1,\n"k": 2}]', 2),
    ],
)
def test_twin_names_are_told_with_file_and_line(content: bytes, line: int) -> None:
    with pytest.raises(Damaged, match=f"^db0/a.json, line {line}: duplicate name '[ak]'"):
        codec.decode("db0/a.json", content)


TEXT = st.text(st.characters(exclude_categories=["Cs"]))
LEAVES = st.none() | st.booleans() | st.integers(-(2**53), 2**53) | TEXT
DOCUMENTS = st.recursive(LEAVES, lambda inner: st.lists(inner) | st.dictionaries(TEXT, inner))


@given(DOCUMENTS)
def test_a_document_reads_back_however_it_is_written(document: object) -> None:
    pretty = json.dumps(document, ensure_ascii=True, indent=7).encode()
    assert codec.decode("a.json", codec.encode(document)) == document
    assert codec.decode("a.json", pretty) == document
