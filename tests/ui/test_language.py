"""The pages in the reader's language: every text has its translation, and none is left over."""

from __future__ import annotations

import ast
import json
import re
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path
from urllib.parse import quote

import pytest
from jinja2 import Environment
from playwright.sync_api import expect

import gitbackup.report
import gitbackup.ui
from gitbackup.diff.values import diff_entries
from gitbackup.format.names import key_list
from gitbackup.model.changes import Action, KeyChange
from gitbackup.model.keys import Entry, Key
from gitbackup.report.html.rows import rows
from gitbackup.report.text.restored import listed
from gitbackup.ui.words.language import Language, chosen
from tests.ui.conftest import StartSite
from tests.ui.live_site import LiveSite

UI, REPORT = (Path(room.__file__).parent for room in (gitbackup.ui, gitbackup.report))
CATALOGUES = sorted(UI.glob("words/catalogues/*.json"))
ONE, MANY = ("say", "later"), ("count", "forms")
"""What is called with a text, and with its two forms."""

PLACE = re.compile(r"%(?:\(\w+\)s|%)")
HAN = r"[\u4e00-\u9fff]"
CHINESE = Language.every()["zh-CN"]
NOW = datetime(2026, 12, 1, 12, tzinfo=UTC)

each_catalogue = pytest.mark.parametrize("catalogue", CATALOGUES, ids=lambda path: path.stem)


def of_templates() -> Iterator[Sequence[str]]:
    """Yield each text of the templates, or both its forms."""
    environment = Environment(extensions=["jinja2.ext.i18n"], autoescape=True)
    for path in UI.rglob("templates/**/*.html"):
        source = path.read_text("utf-8")
        for _, _, text in environment.extract_translations(source):  # type: ignore[attr-defined]
            found = [text] if isinstance(text, str) else [each for each in text or () if each]
            assert found, f"{path} has no text in _(): what varies is for language.say()"
            yield found


def of_python() -> Iterator[Sequence[str]]:
    """Yield each text of the modules, or both its forms."""
    for path in (*UI.rglob("*.py"), *REPORT.rglob("*.py")):
        for node in ast.walk(ast.parse(path.read_text("utf-8"))):
            if isinstance(node, ast.Call):
                yield from texts_of(node)


def texts_of(call: ast.Call) -> Iterator[Sequence[str]]:
    called = call.func.attr if isinstance(call.func, ast.Attribute) else ast.unparse(call.func)
    count = 1 if called in ONE else 2 if called in MANY else 0
    texts = [each.value for each in call.args[:count] if isinstance(each, ast.Constant)]
    if texts and len(texts) == count and all(isinstance(text, str) for text in texts):
        yield [str(text) for text in texts]


def texts() -> dict[str, str]:
    """Return each text by which a catalogue knows it, and the form that has all its places."""
    return {each[0]: each[-1] for each in (*of_templates(), *of_python())}


@each_catalogue
def test_every_text_has_a_translation_and_none_is_left_over(catalogue: Path) -> None:
    translated = json.loads(catalogue.read_text("utf-8")).keys()
    known = texts().keys()
    assert (sorted(known - translated), sorted(translated - known)) == ([], [])


@each_catalogue
def test_no_text_is_translated_twice(catalogue: Path) -> None:
    """JSON would take the last."""

    def once(pairs: list[tuple[str, str]]) -> dict[str, str]:
        assert len(dict(pairs)) == len(pairs)
        return dict(pairs)

    json.loads(catalogue.read_text("utf-8"), object_pairs_hook=once)


@each_catalogue
def test_a_translation_has_the_places_of_its_text(catalogue: Path) -> None:
    """And no other percent sign that would be taken for one."""
    whole = texts()
    for text, translation in json.loads(catalogue.read_text("utf-8")).items():
        expected = sorted(PLACE.findall(whole.get(text, text)))
        assert sorted(PLACE.findall(translation)) == expected, text
        assert "%" not in PLACE.sub("", translation) or not expected, text


def test_chinese_is_set_as_chinese_is() -> None:
    """A space between Chinese and Latin letters, digits and places; and full-width punctuation."""
    for translation in json.loads((UI / "words/catalogues/zh-CN.json").read_text("utf-8")).values():
        told = PLACE.sub("A", translation)
        assert re.findall(rf"{HAN}[A-Za-z0-9]|[A-Za-z0-9]{HAN}", told) == [], translation
        assert re.findall(rf"{HAN}[,.;:!?()]|[,;:!?()]{HAN}", told) == [], translation


def test_texts_are_found() -> None:
    """In templates and modules, and both forms of those that count."""
    assert {("Timeline",), ("just now",)} <= {(*each,) for each in (*of_templates(), *of_python())}
    assert texts()["%(num)s day ago"] == "%(num)s days ago"


@pytest.mark.parametrize(
    ("wanted", "by_hand", "code"),
    [
        ("", "", "en"),
        ("de, fr;q=0.5", "", "en"),
        ("zh-CN,zh;q=0.9,en;q=0.8", "", "zh-CN"),
        ("zh-TW", "", "zh-CN"),
        ("en;q=0.5, zh;q=0.8", "", "zh-CN"),
        ("zh;q=0, en", "", "en"),
        ("zh;q=much, en", "", "en"),
        ("zh-CN", "en", "en"),
        ("en", "zh-CN", "zh-CN"),
        ("zh", "<script>", "zh-CN"),
    ],
)
def test_the_language_is_the_one_that_is_wanted_most(wanted: str, by_hand: str, code: str) -> None:
    assert chosen(wanted, by_hand).code == code


@pytest.mark.parametrize(
    ("passed", "english", "chinese"),
    [
        (timedelta(), "just now", "刚刚"),
        (timedelta(seconds=1), "1 second ago", "1 秒前"),
        (timedelta(hours=3, minutes=59), "3 hours ago", "3 小时前"),
        (timedelta(days=364), "364 days ago", "364 天前"),
        (timedelta(days=1165 * 365), "1,165 years ago", "1,165 年前"),
    ],
)
def test_an_age_is_one_number_and_its_unit(passed: timedelta, english: str, chinese: str) -> None:
    now = datetime(2500, 1, 1, tzinfo=UTC)
    every = Language.every()
    assert every["en"].age(now - passed, now) == english
    assert every["zh-CN"].age(now - passed, now) == chinese


@pytest.mark.parametrize(
    ("days", "hour", "english", "chinese"),
    [
        (1, 6, "06:00", "06:00"),
        (1, 0, "1 Dec", "12 月 1 日"),
        (30, 12, "1 Dec", "12 月 1 日"),
        (900, 0, "2026-12", "2026-12"),
    ],
)
def test_an_axis_of_time_names_hours_days_or_months(
    days: int, hour: int, english: str, chinese: str
) -> None:
    moment, every = NOW.replace(hour=hour).timestamp(), Language.every()
    assert every["en"].mark(moment, days * 86_400) == english
    assert every["zh-CN"].mark(moment, days * 86_400) == chinese


def test_an_axis_of_a_minute_names_seconds() -> None:
    english, moment = Language.every()["en"], NOW.replace(hour=6).timestamp()
    assert [english.mark(moment + more, 50) for more in (0, 15)] == ["06:00", "06:00:15"]


@pytest.mark.parametrize(
    ("seconds", "english", "chinese"),
    [
        (3_600, "1 hour", "1 小时"),
        (300, "5 minutes", "5 分钟"),
        (90, "90 seconds", "90 秒"),
        (172_800, "2 days", "2 天"),
        (0, "0 seconds", "0 秒"),
    ],
)
def test_a_duration_is_a_whole_number_of_a_unit(seconds: int, english: str, chinese: str) -> None:
    every = Language.every()
    assert every["en"].duration(seconds) == english
    assert every["zh-CN"].duration(seconds) == chinese


def test_dates_and_sizes_are_in_the_language() -> None:
    english, chinese = Language.every()["en"], Language.every()["zh-CN"]
    assert (english.day(NOW), chinese.day(NOW)) == ("1 December 2026", "2026 年 12 月 1 日")
    assert [english.size(each) for each in (1, 999, 1_500_000)] == ["1 byte", "999 bytes", "1.5 MB"]
    assert [chinese.size(each) for each in (1, 1_500_000)] == ["1 字节", "1.5 MB"]


def test_a_page_is_in_the_language_of_the_browser_or_the_one_that_is_chosen(
    start_site: StartSite,
) -> None:
    """The link at its foot leads back to the same page, and the choice stays."""
    site = start_site(locale="zh-CN")
    page = site.page
    page.goto("/settings?suggest=1")
    expect(page.locator("html")).to_have_attribute("lang", "zh-CN")
    expect(page.get_by_role("heading", level=1)).to_have_text("设置")

    page.get_by_role("link", name="English").click()

    expect(page).to_have_url(f"{site.url}/settings?suggest=1")
    expect(page.locator("html")).to_have_attribute("lang", "en")
    expect(page.get_by_role("heading", level=1)).to_have_text("Settings")
    page.goto("/check")
    expect(page.get_by_role("heading", level=1)).to_have_text("Check")
    page.get_by_role("link", name="中文").click()
    expect(page.get_by_role("heading", level=1)).to_have_text("检查")


def test_what_the_engine_says_is_in_chinese_and_its_english_at_hand(start_site: StartSite) -> None:
    """As the title, by which it can be searched for."""
    site = start_site(locale="zh-CN")
    site.redis.set("key", "value")
    site.backup.commit()

    site.page.goto("/check")

    replicas = site.page.locator("#replicas")
    expect(replicas.get_by_role("heading")).to_have_text("警告 服务器停机时")
    said = replicas.get_by_text("没有从节点：没有第二台服务器", exact=True)
    expect(said).to_have_attribute("title", "no replica: there is no second server")
    site.page.goto("/commit/nothing")
    expect(site.page.get_by_role("alert")).to_contain_text("中没有提交 'nothing'；")
    expect(site.page.locator("main [lang=en]")).to_have_count(0)


@pytest.mark.long
@pytest.mark.parametrize(
    "back", ["//evil.example", "https://evil.example/", "/\\evil.example", "javascript:alert(1)"]
)
@pytest.mark.few(1)
def test_a_link_of_a_language_leads_to_no_other_site(site: LiveSite, back: str) -> None:
    site.page.goto(f"/language/zh-CN?back={quote(back, safe='')}")

    expect(site.page).to_have_url(f"{site.url}/")
    expect(site.page.locator("html")).to_have_attribute("lang", "zh-CN")


def test_the_rows_of_a_diff_are_in_the_language_and_names_are_not() -> None:
    """A field may be called as a row is."""
    key, named = Key(0, "user:1"), {"expires": "soon", "value": "nothing"}
    before: Entry = {"type": "hash", "value": named, "expires_at": "2027-01-15T08:00:00.000Z"}
    after: Entry = {"type": "hash", "value": named | {"expires": "x" * 2_000 + "y"}}
    changed = KeyChange(key, Action.CHANGED, None, None)
    found = rows(changed, before, after, diff_entries(before, after), CHINESE)
    assert [(row.what, row.after) for row in found] == [
        ("过期时间", "无"),
        ("expires", '"' + "x" * 667 + "… 1,001 more characters …" + "x" * 332 + 'y"'),
    ]

    added = rows(KeyChange(key, Action.ADDED, None, None), None, after, (), CHINESE)
    assert [row.what for row in added] == ["expires", "value"]


@pytest.mark.parametrize(("count", "chinese"), [(2, "k0, k1"), (12, "k9 等（另有 2 个）")])
def test_a_list_of_keys_is_cut_off_in_the_language(count: int, chinese: str) -> None:
    keys = [Key(0, f"k{number}") for number in range(count)]
    assert listed(keys, words=CHINESE).endswith(chinese)
    assert listed(keys) == key_list(keys)
