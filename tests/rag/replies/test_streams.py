"""Answers as typed events, awaited on either event loop, and held to their published schema."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import anyio
import jsonschema
import pytest
from opentelemetry import trace

from rag import Assistant, Done, EvidenceFound, Searching, StatementAdded, events_of
from rag.replies.streams import aanswer, astream, json_schema, traced
from rag.types import Answer, Citation, Statement
from tests.support.fakes import ScriptedGenerator
from tests.support.page_fakes import make_library
from tests.support.programs import PATIENCE

QUESTION = "How many participants registered for the forum held in Kyoto?"
WORDS = "More than 9,000 participants from 178 countries registered"


def on_a_loop(do: Callable[[], Any]) -> Any:
    return anyio.run(do)


def cited(number: int, start: int) -> Citation:
    return Citation(number, "a.txt", "A", "", 1, start, start + 3, "abc")


def test_events_say_what_is_new() -> None:
    first, second = Statement("One.", "supported", (1,)), Statement("Two.", "supported", (2,))
    begun = Answer("Q?", "answered", "", stage="searching")
    found = replace(begun, stage="reading", headline=cited(1, 0))
    said = replace(found, stage="writing", statements=(first,), citations=(cited(1, 0),))
    both = (cited(1, 0), cited(2, 9))
    last = replace(said, statements=(first, second), citations=both, complete=True, stage="done")
    told = list(events_of([begun, found, found, said, last]))
    assert told == [
        Searching("Q?"),
        EvidenceFound(cited(1, 0)),
        StatementAdded(1, first, (cited(1, 0),)),
        StatementAdded(2, second, (cited(2, 9),)),
        Done(last),
    ]


def test_a_statement_that_moves_is_said_again() -> None:
    old, new = Statement("Old.", "supported", (1,)), Statement("New.", "supported", (1,))
    one = Answer("Q?", "answered", "", statements=(old,), citations=(cited(1, 0),))
    two = replace(one, statements=(new, replace(old, citations=(2,))),
                  citations=(cited(1, 9), cited(2, 0)))  # fmt: skip
    added = [event for event in events_of([one, two]) if isinstance(event, StatementAdded)]
    assert [(event.index, event.statement.text) for event in added] == [
        (1, "Old."), (1, "New."), (2, "Old."),
    ]  # fmt: skip


def test_what_is_awaited_is_the_same_answer(tmp_path: Path) -> None:
    with make_library(tmp_path) as library:
        assistant = Assistant(library, None, reader="none")
        plain = assistant.answer(QUESTION)

        async def ask() -> tuple[Answer, list[Answer]]:
            snapshots = [snapshot async for snapshot in assistant.astream(QUESTION)]
            return await assistant.aanswer(QUESTION), snapshots

        whole, snapshots = on_a_loop(ask)
        assert replace(whole, timings=plain.timings) == plain
        assert replace(snapshots[-1], timings=plain.timings) == plain
        assert len(snapshots) > 1 and not snapshots[0].complete


class Endless:
    """Writes for ever, until it is told to stop or closed."""

    def __init__(self) -> None:
        self.began, self.ended = threading.Event(), threading.Event()

    def stream(
        self,
        question: str,
        history: Any = (),
        *,
        stop: Callable[[], bool] | None = None,
        **_: Any,
    ) -> Iterator[Answer]:
        assert stop
        self.began.set()
        try:
            yield Answer(question, "answered", "")
            while not stop():
                self.ended.wait(0.005)
            yield Answer(question, "answered", "", complete=True)
        finally:
            self.ended.set()


@pytest.mark.parametrize("stream", [True, False])
def test_who_stops_waiting_ends_the_work(stream: bool) -> None:
    endless = Endless()

    async def wait() -> None:
        if stream:
            async for _ in astream(endless, "Q?"):
                pass
        else:
            await aanswer(endless, "Q?")
        raise AssertionError("it ended by itself")

    async def leave() -> None:
        async with anyio.create_task_group() as waiting:
            waiting.start_soon(wait)
            assert await anyio.to_thread.run_sync(endless.began.wait, PATIENCE)
            waiting.cancel_scope.cancel()

    on_a_loop(leave)
    assert endless.ended.wait(PATIENCE)


def test_every_answer_keeps_to_the_schema(tmp_path: Path) -> None:
    schema, events = json_schema(), json_schema(events=True)
    jsonschema.Draft202012Validator.check_schema(schema)
    with make_library(tmp_path) as library:
        assistant = Assistant(library, ScriptedGenerator([f"[1] {WORDS}."]), reader="none")
        for question in (QUESTION, "Zebras?", "Hello!", "Summarise Cables under the sea"):
            snapshots = list(assistant.stream(question, explain=True))
            for snapshot in snapshots:
                jsonschema.validate(snapshot.to_dict(), schema)
            for event in events_of(snapshots):
                jsonschema.validate(event.to_dict(), events)
    with pytest.raises(jsonschema.ValidationError):
        jsonschema.validate(snapshots[-1].to_dict() | {"state": "perhaps"}, schema)


class Recorder:
    """A tracer that remembers its spans."""

    def __init__(self) -> None:
        self.spans: list[Span] = []

    def start_span(self, name: str, context: Any = None) -> Span:
        self.spans.append(Span(name, trace.get_current_span(context) if context else None))
        return self.spans[-1]


class Span(trace.NonRecordingSpan):
    def __init__(self, name: str, parent: Any) -> None:
        super().__init__(trace.INVALID_SPAN_CONTEXT)
        self.name, self.parent = name, parent
        self.attributes: dict[str, Any] = {}
        self.ended = 0

    def set_attribute(self, key: str, value: Any) -> None:
        self.attributes[key] = value

    def end(self, end_time: int | None = None) -> None:
        self.ended += 1


def test_each_stage_is_a_span_and_no_word_is_recorded(tmp_path: Path) -> None:
    recorder = Recorder()
    with make_library(tmp_path) as library:
        assistant = Assistant(library, ScriptedGenerator([WORDS + "."] * 2), reader="none")
        stages = [snapshot.stage for snapshot in assistant.stream(QUESTION)][:-1]
        told = list(traced(assistant.stream(QUESTION), recorder))
    names = [span.name for span in recorder.spans]
    assert names == ["pilcrow.answer", *(f"pilcrow.{fromkey}" for fromkey in dict.fromkeys(stages))]
    whole, *inside = recorder.spans
    assert all(span.parent is whole for span in inside)
    assert all(span.ended == 1 for span in recorder.spans)
    assert whole.attributes["pilcrow.state"] == told[-1].state != "not_found"
    recorded = str([span.attributes for span in recorder.spans])
    assert "Kyoto" not in recorded and "participants" not in recorded


@pytest.mark.parametrize("way", ["left", "failed"])
def test_a_span_ends_however_its_answer_does(way: str) -> None:
    recorder = Recorder()

    def snapshots() -> Iterator[Answer]:
        yield Answer("Q?", "answered", "", stage="searching")
        raise RuntimeError("secret words")

    stream = traced(snapshots(), recorder)
    next(stream)
    if way == "left":
        stream.close()
    else:
        with pytest.raises(RuntimeError):
            next(stream)
    assert [span.ended for span in recorder.spans] == [1, 1]
    assert "secret" not in str(recorder.spans[0].attributes)
