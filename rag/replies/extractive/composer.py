"""Request → composition: what each task gathers from the library."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from index import Library
from index.tokenization import STOP_WORDS, words
from index.types import Document, DocumentRecord, SearchScope, title_from_id
from rag.grounding import composition
from rag.grounding.presentation import list_items
from rag.query.event_dates import dated_sentences
from rag.query.question import QueryVariant, Question
from rag.query.task import ALL_PEOPLE, Request, leans_on_other_part
from rag.query.text_features import TextFeatures, content_stems, is_capitalised, stem
from rag.reader.across import language_of
from rag.replies.extractive.completion import Completion
from rag.replies.extractive.limits import LIMITS
from rag.replies.extractive.mentions import PEOPLE, category_of, mentions, people_in
from rag.replies.extractive.plain import is_open, plain_runs, runs_across, with_beside
from rag.replies.extractive.sides import Side, together
from rag.replies.topics import LIMITS as TOPIC_LIMITS
from rag.replies.topics import TopicSearch, stems_around, topic_words
from rag.types import Quotation, RankedSentence, Ranking

BY_TOPIC = frozenset(
    {"summarise", "overview", "compare", "timeline", "list", "keyword", "quote", "order"}
)
"""Tasks that name a topic rather than ask: whether it is there is told by its words."""
WHOLE = frozenset({"summarise", "overview", "compare", "timeline", "order"})
"""Tasks that gather for themselves and wait for no reranker."""
_PRECISION = {len("2024-03-13"): 0.5, len("2024-03"): 0.2, len("2024"): 0.0}
"""Added to an event's score, by how long its date is."""
_WORD = re.compile(r"[^\W\d_]+")
_TELLING = 6
"""Sentences whose passages tell the documents' language."""


class Composer:
    """Composes answers from the library's own sentences. Usable from many threads."""

    def __init__(self, library: Library) -> None:
        """Compose from this library."""
        self._library = library
        self._topics = TopicSearch(library)
        self._completion = Completion(library)

    def compose(
        self, question: Question, wording: str, ranking: Ranking, scope: SearchScope
    ) -> list[Quotation]:
        """The quotations that answer a question, in the order in which they are told.

        Args:
            question: what is asked.
            wording: in which it was searched for.
            ranking: of the sentences that this found.
            scope: where to look.
        """
        request = question.request
        match request.task:
            case "compare":
                return self._comparison(request, scope)
            case "overview":
                return self._overview(request.topic, scope)
            case "summarise":
                record = self._topics.document_named(request.topic, scope)
                if record is None:
                    return self._overview(request.topic, scope)
                return self._summary(record, request.count, scope)
            case "timeline":
                events = self._timeline(request.topic, scope)
                if len(events) > 1:
                    return events
            case "list":
                return self._listing(request, scope)
            case "order":
                return self._briefing(request, scope)
        if len(request.parts) > 1 and not _in_one_place(request.parts, ranking.sentences):
            return self._several(request.parts, scope)
        sentences = ranking.sentences
        if not request.wants_paragraph and _is_across(question.language, sentences):
            return runs_across(sentences)
        made = plain_runs(request, sentences)
        if request.task == "yes_no":
            made = self._by_what_is_named(made, wording, sentences, scope)
        if is_open(request, sentences):
            return self._completion.stretched(made, sentences, scope)
        return self._completion.completed(made, wording, sentences, scope, LIMITS.completed)

    def _summary(
        self, record: DocumentRecord, most: int | None, scope: SearchScope
    ) -> list[Quotation]:
        embedded = self._library.embedded_passages(record.id, scope=scope)
        if not embedded:
            return []
        vectors = np.concatenate([sentences for _, sentences in embedded])
        passages = [passage for passage, _ in embedded]
        return composition.summary(self._library.document(record.id), passages, vectors, most)

    def _overview(self, topic: str, scope: SearchScope) -> list[Quotation]:
        """What each document that speaks of a topic says of it."""
        sentences = self._topics.by_relevance(topic, scope, TOPIC_LIMITS.wide_hits)
        most = sentences[0].score if sentences else 0.0
        only = self._topics.weights(topic, scope, unknown=False)
        near = [
            sentence
            for sentence in sentences
            if sentence.score >= LIMITS.on_topic * most
            and (len(only) != 1 or only.keys() & stems_around(sentence.hit))
        ]
        made = composition.per_document(near)
        named = self._topics.titled(topic, scope)
        if named and not _cites(made, named.id):
            lead = [
                replace(quotation, label=named.title)
                for quotation in self._summary(named, composition.LIMITS.lead, scope)
            ]
            made = composition.distinct([*lead, *made], composition.LIMITS.overview)
        return made

    def _briefing(self, request: Request, scope: SearchScope) -> list[Quotation]:
        """What the passages that are most about a topic say of it, as long as is asked for."""
        if request.form == "table" and (rows := self._dated(request.topic, scope)):
            return rows
        sentences = self._topics.by_relevance(request.topic, scope, TOPIC_LIMITS.hits)
        count = request.count or composition.LIMITS.points
        if request.form == "prose":
            words = min(
                composition.LIMITS.sentence * count
                if request.count
                else composition.LIMITS.explain,
                composition.LIMITS.listing,
            )
            return composition.runs(sentences, words, share=LIMITS.on_topic)
        words = min(composition.LIMITS.point * count, composition.LIMITS.listing)
        made = composition.runs(sentences, words, share=LIMITS.on_topic)
        return composition.in_sentences(made, sentences)[:count]

    def _comparison(self, request: Request, scope: SearchScope) -> list[Quotation]:
        """What tells of all the things compared, then a run or two for each, under its name.

        A passage belongs to the side that it is more about, and of its sentences those do not that
        name another one: no side is told what another one was.
        """
        subjects = request.subjects
        sides = [
            Side.fitted(
                subject,
                subjects,
                self._own_weights(subject, subjects, scope),
                self._topics.by_relevance(
                    f"{subject} {request.aspect}".strip(), scope, TOPIC_LIMITS.hits
                ),
                request.aspect,
            )
            for subject in subjects
        ]
        made = together(sides)
        room = composition.LIMITS.compare // (len(sides) + bool(made))
        for side in sides:
            made += side.runs(sides, room, made)
        return made

    def _own_weights(
        self, subject: str, subjects: Sequence[str], scope: SearchScope
    ) -> dict[str, float]:
        """The stems by which one of the things compared differs from the others, with weights."""
        weights = self._topics.weights(subject, scope, unknown=False)
        others = " ".join(other for other in subjects if other != subject)
        shared = frozenset(content_stems(others))
        return {stem: w for stem, w in weights.items() if stem not in shared} or weights

    def _timeline(self, topic: str, scope: SearchScope) -> list[Quotation]:
        """Dated sentences of the document that a topic is about, oldest first.

        Where a name of the topic is none of the document's own, only those of passages with it.
        """
        ranked = self._topics.rank(topic, scope, TOPIC_LIMITS.wide_hits).sentences
        if not ranked:
            return []
        telling = self._topics.telling(topic, scope) or frozenset(content_stems(topic))
        document = self._main_document(topic, telling, ranked, scope)
        names = _names_in(topic, document.text) - _stems_of_names(document)
        scores = {sentence.key: sentence.score for sentence in ranked}
        events = []
        for passage in self._library.passages(document.id, scope=scope):
            stems = TextFeatures(passage.text).stems
            if names and not names & stems:
                continue
            for date, sentence in dated_sentences(passage.sentences, document.date):
                about = _share_of(telling, stems) + scores.get((document.id, sentence.start), 0.0)
                skip = composition.dateline_length(sentence.text)
                event = Quotation.of_sentence(document, passage.paragraph, sentence, skip)
                events.append(replace(event, score=about + _PRECISION[len(date)], label=date))
        return composition.chronological(events)

    def _dated(self, topic: str, scope: SearchScope) -> list[Quotation]:
        """What documents date of a topic, oldest first; nothing where that is little.

        The passages have the topic's rarest word; where enough has a month, years alone are left.
        """
        telling = self._topics.telling(topic, scope)
        rows = []
        sentences = self._topics.by_relevance(topic, scope, TOPIC_LIMITS.wide_hits)
        for hit, scores in composition.by_passage(sentences):
            if not telling <= stems_around(hit):
                continue
            places = {sentence.start: at for at, sentence in enumerate(hit.sentences)}
            for date, sentence in dated_sentences(hit.sentences, hit.date):
                score = scores[places[sentence.start]]
                if score >= LIMITS.tabled * sentences[0].score:
                    at = places[sentence.start]
                    rows.append(
                        composition.quotation(hit, at, at, score + _PRECISION[len(date)], date)
                    )
        closer = [row for row in rows if len(row.label) > len("2024")]
        rows = closer if len(closer) >= LIMITS.rows else rows
        return composition.chronological(rows) if len(rows) >= LIMITS.rows else []

    def _main_document(
        self,
        topic: str,
        telling: frozenset[str],
        ranked: Sequence[RankedSentence],
        scope: SearchScope,
    ) -> Document:
        """The document that a topic names, else the one that has most on it."""
        if named := self._topics.document_named(topic, scope):
            document = self._library.document(named.id)
            text = document.text.lower()  # may be long: not stemmed
            if any(part in text for part in telling):
                return document
        belief: dict[str, float] = {}
        for best in ranked[: LIMITS.voting]:
            id_ = best.hit.document_id
            belief[id_] = belief.get(id_, 0.0) + best.score
        return self._library.document(max(belief, key=lambda id_: belief[id_]))

    def _listing(self, request: Request, scope: SearchScope) -> list[Quotation]:
        """The passage that lists, and every other sentence that belongs to the list."""
        topic, document = request.question, self._topics.document_asked(request.question, scope)
        if request.people and request.topic != ALL_PEOPLE:
            document = self._topics.document_named(request.topic, scope) or document
        if document:
            scope = replace(scope, documents=frozenset({document.id}))
        if made := self._mentions(request, document, scope):
            return made
        ranking = self._topics.anchored(
            topic, self._topics.rank(topic, scope, TOPIC_LIMITS.list_hits), scope
        )
        made = composition.runs(ranking.sentences, composition.LIMITS.explain, share=0.5, most=2)
        for item in list_items(QueryVariant.of(topic), ranking.sentences):
            belongs = item.score >= composition.LIMITS.listed * ranking.sentences[0].score
            if belongs and not any(run.holds(item) for run in made):
                made.append(
                    composition.quotation(item.hit, item.position, item.position, item.score)
                )
        made = composition.distinct(made, composition.LIMITS.listing)
        return self._completion.completed(
            made, topic, ranking.sentences, scope, composition.LIMITS.listing
        )

    def _mentions(
        self, request: Request, document: DocumentRecord | None, scope: SearchScope
    ) -> list[Quotation]:
        """The sentences that mention what is of a sort, as each document has them."""
        about = self._topics.name_of(document) if document else frozenset()
        topic = [word for word in topic_words(request.topic) if word not in about]
        category = PEOPLE if request.people else category_of(request.question, topic)
        if not category:
            return []
        asked = ALL_PEOPLE if request.people else " ".join(topic)
        sentences = self._topics.by_relevance(asked, scope, TOPIC_LIMITS.list_hits)
        is_word = self._library.encoder.is_word
        people = category & PEOPLE
        found = [
            composition.quotation(
                s.hit, s.position, s.position, s.score,
                ", ".join(people_in(s.text, is_word)) if people else "",
            )
            for s in mentions(category, sentences, is_word)
        ]  # fmt: skip
        made = composition.distinct(found, composition.LIMITS.listing)
        return sorted(made, key=lambda quotation: (quotation.document_id, quotation.start))

    def _by_what_is_named(
        self,
        made: Sequence[Quotation],
        wording: str,
        sentences: Sequence[RankedSentence],
        scope: SearchScope,
    ) -> list[Quotation]:
        """The runs, first the one whose passage has more of what is asked about.

        "Both signed it" is as near to a question about another statement as to one about its own.
        """
        weights = self._topics.weights(wording, scope, unknown=False)

        def named(run: Quotation) -> float:
            hit = next(s.hit for s in sentences if run.holds(s))
            return composition.weighted_coverage(weights, stems_around(hit))

        return sorted(made, key=named, reverse=True)

    def _several(self, parts: Sequence[str], scope: SearchScope) -> list[Quotation]:
        """A run for each part of a question that asks several things."""
        made: list[Quotation] = []
        room = composition.LIMITS.several // len(parts)
        for query in part_queries(parts):
            ranked = [
                sentence
                for sentence in self._topics.rank(query, scope, TOPIC_LIMITS.hits).sentences
                if not any(run.holds(sentence) for run in made)
            ]
            if ranked:
                told = with_beside(
                    ranked, room * 2 // 3, room // 3, composition.LIMITS.beside_share
                )
                made += self._completion.completed(told, query, ranked, scope, room)
        return made


def _in_one_place(parts: Sequence[str], sentences: Sequence[RankedSentence]) -> bool:
    """Whether the best sentence's passage speaks of all by which the parts differ."""
    stems = [frozenset(content_stems(part)) for part in parts]
    differing = frozenset[str]().union(*stems) - frozenset.intersection(*stems)
    return bool(sentences) and differing <= frozenset(content_stems(sentences[0].hit.text))


def part_queries(parts: Sequence[str]) -> list[str]:
    """What to search for, for each part; one that leans on the first takes its words along."""
    carried = [w for w in words(parts[0]) if w not in STOP_WORDS and not w.isdigit()]
    return [
        " ".join([part, *(w for w in carried if w not in words(part))])
        if number and leans_on_other_part(part)
        else part
        for number, part in enumerate(parts)
    ]


def _is_across(asked_in: str, sentences: Sequence[RankedSentence]) -> bool:
    """Whether the documents that answer best are in another language than the question."""
    return language_of([sentence.hit for sentence in sentences[:_TELLING]], asked_in) != asked_in


def _cites(quotations: Sequence[Quotation], document_id: str) -> bool:
    return any(quotation.document_id == document_id for quotation in quotations)


def _stems_of_names(document: Document) -> frozenset[str]:
    """The stems of a document's title and file's name."""
    return frozenset(content_stems(f"{document.title} {title_from_id(document.id)}"))


def _names_in(topic: str, text: str) -> frozenset[str]:
    """The stems of the words of a topic that a text always writes with a capital.

    A capital at the beginning of a sentence says nothing: "Breaks are ordinary" names nobody.
    """
    held = frozenset(_WORD.findall(text))
    asked = (word for word in words(topic) if word not in STOP_WORDS)
    capitalised = (word for word in asked if is_capitalised(word, held))
    return frozenset(
        stem(word)
        for word in capitalised
        if word.upper() in held or re.search(rf"\w,? {re.escape(word.capitalize())}\b", text)
    )


def _share_of(wanted: frozenset[str], stems: frozenset[str]) -> float:
    return len(wanted & stems) / len(wanted) if wanted else 0.0
