"""What a browser may do with the page, and that it may do nothing with anything else of ours."""

from __future__ import annotations

import base64
import hashlib
import json
import re

FILE_POLICY = "default-src 'none'; sandbox"
"""For every response but the page: opened by itself, it runs nothing, loads nothing, is nobody."""
_SCRIPT = re.compile(r"<script(?![^>]*\ssrc=)[^>]*>(.*?)</script>", re.DOTALL | re.IGNORECASE)
_VALUE = re.compile(r"\{\{.*?\}\}")


class PagePolicy:
    """The content security policy of the page, made for its template.

    It names no origin but our own, so nothing a document says can make the browser fetch or send
    anything. Scripts: our files, and the template's own inline scripts by their hashes; an
    `onerror=` smuggled into the page is refused, and so is a script that is not the template's.
    `'unsafe-eval'` stays because Gradio 6 builds every HTML component through `Function()`; our
    values go in as its argument, never as its source. Inline styles stay because its components set
    `style` attributes.
    """

    def __init__(self, template: str, first_script: str) -> None:
        """Keep what scripts there are.

        Args:
            template: the page before values are filled in, in Jinja's notation.
            first_script: the HTML element of the script that is to run before all others.
        """
        self._known = tuple(_pattern(script) for script in _SCRIPT.findall(template))
        self._first = f"<head>{first_script}".encode()

    def prepared(self, page: bytes) -> bytes:
        """The page with the first script in its head."""
        return page.replace(b"<head>", self._first, 1)

    def of(self, page: bytes) -> str:
        """The Content-Security-Policy of the filled-in page."""
        scripts = _SCRIPT.findall(page.decode(errors="replace"))
        known = [script for script in scripts if any(_fits(script, p) for p in self._known)]
        digests = (hashlib.sha256(script.encode()).digest() for script in dict.fromkeys(known))
        allowed = "".join(f" 'sha256-{base64.b64encode(digest).decode()}'" for digest in digests)
        return (
            f"default-src 'none'; script-src 'self' 'unsafe-eval'{allowed}; "
            "style-src 'self' 'unsafe-inline'; img-src 'self' data:; font-src 'self'; "
            "connect-src 'self'; manifest-src 'self'; base-uri 'self'; form-action 'self'; "
            "frame-ancestors 'none'"
        )


def _pattern(script: str) -> re.Pattern[str]:
    """What a script of the template looks like when it is filled in."""
    return re.compile(r"([^<]*)".join(map(re.escape, _VALUE.split(script))))


def _fits(script: str, pattern: re.Pattern[str]) -> bool:
    """Whether this is that script, filled in with plain values only: JSON, which does nothing."""
    if not (filled := pattern.fullmatch(script)):
        return False
    try:
        for value in filled.groups():
            json.loads(value)
    except (ValueError, RecursionError):
        return False
    return True
