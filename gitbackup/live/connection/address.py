"""Where a server is: URLs, with any password in them, and names without."""

from __future__ import annotations

import re
import shlex
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, TypeVar
from urllib.parse import parse_qs, quote, unquote, urlsplit

from gitbackup.errors import UsageError
from gitbackup.model.server.access import LONGEST, NAMES, Access

T = TypeVar("T")
CONNECTING = 10.0  # seconds, at most, until somebody answers at all
DEFAULT_URL = "redis://localhost:6379"
USUAL_PORT = 6379
HOST = re.compile(r"|(\[[0-9A-Fa-f:.]+\]|[^:@\[\]]+)(:[0-9]{1,18})?")
TOLD_HOST = re.compile("[!-~]{1,255}")
LAST_PORT = 65_535
YES, NO = ("1", "true", "yes", "on", ""), ("0", "false", "no", "off")
ANYHOW = Access()
BY_SENTINEL = "+sentinel"
SCHEMES = ("redis", "rediss", "unix", f"redis{BY_SENTINEL}", f"rediss{BY_SENTINEL}")
SENTINEL_PORT = 26379
ASKS_PASSWORD = "--askpass"  # noqa: S105  an option
"""The option with which redis-cli asks for a password; without it, it takes REDISCLI_AUTH."""

CLI_TLS = {
    "ssl_ca_certs": "--cacert",
    "ssl_ca_path": "--cacertdir",
    "ssl_certfile": "--cert",
    "ssl_keyfile": "--key",
    "sni": "--sni",
}
"""What redis-cli calls our options of TLS."""

SECURE = "tls"
"""The option that tells whether a server is spoken to by TLS; a URL's scheme says so."""

OPTIONS: dict[str, Callable[[str], Any]] = {
    **dict.fromkeys(("host", "path", "username", "password"), str),
    **dict.fromkeys(("sentinel_username", "sentinel_password"), str),
    **dict.fromkeys(("port", "db"), int),
    **dict.fromkeys(("socket_timeout", "socket_connect_timeout"), float),
    "protocol": lambda word: _one_of((2, 3), int(word)),
}
"""What the query of a URL may say, under redis-py's names, and how that is read."""

TLS_OPTIONS: dict[str, Callable[[str], Any]] = {
    **dict.fromkeys(("ssl_ca_certs", "ssl_ca_path", "ssl_certfile", "ssl_keyfile"), str),
    **dict.fromkeys(("ssl_password", "ssl_ciphers"), str),
    "ssl_cert_reqs": lambda word: _one_of(("none", "optional", "required"), word),
    "ssl_check_hostname": lambda word: word.lower() not in NO,
    "ssl_min_version": int,
}
OF_OTHERS = (
    *("client_name", "lib_name", "lib_version", "health_check_interval", "legacy_responses"),
    *("retry_on_error", "retry_on_timeout", "socket_keepalive", "socket_read_size"),
)
"""What it may say to other programs."""

HINT = "use redis://[[user]:password@]host[:port][/db], rediss://... or unix:///path"
SENTINEL_HINT = (
    "use redis+sentinel://[[user]:password@]host[:port][,host[:port]]/service[/db], or"
    " rediss+sentinel://..."
)


@dataclass(frozen=True, slots=True)
class Sentinels:
    """Where the sentinels are that know the primary of a service, and the login that they take."""

    service: str
    places: tuple[tuple[str, int], ...]
    username: str = ""
    password: str = field(default="", repr=False)


@dataclass(frozen=True, slots=True)
class Address:
    """A parsed URL. `label` tells the server without credentials; `db` is None for all.

    With `sentinels`, `options` have no host until these have told which server it is. With
    `read_only`, no command is sent there that may write.
    """

    label: str
    db: int | None
    options: dict[str, Any] = field(repr=False)
    access: Access = field(default_factory=Access)
    sentinels: Sentinels | None = None
    read_only: bool = False

    @property
    def redis_cli(self) -> str:
        """How a person calls redis-cli for it, which asks for the password if there is one."""
        path, host, port, user = map(self.options.get, ("path", "host", "port", "username"))
        words = ["redis-cli"]
        if path:
            words += ["-s", shlex.quote(path)]
        else:
            words += ["-h", shlex.quote(host)] if host and host != "localhost" else []
            words += ["-p", str(port)] if port and port != USUAL_PORT else []
        words += ["--user", shlex.quote(user)] if user else []
        words += [ASKS_PASSWORD] if self.options.get("password") else []
        if self.is_secure:
            given = {option: self.options.get(name) for name, option in CLI_TLS.items()}
            words += ["--tls", *(["--insecure"] if self.insecure else [])]
            words += [f"{option} {shlex.quote(file)}" for option, file in given.items() if file]
        return " ".join(words)

    @property
    def is_secure(self) -> bool:
        """Whether it is spoken to by TLS."""
        return bool(self.options.get(SECURE))

    @property
    def insecure(self) -> bool:
        """Whether it is, but whoever answers is believed."""
        return self.is_secure and self.options.get("ssl_cert_reqs", "required") == "none"

    def by(self, access: Access, kept: Access = ANYHOW) -> Address:
        """Return the same place with the options of `access`, then of its URL, then with those that
        are `kept`.

        Raises UsageError for files that are no certificates.
        """
        if not self.is_secure and access | Access(timeout=1) != Access(timeout=access.timeout or 1):
            raise UsageError(
                f"the connection to {self.label} does not use TLS: for TLS, its URL"
                " must be rediss://..."
            )
        whole = access | self.access | kept
        added: dict[str, Any] = {}
        if whole.timeout:
            soon = min(whole.timeout, CONNECTING)
            added = {"socket_timeout": whole.timeout, "socket_connect_timeout": soon}
        if self.is_secure:
            from gitbackup.live.connection import tls  # ssl takes as long as to dial

            added |= tls.options(whole)
        return replace(self, options=self.options | added)

    def with_password(self, password: str) -> Address:
        """Return the same place with this password, if the URL has none."""
        if not password or self.options.get("password"):
            return self
        return replace(self, options={**self.options, "password": password})

    def with_sentinel_password(self, password: str) -> Address:
        """Return the same place with this password for the sentinels, if the URL has none."""
        if not password or self.sentinels is None or self.sentinels.password:
            return self
        return replace(self, sentinels=replace(self.sentinels, password=password))


def parse(url: str) -> Address:
    """Return the address that `url` names. Raises UsageError, which never shows the password, if it
    is not valid.

    Any character may stand in the password as it is; a percent sign and two hex digits are
    read as in any URL.
    """
    scheme, separator, rest = url.partition("://")
    if not separator or scheme not in SCHEMES:
        raise UsageError(f"not a Redis URL: {SENTINEL_HINT if 'sentinel' in scheme else HINT}")
    credentials, place = _split(scheme, rest)
    if scheme.endswith(BY_SENTINEL):
        return _by_sentinel(scheme, credentials, place)
    found = _options(f"{scheme}://{_quoted(credentials)}{place}")
    path = place.partition("?")[0]
    named = access_of({name: str(found.pop(name)) for name in NAMES if name in found})
    db, label = _database(scheme, path, found), _label(scheme, found)
    return Address(label, db, found, named).by(Access())


def _options(url: str) -> dict[str, Any]:
    """Return how to connect to the server of a URL: its place, the login, and the options of its
    query."""
    try:
        parts = urlsplit(url)
        given = {name: first for name, (first, *_) in parse_qs(parts.query).items()}
        known = OPTIONS | (TLS_OPTIONS if parts.scheme == "rediss" else {})
        options = {name: known.get(name, str)(value) for name, value in given.items()}
        found = {"username": parts.username, "password": parts.password}
        if parts.scheme == "unix":
            found["path"] = parts.path
        else:
            found["host"] = parts.hostname
            options |= {} if parts.port is None else {"port": parts.port}
            if (db := parts.path.strip("/")).isdecimal() and "db" not in options:
                options["db"] = int(db)
    except ValueError:
        raise UsageError(f"not a Redis URL: {HINT}") from None
    _expect_port(options.get("port", USUAL_PORT))
    if given.keys() - known.keys() - {*NAMES, *OF_OTHERS}:
        raise UsageError(f"the Redis URL has an unknown option: {HINT}")
    options |= {name: unquote(value) for name, value in found.items() if value}
    return {**options, SECURE: parts.scheme == "rediss"}


def _expect_port(port: int) -> None:
    """Raise UsageError for a number that no server's port can be."""
    if not 0 < port <= LAST_PORT:
        raise UsageError(f"the port of a server is a number from 1 to {LAST_PORT}, not {port}")


def _one_of(known: Sequence[T], word: T) -> T:
    """Return the word. Raises ValueError if it is not one of those that are known."""
    return known[known.index(word)]


def _by_sentinel(scheme: str, credentials: str, place: str) -> Address:
    """Return the address of a service, by where its sentinels are."""
    path, mark, query = place.partition("?")
    hosts, _, rest = path.partition("/")
    service, _, db = rest.partition("/")
    if not service or not all(host and HOST.fullmatch(host) for host in hosts.split(",")):
        raise UsageError(f"not a Redis URL: {SENTINEL_HINT}")
    first, *_ = hosts.split(",")
    found = parse(
        f"{scheme.removesuffix(BY_SENTINEL)}://{_quoted(credentials)}{first}/{db}{mark}{query}"
    )
    options = {name: value for name, value in found.options.items() if name not in ("host", "port")}
    login = [str(options.pop(f"sentinel_{name}", "")) for name in ("username", "password")]
    places = tuple(map(_sentinel_place, hosts.split(",")))
    for _, port in places:
        _expect_port(port)
    label = f"{scheme}://{','.join(place_of(*one) for one in places)}/{service}"
    return replace(
        found, label=label, options=options, sentinels=Sentinels(unquote(service), places, *login)
    )


def _sentinel_place(host: str) -> tuple[str, int]:
    name, colon, port = host.rpartition(":")
    if not colon or "]" in port:
        return host.strip("[]"), SENTINEL_PORT
    return name.strip("[]"), int(port)


def _split(scheme: str, rest: str) -> tuple[str, str]:
    """Return the credentials and the place; a password may itself contain an at sign or a slash."""
    authority = re.split("[/?#]", rest, maxsplit=1)[0]
    hosts = authority.split(",") if scheme.endswith(BY_SENTINEL) else [authority]
    if all(map(HOST.fullmatch, hosts)) or (scheme == "unix" and not authority):
        return "", rest
    credentials, _, place = rest.rpartition("@")
    return credentials, place


def _quoted(credentials: str) -> str:
    user, _, password = credentials.partition(":")
    return f"{quote(unquote(user), '')}:{quote(unquote(password), '')}@" if credentials else ""


def _label(scheme: str, options: dict[str, Any]) -> str:
    if scheme == "unix":
        return f"unix://{options.get('path', '')}"
    return place_of(options.get("host", "localhost"), options.get("port", USUAL_PORT))


def told_place(host: object, port: object) -> tuple[str, int]:
    """Return the host and the port of a server, as another server has told them.

    Raises ValueError for what is none.
    """
    number = int(str(port))
    if not TOLD_HOST.fullmatch(str(host)) or not 0 <= number <= LAST_PORT:
        raise ValueError("not a place")
    return str(host), number


def place_of(host: str, port: int) -> str:
    """Return a host and a port as a URL has them."""
    return f"[{host}]:{port}" if ":" in host else f"{host}:{port}"


def _database(scheme: str, path: str, options: dict[str, Any]) -> int | None:
    """Return the database that the URL names; a unix socket's URL names one by `?db=`."""
    named: int | None = options.pop("db", None)
    if scheme != "unix" and named is None and path.partition("/")[2]:
        raise UsageError(f"the path of a Redis URL must be the number of a database: {HINT}")
    return named


def access_of(words: Mapping[str, str]) -> Access:
    """Return the options of a connection by their names. Raises UsageError for a value that is not
    valid."""
    found: dict[str, Any] = {name: word for name, word in words.items() if name in NAMES}
    if "timeout" in found:
        found["timeout"] = _seconds(found["timeout"])
    if "insecure" in found:
        found["insecure"] = _is_true(found["insecure"])
    return Access(**found)


def _seconds(word: str) -> float:
    try:
        seconds = float(word)
    except ValueError:
        seconds = 0
    if not 0 < seconds <= LONGEST:
        raise UsageError(f"timeout must be a number of seconds, not {word!r}")
    return seconds


def _is_true(word: str) -> bool:
    if word.lower() not in (*YES, *NO):
        raise UsageError(f"insecure must be true or false, not {word!r}")
    return word.lower() in YES
