"""A document's text → paragraphs, sentences and passages, all as offsets into that text.

Pure functions; nothing here knows files, models or the store. The invariant, for every value
made here: `document.text[x.start:x.end] == x.text`, sentences lie inside their passage, passages
inside their paragraph, and every character of prose that is not white space is in exactly one
passage.
"""

from __future__ import annotations

import re
from bisect import bisect_left
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import cache
from itertools import islice

from index.types import Document, Passage, Sentence, Span

CHUNKER = "paragraphs-1"
"""Name and version of the splitting rules; stored with the library, which refuses a mixture."""

_BLANK_LINE = re.compile(r"\n[^\S\n]*\n\s*")
_LINE = re.compile(r"[^\n]+")
# A line this long was not wrapped by hand: typewriters, mails and RFCs wrap at 60 to 100.
_UNWRAPPED = 120
# A sentence ends after 。！？ and what closes with it, whatever follows: CJK uses no spaces.
_CJK_END = re.compile(r"[。！？｡]+[」』”’）】》\"')\]]*")
# nupunkt reads text in one go; a paragraph beyond this is cut at white space first, for memory.
_LONGEST_READ = 100_000
# Ordinary text has two to seven characters a word piece. What has more than this many for each that
# a passage may have is taken to be too long without being counted: the counting of a whole book
# takes two hundred times its size in memory, and is done again for every half of it.
_LONGEST_PIECE = 20


class TooManyParts(ValueError):
    """A text in more pieces than can be kept; the message says so in one line."""


@dataclass(frozen=True, slots=True)
class Most:
    """How many parts a text may have; one of 50 MB as people write it has a third of these."""

    passages: int = 200_000
    sentences: int = 2_000_000


def _go_on() -> None:
    """Nobody wants to stop."""


def paragraphs(document: Document) -> list[Span]:
    """The document's paragraphs in order, without its furniture and without outer white space.

    Blank lines part paragraphs. Inside a block without blank lines, long lines are paragraphs of
    their own (news exports), short ones are hand-wrapped prose and stay together.
    """
    return list(_paragraphs(document))


def sentences(text: str, span: Span) -> list[Sentence]:
    """The sentences of `text[span.start:span.end]`, trimmed, in order, covering all its words."""
    return list(_sentences(text, span, _go_on))


def passages(
    document: Document,
    count: Callable[[str], int],
    budget: int,
    pause: Callable[[], None] = _go_on,
    most: Most = Most(),
) -> list[Passage]:
    """Cut a document into passages of at most `budget` word pieces.

    A paragraph that fits is one passage. A longer one is halved at the sentence boundary nearest
    its middle until every part fits, so that no part is a leftover of a few words. A sentence that
    is too long by itself is halved at white space.

    Args:
        document: what to cut.
        count: word pieces of a text, as the encoder will count them, without special tokens.
        budget: the most word pieces a passage may have; at least 1.
        pause: called at least once for every passage and every hundred thousand characters; what
            it raises ends the work.
        most: how many there may be.

    Raises:
        TooManyParts: for a text of crumbs.
    """
    text, made, left = document.text, list[Passage](), most.sentences
    for number, span in enumerate(_paragraphs(document), start=1):
        parts = list(islice(_sentences(text, span, pause), left + 1))
        left -= len(parts)
        if left < 0:
            raise TooManyParts(f"too big: more than {most.sentences:,} sentences")
        for part in _fit(text, parts, count, budget):
            pause()
            start, end = part[0].start, part[-1].end
            made.append(Passage(number, start, end, text[start:end], tuple(part)))
            if len(made) > most.passages:
                raise TooManyParts(f"too big: more than {most.passages:,} passages")
    return made


def _paragraphs(document: Document) -> Iterator[Span]:
    for region in _prose(document):
        for block in _split(document.text, region, _BLANK_LINE):
            yield from _lines_or_whole(document.text, block)


def _sentences(text: str, span: Span, pause: Callable[[], None]) -> Iterator[Sentence]:
    for piece in _bounded(text, span):
        pause()
        for part in _sentence_spans(text, piece):
            yield Sentence(part.start, part.end, text[part.start : part.end])


def _prose(document: Document) -> Iterator[Span]:
    """What is left of the text when its furniture is taken away."""
    at = 0
    for span in document.boilerplate:
        if span.start > at:
            yield Span(at, span.start)
        at = max(at, span.end)
    if at < len(document.text):
        yield Span(at, len(document.text))


def _split(text: str, span: Span, separator: re.Pattern[str]) -> Iterator[Span]:
    """The trimmed, non-empty pieces of a span between matches of a separator."""
    at = span.start
    for match in separator.finditer(text, span.start, span.end):
        yield from _trimmed(text, at, match.start())
        at = match.end()
    yield from _trimmed(text, at, span.end)


def _trimmed(text: str, start: int, end: int) -> Iterator[Span]:
    """The span without outer white space, or nothing when nothing else is in it."""
    piece = text[start:end]
    left = len(piece) - len(piece.lstrip())
    right = len(piece.rstrip())
    if right > left:
        yield Span(start + left, start + right)


def _lines_or_whole(text: str, block: Span) -> Iterator[Span]:
    """The lines of a block when they are paragraphs of their own, else the block itself."""
    # weighed by length: headings and one-word lines say little about how a text is wrapped
    total = in_long = 0
    for line in _lines(text, block):
        length = line.end - line.start
        total += length
        in_long += length if length > _UNWRAPPED else 0
    return _lines(text, block) if 2 * in_long > total else iter([block])


def _lines(text: str, block: Span) -> Iterator[Span]:
    for match in _LINE.finditer(text, block.start, block.end):
        yield from _trimmed(text, match.start(), match.end())


def _sentence_spans(text: str, span: Span) -> Iterator[Span]:
    for part in _after(text, span, _CJK_END):
        for start, end in _tokenizer()(text[part.start : part.end]):
            yield from _trimmed(text, part.start + start, part.start + end)


def _after(text: str, span: Span, ending: re.Pattern[str]) -> Iterator[Span]:
    """Trimmed pieces of a span, each ending with a match of `ending` (the last need not)."""
    at = span.start
    for match in ending.finditer(text, span.start, span.end):
        yield from _trimmed(text, at, match.end())
        at = match.end()
    yield from _trimmed(text, at, span.end)


def _bounded(text: str, span: Span) -> Iterator[Span]:
    """Pieces of a span short enough for the sentence splitter, cut at white space."""
    start = span.start
    while span.end - start > _LONGEST_READ:
        cut = _white_space_near(text, start + _LONGEST_READ // 2, start + _LONGEST_READ)
        yield Span(start, cut)
        start = cut
    yield Span(start, span.end)


def _white_space_near(text: str, low: int, high: int) -> int:
    """The last white space in `[low, high)`, or `high` when there is none."""
    for at in range(high - 1, low - 1, -1):
        if text[at].isspace():
            return at
    return high


@cache
def _tokenizer() -> Callable[[str], list[tuple[int, int]]]:
    # imported on first use: it loads its model of abbreviations, which `pilcrow --help` needs not
    from nupunkt import sent_spans

    def spans(text: str) -> list[tuple[int, int]]:
        return [(start, end) for start, end in sent_spans(text)]

    return spans


def _fit(
    text: str, parts: Sequence[Sentence], count: Callable[[str], int], budget: int
) -> Iterator[Sequence[Sentence]]:
    """Runs of sentences that each fit the budget, halving where they do not."""
    if not parts:
        return
    length = parts[-1].end - parts[0].start
    if length <= _LONGEST_PIECE * budget and _fits(text, parts, count, budget):
        yield parts
    elif len(parts) == 1:
        yield from _fit(text, _halved(text, parts[0]), count, budget)
    else:
        cut = _middle(parts)
        yield from _fit(text, parts[:cut], count, budget)
        yield from _fit(text, parts[cut:], count, budget)


def _fits(text: str, parts: Sequence[Sentence], count: Callable[[str], int], budget: int) -> bool:
    body = text[parts[0].start : parts[-1].end]
    return len(body) <= 1 or count(body) <= budget


def _middle(parts: Sequence[Sentence]) -> int:
    """Index of the sentence that starts nearest the middle of a run; at least 1."""
    middle = (parts[0].start + parts[-1].end) / 2
    after = bisect_left(parts, middle, 1, key=lambda part: part.start)
    nearby = range(max(1, after - 1), min(after + 1, len(parts)))
    return min(nearby, key=lambda i: abs(parts[i].start - middle))


def _halved(text: str, sentence: Sentence) -> list[Sentence]:
    """A sentence cut in two at the white space nearest its middle, else exactly there."""
    middle = (sentence.start + sentence.end) // 2
    cut = middle
    for distance in range(middle - sentence.start):
        for at in (middle - distance, middle + distance):
            if sentence.start < at < sentence.end and text[at].isspace():
                cut = at
                break
        else:
            continue
        break
    halves = [*_trimmed(text, sentence.start, cut), *_trimmed(text, cut, sentence.end)]
    return [Sentence(half.start, half.end, text[half.start : half.end]) for half in halves]
