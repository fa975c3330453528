"""What a form sent, and where it may lead."""

from __future__ import annotations

import re
from urllib.parse import parse_qs

from starlette.requests import Request

from gitbackup.errors import UsageError

MOST_BYTES = 8 << 20
"""Of a form: ten thousand keys that were chosen, of long names."""

TYPE = "application/x-www-form-urlencoded"

MOST_FIELDS = 20_000

_STATE = "gitbackup.form"

_OWN_PATH = re.compile(r"/(?![/\\])[!-\[\]-~]{0,4000}")


def own_path(told: str) -> str:
    """Return a path, with its query, that a form or an address tells; `/` for what a browser may
    take for another site, as it does `//elsewhere`."""
    return told if _OWN_PATH.fullmatch(told) else "/"


class Form:
    """The fields of a form, each with all its values.

    A browser sends a line break in a value as CR LF, whichever it was: what has to come back to the
    byte, such as the name of a key, is put into a form as something that has none.
    """

    def __init__(self, body: bytes) -> None:
        try:
            self._fields = parse_qs(
                body.decode("ascii"),
                keep_blank_values=True,
                encoding="utf-8",
                errors="strict",
                max_num_fields=MOST_FIELDS,
            )
        except ValueError:
            raise UsageError("the form is not encoded as a browser encodes it") from None

    @classmethod
    def of(cls, request: Request) -> Form:
        """Return the form that a request sent; it has no fields where none was sent."""
        found = request.scope.get(_STATE)
        return found if isinstance(found, cls) else cls(b"")

    def attach(self, request: Request) -> None:
        """Make this the form of a request."""
        request.scope[_STATE] = self

    def get(self, name: str, default: str = "") -> str:
        """Return the last value of a field, `default` where it was not sent."""
        return self._fields.get(name, [default])[-1]

    def all(self, name: str) -> list[str]:
        """Return every value of a field, in their order."""
        return self._fields.get(name, [])

    def __contains__(self, name: object) -> bool:
        return name in self._fields
