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
import struct
from collections.abc import Callable
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from index.embedding.encoder import Vector
from index.search.search import Kind
from index.system import files
from index.types import Ids

FLAT_UP_TO = 100_000
"""Vectors up to which exact search is used: at 100 k x 384 it costs about 12 ms on one core."""
_MAGIC = b"PILCROWV2\n"
_DIGEST = hashlib.sha256().digest_size
# HNSW with these, on synthetic vectors without clusters: recall@10 .989 on 200 k and .979 on 300 k
# with a beam of 400, at 5 ms. A larger library needs a wider one: 1 for every so many vectors.
_LINKS, _BUILD_BEAM, _SEARCH_BEAM, _VECTORS_PER_BEAM = 32, 100, 400, 1_000
# A cache is made anew when this share of the library has changed since: until then every search
# carries the changes along, exactly, at a cost that this bounds.
_STALE_SHARE, _STALE_AT_LEAST = 0.05, 2_000
# HNSW cannot forget; with more than this share gone it is built from the start.
_GONE_SHARE = 0.2
# Vectors added between two looks at the clock and the person.
_STRIDE = 10_000


class CacheUnusable(Exception):
    """The cache file is missing, damaged or not about this library. Never shown to a person."""


def is_fresh(changed: int, count: int) -> bool:
    """Whether a cache of so many passages is worth keeping when so many came or went since."""
    return changed <= max(_STALE_AT_LEAST, _STALE_SHARE * count)


@dataclass(frozen=True, slots=True)
class Header:
    """What a cache file says about itself."""

    library: str
    """The library's own id, so that another library's file is never taken for ours."""
    change: int
    token: str
    """The change's own name, so that another history's change 7 is never taken for ours."""
    dimension: int
    kind: Kind
    count: int
    gone: int
    newest: int
    """The greatest passage id it covers."""

    def is_fresh(self, changed: int) -> bool:
        """Whether it is worth keeping when so many passages came or went since."""
        return is_fresh(changed + self.gone, self.count)

    def can_grow(self, wanted: Kind) -> bool:
        """Whether vectors can be added to it, rather than building from the start."""
        return self.kind == wanted == "hnsw" and self.gone <= _GONE_SHARE * self.count


@dataclass(frozen=True, slots=True, eq=False)
class VectorIndex:
    """The library's passage vectors at one generation, searchable."""

    generation: int
    generation_id: str
    dimension: int
    base: Any
    """A FAISS index whose position i holds the vector of passage `base_ids[i]`."""
    base_ids: Ids
    """Ascending, since passage ids only ever grow."""
    gone: Ids
    """Positions in `base` that are no longer in the library, ascending."""
    extra_ids: Ids
    extra: Vector
    """Vectors added since `base` was built, shape (n, d)."""
    mapped: Any = None
    """The bytes that `base` lies in, where those are a file's: kept as long as it is searched."""

    @property
    def kind(self) -> Kind:
        """`flat` (exact) or `hnsw` (approximate)."""
        return "hnsw" if "HNSW" in type(self.base).__name__ else "flat"

    @property
    def newest(self) -> int:
        """A passage id such that every passage with a greater one is missing here."""
        return int(max([0, *self.base_ids[-1:], *self.extra_ids[-1:]]))

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

    def after(
        self, generation: int, generation_id: str, removed: Ids, ids: Ids, vectors: Vector
    ) -> VectorIndex:
        """The snapshot at a later change: without `removed`, with `ids` and their vectors."""
        kept = ~np.isin(self.extra_ids, removed)
        return replace(
            self,
            generation=generation,
            generation_id=generation_id,
            gone=np.union1d(self.gone, self._positions(removed)),
            extra_ids=np.concatenate([self.extra_ids[kept], ids]),
            extra=np.concatenate([self.extra[kept], vectors.reshape(-1, self.dimension)]),
        )

    def merged(self, tick: Callable[[int], None], threads: int = 1) -> VectorIndex:
        """This snapshot with its added vectors moved into `base`.

        It changes `base`: only for a snapshot that nobody else searches.
        """
        _fill(self.base, self.extra, tick, threads)
        return replace(
            self,
            base_ids=np.concatenate([self.base_ids, self.extra_ids]),
            extra_ids=self.extra_ids[:0],
            extra=self.extra[:0],
        )

    def _positions(self, ids: Ids) -> Ids:
        """Where in `base` the passages with these ids are, as far as they are there."""
        at = np.searchsorted(self.base_ids, ids)
        known = at < len(self.base_ids)
        known[known] = self.base_ids[at[known]] == ids[known]
        found: Ids = at[known]
        return found

    def _search_base(self, query: Vector, k: int, allowed: Ids | None) -> tuple[Ids, Vector]:
        """The nearest in `base`, in no set order; more than `k` may come back."""
        faiss = _faiss()
        k = min(k, len(self.base_ids))
        if k == 0:
            return self.base_ids[:0], np.zeros(0, np.float32)
        if allowed is not None and self.kind == "hnsw" and len(allowed) <= FLAT_UP_TO:
            return self._compare(query, np.setdiff1d(self._positions(allowed), self.gone))
        options: dict[str, Any] = {}
        if allowed is not None or len(self.gone):
            wanted = np.ones(len(self.base_ids), bool)
            if allowed is not None:
                wanted = np.isin(self.base_ids, allowed, assume_unique=True)
            wanted[self.gone] = False
            bitmap = np.packbits(wanted, bitorder="little")
            options["sel"] = faiss.IDSelectorBitmap(bitmap)
        if self.kind == "hnsw":
            beam = max(_SEARCH_BEAM, len(self.base_ids) // _VECTORS_PER_BEAM, 2 * k)
            parameters = faiss.SearchParametersHNSW(efSearch=beam, **options)
        else:
            parameters = faiss.SearchParameters(**options)
        # One question is one core's work: where the other core has something else to do, waiting
        # for it makes 16 ms of 1 (at 10 k), and memory is the limit anyway (at 100 k).
        faiss.omp_set_num_threads(1)
        scores, positions = self.base.search(query.reshape(1, -1), k, params=parameters)
        found = positions[0] >= 0  # FAISS pads with -1
        return self.base_ids[positions[0][found]], scores[0][found]

    def _compare(self, query: Vector, positions: Ids) -> tuple[Ids, Vector]:
        """All of these, one by one: among few allowed ones a walk along links gets lost."""
        if not len(positions):
            return self.base_ids[:0], np.zeros(0, np.float32)
        scores: Vector = self.base.reconstruct_batch(positions) @ query
        return self.base_ids[positions], scores


def kind_for(count: int, flat_up_to: int = FLAT_UP_TO) -> Kind:
    """How so many vectors are best searched."""
    return "flat" if count <= flat_up_to else "hnsw"


def build(
    generation: int,
    generation_id: str,
    ids: Ids,
    vectors: Vector,
    dimension: int,
    kind: Kind = "flat",
    tick: Callable[[int], None] = lambda done: None,
    threads: int = 1,
) -> VectorIndex:
    """A fresh snapshot over all vectors.

    Args:
        generation: number of the library's change that the vectors belong to.
        generation_id: that change's own random name.
        ids: passage ids, shape (n,), ascending.
        vectors: shape (n, d), float32, unit length.
        dimension: d, needed when n is 0.
        kind: `flat` or `hnsw`.
        tick: told now and then how many vectors are in; what it raises ends the work.
        threads: cores to use.
    """
    faiss = _faiss()
    if kind == "hnsw":
        # half precision: as exact here as single, in half the memory, and faster
        half = faiss.ScalarQuantizer.QT_fp16
        base = faiss.IndexHNSWSQ(dimension, half, _LINKS, faiss.METRIC_INNER_PRODUCT)
        base.hnsw.efConstruction = _BUILD_BEAM
    else:
        base = faiss.IndexFlatIP(dimension)
    _fill(base, vectors, tick, threads)
    none = np.zeros(0, np.int64)
    return VectorIndex(
        generation,
        generation_id,
        dimension,
        base,
        ids,
        none,
        none,
        np.zeros((0, dimension), np.float32),
    )


def save(index: VectorIndex, path: Path, library: str) -> None:
    """Write a snapshot without added vectors: new file beside the old one, synced, renamed.

    Args:
        index: what `build` or `merged` made.
        path: where to.
        library: the library's own id.

    Raises:
        OSError: when the disk refuses; then nothing is left of the new file.
    """
    faiss = _faiss()
    assert not len(index.extra_ids), "added vectors are merged before a snapshot is saved"
    header = json.dumps(asdict(_header(index, library))).encode()
    digest = hashlib.sha256()
    with files.replacing(path) as file:

        def put(data: bytes) -> None:
            digest.update(data)
            file.write(data)

        file.write(_MAGIC + bytes(_DIGEST))
        put(struct.pack("<I", len(header)) + header)
        put(index.base_ids.astype("<i8").tobytes())
        put(index.gone.astype("<i8").tobytes())
        faiss.write_index(index.base, faiss.PyCallbackIOWriter(put))
        file.seek(len(_MAGIC))
        file.write(digest.digest())


def peek(path: Path) -> Header | None:
    """What a cache file says about itself, unchecked; None when it cannot be read."""
    try:
        with path.open("rb") as file:
            start = file.read(len(_MAGIC) + _DIGEST + 4)
            (size,) = struct.unpack("<I", start[-4:])
            if start[: len(_MAGIC)] != _MAGIC or size > 4096:
                return None
            return Header(**json.loads(file.read(size)))
    except (OSError, ValueError, TypeError, struct.error):
        return None


def load(path: Path, library: str, dimension: int, *, to_grow: bool = False) -> VectorIndex:
    """A snapshot, read back; a graph is mapped into memory, so that it is there at once.

    Args:
        path: where it is.
        library: the library's own id.
        dimension: d.
        to_grow: whether vectors are to be added to it, which nothing mapped allows.

    Raises:
        CacheUnusable: when the file is missing, cut, altered, or another library's.
    """
    faiss = _faiss()
    header = peek(path)
    if header is None:
        raise CacheUnusable("not a vector cache")
    if header.library != library or header.dimension != dimension:
        raise CacheUnusable("made for another library")
    try:
        at, mapped = len(_MAGIC) + _DIGEST, None
        with path.open("rb") as file:  # not by the map: what is read through it counts as ours
            digest = file.read(at)[len(_MAGIC) :]
            if hashlib.file_digest(file, "sha256").digest() != digest:
                raise CacheUnusable("checksum differs")
        data: Any = np.memmap(path, np.uint8, mode="r")
        at += 4 + struct.unpack("<I", data[at : at + 4])[0]
        ids, at = np.frombuffer(data, "<i8", header.count, at).copy(), at + 8 * header.count
        gone, at = np.frombuffer(data, "<i8", header.gone, at).copy(), at + 8 * header.gone
        if header.kind == "hnsw" and not to_grow and files.can_replace_mapped():
            mapped = graph = data[at:]
            base = faiss.read_index(faiss.ZeroCopyIOReader(faiss.swig_ptr(graph), graph.size))
        else:
            base = faiss.deserialize_index(data[at:])
    except (OSError, ValueError, RuntimeError, struct.error) as error:
        raise CacheUnusable(str(error)) from error
    if base.ntotal != len(ids) or base.d != dimension:
        raise CacheUnusable("count differs")
    none = np.zeros((0, dimension), np.float32)
    return VectorIndex(
        header.change, header.token, dimension, base, ids, gone, ids[:0], none, mapped
    )


def _faiss() -> Any:
    """FAISS, loaded when first needed; its own type information disagrees with what it exports."""
    import faiss

    return faiss


def _header(index: VectorIndex, library: str) -> Header:
    return Header(
        library,
        index.generation,
        index.generation_id,
        index.dimension,
        index.kind,
        len(index.base_ids),
        len(index.gone),
        index.newest,
    )


def _fill(base: Any, vectors: Vector, tick: Callable[[int], None], threads: int) -> None:
    _faiss().omp_set_num_threads(threads)
    for at in range(0, len(vectors), _STRIDE):
        tick(at)
        base.add(np.ascontiguousarray(vectors[at : at + _STRIDE], np.float32))
