"""Parse a commit message: its subject, its body, and the trailers at its end."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import NamedTuple

from gitbackup.model.changes import Counts

_TRAILER = re.compile(r"([A-Za-z0-9][A-Za-z0-9-]*)[ \t]*:[ \t]*(.*)")
_COUNT = re.compile(r"[0-9]{1,18}")
_BLANK = re.compile(r"\n(?:[ \t\r]*\n)+")


class Message(NamedTuple):
    """A commit message in its parts; the body is without the trailers."""

    subject: str
    body: str
    trailers: dict[str, str]


def parse(message: str) -> Message:
    """Return the parts of any commit message, ours or a person's."""
    message = message.strip("\n")
    blank = _BLANK.search(message)
    subject, rest = (message[: blank.start()], message[blank.end() :]) if blank else (message, "")
    body, trailers = rest, {}
    paragraphs = _BLANK.split(rest.rstrip())
    if found := _trailers(paragraphs[-1]):
        body, trailers = rest.rstrip()[: -len(paragraphs[-1])], found
    return Message(" ".join(subject.split()), body.strip("\n").rstrip(), trailers)


def counts(trailers: Mapping[str, str]) -> Counts | None:
    """Return how many keys were added, changed and removed by the trailers; None without these."""
    found = [trailers.get(name, "") for name in ("Added", "Changed", "Removed")]
    if all(map(_COUNT.fullmatch, found)):
        return Counts(*map(int, found))
    return None


def _trailers(paragraph: str) -> dict[str, str]:
    """Return the trailers of a paragraph; none if any line of it is not part of one.

    A line that begins with a space continues the one before. A name that comes twice has both
    values, with a comma between them.
    """
    found: dict[str, list[str]] = {}
    name = ""
    for line in paragraph.split("\n"):
        if name and line[:1] in (" ", "\t"):
            found[name] += " ", line.strip()
        elif match := _TRAILER.fullmatch(line.rstrip()):
            name, value = match[1], match[2]
            parts = found.setdefault(name, [])
            parts += (", ", value) if parts else (value,)
        elif not line.startswith("(cherry picked from commit "):
            return {}
    return {name: "".join(parts) for name, parts in found.items()}
