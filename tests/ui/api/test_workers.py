"""Several processes answer at one address: one that dies, or is renewed, costs nobody an answer."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
import pytest

from tests.support.programs import LOCAL, PATIENCE, Program, running
from ui.http.attempts import ATTEMPTS

QUESTION = "How many participants registered for the forum held in Kyoto?"


@dataclass(frozen=True)
class Event:
    """One event of a stream."""

    id: str
    name: str
    data: dict[str, Any]


def events(reply: httpx.Response) -> Iterator[Event]:
    """The events of a stream as they come; none any more when the connection breaks."""
    block: list[str] = []
    try:
        for line in reply.iter_lines():
            if line:
                block.append(line.partition(": ")[2])
            elif block:
                number, name, data = block
                block = []
                yield Event(number, name, json.loads(data))
    except httpx.HTTPError:
        return


def asking(server: Program, question: str, last: str = "") -> Any:
    return httpx.stream(
        "POST", f"{server.address}/v1/answers", json={"question": question, "stream": True},
        headers={"Last-Event-ID": last} if last else {}, **LOCAL,
    )  # fmt: skip


def once(path: Path) -> str:
    """What a file says once it is there."""
    end = time.monotonic() + PATIENCE
    while not (path.exists() and path.read_text()):
        assert time.monotonic() < end
        time.sleep(0.01)
    return path.read_text()


def parent(server: Program) -> int:
    """The process that started the workers."""
    return int((server.folder / "parent").read_text())


def workers(server: Program) -> set[int]:
    """The processes that answer."""
    command = ["ps", "-ww", "-o", "pid=,args=", "--ppid", str(parent(server))]
    shown = subprocess.run(command, capture_output=True, text=True).stdout
    return {int(line.split()[0]) for line in shown.splitlines() if "spawn_main" in line}


@contextmanager
def served_by_many(folder: Path, *key: str) -> Iterator[Program]:
    """Two workers, while the block lasts."""
    with running("tests.ui.api.served_by_many", folder, *key) as server:
        try:
            yield server
        finally:
            os.kill(parent(server), signal.SIGTERM)  # and its children with it
            while workers(server):
                time.sleep(0.05)


@pytest.fixture(scope="module")
def running_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Program]:
    with served_by_many(tmp_path_factory.mktemp("many")) as server:
        yield server


@pytest.fixture
def server(running_server: Program) -> Program:
    """Two workers, nothing held."""
    for name in ("answering", "go-on"):
        (running_server.folder / name).unlink(missing_ok=True)
    end = time.monotonic() + PATIENCE
    while len(workers(running_server)) < 2 and time.monotonic() < end:
        time.sleep(0.05)
    return running_server


@pytest.fixture
def whole(server: Program) -> list[Event]:
    with asking(server, QUESTION) as reply:
        return list(events(reply))


def test_each_event_has_a_number_and_what_came_already_does_not_come_again(
    server: Program, whole: list[Event]
) -> None:
    assert len({event.id for event in whole}) == len(whole) > 2
    assert whole[-1].name == "done"
    for at, last in enumerate(whole[:-1]):
        with asking(server, QUESTION, last.id) as reply:
            rest = list(events(reply))
        assert [e.id for e in rest] == [e.id for e in whole[at + 1 :]]
        assert rest[-1].data["answer"]["text"] == whole[-1].data["answer"]["text"]
    for unknown in ("0.2", "x", "9" * 5000, f"{whole[0].id.partition('.')[0]}.{'9' * 5000}", "."):
        with asking(server, QUESTION, unknown) as reply:
            assert list(events(reply))[-1].name == "done"


@pytest.mark.fault("R4")
def test_a_worker_that_is_killed_in_the_middle_of_an_answer(server: Program) -> None:
    with asking(server, f"hold: {QUESTION}") as reply:
        stream = events(reply)
        first = next(stream)
        os.kill(int(once(server.folder / "answering")), signal.SIGKILL)
        assert list(stream) == []
    (server.folder / "go-on").touch()
    with asking(server, f"hold: {QUESTION}", first.id) as reply:
        rest = list(events(reply))
    assert first.id not in {event.id for event in rest}
    assert rest[-1].name == "done"
    assert httpx.get(f"{server.address}/ready", **LOCAL).json()["status"] == "ready"


@pytest.mark.fault("R5")
def test_workers_are_renewed_one_by_one_and_no_stream_is_lost(server: Program) -> None:
    before = workers(server)
    assert len(before) == 2
    with asking(server, f"hold: {QUESTION}") as reply:
        stream = events(reply)
        first = next(stream)
        answering = int(once(server.folder / "answering"))
        os.kill(parent(server), signal.SIGHUP)
        refused: list[Exception] = []
        while len(before & workers(server)) == 2:  # one has made way for a new one, or waits
            try:
                assert httpx.get(f"{server.address}/health", **LOCAL).status_code == 200
            except httpx.HTTPError as error:
                refused.append(error)
        (server.folder / "go-on").touch()
        rest = list(stream)
    if not rest or rest[-1].name != "done":
        with asking(server, f"hold: {QUESTION}", (rest or [first])[-1].id) as reply:
            rest += list(events(reply))
    assert rest[-1].name == "done"
    while before & workers(server):
        assert httpx.get(f"{server.address}/ready", **LOCAL).status_code == 200
    assert refused == []
    assert answering not in workers(server)
    assert len(workers(server)) == 2


def test_many_ask_two_workers_and_nobody_gets_anothers_answer(server: Program) -> None:
    questions = [f"Question {number} about the forum?" for number in range(16)]
    told: dict[str, str] = {}

    def ask(question: str) -> None:
        body = {"question": question}
        reply = httpx.post(f"{server.address}/v1/answers", json=body, **LOCAL)
        told[question] = reply.json()["question"]

    people = [threading.Thread(target=ask, args=(question,)) for question in questions]
    for person in people:
        person.start()
    for person in people:
        person.join()
    assert told == {question: question for question in questions}


def test_more_workers_are_not_more_attempts_to_guess_a_key(tmp_path: Path) -> None:
    with served_by_many(tmp_path / "guarded", "sesame") as server:
        wrong = {"Authorization": "Bearer guess"}
        statuses = [
            httpx.get(f"{server.address}/v1/models", headers=wrong, **LOCAL).status_code
            for _ in range(60)  # each on a connection of its own, so at either worker
        ]
    assert set(statuses) == {401, 429}
    assert statuses.count(401) <= ATTEMPTS
