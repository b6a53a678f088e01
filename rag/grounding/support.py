"""Whether evidence carries a statement, and what to show when it does not."""

from __future__ import annotations

import re
from collections.abc import Sequence

from rag.grounding.injection import looks_like_injection
from rag.grounding.limits import LIMITS
from rag.grounding.verification.contradiction import find_contradiction
from rag.query.text_features import content_stems, names, negations, numbers, stem
from rag.types import Draft, Evidence, Verified

MIN_SUPPORT = LIMITS.min_support

EVERY_WORD = 1.0
"""The share that a small model's statement needs: it may only leave words out."""


def support(statement: str, sources: Sequence[str]) -> float:
    """How well source sentences carry a statement, in [0, 1]; 0 when they contradict its facts.

    Every number and every name in the statement must occur in the sources, the statement must deny
    exactly when they do, and it must not contradict them in their own words; then the share of its
    content words they hold.
    """
    source = " ".join(sources)
    if not numbers(statement) <= numbers(source):
        return 0.0
    source_stems = {stem(word) for word in re.findall(r"\w+", source.lower())}
    if any(not _named(name, source_stems) for name in names(statement)):
        return 0.0
    if (negations(statement) > 0) != (negations(source) > 0):
        return 0.0
    if find_contradiction(statement, sources):
        return 0.0
    stems = set(content_stems(statement))
    if not stems:
        return 0.0
    return len(stems & set(content_stems(source))) / len(stems)


def verify(
    draft: Draft, evidence: Sequence[Evidence], enough: float = MIN_SUPPORT
) -> Verified | None:
    """The draft with evidence that carries it, the source's own words instead, or nothing.

    Keep it when the sentences it points at support it. Else point it at the sentence that supports
    it best. Else say what the first sentence it points at says, in that sentence's words. Else,
    when it points at nothing there is, drop it. A sentence that gives orders is only ever quoted.

    Args:
        draft: what the model wrote.
        evidence: the sentences it was shown.
        enough: the support below which a statement does not stand, in (0, 1].
    """
    by_id = {sentence.id: sentence for sentence in evidence}
    cited = tuple(by_id[i] for i in dict.fromkeys(draft.ids) if i in by_id)
    if cited and support(draft.text, [sentence.text for sentence in cited]) >= enough:
        needed = _needed(draft.text, cited)
        injected = next((piece for piece in needed if looks_like_injection(piece.text)), None)
        return quote(injected) if injected else Verified(draft.text, needed, False, "kept")
    best = max(evidence, key=lambda piece: support(draft.text, [piece.text]), default=None)
    if best is not None and support(draft.text, [best.text]) >= enough:
        if looks_like_injection(best.text):
            return quote(best)
        return Verified(draft.text, (best,), False, "re-pointed")
    primary = next((sentence for sentence in cited if sentence.is_primary), None)
    return quote(primary) if primary else None


def quote(sentence: Evidence) -> Verified:
    """A sentence as its own statement."""
    return Verified(" ".join(sentence.text.split()), (sentence,), True, "replaced")


def _needed(text: str, cited: tuple[Evidence, ...]) -> tuple[Evidence, ...]:
    """Of several cited sentences those that carry something the ones before do not."""
    uncarried = set(content_stems(text)) | numbers(text)
    needed: list[Evidence] = []
    for sentence in cited:
        carried = uncarried & (set(content_stems(sentence.text)) | numbers(sentence.text))
        if carried:
            needed.append(sentence)
            uncarried -= carried
    return tuple(needed) or cited[:1]


def _named(name: str, source_stems: set[str]) -> bool:
    return all(stem(part) in source_stems for part in re.findall(r"\w+", name))
