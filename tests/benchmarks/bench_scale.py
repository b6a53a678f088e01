"""How the whole search keeps its pace from a thousand passages to a million, in one run.

    python -m tests.benchmarks.bench_scale [--sizes 1000,10000,100000,1000000] [--folder DIR]
        [--server ADDRESS]

Articles are synthetic: words by Zipf and Mandelbrot's law with words of the article's topic among
them, vectors of topics and articles with the spectrum of all-MiniLM-L6-v2. A question takes its
words and its vector from a passage, and some words from anywhere; every fifth is long and of
frequent words. Nothing is embedded. All libraries are open in one process and asked in turn, so
that a busy machine slows all of them; the ranking is compared with an exhaustive one: every vector
and every passage with a word. `--folder` keeps the libraries (5 kB a passage). With `--server`, an
address `postgresql://…` with SIZE in the name of its schema, each is copied to a PostgreSQL server
as well, unless it is there already, and both are asked in turn (11 kB a passage there).
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass
from functools import cache
from itertools import islice
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from index import Library
from index.embedding.encoder import Encoder, EncoderIdentity, PassageVectors, QuestionVectors
from index.embedding.projection import WIDTH
from index.errors import LibraryMissing
from index.languages.splitting import CHUNKER
from index.languages.stemming import any_of, match_forms
from index.search import ranking
from index.storage.records import NewContent
from index.storage.sqlite.snapshot import SQLiteSnapshot
from index.types import Document, Passage, Sentence
from tests.benchmarks.bench_library import memory_mb, synthetic, timed

_SEED = 20261129
_IDENTITY = EncoderIdentity("synthetic", "1", 384, 256, "scale")
_PASSAGES, _SENTENCES, _WORDS, _PIECES = 20, 2, 30, 3
_VOCABULARY, _TOPICS, _TOPICAL = 300_000, 2_000, 100
_QUESTIONS = 100
_STOPS = 150  # ranks that a real text's function words have
"""Words of this rank and below are in no question; long ones go on to a third of it."""


@dataclass(frozen=True, slots=True)
class Question:
    """Words and a vector, as if somebody had asked for a passage."""

    text: str
    vectors: QuestionVectors


class Asked:
    """An encoder that knows the vectors of some questions and of nothing else."""

    identity, is_english, folder = _IDENTITY, True, None

    def __init__(self, questions: Sequence[Question] = ()) -> None:
        self._known = {question.text: question.vectors for question in questions}

    def encode_query(self, text: str) -> QuestionVectors:
        return self._known[text]


def encoder(questions: Sequence[Question] = ()) -> Encoder:
    """The same, where an encoder is wanted: nothing here counts or embeds."""
    asked: Any = Asked(questions)
    return asked  # type: ignore[no-any-return]


@cache
def _shares() -> NDArray[np.float64]:
    """For each rank the share of words of that rank or a more frequent one."""
    each = (np.arange(_VOCABULARY) + 2.7) ** -1.05
    return np.cumsum(each / each.sum())


@cache
def _spelled() -> list[str]:
    return [f"w{rank}" for rank in range(_VOCABULARY)]


def ranks(rng: np.random.Generator, shape: int | tuple[int, ...]) -> NDArray[np.int64]:
    """Words as they come in a text, by their rank."""
    drawn = np.searchsorted(_shares(), rng.random(shape))
    return np.minimum(drawn, _VOCABULARY - 1)


def unit(vectors: NDArray[np.float32]) -> NDArray[np.float32]:
    made: NDArray[np.float32] = vectors / np.linalg.norm(vectors, axis=-1, keepdims=True)
    return made


@cache
def _topics() -> tuple[NDArray[np.float32], NDArray[np.int64]]:
    """A vector and the words of each topic."""
    rng = np.random.default_rng(_SEED)
    words = rng.integers(_STOPS, 30_000, (_TOPICS, _TOPICAL))
    return synthetic(_TOPICS, _SEED), words


@dataclass(frozen=True, slots=True)
class Article:
    """An article's words, shape (passages, words of one), and its passages' vectors."""

    ranks: NDArray[np.int64]
    vectors: NDArray[np.float32]


def article(number: int) -> Article:
    """The article with this number; the same each time."""
    rng = np.random.default_rng(_SEED + number)
    centres, topical = _topics()
    topic = int(rng.integers(_TOPICS))
    words = ranks(rng, (_PASSAGES, _SENTENCES * _WORDS))
    own = topical[topic][rng.integers(0, _TOPICAL, words.shape)]
    words = np.where(rng.random(words.shape) < 0.15, own, words)
    noise = synthetic(_PASSAGES + 1, _SEED + number)
    vectors = 0.5 * centres[topic] + 0.5 * noise[0] + 0.7 * noise[1:]
    return Article(words, unit(vectors.astype(np.float32)))


def contents(size: int) -> Iterator[NewContent]:
    """Articles until there are so many passages."""
    for number in range(size // _PASSAGES):
        made, spelled = article(number), _spelled()
        texts = [
            ". ".join(
                " ".join(["W", *(spelled[word] for word in sentence)])
                for sentence in row.reshape(_SENTENCES, _WORDS).tolist()
            )
            for row in made.ranks
        ]
        document = Document(f"{number:06}.txt", f"Article {number}", "\n\n".join(texts))
        parts, stored, at = [], [], 0
        tokens = np.full((_SENTENCES * _PIECES, WIDTH), 9, np.int8)
        for place, (text, vector) in enumerate(zip(texts, made.vectors, strict=True)):
            half = at + text.index(". ") + 1
            spans = (at, half), (half + 1, at + len(text))
            sentences = tuple(Sentence(a, b, document.text[a:b]) for a, b in spans)
            parts.append(Passage(place + 1, at, at + len(text), text, sentences))
            each = np.repeat(vector[None], _SENTENCES, axis=0)
            stored.append(PassageVectors(vector, each, tokens, (_PIECES,) * _SENTENCES))
            at += len(text) + 2
        digests = tuple(f"{number}/{place}".encode() for place in range(len(parts)))
        yield NewContent(f"hash{number}", document, tuple(parts), digests, tuple(stored))


def questions(size: int, count: int = _QUESTIONS) -> list[Question]:
    """Questions about passages of a library of this size."""
    made = []
    for number in range(count):
        rng = np.random.default_rng(_SEED - 1 - number)
        about = article(int(rng.integers(size // _PASSAGES)))
        row = int(rng.integers(_PASSAGES))
        is_long = number % 5 == 4
        stops, own, other = (_STOPS // 3, 8, 4) if is_long else (_STOPS, 4, 2)
        there = [rank for rank in dict.fromkeys(about.ranks[row].tolist()) if rank >= stops]
        anywhere = [rank for rank in ranks(rng, 400).tolist() if rank >= stops]
        words = [f"w{rank}" for rank in [*there[:own], *anywhere[:other]]]
        vector = unit(about.vectors[row] + 0.9 * synthetic(1, _SEED + 7 * number)[0])
        tokens = np.full((6, WIDTH), WIDTH**-0.5, np.float32)
        vectors = QuestionVectors(vector, tokens, tuple("abcdef"))
        made.append(Question(" ".join([*words, f"q{number}"]), vectors))
    return made


def fill(folder: Path, size: int) -> dict[str, float]:
    """Make a library of so many passages and its caches; seconds that each took."""
    with Library.open(folder, encoder=encoder()) as library:
        made = contents(size)

        def write() -> None:
            while batch := list(islice(made, 200)):
                with library._store.writing() as writer:
                    writer.set_encoder(library.encoder, CHUNKER)
                    for new in batch:
                        name = new.document.id
                        writer.place_document(name, writer.add_content(new), "/x", f"/x/{name}")

        took = {"fill_s": timed(write)}
    with Library.open(folder, encoder=encoder()) as library:
        began = time.process_time()
        took["index_s"] = timed(library._engine.refresh)
        took["index_cpu_s"] = time.process_time() - began
    return took


def opened(folder: Path, asked: Sequence[Question]) -> tuple[float, float]:
    """Seconds from nothing to the first answer's passages, and the megabytes it added."""
    import faiss  # noqa: F401  (its own time and memory are not the library's)

    before, started = memory_mb(), time.perf_counter()
    with Library.open(folder, encoder=encoder(asked)) as library:
        library.search(asked[0].text)
        took = time.perf_counter() - started
        for question in asked[1:]:
            library.search(question.text)
        return took, memory_mb() - before


def exhaustive(library: Library, asked: Sequence[Question], k: int = 10) -> list[list[int]]:
    """Passage ids of the ranking, were every vector and every passage with a word looked at."""
    near = _nearest(library, np.stack([question.vectors.vector for question in asked]), 50)
    found = []
    with library._store.reading() as reader:
        for question, ids in zip(asked, near, strict=True):
            matched = reader.matches(any_of(match_forms(question.text, reader.languages())), 50)
            candidates = reader.passages(sorted({*ids, *matched}))
            hits = ranking.rank(question.text, question.vectors, candidates, matched, k)
            found.append([hit.passage_id for hit in hits])
    return found


def _nearest(library: Library, asked: NDArray[np.float32], k: int) -> list[list[int]]:
    best: list[list[tuple[float, int]]] = [[] for _ in asked]
    with library._store.reading() as reader:
        assert isinstance(reader, SQLiteSnapshot)
        rows = reader._db.execute("SELECT id, vector FROM passages ORDER BY id")
        while part := rows.fetchmany(50_000):
            vectors = np.frombuffer(b"".join(row[1] for row in part), np.float32)
            cosines = vectors.reshape(len(part), -1) @ asked.T
            for number, each in enumerate(cosines.T):
                top = np.argsort(-each)[:k]
                pairs = [(-float(each[i]), part[i][0]) for i in top]
                best[number] = sorted([*best[number], *pairs])[:k]
    return [[id_ for _, id_ in pairs] for pairs in best]


Place = tuple[int, str]
"""A size, and what a library of it is kept in: `folder` or `server`."""


def compare(places: dict[Place, str], rounds: int) -> dict[Place, dict[str, float]]:
    """Milliseconds of a search by size, asked in turn, and how much of the best ten is found.

    A search is one thread's work, so there is what it computed beside what passed on the clock;
    what a server computes is not in that.
    """
    asked = {size: questions(size) for size, _ in places}
    libraries = {
        place: Library.open(address, encoder=encoder(asked[place[0]]))
        for place, address in places.items()
    }
    times = {place: np.zeros((rounds + 1, _QUESTIONS, 2)) for place in places}
    for each in range(rounds + 1):
        for number in range(_QUESTIONS):
            for place, library in libraries.items():
                began = np.array([time.perf_counter(), time.thread_time()])
                library.search(asked[place[0]][number].text)
                ended = np.array([time.perf_counter(), time.thread_time()])
                times[place][each, number] = 1000 * (ended - began)
    rows, truths = {}, {}
    for place, library in libraries.items():
        size, kept_in = place
        if kept_in == "folder":
            truths[size] = exhaustive(library, asked[size])
        # the first round warms up; of each question the median: another's work is no slow question
        clock, computed = np.median(times[place][1:], axis=0).T
        p50, p95 = np.percentile(clock, (50, 95))
        cpu50, cpu95 = np.percentile(computed, (50, 95))
        truth = truths[size]  # a copy has the same ids
        found = [[h.passage_id for h in library.search(q.text)] for q in asked[size]]
        right = sum(len({*a} & {*b}) for a, b in zip(truth, found, strict=True))
        recall = right / sum(map(len, truth))
        rows[place] = {"p50": p50, "p95": p95, "cpu50": cpu50, "cpu95": cpu95, "recall": recall}
    return rows


def main() -> None:
    """Make the libraries that are not there, ask, print."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--sizes", default="1000,10000,100000,1000000")
    parser.add_argument("--folder", type=Path, help="where the libraries are kept")
    parser.add_argument("--server", help="an address with SIZE in its schema's name")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--phase", choices=["fill", "open"], help=argparse.SUPPRESS)
    chosen = parser.parse_args()
    sizes = [int(size) for size in chosen.sizes.split(",")]
    if chosen.phase == "fill":
        print(json.dumps(fill(chosen.folder / str(sizes[0]), sizes[0])))  # noqa: T201
    elif chosen.phase == "open":
        print(json.dumps(opened(chosen.folder / str(sizes[0]), questions(sizes[0]))))  # noqa: T201
    elif chosen.folder:
        _table(chosen.folder, sizes, chosen.rounds, chosen.server)
    else:
        with tempfile.TemporaryDirectory() as folder:
            _table(Path(folder), sizes, chosen.rounds, chosen.server)


def _phase(name: str, folder: Path, size: int) -> Any:
    """What a process of its own says."""
    command = [sys.executable, "-m", "tests.benchmarks.bench_scale", "--phase", name]
    command += ["--sizes", str(size), "--folder", str(folder)]
    return json.loads(subprocess.run(command, check=True, stdout=subprocess.PIPE).stdout)


def _served(folder: Path, server: str, size: int) -> str:
    """The address of a library's copy on a server, made if it is not there."""
    address = server.replace("SIZE", f"scale_{size}")
    with suppress(LibraryMissing), Library.open(address, create=False) as library:
        if library.stats().passages == size:
            return address
    from tests.index.storage.server_copy import copy_library  # needs the extra

    copy_library(folder / str(size), address, encoder())
    with Library.open(address, encoder=encoder()) as library:
        library._engine.refresh()
    return address


def _table(folder: Path, sizes: Sequence[int], rounds: int, server: str | None) -> None:
    made = {}
    for size in sizes:
        note = folder / f"{size}.json"
        if not note.exists():
            note.write_text(json.dumps(_phase("fill", folder, size)))
        made[size] = json.loads(note.read_text())
    opening = {size: _phase("open", folder, size) for size in sizes}
    places: dict[Place, str] = {}
    for size in sizes:
        places[size, "folder"] = str(folder / str(size))
        if server:
            places[size, "server"] = _served(folder, server, size)
    rows = compare(places, rounds)
    base = 10_000 if 10_000 in sizes else sizes[0]
    kinds = ("p50", "p95", "cpu50", "cpu95")  # of a search, in milliseconds
    heads = [
        "passages",
        "kept in",
        *kinds,
        *(f"{kind}/10k" for kind in kinds),
        "recall@10",
        "open_s",
    ]
    heads += "ram_mb fill_s index_s index_cpu_s disk_mb caches_mb".split()
    print("|", " | ".join(heads), "|\n|", " | ".join("---" for _ in heads), "|")  # noqa: T201
    for (size, kept_in), row in rows.items():
        first = rows[base, kept_in]
        if kept_in == "server":
            cells = [*(row[kind] for kind in kinds), *(row[kind] / first[kind] for kind in kinds)]
            _show(size, kept_in, [*cells, row["recall"]])
            continue
        files = [(path.name, path.stat().st_size / 1e6) for path in (folder / str(size)).iterdir()]
        caches = sum(mb for name, mb in files if name.endswith(".cache"))
        cells = [*(row[kind] for kind in kinds), *(row[kind] / first[kind] for kind in kinds)]
        cells += [row["recall"], *opening[size]]
        cells += [made[size][name] for name in ("fill_s", "index_s", "index_cpu_s")]
        cells += [sum(mb for _, mb in files), caches]
        _show(size, kept_in, cells)


def _show(size: int, kept_in: str, cells: Sequence[float]) -> None:
    """Print a row."""
    shown = [str(size), kept_in, *(f"{cell:.3g}" for cell in cells)]
    print("|", " | ".join(shown), "|", flush=True)  # noqa: T201


if __name__ == "__main__":
    main()
