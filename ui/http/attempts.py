"""Guessing a secret: after a few wrong attempts an address has to wait."""

from __future__ import annotations

import ipaddress
import time
from collections import OrderedDict
from collections.abc import Callable
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from starlette.types import Scope

ATTEMPTS = 5
"""Wrong passwords in a row that an address may try."""
PAUSE = 60.0
"""Seconds that it then has to wait, counted from its last attempt that was looked at."""
_REMEMBERED = 10_000
"""Addresses; beyond that the one heard of longest ago is forgotten."""


class Attempts:
    """Counts wrong attempts of each address."""

    def __init__(self, clock: Callable[[], float] = time.monotonic, most: int = ATTEMPTS) -> None:
        """Nobody has tried yet; `clock` gives seconds, `most` are looked at in a row."""
        self._clock = clock
        self._most = most
        self._made: OrderedDict[str, tuple[int, float]] = OrderedDict()
        """By address: wrong attempts in a row and when the last one was."""

    def __len__(self) -> int:
        """How many addresses are remembered."""
        return len(self._made)

    def wait(self, who: str) -> float:
        """How many seconds an attempt would come too early, 0 when it may be made."""
        count, last = self._made.get(who, (0, 0.0))
        since = self._clock() - last
        return max(1.0, PAUSE - since) if count >= self._most and since < PAUSE else 0.0

    def count(self, who: str) -> float:
        """Counts an attempt, as wrong until `forgive`; how many seconds it comes too early."""
        if wait := self.wait(who):
            return wait
        now = self._clock()
        count, last = self._made.get(who, (0, now))
        self._made[who] = (0 if now - last >= PAUSE else count) + 1, now
        self._made.move_to_end(who)
        if len(self._made) > _REMEMBERED:
            self._made.popitem(last=False)
        return 0.0

    def forgive(self, who: str) -> None:
        """An attempt was right."""
        self._made.pop(who, None)


def network_of(scope: Scope) -> str:
    """Whom an attempt is counted against: an IPv4 address, or the /64 that an IPv6 one is from."""
    host = str((scope.get("client") or ("", 0))[0])
    try:
        address = ipaddress.ip_address(host)
    except ValueError:
        return host
    return host if address.version == 4 else str(ipaddress.ip_network(f"{host}/64", strict=False))
