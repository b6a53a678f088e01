"""Making anew what a check found damaged, as far as it can be derived from what is sound."""

from __future__ import annotations

from collections.abc import Callable, Collection
from contextlib import suppress
from pathlib import Path

from index.embedding.encoder import Encoder
from index.errors import LibraryDamaged
from index.formats.registry import Unreadable, read_bytes
from index.ingest.discovery import content_hash
from index.ingest.run import IngestRun
from index.integrity.check import damage
from index.search.search import Search
from index.storage.store import Store, Transaction


def repair(
    store: Store, search: Search, bad: Collection[str], encoder: Callable[[], Encoder]
) -> dict[str, str]:
    """What was made anew, in words, by the name of its check. The caller holds the right to write.

    Args:
        store: what was checked.
        search: what searches it; it is made anew in any case.
        bad: names of the checks that failed.
        encoder: gives what embeds; it is asked for only when vectors are to be made.
    """
    if "database" in bad:  # first the file itself: what else is damaged can be seen only then
        return _repair_database(store)
    done: dict[str, str] = {}
    if "text index" in bad:
        with store.writing() as writer:
            writer.rebuild_words()
        done["text index"] = "made anew"
    if "documents" in bad:
        done["documents"] = _repair_documents(store)
    if {"contents", "vectors", "offsets"} & set(bad):
        with store.reading() as reader:
            contents, hurt = damage(reader)
        report = IngestRun(store, encoder(), None, None).repair(contents, hurt)
        done["contents"] = f"{len(contents) - len(report.failed)} files read again"
        done["vectors"] = f"{report.embedded} passages embedded again"
    with store.writing() as writer:
        _confirm(writer)
        writer.recount()  # whatever was mended
    if "counts" in bad:
        done["counts"] = "counted again"
    hurt_caches = {"vector cache", "word cache"} & set(bad)
    done |= dict.fromkeys(hurt_caches, "made anew")
    search.drop()
    search.refresh(anew=bool(hurt_caches))
    return done


def _repair_database(store: Store) -> dict[str, str]:
    with suppress(LibraryDamaged), store.writing() as writer:
        return {"database": writer.mend_database()}
    return {}


def _repair_documents(store: Store) -> str:
    """What was done about documents and texts that have lost each other, in words."""
    with store.writing() as writer:
        hurt_names, lost = writer.bad_documents(), writer.orphans()
        writer.mend_documents()
        writer.drop_orphans()
    done = []
    if lost:
        done.append("what had lost its document is gone; pilcrow rebuild reads it again")
    if hurt_names:
        done.append(f"what is noted of {', '.join(hurt_names)} was looked at")
    return "; ".join(done) or "written anew"


def _confirm(writer: Transaction) -> None:
    """Seal anew what is noted of documents where their files bear it out, if it is damaged."""
    for location in map(writer.by_id, writer.bad_documents()):
        if location is None or not location.path.endswith(location.id):
            continue
        path = Path(location.path)
        with suppress(Unreadable):
            card = writer.card(location.path)
            if content_hash(read_bytes(path), path.suffix, card) == location.hash:
                writer.seal_document(location.id)
