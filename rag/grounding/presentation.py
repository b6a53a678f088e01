"""Which checked statements are shown, and which sentences beside them. Pure, no model.

The rules differ for a small model, which has often left the point while every word it wrote
stands in its source.
"""

from __future__ import annotations

from collections.abc import Sequence

from rag.grounding import evidence, support
from rag.grounding.limits import LIMITS
from rag.query.answer_type import list_topic
from rag.query.question import QueryVariant
from rag.query.text_features import TextFeatures
from rag.types import NEAR_BEST_SHARE, Evidence, RankedSentence, Rejection, Verified


def rejection_reason(
    verified: Verified, shown: Sequence[Verified], best: Evidence, *, small: bool
) -> Rejection | None:
    """Why a checked statement is not shown all the same; None when it is.

    A small model says a sentence once; a larger one may say two things from it. Both keep to the
    point: what leads away from it is as often an order in a document as a thought of the model's.
    """
    said = TextFeatures(verified.text)
    for one in shown:
        alike = evidence.says_the_same(said, TextFeatures(one.text))
        if alike or (small and verified.evidence == one.evidence):
            return "said before"
    far = max(evidence.score for evidence in verified.evidence) < NEAR_BEST_SHARE * best.score
    return "beside the point" if far else None


def undo_lossy_shortening(question: QueryVariant, verified: Verified) -> Verified:
    """The statement, or its sentence when shortening it has lost a fact."""
    if verified.quoted or not _loses_something(question, verified):
        return verified
    return support.quote(verified.evidence[0])


def add_supporting_quotes(
    shown: Sequence[Verified],
    chosen: Sequence[Evidence],
    beside: Sequence[Evidence],
    question: QueryVariant,
    *,
    small: bool,
) -> list[Verified]:
    """The statements with the sentences that belong beside them, quoted; empty when none do.

    Args:
        shown: what the model said and what stood the check.
        chosen: the sentences the model was shown. The best is told, first when nothing rests on it.
        beside: sentences to be told in any case: those that disagree, or those of a list.
        question: in the wording that was searched for.
        small: whether sentences nearly as good as the best are told as well; where a larger model
            has said nothing in its own words, they are too.
    """
    best = evidence.top(chosen)
    told = {evidence.key for verified in shown for evidence in verified.evidence}
    first = [best] if best.key not in told else []
    told |= {piece.key for piece in first}
    wordless = all(verified.quoted for verified in shown)
    if question.answer_type in ("why", "other"):
        share, most = LIMITS.prose_share, LIMITS.prose_sentences
    else:
        share, most = LIMITS.value_share, LIMITS.value_sentences
    close = [piece for piece in chosen if piece.is_primary and piece.score >= share * best.score]
    close = sorted((p for p in close if p.key not in told), key=lambda piece: -piece.score)
    more = {piece.key: piece for piece in [*close[: most if small or wordless else 0], *beside]}
    last = [piece for key, piece in more.items() if key not in told]
    if not first and not last:
        return []
    return [*map(support.quote, first), *shown, *map(support.quote, last)]


def list_items(question: QueryVariant, sentences: Sequence[RankedSentence]) -> list[RankedSentence]:
    """The sentences of a list: those that hold most of what it is a list of, best first.

    Args:
        question: in the wording that was searched for.
        sentences: of every hit, ranked, best first.
    """
    wanted = TextFeatures(list_topic(question.text)).stems
    items: list[RankedSentence] = []
    for sentence in sentences:
        if len(items) == LIMITS.list_sentences:
            break
        held = len(wanted & sentence.features.stems) >= LIMITS.list_coverage * len(wanted)
        if held and not any(
            evidence.says_the_same(sentence.features, item.features) for item in items
        ):
            items.append(sentence)
    return items


def _loses_something(question: QueryVariant, verified: Verified) -> bool:
    """Whether a fact is lost, or nothing is left but the question's own words."""
    asked, said = question.features, TextFeatures(verified.text)
    source = TextFeatures(" ".join(evidence.text for evidence in verified.evidence))
    facts = (source.names | source.numbers) - asked.names - asked.numbers - asked.word_set
    kept = facts <= said.names | said.numbers | said.word_set
    return not (kept and (source.stems - asked.stems) & said.stems)
