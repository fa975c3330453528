"""The manual: a page for each command, made of its `--help` and of what docs/ says of it.

    python -m gitbackup.cli.manual docs man    # writes man/gitbackup.1, man/gitbackup-log.1, ...

A wheel is built with these pages, so `man gitbackup-restore` works once it is installed.
"""

from __future__ import annotations

import inspect
import re
import sys
from collections.abc import Iterable, Iterator
from pathlib import Path

import click

from gitbackup.cli.app import app
from gitbackup.cli.arguments.before_command import SHARED
from gitbackup.cli.command_list import COMMANDS, FAMILIES
from gitbackup.cli.output.exit_codes import EXIT_CODES
from gitbackup.version import __version__

BLOCK = re.compile(
    r"^```\w*\n(?P<code>(?s:.*?))^```$"
    r"|^#+ (?P<heading>.*)$"
    r"|(?P<table>(?:^\|.*\n?)+)"
    r"|^(?P<indent> *)- (?P<item>.*(?:\n(?! *- | *$|```).*)*)"
    r"|(?P<text>^\S.*(?:\n(?! *- | *$|```|\||#).*)*)",
    re.MULTILINE,
)
"""The parts of a page in Markdown, as the pages of docs/ use it."""

INLINE = re.compile(r"`([^`]+)`|\*\*([^*]+)\*\*|!?\[([^\]]*)\]\(([^)\s]+)\)")
ESCAPES = str.maketrans(
    {"\\": "\\e", "-": "\\-", "'": "\\(aq", "`": "\\(ga", "~": "\\(ti", "^": "\\(ha"}
)
COMMENT = re.compile(r"<!--.*?-->\n?", re.DOTALL)
EXAMPLES = re.compile(r"\x08\nExamples:\n(.*?)\n\n\x08\nExit codes.*?\n  1  ([^\n]*)", re.DOTALL)


def write(docs: Path, folder: Path) -> list[Path]:
    """Write all pages into a folder, which exists, and return their files."""
    written = []
    for name, page in pages(docs):
        path = folder / f"{name}.1"
        path.write_text(page, "utf-8")
        written.append(path)
    return written


def pages(docs: Path) -> Iterator[tuple[str, str]]:
    """Yield the name and the text of each page; `docs` is the folder docs/ of a checkout."""
    root = click.Context(app, info_name="gitbackup", **app.context_settings)
    yield "gitbackup", _page(root, "git for a Redis database", _overview(root, docs))
    for name, told in COMMANDS.items():
        ctx = _below(root, name)
        yield _name(ctx), _page(ctx, told, _described(ctx, _notes(docs, name)))
        for inner in ctx.command.list_commands(ctx) if isinstance(ctx.command, click.Group) else ():
            below = _below(ctx, inner)
            told = below.command.get_short_help_str(200)
            yield _name(below), _page(below, told, _described(below, ""))


def _below(ctx: click.Context, name: str) -> click.Context:
    assert isinstance(ctx.command, click.Group)  # noqa: S101  for mypy
    command = ctx.command.get_command(ctx, name)
    assert command is not None, name  # noqa: S101  the list and the files are held equal by a test
    return click.Context(command, info_name=name, parent=ctx)


def _name(ctx: click.Context) -> str:
    return ctx.command_path.replace(" ", "-")


def _page(ctx: click.Context, told: str, sections: Iterable[str]) -> str:
    name = _name(ctx)
    usage = " ".join(ctx.command.collect_usage_pieces(ctx))
    head = [
        f'.TH "{escaped(name.upper())}" 1 "" "gitbackup {__version__}" "gitbackup manual"',
        ".SH NAME",
        f"{escaped(name)} \\- {escaped(told.rstrip('.'))}",
        ".SH SYNOPSIS",
        f".B {escaped(ctx.command_path)}",
        f"{escaped(usage)}",
    ]
    return "\n".join([*head, *sections, *_see_also(ctx)]) + "\n"


def _overview(root: click.Context, docs: Path) -> Iterator[str]:
    yield ".SH DESCRIPTION"
    yield from _help(app)
    yield from _options(root)
    yield ".SH COMMANDS"
    for family in FAMILIES:
        yield f".SS {escaped(family.title)}"
        yield from _tagged((f"gitbackup-{name}(1)", told) for name, told in family.commands.items())
    yield from _exit_status(None)
    environment = (docs / "help.md").read_text("utf-8").partition("## The environment\n")[2]
    yield ".SH ENVIRONMENT"
    yield from roff(environment.partition("\n## ")[0])


def _described(ctx: click.Context, notes: str) -> Iterator[str]:
    yield ".SH DESCRIPTION"
    yield from _help(ctx.command)
    if isinstance(ctx.command, click.Group):
        yield ".SH COMMANDS"
        inner = [_below(ctx, name) for name in ctx.command.list_commands(ctx)]
        told = [(f"{_name(one)}(1)", one.command.get_short_help_str(200)) for one in inner]
        yield from _tagged(told)
    yield from _options(ctx)
    found = EXAMPLES.search(ctx.command.epilog or "")
    if found:
        yield ".SH EXAMPLES"
        yield from _verbatim(inspect.cleandoc(found[1]))
    if notes:
        yield ".SH NOTES"
        yield from roff(notes)
    yield from _exit_status(found[2] if found else None)


def _help(command: click.Command) -> Iterator[str]:
    """Yield the paragraphs of a command's docstring, and as they are those that a backspace
    marks."""
    for paragraph in re.split(r"\n\s*\n", inspect.cleandoc(command.help or "")):
        if paragraph.startswith("\b\n"):
            yield from _verbatim(inspect.cleandoc(paragraph[2:]))
        else:
            yield from (".PP", inline(" ".join(paragraph.split())))


def _options(ctx: click.Context) -> Iterator[str]:
    own, shared = list[tuple[str, str]](), list[tuple[str, str]]()
    for param in ctx.command.get_params(ctx):
        if isinstance(param, click.Option) and (told := param.get_help_record(ctx)):
            is_shared = ctx.parent and not {*SHARED, "--help"}.isdisjoint(param.opts)
            (shared if is_shared else own).append(told)
    for title, rows in (("OPTIONS", own), ("COMMON OPTIONS", shared)):
        if rows:
            yield f".SH {title}"
            yield from _tagged(rows)


def _exit_status(failed: str | None) -> Iterator[str]:
    yield ".SH EXIT STATUS"
    codes = EXIT_CODES | ({1: failed} if failed else {})
    yield from _tagged((str(code), meaning) for code, meaning in codes.items())


def _see_also(ctx: click.Context) -> Iterator[str]:
    """Yield the overview, and the commands of the same family."""
    if ctx.parent is None:
        return
    first = ctx.command_path.split()[1]
    (family,) = [each for each in FAMILIES if first in each.commands]
    others = ["gitbackup", *(f"gitbackup-{name}" for name in family.commands)]
    yield ".SH SEE ALSO"
    yield ",\n".join(f"{escaped(name)}(1)" for name in others if name != _name(ctx))


def _notes(docs: Path, command: str) -> str:
    """Return the notes about a command in the pages of its family.

    It is the parts whose heading names the command; of a page that is named as the command, all.
    """
    (family,) = [each for each in FAMILIES if command in each.commands]
    found = []
    for page in family.pages:
        text = COMMENT.sub("", (docs / f"{page}.md").read_text("utf-8"))
        if page == command:
            return text.partition("\n")[2]
        for part in re.split(r"^## ", text, flags=re.MULTILINE)[1:]:
            heading, _, content = part.partition("\n")
            if command in re.findall(r"[a-z]+", heading.partition(":")[0]):
                found.append(content)
    return "\n".join(found)


def roff(markdown: str) -> Iterator[str]:
    """Yield the lines of a man page for a text in Markdown, as the pages of docs/ use it."""
    for block in BLOCK.finditer(COMMENT.sub("", markdown)):
        part = block.groupdict()
        if part["code"] is not None:
            yield from _verbatim(part["code"].rstrip("\n"))
        elif part["heading"]:
            yield f".SS {inline(part['heading'])}"
        elif part["table"]:
            rows = [_cells(line) for line in part["table"].splitlines()][2:]
            for first, *rest in rows:
                yield from (".TP", inline(first), inline("; ".join(filter(None, rest))) or "\\&")
        elif part["item"]:
            yield from (f".IP \\(bu {len(part['indent']) + 2}", inline(_joined(part["item"])))
        else:
            yield from (".PP", inline(_joined(part["text"])))


def _cells(row: str) -> list[str]:
    return [cell.strip() for cell in row.strip().strip("|").split("|")]


def _joined(lines: str) -> str:
    return " ".join(lines.split())


def inline(text: str) -> str:
    """Return a line of Markdown as one of a man page: code and stress in bold, links by their
    text, with the address of those that lead out."""
    out, at = [], 0
    for found in INLINE.finditer(text):
        out.append(escaped(text[at : found.start()]))
        code, strong, link, target = found.groups()
        if link is None:
            out.append(f"\\fB{escaped(code or strong)}\\fR")
        else:
            out.append(inline(link) + (f" ({escaped(target)})" if "://" in target else ""))
        at = found.end()
    return _begun("".join(out) + escaped(text[at:]))


def escaped(text: str) -> str:
    """Return text of which nothing is a command to roff; dashes stay those that one can type."""
    return text.translate(ESCAPES)


def _begun(line: str) -> str:
    return f"\\&{line}" if line.startswith(".") else line


def _tagged(rows: Iterable[tuple[str, str]]) -> Iterator[str]:
    for tag, told in rows:
        yield from (".TP", f"\\fB{escaped(tag)}\\fR", inline(told) or "\\&")


def _verbatim(lines: str) -> Iterator[str]:
    yield from (".PP", ".RS 4", ".nf")
    yield from (_begun(escaped(line)) for line in lines.split("\n"))
    yield from (".fi", ".RE")


if __name__ == "__main__":
    write(Path(sys.argv[1]), Path(sys.argv[2]))
