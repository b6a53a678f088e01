"""How the page bears many people at once, with the default models on `seeds/`.

    python -m tests.benchmarks.bench_load [--rounds 200] [--no-model]
    python -m tests.benchmarks.bench_load --evidence

With `--evidence` only the way to the first sentence on the screen, in this process and without a
language model: how long so many people wait who ask at the same moment, and how long their
questions take when they are merely encoded and looked for, one after the other on each core. Both
in turn, medians of so many rounds; a busy machine stretches what passes on the clock, so there is
the processor's time as well.

One row a number of people who all ask at the same time, each in a tab of their own: milliseconds
from the question to the best sentence and to the end of the answer (median, 95th percentile), and
how many were turned away. Then the memory of the server and of its model's process before and after
so many questions.
"""

from __future__ import annotations

import argparse
import os
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import cycle, islice
from pathlib import Path
from threading import Barrier

import numpy as np

import seeds
from index import Library
from index.system.cpu import usable_cores
from rag import Assistant
from rag.evaluation import load_questions
from rag.query.text_features import features_of
from tests.support.visitors import Visitor

CROWDS = ((1, 10), (2, 6), (4, 4), (8, 3), (16, 2), (32, 2), (48, 1))
"""People at once, and how often each of them asks."""
PILCROW = (sys.executable, "-m", "ui.cli")


@dataclass(frozen=True)
class Asked:
    """How one question went; milliseconds since it was sent."""

    evidence: float | None
    """When the best sentence was on the screen; None when the answer is none or was refused."""
    end: float
    refused: bool


@contextmanager
def serving(store: Path, *options: str) -> Iterator[tuple[str, int]]:
    """The page as people start it; its address and process id."""
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    command = [*PILCROW, "chat", "--store", str(store), "--port", str(port), *options]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
    assert process.stdout
    try:
        next(line for line in process.stdout if "http://" in line)
        yield f"http://127.0.0.1:{port}/", process.pid
    finally:
        process.terminate()
        process.wait()


def ask(visitor: Visitor, question: str) -> Asked:
    """One question, looked at as it is answered."""
    began, evidence = time.perf_counter(), None
    visitor.conversation = ""
    visitor.ask(question)
    seen = None
    for seen in visitor.watch():
        if evidence is None and (seen.evidence or "statement" in seen.turn):
            evidence = 1000 * (time.perf_counter() - began)
    assert seen is not None
    refused = "questions are being answered already" in seen.status
    return Asked(None if refused else evidence, 1000 * (time.perf_counter() - began), refused)


def crowd(address: str, people: int, rounds: int, questions: Sequence[str]) -> list[Asked]:
    """`people` ask `rounds` times each; all of them at the same moment."""
    gate = Barrier(people)

    def one(number: int) -> list[Asked]:
        visitor = Visitor(address)
        asked = []
        for turn in range(rounds):
            gate.wait()
            asked.append(ask(visitor, questions[(number + turn * people) % len(questions)]))
        visitor.close()
        return asked

    with ThreadPoolExecutor(people) as pool:
        return [asked for found in pool.map(one, range(people)) for asked in found]


def evidence_curve(library: Library, questions: Sequence[str], rounds: int) -> Iterator[str]:
    """Rows of a table, one a number of people."""
    assistant = Assistant(library, None)
    assistant.warm_up()

    def evidence(question: str) -> None:
        next(seen for seen in assistant.stream(question) if seen.headline or seen.complete)

    for question in questions:
        evidence(question)
    for people in (1, 2, 4, 8, 16, 32):
        asked = list(islice(cycle(questions), people))
        times: list[float] = []
        told = np.array(
            [
                [
                    *_together(library, evidence, asked, people, times),
                    *_together(library, library.search, asked, usable_cores(), []),
                ]
                for _ in range(rounds)
            ]
        )
        whole, _, raw, _ = np.median(told, axis=0)
        p50, p95 = np.percentile(times, (50, 95))
        cells = f"{p50:,.0f} | {p95:,.0f} | {whole:,.0f} | {raw:,.0f} | {whole / raw:.2f}"
        yield f"| {people} | {cells} | {np.median(told[:, 1] / told[:, 3]):.2f} |"


def _together(
    library: Library,
    act: Callable[[str], object],
    asked: Sequence[str],
    threads: int,
    times: list[float],
) -> tuple[float, float]:
    """Milliseconds on the clock and of the processor until all is done; each one's own in `times`.

    A question counts as asked when all of them are.
    """
    library._encoding._questions.clear()  # nothing is remembered of the round before
    features_of.cache_clear()
    began, spent = time.perf_counter(), time.process_time()

    def one(question: str) -> None:
        act(question)
        times.append(1000 * (time.perf_counter() - began))

    with ThreadPoolExecutor(threads) as pool:
        list(pool.map(one, asked))
    return 1000 * (time.perf_counter() - began), 1000 * (time.process_time() - spent)


def memory(process: int) -> dict[str, float]:
    """Megabytes held by the server and by its children together."""
    held = {"server": _resident(process), "model": 0.0}
    for child in Path(f"/proc/{process}/task/{process}/children").read_text().split():
        held["model"] += _resident(int(child))
    return held


def _resident(process: int) -> float:
    pages = int(Path(f"/proc/{process}/statm").read_text().split()[1])
    return pages * os.sysconf("SC_PAGE_SIZE") / 1e6


def _row(people: int, found: Sequence[Asked]) -> str:
    answered = [one for one in found if not one.refused]
    times = [[one.evidence for one in answered if one.evidence is not None]]
    times.append([one.end for one in answered])
    cells = [f"{np.percentile(time, at):,.0f}" for time in times for at in (50, 95)]
    refused = sum(one.refused for one in found)
    return f"| {people} | {len(found)} | {' | '.join(cells)} | {refused} |"


def main() -> None:
    """Index the articles, start the page, ask, print."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--rounds", type=int, default=200)
    parser.add_argument("--no-model", action="store_true", help="the sources' sentences alone")
    parser.add_argument("--evidence", action="store_true", help="the first sentence alone")
    chosen = parser.parse_args()
    rounds = chosen.rounds
    questions = [q.question for q in load_questions(seeds.questions()) if q.answerable]
    with tempfile.TemporaryDirectory() as folder:
        store = Path(folder) / "library"
        add = [*PILCROW, "add", "--store", str(store), str(seeds.articles())]
        subprocess.run(add, check=True, capture_output=True)
        if chosen.evidence:
            heads = "people | p50 | p95 | all there | raw | ratio | of processor time |"
            print(f"| {heads}\n|{'---|' * heads.count('|')}")  # noqa: T201
            with Library.open(store) as library:
                for row in evidence_curve(library, questions, min(rounds, 11)):
                    print(row, flush=True)  # noqa: T201
            return
        with serving(store, *["--no-model"] * chosen.no_model) as (address, process):
            crowd(address, 1, 2, questions)  # the models are loaded by the first question
            print("| people | questions | evidence p50 | p95 | end p50 | p95 | refused |")  # noqa: T201
            print("|---|---|---|---|---|---|---|")  # noqa: T201
            for people, each in CROWDS:
                print(_row(people, crowd(address, people, each, questions)), flush=True)  # noqa: T201
            before, visitor = memory(process), Visitor(address)
            print(f"\nbefore: {before}", flush=True)  # noqa: T201
            for number, question in enumerate(islice(cycle(questions), rounds)):
                ask(visitor, question)
                if number % 50 == 49:
                    print(f"after {number + 1} more questions: {memory(process)}", flush=True)  # noqa: T201
            print(f"\nmemory in MB before {before} and after {memory(process)}")  # noqa: T201


if __name__ == "__main__":
    main()
