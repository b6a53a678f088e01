"""Which calls of Gradio's the page makes: one of any other form is refused before Gradio sees it.

Gradio trusts its own page: a number it has not given out, or a value of another type than the
component's, ends in an error of its own with a traceback. So what the page can say is held to here.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal

from ui.http.accounts.people import asking
from ui.page.middleware.people_gate import own

if TYPE_CHECKING:
    from starlette.types import ASGIApp, Message, Receive, Scope, Send

Kind = Literal["text", "files", "nothing"]
"""What stands in one input of a function; `nothing` is what is kept on the server."""

_SESSION = re.compile(r"\w{1,64}", re.ASCII)
_EVENT = {"data", "event_data", "fn_index", "trigger_id", "session_hash"}
_API_CALL = {"data", "component_id", "fn_name", "session_hash"}


@dataclass(frozen=True, slots=True)
class Calls:
    """What can be called."""

    at_once: Mapping[int, Sequence[Kind]]
    """Inputs by the number of a function that is answered in the same request."""
    queued: Mapping[int, Sequence[Kind]]
    """The same for those that are answered as a stream."""
    api: int
    """The component whose function `ask` serves the page's script."""


class CallGate:
    """Refuses with 400 a call that the page cannot have made."""

    def __init__(self, app: ASGIApp, *, calls: Calls) -> None:
        """Wraps `app`, where these calls can be made."""
        self._app = app
        self._checks: dict[str, Callable[[Any], bool]] = {
            "/gradio_api/run/predict": lambda given: _is_event(given, calls.at_once),
            "/gradio_api/queue/join": lambda given: _is_event(given, calls.queued),
            "/gradio_api/component_server": lambda given: _is_request(given, calls.api),
            "/gradio_api/cancel": _is_flat,
            "/gradio_api/reset": _is_flat,
        }

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Passes a request on, or refuses it."""
        check = self._checks.get(scope.get("path", "").rstrip("/"))
        if scope["type"] != "http" or scope["method"] != "POST" or check is None:
            await self._app(scope, receive, send)
            return
        from starlette.requests import ClientDisconnect, Request
        from starlette.responses import PlainTextResponse

        try:
            body = await Request(scope, receive).body()
        except ClientDisconnect:  # a closed tab is nobody's mistake
            return
        given: Any = None
        try:
            given = json.loads(body.decode())  # Gradio, too, reads UTF-8 only
            fits = check(given)
        except (ValueError, RecursionError):
            fits = False
        if not fits:
            refusal = PlainTextResponse("The page makes no such request. Reload it.", 400)
            await refusal(scope, receive, send)
            return
        if (person := asking()) and "session_hash" in given:
            body = json.dumps(given | {"session_hash": own(person, given["session_hash"])}).encode()
        read = False

        async def again() -> Message:
            nonlocal read
            if read:
                return await receive()
            read = True
            return {"type": "http.request", "body": body, "more_body": False}

        await self._app(scope, again, send)


def _is_event(given: Any, functions: Mapping[int, Sequence[Kind]]) -> bool:
    """Whether this calls one of the functions, with as many values of such kinds as it takes."""
    if not (isinstance(given, dict) and given.keys() <= _EVENT and _has_session(given)):
        return False
    number, trigger, event = (given.get(k) for k in ("fn_index", "trigger_id", "event_data"))
    if type(number) is not int or number not in functions or type(trigger) not in (int, type(None)):
        return False
    data, kinds = given.get("data"), functions[number]
    return (
        (event is None or _is_flat(event))
        and isinstance(data, list)
        and len(data) == len(kinds)
        and all(_FITS[kind](value) for value, kind in zip(data, kinds, strict=True))
    )


def _is_request(given: Any, api: int) -> bool:
    """Whether this is a small request of the page."""
    return (
        isinstance(given, dict)
        and given.keys() == _API_CALL
        and _has_session(given)
        and (given["component_id"], given["fn_name"]) == (api, "ask")
        and _is_flat(given["data"])
    )


def _has_session(given: dict[str, Any]) -> bool:
    session = given.get("session_hash")
    return isinstance(session, str) and bool(_SESSION.fullmatch(session))


def _is_flat(given: Any) -> bool:
    """Whether this is an object of plain values."""
    plain = (str, int, bool, type(None))
    return isinstance(given, dict) and all(isinstance(value, plain) for value in given.values())


def _are_files(given: Any) -> bool:
    """Whether these are files, one at least, each given by plain values and its `meta`."""
    if not (isinstance(given, list) and given):
        return False
    return all(
        isinstance(file, dict)
        and isinstance(file.get("path"), str)
        and _is_flat(file.get("meta"))
        and _is_flat({key: value for key, value in file.items() if key != "meta"})
        for file in given
    )


_FITS: dict[Kind, Callable[[Any], bool]] = {
    "text": lambda given: isinstance(given, str),
    "files": _are_files,
    "nothing": lambda given: given is None,
}
