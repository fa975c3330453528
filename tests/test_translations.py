"""A Chinese page says what its English page says: section by section, with the same commands,
figures and links. What differs is named, so that whoever changes one page can change the other.

CONTRIBUTING.md has the Chinese words for our terms.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from difflib import unified_diff
from typing import NamedTuple

import pytest

from tests.pages import BLOCK, HEADING, PROJECT, anchors, is_translation, links, name_of, pages

CHINESE = {"README.md": "README.zh-CN.md"} | {
    name.replace("/zh/", "/"): name
    for name in map(name_of, pages())
    if is_translation(name) and name.startswith("docs/")
}
"""Each English page that is translated, and its Chinese one."""

ENGLISH = {chinese: english for english, chinese in CHINESE.items()}
COMMENT = re.compile(r"(^|\s+)#.*$", re.MULTILINE)
CODE = re.compile(r"`[^`]+`")
TARGET = re.compile(r"\]\([^)]+\)")
FIGURE = re.compile(r"\d(?:[\d.,]*\d)?")
HAN = r"[\u4e00-\u9fff]"

each_page = pytest.mark.parametrize("english", CHINESE)


class Section(NamedTuple):
    """A heading, and what is below it up to the next one."""

    level: int
    title: str
    text: str

    @property
    def prose(self) -> str:
        """Without blocks, code and the targets of links."""
        return TARGET.sub("]", CODE.sub("", BLOCK.sub("", self.text)))


def text_of(name: str) -> str:
    return (PROJECT / name).read_text("utf-8")


def sections(page: str) -> list[Section]:
    fences = [found.span() for found in BLOCK.finditer(page)]
    headings = [
        found
        for found in HEADING.finditer(page)
        if not any(start < found.start() < end for start, end in fences)
    ]
    ends = [*(found.start() for found in headings[1:]), len(page)]
    return [
        Section(len(found[1]), found[2], page[found.start() : end])
        for found, end in zip(headings, ends, strict=True)
    ]


def pairs(english: str) -> list[tuple[Section, Section]]:
    """The sections of the two pages, one beside the other: in the same order, at the same level."""
    here, there = (sections(text_of(name)) for name in (english, CHINESE[english]))
    titles = "\n".join(f"{a.title}  =  {b.title}" for a, b in zip(here, there, strict=False))
    alike = [each.level for each in here] == [each.level for each in there]
    assert alike, f"{english} and {CHINESE[english]} have not the same sections:\n{titles}"
    return [*zip(here, there, strict=True)]


def difference(chinese: str, section: Section, what: str, is_: set[str], should: set[str]) -> str:
    """One line on what a section of the Chinese page lacks and should not have; none if neither."""
    if is_ == should:
        return ""
    lacks, extra = sorted(should - is_), sorted(is_ - should)
    return f"{chinese}, section “{section.title}”, {what}: lacks {lacks}, has beyond {extra}"


def report(lines: Iterable[str]) -> str:
    return "\n".join(line for line in lines if line)


@each_page
def test_each_section_has_its_counterpart(english: str) -> None:
    assert len(pairs(english)) > 1


@each_page
def test_the_blocks_are_equal_but_for_comments(english: str) -> None:
    """In the same order."""
    chinese = CHINESE[english]
    wrong = []
    for here, there in pairs(english):
        theirs, ours = BLOCK.findall(here.text), BLOCK.findall(there.text)
        where = f"“{here.title}” and “{there.title}”"
        if len(theirs) != len(ours):
            wrong.append(f"{where}: {len(theirs)} blocks in {english}, {len(ours)} in {chinese}")
        for number, (one, other) in enumerate(zip(theirs, ours, strict=False), 1):
            before, after = (without_comments(*each).splitlines() for each in (one, other))
            told = "\n".join(unified_diff(before, after, english, chinese, lineterm=""))
            if told or one[0] != other[0]:
                wrong.append(f"{where}, block {number} ({one[0]}, {other[0]}):\n{told}")
    assert wrong == [], report(wrong)


def without_comments(language: str, content: str) -> str:
    """A program's comments are translated; what looks like one in an output is output."""
    return COMMENT.sub("", content) if language in ("sh", "python") else content


@each_page
def test_each_section_has_the_same_figures(english: str) -> None:
    """As text: `1,000,000` is not the same as `1000000`."""
    wrong = report(
        difference(CHINESE[english], there, "figures", figures_of(there), figures_of(here))
        for here, there in pairs(english)
    )
    assert not wrong, wrong


def figures_of(section: Section) -> set[str]:
    """Those of a row of a table together: they belong to what the row is of."""
    found = set()
    for line in section.prose.splitlines():
        figures = FIGURE.findall(line)
        found |= {" ".join(figures)} if line.startswith("|") else {*figures}
    return found - {""}


@each_page
def test_each_section_has_the_same_code(english: str) -> None:
    """Commands, options and names in the middle of a sentence."""
    wrong = report(
        difference(CHINESE[english], there, "code", code_of(there), code_of(here))
        for here, there in pairs(english)
    )
    assert not wrong, wrong


def code_of(section: Section) -> set[str]:
    return {" ".join(code.split()) for code in CODE.findall(BLOCK.sub("", section.text))}


@each_page
def test_each_section_has_the_same_links(english: str) -> None:
    """The Chinese page's lead to Chinese pages where there are some; at the top each links to the
    other."""
    chinese = CHINESE[english]
    wrong = report(
        difference(
            chinese, there, "links", targets(chinese, there.text), targets(english, here.text)
        )
        for here, there in pairs(english)
    )
    assert not wrong, wrong
    tops = {name: sections(text_of(name))[0].text for name in (english, chinese)}
    assert (english, "") in links(chinese, tops[chinese])
    assert (chinese, "") in links(english, tops[english])
    by_mistake = [path for path, anchor in links(chinese, text_of(chinese)) if path in CHINESE]
    assert by_mistake == [english], f"{chinese} links to an English page that has a Chinese one"


def targets(name: str, text: str) -> set[str]:
    """What it links to, as English pages and numbers of headings."""
    found = set()
    for path, anchor in links(name, text):
        number = f"#{anchors(path).index(anchor)}" if anchor else ""
        found.add(f"{ENGLISH.get(path, path)}{number}")
    return found


@pytest.mark.parametrize("chinese", ENGLISH)
def test_chinese_is_set_as_chinese_is(chinese: str) -> None:
    """A space between Chinese and Latin letters, digits and code; full-width punctuation; and no
    line ends inside a paragraph, for a space would be shown there."""
    prose = BLOCK.sub("", text_of(chinese))
    outside = TARGET.sub("]", prose)
    squeezed = re.findall(rf"\S*(?:{HAN}[A-Za-z0-9`]|[A-Za-z0-9`]{HAN})\S*", outside)
    half_width = re.findall(rf"\S*(?:{HAN}[,.;:!?()]|[,;:!?()]{HAN})\S*", CODE.sub("", outside))
    broken = re.findall(rf"^.*{HAN}[^\x00-\x7f]?\n{HAN}.*$", prose, re.MULTILINE)
    assert (squeezed, half_width, broken) == ([], [], [])
