"""`POST /v1/answers` and `POST /v1/search`: our own form, complete and exact."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import AsyncGenerator, AsyncIterator, Callable
from contextlib import aclosing, asynccontextmanager
from typing import TYPE_CHECKING, Any

from fastapi import APIRouter, Request
from starlette.responses import Response

from rag.replies.streams import new_events
from rag.types import Answer
from ui.api.errors import Json
from ui.api.links import Links
from ui.api.schemas import AnswerRequest, SearchRequest, hit_dict
from ui.api.service import Asked, Service
from ui.api.sse import EventStream, begun, event

if TYPE_CHECKING:
    LinksOf = Callable[[Request], Links]


def answer_routes(service: Service, links_of: LinksOf) -> APIRouter:
    """The addresses for questions and searches."""
    router = APIRouter(tags=["Questions"])

    @router.post("/v1/answers", response_model=Answer, summary="Ask a question")
    async def answers(asked: AnswerRequest, request: Request) -> Response:
        """An answer whose every statement points at exact characters of documents.

        With `stream` a stream of events: `searching`, `evidence` (the best sentence, at once),
        `statement` (each one checked), `done` (the whole answer, and that one counts). Who loses
        the connection asks the same again with the `id` of the last event that came as
        `Last-Event-ID`, of any server of this library, and gets those after it.
        """
        links = links_of(request)
        wanted = Asked(
            asked.question,
            [(turn.question, turn.answer) for turn in asked.history],
            asked.filters(),
            asked.explain,
        )
        if asked.stream:
            last = request.headers.get("last-event-id", "")
            return EventStream(await begun(_events(service, wanted, links, last)))
        async with watched(request) as gone:
            answer = await service.answer(wanted, "native", gone)
        return Json(answer_dict(answer, links))

    @router.post("/v1/search", summary="Find passages")
    async def search(asked: SearchRequest, request: Request) -> Response:
        """The passages nearest to some words, best first."""
        hits = await service.search(asked.query, asked.k, asked.filters())
        links = links_of(request)
        return Json({"object": "list", "data": [hit_dict(hit, links) for hit in hits]})

    return router


def answer_dict(answer: Answer, links: Links) -> dict[str, Any]:
    """`Answer.to_dict()`, each citation with its address."""
    shown = answer.to_dict()
    for citation, cited in zip(shown["citations"], answer.citations, strict=True):
        citation["url"] = links.to_citation(cited)
    return shown


async def _events(
    service: Service, asked: Asked, links: Links, last: str = ""
) -> AsyncGenerator[str]:
    """The events of an answer, numbered; those up to `last` are left out.

    Nothing is remembered of streams: the answer is worked out again, by whichever server is asked,
    and is the same as long as the library is. Where that has changed it is told from the beginning.
    """
    before: Answer | None = None
    change = await service.work(lambda: service.library.change)
    state, _, number = last.partition(".")
    had = int(number[:9]) if state == str(change) and number.isdecimal() else 0
    count = 0
    snapshots = service.stream(asked, "native")
    async with aclosing(snapshots):
        async for snapshot in snapshots:
            for new in new_events(before, snapshot):
                count += 1
                if count <= had and new.type != "done":
                    continue
                data = new.to_dict()
                if new.type == "done":
                    data["answer"] = answer_dict(snapshot, links)
                yield event(data, new.type, f"{change}.{count}")
            before = snapshot


@asynccontextmanager
async def watched(request: Request) -> AsyncIterator[Callable[[], bool]]:
    """Says whether whoever asked has gone meanwhile; nobody waits for an answer nobody reads."""
    gone = threading.Event()

    async def watch() -> None:
        while (await request.receive())["type"] != "http.disconnect":
            pass
        gone.set()

    watching = asyncio.create_task(watch())
    try:
        yield gone.is_set
    finally:
        watching.cancel()
