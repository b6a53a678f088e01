"""How a library behaves at 10 thousand, 100 thousand and a million passages.

    python -m tests.benchmarks.bench_library [--sizes 10000,100000,1000000] [--folder DIR] [--small]
    python -m tests.benchmarks.bench_library --files

Articles are synthetic: words by Zipf's law, and vectors whose spectrum is that of all-MiniLM-L6-v2
on 1,385 SQuAD paragraphs. They have no clusters, so nearest neighbours are harder to find than in
real text. What is added in the end is a real article, with the real encoder. Each size runs in a
process of its own; the table comes out as Markdown.
"""

from __future__ import annotations

import argparse
import json
import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from functools import partial
from pathlib import Path
from statistics import median

import numpy as np
from numpy.typing import NDArray

from index import Library
from index.embedding.encoder import (
    Encoder,
    PassageVectors,
    QuestionVectors,
    SentenceTransformerEncoder,
)
from index.embedding.projection import WIDTH
from index.languages.splitting import CHUNKER
from index.search.vector_cache import VectorCache
from index.storage.records import NewContent
from index.storage.sqlite.snapshot import SQLiteSnapshot
from index.types import EVERYWHERE, Document, Passage, SearchScope, Sentence

_SEED = 20261122
_DIMENSION = 384
_PASSAGES, _SENTENCES, _WORDS = 20, 3, 12
_QUERIES = 100
_ADDED = 5


COLUMNS = (
    "passages",
    "kind",
    "fill_s",  # writing texts and vectors
    "index_s",  # building the vector index, which the writer does
    "disk_mb",
    "cache_mb",
    "open_s",  # from nothing to the first answer's passages, the encoder apart
    "ram_mb",  # what the open library adds to the process
    "vectors_p50_ms",  # nearest 10 of all vectors
    "recall",  # of those 10, against an exact search
    "search_p50_ms",  # all of a search: vectors, words, joint ranking
    "tagged_p50_ms",  # the same among the half of the documents that has a tag
    "rare_p50_ms",  # the same in the hundredth part that has another
    "collected_p50_ms",  # the same in a collection with half of the documents
    "combined_p50_ms",  # the same in its part that has the tag, a type and a date
    "first_collected_ms",  # the first search there after a change: who is in it is found out
    "embed_s",  # one article
    "add_s",  # the same, into the library
    "add / embed",
)


def synthetic(count: int, seed: int) -> NDArray[np.float32]:
    """Unit vectors, shape (count, 384), with the spectrum of real ones."""
    rng = np.random.default_rng(seed)
    at = np.arange(1, _DIMENSION + 1)
    scale = np.sqrt(np.exp(-((at / 200) ** 2)) / (1 + at / 7)).astype(np.float32)
    made = rng.standard_normal((count, _DIMENSION), dtype=np.float32) * scale
    made /= np.linalg.norm(made, axis=1, keepdims=True)
    return made


def article(number: int, rng: np.random.Generator) -> Document:
    """A text of as many paragraphs as it will have passages."""
    numbers = rng.zipf(1.3, (_PASSAGES, _SENTENCES, _WORDS)) % 50_000
    paragraphs = [
        " ".join("W" + " ".join(f"w{word}" for word in sentence) + "." for sentence in paragraph)
        for paragraph in numbers.tolist()
    ]
    tags = tuple(tag for tag, every in (("half", 2), ("rare", 100)) if number % every == 0)
    text, date = "\n\n".join(paragraphs), f"{2000 + number % 25}"
    return Document(f"{number:06}.txt", f"Article {number}", text, date=date, tags=tags)


def contents(size: int, small: bool) -> Iterator[NewContent]:
    rng = np.random.default_rng(_SEED)
    pieces = 8 if small else 100
    for number in range(size // _PASSAGES):
        made = synthetic(_PASSAGES, _SEED + number)
        document = article(number, rng)
        parts, digests, stored = [], [], []
        at = 0
        for place, text in enumerate(document.text.split("\n\n")):
            sentences, start = [], at
            for one in text.split(". "):
                end = min(start + len(one) + 1, at + len(text))
                sentences.append(Sentence(start, end, document.text[start:end]))
                start = end + 1
            parts.append(Passage(place + 1, at, at + len(text), text, tuple(sentences)))
            digests.append(f"{number}/{place}".encode())
            counts = [pieces // len(sentences)] * len(sentences)
            tokens = np.full((sum(counts), WIDTH), 9, np.int8)
            each = np.repeat(made[place : place + 1], len(sentences), axis=0)
            stored.append(PassageVectors(made[place], each, tokens, tuple(counts)))
            at += len(text) + 2
        yield NewContent(f"hash{number}", document, tuple(parts), tuple(digests), tuple(stored))


def fill(folder: Path | str, size: int, encoder: Encoder, small: bool) -> None:
    """A library of so many passages, without reading files or embedding."""
    with Library.open(folder) as library:
        batch: list[NewContent] = []
        for number, content in enumerate(contents(size, small), start=1):
            batch.append(content)
            if number % 200 and number * _PASSAGES < size:
                continue
            with library._store.writing() as writer:
                writer.set_encoder(encoder, CHUNKER)
                writer.set_collection("/x/1", "half")
                for one in batch:
                    name = one.document.id
                    path = f"/x/{int(name[:6]) // 2 % 2}/{name}"
                    writer.place_document(name, writer.add_content(one), "/x", path)
            batch = []


class Asked:
    """The real encoder, but for questions, whose vectors are synthetic ones."""

    def __init__(self, real: SentenceTransformerEncoder) -> None:
        self.identity, self.count, self.encode = real.identity, real.count, real.encode
        self.pieces, self.is_word, self.is_english = real.pieces, real.is_word, real.is_english
        self.folder = real.folder
        self._asked = synthetic(_QUERIES, _SEED - 1)

    def encode_query(self, text: str) -> QuestionVectors:
        vector = self._asked[int(text.split()[-1]) % _QUERIES]
        tokens = np.full((6, WIDTH), WIDTH**-0.5, np.float32)
        return QuestionVectors(vector, tokens, tuple("abcdef"))


def timed(act: Callable[[], object]) -> float:
    start = time.perf_counter()
    act()
    return time.perf_counter() - start


def memory_mb() -> float:
    pages = int(Path("/proc/self/statm").read_text().split()[1])
    return pages * resource.getpagesize() / 1e6


def prepare(folder: Path, size: int, small: bool) -> dict[str, float]:
    """The library, and how long it took."""
    encoder = SentenceTransformerEncoder()
    fill_s = timed(lambda: fill(folder, size, encoder, small))
    (folder / "vectors.cache").unlink(missing_ok=True)
    with Library.open(folder, encoder=encoder) as library:
        return {"fill_s": fill_s, "index_s": timed(library._engine.refresh)}


def measure(folder: Path, size: int) -> dict[str, object]:
    """What a reader meets, in a process that has done nothing before."""
    encoder = Asked(SentenceTransformerEncoder())
    cache_mb = (folder / "vectors.cache").stat().st_size / 1e6
    import faiss  # noqa: F401  (its own time and memory are not the library's)

    before, started = memory_mb(), time.perf_counter()
    library = Library.open(folder, encoder=encoder)
    library.search("w7 w99 w1234 number 0")
    open_s, ram_mb = time.perf_counter() - started, memory_mb() - before
    rng = np.random.default_rng(1)
    # a question names a few words, seldom the most frequent ones
    questions = [
        " ".join(f"w{word}" for word in rng.integers(200, 5_000, 5)) + f" number {i}"
        for i in range(_QUERIES)
    ]
    combined = SearchScope(tags=["half"], kinds=["txt"], dates=("2000", "2020"))
    scopes = (
        EVERYWHERE, SearchScope(tags=["half"]), SearchScope(tags=["rare"]),
        SearchScope(collections=["half"]), replace(combined, collections=["half"]),
    )  # fmt: skip
    # in turn, question by question, so that a busy machine slows all of them
    searches, tagged, rare, collected, both = zip(
        *(
            [timed(partial(library.search, question, scope=scope)) for scope in scopes]
            for question in questions
        ),
        strict=True,
    )
    cache = library._engine.vectors
    assert isinstance(cache, VectorCache) and cache._index is not None
    index = cache._index
    asked = synthetic(_QUERIES, _SEED - 1)
    near = [timed(partial(index.search, vector, 10)) for vector in asked]
    with library._store.reading() as reader:
        assert isinstance(reader, SQLiteSnapshot)
        ids, stored = reader.vectors_after(-1, _DIMENSION)
    right = sum(
        len({*ids[np.argsort(stored @ vector)[-10:]]} & {*index.search(vector, 10)[0]})
        for vector in asked
    )
    del ids, stored
    embed_s, add_s = add_articles(library, encoder, folder.parent)
    stats = library.stats()
    return {
        "passages": size,
        "kind": stats.vectors,
        "disk_mb": stats.bytes / 1e6,
        "cache_mb": cache_mb,
        "open_s": open_s,
        "ram_mb": ram_mb,
        "vectors_p50_ms": 1000 * median(near),
        "recall": right / (10 * _QUERIES),
        "search_p50_ms": 1000 * median(searches),
        "tagged_p50_ms": 1000 * median(tagged),
        "rare_p50_ms": 1000 * median(rare),
        "collected_p50_ms": 1000 * median(collected),
        "combined_p50_ms": 1000 * median(both),
        "first_collected_ms": 1000 * collected[0],
        "embed_s": embed_s,
        "add_s": add_s,
    }


def add_articles(library: Library, encoder: Asked, beside: Path) -> tuple[float, float]:
    """Seconds to embed an article's passages, and seconds to add the article; medians."""
    text = next(
        (Path(__file__).resolve().parents[2] / "seeds" / "articles").glob("*.txt")
    ).read_text()
    embed, add = [], []
    for number in range(_ADDED + 1):
        path = beside / f"new{number}.txt"
        path.write_text(text.replace(" the ", f" the {number}th "))
        add.append(timed(lambda: library.update([path])))  # noqa: B023
        twin = beside / f"twin{number}.txt"
        twin.write_text(text.replace(" the ", f" the {number}st "))
        embed.append(timed(lambda: embedded(encoder, twin)))  # noqa: B023
    return median(embed[1:]), median(add[1:])  # the first of each warms up


def embedded(encoder: Asked, path: Path) -> None:
    """Reading, splitting and embedding an article, without a library."""
    from index.formats.registry import parse, read_bytes
    from index.ingest.embed import embeddable
    from index.languages.splitting import passages

    document = parse(path.name, read_bytes(path), path.suffix)
    room = encoder.identity.max_pieces - 2 - encoder.count(document.title)
    parts = passages(document, encoder.count, room)
    encoder.encode([embeddable(document.title, part) for part in parts])


def many_files(folder: Path, count: int = 10_000) -> str:
    """The first and the second time that ten thousand tiny files are read."""
    articles = folder / "articles"
    articles.mkdir()
    for number in range(count):
        (articles / f"{number:05}.txt").write_text(f"Note {number} is about subject{number}.\n")
    with Library.open(folder / "library") as library:
        first = timed(lambda: library.update([articles]))
        started = time.perf_counter()
        report = library.rebuild()
        second = time.perf_counter() - started
    return (
        f"{count} tiny files: first {first:.0f} s, again {second:.1f} s with {report.embedded} "
        f"embedded and {len(report.unchanged)} unchanged"
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--sizes", default="10000,100000,1000000")
    parser.add_argument("--folder", type=Path, help="where there is room: 15 kB a passage")
    parser.add_argument("--small", action="store_true", help="few word pieces: 5 kB a passage")
    parser.add_argument("--files", action="store_true", help="ten thousand tiny files instead")
    parser.add_argument("--phase", choices=["prepare", "measure"], help=argparse.SUPPRESS)
    chosen = parser.parse_args()
    if chosen.phase:
        library, size = chosen.folder / "library", int(chosen.sizes)
        prepared = chosen.phase == "prepare"
        found = prepare(library, size, chosen.small) if prepared else measure(library, size)
        print(json.dumps(found))  # noqa: T201
        return
    if chosen.files:
        with tempfile.TemporaryDirectory(dir=chosen.folder) as folder:
            print(many_files(Path(folder)))  # noqa: T201
        return
    print("|", " | ".join(COLUMNS), "|\n|", " | ".join("---" for _ in COLUMNS), "|")  # noqa: T201
    for size in chosen.sizes.split(","):
        with tempfile.TemporaryDirectory(dir=chosen.folder) as folder:
            row: dict[str, float | str] = {}
            for phase in ("prepare", "measure"):
                command = [sys.executable, "-m", "tests.benchmarks.bench_library", "--phase", phase]
                command += ["--sizes", size, "--folder", folder]
                command += ["--small"] if chosen.small else []
                told = subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True)
                row |= json.loads(told.stdout)
        shown = [
            f"{row[one]:.3g}" if isinstance(row[one], float) else str(row[one])
            for one in COLUMNS[:-1]
        ]
        times = float(row["add_s"]) / float(row["embed_s"])
        print("|", " | ".join([*shown, f"{times:.2f}"]), "|", flush=True)  # noqa: T201


if __name__ == "__main__":
    main()
