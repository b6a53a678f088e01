"""Who asks, where there are accounts: looked up with each request, before anything is answered.

Whoever has not signed in gets the page's login form and nothing else. What Gradio keeps for a tab
or an upload goes by names that the browser makes up; here the account's id is put before them, so
that nobody reaches another's by guessing one.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING
from urllib.parse import parse_qsl, urlencode

from anyio import to_thread

from index.errors import PilcrowError
from ui.http.accounts.people import PERSON, Person, asked_by
from ui.http.accounts.proxy import header_values
from ui.http.accounts.sessions import Sessions, came_from
from ui.http.accounts.sharing import Shared
from ui.language.catalogue import gettext

if TYPE_CHECKING:
    from starlette.types import ASGIApp, Receive, Scope, Send

_OPEN = re.compile(
    r"/|/login/?|/logout|/theme\.css|/manifest\.json|/favicon\.ico|/gradio_api/app_id"
    r"|/(?:assets|static|pilcrow)/.*"
)
"""What is there before somebody has signed in: the login form, and files that are no secret."""
_TABS = re.compile(r"(/gradio_api/heartbeat/)(\w+)", re.ASCII)
_NAMES = ("session_hash", "upload_id")
_COOKIE, _UPLOAD = "access-token", "/gradio_api/upload"


class PeopleGate:
    """Lets those in who have signed in, and says who asks."""

    def __init__(self, app: ASGIApp, *, shared: Shared, sessions: Sessions) -> None:
        """Wrap `app`.

        Args:
            app: the page.
            shared: knows the accounts.
            sessions: who has signed in by password.
        """
        self._app = app
        self._shared = shared
        self._sessions = sessions

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Passes a request on, or refuses it with 401, or 503 where accounts cannot be read."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        from starlette.responses import JSONResponse

        try:
            person = await to_thread.run_sync(self._who, scope)
        except PilcrowError as error:
            await JSONResponse({"detail": str(error)}, 503)(scope, receive, send)
            return
        by_proxy = bool(self._shared.sign_in.header)
        if person is None and (by_proxy or not _OPEN.fullmatch(scope["path"])):
            words = gettext("Sign in first: your session has ended, or you have no account here.")
            await JSONResponse({"detail": words}, 401)(scope, receive, send)
            return
        if scope["path"].rstrip("/") == _UPLOAD and person and not person.may_be("editor"):
            words = gettext("your account may ask and read, and change nothing")
            await JSONResponse({"detail": words}, 403)(scope, receive, send)
            return
        scope = {**scope, PERSON: person}
        if person is not None:
            _set_apart(scope, person)
        came_from.set(str((scope.get("client") or ("", 0))[0]))
        with asked_by(person):
            await self._app(scope, receive, send)

    def _who(self, scope: Scope) -> Person | None:
        """Whoever asks; None when that is nobody who has an account."""
        from starlette.requests import HTTPConnection

        if header := self._shared.sign_in.header:
            return self._shared.named_by_proxy(header_values(scope, header))
        cookies = HTTPConnection(scope).cookies
        tokens = (token for name, token in cookies.items() if name.startswith(_COOKIE))
        return next(filter(None, map(self._sessions.person, tokens)), None)


def own(person: Person | None, name: str) -> str:
    """What a browser calls its tab, as it is known inside: each account's are its own."""
    return f"{person.id}_{name}" if person else name


def _set_apart(scope: Scope, person: Person) -> None:
    """Put the account before the names of tabs and uploads in a request's address."""
    given = parse_qsl(scope["query_string"].decode("latin-1"), keep_blank_values=True)
    if any(name in _NAMES for name, _ in given):
        named = [(name, own(person, v) if name in _NAMES else v) for name, v in given]
        scope["query_string"] = urlencode(named).encode("latin-1")
    if tab := _TABS.fullmatch(scope["path"]):
        scope["path"] = f"{tab[1]}{own(person, tab[2])}"
        scope["raw_path"] = scope["path"].encode("latin-1")
