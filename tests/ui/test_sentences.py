"""What the engine says, on a page in another language: translated, and nothing else is."""

from __future__ import annotations

import json
import re
from collections import Counter
from pathlib import Path

import pytest

import gitbackup.ui
from gitbackup.ui.views.filters import told
from gitbackup.ui.words.language import Language
from gitbackup.ui.words.sentences import LISTS, PLACE, Sentences, spellings
from tests.ui.engine import Said, engine, shapes_of
from tests.ui.still_english import STILL_ENGLISH

CATALOGUES = sorted(Path(gitbackup.ui.__file__).parent.glob("words/catalogues/sentences/*.json"))
EXEMPT = [each for some in STILL_ENGLISH.values() for each in some]
HAN = r"[\u4e00-\u9fff]"
CHINESE = Language.every()["zh-CN"]

each_catalogue = pytest.mark.parametrize("catalogue", CATALOGUES, ids=lambda path: path.stem)


def patterns(catalogue: Path) -> dict[str, str]:
    """Return each pattern of a catalogue, and its translation."""
    rooms = json.loads(catalogue.read_text("utf-8"))
    found = [item for room, told in rooms.items() if room != LISTS for item in told.items()]
    assert [text for text, count in Counter(text for text, _ in found).items() if count > 1] == []
    return dict(found)


def exempt(each: Said) -> list[str]:
    """Return what makes a text one that is English everywhere."""
    told = f"{each.file}: {each.shape}"
    rooms = [one for one in EXEMPT if one.endswith(("/", ".py")) and told.startswith(one)]
    return rooms or [one for one in EXEMPT if told == one]


@each_catalogue
def test_every_sentence_of_the_engine_is_translated_or_has_a_reason_not_to_be(
    catalogue: Path,
) -> None:
    """A new sentence is found here: give it a translation."""
    known = {each for pattern in patterns(catalogue) for each in shapes_of(pattern)}
    untold = {each for each in engine() if each.is_sentence and each.shape not in known}
    assert sorted(each for each in untold if not exempt(each)) == []


@each_catalogue
def test_no_translation_and_no_reason_is_left_over(catalogue: Path) -> None:
    every = engine()
    shapes, known = {each.shape for each in every}, patterns(catalogue)
    translated = {each for pattern in known for each in shapes_of(pattern)}
    untold = [each for each in every if each.is_sentence and each.shape not in translated]
    needed = {reason for each in untold for reason in exempt(each)}
    left = [pattern for pattern in known if not shapes_of(pattern) & shapes]
    assert (left, sorted({*EXEMPT} - needed)) == ([], [])


@each_catalogue
def test_a_translation_has_the_places_of_its_pattern(catalogue: Path) -> None:
    for pattern, translation in patterns(catalogue).items():
        places = [name for _, name in PLACE.findall(pattern)]
        assert sorted(name for _, name in PLACE.findall(translation)) == sorted(places), pattern
        assert "" not in PLACE.split(spelled := max(spellings(pattern), key=len))[3:-3:3], spelled


def test_chinese_is_set_as_chinese_is() -> None:
    """A space between Chinese and Latin letters and places of data; and full-width punctuation."""
    (catalogue,) = CATALOGUES
    for pattern, translation in patterns(catalogue).items():
        signs = {name: sign for sign, name in PLACE.findall(pattern)}

        def held(place: re.Match[str], signs: dict[str, str] = signs) -> str:
            return "" if signs[place[2]] in [*"=+?%"] else "A"

        text = PLACE.sub(held, translation.replace("[", "").replace("]", ""))
        assert re.findall(rf"{HAN}[A-Za-z0-9]|[A-Za-z0-9]{HAN}", text) == [], translation
        assert re.findall(rf"{HAN}[,.;:!?()]|[,;:!?()]{HAN}", text) == [], translation


@each_catalogue
def test_a_pattern_has_words_of_its_own(catalogue: Path) -> None:
    """Without any it would fit what it is not about, unless all of its parts are known."""
    for pattern in patterns(catalogue):
        signs = {sign for sign, _ in PLACE.findall(pattern)}
        for spelling in spellings(pattern):
            assert signs == {"="} or re.search("[A-Za-z]{2}", PLACE.sub("", spelling)), pattern


@pytest.mark.parametrize(
    ("english", "chinese"),
    [
        (
            "commit 1ed94cb, 1 second ago, removed 90 of 100 keys; 3 of them are still missing",
            "提交 1ed94cb，1 秒前，100 个键中删除了 90 个；其中 3 个至今仍缺失",
        ),
        (
            "RDB saves: 1 in 1 hour, 10000 in 1 minute",
            "RDB 自动保存：1 小时内有 1 处改动、1 分钟内有 10000 处改动",
        ),
        ("saved just now; 12 changes since", "保存于刚刚；此后有 12 处改动"),
        (
            "The user has no permission to run INFO at h:1: grant it with ACL SETUSER ... +info.",
            "该用户没有在 h:1 上运行 INFO 的权限：请用 ACL SETUSER ... +info 授权。",
        ),
        (
            "everything was pushed to origin 3 days ago, and is safe once Google Drive has copied"
            " it",
            "已全部推送到 origin（3 天前），待 Google Drive 同步完成后才算安全",
        ),
        (
            "If this is not just a cache, let it refuse writes instead of evicting keys. It has no"
            " configuration file: also start it with --maxmemory-policy noeviction.",
            "如果它不只是缓存，请让它拒绝写入，而不是淘汰键。该服务器没有配置文件：启动时还须加上"
            " --maxmemory-policy noeviction。",
        ),
        (
            "the restore was interrupted: lost the server at h:1: Connection reset by peer; the"
            " previous state is commit 1ed94cb; the same command finishes it",
            "恢复中断了：与服务器 h:1 的连接断开：Connection reset by peer；之前的状态是提交"
            " 1ed94cb；再次运行同样的命令即可完成",
        ),
        (
            "another run of gitbackup, process 7, is working in /data, since 2026-12-01 10:00:00",
            "另一个 gitbackup 进程（进程号 7）正在使用 /data，始于 2026-12-01 10:00:00",
        ),
        (
            "a, b and 3 more changed after the plan was made: nothing was restored; make a new"
            " plan",
            "制定计划之后，a, b 等（另有 3 个）有改动：没有恢复任何内容；请重新制定计划",
        ),
    ],
)
def test_a_sentence_is_put_together_from_its_phrases(english: str, chinese: str) -> None:
    assert CHINESE.told(english) == chinese


@pytest.mark.parametrize(
    ("english", "chinese"),
    [
        ("commit 1ed94cb has no key 'just now'", "提交 1ed94cb 中没有键 'just now'"),
        ("db0/a.json: 用户 does not exist after the restore", "db0/a.json：用户 恢复后不存在"),
        ("commit 1ed94cb has no key 3 keys; 用户", "提交 1ed94cb 中没有键 3 keys; 用户"),
        (
            "search index just now is not saved: it has changed; keep the command that created it",
            "未保存搜索索引 just now：它有改动；请保留创建它的命令",
        ),
    ],
)
def test_a_name_is_never_taken_for_words(english: str, chinese: str) -> None:
    assert CHINESE.told(english) == chinese


@pytest.mark.parametrize(
    "hostile",
    [
        "the server at h:1 refused SET 'a: b': ERR no",
        "commit 1ed94cb has a key x in db0: choose one with y in db1: choose one with --db",
        "a new sentence",
        "commit 1ed94cb has no key " + "x" * 5_000,
        "; ".join(["just now"] * 400),
        "lost the server at h:1: " + "; " * 1_900,
    ],
)
def test_what_can_be_read_in_two_ways_stays_english(hostile: str) -> None:
    assert CHINESE.known(hostile) is None


def test_a_sentence_is_not_looked_at_for_long() -> None:
    """Of a short one of the kind the places are found."""
    some = Sentences({"room": {"{a} is {#n} is {.b}": "{a}={n}={b}"}})
    assert some.said("y is " * 20 + "7 is z") == "y is " * 19 + "y=7=z"
    assert some.said("y is " * 200 + "7 is z") is None


def test_a_page_marks_what_is_english_and_has_the_english_of_the_rest() -> None:
    sentence = "commit 1ed94cb has no key '<b title=\"x\">'"
    english = "commit 1ed94cb has no key &#39;&lt;b title=&#34;x&#34;&gt;&#39;"
    key = english.partition("key ")[2]
    assert told(CHINESE, sentence) == f'<span title="{english}">提交 1ed94cb 中没有键 {key}</span>'
    assert told(CHINESE, "<i>new</i>") == '<span lang="en">&lt;i&gt;new&lt;/i&gt;</span>'
    assert told(Language.every()["en"], sentence) == english
