"""Rows of a database to values and back, each with its checksum."""

from __future__ import annotations

import json
import os
import zlib
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import asdict, astuple, replace
from functools import cache
from typing import Any

import numpy as np

from index.embedding.encoder import PassageVectors, Vector
from index.embedding.projection import Packed
from index.errors import LibraryDamaged
from index.languages.stemming import index_form
from index.storage.records import Labels, StoredPassage
from index.tokenization import sound
from index.types import (
    NO_CARD,
    NOWHERE,
    CatalogueCard,
    Document,
    DocumentRecord,
    Heading,
    Location,
    Page,
    Passage,
    Span,
    title_from_id,
)

# The sentences of a passage; a damaged one has none.
SENTENCE_COUNT = "CASE WHEN json_valid(spans) THEN json_array_length(spans) ELSE 0 END"


VECTOR_COLUMNS = "vector, sentence_vectors, token_counts, tokens"


# What a seal is made over: everything a content or a passage is shown or found by.
CONTENT_COLUMNS = (
    "c.hash, c.title, c.source, c.author, c.date, c.text, c.furniture, c.labels, c.outline"
)
# In files from before there were labels, pages and sections. Empty ones do not change a seal.
UNLABELLED_COLUMNS = CONTENT_COLUMNS.replace("c.labels, c.outline", "'', ''")
UNPLACED_COLUMNS = CONTENT_COLUMNS.replace("c.outline", "''")


PASSAGE_COLUMNS_BUT_TEXT = (
    'p.content, p.paragraph, p.start, p."end", p.digest, p.spans, p.vector, p.sentence_vectors, '
    "p.token_counts, p.tokens, c.title, c.source, c.author, c.date, p.places"
)
"""For many passages of one article: SQLite counts its characters anew for each of them."""
PASSAGE_COLUMNS = f'{PASSAGE_COLUMNS_BUT_TEXT}, substr(c.text, p.start + 1, p."end" - p.start)'


def unplaced(columns: str) -> str:
    """The columns of passages in files from before there were pages and sections."""
    return columns.replace("p.places", "''")


FIRST_VECTOR = PASSAGE_COLUMNS.split(", ").index("p.vector")


def checksum(values: Sequence[Any]) -> int:
    """A checksum over a row's values, one after the other."""
    return zlib.crc32(
        b"".join(
            value if isinstance(value, bytes) else str(value).encode("utf-8", "surrogatepass")
            for value in values
        )
    )


def require_checksum(sealed: Sequence[Any], what: str, otherwise_sound: bool = True) -> None:
    """Refuse a row, its seal first, that is not what was written."""
    if checksum(sealed[1:]) != sealed[0] or not otherwise_sound:
        raise damaged_row(what)


def damaged_row(what: str) -> LibraryDamaged:
    """The error that says which row is damaged, and the way out."""
    return LibraryDamaged(f"{what} is damaged. Mend it with: pilcrow check --repair")


def damaged_meta(key: str) -> LibraryDamaged:
    """The error that says which fact about the library is damaged, and the way out."""
    return LibraryDamaged(
        f"what is noted about the library ({key}) is damaged. Make it anew with: "
        "pilcrow rebuild --full"
    )


_LABELS = ("tags", "aliases", "description", "place")
"""The keys under which they are stored, in the order of `Labels`."""


def encode_labels(document: Document) -> str:
    """Tags, aliases, description and dateline's place as JSON; empty when a document has none."""
    labels = Labels(document.tags, document.aliases, document.description, document.written_in)
    stored = dict(zip(_LABELS, labels, strict=True))
    return json.dumps(stored) if any(labels) else ""


def decode_labels(stored: str) -> Labels:
    """The labels in a stored text; none in a damaged one, which the content's seal gives away."""
    try:
        values = json.loads(stored) if stored else {}
        tags, aliases = (tuple(map(str, values[key])) for key in ("tags", "aliases"))
        return Labels(tags, aliases, str(values["description"]), str(values.get("place", "")))
    except (ValueError, TypeError, LookupError):
        return Labels()


def encode_outline(document: Document) -> str:
    """Pages and headings as JSON; empty when a document has none."""
    if not (document.pages or document.headings):
        return ""
    pages: list[list[Any]] = [[p.start, p.number, p.label, p.kind] for p in document.pages]
    for stored, page in zip(pages, document.pages, strict=True):
        stored += [page.recognised, page.box] if page.recognised else []
    headings = [[h.start, h.level, h.text] for h in document.headings]
    return json.dumps([pages, headings])


def decode_outline(stored: str) -> tuple[tuple[Page, ...], tuple[Heading, ...]]:
    """The pages and headings in a stored text; sealed with its content."""
    if not stored:
        return (), ()
    pages, headings = json.loads(stored)
    return tuple(map(_page, pages)), tuple(Heading(*heading) for heading in headings)


def _page(stored: Sequence[Any]) -> Page:
    start, number, label, kind, recognised, box = (*stored, 0.0, ())[:6]
    return Page(start, number, label, kind, recognised, tuple(box))


def encode_places(document: Document, passage: Passage) -> str:
    """Where in its file a passage is, and where in it another page begins; empty without pages."""
    turns = [page.start for page in document.pages if passage.start < page.start < passage.end]
    places = [(at, document.location(at)) for at in (passage.start, *turns)]
    if not any(place != NOWHERE for _, place in places):
        return ""
    parts = [[at, *astuple(place)] for at, place in places]
    return json.dumps([part if part[-1] else part[:-1] for part in parts])  # few are recognised


def decode_places(stored: str) -> tuple[tuple[int, Location], ...]:
    """The places in a stored text; sealed with its passage."""
    return tuple((at, Location(*place)) for at, *place in json.loads(stored)) if stored else ()


def first_section(stored: str) -> str:
    """The headings above where a passage begins, from its stored places."""
    places = decode_places(stored)
    return places[0][1].section if places else ""


def indexed_text(text: str, language: str, written_in: str = "") -> str:
    """A passage as the text index has it; an article's first one with where that was written."""
    return index_form(f"{written_in}\n{text}" if written_in else text, language)


def indexed_title(name: str, aliases: Sequence[str], language: str) -> str:
    """A document's names as the text index has them: its title or file's name, and its aliases."""
    return index_form("\n".join((name, *aliases)), language)


def stored_path(path: str) -> str | bytes:
    """A path as SQLite can hold it: names that are no Unicode as their bytes."""
    try:
        path.encode()
    except UnicodeEncodeError:
        return os.fsencode(path)
    return path


def encode_card(card: CatalogueCard) -> str:
    """A card as JSON, the same text for the same card; empty for one that says nothing."""
    return "" if card == NO_CARD else json.dumps(asdict(card), sort_keys=True)


def decode_card(stored: str) -> CatalogueCard:
    """The card in a JSON text.

    Raises:
        LibraryDamaged: when it is none.
    """
    try:
        values = json.loads(stored) if stored else {}
        return CatalogueCard(**values | {"tags": tuple(values.get("tags", ()))})
    except (ValueError, TypeError, AttributeError) as error:
        raise damaged_meta("a file's card") from error


def storable_id(document_id: object) -> str:
    """An id as SQLite can be asked for it; empty, as none is, when it can be no id."""
    known = isinstance(document_id, str) and sound(document_id) == document_id
    return str(document_id) if known else ""


def encode_vectors(vectors: PassageVectors) -> tuple[bytes, bytes, str, bytes]:
    """The columns `VECTOR_COLUMNS` of a passage, in that order."""
    return (
        vectors.passage.astype("<f4").tobytes(),
        vectors.sentences.astype("<f2").tobytes(),
        json.dumps(vectors.counts),
        vectors.tokens.tobytes(),
    )


def decode_vectors(row: Sequence[Any], dimension: int) -> PassageVectors:
    """The vectors in a row of `VECTOR_COLUMNS`; `dimension` is that of the encoder."""
    passage, sentences, counts, tokens = row
    return PassageVectors(
        np.frombuffer(passage, "<f4").astype(np.float32),
        np.frombuffer(sentences, "<f2").reshape(-1, dimension).astype(np.float32),
        decode_tokens(tokens, json.loads(counts)),
        tuple(json.loads(counts)),
    )


def decode_tokens(blob: bytes, counts: Sequence[int]) -> Packed:
    """Packed tokens as rows; the width follows from how many there are."""
    total = sum(counts)
    width = len(blob) // total if total else 1
    return np.frombuffer(blob, np.int8).reshape(-1, width)


def decode_passage(row: Sequence[Any], names: Sequence[str], labels: str = "") -> StoredPassage:
    """The passage in a row of id, checksum and `PASSAGE_COLUMNS`.

    Args:
        row: as stored.
        names: of its documents.
        labels: of its article, as stored; sealed with that.

    Raises:
        LibraryDamaged: when the checksum differs, or no document has the passage.
    """
    id_, *sealed = row
    require_checksum(sealed, f"a passage of {', '.join(names) or 'no document'}", bool(names))
    (_, content, paragraph, start, end, _, spans, vector, sentence_vectors, counts, tokens,
     title, source, author, date, places, text) = sealed  # fmt: skip
    passage_vector = np.frombuffer(vector, "<f4").astype(np.float32)
    token_counts = json.loads(counts)
    return StoredPassage(
        id=id_,
        content=content,
        document_ids=tuple(names),
        title=title,
        source=source,
        author=author,
        date=date,
        places=decode_places(places),
        written_in=decode_labels(labels).written_in,
        paragraph=paragraph,
        start=start,
        end=end,
        text=text,
        sentences=tuple(Span(*span) for span in json.loads(spans)),
        vector=passage_vector,
        sentence_vectors=np.frombuffer(sentence_vectors, "<f2").reshape(-1, len(passage_vector)),
        token_counts=tuple(token_counts),
        tokens=decode_tokens(tokens, token_counts),
    )


def stack_vectors(blobs: Iterable[bytes], dimension: int) -> Vector:
    """Stored vectors as one array, shape (n, d), float32."""
    joined = b"".join(blobs)
    return np.frombuffer(joined, "<f4").reshape(-1, dimension).astype(np.float32, copy=False)


def stored_document(document_id: str, row: Sequence[Any]) -> Document:
    """A document as it was given, from a row of its content after the seal and the hash."""
    (_, _, title, source, author, date, text, boilerplate, labels, outline) = row
    parts = tuple(Span(*span) for span in json.loads(boilerplate))
    stated = decode_labels(labels)
    return Document(
        document_id, title, text, source, author, date, parts, *stated, *decode_outline(outline)
    )


def document_record(
    row: Sequence[Any], own: Mapping[str, tuple[str, ...]], collection: Callable[[str], str]
) -> DocumentRecord:
    """A document as a library lists it, from a row with its path, date and labels last.

    Args:
        row: as a snapshot's `records` asks for it.
        own: tags that were given here, which follow those of its front matter.
        collection: tells a file's.
    """
    id_, title, *more, path, added, stored = row
    path = os.fsdecode(path)
    name, labels = title or title_from_id(id_), decode_labels(stored)
    if id_ in own:
        labels = labels._replace(tags=tuple(dict.fromkeys((*labels.tags, *own[id_]))))
    record = DocumentRecord(*(id_, name, *more, path, added, *labels))
    return replace(record, collection=collection(path))


def collection_of(
    known: Mapping[str, str], key: Callable[[str], str] = str
) -> Callable[[str], str]:
    """What tells a file's collection: its own, else that of the nearest folder that has one.

    Args:
        known: the collections that files and folders were put into themselves.
        key: what `known` has a path under.
    """

    @cache
    def of_folder(folder: str) -> str:
        while (name := known.get(key(folder))) is None:
            above = os.path.dirname(folder)  # noqa: PTH120  (asked for each of thousands)
            if above == folder:
                return ""
            folder = above
        return name

    def of(path: str) -> str:
        own = known.get(key(path)) if known else ""
        return of_folder(os.path.dirname(path)) if own is None else own  # noqa: PTH120

    return of
