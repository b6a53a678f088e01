"""A library in a folder beside one on a server: what a search, an article and a passage cost.

    python -m tests.benchmarks.bench_stores [--sizes 1000,10000,100000] [--folder DIR]
    python -m tests.benchmarks.bench_stores --import-copies 20

The same synthetic articles as `bench_library --small` has, in SQLite with FAISS and in PostgreSQL
with pgvector, one after the other in one run; questions and articles alternate. The server is the
one of the tests, with its writes synced as a real one's are. With `--import-copies` the seed
articles, so many times over with other words in each paragraph, are imported on Ray instead, by one
worker and by two, and added in this process.
"""

from __future__ import annotations

import argparse
import os
import tempfile
import time
from collections.abc import Mapping, Sequence
from contextlib import suppress
from functools import partial
from pathlib import Path

import numpy as np

from index import Library
from index.embedding.encoder import SentenceTransformerEncoder
from index.ingest.parcels import Workers
from index.search.search import Neighbours
from index.types import Progress
from seeds import articles
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
from tests.index.storage.postgres_server import Server, running

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


# --- imports ----------------------------------------------------------------------------------

SHAPES = ((0, 1), (1, 1), (2, 1), (1, 2))
"""Workers, none being this process itself, and threads of each."""
IMPORT_COLUMNS = (
    "workers", "threads", "passages", "first_s",  # until the first parcel is done: starting
    "all_s", "passages_a_second",  # between the first parcel and the last
    "cpu_s", "server_cpu_s",  # of all processes of the import then, and of the server's in all
    "passages_a_cpu_second",
)  # fmt: skip


def copies(folder: Path, count: int) -> Path:
    """The seed articles so many times over, no paragraph twice."""
    for number in range(count):
        (folder / str(number)).mkdir(parents=True)
        for article in sorted(articles().glob("*.*")):
            parts = article.read_text(encoding="utf-8").split("\n\n")
            text = "\n\n".join(f"{part} Copy {number}." if part.strip() else part for part in parts)
            (folder / str(number) / article.name).write_text(text, encoding="utf-8")
    return folder


def measure_import(place: str, shelf: Path, count: int, threads: int) -> dict[str, object]:
    """What an import of a shelf costs."""
    steps: list[tuple[int, float, float]] = []
    begun, server_before = time.perf_counter(), cpu_of(named("postgres"))

    def note(step: Progress) -> None:
        if step.stage in ("importing", "reading"):
            now = time.perf_counter() - begun
            if not steps or step.done >= 16:
                steps.append((step.done, now, cpu_of(family(os.getpid()))))

    workers = Workers(count=count, threads=threads) if count else None
    with Library.open(place, encoder=SentenceTransformerEncoder(threads=threads)) as library:
        library.update([shelf], workers=workers, progress=note)
        passages, all_s = library.stats().passages, time.perf_counter() - begun
    done = [step for step in steps if step[0]]
    share = 1 - done[0][0] / done[-1][0]
    most = max(done, key=lambda step: step[2])  # workers that have ended count no more
    cpu_share, cpu_s = (most[0] - done[0][0]) / done[-1][0], most[2] - done[0][2]
    return {
        "workers": count, "threads": threads, "passages": passages, "first_s": done[0][1],
        "all_s": all_s,
        "passages_a_second": passages * share / max(done[-1][1] - done[0][1], 1e-9),
        "cpu_s": cpu_s, "server_cpu_s": cpu_of(named("postgres")) - server_before,
        "passages_a_cpu_second": passages * cpu_share / cpu_s,
    }  # fmt: skip


def named(name: str) -> set[int]:
    """The processes of a program."""
    found = set()
    for process in Path("/proc").iterdir():
        with suppress(OSError):
            if process.name.isdigit() and (process / "comm").read_text().strip() == name:
                found.add(int(process.name))
    return found


def family(process: int) -> set[int]:
    """A process with all that it has started."""
    parents = {}
    for path in Path("/proc").iterdir():
        with suppress(OSError):
            if path.name.isdigit():
                told = (path / "stat").read_text().rpartition(")")[2].split()
                parents[int(path.name)] = int(told[1])
    found = {process}
    while more := {pid for pid, parent in parents.items() if parent in found} - found:
        found |= more
    return found


def cpu_of(processes: set[int]) -> float:
    """Seconds of processor time that processes, and their children that are gone, have had."""
    ticks = 0
    for process in processes:
        with suppress(OSError):
            told = Path(f"/proc/{process}/stat").read_text().rpartition(")")[2].split()
            ticks += sum(map(int, told[11:15]))
    return ticks / os.sysconf("SC_CLK_TCK")


def imports(server: Server, folder: Path, count: int) -> None:
    """Print a row for each number of workers and threads."""
    shelf = copies(folder / "articles", count)
    show(IMPORT_COLUMNS)
    for workers, threads in SHAPES:
        show_row(measure_import(server.address(), shelf, workers, threads))


def show(columns: Sequence[str]) -> None:
    """Print the head of a table."""
    print("|", " | ".join(columns), "|\n|", " | ".join("---" for _ in columns), "|")  # noqa: T201


def show_row(row: Mapping[str, object]) -> None:
    """Print a row."""
    shown = [f"{v:.3g}" if isinstance(v, float) else str(v) for v in row.values()]
    print("|", " | ".join(shown), "|", flush=True)  # noqa: T201


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--sizes", default="1000,10000,100000")
    parser.add_argument("--folder", type=Path, help="where there is room: 20 kB a passage")
    parser.add_argument("--import-copies", type=int, help="of the seed articles, on Ray")
    chosen = parser.parse_args()
    with (
        tempfile.TemporaryDirectory(dir=chosen.folder) as folder,
        running(config=CONFIG) as server,
    ):
        os.environ["XDG_DATA_HOME"] = folder
        if chosen.import_copies:
            imports(server, Path(folder), chosen.import_copies)
            return
        show(COLUMNS)
        for size in map(int, chosen.sizes.split(",")):
            for place in (str(Path(folder) / f"library-{size}"), server.address()):
                beside = Path(folder) / f"beside-{size}-{place.startswith('postgres')}"
                beside.mkdir()
                show_row(measure(place, size, beside))


if __name__ == "__main__":
    main()
