"""Nothing that a terminal would act on, or not show, is ever said as it is."""

from __future__ import annotations

import json
import re
import sys
import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gitbackup.format.names import escape, name, shown
from gitbackup.format.unprintable import escaped, hides, is_plain, json_escape
from gitbackup.report.text.redis_cli import command_line
from tests.cli.conftest import user  # noqa: F401  a fixture
from tests.cli.user import User
from tests.store.plain import git

IGNORABLE = [
    *(0x034F, 0x115F, 0x1160, 0x17B4, 0x17B5, 0x2800, 0x3164, 0xFFA0),
    *range(0x180B, 0x1810),
    *range(0xFE00, 0xFE10),
    *range(0xE0100, 0xE01F0),
]
"""What Unicode calls Default_Ignorable_Code_Point, and is of no category that tells so; and the
Braille pattern without a dot."""

HOSTILE = [
    *("\x00", "\x07", "\x1b[2J", "\x7f", "\x9b31m", "\r", "\x08"),
    *("\u061c", "\u200b", "\u200c", "\u200d", "\u200e", "\u200f", "\u2028", "\u2029"),
    *("\u202a", "\u202b", "\u202c", "\u202d", "\u202e", "\u2060", "\u2066", "\u2067"),
    *("\u2068", "\u2069", "\u206a", "\ufeff", "\ufff9", "\ufffe", "\udc80", "\ue000"),
    *("\U000e0001", "\U000e0041", "\U000e007f", "\U000e0100", "\U0001d173", "\u115f", "\u3164"),
    *("\ufe0f", "\u034f", "\u180e", "\u00ad", "\u2800"),
]

EMOJI = ["👩‍👩‍👧‍👦", "👍🏽", "❤️", "❤️‍🔥", "🏳️‍🌈", "1️⃣", "©️", "🙂", "日本語", "é", "नमस्ते", "العربية"]


def test_every_code_point_that_hides_is_in_the_table() -> None:
    for number in range(sys.maxunicode + 1):
        character = chr(number)
        kind = unicodedata.category(character)
        hidden = kind in ("Cc", "Cf", "Co", "Cs", "Cn", "Zl", "Zp") or number in IGNORABLE
        if kind != "Zs":
            assert hides(character) == hidden, hex(number)


@pytest.mark.parametrize("text", HOSTILE)
def test_what_hides_is_escaped_wherever_it_stands(text: str) -> None:
    for whole in (
        text,
        f"a{text}b",
        f"🙂{text}b",
        f"a{text}🙂",
        text * 3,
        f"م{text}م",
        f"क्{text}ष",
    ):
        for told in (escaped(whole), escape(whole), name(whole), shown(whole)):
            bare = re.sub("[🙂]\ufe0f", "", told)  # an emoji with its colours is one
            assert not any(map(hides, bare)), whole
    assert json.loads(f'"{escaped(text, json_escape)}"') == text


@pytest.mark.parametrize("text", EMOJI)
def test_emoji_and_scripts_are_shown_as_they_are(text: str) -> None:
    assert escaped(f"a {text} b") == f"a {text} b"
    assert escape(text) == text


def test_a_joiner_in_words_is_told() -> None:
    """Two names that differ in it alone must not look alike."""
    persian = "\u0645\u06cc", "\u062e\u0648"
    assert escape("\u200c".join(persian)) == "\\u200c".join(persian)
    assert escape("क्\u200dष") == "क्\\u200dष"
    assert escape("a\u200db") == "a\\u200db"
    assert escape("👩\u200db") == "👩\\u200db"


@given(st.text())
def test_what_is_told_is_plain_but_for_emoji(text: str) -> None:
    told = escaped(text)
    assert escaped(told) == told
    assert is_plain(told.translate({0x200D: None, 0xFE0F: None}).replace("\u00a0", "")) or any(
        unicodedata.category(c) == "Zs" for c in told
    )


@given(st.text())
def test_escapes_give_the_text_back(text: str) -> None:
    assert (
        json.loads('"' + escaped(json.dumps(text, ensure_ascii=False)[1:-1], json_escape) + '"')
        == text
    )


def test_a_command_line_does_nothing_in_a_shell_either() -> None:
    """Where somebody pastes it into one; redis-cli reads the same."""
    assert command_line(["DEL", "a$(touch x)"]) == "DEL 'a$(touch x)'"
    assert command_line(["DEL", "it's `x` !! $y"]) == 'DEL "it\'s \\x60x\\x60 !! \\x24y"'
    assert command_line(["DEL", "a\u3164b"]) == 'DEL "a\\xe3\\x85\\xa4b"'


@pytest.mark.long
def test_no_command_says_any_of_it(user: User) -> None:  # noqa: F811  the fixture
    """Of keys, values, fields, subjects, authors, branches, remotes, paths, errors."""
    for number, text in enumerate(HOSTILE):
        raw = text.encode("utf-8", "surrogateescape")
        user.redis.set(b"k%d" % number + raw, b"v" + raw)
        user.redis.hset("h", b"f" + raw, b"v" + raw)
    user.says("commit", "-m", "begin \u202e\u200b\u3164 end")
    user.redis.set("k", "x\u202ey\u115f\U000e0041")
    git(
        user.repo,
        "commit",
        "--allow-empty",
        "--author",
        "a\u202eb <c\u200bd@e>",
        "-m",
        "x\x1b[2Jy\u061c",
    )
    git(user.repo, "branch", "b\u202ea\u3164")
    git(user.repo, "config", "remote.r\u202e\u3164.url", "/nowhere/\u202e\u115f")
    for words in (
        ("log",),
        ("log", "--stat"),
        ("show",),
        ("show", "HEAD~1"),
        ("status",),
        ("diff",),
        ("diff", "--stat"),
        ("diff", "HEAD~1", "--format", "redis"),
        ("keys",),
        ("blame", "HEAD", "h"),
        ("restore", "HEAD", "--dry-run"),
        ("check",),
        ("push", "r\u202e\u3164"),
        ("show", "no\u202e\u115f"),
        ("export", "-o", "no\u202e/\u3164"),
        ("nope\u202e\u3164",),
        ("log", "--repo", "no\u202e\u3164"),
        ("log", "--html", "-"),
        ("diff", "--html", "-"),
    ):
        done = user.run(*words)
        said = (done.out + done.err).replace("🙂", "")
        assert [hex(ord(c)) for c in said if hides(c) and c not in "\n\t "] == [], words
    for words in (("show", "HEAD:h"), ("show", "HEAD", "--json"), ("log", "--json"), ("diff",)):
        shown_there = user.on_screen(*words).out.replace("🙂", "")
        hidden = [hex(ord(c)) for c in shown_there if hides(c) and c not in "\n\t "]
        assert set(hidden) <= {hex(0x1B)}, words  # which colours
