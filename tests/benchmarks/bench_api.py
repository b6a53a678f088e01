"""What a program pays for asking over HTTP: the native endpoint against `Assistant.answer`.

`python -m tests.benchmarks.bench_api [TIMES]`: quotes only, both ways one after the other: small
talk, which takes no time itself, and the seeds' questions.
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

            for kind, asked in (("small talk", ["Hello!"] * 20), ("questions", questions)):
                pairs = [
                    (spent(assistant.answer, one), spent(over_http, one))
                    for _ in range(int(times))
                    for one in asked
                ]
                report(kind, pairs[len(asked) :])  # at first the questions' vectors are made


def spent(do: Callable[[str], object], question: str) -> tuple[float, float]:
    """Milliseconds that passed, and that this process computed."""
    began, busy = time.perf_counter(), time.process_time()
    do(question)
    return 1000 * (time.perf_counter() - began), 1000 * (time.process_time() - busy)


def report(kind: str, pairs: Sequence[tuple[tuple[float, float], tuple[float, float]]]) -> None:
    """Prints the medians of both ways and of the difference within each pair."""
    wall = statistics.median(http[0] - inside[0] for inside, http in pairs)
    busy = statistics.median(http[1] - inside[1] for inside, http in pairs)
    inside, http = (statistics.median(pair[way][0] for pair in pairs) for way in (0, 1))
    print(  # noqa: T201
        f"{kind}: in process {inside:.1f} ms, over HTTP {http:.1f} ms; of each pair {wall:.1f} ms "
        f"longer and {busy:.1f} ms more computed, client included ({len(pairs)} pairs)"
    )


if __name__ == "__main__":
    main(*sys.argv[1:])
