"""Thirty-two programs at once: each gets its own answer, evidence first, and memory stays flat."""

from __future__ import annotations

import json
import re
import socket
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import httpx
import pytest

from rag import Assistant
from tests.support.page_fakes import HeldLibrary, make_library
from tests.support.programs import LOCAL, PATIENCE
from ui.api.server import serve_api
from ui.api.service import AT_ONCE
from ui.http.server import listen

ROOM = 60_000_000
"""Bytes that threads and connections may keep once all of them were there."""


def town(number: int) -> str:
    return f"Velmora{number:03}"


def article(number: int) -> str:
    built = f"The lighthouse of {town(number)} was built by Brenner{number:03}."
    return f"On {town(number)}\n\n{built}\n"


@pytest.fixture(scope="module")
def address(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    folder: Path = tmp_path_factory.mktemp("many")
    library: HeldLibrary = make_library(folder, {f"{n}.txt": article(n) for n in range(AT_ONCE)})
    ready, addresses = threading.Event(), list[str]()

    def on_ready(where: str) -> None:
        addresses.append(where.rstrip("/"))
        ready.set()

    assistant = Assistant(library, None, reader="none")
    serve = threading.Thread(
        target=lambda: serve_api(assistant, library, port=0, on_ready=on_ready), daemon=True
    )
    serve.start()
    assert ready.wait(PATIENCE)
    yield addresses[0]


def events(address: str, number: int, together: threading.Barrier) -> list[tuple[str, Any]]:
    together.wait(PATIENCE)
    body = {"question": f"Who built the lighthouse of {town(number)}?", "stream": True}
    reply = httpx.post(f"{address}/v1/answers", json=body, **LOCAL)
    pairs = [block.split("\n") for block in reply.text.strip().split("\n\n")]
    return [(name[7:], json.loads(data[6:])) for _, name, data in pairs]


def everybody(address: str) -> list[list[tuple[str, Any]]]:
    together = threading.Barrier(AT_ONCE)
    with ThreadPoolExecutor(AT_ONCE) as pool:
        return list(pool.map(lambda n: events(address, n, together), range(AT_ONCE)))


def resident(address: str) -> float:
    told = httpx.get(f"{address}/metrics", **LOCAL).text
    found = re.search(r"^process_resident_memory_bytes (\S+)", told, re.MULTILINE)
    assert found
    return float(found[1])


def test_no_program_gets_anothers_answer_and_memory_stays(address: str) -> None:
    for round_ in range(3):
        for number, seen in enumerate(everybody(address)):
            names = [name for name, _ in seen]
            assert names[0] == "searching" and names[-1] == "done"
            assert names.index("evidence") < names.index("statement")
            answer = seen[-1][1]["answer"]
            assert f"Brenner{number:03}" in answer["text"]
            assert {c["document_id"] for c in answer["citations"]} == {f"{number}.txt"}
        if round_ == 0:
            before = resident(address)
    assert resident(address) - before < ROOM
    told = httpx.get(f"{address}/metrics", **LOCAL).text
    assert "pilcrow_answering 0.0" in told, "every seat is free again"


def test_a_reply_is_not_held_back_for_an_acknowledgement() -> None:
    with listen("127.0.0.1", 0) as listening:
        client = socket.create_connection(listening.getsockname())
        accepted, _ = listening.accept()
        with client, accepted:
            assert accepted.getsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY)
