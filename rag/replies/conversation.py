"""What is asked about the answer before → quotations: more of it, less of it, in another form.

An answer is text by the time it is asked about. Its sentences are looked for in the library again,
so that whatever is said of it is a quote like any other.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

from index.library import Library
from index.types import Hit, SearchScope, Sentence
from rag.grounding import composition
from rag.grounding.composition import LIMITS
from rag.query.event_dates import event_dates
from rag.query.follow_ups import History, topic_question
from rag.query.task import Request
from rag.query.text_features import TextFeatures
from rag.replies.extractive.stretch import neighbours
from rag.types import Quotation

TOLD = 0.8
"""Share of a sentence's content stems that an answer holds when it has told it."""
_HITS = 6
_NEAR = 3
"""Passages in which an answer's sentences are looked for, and from which it is continued."""


@dataclass(frozen=True, slots=True)
class _Place:
    """A sentence of a hit with how much of it was told."""

    hit: Hit
    position: int
    share: float

    @property
    def quotation(self) -> Quotation:
        return composition.quotation(self.hit, self.position, self.position, self.share)


class Conversation:
    """Answers what is asked about the answer before. Usable from many threads."""

    def __init__(self, library: Library) -> None:
        """Look in this library."""
        self._library = library

    def compose(self, request: Request, history: History, scope: SearchScope) -> list[Quotation]:
        """The quotations for a request about the last answer; none when it had no source.

        Args:
            request: of the task `more`, `rephrase` or `which_first`.
            history: earlier turns, oldest first, at least one.
            scope: where to look.
        """
        question, answer = history[-1]
        if request.task == "which_first":
            return self._dated(history[-2:], scope)
        if request.task == "more":
            question = topic_question(history)
        told = self._told(question, answer, scope)
        if request.task == "more":
            return self._more(question, history, told, scope)
        quotations = [place.quotation for place in told]
        if request.form == "table":
            quotations = [
                replace(
                    quotation,
                    label=next(iter(event_dates(quotation.text, quotation.date)), quotation.title),
                )
                for quotation in quotations
            ]
        kept = composition.distinct(quotations, LIMITS.listing)[: request.count]
        return sorted(kept, key=lambda quotation: (quotation.document_id, quotation.start))

    def _told(self, question: str, answer: str, scope: SearchScope) -> list[_Place]:
        """The library's sentences that an answer told, or those nearest to what it told."""
        said = TextFeatures(answer).stems
        hits = self._search(f"{question} {answer}"[:600], scope)
        places = [
            _Place(hit, position, _share(TextFeatures(sentence.text).stems, said))
            for hit in hits
            for position, sentence in enumerate(hit.sentences)
        ]
        told = [place for place in places if place.share >= TOLD]
        if told or not places:
            return told
        # an answer in somebody's own words: the sentence that holds most of them
        return [max(places, key=lambda place: _share(said, _stems(place)))]

    def _more(
        self, question: str, history: History, told: Sequence[_Place], scope: SearchScope
    ) -> list[Quotation]:
        """What follows the told sentences in their documents, and then what else was found."""
        said = TextFeatures(" ".join(answer for _, answer in history)).stems
        made: list[Quotation] = []
        room = LIMITS.explain
        hits = {place.hit.key: place.hit for place in told}
        hits |= {hit.key: hit for hit in self._search(question, scope)}
        for hit in list(hits.values())[:_NEAR]:
            positions = [place.position for place in told if place.hit.key == hit.key]
            after = hit.sentences[positions[-1]].end if positions else hit.start
            run = self._unsaid(hit, after, said, room, scope)
            if run and not any(run.overlaps(other) for other in made):
                made.append(run)
                room -= run.length
            if room < LIMITS.sentence:
                break
        return made

    def _unsaid(
        self, hit: Hit, after: int, said: frozenset[str], room: int, scope: SearchScope
    ) -> Quotation | None:
        """The sentences of a hit's document from a place on that were not told, as far as fit."""
        run: list[tuple[int, Sentence]] = []
        for passage in self._library.passages(hit.document_id, scope=scope):
            for sentence in passage.sentences:
                if sentence.start < after:
                    continue
                known = _share(TextFeatures(sentence.text).stems, said) >= TOLD
                if known and not run:
                    continue
                room -= len(sentence.text.split())
                if known or room < 0:
                    return self._quotation(hit, run)
                run.append((passage.paragraph, sentence))
        return self._quotation(hit, run)

    def _quotation(self, hit: Hit, run: Sequence[tuple[int, Sentence]]) -> Quotation | None:
        """Neighbouring sentences of a hit's document, with their paragraphs, as one quotation."""
        if not run:
            return None
        document, start = self._library.document(hit.document_id), run[0][1].start
        whole = document.text
        end = neighbours([sentence for _, sentence in run], whole, start)[-1].end
        return Quotation(
            hit.document_id, hit.title, hit.source, hit.date, run[0][0], start, end,
            whole[start:end], hit.score, author=document.author,
            location=document.location(start, end),
        )  # fmt: skip

    def _dated(self, turns: History, scope: SearchScope) -> list[Quotation]:
        """The dated sentences of the last two answers, the earliest first, under their dates."""
        events: dict[str, Quotation] = {}
        for question, answer in turns:
            dates = set(event_dates(answer))
            for place in self._told(question, answer, scope):
                quotation = place.quotation
                named = event_dates(quotation.text, quotation.date)
                told = [date for date in named if date in dates] if dates else named
                for date in told[:1]:
                    events.setdefault(date, replace(quotation, label=date))
        return [events[date] for date in sorted(events)]

    def _search(self, query: str, scope: SearchScope) -> list[Hit]:
        return self._library.search(query, _HITS, scope=scope)


def _stems(place: _Place) -> frozenset[str]:
    return TextFeatures(place.hit.sentences[place.position].text).stems


def _share(wanted: frozenset[str], held: frozenset[str]) -> float:
    return len(wanted & held) / len(wanted) if wanted else 0.0
