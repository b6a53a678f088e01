"""One reader per file format: bytes → `Document`.

`.txt` and `.md` keep their text exactly, so that offsets are the file's. From the others the text
is rebuilt, one paragraph per block, and what cannot be seen (`strip_invisible`) is left out.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import replace

from index.formats import front_matter
from index.formats.bylines import clean
from index.formats.dates import parse_date
from index.tokenization import sound, strip_invisible
from index.types import Document, Heading, Page, Span


class Unreadable(Exception):
    """A file that cannot become a document; `reason` says why in one line."""

    def __init__(self, reason: str) -> None:
        self.reason = clean(reason)
        super().__init__(self.reason)


NO_WORDS = "no words in this picture"


class Wordless(Unreadable):
    """A picture without words: nothing is wrong with it, and there is nothing to read."""


def damaged(kind: str, error: Exception) -> Unreadable:
    """What to say when a parser gives up: the parsers' own errors are of every type there is.

    Raises:
        MemoryError: when it is one; how much there was to have is known elsewhere.
    """
    if isinstance(error, MemoryError):
        raise error
    detail = next(iter(str(error).splitlines()), "")
    return Unreadable(f"damaged {kind}: {detail or type(error).__name__}")


_SOFT_HYPHEN = "\N{SOFT HYPHEN}"
"""Seen where a line happens to break, so not among what is invisible; in a word it is no letter."""


def tidy(text: str) -> str:
    """A block of rebuilt text: unseen characters out, white space single, line breaks kept."""
    text = sound(strip_invisible(text.replace("\r", "\n").replace(_SOFT_HYPHEN, "")))
    lines = (" ".join(line.split()) for line in text.split("\n"))
    return "\n".join(line for line in lines if line)


Parser = Callable[[str, bytes], Document]
"""A format's reader: document id and the file's bytes in, `Unreadable` if it must."""
Block = tuple[str, int]
"""A paragraph's text, and its rank as a heading: 1 is the first, 0 is prose, 9 is its title."""
TITLE = 9
UNTITLED = " "
"""For `rebuilt`: there is no title, and none is to be guessed from the first line."""


def joined(blocks: Iterable[Block]) -> tuple[str, list[Heading]]:
    """Blocks as one text, parted by blank lines, and its headings."""
    parts: list[str] = []
    headings: list[Heading] = []
    at = 0
    for text, level in blocks:
        if text := tidy(text):
            parts.append(text)
            if level:
                headings.append(Heading(at, level, text))
            at += len(text) + 2
    return "\n\n".join(parts), headings


def paged(
    blocks: Iterable[tuple[int, Block]], kind: str, labels: Sequence[str] = ()
) -> tuple[str, list[Heading], list[Page]]:
    """Blocks with the number of their page as one text, its headings, and where its pages begin.

    Args:
        blocks: each with its page, slide, sheet or chapter, counted from 1.
        kind: what these are: `slide`.
        labels: what each is called, where that is not its number.
    """
    numbered = [(number, block) for number, block in blocks if tidy(block[0])]
    text, headings = joined(block for _, block in numbered)
    pages: list[Page] = []
    at = 0
    for number, (said, _) in numbered:
        if not pages or pages[-1].number != number:
            label = clean(labels[number - 1]) if number <= len(labels) else str(number)
            pages.append(Page(at, number, label, kind))
        at += len(tidy(said)) + 2
    return text, headings, pages


def rebuilt(
    document_id: str,
    text: str,
    headings: Sequence[Heading],
    *,
    title: str = "",
    source: str = "",
    author: str = "",
    date: str = "",
    pages: Sequence[Page] = (),
) -> Document:
    """A document from what its format states, completed by what its text states."""
    if not title and headings and headings[0].start == 0:
        title = headings[0].text
    spans = [Span(h.start, h.start + len(h.text)) for h in headings]
    front = front_matter.read(text, title=title, boilerplate=spans)
    return Document(
        document_id,
        front.title,
        text,
        source or front.source,
        author or front.author,
        date or front.date,
        front.boilerplate,
        written_in=front.written_in,
        pages=tuple(pages),
        headings=tuple(
            replace(h, text=clean(h.text))
            for h in headings
            if h.level < TITLE and clean(h.text) != front.title
        ),
    )


def completed(document: Document, *, author: str, date: str) -> Document:
    """The document with the author and date of its file, where its text states none."""
    return replace(
        document, author=document.author or clean(author), date=document.date or parse_date(date)
    )
