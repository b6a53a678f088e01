"""Guessing the password: after a few wrong attempts an address has to wait."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import TYPE_CHECKING

from ui.http.attempts import Attempts, network_of
from ui.language.catalogue import gettext

if TYPE_CHECKING:
    from starlette.types import ASGIApp, Message, Receive, Scope, Send


class LoginThrottle:
    """Turns an address away from `/login` for a while after `ATTEMPTS` wrong passwords in a row.

    An attempt counts before it is looked at, so that many at the same time are no way around.
    """

    def __init__(self, app: ASGIApp, *, clock: Callable[[], float] = time.monotonic) -> None:
        """Wraps `app`; `clock` gives seconds."""
        self._app = app
        self._attempts = Attempts(clock)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Passes a request on, or refuses it with 429."""
        path = scope.get("path", "").rstrip("/")
        if scope["type"] != "http" or scope["method"] != "POST" or path != "/login":
            await self._app(scope, receive, send)
            return
        who = network_of(scope)
        if wait := self._attempts.count(who):
            from starlette.responses import PlainTextResponse

            text = gettext(
                "Too many wrong passwords from this address: try again in {seconds} seconds.",
                seconds=f"{wait:.0f}",
            )
            headers = {"Retry-After": f"{wait:.0f}"}
            await PlainTextResponse(text, 429, headers)(scope, receive, send)
            return

        async def listening(message: Message) -> None:
            if message["type"] == "http.response.start" and message["status"] == 200:
                self._attempts.forgive(who)
            await send(message)

        await self._app(scope, receive, listening)
