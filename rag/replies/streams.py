"""An answer on its way, for programs: as typed events, and awaited on an event loop.

`Assistant.stream` yields whole snapshots; `events_of` says what is new in each. Whatever came
before, the last event is a `Done` with the whole answer, and that one counts: statements are
numbered anew when a better sentence comes first.

`astream` and `aanswer` are for asyncio and trio, through anyio: the work is done in a thread, and
whoever stops waiting (a cancelled task, a closed stream) ends it.
"""

from __future__ import annotations

import threading
from collections.abc import AsyncGenerator, Callable, Collection, Generator, Iterable, Iterator
from contextlib import suppress
from dataclasses import asdict, dataclass
from typing import Any, Literal, Protocol

import anyio
from anyio import to_thread

from rag.query.follow_ups import History
from rag.types import VERSION, Answer, Citation, Statement


@dataclass(frozen=True, slots=True)
class Searching:
    """The question was understood and is looked for."""

    question: str
    type: Literal["searching"] = "searching"

    def to_dict(self) -> dict[str, Any]:
        """The event as plain JSON values."""
        return asdict(self)


@dataclass(frozen=True, slots=True)
class EvidenceFound:
    """The best sentence so far; another may yet take its place."""

    citation: Citation
    type: Literal["evidence"] = "evidence"

    def to_dict(self) -> dict[str, Any]:
        """The event as plain JSON values."""
        return {"type": self.type, "citation": self.citation.to_dict()}


@dataclass(frozen=True, slots=True)
class StatementAdded:
    """A statement that stood its check, with the citations it rests on."""

    index: int
    """Its place among the statements so far, from 1; one that is said again takes its place."""
    statement: Statement
    citations: tuple[Citation, ...]
    type: Literal["statement"] = "statement"

    def to_dict(self) -> dict[str, Any]:
        """The event as plain JSON values."""
        return {
            "type": self.type,
            "index": self.index,
            "statement": self.statement.to_dict(),
            "citations": [citation.to_dict() for citation in self.citations],
        }


@dataclass(frozen=True, slots=True)
class Done:
    """The answer as it stays."""

    answer: Answer
    type: Literal["done"] = "done"

    def to_dict(self) -> dict[str, Any]:
        """The event as plain JSON values."""
        return {"type": self.type, "answer": self.answer.to_dict()}


Event = Searching | EvidenceFound | StatementAdded | Done


def json_schema(*, events: bool = False) -> dict[str, Any]:
    """The JSON schema of `Answer.to_dict`, or of the events' `to_dict`."""
    from pydantic import TypeAdapter

    adapter: TypeAdapter[Any] = TypeAdapter(Event if events else Answer)
    schema = adapter.json_schema()
    answer = schema["$defs"]["Answer"] if events else schema
    version = {"const": VERSION, "description": "Fields are added, none is renamed or removed."}
    answer["properties"] = {"version": version, **answer["properties"]}
    answer["required"] = ["version", *answer["required"]]
    title = "Pilcrow event" if events else "Pilcrow answer"
    return {"$schema": "https://json-schema.org/draft/2020-12/schema", **schema, "title": title}


def traced(snapshots: Iterator[Answer], tracer: Any = None) -> Generator[Answer]:
    """The same snapshots, with an OpenTelemetry span for the answer and one for each of its stages.

    Nothing is recorded unless a person has installed an SDK and set it up, and even then no
    question, text or name: how long each stage took, the outcome, and how much was read.

    Args:
        snapshots: of one answer.
        tracer: records; OpenTelemetry's own when None.
    """
    from opentelemetry import trace

    tracer = tracer or trace.get_tracer("pilcrow")
    whole = tracer.start_span("pilcrow.answer")
    inside, stage, last = trace.set_span_in_context(whole), None, None
    try:
        for last in snapshots:
            name = "" if last.complete else last.stage
            if stage is None or stage[0] != name:
                if stage:
                    stage[1].end()
                stage = (name, tracer.start_span(f"pilcrow.{name}", inside)) if name else None
            yield last
    except Exception as error:  # its kind alone: a message may hold words of a document
        whole.set_attribute("error.type", type(error).__name__)
        raise
    finally:
        if stage:
            stage[1].end()
        for name, value in _attributes(last).items():
            whole.set_attribute(name, value)
        whole.end()


def _attributes(answer: Answer | None) -> dict[str, str | int | float]:
    """What is recorded of an answer."""
    if answer is None:
        return {}
    timings = answer.timings
    known: dict[str, str | int | float | None] = {
        "pilcrow.state": answer.state,
        "pilcrow.task": answer.task,
        "pilcrow.model": answer.model,
        "pilcrow.statements": len(answer.statements),
        "pilcrow.citations": len(answer.citations),
        "pilcrow.passages": len(answer.passages),
        "pilcrow.evidence_ms": timings.evidence_ms,
        "pilcrow.first_token_ms": timings.first_token_ms,
        "pilcrow.total_ms": timings.total_ms,
    }
    return {name: value for name, value in known.items() if value is not None}


def events_of(snapshots: Iterable[Answer]) -> Iterator[Event]:
    """What is new in each of some snapshots; a `Done` for the last."""
    before: Answer | None = None
    for snapshot in snapshots:
        yield from new_events(before, snapshot)
        before = snapshot


def new_events(before: Answer | None, now: Answer) -> Iterator[Event]:
    """What a snapshot says that the one before it did not."""
    if before is None:
        yield Searching(now.question)
    if now.headline and (before is None or now.headline != before.headline):
        yield EvidenceFound(now.headline)
    cited = {citation.number: citation for citation in now.citations}
    known = _statements(before) if before else ()
    for index, (statement, places) in enumerate(_statements(now), start=1):
        if index > len(known) or known[index - 1] != (statement, places):
            yield StatementAdded(
                index, statement, tuple(cited[n] for n in statement.citations if n in cited)
            )
    if now.complete:
        yield Done(now)


def _statements(answer: Answer) -> list[tuple[Statement, tuple[tuple[str, int, int], ...]]]:
    """The statements, each with the places it rests on."""
    places = {c.number: (c.document_id, c.start, c.end) for c in answer.citations}
    return [(s, tuple(places[n] for n in s.citations if n in places)) for s in answer.statements]


class Streams(Protocol):
    """The part of an `Assistant` that is needed here."""

    def stream(
        self,
        question: str,
        history: History = (),
        *,
        documents: Collection[str] | None = None,
        dates: tuple[str, str] | None = None,
        explain: bool = False,
        stop: Callable[[], bool] | None = None,
    ) -> Iterator[Answer]:
        """Growing snapshots of the answer; the last one has `complete=True`."""


async def astream(
    assistant: Streams,
    question: str,
    history: History = (),
    *,
    stop: Callable[[], bool] | None = None,
    limiter: anyio.CapacityLimiter | None = None,
    **options: Any,
) -> AsyncGenerator[Answer]:
    """The snapshots of `Assistant.stream`, each awaited.

    Args:
        assistant: answers.
        question: as in `Assistant.stream`, and so are the other arguments.
        history: earlier turns.
        stop: asked often; when it says True the answer ends with what there is.
        limiter: how many threads there may be; anyio's own limit when None.
        options: `documents`, `dates`, `explain`.
    """
    left, turn = threading.Event(), threading.Lock()

    def stopped() -> bool:
        return left.is_set() or (stop is not None and stop())

    snapshots = assistant.stream(question, history, stop=stopped, **options)

    def advance() -> Answer | None:
        with turn:
            return None if left.is_set() else next(snapshots, None)

    def close() -> None:
        with turn, suppress(RuntimeError):  # a generator of somebody's that ignores being closed
            getattr(snapshots, "close", lambda: None)()

    try:
        while snapshot := await to_thread.run_sync(
            advance, abandon_on_cancel=True, limiter=limiter
        ):
            yield snapshot
    finally:
        left.set()
        with anyio.CancelScope(shield=True):
            await to_thread.run_sync(close, limiter=limiter)


async def aanswer(
    assistant: Streams,
    question: str,
    history: History = (),
    *,
    stop: Callable[[], bool] | None = None,
    limiter: anyio.CapacityLimiter | None = None,
    **options: Any,
) -> Answer:
    """The whole answer, awaited; see `astream`. Cancelled, the thread ends its work by itself."""
    left = threading.Event()

    def stopped() -> bool:
        return left.is_set() or (stop is not None and stop())

    def work() -> Answer:
        *_, last = assistant.stream(question, history, stop=stopped, **options)
        return last

    try:
        return await to_thread.run_sync(work, abandon_on_cancel=True, limiter=limiter)
    finally:
        left.set()
