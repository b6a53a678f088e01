"""A library in a folder beside one on a server: what a search, an article and a passage cost.

    python -m tests.benchmarks.bench_stores [--sizes 1000,10000,100000] [--folder DIR]

The same synthetic articles as `bench_library --small` has, in SQLite with FAISS and in PostgreSQL
with pgvector, one after the other in one run; questions and articles alternate. The server is the
one of the tests, with its writes synced as a real one's are.
"""

from __future__ import annotations

import argparse
import os
import tempfile
from contextlib import suppress
from functools import partial
from pathlib import Path

import numpy as np

from index import Library
from index.embedding.encoder import SentenceTransformerEncoder
from index.search.search import Neighbours
from tests.benchmarks.bench_library import (
    _QUERIES,
    _SEED,
    Asked,
    add_articles,
    fill,
    memory_mb,
    synthetic,
    timed,
)
from tests.index.storage.postgres_server import running

COLUMNS = (
    "passages", "store", "kind",
    "passages_a_second",  # written, with vectors and words; nothing embedded
    "index_s",  # what the writer does afterwards: graph, cache, the server's own statistics
    "disk_mb", "open_s", "memory_mb",  # of the process, what an open library adds
    "server_mb",  # of all the server's processes, what is theirs alone and what they share once
    "search_p50_ms", "search_p95_ms", "vectors_p50_ms", "words_p50_ms",
    "recall",  # of the nearest 10, against comparing every vector
    "embed_s", "add_s", "add / embed",  # one article
)  # fmt: skip
CONFIG = """
fsync = on
shared_buffers = 512MB
effective_cache_size = 4GB
max_wal_size = 2GB
random_page_cost = 1.1
"""


def measure(place: str, size: int, beside: Path) -> dict[str, object]:
    """What a library of so many passages costs, made at a place."""
    encoder = Asked(SentenceTransformerEncoder())
    fill_s = timed(lambda: fill(place, size, encoder, small=True))
    with Library.open(place, encoder=encoder) as library:
        index_s = timed(library._engine.refresh)
    before = memory_mb()
    opened: list[Library] = []

    def begin() -> None:
        opened.append(Library.open(place, encoder=encoder))
        opened[0].search("w7 w99 w1234 number 0")

    open_s = timed(begin)
    ram_mb, (library,) = memory_mb() - before, opened
    rng = np.random.default_rng(1)
    questions = [
        " ".join(f"w{word}" for word in rng.integers(200, 5_000, 5)) + f" number {i}"
        for i in range(_QUERIES)
    ]
    for question in questions[:10]:
        library.search(question)
    searches = [1000 * timed(partial(library.search, question)) for question in questions]
    with library._store.reading() as reader:
        index = library._engine.vectors.at(reader)
        asked = synthetic(_QUERIES, _SEED - 1)
        vectors = [1000 * timed(partial(index.search, vector, 50)) for vector in asked]
        forms = [tuple(dict.fromkeys(question.split())) for question in questions]
        ask = library._engine.words.matches
        words = [1000 * timed(partial(ask, reader, form, 50)) for form in forms]
        every = reader.passage_ids({location.content for location in reader.locations()})
        recall = np.mean([_recall(index, vector, every) for vector in asked[:20]])
    embed_s, add_s = add_articles(library, encoder, beside)
    stats = library.stats()
    library.close()
    return {
        "passages": size, "store": "postgres" if "://" in place else "sqlite",
        "kind": stats.vectors, "passages_a_second": size / fill_s, "index_s": index_s,
        "disk_mb": stats.bytes / 1e6, "open_s": open_s, "memory_mb": ram_mb,
        "server_mb": server_mb() if "://" in place else 0.0,
        "search_p50_ms": np.percentile(searches, 50), "search_p95_ms": np.percentile(searches, 95),
        "vectors_p50_ms": np.percentile(vectors, 50), "words_p50_ms": np.percentile(words, 50),
        "recall": recall, "embed_s": embed_s, "add_s": add_s, "add / embed": add_s / embed_s,
    }  # fmt: skip


def _recall(index: Neighbours, vector: np.ndarray, every: np.ndarray) -> float:
    exact = {*index.search(vector, 10, every)[0].tolist()}
    return len(exact & {*index.search(vector, 10)[0].tolist()}) / len(exact)


def server_mb() -> float:
    """Memory of all PostgreSQL processes here, what they share counted once (proportional)."""
    total = 0
    for process in Path("/proc").iterdir():
        with suppress(OSError):
            if process.name.isdigit() and (process / "comm").read_text().strip() == "postgres":
                rollup = (process / "smaps_rollup").read_text().split("\n")
                total += sum(int(line.split()[1]) for line in rollup if line.startswith("Pss:"))
    return total / 1000


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--sizes", default="1000,10000,100000")
    parser.add_argument("--folder", type=Path, help="where there is room: 20 kB a passage")
    chosen = parser.parse_args()
    print("|", " | ".join(COLUMNS), "|\n|", " | ".join("---" for _ in COLUMNS), "|")  # noqa: T201
    with (
        tempfile.TemporaryDirectory(dir=chosen.folder) as folder,
        running(config=CONFIG) as server,
    ):
        os.environ["XDG_DATA_HOME"] = folder
        for size in map(int, chosen.sizes.split(",")):
            for place in (str(Path(folder) / f"library-{size}"), server.address()):
                beside = Path(folder) / f"beside-{size}-{place.startswith('postgres')}"
                beside.mkdir()
                row = measure(place, size, beside)
                shown = [f"{v:.3g}" if isinstance(v, float) else str(v) for v in row.values()]
                print("|", " | ".join(shown), "|", flush=True)  # noqa: T201


if __name__ == "__main__":
    main()
