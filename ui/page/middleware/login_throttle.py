"""Guessing the password: after a few wrong attempts an address has to wait."""

from __future__ import annotations

import ipaddress
import time
from collections import OrderedDict
from collections.abc import Callable
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from starlette.types import ASGIApp, Message, Receive, Scope, Send

ATTEMPTS = 5
"""Wrong passwords in a row that an address may try."""
PAUSE = 60.0
"""Seconds that it then has to wait, counted from its last attempt that was looked at."""
_REMEMBERED = 10_000
"""Addresses; beyond that the one heard of longest ago is forgotten."""


class LoginThrottle:
    """Turns an address away from `/login` for a while after `ATTEMPTS` wrong passwords in a row.

    An attempt counts before it is looked at, so that many at the same time are no way around.
    """

    def __init__(self, app: ASGIApp, *, clock: Callable[[], float] = time.monotonic) -> None:
        """Wraps `app`; `clock` gives seconds."""
        self._app = app
        self._clock = clock
        self._attempts: OrderedDict[str, tuple[int, float]] = OrderedDict()
        """By address: wrong attempts in a row and when the last one was."""

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Passes a request on, or refuses it with 429."""
        path = scope.get("path", "").rstrip("/")
        if scope["type"] != "http" or scope["method"] != "POST" or path != "/login":
            await self._app(scope, receive, send)
            return
        who = _network(scope)
        if wait := self._attempt(who):
            from starlette.responses import PlainTextResponse

            text = f"Too many wrong passwords from this address: try again in {wait:.0f} seconds."
            headers = {"Retry-After": f"{wait:.0f}"}
            await PlainTextResponse(text, 429, headers)(scope, receive, send)
            return

        async def listening(message: Message) -> None:
            if message["type"] == "http.response.start" and message["status"] == 200:
                self._attempts.pop(who, None)
            await send(message)

        await self._app(scope, receive, listening)

    def _attempt(self, who: str) -> float:
        """Counts an attempt; how many seconds it comes too early, 0 when it may be made."""
        now = self._clock()
        count, last = self._attempts.get(who, (0, now))
        if now - last >= PAUSE:
            count = 0
        if count >= ATTEMPTS:
            return max(1.0, PAUSE - (now - last))
        self._attempts[who] = count + 1, now
        self._attempts.move_to_end(who)
        if len(self._attempts) > _REMEMBERED:
            self._attempts.popitem(last=False)
        return 0.0


def _network(scope: Scope) -> str:
    """Whom an attempt is counted against: an IPv4 address, or the /64 that an IPv6 one is from."""
    host = str((scope.get("client") or ("", 0))[0])
    try:
        address = ipaddress.ip_address(host)
    except ValueError:
        return host
    return host if address.version == 4 else str(ipaddress.ip_network(f"{host}/64", strict=False))
