"""Does everything stored fit together? Reads only."""

from __future__ import annotations

from collections.abc import Callable, Iterator

from index.errors import LibraryBusy, LibraryDamaged, LibraryUnwritable
from index.search.search import Search
from index.storage.store import Snapshot, Store
from index.types import CheckLine, CheckReport

_REPAIR = "mend with: pilcrow check --repair"


def check_library(store: Store, search: Search) -> CheckReport:
    """Every check there is, each as one line; what cannot be mended ends the list."""
    lines = [_line(store, "database", lambda reader: reader.integrity())]
    if not lines[0].ok:
        return CheckReport(tuple(lines))
    lines += [_words(store), _line(store, "notes", _bad_notes)]
    if not lines[-1].ok:
        return CheckReport(tuple(lines))
    with store.reading() as reader:
        empty = reader.encoder is None
    if empty:
        lines.append(CheckLine("contents", True, "empty library"))
    else:
        lines.append(_line(store, "documents", _orphans))
        lines.append(_line(store, "contents", _bad_contents))
        lines.append(_line(store, "vectors", _bad_vectors))
        lines.append(_line(store, "offsets", lambda reader: next(_bad_offsets(reader), "")))
        lines.append(_line(store, "counts", _bad_counts))
        lines += _caches(store, search)
    return CheckReport(tuple(lines))


def damage(reader: Snapshot) -> tuple[set[int], set[int]]:
    """Contents whose text is damaged, and contents with only their passages damaged."""
    contents = set(reader.bad_contents())
    return contents, {content for _, content in reader.bad_passages()} - contents


def _line(store: Store, name: str, look: Callable[[Snapshot], str]) -> CheckLine:
    try:
        with store.reading() as reader:
            fault = look(reader)
    except LibraryDamaged as error:
        fault = str(error)
    return CheckLine(name, not fault, fault or "ok")


def _words(store: Store) -> CheckLine:
    """The text index; SQLite looks into it as if it were to write."""
    try:
        with store.writing(counted=False) as writer:
            fault = writer.words_fault()
    except (LibraryBusy, LibraryUnwritable) as error:
        return CheckLine("text index", True, f"not checked: {error}")
    return CheckLine("text index", not fault, f"{fault}; {_REPAIR}" if fault else "ok")


def _bad_notes(reader: Snapshot) -> str:
    """What is noted about the library is there, or asking for it raises."""
    known = (reader.library, reader.encoder, reader.chunker, reader.counts())
    missing = reader.recounted()["documents"] and not all(known)
    return "there are documents, yet no encoder is noted" if missing else ""


def _orphans(reader: Snapshot) -> str:
    lost = reader.orphans()
    if bad := reader.bad_documents():
        return f"what is noted of {', '.join(bad)} is damaged; {_REPAIR}"
    return f"{lost} documents or texts have lost each other; {_REPAIR}" if lost else ""


def _bad_contents(reader: Snapshot) -> str:
    names = [
        location.id for content in reader.bad_contents() for location in reader.by_content(content)
    ]
    return (
        f"the stored text of {', '.join(names)} is damaged; read the files again with: "
        "pilcrow check --repair"
        if names
        else ""
    )


def _bad_vectors(reader: Snapshot) -> str:
    bad = reader.bad_passages()
    if not bad:
        return ""
    names = {location.id for _, content in bad for location in reader.by_content(content)}
    return f"{len(bad)} passages of {', '.join(sorted(names))} are damaged; {_REPAIR}"


def _bad_offsets(reader: Snapshot) -> Iterator[str]:
    """Passages and sentences that do not lie where they should."""
    for location in reader.locations():
        document = reader.document(location.id)
        size = len(document.text) if document else 0
        at = 0
        for passage in reader.passages_of(location.id):
            inside = at <= passage.start < passage.end <= size
            ordered = [passage.start, *(x for s in passage.sentences for x in (s.start, s.end))]
            if not inside or ordered != sorted(ordered) or ordered[-1] > passage.end:
                yield f"{location.id}: passage {passage.id} does not lie in its text; {_REPAIR}"
            at = passage.start


def _bad_counts(reader: Snapshot) -> str:
    kept, counted = reader.counts(), reader.recounted()
    return "" if kept == counted else f"noted {kept}, found {counted}; {_REPAIR}"


def _caches(store: Store, search: Search) -> Iterator[CheckLine]:
    """What searches, each part of it."""
    for name, fault in search.faults().items():
        yield _line(store, name, _told(fault))


def _told(fault: Callable[[Snapshot], str]) -> Callable[[Snapshot], str]:
    def look(reader: Snapshot) -> str:
        found = fault(reader)
        return f"{found}; {_REPAIR}" if found else ""

    return look
