"""Which types of values a server cannot hold, by the commands that it does not know."""

from __future__ import annotations

from collections.abc import Mapping

from gitbackup.kinds import KNOWN_BY
from gitbackup.live.connection.connection import Connection


def unknown_types(connection: Connection) -> Mapping[str, str]:
    """Return the types that the server cannot hold, and the command of each that it does not know.

    There are none where the user may not ask. Other types may turn out to be unknown, too.
    """
    (told,) = connection.ask([("COMMAND", "INFO", *KNOWN_BY.values())])
    if not isinstance(told, list) or len(told) != len(KNOWN_BY):
        return {}
    asked = zip(KNOWN_BY.items(), told, strict=True)
    return {type_: command for (type_, command), known in asked if known is None}
