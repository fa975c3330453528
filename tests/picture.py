"""Draws docs/session.svg, the picture of README.md: a terminal, and what the commands print.

python -m tests.picture
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from html import escape, unescape
from pathlib import Path
from tempfile import TemporaryDirectory

from tests.pages import PROJECT, Shell, a_server, presentable

PICTURE = PROJECT / "docs" / "session.svg"
SESSION = (
    'gitbackup commit -m "first commit"',
    "redis-cli HSET account:us-1 status active token tok-us",
    """redis-cli SET config '{"limits": {"daily": 250, "hourly": 10}}'""",
    'gitbackup commit -m "added account"',
    "gitbackup diff HEAD~1 HEAD",
    "redis-cli DEL account:eu-1 account:us-1 account:index",
    "gitbackup status",
    "gitbackup restore HEAD --yes",
)
COLOURED = ("diff", "show", "log", "blame", "keys")
"""The commands that have --color."""

WIDTH, LINE, SIDE, TOP = 8.4, 19, 20, 52
"""Of a character, in pixels; from line to line; left of the text; above it."""

COLOURS = {
    "31": "#ff7b72",
    "32": "#7ee787",
    "33": "#e3b341",
    "34": "#79c0ff",
    "35": "#d2a8ff",
    "36": "#76e3ea",
    "2": "#8b949e",
}
PLAIN, BOLD, PROMPT = "#c9d1d9", "#ffffff", "#7ee787"
SGR = re.compile("\x1b\\[([0-9;]*)m")

HEAD = """\
<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {height}" width="{width}" role="img">
<title>{title}</title>
<rect width="{width}" height="{height}" rx="9" fill="#0d1117"/>
<circle cx="24" cy="22" r="6" fill="#ff5f57"/>
<circle cx="44" cy="22" r="6" fill="#febc2e"/>
<circle cx="64" cy="22" r="6" fill="#28c840"/>
<g font-family="ui-monospace, SFMono-Regular, Menlo, Consolas, 'DejaVu Sans Mono', monospace" \
font-size="14" xml:space="preserve">
"""


def session(shell: Shell) -> list[str]:
    """The lines of the terminal, with their colours as a terminal gets them."""
    lines = []
    for command in SESSION:
        coloured = command.split()[1] in COLOURED
        output = shell.run(command + " --color always" * coloured)
        lines += [f"$ {command}", *presentable(output).splitlines()]
    return lines


def plain(line: str) -> str:
    return SGR.sub("", line)


def svg(lines: list[str]) -> str:
    """The picture of these lines."""
    width = round(max(len(plain(line)) for line in lines) * WIDTH) + 2 * SIDE
    title = "gitbackup in a terminal: commit, change, diff, accident, restore"
    drawn = HEAD.format(width=width, height=TOP + LINE * len(lines), title=title)
    for number, line in enumerate(lines):
        if length := len(plain(line)):
            drawn += (
                f'<text x="{SIDE}" y="{TOP + LINE * number}" textLength="{length * WIDTH:.0f}">'
                f"{''.join(spans(line))}</text>\n"
            )
    return drawn + "</g>\n</svg>\n"


def spans(line: str) -> Iterator[str]:
    """The parts of a line that have one colour each."""
    if line.startswith("$ "):
        yield f'<tspan fill="{PROMPT}">$ </tspan><tspan fill="{BOLD}">{_text(line[2:])}</tspan>'
        return
    colour = PLAIN
    for part in re.split("(\x1b\\[[0-9;]*m)", line):
        if found := SGR.fullmatch(part):
            colour = _colour(found[1])
        elif part:
            yield f'<tspan fill="{colour}">{_text(part)}</tspan>'


def _colour(codes: str) -> str:
    given = [COLOURS[code] for code in codes.split(";") if code in COLOURS]
    return given[0] if given else BOLD if "1" in codes.split(";") else PLAIN


def _text(part: str) -> str:
    """Runs of spaces are kept by every reader of SVG as no-break spaces only."""
    return escape(part, quote=False).replace(" ", "\N{NO-BREAK SPACE}")


def text_of(picture: str) -> list[str]:
    """The lines that a picture shows; empty ones are not in it."""
    lines = re.findall(r"^<text[^>]*>(.*)</text>$", picture, re.MULTILINE)
    plain_lines = [unescape(re.sub(r"<[^>]*>", "", line)) for line in lines]
    return [line.replace("\N{NO-BREAK SPACE}", " ") for line in plain_lines]


def main() -> None:
    with TemporaryDirectory() as folder, a_server() as address:
        PICTURE.write_text(svg(session(Shell(Path(folder), address))), "utf-8")


if __name__ == "__main__":
    main()
