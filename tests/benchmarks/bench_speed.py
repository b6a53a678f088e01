"""How far each path is from the metal: `make bench`.

    python -m tests.benchmarks.bench_speed [--rows …]

Every figure is a ratio to a raw baseline measured in the same run, question by question or in turn,
so that a busy machine slows both. Each row runs in a process of its own. Libraries of 10 and 100
thousand passages are synthetic (`tests.benchmarks.bench_library`); the encoder, the questions' way
through it, the model, prompts and articles are real.
"""

from __future__ import annotations

import argparse
import json
import os
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from functools import partial
from math import log
from pathlib import Path
from statistics import median
from typing import Any

import numpy as np

import seeds
from index import Library
from index.embedding.encoder import Embeddable, SentenceTransformerEncoder, default_folder
from index.types import Span
from rag.evaluation import load_questions
from tests.benchmarks.bench_library import fill, memory_mb, synthetic, timed

_QUESTIONS = 40
_SIZES = (1_000, 10_000, 100_000)
_Row = dict[str, float]


def raw_encoder() -> Any:
    """The packaged model as sentence-transformers loads it."""
    from index.embedding.torch_backend import TorchNetwork

    return TorchNetwork(default_folder(), threads=1).model


def questions(count: int = _QUESTIONS) -> list[str]:
    """Questions of words that a synthetic library holds, none of them the most frequent."""
    rng = np.random.default_rng(1)
    return [" ".join(f"w{word}" for word in rng.integers(200, 5_000, 5)) for _ in range(count)]


def library_of(folder: Path, size: int) -> Path:
    """A synthetic library of so many passages, made unless it is there."""
    place = folder / str(size)
    if not place.exists():
        encoder = SentenceTransformerEncoder()
        made = {"fill_s": timed(lambda: fill(place, size, encoder, small=False))}
        with Library.open(place, encoder=encoder) as library:
            made["index_s"] = timed(library._engine.refresh)
        (folder / f"{size}.json").write_text(json.dumps(made))
    return place


def evidence(folder: Path, size: int) -> _Row:
    """Question → evidence on screen, against one raw forward pass and one raw FAISS search."""
    import faiss
    import torch

    from rag import Assistant

    torch.set_num_threads(1)  # on a question two are slower than one
    raw, index = raw_encoder(), faiss.IndexFlatIP(384)
    index.add(synthetic(size, 7))
    place = library_of(folder, size)
    for name in ("library.sqlite", "vectors.cache"):
        assert sum(map(len, _blocks(place / name)))
    assistant = Assistant(Library.open(place), None)

    def baseline(question: str) -> None:
        index.search(raw.encode([question], show_progress_bar=False), 10)

    def ours(question: str) -> None:
        next(one for one in assistant.stream(question) if one.timings.evidence_ms is not None)

    return in_turn(baseline, ours, questions())


def _blocks(path: Path) -> Iterator[bytes]:
    """A file's content, which then is in the system's memory."""
    with path.open("rb") as file:
        yield from iter(partial(file.read, 1 << 24), b"")


def in_turn(
    baseline: Callable[[str], object], ours: Callable[[str], object], asked: Sequence[str]
) -> _Row:
    """Median milliseconds of both, question by question; the first two warm up."""
    both = [
        (timed(lambda: baseline(one)), timed(lambda: ours(one)))  # noqa: B023
        for one in asked
    ][2:]
    theirs, mine = (1000 * median(times) for times in zip(*both, strict=True))
    return {"baseline": theirs, "ours": mine, "ratio": mine / theirs}


@contextmanager
def seeded() -> Iterator[Library]:
    """A library of the seed articles."""
    with tempfile.TemporaryDirectory() as folder, Library.open(Path(folder) / "seeds") as library:
        library.update([Path(str(seeds.articles()))])
        yield library


class RawModel:
    """The model as llama-cpp-python runs it: prompts read whole, nothing remembered."""

    def __init__(self, path: Path, threads: int, batch: int = 512) -> None:
        import llama_cpp

        self._llama = llama_cpp.Llama(
            str(path), n_ctx=2048, n_batch=batch, n_ubatch=batch, n_threads=threads,
            n_threads_batch=threads, verbose=False,
        )  # fmt: skip
        self.read(list(range(100, 200)))

    def read(self, prompt: Sequence[int], threads: int = 0) -> None:
        import llama_cpp

        if threads:
            llama_cpp.llama_set_n_threads(self._llama.ctx, threads, threads)
        self._llama.reset()
        self._llama.eval(prompt)


def first_token(folder: Path, size: int) -> _Row:
    """Evidence → first token, against reading the same prompt raw; single turns and follow-ups."""
    from rag import Assistant
    from rag.llm.client import LlamaClient
    from rag.llm.generator import Message, Piece
    from rag.llm.weights.model_files import find_model
    from rag.llm.weights.quantization import fastest_variant
    from tests.rag.test_real_follow_ups import CONVERSATIONS

    class Noting(LlamaClient):
        prompt: list[int]

        def stream(self, messages: Sequence[Message], **how: Any) -> Iterator[Piece]:
            self.prompt = self._prompt(messages)
            return super().stream(messages, **how)

    threads, model = 1, find_model()
    raw = RawModel(fastest_variant(model.path, model.sha256, threads), threads)
    generator = Noting(model, threads=threads)
    single: list[tuple[float, float]] = []
    follow: list[tuple[float, float]] = []
    with seeded() as library:
        assistant = Assistant(library, generator)
        assistant.answer(CONVERSATIONS[0][0][0])
        for turns in CONVERSATIONS:
            history: list[tuple[str, str]] = []
            for question, _ in turns:
                answer = assistant.answer(question, history)
                told = answer.timings
                if told.first_token_ms is not None and told.evidence_ms is not None:
                    ours = told.first_token_ms - told.evidence_ms
                    cold = 1000 * timed(lambda: raw.read(generator.prompt))
                    (follow if history else single).append((cold, ours))
                history.append((question, answer.text))
    ratios = [median(ours / cold for cold, ours in one) for one in (single, follow)]
    return {
        "baseline": median(cold for cold, _ in single),
        "ours": median(ours for _, ours in single),
        "ratio": ratios[0],
        "follow_baseline": median(cold for cold, _ in follow),
        "follow_ours": median(ours for _, ours in follow),
        "follow_ratio": ratios[1],
    }


def prefill(folder: Path, size: int) -> _Row:
    """Tokens of prompt a second, against the file as shipped and read raw."""
    from rag.llm.llama import reading_speed
    from rag.llm.weights.model_files import find_model
    from rag.llm.weights.quantization import fastest_variant

    model = find_model()
    raw, prompt = RawModel(model.path, 1), list(range(100, 484))
    quick = fastest_variant(model.path, model.sha256, 1)
    both = [
        (len(prompt) / timed(lambda: raw.read(prompt)), reading_speed(quick, 1)) for _ in range(3)
    ]
    theirs, ours = (max(speeds) for speeds in zip(*both, strict=True))
    return {"baseline": theirs, "ours": ours, "ratio": ours / theirs}


_LARGE = "qwen-1.5b"
_LARGE_TOKENS = 640


def large_prefill(folder: Path, size: int) -> _Row:
    """Tokens of prompt a second of a larger model, against the best setting of llama.cpp's own.

    Every setting reads in turn, three times, since a machine is seldom alike for minutes.
    """
    from index.system.cpu import usable_cores
    from rag.llm.llama import Llama
    from rag.llm.weights.model_files import find_model

    file, cores = find_model(_LARGE).path, usable_cores()
    raws = {batch: RawModel(file, cores, batch) for batch in (64, 512)}
    ours = Llama(file, max(1, cores - 1), 2048, 0, cores)
    prompt = list(range(100, 100 + _LARGE_TOKENS))
    settings = [
        (batch, threads) for batch in raws for threads in range(max(1, cores - 1), cores + 1)
    ]
    times: dict[tuple[int, int], list[float]] = {setting: [] for setting in settings}
    mine: list[float] = []
    for first in range(3):
        read = [first, *prompt]
        for batch, threads in settings:
            times[batch, threads].append(timed(lambda: raws[batch].read(read, threads)))  # noqa: B023
        mine.append(timed(lambda: ours.read(read)))  # noqa: B023
    speeds = {setting: len(prompt) / median(taken) for setting, taken in times.items()}
    ratios = [
        took / min(all_[round_] for all_ in times.values()) for round_, took in enumerate(mine)
    ]
    return {
        "baseline": max(speeds.values()),
        "ours": len(prompt) / median(mine),
        "ratio": 1 / median(ratios),
        **{f"{batch}_at_a_time_{threads}_threads": v for (batch, threads), v in speeds.items()},
    }


def large_first_word(folder: Path, size: int) -> _Row:
    """Evidence → first word of a larger model, against reading the same prompt raw."""
    from index.system.cpu import usable_cores
    from rag import Assistant
    from rag.llm.client import LlamaClient
    from rag.llm.generator import Message, Piece
    from rag.llm.weights.model_files import find_model

    class Noting(LlamaClient):
        prompt: list[int] = []  # noqa: RUF012

        def stream(self, messages: Sequence[Message], **how: Any) -> Iterator[Piece]:
            self.prompt = self._prompt(messages)
            return super().stream(messages, **how)

    file, cores = find_model(_LARGE), usable_cores()
    raw = RawModel(file.path, cores)
    generator = Noting(file, threads=max(1, cores - 1), most_threads=cores, deadline=600)
    both: list[tuple[float, float]] = []
    with seeded() as library:
        assistant = Assistant(library, generator)
        for question in load_questions(Path(str(seeds.questions())))[:6]:
            told = assistant.answer(question.question).timings
            if told.first_token_ms is not None and told.evidence_ms is not None:
                cold = min(
                    timed(lambda: raw.read(generator.prompt, threads))  # noqa: B023
                    for threads in {max(1, cores - 1), cores}
                )
                both.append((1000 * cold, told.first_token_ms - told.evidence_ms))
    theirs, mine = map(median, zip(*both, strict=True))
    return {
        "baseline": theirs,
        "ours": mine,
        "ratio": median(own / cold for cold, own in both),
    }


def indexing(folder: Path, size: int) -> _Row:
    """Passages a second with all their sentences, against encoding the same texts raw.

    The raw encoder makes a vector of each passage and each sentence, as the index does; with
    `passages_ratio` it makes only those of the passages.
    """
    import torch

    encoder, raw = SentenceTransformerEncoder(), raw_encoder()
    torch.set_num_threads(len(os.sched_getaffinity(0)))
    with seeded() as library:
        texts = [
            passage for record in library.documents() for passage in library.passages(record.id)
        ]
    whole = [text.text for text in texts]
    parts = [sentence.text for text in texts for sentence in text.sentences]
    ours = [
        Embeddable("", text.text, tuple(Span(s.start - text.start, s.end - text.start)
                                       for s in text.sentences))
        for text in texts
    ]  # fmt: skip

    def encode_raw(some: list[str]) -> Any:
        return raw.encode(some, show_progress_bar=False)

    encoder.encode(ours[:4])
    encode_raw(whole[:4])
    rounds = [
        (timed(lambda: encode_raw(whole)), timed(lambda: encode_raw(parts)),
         timed(lambda: encoder.encode(ours)))
        for _ in range(3)
    ]  # fmt: skip
    passages_s, parts_s, ours_s = (min(times) for times in zip(*rounds, strict=True))
    mine = np.stack([one.passage for one in encoder.encode(ours)])
    theirs = encode_raw(whole)
    theirs /= np.linalg.norm(theirs, axis=1, keepdims=True)
    return {
        "baseline": len(texts) / (passages_s + parts_s),
        "ours": len(texts) / ours_s,
        "ratio": (passages_s + parts_s) / ours_s,
        "passages_ratio": passages_s / ours_s,
        "least_cosine": float((mine * theirs).sum(axis=1).min()),
    }


def fresh_process(folder: Path, size: int) -> _Row:
    """`pilcrow ask` with quotes only, whole, against importing sentence_transformers."""
    question = "Where was the first AI Safety Summit held?"
    with seeded() as library:
        ask = [sys.executable, "-m", "ui.cli", "ask", question, "--no-model"]
        ask += ["--store", str(library.path)]
        imports = [sys.executable, "-c", "import sentence_transformers"]

        def run(command: list[str]) -> None:
            subprocess.run(
                command, check=True, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
            )

        both = [(timed(lambda: run(imports)), timed(lambda: run(ask))) for _ in range(4)][1:]
    theirs, ours = (min(times) for times in zip(*both, strict=True))
    return {"baseline": 1000 * theirs, "ours": 1000 * ours, "ratio": ours / theirs}


def resident(folder: Path, size: int) -> _Row:
    """Memory of the chat and its model's process after ten questions, against both weight files.

    Proportional set size: what two processes share counts half in each. The real articles are
    beside the synthetic ones, and the questions are about them: otherwise neither the network that
    reads closely nor the model would be asked.
    """
    from rag.llm.weights.model_files import find_model
    from tests.benchmarks.bench_load import serving
    from tests.support.visitors import Visitor

    weights = (default_folder() / "model.safetensors").stat().st_size
    weights += find_model().path.stat().st_size
    place = folder / "resident"
    shutil.copytree(library_of(folder, size), place)
    with Library.open(place) as library:
        library.update([seeds.articles()])
    asked = [
        question.question for question in load_questions(seeds.questions()) if question.answerable
    ][:10]
    with serving(place) as (address, process):
        visitor = Visitor(address)
        for question in asked:
            visitor.ask(question)
            for _ in visitor.watch():
                pass
        visitor.close()
        held = _proportional(process)
        for child in Path(f"/proc/{process}/task/{process}/children").read_text().split():
            held += _proportional(int(child))
    return {"baseline": weights / 1e6, "ours": held, "ratio": 1e6 * held / weights}


def _proportional(process: int) -> float:
    lines = Path(f"/proc/{process}/smaps_rollup").read_text().splitlines()
    return next(int(line.split()[1]) for line in lines if line.startswith("Pss:")) / 1000


def growth(folder: Path, size: int) -> _Row:
    """Exponents between 1 k and 100 k passages: 1 is linear."""
    found: dict[int, _Row] = {}
    for count in _SIZES:
        place = library_of(folder, count)
        made = json.loads((folder / f"{count}.json").read_text())
        told = subprocess.run(
            [sys.executable, "-m", "tests.benchmarks.bench_speed", "--row", "opening",
             "--size", str(count), "--folder", str(folder)],
            check=True, stdout=subprocess.PIPE, text=True,
        )  # fmt: skip
        disk = sum(one.stat().st_size for one in place.iterdir())
        found[count] = {
            "index": made["fill_s"] + made["index_s"], "disk": disk, **json.loads(told.stdout),
        }  # fmt: skip
    first, last = found[_SIZES[0]], found[_SIZES[-1]]
    return {
        name: log(last[name] / first[name]) / log(_SIZES[-1] / _SIZES[0])
        for name in ("index", "search", "open", "disk")
    }


def opening(folder: Path, size: int) -> _Row:
    """Seconds to open a library and to search it, in a process that has done nothing before."""
    import faiss  # noqa: F401  (its own time is not the library's)

    encoder = SentenceTransformerEncoder()
    for question in questions():
        encoder.encode_query(question)
    before = memory_mb()
    library = Library.open(library_of(folder, size), encoder=encoder)
    first = timed(lambda: library.search("w7 w99 w1234"))
    searches = [timed(lambda: library.search(question)) for question in questions()]  # noqa: B023
    return {"open": first, "search": median(searches), "ram_mb": memory_mb() - before}


Row = Callable[[Path, int], _Row]
ROWS: dict[str, tuple[Row, int, str, str]] = {
    "evidence_10k": (evidence, 10_000, "ms", "≤ 1.5"),
    "evidence_100k": (evidence, 100_000, "ms", "≤ 2"),
    "first_token": (first_token, 0, "ms", "≤ 1.1, follow-up ≤ 0.4"),
    "prefill": (prefill, 0, "tokens/s", "≥ 2"),
    "large_prefill": (large_prefill, 0, "tokens/s", "≥ 0.95"),
    "large_first_word": (large_first_word, 0, "ms", "≤ 1.15"),
    "indexing": (indexing, 0, "passages/s", "≥ 2.5"),
    "fresh_process": (fresh_process, 0, "ms", "≤ 0.5"),
    "resident": (resident, 10_000, "MB", "≤ 2.5"),
    "growth": (growth, 0, "exponent", "≤ 1.05"),
    "opening": (opening, 10_000, "s", ""),
}


_ASKED_FOR = ("opening", "large_prefill", "large_first_word")
"""Rows that are measured where they are named."""


def main() -> None:
    """Measure each row in a process of its own and print the table."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--rows", default=",".join(name for name in ROWS if name not in _ASKED_FOR))
    parser.add_argument("--folder", type=Path, help="keeps the synthetic libraries: 1.7 GB")
    parser.add_argument("--row", choices=ROWS, help=argparse.SUPPRESS)
    parser.add_argument("--size", type=int, help=argparse.SUPPRESS)
    chosen = parser.parse_args()
    if chosen.row:
        measure, size, *_ = ROWS[chosen.row]
        print(json.dumps(measure(chosen.folder, chosen.size or size)))  # noqa: T201
        return
    print("| path | unit | baseline | ours | ratio | wanted | besides |")  # noqa: T201
    print("|---|---|---|---|---|---|---|")  # noqa: T201
    with tempfile.TemporaryDirectory() as temporary:
        folder = chosen.folder or Path(temporary)
        folder.mkdir(parents=True, exist_ok=True)
        for name in chosen.rows.split(","):
            began = time.perf_counter()
            command = [sys.executable, "-m", "tests.benchmarks.bench_speed", "--row", name]
            command += ["--folder", str(folder)]
            told = subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True).stdout
            print(_line(name, json.loads(told.splitlines()[-1])), flush=True)  # noqa: T201
            print(f"{name}: {time.perf_counter() - began:.0f} s", file=sys.stderr)  # noqa: T201


def _line(name: str, found: _Row) -> str:
    _, _, unit, wanted = ROWS[name]
    known = [f"{found[one]:.3g}" if one in found else "" for one in ("baseline", "ours", "ratio")]
    others = [
        f"{one.replace('_', ' ')} {value:.4g}"
        for one, value in found.items()
        if one not in ("baseline", "ours", "ratio")
    ]
    return f"| {name.replace('_', ' ')} | {unit} | {' | '.join(known)} | {wanted} | {'; '.join(others)} |"  # noqa: E501


if __name__ == "__main__":
    main()
