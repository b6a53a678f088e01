"""Do the documents answer, and what of the question is missing? What the gate says, and its words.

The gate knows how likely the best sentences answer. A task that names a topic asks nothing, so
there its words decide; and a name, a number or a kind of thing that is asked for and nowhere near
refuses what the gate would let pass.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass

from index import Hit, Library
from index.languages import detection
from index.tokenization import has_cjk, words
from index.types import Document, SearchScope, title_from_id
from rag.grounding.coverage import (
    Reason,
    large_numbers,
    missing_form,
    missing_number,
    near_miss,
    not_mentioned,
    reason,
)
from rag.query.question import Question
from rag.query.task import ALL_PEOPLE, ASKED_BACK, Request, only_points
from rag.query.text_features import TextFeatures, stem, with_capitals
from rag.reader import gate
from rag.reader.across import language_of
from rag.replies import clarity
from rag.replies.extractive.composer import BY_TOPIC, WHOLE, part_queries
from rag.replies.topics import LIMITS as TOPIC_LIMITS
from rag.replies.topics import TopicSearch, stems_around, topic_words
from rag.retrieval import FirstPass
from rag.types import NEAR_BEST_SHARE, Ranking, State


@dataclass(frozen=True, slots=True)
class AnswerabilityLimits:
    """From when on a topic is there; chosen on the everyday set."""

    task: float = 0.6
    """Probability of a task that names a topic from which on the topic's words say it is there."""
    covered: float = 0.75
    """Share of a topic that one passage holds from which on it is answered."""
    covered_widely: float = 0.6
    """The same where several passages are told."""
    covering: float = 0.8
    """Share of a refused question, weighed by rarity, that the closest passage holds from which on
    it may answer. Of SQuAD's refused questions 2 of 23 answerable and 4 of 41 near misses have it,
    of CLAPNQ's 40 near misses one."""
    whole: float = 0.95
    """The same from which on a passage of another document is as close: what it gives is there."""
    closest: int = 12
    """Sentences whose passages are the closest ones: what one of them mentions is not missing."""
    options: int = 3
    """Documents that a question is asked back with."""


LIMITS = AnswerabilityLimits()
_NAME = re.compile(r"\b[A-Z][a-z]{4,}\b")
_ASK_ABOUT = ("fact", "explain", "yes_no", "quote")
"""Tasks of questions that a name which is nowhere leaves without an answer."""
_ENDING = 3
"""Letters of a name that may be another ending of a word that is known."""


@dataclass(frozen=True, slots=True)
class Decision:
    """Whether the documents answer."""

    state: State
    missing: str = ""
    """What is asked for and not there, in a sentence; empty when nothing is known to be missing."""
    may_answer: bool = False
    """Whether the closest sentence may answer all the same: nothing asked for is seen to lack."""


@dataclass(frozen=True, slots=True)
class Clarification:
    """A question back."""

    text: str
    options: tuple[str, ...]
    """The titles of the documents that may be meant."""


class Answerability:
    """Decides whether a library answers a question. Usable from many threads."""

    def __init__(self, library: Library) -> None:
        """Decide for this library."""
        self._library = library
        self._topics = TopicSearch(library)

    def decide(self, question: Question, first: FirstPass) -> Decision:
        """Whether the documents answer, and what is missing.

        Args:
            question: what is asked.
            first: what was found for it, at least one sentence.
        """
        request, wording, scope = question.request, first.variant.text, first.scope
        asked_in = question.language
        read_in = language_of(first.hits, asked_in)
        english = self._library.encoder.is_english
        if asked_in != read_in or (asked_in != "en" and not english):
            # what follows looks for words of English
            state = gate.decide(first.ranking.answerable)
            unread = state == "not_found" and english
            return Decision(state, _unread(asked_in, read_in) if unread else "")
        anchored = self._topics.anchored(wording, first.ranking, scope)
        # in a talk too, a question that needs none of it is held to what it names
        by_itself = (question.as_typed, question.variants[0])
        as_typed = not question.previous or first.variant in by_itself
        # capitals tell names and words ask in English ways in English: German nouns all have one
        alone = as_typed and not question.is_follow_up and asked_in == "en"
        if alone and request.task in _ASK_ABOUT and (name := self._unknown_name(wording, scope)):
            return Decision("not_found", f"Your documents do not mention “{name}”.")
        if alone and (missing := self.missing(request, anchored, scope)):
            return Decision("not_found", missing)
        if self._has_what_is_named(request, first):
            return Decision("answered")
        state = gate.decide(first.ranking.answerable)
        if alone:
            state = self._in_doubt(state, question, first, anchored)
        if state == "not_found" and alone and self._covers(wording, anchored, scope):
            return Decision("partial")
        if state == "not_found" and self.answers_part(request, scope):
            return Decision("partial")  # no passage has to speak of everything
        if state == "not_found" and not has_cjk(wording):
            # what a follow-up is searched by has words that nobody typed
            asked = wording if as_typed and not question.is_follow_up else question.text
            told = self.reason(asked, anchored, scope)
            return Decision(state, told.text, may_answer=not told.certain)
        return Decision(state)

    def clarification(
        self, question: Question, first: FirstPass, decision: Decision
    ) -> Clarification | None:
        """The question back, where this one does not say what it is about; None where it does.

        Args:
            question: what is asked.
            first: what was found for it.
            decision: whether that answers.
        """
        request = question.request
        if decision.missing or not (request.task in ASKED_BACK or _points_at_one(request)):
            return None
        if question.language != "en":
            return None
        if len(request.parts) > 1:  # what asks several things is answered piece by piece
            return None
        unclear = not question.previous and only_points(request)
        specified = clarity.says_which_one(question.text)
        if not unclear and decision.state != "not_found" and not specified:
            unclear = clarity.is_unclear(
                self._library, question, first.hits, first.ranking, first.scope
            )
        if not unclear:
            return None
        titles = tuple(dict.fromkeys(hit.title or hit.document_id for hit in first.hits))
        if len(titles) < 2 or self._topics.is_title(question.text, first.scope):
            return None
        *others, last = [f"“{title}”" for title in titles[: LIMITS.options]]
        pointer = clarity.pointer_of(question.text)
        asked = f"What do you mean by “{pointer}”" if pointer else "Which do you mean"
        return Clarification(f"{asked}: {', '.join(others)} or {last}?", titles[: LIMITS.options])

    def _has_what_is_named(self, request: Request, first: FirstPass) -> bool:
        """Whether the document or the topic that a task names is there, whatever the gate says."""
        if request.task == "summarise" and self._topics.document_named(request.topic, first.scope):
            return True
        if request.people and request.topic == ALL_PEOPLE:
            return True
        # two things compared that are both there say by themselves that it is a comparison
        certain = request.confidence >= LIMITS.task or bool(request.subjects)
        by_topic = request.task in BY_TOPIC and certain
        doubtful = gate.decide(first.ranking.answerable) != "answered"
        return by_topic and doubtful and self.has_topic(request, first.hits, first.scope)

    def _covers(self, wording: str, anchored: Ranking, scope: SearchScope) -> bool:
        """Whether the closest passage has nearly all that a question names."""
        best = [sentence.hit for sentence in anchored.sentences[:1]]
        return self._topics.covered(wording, best, scope) >= LIMITS.covering

    def _in_doubt(
        self, state: State, question: Question, first: FirstPass, anchored: Ranking
    ) -> State:
        """The gate's word on a question by itself, or one less where a name or number lacks."""
        wording = first.variant.text
        doubtful = state == "partial" and not has_cjk(wording)
        if doubtful and self.lacks_asked(wording, anchored, first.scope):
            return "not_found"
        if doubtful and self.lacks_name(
            with_capitals(wording, (hit.text for hit in first.hits)), first.ranking.sentences[0].hit
        ):
            return "not_found"
        plain = question.request.wants_one_thing and not question.time
        best = first.ranking.sentences[0].hit
        if state == "answered" and plain and self.lacks_name(wording, best):
            return "partial"  # Kyoto's figure is none for Riyadh
        return state

    def has_topic(self, request: Request, hits: Sequence[Hit], scope: SearchScope) -> bool:
        """Whether passages hold enough of what a task is about; each side of a comparison counts.

        Args:
            request: what is asked, of a task that names a topic.
            hits: what was found for the topic.
            scope: where to look.
        """
        enough = LIMITS.covered_widely if request.task in WHOLE else LIMITS.covered
        if not request.subjects:
            return self._topics.covered(request.topic, hits, scope) >= enough
        return all(
            self._topics.covered(subject, self._topics.search(subject, scope), scope) >= enough
            for subject in request.subjects
        )

    def answers_part(self, request: Request, scope: SearchScope) -> bool:
        """Whether one of several things that a question asks is answered, by itself."""
        queries = part_queries(request.parts) if len(request.parts) > 1 else ()
        readings = (self._topics.rank(query, scope, TOPIC_LIMITS.hits) for query in queries)
        return any(gate.decide(reading.answerable) != "not_found" for reading in readings)

    def missing(self, request: Request, ranking: Ranking, scope: SearchScope) -> str:
        """What is asked for and not there, in a sentence; empty when nothing is missing.

        Args:
            request: what is asked.
            ranking: anchored.
            scope: where it was looked for.
        """
        topic = request.topic
        content = topic_words(topic)
        idf = self._library.idf(content, scope=scope)
        if request.task in ("overview", "keyword") and content and min(idf.values()) >= 1.0:
            name = not_mentioned(topic, idf, frozenset()) or topic
            return f"Your documents do not mention “{name}”."
        if request.task in ("fact", "explain") and ranking.sentences:
            best = ranking.sentences[0].hit
            title = best.title or title_from_id(best.document_id)
            if what := missing_form(request.question, self._closest_texts(topic, ranking, scope)):
                told = near_miss(request.question, title, stems_around(best), f"give the {what}")
                return told or f"The closest passage, in “{title}”, does not give the {what}."
            numbers = large_numbers(topic)  # mostly none: then no document need be read
            if number := missing_number(numbers, self._near(ranking)) if numbers else "":
                told = near_miss(request.question, title, stems_around(best), f"mention {number}")
                return told or f"The closest passage, in “{title}”, does not mention {number}."
        return ""

    def _closest_texts(self, topic: str, ranking: Ranking, scope: SearchScope) -> str:
        """The closest passage, the paragraphs right beside it, and others with all that is asked.

        A subject is named in one paragraph and priced in the next, or in another document.
        """
        best = ranking.sentences[0].hit
        near = {sentence.hit.key: sentence.hit for sentence in ranking.sentences[: LIMITS.closest]}
        return "\n".join(
            hit.text
            for hit in near.values()
            if (hit.document_id == best.document_id and abs(hit.paragraph - best.paragraph) <= 1)
            or self._topics.covered(topic, [hit], scope) >= LIMITS.whole
        )

    def _unknown_name(self, question: str, scope: SearchScope) -> str:
        """The name, told by its capital, that is asked about and is nowhere; may be empty.

        Of SQuAD's answerable questions 1 in 70 has such a word, mostly mistyped and put right
        before, of its near misses 1 in 27. What begins a question has its capital anyway, short
        forms are written out in documents, and "Nigerian" is nothing new where Nigeria is.
        """
        idf = self._library.idf(words(question), scope=scope)
        name = not_mentioned(question, idf, self._everyday(question))
        parts = _NAME.findall(name) if question.find(name) > 0 else []
        known = self._library.vocabulary() if parts else {}
        kin = {p for p in parts if any(word.startswith(p[:-_ENDING].lower()) for word in known)}
        return name if set(parts) - kin else ""

    def _near(self, ranking: Ranking) -> list[Document | Hit]:
        """The documents that answer about equally well, whole, and the other closest passages."""
        enough = NEAR_BEST_SHARE * ranking.sentences[0].score
        ids = (
            sentence.hit.document_id for sentence in ranking.sentences if sentence.score >= enough
        )
        whole = [self._library.document(id_) for id_ in dict.fromkeys(ids)]
        return [*whole, *(sentence.hit for sentence in ranking.sentences[: LIMITS.closest])]

    def reason(self, wording: str, ranking: Ranking, scope: SearchScope) -> Reason:
        """Why a question that was refused is not answered.

        Args:
            wording: in which the question was searched for.
            ranking: anchored.
            scope: where it was looked for.
        """
        if not ranking.sentences:
            return Reason("", certain=True)
        best = ranking.sentences[0].hit
        idf = self._library.idf(words(wording), scope=scope)
        title = best.title or title_from_id(best.document_id)
        near = {sentence.hit.key: sentence.hit for sentence in ranking.sentences[: LIMITS.closest]}
        held = frozenset[str]().union(*map(stems_around, near.values()))
        return reason(wording, idf, self._everyday(wording), title, held)

    def lacks_asked(self, wording: str, ranking: Ranking, scope: SearchScope) -> bool:
        """Whether a name that is asked about is nowhere, or a number in no passage close to it.

        Names are told by their capitals. This decides what is in doubt.

        Args:
            wording: in which the question was searched for.
            ranking: anchored, of at least one sentence.
            scope: where to look.
        """
        near = {sentence.hit.key: sentence.hit for sentence in ranking.sentences[: LIMITS.closest]}
        held = frozenset(
            number
            for hit in near.values()
            for number in (*TextFeatures(f"{hit.text}\n{hit.title}").numbers, hit.date[:4])
        )
        idf = self._library.idf(words(wording), scope=scope)
        name = not_mentioned(wording, idf, self._everyday(wording))
        return any(c.isupper() for c in name) or not TextFeatures(wording).numbers <= held

    def lacks_name(self, wording: str, best: Hit) -> bool:
        """Whether the closest document is silent on a name that is asked about, told by a capital.

        Of acronyms and of the first word nothing is said: they are written in several ways.
        """
        near = stems_around(best)
        asked = (match[0] for match in _NAME.finditer(wording) if match.start() > 0)
        lacking = {stem(name.lower()) for name in asked} - near
        if not lacking:
            return False
        whole = self._library.document(best.document_id).text.lower()  # may be long: not stemmed
        return any(part not in whole for part in lacking)

    def _everyday(self, wording: str) -> frozenset[str]:
        """The words that the encoder has whole; rare names are in pieces."""
        return frozenset(self._library.encode_query(wording).pieces)


def _points_at_one(request: Request) -> bool:
    """Whether an overview is asked of one thing without a name: "tell me about the treaty"."""
    topic = request.topic
    named = f"the {topic}" in request.question and topic.isalpha() and topic.islower()
    return request.task == "overview" and named


def lacks_form(request: Request, hit: Hit) -> bool:
    """Whether a fact is asked for that has a form of its own, which this passage has nowhere."""
    return request.task == "fact" and bool(missing_form(request.question, hit.text))


def _unread(asked: str, read: str) -> str:
    """That question and documents are in two languages, and what helps."""
    asked_in, read_in = (detection.NAMES.get(code, "another language") for code in (asked, read))
    return (
        f"The question is in {asked_in} and the closest documents are in {read_in}, and this "
        "library is read with English alone. To ask across languages: pilcrow model get "
        "multilingual && pilcrow rebuild --encoder multilingual"
    )
