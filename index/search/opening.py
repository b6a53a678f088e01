"""What a library is kept in, with what searches its vectors: opened by the place that is named."""

from __future__ import annotations

from pathlib import Path

from index.errors import InputError
from index.search.caches import SearchCaches
from index.search.search import Search
from index.storage.postgres.address import Address, is_address, parse_address
from index.storage.sqlite.store import open_folder
from index.storage.store import Store


def open_store(
    place: str | Path | Address, create: bool, threads: int, exact_up_to: int
) -> tuple[Store, Search]:
    """The store at a place, made when it is missing, and what searches it.

    Args:
        place: a library's folder, or `postgresql://…`.
        create: whether to make a library where there is none.
        threads: cores to use.
        exact_up_to: passages up to which every vector is compared.
    """
    if isinstance(place, str) and is_address(place):
        place = parse_address(place)
    if isinstance(place, Address):
        return _open_server(place, create, exact_up_to)
    folder = open_folder(place, create=create)
    return folder, SearchCaches(folder, threads, exact_up_to)


def _open_server(place: Address, create: bool, exact_up_to: int) -> tuple[Store, Search]:
    try:
        from index.search.server_search import ServerSearch
        from index.storage.postgres.store import PostgresStore
    except ModuleNotFoundError:
        raise InputError(
            "a library on a server needs psycopg and pgvector, which are not installed: "
            "pip install 'pilcrow-rag[postgres]'"
        ) from None
    store = PostgresStore(place, create=create)
    return store, ServerSearch(store, exact_up_to)
