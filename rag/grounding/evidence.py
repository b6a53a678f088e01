"""Ranked sentences → the few numbered ones the model will see, inside a token budget."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace

from index.tokenization import facts
from rag.query.text_features import TextFeatures
from rag.query.word_lists import REFERRING_WORDS, any_of
from rag.types import Evidence, RankedSentence


@dataclass(frozen=True, slots=True)
class EvidenceLimits:
    """How much the model is shown."""

    primary: int = 6
    """Sentences chosen on their own account, at most."""
    marker_tokens: int = 5
    """Tokens of `[1] ` and the line's end."""
    duplicate: float = 0.9
    """Share of their distinct stems from which on two sentences say the same."""


LIMITS = EvidenceLimits()
# A sentence that opens like this leans on the one before it.
_LEANS = re.compile(
    rf"(?:{any_of(REFERRING_WORDS)}|such|here|both|however|but|and|so|also|instead"
    r"|the (?:agreement|company|group|treaty|plan|move|two|latter|"
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
        sentences: ranked, best first.
        count: tokens of a text in the model's own vocabulary.
        budget: tokens for all the sentences together.
    """
    groups: list[tuple[Evidence, ...]] = []
    chosen: list[TextFeatures] = []
    spent = 0
    for sentence in sentences:
        if len(groups) == LIMITS.primary:
            break
        cost = count(sentence.text) + LIMITS.marker_tokens
        if _is_repeated(sentence.features, chosen) or (groups and spent + cost > budget):
            continue
        spent += cost
        chosen.append(sentence.features)
        group: tuple[Evidence, ...] = (as_evidence(sentence),)
        before = _context(sentence)
        if before is not None and all(before.key != e.key for g in groups for e in g):
            cost = count(before.text) + LIMITS.marker_tokens
            if spent + cost <= budget:
                spent += cost
                group = (before, *group)
        groups.append(group)
    return _numbered(sentence for group in reversed(groups) for sentence in group)


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
    best, known = _identity(top(chosen)), {_identity(piece) for piece in before}
    now = {_identity(piece): piece for piece in chosen}
    if 2 * len(known & now.keys()) < len(chosen):
        return chosen
    old = [now.get(_identity(piece), _as_context(piece.sentence)) for piece in before]
    old = [
        replace(piece, is_primary=piece.is_primary and _identity(piece) != best) for piece in old
    ]
    new = [piece for piece in chosen if _identity(piece) not in known or _identity(piece) == best]
    ordered = [*old, *new]
    if sum(count(piece.text) + LIMITS.marker_tokens for piece in ordered) > most:
        return chosen
    return _numbered(ordered)


class LastPrompt:
    """The sentences of the prompt that is in the model's cache. Usable from many threads."""

    def __init__(self) -> None:
        """Start with nothing read."""
        # one tuple, so that whoever reads it meets one prompt and not parts of two
        self._kept: tuple[str, int, tuple[Evidence, ...]] = "", 0, ()

    def keep(self, question: str, change: int, shown: Sequence[Evidence]) -> None:
        """Remember the prompt that the model reads now.

        Args:
            question: as typed.
            change: the library's change number: later its sentences may be gone.
            shown: the prompt's sentences, in order.
        """
        self._kept = question, change, tuple(shown)

    def sentences(self, question: str, change: int) -> tuple[Evidence, ...]:
        """The sentences of the prompt for a question; empty when another one came after it."""
        kept, then, shown = self._kept
        return shown if (kept, then) == (question, change) else ()


def top(evidence: Sequence[Evidence]) -> Evidence:
    """The sentence that answers best, among those chosen on their own account."""
    return max((piece for piece in evidence if piece.is_primary), key=lambda piece: piece.score)


def as_evidence(sentence: RankedSentence) -> Evidence:
    """A sentence as evidence, not numbered: to be quoted beside the answer."""
    return Evidence(0, sentence, is_primary=True)


def says_the_same(one: TextFeatures, other: TextFeatures) -> bool:
    """Whether two sentences share nearly all of their stems, and every number, name and denial."""
    a, b = one.stems, other.stems
    alike = bool(a) and len(a & b) >= LIMITS.duplicate * len(a | b)
    return alike and facts(one.text) == facts(other.text)


def _is_repeated(sentence: TextFeatures, chosen: Sequence[TextFeatures]) -> bool:
    return any(says_the_same(sentence, other) for other in chosen)


def _context(sentence: RankedSentence) -> Evidence | None:
    """The sentence before a leaning one, to be understood; None when it leans on nothing."""
    if not sentence.position or not _LEANS.match(sentence.text.lstrip("\"'“‘(")):
        return None
    return _as_context(RankedSentence.of(sentence.hit, sentence.position - 1, 0.0))


def _as_context(sentence: RankedSentence) -> Evidence:
    return Evidence(0, replace(sentence, score=0.0))


def _numbered(evidence: Iterable[Evidence]) -> tuple[Evidence, ...]:
    return tuple(replace(one, id=number) for number, one in enumerate(evidence, start=1))


def _identity(one: Evidence) -> tuple[str, int, str]:
    """A sentence's document, place and words: a prompt may be older than the library's text."""
    return *one.key, one.text
