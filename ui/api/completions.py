"""OpenAI's form: `POST /v1/chat/completions` and `GET /v1/models`.

The answer is plain text with its numbers, `[1]`. Beside it stand `annotations`, one `url_citation`
for each citation of each statement, over the characters of the text that it stands for, and under
the one key `pilcrow` everything that OpenAI's form has no place for.
"""

from __future__ import annotations

import time
import uuid
from collections.abc import AsyncGenerator, Callable, Mapping, Sequence
from contextlib import aclosing
from typing import TYPE_CHECKING, Annotated, Any, Literal

from fastapi import APIRouter, Request
from pydantic import BaseModel, ConfigDict, Field
from starlette.responses import Response

from rag.grounding.layout import statement_spans
from rag.types import Answer
from ui.api.answers import answer_dict, watched
from ui.api.errors import ApiError, Json
from ui.api.links import Links
from ui.api.schemas import LONGEST_HISTORY, Where
from ui.api.scope import Filters
from ui.api.service import Asked, Service
from ui.api.sse import EventStream, begun, event
from ui.page.views.html import name_of

if TYPE_CHECKING:
    LinksOf = Callable[[Request], Links]

MODEL = "pilcrow"
"""What the whole of it is called as a model."""
MOST_MESSAGES = 500
_STARTED = int(time.time())
_NOTE = "\n\nNote: "
"""Before what the person should know besides an answer."""
_CORRECTED = "\n\nAfter checking, the whole answer:\n\n"


class TextPart(BaseModel):
    """A part of a message."""

    model_config = ConfigDict(extra="allow")

    type: str
    text: str = ""


class Message(BaseModel):
    """One message of a conversation."""

    model_config = ConfigDict(extra="allow")

    role: Literal["system", "developer", "user", "assistant", "tool", "function"]
    content: str | list[TextPart] | None = None

    def text(self, param: str) -> str:
        """What it says.

        Raises:
            ApiError: when it holds what is no text.
        """
        if not isinstance(self.content, list):
            return self.content or ""
        for part in self.content:
            if part.type not in ("text", "input_text", "refusal"):
                words = f"content of type {part.type!r:.40} cannot be read here; send text"
                raise ApiError(400, words, "unsupported_content", param)
        return "\n".join(part.text for part in self.content if part.text)


class StreamOptions(BaseModel):
    """What a stream tells besides."""

    include_usage: bool = False


class ResponseFormat(BaseModel):
    """The form that is asked for."""

    type: str = "text"


class ChatRequest(BaseModel):
    """A conversation whose last message is a question.

    What a chat may set for a model (temperature, max_tokens, tools, …) is taken and has no effect:
    an answer here is what the documents say.
    """

    model_config = ConfigDict(extra="allow")

    model: str = Field(max_length=200)
    messages: list[Message] = Field(min_length=1, max_length=MOST_MESSAGES)
    stream: bool = False
    stream_options: StreamOptions | None = None
    n: int | None = None
    temperature: Annotated[float, Field(ge=0, le=2)] | None = None
    top_p: Annotated[float, Field(ge=0, le=1)] | None = None
    max_tokens: Annotated[int, Field(ge=1)] | None = None
    max_completion_tokens: Annotated[int, Field(ge=1)] | None = None
    logprobs: bool | None = None
    response_format: ResponseFormat | None = None
    pilcrow: Where | None = Field(None, description="Where to look.")


class ModelCard(BaseModel):
    """A model that can be named."""

    id: str
    object: Literal["model"] = "model"
    created: int = _STARTED
    owned_by: str = "pilcrow"


def completion_routes(service: Service, links_of: LinksOf) -> APIRouter:
    """The addresses that OpenAI's clients know."""
    router = APIRouter(tags=["OpenAI"])

    @router.get("/v1/models", summary="List models")
    async def models() -> Response:
        """The one model there is: your documents."""
        return Json({"object": "list", "data": [ModelCard(id=MODEL).model_dump()]})

    @router.get("/v1/models/{model:path}", summary="Look up a model")
    async def model(model: str) -> Response:
        """A model by its name."""
        _check_model(model)
        return Json(ModelCard(id=MODEL).model_dump())

    @router.post("/v1/chat/completions", summary="Answer in a conversation")
    async def complete(asked: ChatRequest, request: Request) -> Response:
        """The answer to the last message; the messages before it are the history."""
        _check_model(asked.model)
        _check_parameters(asked)
        question, history = conversation(asked.messages)
        where = asked.pilcrow.filters() if asked.pilcrow else Filters()
        wanted, links = Asked(question, history, where), links_of(request)
        frame = {"id": f"chatcmpl-{uuid.uuid4().hex}", "created": int(time.time()), "model": MODEL}
        if asked.stream:
            usage = bool(asked.stream_options and asked.stream_options.include_usage)
            chunks = _chunks(service, wanted, links, frame, usage=usage)
            return EventStream(await begun(chunks), named=False)
        async with watched(request) as gone:
            answer = await service.answer(wanted, "openai", gone)
        text = content_of(answer)
        message = {
            "role": "assistant", "content": text, "refusal": None,
            "annotations": url_citations(answer, links),
        }  # fmt: skip
        choice = {"index": 0, "message": message, "finish_reason": "stop", "logprobs": None}
        return Json(
            {**frame, "object": "chat.completion", "choices": [choice], "usage": _NO_USAGE}
            | {"pilcrow": answer_dict(answer, links)}
        )

    return router


_NO_USAGE = {"prompt_tokens": 0, "completion_tokens": 0, "total_tokens": 0}
"""Nothing is paid for by the token here."""


def _check_model(name: str) -> None:
    if name != MODEL:
        words = f"there is no model {name!r:.100} here; the one there is, is called {MODEL!r}"
        raise ApiError(404, words, "model_not_found", "model")


def _check_parameters(asked: ChatRequest) -> None:
    """Refuses what cannot be given, where going on would be taken for giving it."""
    if asked.n is not None and asked.n != 1:
        raise ApiError(400, "n can only be 1: there is one answer", "unsupported_value", "n")
    if asked.logprobs:
        words = "logprobs are not known here: statements are checked, not drawn by chance"
        raise ApiError(400, words, "unsupported_parameter", "logprobs")
    if asked.response_format and asked.response_format.type != "text":
        words = "response_format can only be text; POST /v1/answers gives JSON"
        raise ApiError(400, words, "unsupported_value", "response_format")


def conversation(messages: Sequence[Message]) -> tuple[str, list[tuple[str, str]]]:
    """The question, and the turns before it as (question, answer), oldest first.

    Raises:
        ApiError: when the last message is not a user's.
    """
    turns: list[tuple[str, str]] = []
    asked = ""
    for number, message in enumerate(messages):
        text = message.text(f"messages.{number}.content")
        if message.role == "user":
            asked = text
        elif message.role == "assistant" and any(c.isalnum() for c in asked):
            turns.append((asked, _without_notes(text)))
            asked = ""
    if messages[-1].role != "user":
        words = "the last message must be the user's question"
        raise ApiError(400, words, "invalid_value", "messages")
    return asked, turns[-LONGEST_HISTORY:]


def content_of(answer: Answer) -> str:
    """The text of a message: the answer, then what the person should know besides."""
    return answer.text + "".join(f"{_NOTE}{' '.join(note.split())}" for note in answer.notes)


def _without_notes(text: str) -> str:
    """The answer in a message as `content_of` made it, in time linear in its length."""
    end = len(text)
    while (at := text.rfind(_NOTE, 0, end)) >= 0 and "\n" not in text[at + len(_NOTE) : end]:
        end = at
    return text[:end]


def url_citations(answer: Answer, links: Links, begin: int = 0) -> list[dict[str, Any]]:
    """The citations over the text: `text[start_index:end_index]` is the statement they carry.

    Args:
        answer: has them.
        links: make their addresses.
        begin: where the answer begins in the message.
    """
    cited = {citation.number: citation for citation in answer.citations}
    shown = []
    for number, span in statement_spans(answer).items():
        for source in answer.statements[number - 1].citations:
            if source in cited:
                citation = {
                    "start_index": begin + span.start,
                    "end_index": begin + span.end,
                    "title": name_of(cited[source]),
                    "url": links.to_citation(cited[source]),
                }
                shown.append({"type": "url_citation", "url_citation": citation})
    return shown


async def _chunks(
    service: Service, asked: Asked, links: Links, frame: Mapping[str, Any], *, usage: bool
) -> AsyncGenerator[str]:
    """The chunks of a stream, `[DONE]` at the end.

    Text that was sent cannot be taken back. So statements are sent as they are checked only from
    when nothing can come before them; what is not so at the end is said whole once more.
    """

    def chunk(delta: Mapping[str, Any], finish: str | None = None, **more: Any) -> str:
        choice = {"index": 0, "delta": delta, "finish_reason": finish, "logprobs": None}
        return event({**frame, "object": "chat.completion.chunk", "choices": [choice], **more})

    sent, begin, first = "", 0, True
    shown_evidence = None
    snapshots = service.stream(asked, "openai")
    async with aclosing(snapshots):
        async for snapshot in snapshots:
            if first:
                first = False
                yield chunk({"role": "assistant", "content": ""})
            if snapshot.headline and snapshot.headline != shown_evidence:
                shown_evidence = snapshot.headline
                evidence = {**shown_evidence.to_dict(), "url": links.to_citation(shown_evidence)}
                yield chunk({"content": ""}, pilcrow={"type": "evidence", "citation": evidence})
            if not (snapshot.complete or leads(snapshot)):
                continue
            text = content_of(snapshot) if snapshot.complete else snapshot.text
            if not text.startswith(sent):
                if not snapshot.complete:
                    continue
                begin = len(sent) + len(_CORRECTED)
                text = sent + _CORRECTED + text
            if text != sent:
                yield chunk({"content": text[len(sent) :]})
                sent = text
            if snapshot.complete:
                yield chunk({"annotations": url_citations(snapshot, links, begin)})
                yield chunk({}, "stop", pilcrow=answer_dict(snapshot, links))
    if usage:
        yield event({**frame, "object": "chat.completion.chunk", "choices": [], "usage": _NO_USAGE})
    yield event("[DONE]")


def leads(snapshot: Answer) -> bool:
    """Whether the best sentence is told by what is there, so that none will come before it."""
    best = snapshot.headline
    return best is not None and any(
        (c.document_id, c.start, c.end) == (best.document_id, best.start, best.end)
        for c in snapshot.citations
    )
