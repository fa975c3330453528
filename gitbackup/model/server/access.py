"""How to connect to a server: how long to wait, and which certificates count."""

from __future__ import annotations

from dataclasses import asdict, dataclass, fields

LONGEST = 86_400.0  # seconds


@dataclass(frozen=True, slots=True)
class Access:
    """Options of a connection, named as in redis-cli; `timeout` is how many seconds to wait for an
    answer.

    `cacert` is a file and `cacertdir` a folder of certificates that the server's is to be signed
    by; `cert` and `key` are files of our own certificate; `sni` is the name that the server's
    certificate is to have, and `insecure` takes any.
    """

    timeout: float | None = None
    cacert: str | None = None
    cacertdir: str | None = None
    cert: str | None = None
    key: str | None = None
    sni: str | None = None
    insecure: bool = False

    def __or__(self, other: Access) -> Access:
        """Return these options, and those of the other that are not set here."""
        return Access(**{name: mine or getattr(other, name) for name, mine in asdict(self).items()})


NAMES = tuple(one.name for one in fields(Access))
FILES = ("cacert", "cacertdir", "cert", "key")
"""Those that are paths."""
