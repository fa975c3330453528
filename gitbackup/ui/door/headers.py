"""What each answer tells the browser: what a page may load, and who may look at it."""

from __future__ import annotations

from starlette.datastructures import MutableHeaders
from starlette.types import Message, Send

POLICY = "; ".join(
    (
        "default-src 'none'",
        "script-src 'self'",
        "style-src 'self'",
        "img-src 'self'",
        "connect-src 'self'",
        "form-action 'self'",
        "frame-ancestors 'none'",
        "base-uri 'none'",
        # a script cannot make markup of text, wherever that is from
        "require-trusted-types-for 'script'",
        "trusted-types 'none'",
    )
)
"""Nothing inline, nothing foreign, and in nobody's frame."""

ALWAYS = {
    "Content-Security-Policy": POLICY,
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",  # for browsers without frame-ancestors
    # not no-referrer, by which a form of our own would come from the origin `null`
    "Referrer-Policy": "same-origin",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Permissions-Policy": "camera=(), geolocation=(), microphone=(), payment=(), usb=()",
}

SHOWN = (
    "text/html",
    "text/plain",
    "text/css",
    "text/javascript",
    "application/json",
    "image/svg+xml",
)
"""Types that a browser may show; others, and what a page says so of, it only saves."""


def with_headers(send: Send, *, static: bool) -> Send:
    """Return a `send` whose answers have these headers; what is `static` may be kept."""

    async def sent(message: Message) -> None:
        if message["type"] == "http.response.start":
            headers = MutableHeaders(scope=message)
            for name, value in ALWAYS.items():
                headers[name] = value
            headers["Cache-Control"] = "no-cache" if static else "no-store"
            kind = headers.get("Content-Type", "").partition(";")[0]
            if kind and kind not in SHOWN and "Content-Disposition" not in headers:
                headers["Content-Disposition"] = "attachment"
        await send(message)

    return sent
