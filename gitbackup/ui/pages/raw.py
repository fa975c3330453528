"""The bytes of a value, or of one part of it, as a file to be saved."""

from __future__ import annotations

from urllib.parse import quote

from starlette.requests import Request
from starlette.responses import Response

from gitbackup.diff.part_named import field, field_bytes, whole_bytes
from gitbackup.errors import UsageError
from gitbackup.model.keys import Entry, Key
from gitbackup.report.json.history import entry_as_stored
from gitbackup.ui.pages.key import Asking
from gitbackup.ui.site import Site
from gitbackup.ui.views.entries import entry_in, redaction_of
from gitbackup.ui.words.language import later

MASKED = later("Something in it is masked: show it on the page of the key, and download it there.")


def page(site: Site, request: Request) -> Response:
    """Return a value's bytes, unless any of them is masked."""
    return _file(site, request, unmasked=False)


def unmasked(site: Site, request: Request) -> Response:
    """Return a value's bytes with all that is masked elsewhere, as somebody has asked for it."""
    return _file(site, request, unmasked=True)


def _file(site: Site, request: Request, *, unmasked: bool) -> Response:
    asking = Asking.of(site, request)
    entry = entry_in(asking.backup, asking.commit, asking.key)
    if entry is None:
        raise UsageError(f"commit {asking.commit[:7]} has no key {asking.key.name!r}")
    part = request.query_params.get("field", "")
    content, end = _bytes(asking.key, entry, part)
    masked = redaction_of(asking.backup).entry(asking.key, entry)
    if not unmasked and masked != entry and _bytes(asking.key, masked, part) != (content, end):
        return site.error(request, 403, MASKED)
    return Response(
        content, media_type="application/octet-stream", headers=_headers(asking, part, end)
    )


def _bytes(key: Key, entry: Entry, part: str) -> tuple[bytes, str]:
    """Return the bytes to save, and how the name of their file ends."""
    if part:
        try:
            return field_bytes(field(entry, part)), ""
        except LookupError:
            raise UsageError(f"{key} is a {entry['type']} without {part!r}") from None
    try:
        return whole_bytes(entry), ""
    except LookupError:
        return entry_as_stored(key, entry), ".json"


def _headers(asking: Asking, part: str, end: str) -> dict[str, str]:
    """Return the header that has a browser save the file, under the key's name."""
    words = [asking.key.name, part, asking.commit[:7]]
    name = "-".join(filter(None, words)).encode("utf-8", "replace")[:150].decode("utf-8", "ignore")
    safe = "".join(c if c.isalnum() or c in "-_." else "_" for c in name).strip(".") or "value"
    plain = safe.encode("ascii", "replace").decode().replace("?", "_")
    told = f"attachment; filename=\"{plain}{end}\"; filename*=UTF-8''{quote(safe + end)}"
    return {"Content-Disposition": told}
