"""What stands around the runs that answer a question, and is told with them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from index import Library
from index.types import SearchScope, title_from_id
from rag.grounding import composition
from rag.query.text_features import content_stems
from rag.replies.extractive.limits import LIMITS
from rag.replies.extractive.plain import joint_score
from rag.replies.extractive.stretch import stretched
from rag.replies.topics import LIMITS as TOPIC_LIMITS
from rag.replies.topics import TopicSearch
from rag.types import Quotation, RankedSentence


class Completion:
    """Makes answers whole from their documents. Usable from many threads."""

    def __init__(self, library: Library) -> None:
        """Complete from this library."""
        self._library = library
        self._topics = TopicSearch(library)

    def stretched(
        self,
        made: Sequence[Quotation],
        sentences: Sequence[RankedSentence],
        scope: SearchScope,
    ) -> list[Quotation]:
        """An open question's short answer, with what stands around it, then with what is next."""
        room = LIMITS.paragraph - sum(run.length for run in made)
        if not made or room < composition.LIMITS.sentence:
            return list(made)
        best = made[0]
        document = self._library.document(best.document_id)
        passages = self._library.passages(best.document_id, scope=scope)
        longer = stretched(best, document, passages, best.length + room)
        told = [longer, *(run for run in made[1:] if not longer.overlaps(run))]
        room = LIMITS.paragraph - sum(run.length for run in told)
        if room < LIMITS.paragraph / 2:
            return told
        rest = [sentence for sentence in sentences if not any(run.holds(sentence) for run in told)]
        return told + composition.runs(rest, room, most=1, told=told)

    def completed(
        self,
        made: Sequence[Quotation],
        wording: str,
        sentences: Sequence[RankedSentence],
        scope: SearchScope,
        most: int,
    ) -> list[Quotation]:
        """An answer, with what its document says near it of the question's words that it lacks.

        One sentence names the subject and another, that calls it "it" or nothing, what is asked.

        Args:
            made: the answer.
            wording: in which the question was searched for.
            sentences: that this found, best first.
            scope: where it was looked for.
            most: words of the whole answer.
        """
        if not made:
            return []
        first = made[0]
        names = f"{first.title} {title_from_id(first.document_id)} {sentences[0].hit.written_in}"
        said = frozenset(content_stems(names)).union(*(content_stems(run.text) for run in made))
        weights = self._topics.weights(wording, scope, unknown=False)
        unsaid = {word: weight for word, weight in weights.items() if word not in said}
        if sum(unsaid.values()) < LIMITS.unsaid * sum(weights.values()):
            return list(made)
        within = replace(scope, documents=frozenset({first.document_id}))
        seen = {sentence.key for sentence in sentences}
        more = self._topics.rank(wording, within, TOPIC_LIMITS.hits).sentences
        supplying = [
            replace(sentence, score=supplied * joint_score(sentence))
            for sentence in [*sentences, *(s for s in more if s.key not in seen)]
            if _is_near(sentence, first)
            and not any(run.holds(sentence) for run in made)
            and (supplied := composition.weighted_coverage(unsaid, sentence.features.stems))
            >= LIMITS.supplied
        ]
        supplying.sort(key=lambda sentence: -sentence.score)
        room = min(most - sum(run.length for run in made), composition.LIMITS.beside)
        added = composition.runs(supplying, room, most=1, told=made) if room > 0 else []
        return [*made, *(run for run in added if run.length <= room)]


def _is_near(sentence: RankedSentence, run: Quotation) -> bool:
    """Whether a sentence stands in the same document, a few paragraphs away at most."""
    same = sentence.hit.document_id == run.document_id
    return same and abs(sentence.hit.paragraph - run.paragraph) <= LIMITS.reach
