"""Which checked statements are shown, and which sentences beside them. Pure, no model.

The rules differ for a small model, which has often left the point while every word it wrote
stands in its source; measured on SQuAD questions (see the README).
"""

from __future__ import annotations

from collections.abc import Sequence

from rag.grounding import evidence, support
from rag.query.answer_type import list_topic
from rag.query.question import QueryVariant
from rag.query.text_features import TextFeatures
from rag.types import NEAR_BEST_SHARE, Evidence, RankedSentence, Verified

# Sentences believed in this much as compared with the best one are shown beside it, at most so
# many: one more where a number, a time, a person or a place is asked for, two where it takes more
# words to answer. Quotes only, 250 SQuAD and 88 CLAPNQ questions: right and citing gold .74 -> .80
# and .28 -> .39 as against the best sentence alone, of the citations .68 and .63 hold gold (.78 and
# .64). More sentences go on in the same way: .15 and three give .82 and .46 at .58 and .59.
_VALUE: tuple[float, int] = (0.6, 1)
_PROSE: tuple[float, int] = (0.4, 2)
# A list is as long as a person reads, of sentences that hold this share of the words asked for.
_LONGEST_LIST, _LISTED = 8, 0.66


def rejection_reason(
    verified: Verified, shown: Sequence[Verified], best: Evidence, *, small: bool
) -> str:
    """Why a checked statement is not shown all the same; empty when it is.

    A small model says a sentence once; a larger one may say two things from it. Both keep to the
    point: what leads away from it is as often an order in a document as a thought of the model's.
    """
    said = TextFeatures(verified.text)
    for one in shown:
        alike = evidence.says_the_same(said, TextFeatures(one.text))
        if alike or (small and verified.evidence == one.evidence):
            return "said before"
    far = max(one.score for one in verified.evidence) < NEAR_BEST_SHARE * best.score
    return "beside the point" if far else ""


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
    told = {one.key for verified in shown for one in verified.evidence}
    first = [best] if best.key not in told else []
    told |= {one.key for one in first}
    wordless = all(one.quoted for one in shown)
    share, most = _PROSE if question.answer_type in ("why", "other") else _VALUE
    close = [one for one in chosen if one.is_primary and one.score >= share * best.score]
    close = sorted((one for one in close if one.key not in told), key=lambda one: -one.score)
    more = {one.key: one for one in [*close[: most if small or wordless else 0], *beside]}
    last = [one for place, one in more.items() if place not in told]
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
        if len(items) == _LONGEST_LIST:
            break
        held = len(wanted & sentence.features.stems) >= _LISTED * len(wanted)
        if held and not any(
            evidence.says_the_same(sentence.features, item.features) for item in items
        ):
            items.append(sentence)
    return items


def _loses_something(question: QueryVariant, verified: Verified) -> bool:
    """Whether a fact is lost, or nothing is left but the question's own words."""
    asked, said = question.features, TextFeatures(verified.text)
    source = TextFeatures(" ".join(one.text for one in verified.evidence))
    facts = (source.names | source.numbers) - asked.names - asked.numbers - asked.word_set
    kept = facts <= said.names | said.numbers | said.word_set
    return not (kept and (source.stems - asked.stems) & said.stems)
