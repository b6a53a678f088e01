"""How much one request may send, whoever sends it: counted before anybody reads it."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from starlette.types import ASGIApp, Message, Receive, Scope, Send

MOST_BYTES = 1_000_000
"""A question with everything that goes along with it takes a few thousand."""
MOST_NAMES = 4_000_000
"""The same where a parcel is added by the names of its files, which may be 2,000."""
_PARCEL, _UPLOAD = "/gradio_api/queue/join", "/gradio_api/upload"


class BodyLimit:
    """Refuses with 413 what is too long; uploads have a gate of their own, `UploadLimit`."""

    def __init__(self, app: ASGIApp) -> None:
        """Wraps `app`."""
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Passes a request on, counting what comes."""
        if scope["type"] != "http" or scope["path"] == _UPLOAD:
            await self._app(scope, receive, send)
            return
        from starlette.exceptions import HTTPException
        from starlette.responses import PlainTextResponse

        most = MOST_NAMES if scope["path"] == _PARCEL else MOST_BYTES
        too_long = HTTPException(413, f"More than {most:,} bytes are not read here.")
        refusal = PlainTextResponse(too_long.detail, 413)
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
