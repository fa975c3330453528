"""Who may come in: whoever was given the address, or knows the password, from a page of ours.

The browser of a person also shows pages of others, which can send requests here. So each request
must name this site (a foreign name may have been pointed at this machine), must not come from
another site unless it only opens a page, and must be part of a login. What changes something is a
POST with the token of that login.
"""

from __future__ import annotations

import re
from collections.abc import Collection
from hmac import compare_digest
from ipaddress import ip_address
from typing import NamedTuple

from starlette.requests import ClientDisconnect, Request
from starlette.responses import RedirectResponse, Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from gitbackup.errors import UsageError
from gitbackup.ui.door.headers import with_headers
from gitbackup.ui.door.password import Password
from gitbackup.ui.sessions import Session, Sessions
from gitbackup.ui.site import Site
from gitbackup.ui.words.forms import MOST_BYTES, TYPE, Form, own_path
from gitbackup.ui.words.language import later

BACKGROUND = "X-Background"
"""A header of what a page asks for by itself: it does not keep a login from ending."""

LOOPBACK = ("127.0.0.1", "localhost", "[::1]")

METHODS = ("GET", "HEAD", "POST")

ENTER, LEAVE, STATIC = "/enter", "/leave", "/static/"

_LOGIN_BYTES = 8192  # of a form before the login


class Refused(Exception):
    """A request is not answered with what it asks for: the status, and a sentence."""

    def __init__(self, status: int, sentence: str, **headers: str) -> None:
        super().__init__(sentence)
        self.status = status
        self.headers = headers


class Door(NamedTuple):
    """Where a site is: the names that it is reached by, and whether by TLS.

    With `addresses`, any IP address names it, as behind 0.0.0.0. No page of others can have one
    pointed at us, as a name can be.
    """

    names: Collection[str] = LOOPBACK
    addresses: bool = False
    tls: bool = False


class Gate:
    """The door of one site."""

    def __init__(
        self, site: Site, sessions: Sessions, door: Door, password: Password | None = None
    ) -> None:
        self._site = site
        self._sessions = sessions
        self._door = door
        self._password = password

    def guard(self, inside: ASGIApp) -> ASGIApp:
        """Return an application that lets in whom it should."""

        async def guarded(scope: Scope, receive: Receive, send: Send) -> None:
            request = Request(scope, receive)
            static = scope["path"].startswith(STATIC)
            send = with_headers(send, static=static)
            try:
                answer = await self._answer(request, static)
            except Refused as refused:
                answer = self._refusal(request, refused)
            except ClientDisconnect:
                return
            session = Session.of(request)
            if answer is None and session:
                send = self._while_it_goes_on(session, send)
            await (answer or inside)(scope, receive, send)

        return guarded

    async def _answer(self, request: Request, static: bool) -> Response | None:
        """Return what the gate itself has to say, None for a request that may pass."""
        _expect_plain(request)
        self._expect_own_name(request)
        self._expect_own_page(request)
        if static:
            return None
        if request.url.path == ENTER:
            return await self._enter(request)
        session = self._sessions.find(self._cookie(request), _is_used(request))
        if session is None:
            return self._outside(request)
        session.admit(request)
        if request.method == "POST":
            form = await _form(request, MOST_BYTES)
            _expect_token(request, form, session)
            form.attach(request)
            if request.url.path == LEAVE:
                return self._leave(request)
        return None

    def _expect_own_name(self, request: Request) -> None:
        name, port = _parts(_host(request))
        if not re.fullmatch("[0-9]{0,5}", port):
            raise Refused(400, "The request does not say to whom it is.")
        if name not in self._door.names and not (self._door.addresses and _is_address(name)):
            raise Refused(403, later("This site is not known by that name."))

    def _expect_own_page(self, request: Request) -> None:
        """Raise Refused for what a page of another site sends, but for opening a page of ours."""
        ours = f"{self._scheme}://{_host(request)}"
        origin = request.headers.get("origin", "").lower()
        if origin and origin != ours:
            raise Refused(403, later("A page of another site sent this; it is refused."))
        if request.method == "POST" and not origin:
            raise Refused(403, "A form must say which page it is from; this one does not.")
        if _is_foreign(request) and not (_opens_page(request) and request.method != "POST"):
            raise Refused(403, later("A page of another site sent this; it is refused."))

    async def _enter(self, request: Request) -> Response:
        if self._password and request.method == "POST":
            form = await _form(request, _LOGIN_BYTES)
            to = _way_in(form.get("to"))
            wait = self._password.wait(_address(request))
            if wait:
                sentence = later("Too many wrong passwords: wait a minute.")
                raise Refused(429, sentence, retry_after=str(wait))
            if not self._password.fits(_address(request), form.get("password")):
                return self._page(request, 403, later("The password is wrong."), to)
            return self._entered(request, self._sessions.begin(), to)
        if self._sessions.find(self._cookie(request), used=True):
            return RedirectResponse("/", 303)
        if self._password:
            return self._page(request, 200)
        if request.method != "GET" or "prefetch" in request.headers.get("sec-purpose", ""):
            raise Refused(405, "Open this address in a browser.")  # it works once
        cookie = self._sessions.redeem(request.query_params.get("token", ""))
        if cookie is None:
            return self._page(request, 403, later("This address works only once, and was used."))
        return self._entered(request, cookie)

    def _entered(self, request: Request, cookie: str, to: str = "/") -> Response:
        """Return an answer that leads to a page, and leaves the token out of the browser's
        history."""
        answer = RedirectResponse(to, 303)
        answer.set_cookie(
            self._cookie_name(request),
            cookie,
            httponly=True,
            samesite="strict",
            secure=self._door.tls,
        )
        return answer

    def _leave(self, request: Request) -> Response:
        self._sessions.end(self._cookie(request))
        answer = self._page(request, 200, later("You are logged out."))
        answer.delete_cookie(
            self._cookie_name(request), httponly=True, samesite="strict", secure=self._door.tls
        )
        return answer

    def _outside(self, request: Request) -> Response:
        """Return what somebody sees who has not logged in.

        The cookie does not come along from a link on another site. From there a page of ours is
        opened once more, by itself.
        """
        if _is_foreign(request):
            return self._site.page(request, "again.html", url=self._url(request))
        ended = later("Your login has ended."), later("You are not logged in.")
        sentence = ended[not self._cookie(request)]
        return self._page(request, 401, sentence, _way_in(_asked(request)))

    def _page(self, request: Request, status: int, sentence: str = "", to: str = "/") -> Response:
        """Return the page that says how to get in, from where a password leads to the path `to`."""
        how = {
            "message": self._site.language(request).say(sentence),
            "password": self._password is not None,
            "to": to,
        }
        return self._site.page(request, "enter.html", status=status, **how)

    def _refusal(self, request: Request, refused: Refused) -> Response:
        answer = self._site.error(request, refused.status, str(refused))
        for name, value in refused.headers.items():
            answer.headers[name.replace("_", "-")] = value
        answer.headers["Connection"] = "close"  # what else it sent is not read
        return answer

    def _while_it_goes_on(self, session: Session, send: Send) -> Send:
        """Return a `send` that ends an answer which goes on for longer than its login."""

        async def sent(message: Message) -> None:
            if message.get("more_body") and not self._sessions.goes_on(session):
                message = {"type": "http.response.body", "body": b"", "more_body": False}
            await send(message)

        return sent

    def _url(self, request: Request) -> str:
        """Return the whole URL of a request: its path alone could be read as another host's."""
        return f"{self._scheme}://{_host(request)}{_asked(request)}"

    def _cookie(self, request: Request) -> str:
        return request.cookies.get(self._cookie_name(request), "")

    def _cookie_name(self, request: Request) -> str:
        """Browsers keep a cookie for all ports of a host, so its name has the port."""
        _, port = _parts(_host(request))
        return f"{'__Host-' * self._door.tls}gitbackup-{port or 'default'}"

    @property
    def _scheme(self) -> str:
        return "https" if self._door.tls else "http"


def _expect_plain(request: Request) -> None:
    """Raise Refused for a request that could be understood in two ways, or that no page sends."""
    if request.method not in METHODS:
        raise Refused(405, "Only GET, HEAD and POST are understood.", allow=", ".join(METHODS))
    for name in ("host", "origin", "content-length", "sec-fetch-site"):
        if len(request.headers.getlist(name)) > 1:
            raise Refused(400, "The request says a thing twice.")
    if request.scope["http_version"] not in ("1.0", "1.1"):
        raise Refused(400, "Only HTTP/1.0 and HTTP/1.1 are understood.")
    if not request.headers.get("host") or not request.scope["path"].startswith("/"):
        raise Refused(400, "The request does not say to whom it is.")
    if "\0" in request.scope["path"]:
        raise Refused(400, "No path has a NUL.")
    if "content-length" in request.headers and "transfer-encoding" in request.headers:
        raise Refused(400, "The request says two lengths.")


def _asked(request: Request) -> str:
    """Return the path and query that a request asks for; empty for one that sends a form."""
    if request.method == "POST":
        return ""
    query = f"?{request.url.query}" if request.url.query else ""
    return bytes(request.scope["raw_path"]).decode("ascii", "replace") + query


def _way_in(told: str) -> str:
    """Return where a login leads: a page of ours, but not the door itself."""
    path = own_path(told)
    return "/" if path.startswith((ENTER, LEAVE)) else path


def _host(request: Request) -> str:
    return request.headers["host"].lower()


def _address(request: Request) -> str:
    return request.client.host if request.client else ""


def _parts(host: str) -> tuple[str, str]:
    """Return the name and the port of a header Host; an IPv6 address is in brackets."""
    name, colon, port = host.rpartition(":")
    return (name, port) if colon and not host.endswith("]") else (host, "")


def _is_address(name: str) -> bool:
    try:
        ip_address(name.removeprefix("[").removesuffix("]"))
    except ValueError:
        return False
    return True


def _is_foreign(request: Request) -> bool:
    return request.headers.get("sec-fetch-site", "none") not in ("none", "same-origin")


def _opens_page(request: Request) -> bool:
    """Whether a request opens a page in a tab, rather than in a frame or for a script."""
    asked = request.headers.get("sec-fetch-mode"), request.headers.get("sec-fetch-dest")
    return asked == ("navigate", "document")


def _is_used(request: Request) -> bool:
    """Whether a person asks, not a page by itself."""
    return BACKGROUND not in request.headers


async def _form(request: Request, most: int) -> Form:
    """Return the form that a request sends. Raises Refused for another body, or a longer one."""
    if request.headers.get("content-type", "").partition(";")[0].strip().lower() != TYPE:
        raise Refused(415, f"A form is {TYPE}.")
    body = bytearray()
    async for chunk in request.stream():
        body += chunk
        if len(body) > most:
            raise Refused(413, later("The form is too long."))
    try:
        return Form(bytes(body))
    except UsageError:
        raise Refused(400, "The form is not encoded as a browser encodes it.") from None


def _expect_token(request: Request, form: Form, session: Session) -> None:
    sent = request.headers.get("x-csrf-token") or form.get("csrf")
    if not compare_digest(sent.encode(), session.csrf.encode()):
        raise Refused(403, later("The form is from before this login: load the page again."))
