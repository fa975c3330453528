"""A diff and a history as pages, in a real browser."""

from __future__ import annotations

import json
from collections.abc import Iterable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from gitbackup.diff.values import diff_entries
from gitbackup.model.changes import Action, Counts, KeyChange
from gitbackup.model.commits import CommitInfo
from gitbackup.model.keys import Entry, Key
from gitbackup.report import html
from tests.browser import Tab

MINUS = "\N{MINUS SIGN}"
MADE = datetime(2026, 11, 22, 12, 36, tzinfo=UTC)
SIDES = html.SideTitle("14ddca8", "first commit"), html.SideTitle("931e661", "added account")
Sides = tuple[Entry | None, Entry | None]

EVIL = (
    "<script>window.harmed = 1</script>",
    "</script><script>window.harmed = 1</script>",
    "</code></summary><img src=x onerror='window.harmed = 1'>",
    '" onfocus="window.harmed = 1" autofocus="',
    "' style='background: url(https://example.org/)'",
    "<svg/onload=window.harmed=1>",
    "<!--",
    "&lt;b&gt;",
    "<link rel=stylesheet href=https://example.org/a.css><base href=https://example.org/>",
)


def changed(before: Any, after: Any, type_: str = "string") -> Sides:
    return {"type": type_, "value": before}, {"type": type_, "value": after}


def added(value: Any, type_: str = "string") -> Sides:
    return None, {"type": type_, "value": value}


def removed(value: Any, type_: str = "string") -> Sides:
    return {"type": type_, "value": value}, None


DATABASE: dict[Key, Sides] = {
    Key(0, "config"): changed('{"limits": {"daily": 100}}', '{"limits": {"daily": 250}}'),
    Key(0, "account:index"): changed(["eu-1"], ["eu-1", "us-1"], "set"),
    Key(0, "account:us-1"): added({"status": "active", "token": "tok-us"}, "hash"),
    Key(0, "motd"): changed("good morning\nall\nof you\n", "good evening\nall\nof you\n"),
    Key(0, "apikey:42"): removed({"name": "alice"}, "hash"),
    Key(3, "greeting"): changed("the quick brown fox", "the slow brown fox"),
}


def written(folder: Path, database: dict[Key, Sides]) -> Path:
    """The page of what differs between the two sides of each key."""
    changes = sorted(map(_change, database, database.values()), key=html.order)
    items = (
        (change, *sides, _values(*sides)) for change in changes for sides in [database[change.key]]
    )
    return _file(folder, html.diff_page(SIDES, MADE, changes, items))


def _change(key: Key, sides: Sides) -> KeyChange:
    action = Action.CHANGED if all(sides) else Action.ADDED if sides[1] else Action.REMOVED
    return KeyChange(key, action, "", "")


def _values(before: Entry | None, after: Entry | None) -> list[Any]:
    return diff_entries(before, after) if before and after else []


def _file(folder: Path, pieces: Iterable[str]) -> Path:
    path = folder / "page.html"
    path.write_bytes("".join(pieces).encode())
    return path


def commit(number: int, subject: str, day: int = 22) -> CommitInfo:
    return CommitInfo(
        id=f"{number:040x}",
        parents=(),
        author="a person <a@example.org>",
        date=datetime(2026, 11, day, 12, number, tzinfo=UTC),
        subject=subject,
        body="",
        trailers={"Server": "Redis 7.0.15"},
        counts=Counts(1, 2, 0),
    )


def in_sight(tab: Tab) -> list[str]:
    """The names of the keys that nothing hides."""
    names = "[...document.querySelectorAll('.item .name')].filter(n => n.checkVisibility())"
    told: list[str] = tab.tell(f"{names}.map(n => n.textContent)")
    return told


def said(tab: Tab, selector: str = "output") -> str:
    return str(tab.tell(f"document.querySelector({json.dumps(selector)}).innerText"))


def count(tab: Tab, selector: str, that: str = "") -> int:
    """How many elements there are, of which `that` is true."""
    found = f"[...document.querySelectorAll({json.dumps(selector)})]"
    return int(tab.tell(f"{found}.filter(e => e{that}).length"))


def at(tab: Tab, selector: str) -> None:
    tab.tell(f"document.querySelector({json.dumps(selector)}).focus()")


def test_a_page_shows_what_changed_by_database_and_namespace(tab: Tab, tmp_path: Path) -> None:
    """Every row with what was there and what is there now, each with its sign."""
    tab.open(written(tmp_path, DATABASE))
    rows = """[...document.querySelectorAll("details.place")].map(place => [
        place.querySelector("h2").innerText,
        [...place.querySelectorAll(".space")].map(space => [
            space.querySelector("h3").innerText, space.querySelector(".counts").innerText,
            [...space.querySelectorAll(".item")].map(item => [
                item.querySelector("summary").innerText,
                [...item.querySelectorAll("dl > div")].map(row => row.innerText)])])])"""
    assert tab.tell(rows) == [
        [
            "db0",
            [
                [
                    "(no prefix)",
                    "~2 changed",
                    [
                        ["~\nconfig\nstring", ["limits.daily\n100 250"]],
                        [
                            "~\nmotd\nstring",
                            ["@ line 1\ngood morning\ngood evening\nall\nof you"],
                        ],
                    ],
                ],
                [
                    "account",
                    "+1 added\n~1 changed",
                    [
                        ["~\naccount:index\nset", ["us-1"]],
                        ["+\naccount:us-1\nhash", ['status\n"active"', 'token\n"tok-us"']],
                    ],
                ],
                [
                    "apikey",
                    f"{MINUS}1 removed",
                    [[f"{MINUS}\napikey:42\nhash", ['name\n"alice"']]],
                ],
            ],
        ],
        [
            "db3",
            [
                [
                    "(no prefix)",
                    "~1 changed",
                    [["~\ngreeting\nstring", ['"the quick brown fox" "the slow brown fox"']]],
                ]
            ],
        ],
    ]
    assert tab.tell("[...document.querySelectorAll('mark')].map(m => m.innerText)") == [
        "quick",
        "slow",
    ]
    signs = (
        "['del', 'ins'].map(e => getComputedStyle(document.querySelector(e), '::before').content)"
    )
    assert tab.tell(signs) == [f'"{MINUS}\xa0"', '"+\xa0"']
    assert said(tab, "h1") == "14ddca8 first commit\n→\n931e661 added account"
    assert said(tab, ".total") == f"+1 added\n~4 changed\n{MINUS}1 removed"


def test_hostile_keys_and_values_are_text(tab: Tab, tmp_path: Path) -> None:
    """As names, fields, members, values, types, paths: nothing runs, loads or leaves its place."""
    database: dict[Key, Sides] = {}
    for number, evil in enumerate(EVIL):
        database |= {
            Key(0, evil): added(evil),
            Key(0, f"{evil}:{evil}"): changed({evil: "a"}, {evil: evil}, "hash"),
            Key(1, f"s{number}"): changed([], [evil], "set"),
            Key(1, f"d{number}"): changed(json.dumps({evil: 1}), json.dumps({evil: evil})),
            Key(2, f"t{number}"): added({"dump": "AA=="}, evil),
            Key(2, f"l{number}"): changed(f"{evil}\na\n", f"{evil}\nb\n"),
        }
    tab.open(written(tmp_path, database))
    tab.press("Tab")
    assert tab.tell("window.harmed") is None
    assert (
        tab.tell("document.querySelectorAll('img, link, base, script:not(body > script)').length")
        == 0
    )
    assert (
        tab.tell("[...document.querySelectorAll('*')].filter(e => e.onfocus || e.onload).length")
        == 0
    )
    assert (tab.requests, tab.complaints) == ([(tmp_path / "page.html").as_uri()], [])
    shown = tab.tell("[...document.querySelectorAll('.item .name')].map(n => n.textContent)")
    assert len(shown) == len(database)
    assert "<svg/onload=window.harmed=1>" in shown
    values = tab.tell("[...document.querySelectorAll('ins')].map(i => i.textContent)")
    assert [evil for evil in EVIL if not any(evil in value for value in values)] == []


def test_what_steers_text_is_shown_and_does_not_steer(tmp_path: Path) -> None:
    """Marks of direction, NUL, lone surrogates: by their codes, so that nothing is in disguise."""
    document = '{"a": "\\ud800"}'
    database = {
        Key(0, "a\u202eb\u2066\x00"): added("x\x00y\u200f\x1b[31m"),
        Key(0, "doc"): changed('{"a": "b"}', document),
    }
    raw = written(tmp_path, database).read_text("utf-8")
    assert "a\\u202eb\\u2066\\x00" in raw
    assert "x\\x00y\\u200f\\x1b[31m" in raw
    assert "\\ud800" in raw
    assert [character for character in "\u202e\u2066\u200f\x00\x1b" if character in raw] == []


def test_the_policy_keeps_out_what_might_get_in(tab: Tab, tmp_path: Path) -> None:
    """A script, a style and a picture that are not the page's own are refused."""
    tab.open(written(tmp_path, DATABASE))
    tab.tell("""(() => {
        const add = (name, how) =>
            document.body.append(Object.assign(document.createElement(name), how));
        add("script", {textContent: "window.harmed = 1"});
        add("style", {textContent: "body { opacity: 0.5 }"});
        add("img", {src: "https://example.org/a.png"});
    })()""")
    tab.drawn()
    assert tab.tell("window.harmed") is None
    assert tab.tell("getComputedStyle(document.body).opacity") == "1"
    assert tab.requests == [(tmp_path / "page.html").as_uri()]
    assert len(tab.complaints) == 3


def test_searching_by_key_and_by_value(tab: Tab, tmp_path: Path) -> None:
    """At the keyboard: as one types, in any case, by glob, and back again with Escape."""
    tab.open(written(tmp_path, DATABASE))
    every = in_sight(tab)
    assert said(tab) == "6 keys"
    tab.press("/")
    tab.type("ACC")
    assert (in_sight(tab), said(tab)) == (["account:index", "account:us-1"], "2 of 6 keys")
    tab.press("Escape")
    assert (in_sight(tab), said(tab)) == (every, "6 keys")
    tab.type("*:4?")
    assert in_sight(tab) == ["apikey:42"]
    tab.press("Escape")
    at(tab, "#text")
    tab.type("Tok-US")
    assert in_sight(tab) == ["account:us-1"]
    tab.type("x")
    assert (in_sight(tab), said(tab)) == ([], "0 of 6 keys")
    tab.press("Escape")
    at(tab, "[value=changed]")
    tab.press(" ")
    assert in_sight(tab) == ["account:us-1", "apikey:42"]


def test_folding_at_the_keyboard(tab: Tab, tmp_path: Path) -> None:
    """A key, a namespace, all; and a search brings back what it unfolded."""
    tab.open(written(tmp_path, DATABASE))
    every = in_sight(tab)
    at(tab, ".space:nth-of-type(2) > summary")
    tab.press("Enter")
    rest = [name for name in every if not name.startswith("account:")]
    assert in_sight(tab) == rest
    tab.press("/")
    tab.type("us-1")
    assert in_sight(tab) == ["account:us-1"]
    tab.press("Escape")
    assert in_sight(tab) == rest
    at(tab, "#fold")
    tab.press("Enter")
    assert in_sight(tab) == []
    at(tab, "#unfold")
    tab.press("Enter")
    assert in_sight(tab) == every


def test_a_page_without_its_script(tab: Tab, tmp_path: Path) -> None:
    """All is there and folds; only the search is not offered."""
    tab.open(written(tmp_path, DATABASE), script=False)
    assert len(in_sight(tab)) == len(DATABASE)
    assert tab.tell("document.querySelector('.tools').checkVisibility()") is False
    at(tab, ".place > summary")
    tab.press("Enter")
    assert in_sight(tab) == ["greeting"]


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_every_colour_can_be_read(tab: Tab, tmp_path: Path, scheme: str) -> None:
    """On its background with a contrast of 4.5 at least, as WCAG asks for text."""
    tab.wears(scheme)
    tab.open(written(tmp_path, DATABASE))
    pairs = tab.tell("""[...document.querySelectorAll("body, body *:not(script, svg *)")].map(e => {
        const ground = e => getComputedStyle(e).backgroundColor;
        let under = e;
        while (ground(under).endsWith(", 0)")) under = under.parentElement;
        return [getComputedStyle(e).color, ground(under)];
    })""")
    low = {tuple(pair) for pair in pairs if _contrast(*pair) < 4.5}
    assert low == set()
    dark = _luminance(pairs[0][1]) < 0.2
    assert dark == (scheme == "dark")


def _contrast(one: str, other: str) -> float:
    low, high = sorted(map(_luminance, (one, other)))
    return (high + 0.05) / (low + 0.05)


def _luminance(colour: str) -> float:
    parts = [int(part) / 255 for part in colour.removeprefix("rgb(").rstrip(")").split(",")]
    red, green, blue = (p / 12.92 if p <= 0.04045 else ((p + 0.055) / 1.055) ** 2.4 for p in parts)
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue


def test_a_page_fits_a_phone(tab: Tab, tmp_path: Path) -> None:
    """However long names and values are, it is no wider than the screen."""
    long = "x" * 3000
    database = {
        **DATABASE,
        Key(0, f"{long}:{long}"): added({long: long}, "hash"),
        Key(0, "long"): changed(long, long[:-1] + "y"),
    }
    tab.measures(390, 844)
    tab.open(written(tmp_path, database))
    assert tab.tell("document.documentElement.scrollWidth") == 390


@pytest.mark.long
def test_ten_thousand_keys(tab: Tab, tmp_path: Path) -> None:
    """They are searched; what is far out of sight is not laid out; most begin folded."""
    database = {
        Key(0, f"n{number % 40}:{number}"): changed({"f": "1"}, {"f": str(number)}, "hash")
        for number in range(2, 10_002)
    }
    tab.open(written(tmp_path, database))
    assert count(tab, ".space[open] .item") == 250
    tab.press("/")
    tab.type("n17:9977")
    assert said(tab) == "1 of 10,000 keys"
    assert said(tab, ".item:not([hidden]) .name") == "n17:9977"
    tab.press("Escape")
    at(tab, "#unfold")
    tab.press("Enter")
    assert count(tab, ".space[open] .item[open]:not([hidden])") == 10_000
    assert 0 < count(tab, ".item dl", ".checkVisibility({contentVisibilityAuto: true})") < 200


def test_the_pages_of_a_history(tab: Tab, tmp_path: Path) -> None:
    """Commits by day, each with its counts and, folded, its keys; searched by key and message."""
    few = [KeyChange(Key(0, "config"), Action.CHANGED, "", "")]
    many = [KeyChange(Key(1, f"usage:{n}"), Action.ADDED, "", "") for n in range(200)]
    commits = [
        html.LoggedCommit(commit(3, "traffic", 23), many),
        html.LoggedCommit(commit(2, EVIL[0]), few),
        html.LoggedCommit(commit(1, "begin"), few),
    ]
    tab.open(_file(tmp_path, html.log_page(html.SideTitle("relay", "HEAD~2"), MADE, commits)))
    heads = "[...document.querySelectorAll('h2, .commit > summary')].map(e => e.innerText)"
    assert tab.tell(heads) == [
        "Monday, 23 November 2026",
        "0000000\ntraffic\n+1 added\n~2 changed\n12:03",
        "Sunday, 22 November 2026",
        f"0000000\n{EVIL[0]}\n+1 added\n~2 changed\n12:02",
        "0000000\nbegin\n+1 added\n~2 changed\n12:01",
    ]
    assert (in_sight(tab), tab.tell("window.harmed")) == ([], None)
    at(tab, ".commit > summary")
    tab.press("Enter")
    assert said(tab, ".keys > summary") == "db1\nusage\n+200 added"
    assert said(tab, ".keys > .cut") == ""
    tab.press("/")
    tab.type("config")
    assert said(tab) == "2 of 3 commits"
    at(tab, "#text")
    tab.type("BEG")
    assert said(tab) == "1 of 3 commits"


def test_a_page_that_is_full_says_so(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Keys beyond the most are counted, not read."""
    monkeypatch.setattr("gitbackup.report.html.diff.MOST_KEYS", 2)
    changes = sorted(map(_change, DATABASE, DATABASE.values()), key=html.order)
    read = []

    def items() -> Iterable[Any]:
        for change in changes:
            read.append(change.key.name)
            yield change, *DATABASE[change.key], []

    whole = "".join(html.diff_page(SIDES, MADE, changes, items()))
    assert "This page shows 2 of 6 keys. The other 4 are counted above" in whole
    assert len(read) <= 3


def test_a_history_that_is_full_says_so(monkeypatch: pytest.MonkeyPatch) -> None:
    """Commits beyond the most are not read."""
    monkeypatch.setattr("gitbackup.report.html.log.MOST_COMMITS", 2)
    commits = (html.LoggedCommit(commit(number, "s"), ()) for number in (5, 4, 3, 2))
    whole = "".join(html.log_page(html.SideTitle("relay"), MADE, commits))
    assert "This page shows the last 2 commits; there are older ones." in whole
    assert [each.info.id[-1] for each in commits] == ["2"]
