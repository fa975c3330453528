"""Text lines up on a terminal, whatever it is written in."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gitbackup.report.style import Style, fit, pad, paint, width

TEXTS = st.text(st.sampled_from("ab 中한e\u0301👍\U0001f3fd❤\ufe0f…"))


@pytest.mark.parametrize(
    ("text", "columns"),
    [
        ("", 0),
        ("abc", 3),
        ("中文", 4),
        ("\uff26\uff35", 4),
        ("é", 1),
        ("e\u0301", 1),
        ("한글", 4),
        ("\u1112\u1161\u11ab", 2),
        ("👍", 2),
        ("👍\U0001f3fd", 2),
        ("❤", 1),
        ("❤\ufe0f", 2),
        ("🇩🇪", 2),
        ("…", 1),
        (paint(Style.ADDED, "中"), 2),
    ],
)
def test_a_text_takes_the_columns_of_its_signs(text: str, columns: int) -> None:
    assert columns == width(text)


@pytest.mark.parametrize(
    ("text", "columns", "fitted"),
    [
        ("abc", 3, "abc"),
        ("abcd", 3, "ab…"),
        ("abcd", None, "abcd"),
        ("中文字", 6, "中文字"),
        ("中文字", 5, "中文…"),
        ("中文字", 4, "中…"),
        ("", 0, ""),
        ("ab" + paint(Style.ADDED, "cd") + "ef", 4, "ab\x1b[32mc…\x1b[m"),
        (paint(Style.ADDED, "ab") + "cd", 3, "\x1b[32mab\x1b[m…"),
    ],
)
def test_a_text_that_is_too_wide_is_cut(text: str, columns: int | None, fitted: str) -> None:
    assert fitted == fit(text, columns)


@given(TEXTS, st.integers(1, 12))
def test_what_is_fitted_and_padded_is_never_wider(text: str, columns: int) -> None:
    assert width(fit(text, columns)) <= columns
    assert columns == width(pad(fit(text, columns), columns))


@given(TEXTS, st.integers(1, 12))
def test_colours_do_not_change_where_a_text_is_cut(text: str, columns: int) -> None:
    painted = fit(paint(Style.ADDED, text), columns)
    assert fit(text, columns) == painted.removeprefix("\x1b[32m").removesuffix("\x1b[m")
