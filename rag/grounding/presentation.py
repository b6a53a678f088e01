"""Which checked statements are shown, and which sentences beside them. Pure, no model.

The rules differ for a small model, which has often left the point while every word it wrote
stands in its source; measured on SQuAD questions (see the README).
"""

from __future__ import annotations

from collections.abc import Sequence

from index.tokenization import words
from rag.grounding import evidence, support
from rag.query.answer_type import answer_type, list_topic
from rag.query.text_features import content_stems, names, numbers
from rag.reader import RankedSentence
from rag.types import Evidence, Verified

# A statement may rest on a sentence believed in at least this much as compared with the best one.
_TO_THE_POINT = 0.25
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
    said = set(content_stems(verified.text))
    for one in shown:
        alike = evidence.same(said, set(content_stems(one.text)))
        if alike or (small and verified.evidence == one.evidence):
            return "said before"
    far = max(one.score for one in verified.evidence) < _TO_THE_POINT * best.score
    return "beside the point" if far else ""


def undo_lossy_shortening(question: str, verified: Verified) -> Verified:
    """The statement, or its sentence when shortening it has lost a fact."""
    if verified.quoted or not _loses_something(question, verified):
        return verified
    return support.quote(verified.evidence[0])


def add_supporting_quotes(
    shown: Sequence[Verified],
    chosen: Sequence[Evidence],
    beside: Sequence[Evidence],
    question: str,
    *,
    small: bool,
) -> list[Verified]:
    """The statements with the sentences that belong beside them, quoted; empty when none do.

    Args:
        shown: what the model said and what stood the check.
        chosen: the sentences the model was shown. The best is told, first when nothing rests on it.
        beside: sentences to be told in any case: those that disagree, or those of a list.
        question: as searched for.
        small: whether sentences nearly as good as the best are told as well; where a larger model
            has said nothing in its own words, they are too.
    """
    best = evidence.top(chosen)
    told = {_place(one) for verified in shown for one in verified.evidence}
    first = [best] if _place(best) not in told else []
    told |= set(map(_place, first))
    wordless = all(one.quoted for one in shown)
    share, most = _PROSE if answer_type(question) in ("why", "other") else _VALUE
    close = [one for one in chosen if one.is_primary and one.score >= share * best.score]
    close = sorted((one for one in close if _place(one) not in told), key=lambda one: -one.score)
    more = {_place(one): one for one in [*close[: most if small or wordless else 0], *beside]}
    last = [one for place, one in more.items() if place not in told]
    if not first and not last:
        return []
    return [*map(support.quote, first), *shown, *map(support.quote, last)]


def list_items(question: str, sentences: Sequence[RankedSentence]) -> list[RankedSentence]:
    """The sentences of a list: those that hold most of what it is a list of, best first.

    Args:
        question: as searched for.
        sentences: from a wide reading, best first.
    """
    wanted = set(content_stems(list_topic(question)))
    found: list[RankedSentence] = []
    told: list[set[str]] = []
    for one in sentences:
        if len(found) == _LONGEST_LIST:
            break
        stems = set(content_stems(one.text))
        held = len(wanted & stems) >= _LISTED * len(wanted)
        if held and not any(evidence.same(stems, other) for other in told):
            found.append(one)
            told.append(stems)
    return found


def _loses_something(question: str, verified: Verified) -> bool:
    """Whether a fact is lost, or nothing is left but the question's own words."""
    source = " ".join(one.text for one in verified.evidence)
    asked = names(question) | numbers(question) | set(words(question))
    facts = (names(source) | numbers(source)) - asked
    said = names(verified.text) | numbers(verified.text) | set(words(verified.text))
    new = set(content_stems(source)) - set(content_stems(question))
    return not (facts <= said and new & set(content_stems(verified.text)))


def _place(one: Evidence) -> tuple[str, int]:
    return one.document_id, one.start
