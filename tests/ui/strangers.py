"""Who is no page of the site: requests that are written by hand, to the byte."""

from __future__ import annotations

import socket
import time
from collections.abc import Callable, Mapping
from contextlib import suppress
from http.client import HTTPException, HTTPResponse
from typing import NamedTuple, Self
from urllib.parse import urlencode, urlsplit

Headers = Mapping[str, str | None]

FORM = "application/x-www-form-urlencoded"


class Answer(NamedTuple):
    """What came back; the status is 0 where the connection was closed instead."""

    status: int
    headers: dict[str, str]
    body: str


class Stranger:
    """Sends requests to the site of a URL, with a cookie if it has one."""

    def __init__(self, url: str, cookie: str = "") -> None:
        parts = urlsplit(url)
        self.host, self.port = parts.hostname or "", parts.port or 0
        self.name = parts.netloc
        self.origin = f"{parts.scheme}://{parts.netloc}"
        self.cookie = cookie

    def enter(self, entrance: str) -> Self:
        """Log in by a URL with a token."""
        answer = self.get(entrance.removeprefix(self.origin))
        assert answer.status == 303, answer
        self.cookie = answer.headers["set-cookie"].partition(";")[0]
        return self

    def get(self, path: str = "/", method: str = "GET", **headers: str | None) -> Answer:
        """Ask for a path; `sec_fetch_site` is the header Sec-Fetch-Site. None leaves one out."""
        return self.ask(self.written(method, path, b"", **headers))

    def post(self, path: str, form: Mapping[str, str], **headers: str | None) -> Answer:
        """Send a form as a page of the site does."""
        ours = {"origin": self.origin, "content_type": FORM}
        return self.ask(self.written("POST", path, urlencode(form).encode(), **ours | headers))

    def written(self, method: str, path: str, body: bytes, **headers: str | None) -> bytes:
        """Return a request as it is sent."""
        usual = {"host": self.name, "connection": "close", "cookie": self.cookie or None}
        length = {"content_length": str(len(body))} if body else {}
        named = {**usual, **length, **headers}.items()
        lines = [f"{name.replace('_', '-')}: {value}" for name, value in named if value is not None]
        return "\r\n".join([f"{method} {path} HTTP/1.1", *lines, "", ""]).encode() + body

    def ask(self, request: bytes) -> Answer:
        """Send a request of any bytes, and return what comes back."""
        with self.connect() as connection:
            with suppress(ConnectionError):  # what is too long is not read to its end
                connection.sendall(request)
            return answer(connection, request.partition(b" ")[0])

    def connect(self) -> socket.socket:
        """Return a new connection, on which nothing was said."""
        return socket.create_connection((self.host, self.port), timeout=60)


def answer(connection: socket.socket, method: bytes = b"GET") -> Answer:
    """Return the next answer on a connection."""
    got = HTTPResponse(connection, method=method.decode("latin-1"))
    try:
        got.begin()
        body = got.read()
    except (ConnectionError, HTTPException):
        return Answer(0, {}, "")
    headers = {name.lower(): value for name, value in got.getheaders()}
    return Answer(got.status, headers, body.decode("utf-8", "replace"))


def wait_for(true: Callable[[], bool]) -> None:
    """Until a condition holds."""
    for _ in range(3000):
        if true():
            return
        time.sleep(0.01)
    raise AssertionError("it never came")
