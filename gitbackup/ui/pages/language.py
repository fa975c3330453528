"""Where the links lead by which a reader chooses a language: back, with a cookie that notes it."""

from __future__ import annotations

from starlette.requests import Request
from starlette.responses import RedirectResponse, Response

from gitbackup.ui.site import Site
from gitbackup.ui.words.forms import own_path
from gitbackup.ui.words.language import COOKIE, NAMES

YEAR = 365 * 24 * 60 * 60  # seconds


def choose(site: Site, request: Request) -> Response:
    """Note the language that the path names, if it is one of ours, and lead back."""
    back, code = request.query_params.get("back", ""), request.path_params["code"]
    response = RedirectResponse(own_path(back), 303)
    if code in NAMES:
        response.set_cookie(COOKIE, code, max_age=YEAR, httponly=True, samesite="strict")
    return response
