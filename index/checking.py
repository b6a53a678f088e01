"""Does everything stored fit together? Reads only."""

from __future__ import annotations

import random
from collections.abc import Iterator
from pathlib import Path

import numpy as np

from index import vectors
from index.encoder import EncoderIdentity
from index.store import Reader, Store
from index.types import CheckLine, CheckReport

_SAMPLE = 50


def check_library(store: Store, cache: Path) -> CheckReport:
    """Every check there is, each as one line."""
    with store.reading() as reader:
        lines = [
            _line("database", reader.integrity()),
            _line("text index", reader.words_integrity()),
        ]
        identity = reader.encoder
        if identity is None:
            lines.append(CheckLine("contents", True, "empty library"))
        else:
            lines.append(_line("offsets", next(_bad_offsets(reader), "")))
            lines.append(_line("vectors", next(_bad_vectors(reader, identity), "")))
            lines.append(_line("vector cache", _bad_cache(reader, identity, cache)))
    return CheckReport(tuple(lines))


def _line(name: str, fault: str) -> CheckLine:
    return CheckLine(name, not fault, fault or "ok")


def _bad_offsets(reader: Reader) -> Iterator[str]:
    """Passages and sentences that do not lie where they should."""
    for record in reader.records():
        document = reader.document(record.id)
        size = len(document.text) if document else 0
        at = 0
        for passage in reader.passages_of(record.id):
            inside = at <= passage.start < passage.end <= size
            ordered = [passage.start, *(x for s in passage.sentences for x in (s.start, s.end))]
            if not inside or ordered != sorted(ordered) or ordered[-1] > passage.end:
                yield f"{record.id}: passage {passage.id} does not lie in its text"
            at = passage.start


def _bad_vectors(reader: Reader, identity: EncoderIdentity) -> Iterator[str]:
    """Vectors of the wrong size or length; sentence vectors that do not match the sentences."""
    for id_, size, sentences, sentence_bytes in reader.vector_sizes():
        if size != 4 * identity.dimension or sentence_bytes != 2 * identity.dimension * sentences:
            yield f"passage {id_}: vectors do not match its sentences"
            return
    _, stored = reader.vectors_after(-1, identity.dimension)
    lengths = np.linalg.norm(stored, axis=1)
    off = np.flatnonzero(~(np.abs(lengths - 1) < 1e-3))
    if len(off):
        yield f"{len(off)} vectors are not of length 1"


def _bad_cache(reader: Reader, identity: EncoderIdentity, cache: Path) -> str:
    """What is wrong with the vector cache; a missing one is not wrong, it is made on demand."""
    if not cache.exists():
        return ""
    try:
        index = vectors.load(cache, reader.library, identity.dimension)
    except vectors.CacheUnusable as error:
        return f"{error}; repair with: pilcrow check --repair"
    if index.change > reader.change:
        return "newer than the library; repair with: pilcrow check --repair"
    ids, stored = reader.vectors_after(-1, identity.dimension)
    known = np.flatnonzero(np.isin(ids, index.base_ids))
    sample = random.Random(0).sample(list(known), min(_SAMPLE, len(known)))
    for at in sample:
        _, scores = index.search(stored[at], 1)
        if not len(scores) or scores[0] < 0.999:
            return f"passage {ids[at]} does not find itself; repair with: pilcrow check --repair"
    return ""
