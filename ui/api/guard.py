"""Before everything that programs ask for: who may ask, and how a browser is kept out.

With a key (PILCROW_API_KEY) whoever has it may ask, from anywhere. Without one only this computer
may, under its own names, and no web page that happens to be open there.
"""

from __future__ import annotations

import hmac
import time
from typing import TYPE_CHECKING

from ui.api.errors import ApiError, as_api_error
from ui.http.attempts import ATTEMPTS, Attempts, network_of
from ui.http.origin import is_foreign, origin_refusal

if TYPE_CHECKING:
    from collections.abc import Callable

    from starlette.datastructures import Headers
    from starlette.types import ASGIApp, Message, Receive, Scope, Send

HEADERS = {
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Content-Security-Policy": "default-src 'none'; frame-ancestors 'none'",
    "Cache-Control": "no-store",
}
"""Of every response."""
_OPEN = ("/health", "/ready")
"""What needs no key: whoever keeps servers running asks for it."""
_READER = "/read/"
"""What a citation's link opens in a browser; the link itself is sealed."""


class Guard:
    """Refuses requests without the key, or from elsewhere; dresses every response."""

    def __init__(
        self,
        app: ASGIApp,
        *,
        key: str | None,
        attempts: int = ATTEMPTS,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        """Wraps `app`; `key` is asked for when there is one.

        Args:
            app: what is guarded.
            key: what callers have to know.
            attempts: wrong keys in a row that are looked at before an address has to wait.
            clock: gives seconds.
        """
        self._app = app
        self._key = key
        self._attempts = Attempts(clock, attempts)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Passes a request on, or refuses it."""
        if scope["type"] == "lifespan":
            await self._app(scope, receive, send)
            return
        if scope["type"] != "http":
            await send({"type": "websocket.close", "code": 1008})
            return
        from starlette.datastructures import Headers, MutableHeaders

        started = False

        async def dressed(message: Message) -> None:
            nonlocal started
            started = True
            if message["type"] == "http.response.start":
                MutableHeaders(scope=message).update(HEADERS)
            await send(message)

        app, headers = self._app, Headers(scope=scope)
        try:
            self._look_at(scope, headers)
        except ApiError as error:
            app = error.response()
        try:
            await app(scope, receive, dressed)
        except Exception as error:  # a bug costs its request, and not the connection
            if started:
                raise
            await as_api_error(error).response()(scope, receive, dressed)

    def _look_at(self, scope: Scope, headers: Headers) -> None:
        """Lets a request pass.

        Raises:
            ApiError: when it may not.
        """
        ours = "programs and its own page"
        if refusal := origin_refusal(headers, any_host=self._key is not None, ours=ours):
            raise ApiError(*refusal, "forbidden")
        reads = scope["path"].startswith(_READER)
        if is_foreign(headers) and not (reads and headers.get("sec-fetch-mode") == "navigate"):
            raise ApiError(403, f"Pilcrow answers only {ours}.", "forbidden")
        if self._key is None or reads or scope["path"] in _OPEN:
            return
        who = network_of(scope)
        if wait := self._attempts.wait(who):
            words = f"Too many wrong keys from this address: try again in {wait:.0f} seconds."
            raise ApiError(429, words, "too_many_attempts", Retry_After=f"{wait:.0f}")
        scheme, _, given = headers.get("authorization", "").partition(" ")
        if scheme.lower() != "bearer" or not given:
            raise ApiError(
                401,
                "No API key: send it as “Authorization: Bearer KEY” (it is PILCROW_API_KEY here).",
                "missing_api_key",
                WWW_Authenticate="Bearer",
            )
        if not hmac.compare_digest(given.strip().encode(), self._key.encode()):
            self._attempts.count(who)
            raise ApiError(
                401, "This is not the API key of this Pilcrow.", "invalid_api_key",
                WWW_Authenticate="Bearer",
            )  # fmt: skip
        self._attempts.forgive(who)
