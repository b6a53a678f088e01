"""How much one request may send, whoever sends it: counted before anybody reads it."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from starlette.types import ASGIApp, Message, Receive, Scope, Send

MOST_BYTES = 1_000_000
"""A question with everything that goes along with it takes a few thousand."""


def plain_refusal(status: int, words: str) -> ASGIApp:
    """A refusal as plain text."""
    from starlette.responses import PlainTextResponse

    return PlainTextResponse(words, status)


class BodyLimit:
    """Refuses with 413 what is too long."""

    def __init__(
        self,
        app: ASGIApp,
        *,
        most: Callable[[str], int | None] = lambda _: MOST_BYTES,
        refusal: Callable[[int, str], ASGIApp] = plain_refusal,
    ) -> None:
        """Wraps `app`.

        Args:
            app: what is guarded.
            most: bytes that may be sent to a path; None for one that has a gate of its own.
            refusal: what is answered then.
        """
        self._app = app
        self._most = most
        self._refusal = refusal

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Passes a request on, counting what comes."""
        most = self._most(scope["path"]) if scope["type"] == "http" else None
        if most is None:
            await self._app(scope, receive, send)
            return
        from starlette.exceptions import HTTPException

        too_long = HTTPException(413, f"More than {most:,} bytes are not read here.")
        refusal = self._refusal(413, too_long.detail)
        length = dict(scope["headers"]).get(b"content-length", b"0")
        if not length.isdigit() or int(length) > most:
            await refusal(scope, receive, send)
            return
        came = 0

        async def counting() -> Message:
            nonlocal came
            message = await receive()
            came += len(message.get("body", b""))
            if came > most:
                raise too_long
            return message

        try:
            await self._app(scope, counting, send)
        except HTTPException as error:  # nobody further inside has made an answer of it
            if error is not too_long:
                raise
            await refusal(scope, receive, send)
