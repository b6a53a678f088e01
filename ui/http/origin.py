"""Where a request comes from: our own address, this computer, or another site's page."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from index.system.offline import is_loopback

if TYPE_CHECKING:
    from starlette.datastructures import Headers

_NAME = r"(?:[A-Za-z0-9._-]+|\[[0-9A-Fa-f:.]+\])(?::[0-9]{1,5})?"
_HOST = re.compile(_NAME)
_ORIGIN = re.compile(rf"null|[a-z][a-z0-9+.-]*://{_NAME}")


def origin_refusal(headers: Headers, *, any_host: bool, ours: str) -> tuple[int, str] | None:
    """Why a request is not looked at, as status and words; None when it may pass.

    A site that points its own name at this address (DNS rebinding) or posts to it is turned away:
    the Host must be the one we serve, and the Origin, if any, must be that Host.

    Args:
        headers: the request's.
        any_host: whether a secret guards it under whatever name it is reached.
        ours: what alone is answered, for the words.
    """
    host, origin = headers.get("host", ""), headers.get("origin")
    if not _HOST.fullmatch(host) or (origin is not None and not _ORIGIN.fullmatch(origin)):
        return 400, "This request names no address that there can be."
    if not (any_host or is_loopback(_hostname(host))):
        return 403, "Pilcrow answers only under its own address."
    if origin not in (None, f"http://{host}", f"https://{host}"):
        return 403, f"Pilcrow answers only {ours}."
    return None


def is_foreign(headers: Headers) -> bool:
    """Whether a browser says that another site's page has made it ask."""
    return headers.get("sec-fetch-site", "none") not in ("none", "same-origin")


def _hostname(host: str) -> str:
    """The name in a well-formed Host header, without port and brackets, in small letters."""
    return re.sub(r":\d+$", "", host).strip("[]").lower()
