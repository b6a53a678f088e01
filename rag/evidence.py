"""Read sentences → the few numbered ones the model will see, inside a token budget."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from dataclasses import replace

from rag.reader import ReadSentence
from rag.types import Evidence
from rag.wording import content_stems

MOST = 6
"""Leading sentences at most: the sixth holds the answer in fewer than one question in a hundred."""
# A sentence that opens like this leans on the one before it.
_LEANS = re.compile(
    r"(?:he|she|it|they|his|her|its|their|this|that|these|those|such|there|here|then|both|"
    r"however|but|and|so|also|instead|the (?:agreement|company|group|treaty|plan|move|two|latter|"
    r"former|same))\b",
    re.IGNORECASE,
)


def select(
    sentences: Sequence[ReadSentence], count: Callable[[str], int], budget: int
) -> tuple[Evidence, ...]:
    """The best sentences that fit, numbered from 1, best first.

    A sentence that leans on the one before it ("He said …") brings that one along, right before
    it, not as an answer but to be understood. The best sentence is always there, budget or not.

    Args:
        sentences: from the reader, best first.
        count: tokens of a text in the model's own vocabulary.
        budget: tokens for all the sentences together.
    """
    chosen: list[Evidence] = []
    told: list[set[str]] = []
    spent = 0
    for sentence in sentences:
        if sum(one.lead for one in chosen) == MOST:
            break
        stems = set(content_stems(sentence.text))
        if any(_same(stems, other) for other in told):
            continue
        cost = count(sentence.text)
        if chosen and spent + cost > budget:
            continue
        before = _leaned_on(sentence, chosen)
        if before is not None and spent + cost + count(before.text) <= budget:
            chosen.append(before)
            spent += count(before.text)
        chosen.append(_evidence(sentence, sentence.position, lead=True))
        told.append(stems)
        spent += cost
    return tuple(_numbered(one, i) for i, one in enumerate(chosen, start=1))


def _leaned_on(sentence: ReadSentence, chosen: Sequence[Evidence]) -> Evidence | None:
    """The sentence before a leaning one, unless it is there already or there is none."""
    if not sentence.position or not _LEANS.match(sentence.text.lstrip("\"'“‘(")):
        return None
    before = _evidence(sentence, sentence.position - 1, lead=False)
    there = any(
        one.document_id == before.document_id and one.start == before.start for one in chosen
    )
    return None if there else before


def _evidence(sentence: ReadSentence, position: int, *, lead: bool) -> Evidence:
    hit = sentence.hit
    one = hit.sentences[position]
    return Evidence(
        id=0,
        document_id=hit.document_id,
        title=hit.title,
        source=hit.source,
        date=hit.date,
        paragraph=hit.paragraph,
        start=one.start,
        end=one.end,
        text=one.text,
        score=sentence.score if lead else 0.0,
        lead=lead,
        passage_start=hit.start,
        passage_end=hit.end,
        also=hit.also,
    )


def _numbered(evidence: Evidence, number: int) -> Evidence:
    return replace(evidence, id=number)


def _same(a: set[str], b: set[str]) -> bool:
    return bool(a) and len(a & b) >= 0.9 * len(a | b)
