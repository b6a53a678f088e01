"""Two applications at one address, told apart by the path."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from starlette.types import ASGIApp, Receive, Scope, Send

PROGRAMS = re.compile(
    r"/(?:v1/.*|mcp/?|health|ready|metrics|openapi\.json|docs|read/.*)", re.DOTALL
)
"""What programs ask for; all else is the page's."""


class Beside:
    """Hands what programs ask for to one application, and all else to the page."""

    def __init__(self, page: ASGIApp, programs: ASGIApp) -> None:
        """The page starts and ends both: see `PageOptions.beside`."""
        self._page = page
        self._programs = programs

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Passes it on."""
        if scope["type"] == "http" and PROGRAMS.fullmatch(scope["path"]):
            await self._programs(scope, receive, send)
        else:
            await self._page(scope, receive, send)
