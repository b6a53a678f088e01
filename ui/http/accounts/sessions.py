"""Who has signed in on the page: each session with the account that it is of.

Gradio's login form makes the tokens and sets the cookies; here is what they stand for.
"""

from __future__ import annotations

import threading
from collections import OrderedDict
from collections.abc import Iterator, MutableMapping
from contextvars import ContextVar
from typing import TYPE_CHECKING

import anyio
from anyio import to_thread

from ui.http.accounts.people import Person, asking

if TYPE_CHECKING:
    from ui.http.accounts.sharing import Shared

_MOST = 10_000
"""Sessions that are remembered; beyond that the one begun longest ago ends."""
_AT_ONCE = 2
"""Passwords compared at the same time; each takes 64 MiB."""
_signed_in: ContextVar[Person | None] = ContextVar("signed_in", default=None)
"""Whose password was right in this request, before the token of the session is made."""
came_from: ContextVar[str] = ContextVar("came_from", default="")
"""The address that asks, for what is noted of failures."""


class Sessions(MutableMapping[str, str]):
    """Gradio's table of tokens and names. A session ends with its account or its password."""

    def __init__(self, shared: Shared) -> None:
        """Nobody has signed in yet."""
        self._shared = shared
        self._lock = threading.Lock()
        self._begun: OrderedDict[str, Person] = OrderedDict()
        self._limiter: anyio.CapacityLimiter | None = None

    async def check(self, name: str, password: str) -> bool:
        """Whether this is somebody's name and password, as the login form asks."""
        if self._limiter is None:  # made on the loop that uses it
            self._limiter = anyio.CapacityLimiter(_AT_ONCE)
        person = await to_thread.run_sync(self._by_password, name, password, limiter=self._limiter)
        _signed_in.set(person)
        return person is not None

    def _by_password(self, name: str, password: str) -> Person | None:
        accounts = self._shared.accounts
        person = accounts.by_password(name, password)
        if person is None:  # what was typed for a name may have been the password
            known = accounts.by_name(name)
            who = known.name if known else "(no such account)"
            self._shared.audit.note("page", "sign-in failed", account=who, address=came_from.get())
        return person

    def person(self, token: str) -> Person | None:
        """Whose session this is, as their account is now; None when it has ended."""
        with self._lock:
            begun = self._begun.get(token)
        if begun is None:
            return None
        now = self._shared.accounts.by_id(begun.id)
        if now is None or now.session != begun.session:
            with self._lock:
                self._begun.pop(token, None)
            return None
        return now

    # --- as Gradio asks ---------------------------------------------------------------------

    def get(self, token: str, default: str | None = None) -> str | None:  # type: ignore[override]
        """The name of whoever asks: whose token it is was looked up before."""
        del token
        person = asking()
        return person.name if person else default

    def __setitem__(self, token: str, name: str) -> None:
        """A session begins, of whoever's password was right in this very request."""
        person = _signed_in.get()
        if person is None:
            raise KeyError(name)
        with self._lock:
            self._begun[token] = person
            while len(self._begun) > _MOST:
                self._begun.popitem(last=False)

    def __getitem__(self, token: str) -> str:
        with self._lock:
            return self._begun[token].name

    def __delitem__(self, token: str) -> None:
        with self._lock:
            del self._begun[token]

    def __iter__(self) -> Iterator[str]:
        with self._lock:
            return iter(list(self._begun))

    def __len__(self) -> int:
        return len(self._begun)
