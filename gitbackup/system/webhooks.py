"""Post JSON to an https URL, for a limited time."""

from __future__ import annotations

from queue import Empty, SimpleQueue
from threading import Thread
from typing import Any

from gitbackup.system.programs import Outcome

KEPT = 2_000  # bytes of an answer


def post(url: str, body: bytes, seconds: float) -> Outcome:
    """Post `body` to `url`; return what was answered. No redirect is followed.

    What has not been answered after so many seconds is given up, however slowly it comes.
    """
    answers: SimpleQueue[Outcome] = SimpleQueue()
    Thread(target=lambda: answers.put(_post(url, body, seconds)), daemon=True).start()
    try:
        return answers.get(timeout=seconds)
    except Empty:
        return Outcome(False, f"did not answer within {seconds:g} s", "")


def _post(url: str, body: bytes, seconds: float) -> Outcome:
    # deferred: they load what no other command has need of
    from http.client import HTTPException
    from urllib.error import HTTPError
    from urllib.request import HTTPRedirectHandler, Request, build_opener

    class Stay(HTTPRedirectHandler):
        def redirect_request(self, *_: Any) -> None:
            return None

    headers = {"Content-Type": "application/json", "User-Agent": "gitbackup"}
    try:
        request = Request(url, body, headers, method="POST")  # noqa: S310  it is https
        with build_opener(Stay).open(request, timeout=seconds) as answer:
            return _answered(answer.status, answer.read(KEPT))
    except HTTPError as error:
        with error:
            return _answered(error.code, error.read(KEPT))
    except (OSError, HTTPException, ValueError) as error:
        why = getattr(error, "reason", None) or error
        return Outcome(False, f"could not be reached: {why}", "")


def _answered(status: int, content: bytes) -> Outcome:
    return Outcome(status < 300, f"answered {status}", content.decode("utf-8", "replace"))
