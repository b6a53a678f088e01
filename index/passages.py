"""A document's text → paragraphs, sentences and passages, all as offsets into that text.

Pure functions; nothing here knows files, models or the store. The invariant, for every value
made here: `document.text[x.start:x.end] == x.text`, sentences lie inside their passage, passages
inside their paragraph, and every character of prose that is not white space is in exactly one
passage.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Sequence
from functools import cache

from index.types import Document, Passage, Sentence, Span

CHUNKER = "paragraphs-1"
"""Name and version of the splitting rules; stored with the library, which refuses a mixture."""

_BLANK_LINE = re.compile(r"\n[^\S\n]*\n\s*")
_LINE = re.compile(r"[^\n]+")
# A line this long was not wrapped by hand: typewriters, mails and RFCs wrap at 60 to 100.
_UNWRAPPED = 120
# A sentence ends after 。！？ and what closes with it, whatever follows: CJK uses no spaces.
_CJK_END = re.compile(r"[。！？｡]+[」』”’）】》\"')\]]*")
_CJK = re.compile(r"[\u3040-\u30ff\u3400-\u4dbf\u4e00-\u9fff\uf900-\ufaff\uac00-\ud7af]")
# nupunkt reads text in one go; a paragraph beyond this is cut at white space first, for memory.
_LONGEST_READ = 100_000


def paragraphs(document: Document) -> list[Span]:
    """The document's paragraphs in order, without its furniture and without outer white space.

    Blank lines part paragraphs. Inside a block without blank lines, long lines are paragraphs of
    their own (news exports), short ones are hand-wrapped prose and stay together.
    """
    found = []
    for region in _prose(document):
        for block in _split(document.text, region, _BLANK_LINE):
            found.extend(_lines_or_whole(document.text, block))
    return found


def sentences(text: str, span: Span) -> list[Sentence]:
    """The sentences of `text[span.start:span.end]`, trimmed, in order, covering all its words."""
    return [
        Sentence(part.start, part.end, text[part.start : part.end])
        for part in _sentence_spans(text, span)
    ]


def passages(document: Document, count: Callable[[str], int], budget: int) -> list[Passage]:
    """Cut a document into passages of at most `budget` word pieces.

    A paragraph that fits is one passage. A longer one is halved at the sentence boundary nearest
    its middle until every part fits, so that no part is a leftover of a few words. A sentence that
    is too long by itself is halved at white space.

    Args:
        document: what to cut.
        count: word pieces of a text, as the encoder will count them, without special tokens.
        budget: the most word pieces a passage may have; at least 1.
    """
    made = []
    for number, span in enumerate(paragraphs(document), start=1):
        for part in _fit(document.text, sentences(document.text, span), count, budget):
            start, end = part[0].start, part[-1].end
            made.append(Passage(number, start, end, document.text[start:end], tuple(part)))
    return made


def has_cjk(text: str) -> bool:
    """Whether the text has Chinese, Japanese or Korean characters."""
    return _CJK.search(text) is not None


def _prose(document: Document) -> Iterator[Span]:
    """What is left of the text when its furniture is taken away."""
    at = 0
    for span in document.furniture:
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


def _lines_or_whole(text: str, block: Span) -> list[Span]:
    """The lines of a block when they are paragraphs of their own, else the block itself."""
    lines = [
        span
        for match in _LINE.finditer(text, block.start, block.end)
        for span in _trimmed(text, match.start(), match.end())
    ]
    # weighed by length: headings and one-word lines say little about how a text is wrapped
    total = sum(line.end - line.start for line in lines)
    in_long = sum(n for line in lines if (n := line.end - line.start) > _UNWRAPPED)
    return lines if 2 * in_long > total else [block]


def _sentence_spans(text: str, span: Span) -> Iterator[Span]:
    for piece in _bounded(text, span):
        for part in _after(text, piece, _CJK_END):
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
    body = text[parts[0].start : parts[-1].end]
    if len(body) <= 1 or count(body) <= budget:
        yield parts
    elif len(parts) == 1:
        yield from _fit(text, _halved(text, parts[0]), count, budget)
    else:
        cut = _middle(parts)
        yield from _fit(text, parts[:cut], count, budget)
        yield from _fit(text, parts[cut:], count, budget)


def _middle(parts: Sequence[Sentence]) -> int:
    """Index of the sentence that starts nearest the middle of a run; at least 1."""
    middle = (parts[0].start + parts[-1].end) / 2
    return min(range(1, len(parts)), key=lambda i: abs(parts[i].start - middle))


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
