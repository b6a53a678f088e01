"""Server-sent events: a stream of small messages in one response."""

from __future__ import annotations

from collections.abc import AsyncGenerator, AsyncIterator
from typing import TYPE_CHECKING, Any

import anyio
from starlette.responses import StreamingResponse

from ui.api.errors import as_api_error, to_json

if TYPE_CHECKING:
    from starlette.types import Receive, Scope, Send


def event(data: Any, name: str = "", number: str = "") -> str:
    """One message.

    Args:
        data: text, or what is sent as JSON.
        name: its kind, for those who listen for kinds.
        number: what whoever loses the connection says they have last (`Last-Event-ID`).
    """
    data = data if isinstance(data, str) else to_json(data)
    fields = (("id", number), ("event", name), ("data", data))
    return "".join(f"{field}: {value}\n" for field, value in fields if value) + "\n"


class EventStream(StreamingResponse):
    """Messages as a response; an error in the middle is the last of them."""

    def __init__(self, messages: AsyncGenerator[str], *, named: bool = True) -> None:
        """Sends `messages`; `named` are those that tell their kind."""
        self._messages = messages
        headers = {"Cache-Control": "no-store", "X-Accel-Buffering": "no"}
        sent = _encoded(messages, named)
        super().__init__(sent, media_type="text/event-stream", headers=headers)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Sends it; whoever goes away, even before it begins, ends what was done for them."""
        try:
            await super().__call__(scope, receive, send)
        finally:
            with anyio.CancelScope(shield=True):
                await self._messages.aclose()


async def _encoded(messages: AsyncGenerator[str], named: bool) -> AsyncIterator[bytes]:
    try:
        async for message in messages:
            yield message.encode("utf-8", "replace")
    except Exception as error:
        body = as_api_error(error).body()
        yield event(body, "error" if named else "").encode("utf-8", "replace")


async def begun(messages: AsyncGenerator[str]) -> AsyncGenerator[str]:
    """The same messages, once the first is there: what is wrong with the request is an error of it.

    So a question that is too long gets a status of its own and not a stream that begins with 200.
    """
    first = await anext(messages, None)
    return _Begun(first, messages)


class _Begun(AsyncGenerator[str]):
    """Messages of which the first was taken already."""

    def __init__(self, first: str | None, rest: AsyncGenerator[str]) -> None:
        self._first = first
        self._rest = rest

    async def asend(self, value: None) -> str:
        del value
        if self._first is not None:
            first, self._first = self._first, None
            return first
        return await anext(self._rest)

    async def athrow(self, *error: Any) -> str:
        return await self._rest.athrow(*error)

    async def aclose(self) -> None:
        await self._rest.aclose()
