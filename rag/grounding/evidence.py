"""Read sentences → the few numbered ones the model will see, inside a token budget."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from dataclasses import replace

from rag.query.text_features import content_stems
from rag.reader import RankedSentence
from rag.types import Evidence

MAX_EVIDENCE = 6
"""Leading sentences at most: the sixth holds the answer in fewer than one question in a hundred."""
# `[1] ` and the line's end
_MARKER_TOKENS = 5
# A sentence that opens like this leans on the one before it.
_LEANS = re.compile(
    r"(?:he|she|it|they|his|her|its|their|this|that|these|those|such|there|here|then|both|"
    r"however|but|and|so|also|instead|the (?:agreement|company|group|treaty|plan|move|two|latter|"
    r"former|same))\b",
    re.IGNORECASE,
)


def select(
    sentences: Sequence[RankedSentence], count: Callable[[str], int], budget: int
) -> tuple[Evidence, ...]:
    """The best sentences that fit, numbered from 1, the best one last.

    Last is next to the question, where a small model looks: SmolLM2-135M points at the last
    sentence nearly always, so the last one had better be right. A sentence that leans on the one
    before it ("He said …") brings that one along, not as an answer but to be understood. The best
    sentence is always there, budget or not.

    Args:
        sentences: from the reader, best first.
        count: tokens of a text in the model's own vocabulary.
        budget: tokens for all the sentences together.
    """
    chosen: list[tuple[Evidence, ...]] = []
    told: list[set[str]] = []
    spent = 0
    for sentence in sentences:
        if len(chosen) == MAX_EVIDENCE:
            break
        stems = set(content_stems(sentence.text))
        cost = count(sentence.text) + _MARKER_TOKENS
        if any(same(stems, other) for other in told) or (chosen and spent + cost > budget):
            continue
        spent += cost
        told.append(stems)
        group: tuple[Evidence, ...] = (_evidence(sentence, sentence.position, is_primary=True),)
        before = _leaned_on(sentence, [one for other in chosen for one in other])
        if before is not None:
            extra = count(before.text) + _MARKER_TOKENS
            if spent + extra <= budget:
                spent += extra
                group = (before, *group)
        chosen.append(group)
    ordered = [one for group in reversed(chosen) for one in group]
    return tuple(replace(one, id=number) for number, one in enumerate(ordered, start=1))


def reuse_prefix(
    before: Sequence[Evidence], chosen: tuple[Evidence, ...], count: Callable[[str], int], most: int
) -> tuple[Evidence, ...]:
    """The sentences for a follow-up, as a prompt that goes on where the one before ended.

    What the model has read at the same place need not be read again. So when half of the sentences
    were in the prompt before, that prompt's come first, in its order, then the new ones, and the
    best one last, a second time if need be. Only those that were chosen now may be pointed at.

    Args:
        before: what the prompt before held, in order.
        chosen: from `select`.
        count: tokens of a text in the model's own vocabulary.
        most: tokens for all the sentences together; `chosen` as it is when they would be more.
    """
    best, known = _place(top(chosen)), {_place(one) for one in before}
    now = {_place(one): one for one in chosen}
    if 2 * len(known & now.keys()) < len(chosen):
        return chosen
    old = [now.get(_place(one), replace(one, is_primary=False, score=0.0)) for one in before]
    old = [replace(one, is_primary=one.is_primary and _place(one) != best) for one in old]
    new = [one for one in chosen if _place(one) not in known or _place(one) == best]
    ordered = [*old, *new]
    if sum(count(one.text) + _MARKER_TOKENS for one in ordered) > most:
        return chosen
    return tuple(replace(one, id=number) for number, one in enumerate(ordered, start=1))


def _place(one: Evidence) -> tuple[str, int, str]:
    return one.document_id, one.start, one.text


def top(evidence: Sequence[Evidence]) -> Evidence:
    """The sentence that answers best, among those chosen on their own account."""
    return max((one for one in evidence if one.is_primary), key=lambda one: one.score)


def as_evidence(sentence: RankedSentence) -> Evidence:
    """A sentence as evidence outside the prompt, to be quoted beside the answer."""
    return _evidence(sentence, sentence.position, is_primary=True)


def _leaned_on(sentence: RankedSentence, chosen: Sequence[Evidence]) -> Evidence | None:
    """The sentence before a leaning one, unless it is there already or there is none."""
    if not sentence.position or not _LEANS.match(sentence.text.lstrip("\"'“‘(")):
        return None
    before = _evidence(sentence, sentence.position - 1, is_primary=False)
    there = any(
        one.document_id == before.document_id and one.start == before.start for one in chosen
    )
    return None if there else before


def _evidence(sentence: RankedSentence, position: int, *, is_primary: bool) -> Evidence:
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
        score=sentence.score if is_primary else 0.0,
        is_primary=is_primary,
        passage_start=hit.start,
        passage_end=hit.end,
        also=hit.also,
    )


def same(a: set[str], b: set[str]) -> bool:
    """Whether two sentences, as sets of stems, say the same."""
    return bool(a) and len(a & b) >= 0.9 * len(a | b)
