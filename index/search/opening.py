"""What a library is kept in, with what searches its vectors: opened by the place that is named."""

from __future__ import annotations

from pathlib import Path

from index.search.vector_cache import VectorCache
from index.search.vector_search import VectorSearch
from index.storage.sqlite.store import open_folder
from index.storage.store import Store


def open_store(
    place: str | Path, create: bool, threads: int, exact_up_to: int
) -> tuple[Store, VectorSearch]:
    """The store at a place, made when it is missing, and its search by vectors.

    Args:
        place: a library's folder.
        create: whether to make a library where there is none.
        threads: cores to use.
        exact_up_to: passages up to which every vector is compared.
    """
    store = open_folder(place, create=create)
    return store, VectorCache(store, threads, exact_up_to)
