"""What a program pays for asking over HTTP: the native endpoint against `Assistant.answer`.

`python -m tests.benchmarks.bench_api [TIMES]`: quotes only. Each question is asked both ways one
after the other, now this way first, now that, so that what else the machine does falls on both
alike: small talk, which takes no time itself, and the questions of the seeds.
"""

from __future__ import annotations

import json
import statistics
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Sequence

import httpx

import seeds
from index import Library
from rag import Assistant
from ui.api.server import serve_api

Spent = tuple[float, float]
"""Milliseconds that passed, and that this process computed."""
Pair = tuple[Spent, Spent]
"""In process, over HTTP."""


def main(times: str = "5") -> None:
    with tempfile.TemporaryDirectory() as folder, Library.open(folder) as library:
        library.update([seeds.articles()])
        lines = (seeds.articles().parent / "questions.jsonl").read_text(encoding="utf-8")
        questions = [json.loads(line)["question"] for line in lines.splitlines()]
        assistant, ready, addresses = Assistant(library, None), threading.Event(), list[str]()

        def on_ready(address: str) -> None:
            addresses.append(address)
            ready.set()

        threading.Thread(
            target=lambda: serve_api(assistant, library, port=0, on_ready=on_ready), daemon=True
        ).start()
        ready.wait(60)
        with httpx.Client(base_url=addresses[0], timeout=60) as client:

            def over_http(question: str) -> None:
                client.post("/v1/answers", json={"question": question}).raise_for_status()

            ways = (assistant.answer, over_http)
            for kind, asked in (("small talk", ["Hello!"] * 20), ("questions", questions)):
                rounds = [
                    [both(ways, question, turn % 2 == 1) for question in asked]
                    for turn in range(int(times) + 1)
                ]
                report(kind, rounds[1:])  # at first the questions' vectors are made


def both(ways: Sequence[Callable[[str], object]], question: str, swapped: bool) -> Pair:
    """What a question took either way, in the order of `ways`, whichever went first."""
    order = [1, 0] if swapped else [0, 1]
    taken = {way: spent(ways[way], question) for way in order}
    return taken[0], taken[1]


def spent(do: Callable[[str], object], question: str) -> Spent:
    """What it takes."""
    began, busy = time.perf_counter(), time.process_time()
    do(question)
    return 1000 * (time.perf_counter() - began), 1000 * (time.process_time() - busy)


def report(kind: str, rounds: Sequence[Sequence[Pair]]) -> None:
    """Prints medians over all pairs, and over the questions at the shortest of their rounds."""
    pairs = [pair for turn in rounds for pair in turn]
    wall = statistics.median(http[0] - inside[0] for inside, http in pairs)
    busy = statistics.median(http[1] - inside[1] for inside, http in pairs)
    inside, http = (statistics.median(pair[way][0] for pair in pairs) for way in (0, 1))
    shortest = [
        [min(turn[number][way][0] for turn in rounds) for way in (0, 1)]
        for number in range(len(rounds[0]))
    ]
    least = statistics.median(over - within for within, over in shortest)
    print(  # noqa: T201
        f"{kind}: in process {inside:.1f} ms, over HTTP {http:.1f} ms; of each pair {wall:.1f} ms "
        f"longer and {busy:.1f} ms more computed, client included ({len(pairs)} pairs); "
        f"at the shortest of {len(rounds)} rounds {least:.1f} ms longer"
    )


if __name__ == "__main__":
    main(*sys.argv[1:])
