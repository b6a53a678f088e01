"""The values the memory hands around. All frozen, all plain.

Offsets count Unicode characters of a document's canonical text, never bytes.
"""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections.abc import Callable, Collection, Iterable, Sequence
from dataclasses import dataclass, field, replace

import numpy as np
from numpy.typing import NDArray


@dataclass(frozen=True, slots=True)
class Span:
    """A half-open range of characters: `text[start:end]`."""

    start: int
    end: int


@dataclass(frozen=True, slots=True)
class Page:
    """Where a page, slide or sheet begins in a text; the same one may go on further below."""

    start: int
    number: int
    """Counted from 1, as the file has them; 0 in a file without, of which a part was recognised."""
    label: str = ""
    """What it is called there: `xii`, a sheet's name, a time."""
    kind: str = "page"
    """`page`, `slide`, `sheet`, `chapter`, `time`, `message`, `cell`."""
    recognised: float = 0.0
    """How sure text recognition was of the line that begins here, to 1; 0 for the file's own text.
    Each line that was recognised has an entry."""
    box: tuple[float, ...] = ()
    """Left, top, width and height of that line, as shares of the page's."""


@dataclass(frozen=True, slots=True)
class Heading:
    """A heading in a text, which what follows belongs to until one of the same rank."""

    start: int
    level: int
    """1 for the first rank."""
    text: str


@dataclass(frozen=True, slots=True)
class Location:
    """Where in its file a place of a text is: the page, and the headings above it."""

    page: int = 0
    """0 where there are no pages."""
    page_label: str = ""
    page_kind: str = ""
    section: str = ""
    """Headings from the first rank down, parted by ` › `."""
    recognised: float = 0.0
    """How sure text recognition was of what stands here, to 1; 0 for the file's own text."""

    @property
    def recognition(self) -> str:
        """How to say that text was recognised: `recognised text, 97 % sure`; else empty."""
        return f"recognised text, {100 * self.recognised:.0f} % sure" if self.recognised else ""

    @property
    def page_name(self) -> str:
        """How to say the page: `page xii`, `slide 3`, `sheet Costs`; empty without one."""
        if not self.page:
            return ""
        label = self.page_label or str(self.page)
        return label if self.page_kind == "time" else f"{self.page_kind or 'page'} {label}"


NOWHERE = Location()


@dataclass(frozen=True, slots=True)
class Document:
    """One article as read from its file.

    `text` is canonical: every offset anywhere points into it. For `.txt` and `.md` it is the
    decoded file itself, with the byte-order mark dropped and every newline a line feed.
    """

    id: str
    """Path relative to the folder that was added, with forward slashes."""
    title: str
    """The article's own title; empty when neither the format nor the text gives one."""
    text: str
    source: str = ""
    """Outlet or publisher."""
    author: str = ""
    date: str = ""
    """Publication date as ISO 8601 (`2024-09-04`, `2024-09` or `2024`), empty when not stated."""
    boilerplate: tuple[Span, ...] = ()
    """Parts of `text` that are not prose: headline, byline, dateline, photo captions, boilerplate.
    Sorted, not overlapping. They never become part of a paragraph."""
    tags: tuple[str, ...] = ()
    """What its front matter files it under."""
    aliases: tuple[str, ...] = ()
    """Other names its front matter gives it; words of theirs find it as words of the title do."""
    description: str = ""
    """What its front matter says it is about, as one line."""
    written_in: str = ""
    """Where, as its dateline says: `Kyoto`."""
    pages: tuple[Page, ...] = ()
    """Its pages, slides or sheets by where they begin; empty for a format without."""
    headings: tuple[Heading, ...] = ()
    """Its headings in order."""

    def location(self, at: int, end: int = 0) -> Location:
        """Where in its file a place of the text is; up to `end` as sure as its least sure line."""
        i = bisect_right(self.pages, at, key=_start)
        page = self.pages[i - 1] if i else None
        section = section_at(self.headings, at)
        if page is None:
            return Location(section=section)
        lines = self.pages[i - 1 : max(bisect_left(self.pages, end, key=_start), i)]
        return Location(page.number, page.label, page.kind, section, _least_sure(lines))

    def boxes(self, number: int, start: int, end: int) -> list[tuple[float, ...]]:
        """Where on a page the recognised lines of a stretch of the text stand."""
        ends = [*(page.start for page in self.pages[1:]), len(self.text)]
        return [
            page.box
            for page, stop in zip(self.pages, ends, strict=True)
            if page.number == number and page.box and page.start < end and start < stop
        ]

    def on_pages(self, start: int, end: int) -> list[tuple[int, str, str]]:
        """A stretch of the text by the pages it stands on: page, its part, the page's text before.

        White space at the edges of parts is left as it is.
        """
        ends = [*(page.start for page in self.pages[1:]), len(self.text)]
        before: dict[int, str] = {}
        parts = []
        for page, stop in zip(self.pages, ends, strict=True):
            first, last = max(page.start, start), min(stop, end)
            if first < last:
                told = before.get(page.number, "") + self.text[page.start : first]
                parts.append((page.number, self.text[first:last], told))
            if page.start >= end:
                break
            before[page.number] = before.get(page.number, "") + self.text[page.start : stop]
        return parts

    @property
    def name(self) -> str:
        """What to call the document on screen: its title, else its file name without the suffix."""
        return self.title or title_from_id(self.id)


@dataclass(frozen=True, slots=True)
class CatalogueCard:
    """What is known of a file from where it was got; it takes the place of what the file says."""

    title: str = ""
    author: str = ""
    date: str = ""
    """As in `Document`, with the next one."""
    source: str = ""
    tags: tuple[str, ...] = ()
    """Beside those of the file itself."""
    address: str = ""
    """Of the web page that it is a copy of: its source, unless the page names another address of
    the same host as the one to cite."""

    def applied(self, document: Document) -> Document:
        """The document as this card has it."""
        return replace(
            document,
            title=self.title or document.title,
            author=self.author or document.author,
            date=self.date or document.date,
            source=self.source or document.source,
            tags=tuple(dict.fromkeys((*document.tags, *self.tags))),
        )


NO_CARD = CatalogueCard()


@dataclass(frozen=True, slots=True)
class PagePicture:
    """A page of a file as it is shown."""

    png: bytes
    width: int
    height: int
    pages: int
    """How many the file has."""
    boxes: tuple[tuple[float, float, float, float], ...] = ()
    """Left, top, width and height of what was asked for, as shares of the page's."""


@dataclass(frozen=True, slots=True)
class Sentence:
    """One sentence; `document.text[start:end] == text`."""

    start: int
    end: int
    text: str


@dataclass(frozen=True, slots=True)
class Passage:
    """What is embedded and retrieved: a paragraph, or the part of one that the encoder can read.

    `document.text[start:end] == text`, and the sentences lie inside it, in order.
    """

    paragraph: int
    """Number of the paragraph in its document, counted from 1."""
    start: int
    end: int
    text: str
    sentences: tuple[Sentence, ...]


@dataclass(frozen=True, slots=True)
class ScoredSentence:
    """A sentence of a hit, compared with the question."""

    start: int
    end: int
    text: str
    score: float
    """Cosine of question and sentence."""
    late: float = 0.0
    """Late interaction: the mean over the question's word pieces of the best cosine here."""
    token_max_similarities: tuple[float, ...] = field(default=(), repr=False)
    """That best cosine for each of the question's word pieces."""


@dataclass(frozen=True, slots=True)
class Hit:
    """A passage found for a question; `document.text[start:end] == text`."""

    document_id: str
    title: str
    source: str
    start: int
    end: int
    text: str
    score: float
    """Relevance in [0, 1]; comparable within one search, not between searches."""
    rank: int
    """1 for the best."""
    passage_id: int = 0
    paragraph: int = 0
    author: str = ""
    date: str = ""
    dense: float = 0.0
    """Cosine of question and passage."""
    lexical: float = 0.0
    """BM25, higher is better; 0 when no term matched."""
    sentence: float = 0.0
    """Best cosine of question and one of the passage's sentences."""
    late: float = 0.0
    """Best late interaction of the question with one of the passage's sentences."""
    sentences: tuple[ScoredSentence, ...] = ()
    also: tuple[str, ...] = ()
    """Other documents with the very same content."""
    places: tuple[tuple[int, Location], ...] = ()
    """Where in its file it begins, and where in it another page does: by where in the text."""
    written_in: str = ""
    """Where its article was written, from its dateline; empty when not stated."""
    plain_score: float | None = None
    """The score with the shares of English, which the reader was fitted on, where it is another."""

    def location(self, at: int, end: int = 0) -> Location:
        """Where in its file a place of the passage is; as in `Document.location`."""
        i = bisect_right(self.places, at, key=_first)
        if not i:
            return NOWHERE
        found, upto = self.places[i - 1][1], max(bisect_left(self.places, end, key=_first), i)
        sure = _least_sure([place for _, place in self.places[i - 1 : upto]])
        return found if sure == found.recognised else replace(found, recognised=sure)

    @property
    def key(self) -> tuple[str, int, int]:
        """What tells this passage from all others: its document and its place there."""
        return self.document_id, self.start, self.end


@dataclass(frozen=True, slots=True)
class SearchScope:
    """The part of a library that is searched."""

    documents: Collection[str] | None = None
    """Only these documents; all when None."""
    dates: tuple[str, str] | None = None
    """Only documents dated from the first to the second of these ISO dates."""
    tags: Collection[str] = ()
    """Only documents with one of these tags, or with one below it: `law` has `law/eu`."""
    authors: Collection[str] = ()
    """Only by one of these; part of the name will do, as in `sources`, in any case."""
    sources: Collection[str] = ()
    folders: Collection[str] = ()
    """Only documents in or below one of these, as their ids have it: `news/2024`."""
    kinds: Collection[str] = ()
    """Only files with one of these endings: `pdf`, `.md`."""
    sections: Collection[str] = ()
    """Only passages below a heading that holds one of these, in any case."""
    collections: Collection[str] = ()
    """Only documents of one of these collections, in any case."""

    @property
    def is_filtered(self) -> bool:
        """Whether documents are chosen by what is known of them."""
        chosen = (self.tags, self.authors, self.sources, self.folders, self.kinds, self.collections)
        return any(chosen)

    def takes_section(self, section: str) -> bool:
        """Whether what stands below these headings is in it."""
        return _any(self.sections, lambda name: name in section.casefold())

    def takes(self, document: DocumentFacts) -> bool:
        """Whether a document is in it."""
        return (
            (self.documents is None or document.id in self.documents)
            and (self.dates is None or _within(document.date, self.dates))
            and _any(self.tags, lambda tag: any(_is_below(own, tag) for own in document.tags))
            and _any(self.authors, lambda name: name in document.author.casefold())
            and _any(self.sources, lambda name: name in document.source.casefold())
            and _any(self.folders, lambda folder: _is_below(document.id, folder, itself=False))
            and _any(self.kinds, lambda kind: document.path.casefold().endswith(_suffix(kind)))
            and _any(self.collections, lambda name: name == document.collection.casefold())
        )


@dataclass(frozen=True, slots=True)
class DocumentFacts:
    """What a document is chosen by."""

    id: str
    path: str
    author: str
    source: str
    date: str
    tags: tuple[str, ...]
    collection: str = ""


def _any(wanted: Collection[str], holds: Callable[[str], bool]) -> bool:
    """Whether one of the wanted values holds, in lower case; also when none is wanted."""
    return not wanted or any(holds(value.casefold()) for value in wanted)


def _is_below(path: str, top: str, itself: bool = True) -> bool:
    path, top = path.casefold(), top.strip("/#")
    return path.startswith(f"{top}/") or (itself and path == top)


def _suffix(kind: str) -> str:
    return f".{kind.lstrip('.')}"


def _within(date: str, dates: tuple[str, str]) -> bool:
    """Whether a stated date may lie in a range; `2024` lies in any range that touches 2024."""
    first, last = dates
    return bool(date) and date >= first[: len(date)] and date[: len(last)] <= last


EVERYWHERE = SearchScope()


@dataclass(frozen=True, slots=True)
class FailedFile:
    """A file that could not be indexed, and why, in one line."""

    path: str
    reason: str


@dataclass(frozen=True, slots=True)
class SkippedFile:
    """A file that was passed over, as it should be, and why, in one line."""

    path: str
    reason: str


@dataclass(frozen=True, slots=True)
class Unreachable:
    """Documents whose files cannot be seen now, though nobody deleted them for all we know.

    They stay in the library and are found; the next update looks again.
    """

    path: str
    """What they hang on: a folder, or the place that was added."""
    reason: str
    """Why, in one line."""
    documents: tuple[str, ...]
    """Their ids."""
    lost: bool = False
    """Everything can be read, and too many are not there: `rebuild(forget=True)` lets go of them.
    Otherwise only `Library.forget` does."""


@dataclass(frozen=True, slots=True)
class UpdateReport:
    """What an update did, by document id."""

    added: tuple[str, ...] = ()
    updated: tuple[str, ...] = ()
    unchanged: tuple[str, ...] = ()
    removed: tuple[str, ...] = ()
    failed: tuple[FailedFile, ...] = ()
    embedded: int = 0
    """Passages that went through the encoder."""
    reused: int = 0
    """Passages whose stored vectors served again."""
    change: int = 0
    """The library's change number afterwards."""
    cancelled: bool = False
    """True when it was stopped before the end; the next run goes on from there."""
    unreachable: tuple[Unreachable, ...] = ()
    """What is kept though its files cannot be seen now."""
    left_out: tuple[str, ...] = ()
    """Files that stay out because a person removed their documents; named alone they come back."""
    skipped: tuple[SkippedFile, ...] = ()
    """Files of no kind that is read, and what is ignored: `.pilcrowignore`, `exclude`."""


@dataclass(frozen=True, slots=True)
class Progress:
    """One report of a long job: how far the whole is, or news of one file."""

    stage: str
    """`reading`, `embedding` or `saving`; `importing` where many workers do these; `file` for news
    of one file."""
    done: int
    """Units of the stage, of `total`; both 0 for news of one file."""
    total: int
    document_id: str = ""
    """The file that is read or embedded now, or that the news is about."""
    state: str = ""
    """News: `embedding`, `embedded`, `done`, `unchanged` or `failed`."""
    detail: str = ""
    """Passages embedded of those the file has (`3/12`), or why it failed."""


@dataclass(frozen=True, slots=True)
class DocumentRecord:
    """A document as the library lists it."""

    id: str
    title: str
    source: str
    author: str
    date: str
    paragraphs: int
    passages: int
    sentences: int
    characters: int
    content_hash: str
    path: str
    added_at: str
    """When it was last added or updated, ISO 8601 in UTC."""
    tags: tuple[str, ...] = ()
    """As in `Document`, with the next three."""
    aliases: tuple[str, ...] = ()
    description: str = ""
    written_in: str = ""
    collection: str = ""
    """The one collection that it is in; empty for none."""

    @property
    def folders(self) -> list[str]:
        """The folders that it lies in, as its id has them, the nearest first."""
        folder, slash, _ = self.id.rpartition("/")
        return upwards([folder]) if slash else []

    @property
    def kinds(self) -> list[str]:
        """The ending of its file, without the dot; none where it has none."""
        _, dot, kind = self.path.rsplit("/", 1)[-1].rpartition(".")
        return [kind.casefold()] if dot else []


def upwards(paths: Iterable[str]) -> list[str]:
    """Each path and all that it lies below: `law/eu`, `law`."""
    return list(
        dict.fromkeys(
            path.rsplit("/", up)[0] for path in paths for up in range(path.count("/") + 1)
        )
    )


@dataclass(frozen=True, slots=True)
class Origin:
    """Which file a document came from, so that it can come from there again."""

    document_id: str
    place: str
    """The folder or file that was added."""
    path: str


@dataclass(frozen=True, slots=True)
class Receipt:
    """Proof of a removal: what went, counted before, and what is left of it, counted after."""

    documents: tuple[str, ...]
    passages: int
    sentences: int
    vectors: int
    left: int
    """Rows of the removed documents still found afterwards; 0."""
    origins: tuple[Origin, ...] = ()
    """Their files, for `Library.restore`."""
    tags: tuple[tuple[str, tuple[str, ...]], ...] = ()
    """The tags that they had been given, by document id, for the same."""
    cards: tuple[tuple[str, CatalogueCard], ...] = ()
    """What was known of their files from where they were got, by path, for the same."""
    collections: tuple[tuple[str, str], ...] = ()
    """The collections that these files themselves were put into, by path, for the same."""


@dataclass(frozen=True, slots=True)
class LibraryStats:
    """How big a library is and how it searches."""

    documents: int
    passages: int
    sentences: int
    change: int
    vectors: str
    """`flat` (exact) or `hnsw` (approximate)."""
    encoder: str
    bytes: int
    """Size on disk of everything in the library's folder."""


@dataclass(frozen=True, slots=True)
class CheckLine:
    """One thing that was checked."""

    name: str
    ok: bool
    detail: str


@dataclass(frozen=True, slots=True)
class CheckReport:
    """The outcome of checking a library."""

    lines: tuple[CheckLine, ...]

    @property
    def ok(self) -> bool:
        """Whether every check passed."""
        return all(line.ok for line in self.lines)


def section_at(headings: Sequence[Heading], at: int) -> str:
    """The headings above a place of a text, from the first rank down; empty before the first."""
    path: list[str] = []
    lowest = 99
    for heading in reversed(headings[: bisect_right(headings, at, key=_start)]):
        if heading.level < lowest:
            path.append(heading.text)
            lowest = heading.level
    return SECTION_MARK.join(reversed(path))


SECTION_MARK = " \N{SINGLE RIGHT-POINTING ANGLE QUOTATION MARK} "


def _start(part: Page | Heading) -> int:
    return part.start


def _first(place: tuple[int, Location]) -> int:
    return place[0]


def _least_sure(places: Sequence[Page] | Sequence[Location]) -> float:
    """How sure recognition was of the least sure of some places; 0 when none was recognised."""
    return min((place.recognised for place in places if place.recognised), default=0.0)


def title_from_id(document_id: str) -> str:
    """A readable name from a file's path: `news/Apollo_program.txt` gives `Apollo program`."""
    stem = document_id.rsplit("/", 1)[-1]
    if "." in stem.strip("."):
        stem = stem.rsplit(".", 1)[0]
    return " ".join(stem.replace("_", " ").split()) or document_id


Ids = NDArray[np.int64]
