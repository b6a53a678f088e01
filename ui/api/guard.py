"""Before everything that programs ask for: who may ask, and how a browser is kept out.

With a key (PILCROW_API_KEY) whoever has it may ask, from anywhere; where there are accounts each
has a key of its own. Without either only this computer may, under its own names, and no web page
that happens to be open there.
"""

from __future__ import annotations

import hmac
import time
from functools import partial
from typing import TYPE_CHECKING

from anyio import to_thread

from index.errors import PilcrowError
from ui.api.errors import ApiError, as_api_error
from ui.http.accounts.people import Person, asked_by
from ui.http.accounts.proxy import header_values
from ui.http.accounts.sharing import Shared
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
        shared: Shared | None = None,
    ) -> None:
        """Wraps `app`; `key` is asked for when there is one.

        Args:
            app: what is guarded.
            key: what callers have to know.
            attempts: wrong keys in a row that are looked at before an address has to wait.
            clock: gives seconds.
            shared: where there are accounts; then each has a key of its own.
        """
        self._app = app
        self._key = key
        self._shared = shared
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

        app, headers, person = self._app, Headers(scope=scope), None
        try:
            if self._look_at(scope, headers):
                person = await self._let_in(scope, headers)
        except (ApiError, PilcrowError) as error:
            app = as_api_error(error).response()
        try:
            with asked_by(person):
                await app(scope, receive, dressed)
        except Exception as error:  # a bug costs its request, and not the connection
            if started:
                raise
            await as_api_error(error).response()(scope, receive, dressed)

    def _look_at(self, scope: Scope, headers: Headers) -> bool:
        """Lets a request pass that comes from where it may; whether it needs a key as well.

        Raises:
            ApiError: when it may not.
        """
        ours = "programs and its own page"
        has_secret = self._key is not None or self._shared is not None
        if refusal := origin_refusal(headers, any_host=has_secret, ours=ours):
            raise ApiError(*refusal, "forbidden")
        reads = scope["path"].startswith(_READER)
        if is_foreign(headers) and not (reads and headers.get("sec-fetch-mode") == "navigate"):
            raise ApiError(403, f"Pilcrow answers only {ours}.", "forbidden")
        return has_secret and not reads and scope["path"] not in _OPEN

    async def _let_in(self, scope: Scope, headers: Headers) -> Person | None:
        """Whose key it is, or whom the proxy names; None where one key is everybody's.

        Raises:
            ApiError: when it is nobody's.
            PilcrowError: when the accounts cannot be read.
        """
        if self._shared and (header := self._shared.sign_in.header):
            values = header_values(scope, header)
            by_proxy = self._shared.named_by_proxy
            if values and (person := await to_thread.run_sync(by_proxy, values)):
                return person
        who = network_of(scope)
        if wait := self._attempts.wait(who):
            words = f"Too many wrong keys from this address: try again in {wait:.0f} seconds."
            raise ApiError(429, words, "too_many_attempts", Retry_After=f"{wait:.0f}")
        scheme, _, given = headers.get("authorization", "").partition(" ")
        if scheme.lower() != "bearer" or not given:
            whose = (
                "`pilcrow accounts key NAME` makes one"
                if self._shared
                else ("it is PILCROW_API_KEY here")
            )
            raise ApiError(
                401,
                f"No API key: send it as “Authorization: Bearer KEY” ({whose}).",
                "missing_api_key",
                WWW_Authenticate="Bearer",
            )
        person, is_right = None, False
        if self._shared:
            person = await to_thread.run_sync(self._shared.accounts.by_key, given.strip())
            is_right = person is not None
        elif self._key is not None:
            is_right = hmac.compare_digest(given.strip().encode(), self._key.encode())
        if not is_right:
            self._attempts.count(who)
            if self._shared:
                note = partial(self._shared.audit.note, "program", "key refused", address=who)
                await to_thread.run_sync(note)
            raise ApiError(
                401, "This is not the API key of this Pilcrow.", "invalid_api_key",
                WWW_Authenticate="Bearer",
            )  # fmt: skip
        self._attempts.forgive(who)
        return person
