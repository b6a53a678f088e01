"""A run of sentences, made as long as an explanation by what stands around it in its document.

A passage is a paragraph, and on many pages a paragraph is a heading, an item of a list or a line
of a menu: what a heading announces stands in the passages after it.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from index.types import Document, Passage, Sentence
from rag.types import Quotation


def stretched(
    run: Quotation, document: Document, passages: Sequence[Passage], budget: int
) -> Quotation:
    """The run with the sentences after it, then those before it, as far as they fit.

    Args:
        run: of this document.
        document: where it stands.
        passages: all of them, in order.
        budget: words for the whole run.
    """
    sentences = neighbours(_section(run, passages), document.text, run.start)
    inside = [i for i, s in enumerate(sentences) if s.start < run.end and run.start < s.end]
    if not inside:
        return run
    first, last, room = inside[0], inside[-1], budget - run.length
    grown_last, room = _grown(sentences[last + 1 :], room)
    grown_first, _ = _grown(sentences[:first][::-1], room)
    start = sentences[first - grown_first].start if grown_first else run.start
    end = sentences[last + grown_last].end if grown_last else run.end
    paragraph = next(p.paragraph for p in passages if p.start <= start < p.end)
    return replace(run, start=start, end=end, text=document.text[start:end], paragraph=paragraph)


def neighbours(sentences: Sequence[Sentence], text: str, start: int) -> list[Sentence]:
    """The sentences around a place with nothing but white space between them.

    Headings, captions and the like stand between sentences and belong to no passage: a quote that
    ran over one would show it in the middle.

    Args:
        sentences: of one document, in order.
        text: the document's.
        start: where one of them, or part of it, begins.
    """
    block: list[Sentence] = []
    for sentence in sentences:
        if block and text[block[-1].end : sentence.start].strip():
            if block[-1].end > start:
                break
            block = []
        block.append(sentence)
    return block


def _section(run: Quotation, passages: Sequence[Passage]) -> list[Sentence]:
    """The sentences of the section that a run stands in, which headings of Markdown bound."""
    section: list[Sentence] = []
    for passage in passages:
        if passage.text.startswith("#"):
            if passage.start >= run.end:
                break
            if passage.end <= run.start:
                section = []
                continue
        section += passage.sentences
    return section


def _grown(sentences: Sequence[Sentence], room: int) -> tuple[int, int]:
    """How many of the sentences fit, in their order, and the words that are left."""
    for count, sentence in enumerate(sentences):
        length = len(sentence.text.split())
        if length > room:
            return count, room
        room -= length
    return len(sentences), room
