"""What changed inside one key, as markup: a row for each part, the old beside the new."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from itertools import groupby

from gitbackup.format.names import escape
from gitbackup.report.html.frame import marked, safe
from gitbackup.report.html.rows import Row

KINDS = {"+": "ins", "-": "del"}
"""What a line of a text that differs is by its sign."""


def inside(rows: Iterable[Row], anchor: str = "", page: str = "") -> Iterator[str]:
    """Yield each row of a key as it stands in a list of them.

    With an `anchor`, a link to it and the row's number, such as `#a3`, leads to the row, on the
    page of the key if that is given.
    """
    for at, row in enumerate(rows):
        if anchor:
            href = f"{safe(page)}#{safe(anchor)}{at}"
            link = f'<a class="anchor" href="{href}" aria-label="#{at}">#</a>'
            yield f'<div id="{safe(anchor)}{at}">{_row(row)}{link}</div>'
        else:
            yield f"<div>{_row(row)}</div>"


def _row(row: Row) -> str:
    what = f"<dt>{safe(row.what)}</dt>" if row.what else ""
    if row.lines:
        return f"{what}<dd><pre>{''.join(_lines(row.lines))}</pre></dd>"
    if row.note:
        return f'{what}<dd class="note">{safe(escape(row.note))}</dd>'
    old, new = row.before, row.after
    if old is not None and new is not None:
        removed, added = marked(old, new)
        return f"{what}<dd><del>{removed}</del> <ins>{added}</ins></dd>"
    side = f"<ins>{safe(new)}</ins>" if new is not None else f"<del>{safe(old or '')}</del>"
    return f"{what}<dd>{side}</dd>"


def _lines(lines: Sequence[str]) -> Iterator[str]:
    """Yield the lines of a text; those that are edited together are in one element."""
    for edited, block in groupby(lines, lambda line: line[:1] in KINDS):
        if edited:
            yield f'<samp class="edit">{"".join(_edit([*block]))}</samp>'
        else:
            yield from map(_line, block)


def _line(line: str) -> str:
    text = safe(line[1:]) if line[:1] == " " else f"<i>{safe(line)}</i>"
    return f"<span>{text}</span>"


def _edit(lines: Sequence[str]) -> Iterator[str]:
    """Yield lines that went, then those that came; the words that differ between two are marked."""
    old, new = ([line[1:] for line in lines if line[:1] == sign] for sign in ("-", "+"))
    pairs = [marked(*pair) for pair in zip(old, new, strict=False)]
    removed = [pair[0] for pair in pairs] + [safe(line) for line in old[len(pairs) :]]
    added = [pair[1] for pair in pairs] + [safe(line) for line in new[len(pairs) :]]
    yield from (f"<del>{line}</del>" for line in removed)
    yield from (f"<ins>{line}</ins>" for line in added)
