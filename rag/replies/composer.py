"""Request → composition: what each task gathers from the library, and what it finds missing."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import partial

import numpy as np
from rapidfuzz import fuzz

from index import Hit, Library
from index.tokenization import STOP_WORDS, words
from index.types import DocumentRecord, SearchScope, title_from_id
from rag.grounding import composition
from rag.grounding.composition import weighted_coverage
from rag.grounding.coverage import missing_form, near_miss, not_mentioned, reason
from rag.grounding.presentation import list_items
from rag.query.event_dates import event_dates
from rag.query.question import QueryVariant
from rag.query.task import Request, leans_on_other_part
from rag.query.text_features import TextFeatures, content_stems, stem
from rag.reader import gate
from rag.reader.ranker import Ranker
from rag.replies.stretch import stretched
from rag.types import Quotation, RankedSentence, Ranking


@dataclass(frozen=True, slots=True)
class ComposerLimits:
    """What a composition looks at; chosen on the everyday set."""

    hits: int = 10
    """Passages for one side of a comparison, or one part of a question."""
    wide_hits: int = 40
    """For a topic over all documents."""
    list_hits: int = 60
    named: float = 78.0
    """Likeness (rapidfuzz, 0 to 100) from which on words name a document."""
    voted: float = 0.5
    """Share of the best document's votes from which on a search names a document."""
    telling: float = 0.75
    """Share of the rarest word's rarity from which on a word has to be there."""
    on_topic: float = 0.75
    """Share of the best sentence's relevance from which on another one belongs to a topic."""
    anchor: float = 2.0
    """Power of a passage's coverage of the question by which its sentences' scores shrink."""
    certain: float = 0.7
    """The best sentence's score from which on a value asked for in a talk is as good as found."""
    paragraph: int = 140
    """Words of an open question's answer, which is filled up from around its best run."""
    task: float = 0.6
    """Probability of a task that names a topic from which on the topic's words say it is there."""
    covered: float = 0.75
    """Share of a topic that one passage holds from which on it is answered."""
    covered_widely: float = 0.6
    """The same where several passages are told."""


LIMITS = ComposerLimits()
BY_TOPIC = frozenset(
    {"summarise", "overview", "compare", "timeline", "list", "keyword", "quote", "order"}
)
"""Tasks that name a topic rather than ask: whether it is there is told by its words."""
WHOLE = frozenset({"summarise", "overview", "compare", "timeline", "order"})
"""Tasks that gather for themselves and wait for no reranker."""
_CLOSEST = 12
"""Sentences whose passages are the closest ones: what one of them mentions is not missing."""
_NAME = re.compile(r"\b[A-Z][a-z]{4,}\b")
_FRAME = frozenset(
    "article articles document documents file files text texts everything know say mention".split()
)


class Composer:
    """Composes answers from the library's own sentences. Usable from many threads."""

    def __init__(self, library: Library) -> None:
        """Compose from this library."""
        self._library = library
        self._ranker = Ranker(library)

    def compose(
        self, request: Request, wording: str, ranking: Ranking, scope: SearchScope
    ) -> list[Quotation]:
        """The quotations that answer a request, in the order in which they are told.

        Args:
            request: what is asked to be done.
            wording: in which the question was searched for.
            ranking: of the sentences that this found.
            scope: where to look.
        """
        match request.task:
            case "compare":
                return self._comparison(request, scope)
            case "overview":
                return self._overview(request.topic, scope)
            case "summarise":
                record = self.document_named(request.topic, scope)
                if record is None:
                    return self._overview(request.topic, scope)
                return self._summary(record, request.count, scope)
            case "timeline":
                events = self._timeline(request.topic, scope)
                if len(events) > 1:
                    return events
            case "list":
                return self._listing(request.question, scope)
            case "order":
                return self._briefing(request, scope)
        if len(request.parts) > 1:
            return self._several(request.parts, scope)
        made = _runs(request, ranking.sentences)
        sentences = ranking.sentences
        return self._stretched(made, sentences, scope) if _is_open(request, sentences) else made

    # --- is it there? -----------------------------------------------------------------------------

    def covered(self, topic: str, hits: Sequence[Hit], scope: SearchScope) -> float:
        """The share of a topic, weighed by rarity, that one of the best passages holds."""
        weights = self._weights(topic, scope, unknown=True)
        return max(
            (weighted_coverage(weights, _stems_around(hit)) for hit in hits[:6]), default=0.0
        )

    def has_topic(self, request: Request, hits: Sequence[Hit], scope: SearchScope) -> bool:
        """Whether passages hold enough of what a task is about; each side of a comparison counts.

        Args:
            request: what is asked, of a task that names a topic.
            hits: what was found for the topic.
            scope: where to look.
        """
        enough = LIMITS.covered_widely if request.task in WHOLE else LIMITS.covered
        if not request.subjects:
            return self.covered(request.topic, hits, scope) >= enough
        return all(
            self.covered(subject, self._search(subject, scope), scope) >= enough
            for subject in request.subjects
        )

    def answers_part(self, request: Request, scope: SearchScope) -> bool:
        """Whether one of several things that a question asks is answered, by itself."""
        queries = _part_queries(request.parts) if len(request.parts) > 1 else ()
        readings = (self._read(query, scope, LIMITS.hits) for query in queries)
        return any(gate.decide(reading.answerable) != "not_found" for reading in readings)

    def _search(self, topic: str, scope: SearchScope) -> list[Hit]:
        return self._library.search(topic, LIMITS.hits, scope=scope)

    def missing(self, request: Request, ranking: Ranking, scope: SearchScope) -> str:
        """What is asked for and not there, in a sentence; empty when nothing is missing.

        Args:
            request: what is asked.
            ranking: anchored.
            scope: where it was looked for.
        """
        topic = request.topic
        content = [w for w in words(topic) if w not in STOP_WORDS and w not in _FRAME]
        idf = self._library.idf(content, scope=scope)
        if request.task in ("overview", "keyword") and content and min(idf.values()) >= 1.0:
            name = not_mentioned(topic, idf, frozenset()) or topic
            return f"Your documents do not mention “{name}”."
        if request.task in ("fact", "explain") and ranking.sentences:
            best = ranking.sentences[0].hit
            title = best.title or title_from_id(best.document_id)
            if what := missing_form(request.question, best.text):
                told = near_miss(request.question, title, _stems_around(best), f"give the {what}")
                return told or f"The closest passage, in “{title}”, does not give the {what}."
        return ""

    def reason(self, wording: str, ranking: Ranking, scope: SearchScope) -> str:
        """Why a question that was refused is not answered, in a sentence or two; may be empty.

        Args:
            wording: in which the question was searched for.
            ranking: anchored.
            scope: where it was looked for.
        """
        if not ranking.sentences:
            return ""
        best = ranking.sentences[0].hit
        idf = self._library.idf(words(wording), scope=scope)
        title = best.title or title_from_id(best.document_id)
        near = {sentence.hit.key: sentence.hit for sentence in ranking.sentences[:_CLOSEST]}
        held = frozenset[str]().union(*map(_stems_around, near.values()))
        return reason(wording, idf, self._everyday(wording), title, held)

    def lacks_asked(self, wording: str, ranking: Ranking, scope: SearchScope) -> bool:
        """Whether a name that is asked about is nowhere, or a number not in the closest passage.

        Names are told by their capitals. This decides what is in doubt.

        Args:
            wording: in which the question was searched for.
            ranking: anchored, of at least one sentence.
            scope: where to look.
        """
        best = ranking.sentences[0].hit
        held = TextFeatures(f"{best.text}\n{best.title}").numbers | {best.date[:4]}
        idf = self._library.idf(words(wording), scope=scope)
        name = not_mentioned(wording, idf, self._everyday(wording))
        return any(c.isupper() for c in name) or not TextFeatures(wording).numbers <= held

    def lacks_name(self, wording: str, best: Hit) -> bool:
        """Whether the closest document is silent on a name that is asked about, told by a capital.

        Of acronyms and of the first word nothing is said: they are written in several ways.
        """
        near = _stems_around(best)
        asked = (match[0] for match in _NAME.finditer(wording) if match.start() > 0)
        lacking = {stem(name.lower()) for name in asked} - near
        if not lacking:
            return False
        whole = self._library.document(best.document_id).text.lower()  # may be long: not stemmed
        return any(part not in whole for part in lacking)

    def _everyday(self, wording: str) -> frozenset[str]:
        """The words that the encoder has whole; rare names are in pieces."""
        return frozenset(self._library.encode_query(wording).pieces)

    def anchored(self, topic: str, ranking: Ranking, scope: SearchScope) -> Ranking:
        """The ranking with sentences moved back whose passage lacks what the question names."""
        weights = self._weights(topic, scope, unknown=False)
        coverage: dict[tuple[str, int], float] = {}
        for sentence in ranking.sentences:
            key = (sentence.hit.document_id, sentence.hit.start)
            if key not in coverage:
                own = frozenset(content_stems(sentence.hit.text))
                around = own | frozenset(content_stems(sentence.hit.title))
                coverage[key] = 0.2 * weighted_coverage(weights, own) + 0.8 * weighted_coverage(
                    weights, around
                )
        best = max(coverage.values(), default=0.0)
        if not best:
            return ranking
        moved = [
            replace(
                sentence, score=sentence.score * _share(coverage, sentence, best) ** LIMITS.anchor
            )
            for sentence in ranking.sentences
        ]
        return replace(
            ranking, sentences=tuple(sorted(moved, key=lambda sentence: -sentence.score))
        )

    def _weights(self, topic: str, scope: SearchScope, *, unknown: bool) -> dict[str, float]:
        """A topic's stems with their rarity, squared; those that are nowhere only if asked for."""
        content = [word for word in words(topic) if word not in STOP_WORDS]
        idf = self._library.idf(content, scope=scope)
        weights: dict[str, float] = {}
        for word in content:
            if unknown or idf[word] < 1.0:
                weights[stem(word)] = max(weights.get(stem(word), 0.0), idf[word] ** 2)
        return weights

    def _telling(self, topic: str, scope: SearchScope) -> frozenset[str]:
        """The stems of the rarest words of a topic that the library has."""
        weights = self._weights(topic, scope, unknown=False)
        most = max(weights.values(), default=0.0)
        return frozenset(w for w, v in weights.items() if v >= LIMITS.telling**2 * most)

    # --- tasks ------------------------------------------------------------------------------------

    def _read(self, query: str, scope: SearchScope, hits: int) -> Ranking:
        """Every sentence of the best passages, ranked."""
        variant = QueryVariant.of(query)
        passages = self._library.search(query, hits, scope=scope)
        return self._ranker.rank(variant, passages, scope, wide=True)

    def _topical(self, topic: str, scope: SearchScope, hits: int) -> list[RankedSentence]:
        """Every sentence of the best passages by how much it is about a topic, most first.

        A topic asks nothing, so the ranking fitted on questions has nothing to say of it: the
        search's own relevance of the passage and the sentence's cosine have.
        """
        passages = self._library.search(topic, hits, scope=scope)
        sentences = [
            RankedSentence(hit, position, TextFeatures(sentence.text), 0.0)
            for hit in passages
            for position, sentence in enumerate(hit.sentences)
        ]
        ranked = (replace(sentence, score=sentence.relevance) for sentence in sentences)
        return sorted(ranked, key=lambda sentence: -sentence.score)

    def _records(self, scope: SearchScope) -> list[DocumentRecord]:
        chosen = scope.documents
        return [
            record for record in self._library.documents() if chosen is None or record.id in chosen
        ]

    def document_named(self, topic: str, scope: SearchScope) -> DocumentRecord | None:
        """The document that words name by its title, its file's name or its subject."""
        records = self._records(scope)
        if len(records) == 1:
            return records[0]
        if not topic.strip() or not records:
            return None
        wanted = " ".join(w for w in words(topic) if w not in STOP_WORDS) or topic.lower()
        votes: dict[str, float] = {}
        hits = self._library.search(topic, 10, scope=scope)
        for hit in hits:
            votes[hit.document_id] = votes.get(hit.document_id, 0.0) + hit.score / (1 + hit.rank)
        most = max(votes.values(), default=0.0) or 1.0

        def rating(record: DocumentRecord) -> float:
            return _likeness(wanted, record) / 100 + 0.8 * votes.get(record.id, 0.0) / most

        best = max(records, key=rating)
        named = _likeness(wanted, best) >= LIMITS.named
        return best if named or votes.get(best.id, 0.0) >= LIMITS.voted * most else None

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
        sentences = self._topical(topic, scope, LIMITS.wide_hits)
        most = sentences[0].score if sentences else 0.0
        only = self._weights(topic, scope, unknown=False)
        near = [
            sentence
            for sentence in sentences
            if sentence.score >= LIMITS.on_topic * most
            and (len(only) != 1 or only.keys() & _stems_around(sentence.hit))
        ]
        made = composition.per_document(near)
        named = max(self._records(scope), key=partial(_likeness, topic), default=None)
        if named and _likeness(topic, named) >= LIMITS.named and not _cites(made, named.id):
            lead = [
                replace(quotation, label=named.title)
                for quotation in self._summary(named, composition.LIMITS.lead, scope)
            ]
            made = composition.distinct([*lead, *made], composition.LIMITS.overview)
        return made

    def _briefing(self, request: Request, scope: SearchScope) -> list[Quotation]:
        """What the passages that are most about a topic say of it, as long as is asked for."""
        sentences = self._topical(request.topic, scope, LIMITS.hits)
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
        """A run or two for each of the things compared, under its name.

        A passage belongs to the side that it is more about: no side is told what another one was.
        """
        subjects = request.subjects
        fit = {
            subject: _fitting(subject, subjects, self._topical(subject, scope, LIMITS.hits))
            for subject in subjects
        }
        best: dict[tuple[str, int, int], tuple[float, str]] = {}
        for subject, ranked in fit.items():
            for sentence in ranked:
                best[sentence.hit.key] = max(
                    best.get(sentence.hit.key, (0.0, "")), (sentence.score, subject)
                )
        made: list[Quotation] = []
        for subject, ranked in fit.items():
            own = [sentence for sentence in ranked if best[sentence.hit.key][1] == subject]
            runs = composition.runs(
                own, composition.LIMITS.compare // len(subjects), share=0.6, most=2
            )
            # as its article tells it, the best article first
            order = list(dict.fromkeys(run.document_id for run in runs))
            runs.sort(key=lambda run: run.start)
            runs.sort(key=lambda run: order.index(run.document_id))
            made += [replace(run, label=subject) for run in runs]
        return made

    def _timeline(self, topic: str, scope: SearchScope) -> list[Quotation]:
        """Dated sentences of the document that a topic is about, oldest first."""
        ranked = self._read(topic, scope, LIMITS.wide_hits).sentences
        if not ranked:
            return []
        belief: dict[str, float] = {}
        for best in ranked[:24]:
            id_ = best.hit.document_id
            belief[id_] = belief.get(id_, 0.0) + best.score
        named = self.document_named(topic, scope)
        main = named.id if named else max(belief, key=lambda id_: belief[id_])
        stems = self._telling(topic, scope) or frozenset(content_stems(topic))
        scores = {sentence.key: sentence.score for sentence in ranked}
        document, events = self._library.document(main), []
        for passage in self._library.passages(main, scope=scope):
            near = TextFeatures(passage.text).stems
            for sentence in passage.sentences:
                for date in event_dates(sentence.text, document.date)[:1]:
                    precision = {10: 0.5, 7: 0.2}.get(len(date), 0.0)
                    score = _share_of(stems, near) + scores.get((main, sentence.start), 0.0)
                    skip = composition.dateline_length(sentence.text)
                    events.append((date, Quotation(
                        main, document.title, document.source, document.date, passage.paragraph,
                        sentence.start + skip, sentence.end, sentence.text[skip:],
                        score + precision, date, document.author,
                        document.location(sentence.start),
                    )))  # fmt: skip
        return composition.chronological(events)

    def _listing(self, topic: str, scope: SearchScope) -> list[Quotation]:
        """The passage that lists, and every other sentence that belongs to the list."""
        ranking = self.anchored(topic, self._read(topic, scope, LIMITS.list_hits), scope)
        made = composition.runs(ranking.sentences, composition.LIMITS.explain, share=0.5, most=2)
        for item in list_items(QueryVariant.of(topic), ranking.sentences):
            belongs = item.score >= composition.LIMITS.listed * ranking.sentences[0].score
            if belongs and not any(run.holds(item) for run in made):
                made.append(
                    composition.quotation(item.hit, item.position, item.position, item.score)
                )
        return composition.distinct(made, composition.LIMITS.listing)

    def _stretched(
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

    def _several(self, parts: Sequence[str], scope: SearchScope) -> list[Quotation]:
        """A run for each part of a question that asks several things."""
        made: list[Quotation] = []
        room = composition.LIMITS.several // len(parts)
        for query in _part_queries(parts):
            ranked = [
                sentence
                for sentence in self._read(query, scope, LIMITS.hits).sentences
                if not any(run.holds(sentence) for run in made)
            ]
            if ranked:
                made += _with_beside(
                    ranked, room * 2 // 3, room // 3, composition.LIMITS.beside_share
                )
        return made


def _part_queries(parts: Sequence[str]) -> list[str]:
    """What to search for, for each part; one that leans on the first takes its words along."""
    carried = [w for w in words(parts[0]) if w not in STOP_WORDS and not w.isdigit()]
    return [
        " ".join([part, *(w for w in carried if w not in words(part))])
        if number and leans_on_other_part(part)
        else part
        for number, part in enumerate(parts)
    ]


def _runs(request: Request, sentences: Sequence[RankedSentence]) -> list[Quotation]:
    """The run that answers a plain question, and the best of what stands elsewhere beside it.

    A value is told in few words, the more certain the fewer; an explanation in a paragraph.
    """
    if not sentences:
        return []
    best = sentences[0].score
    if request.count:
        budget = min(composition.LIMITS.sentence * request.count, composition.LIMITS.explain)
        return composition.runs(sentences, budget, most=1)
    if _is_open(request, sentences):
        return _with_beside(
            sentences,
            composition.LIMITS.explain,
            composition.LIMITS.beside,
            composition.LIMITS.beside_share,
        )
    if request.task == "fact" and best >= composition.LIMITS.certain:
        return composition.runs(sentences, composition.LIMITS.fact, most=1)
    if request.task == "yes_no":  # what speaks for a claim and what denies it stand apart
        return _with_beside(sentences, composition.LIMITS.claim, composition.LIMITS.claim, 0.0)
    if request.wants_value and best < composition.LIMITS.undecided:
        return _with_beside(
            sentences,
            composition.LIMITS.fact,
            composition.LIMITS.beside_value,
            composition.LIMITS.beside_share,
        )
    if request.wants_value:
        return composition.runs(sentences, composition.LIMITS.value, most=1)
    return _with_beside(
        sentences,
        composition.LIMITS.explain,
        composition.LIMITS.beside,
        composition.LIMITS.beside_share,
    )


def _with_beside(
    sentences: Sequence[RankedSentence], budget: int, beside: int, share: float
) -> list[Quotation]:
    """The run around the best sentence, and the one around the best of the others.

    Which one that is, is told by the answer's probability and by the search's relevance together:
    what the ranking has overlooked, the search may have seen.
    """
    made = composition.runs(sentences, budget, most=1)
    rest = [
        replace(sentence, score=sentence.score**0.5 * sentence.relevance)
        for sentence in sentences
        if sentence.score >= share * sentences[0].score
        and not any(run.holds(sentence) for run in made)
    ]
    rest.sort(key=lambda sentence: -sentence.score)
    return made + composition.runs(rest, beside, most=1, told=made)


def _fitting(
    subject: str, subjects: Sequence[str], ranked: Sequence[RankedSentence]
) -> list[RankedSentence]:
    """Sentences by how much they are about one of the things compared: relevance, and its name."""
    name = subject.casefold()
    others = [other.casefold() for other in subjects if other != subject]
    longer = [other for other in others if name in other]
    stems = frozenset(content_stems(subject))
    own = stems - frozenset(content_stems(" ".join(others))) or stems

    def fit(sentence: RankedSentence) -> float:
        text = sentence.text.casefold()
        title = frozenset(content_stems(sentence.hit.title))
        named = name in text and not any(other in text for other in longer)
        said, around = (
            _share_of(own, sentence.features.stems),
            _share_of(own, sentence.features.stems | title),
        )
        return sentence.score + 0.3 * said + 0.2 * around + 0.2 * named

    return sorted(
        (replace(sentence, score=fit(sentence)) for sentence in ranked),
        key=lambda sentence: -sentence.score,
    )


def _cites(quotations: Sequence[Quotation], document_id: str) -> bool:
    return any(quotation.document_id == document_id for quotation in quotations)


def _is_open(request: Request, sentences: Sequence[RankedSentence]) -> bool:
    """Whether a paragraph answers better than a sentence: not where a value is as good as found."""
    certain = bool(sentences) and sentences[0].score >= LIMITS.certain
    return request.wants_paragraph and not (request.asks_value and certain)


def _likeness(wanted: str, record: DocumentRecord) -> float:
    """How far words name a document by its title or its file's name, 0 to 100."""
    names = (" ".join(words(record.title)), " ".join(words(title_from_id(record.id))))
    return max(fuzz.token_set_ratio(wanted, name) for name in names)


def _stems_around(hit: Hit) -> frozenset[str]:
    """The stems of a passage, its document's title and its file's name."""
    return frozenset(content_stems(f"{hit.text}\n{hit.title}\n{title_from_id(hit.document_id)}"))


def _share_of(wanted: frozenset[str], stems: frozenset[str]) -> float:
    return len(wanted & stems) / len(wanted) if wanted else 0.0


def _share(coverage: dict[tuple[str, int], float], sentence: RankedSentence, best: float) -> float:
    """A passage's coverage as compared with the best passage's, in (0, 1]."""
    return (0.1 + coverage[sentence.hit.document_id, sentence.hit.start]) / (0.1 + best)
