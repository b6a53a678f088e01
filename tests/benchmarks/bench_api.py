"""What a program pays for asking over HTTP: the native endpoint against `Assistant.answer`.

`python -m tests.benchmarks.bench_api [TIMES]`: quotes only. Each question is asked both ways one
after the other, now this way first, now that, so that what else the machine does falls on both
alike: small talk, which takes no time itself, and the questions of the seeds.

`python -m tests.benchmarks.bench_api --crowd [ROUNDS]`: so many people at once ask `pilcrow serve`
with one worker and with two: milliseconds to the evidence, and the memory of each worker.
"""

from __future__ import annotations

import json
import statistics
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path

import httpx
import numpy as np

import seeds
from index import Library
from rag import Assistant
from ui.api.server import serve_api
from ui.http.server import listen

Spent = tuple[float, float]
"""Milliseconds that passed, and that this process computed."""
Pair = tuple[Spent, Spent]
"""In process, over HTTP."""


PEOPLE = 1, 8, 32


def crowds(rounds: int) -> None:
    """Print a row for each number of workers and of people."""
    with tempfile.TemporaryDirectory() as folder:
        with Library.open(folder) as library:
            library.update([seeds.articles()])
        lines = (seeds.articles().parent / "questions.jsonl").read_text(encoding="utf-8")
        questions = [json.loads(line)["question"] for line in lines.splitlines()]
        show("workers", "people", "evidence, p50", "p95", "all there", "MB a worker")
        show(*["---"] * 6)
        for workers in (1, 2):
            with serving(folder, workers) as (address, process):
                for people in PEOPLE:
                    crowd(address, questions[:people])
                    taken = [crowd(address, questions[:people]) for _ in range(rounds)]
                    waits = [1000 * wait for waits in taken for wait in waits]
                    p50, p95 = np.percentile(waits, [50, 95])
                    whole = 1000 * statistics.median(max(waits) for waits in taken)
                    held = ", ".join(f"{mb:.0f}" for mb in memory_mb(process, workers))
                    shown = [f"{ms:.0f}" for ms in (p50, p95, whole)]
                    show(workers, people, *shown, held)


def show(*cells: object) -> None:
    """Print a row of a table."""
    print("|", " | ".join(map(str, cells)), "|", flush=True)  # noqa: T201


@contextmanager
def serving(folder: str, workers: int) -> Iterator[tuple[str, int]]:
    """The address of a server with so many workers, and the number of its process."""
    with listen("127.0.0.1", 0) as free:
        port = free.getsockname()[1]
    command = [sys.executable, "-m", "ui.cli", "--store", folder, "serve", "--no-model"]
    process = subprocess.Popen(
        [*command, "--workers", str(workers), "--port", str(port)],
        stderr=subprocess.PIPE, text=True,
    )  # fmt: skip
    try:
        assert process.stderr is not None
        any("answers programs" in line for line in process.stderr)
        yield f"http://127.0.0.1:{port}", process.pid
    finally:
        process.terminate()
        process.communicate()


def crowd(address: str, questions: Sequence[str]) -> list[float]:
    """Seconds to the evidence, or to the answer that there is none, of all who ask at once."""
    together = threading.Barrier(len(questions))

    def ask(question: str) -> float:
        seen, events = 0.0, list[str]()
        with httpx.Client(base_url=address, timeout=600) as client:
            together.wait()
            begun = time.perf_counter()
            body = {"question": question, "stream": True}
            with client.stream("POST", "/v1/answers", json=body) as reply:
                for line in reply.iter_lines():
                    if line.startswith(("event: evidence", "event: done")):
                        seen = seen or time.perf_counter() - begun
                    events += [line] * line.startswith("data: ")
        told = json.loads(events[-1][6:])["answer"]["question"]
        assert told == question, "somebody else's answer"
        return seen

    with ThreadPoolExecutor(len(questions)) as pool:
        return list(pool.map(ask, questions))


def memory_mb(process: int, workers: int) -> list[float]:
    """What each worker has for itself alone, and its share of what they share."""
    held = [process]
    if workers > 1:
        command = ["ps", "-ww", "-o", "pid=,args=", "--ppid", str(process)]
        shown = subprocess.run(command, capture_output=True, text=True).stdout
        held = [int(line.split()[0]) for line in shown.splitlines() if "spawn_main" in line]
    return [
        sum(
            int(line.split()[1])
            for line in Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines()
            if line.startswith("Pss:")
        )
        / 1000
        for pid in held
    ]


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
    if sys.argv[1:2] == ["--crowd"]:
        crowds(int((sys.argv[2:3] or ["5"])[0]))
    else:
        main(*sys.argv[1:])
