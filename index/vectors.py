"""Nearest neighbours. The only room that knows FAISS.

`VectorIndex` is an immutable snapshot: a FAISS index that covers the library up to some change,
plus the few vectors added and the few removed since. A new change makes a new snapshot that shares
the old FAISS index, so readers never wait and never see half a change.

Its file is a cache of what SQLite holds. FAISS itself loads 32 of 75 random corruptions without a
word, so the file carries a SHA-256 over everything in it; what does not check out is not loaded.
"""

from __future__ import annotations

import hashlib
import json
import os
import struct
from collections.abc import Iterable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from index.encoder import Vector

Ids = NDArray[np.int64]

FLAT_UP_TO = 100_000
"""Vectors up to which exact search is used: at 100 k x 384 it costs about 10 ms on two cores."""
_MAGIC = b"PILCROWV1\n"
# HNSW: 32 links and a beam of 200/128 keep recall@10 above .98 on 1 M x 384 (see benchmarks).
_LINKS, _BUILD_BEAM, _SEARCH_BEAM = 32, 200, 128
# When this share of the index has changed since it was built, building anew is cheaper than
# dragging the changes along in every search.
_COMPACT_SHARE, _COMPACT_AT_LEAST = 0.1, 2_000


class CacheUnusable(Exception):
    """The cache file is missing, damaged or not about this library. Never shown to a person."""


@dataclass(frozen=True, slots=True, eq=False)
class VectorIndex:
    """The library's passage vectors at one change number, searchable."""

    change: int
    dimension: int
    base: Any
    """A FAISS index whose position i holds the vector of passage `base_ids[i]`."""
    base_ids: Ids
    """Ascending, since passage ids only ever grow."""
    gone: Ids
    """Positions in `base` that are no longer in the library."""
    extra_ids: Ids
    extra: Vector
    """Vectors added since `base` was built, shape (n, d)."""

    @property
    def kind(self) -> str:
        """`flat` (exact) or `hnsw` (approximate)."""
        return "hnsw" if "HNSW" in type(self.base).__name__ else "flat"

    def __len__(self) -> int:
        return len(self.base_ids) - len(self.gone) + len(self.extra_ids)

    def search(self, query: Vector, k: int, allowed: Ids | None = None) -> tuple[Ids, Vector]:
        """The `k` passages nearest to a unit vector, best first.

        Args:
            query: shape (d,), unit length.
            k: how many at most.
            allowed: passage ids to choose from, ascending; all when None.

        Returns:
            Ids, shape (<= k,), and their cosines, shape (<= k,), float32.
        """
        ids, scores = self._search_base(query, k, allowed)
        extra_ids, extra = self.extra_ids, self.extra
        if allowed is not None:
            keep = np.isin(extra_ids, allowed, assume_unique=True)
            extra_ids, extra = extra_ids[keep], extra[keep]
        ids = np.concatenate([ids, extra_ids])
        scores = np.concatenate([scores, extra @ query])
        best = np.lexsort((ids, -scores))[:k]  # ties by id, so that equal scores have one order
        return ids[best], scores[best]

    def after(self, change: int, removed: Ids, ids: Ids, vectors: Vector) -> VectorIndex:
        """The snapshot at a later change: without `removed`, with `ids` and their vectors."""
        positions = np.searchsorted(self.base_ids, removed)
        known = positions < len(self.base_ids)
        known[known] = self.base_ids[positions[known]] == removed[known]
        kept = ~np.isin(self.extra_ids, removed)
        return replace(
            self,
            change=change,
            gone=np.union1d(self.gone, positions[known]),
            extra_ids=np.concatenate([self.extra_ids[kept], ids]),
            extra=np.concatenate([self.extra[kept], vectors.reshape(-1, self.dimension)]),
        )

    @property
    def scattered(self) -> bool:
        """Whether so much has changed since `base` was built that it should be built anew."""
        changed = len(self.gone) + len(self.extra_ids)
        return changed > max(_COMPACT_AT_LEAST, _COMPACT_SHARE * len(self.base_ids))

    def _search_base(self, query: Vector, k: int, allowed: Ids | None) -> tuple[Ids, Vector]:
        import faiss

        k = min(k, len(self.base_ids))
        if k == 0:
            return np.zeros(0, np.int64), np.zeros(0, np.float32)
        parameters = None
        if allowed is not None or len(self.gone):
            wanted = np.ones(len(self.base_ids), bool)
            if allowed is not None:
                wanted = np.isin(self.base_ids, allowed, assume_unique=True)
            wanted[self.gone] = False
            bitmap = np.packbits(wanted, bitorder="little")
            selector = faiss.IDSelectorBitmap(bitmap)
            parameters = (
                faiss.SearchParametersHNSW(sel=selector, efSearch=max(_SEARCH_BEAM, 2 * k))
                if self.kind == "hnsw"
                else faiss.SearchParameters(sel=selector)
            )
        elif self.kind == "hnsw":
            parameters = faiss.SearchParametersHNSW(efSearch=max(_SEARCH_BEAM, 2 * k))
        scores, positions = self.base.search(query.reshape(1, -1), k, params=parameters)
        found = positions[0] >= 0  # FAISS pads with -1
        return self.base_ids[positions[0][found]], scores[0][found]


def build(
    change: int, ids: Ids, vectors: Vector, dimension: int, *, flat_up_to: int = FLAT_UP_TO
) -> VectorIndex:
    """A fresh snapshot over all vectors: exact up to `flat_up_to` of them, HNSW above.

    Args:
        change: the library's change number the vectors belong to.
        ids: passage ids, shape (n,), ascending.
        vectors: shape (n, d), float32, unit length.
        dimension: d, needed when n is 0.
        flat_up_to: where exact search ends.
    """
    import faiss

    if len(ids) > flat_up_to:
        base = faiss.IndexHNSWFlat(dimension, _LINKS, faiss.METRIC_INNER_PRODUCT)
        base.hnsw.efConstruction = _BUILD_BEAM
    else:
        base = faiss.IndexFlatIP(dimension)
    if len(ids):
        base.add(np.ascontiguousarray(vectors, np.float32))
    empty = np.zeros(0, np.int64)
    return VectorIndex(
        change, dimension, base, ids, empty, empty, np.zeros((0, dimension), np.float32)
    )


def save(index: VectorIndex, path: Path, library: str) -> None:
    """Write a freshly built snapshot: new file beside the old one, synced, renamed over it.

    Args:
        index: a snapshot without changes of its own (`build` makes such).
        path: where to.
        library: the library's own id, so that another library's file is never taken for ours.
    """
    import faiss

    assert not len(index.gone) and not len(index.extra_ids), "only what was built is saved"
    body = faiss.serialize_index(index.base)
    ids = np.ascontiguousarray(index.base_ids, "<i8")
    digest = hashlib.sha256(ids.tobytes())
    digest.update(body)
    header = json.dumps(
        {
            "library": library,
            "change": index.change,
            "count": len(ids),
            "dimension": index.dimension,
            "sha256": digest.hexdigest(),
        }
    ).encode()
    beside = path.with_name(path.name + ".new")
    with beside.open("wb") as file:
        file.write(_MAGIC + struct.pack("<I", len(header)) + header)
        file.write(ids.tobytes())
        file.write(body)
        file.flush()
        os.fsync(file.fileno())
    beside.replace(path)
    _sync_folder(path.parent)


def load(path: Path, library: str, dimension: int) -> VectorIndex:
    """Read a snapshot back.

    Raises:
        CacheUnusable: when the file is missing, cut, altered, or another library's.
    """
    import faiss

    try:
        data = path.read_bytes()
        at = len(_MAGIC) + 4
        if data[: len(_MAGIC)] != _MAGIC:
            raise CacheUnusable("not a vector cache")
        (size,) = struct.unpack("<I", data[len(_MAGIC) : at])
        header = json.loads(data[at : at + size])
        body = memoryview(data)[at + size :]
        if hashlib.sha256(body).hexdigest() != header["sha256"]:
            raise CacheUnusable("checksum differs")
        if header["library"] != library or header["dimension"] != dimension:
            raise CacheUnusable("made for another library")
        count = int(header["count"])
        ids = np.frombuffer(body[: 8 * count], "<i8").astype(np.int64)
        base = faiss.deserialize_index(np.frombuffer(body[8 * count :], np.uint8))
        change = int(header["change"])
    except (OSError, ValueError, KeyError, TypeError, struct.error, RuntimeError) as error:
        raise CacheUnusable(str(error)) from error
    if base.ntotal != len(ids) or base.d != dimension:
        raise CacheUnusable("count differs")
    empty = np.zeros(0, np.int64)
    return VectorIndex(
        change, dimension, base, ids, empty, empty, np.zeros((0, dimension), np.float32)
    )


def stack(blobs: Iterable[bytes], dimension: int) -> Vector:
    """Stored vectors as one array, shape (n, d), float32."""
    joined = b"".join(blobs)
    return np.frombuffer(joined, "<f4").reshape(-1, dimension).astype(np.float32, copy=False)


def use_threads(count: int) -> None:
    """How many cores a search may use."""
    import faiss

    faiss.omp_set_num_threads(count)


def _sync_folder(folder: Path) -> None:
    # a rename is atomic at once but on disk only when its folder is synced
    handle = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
