"""Sentences in order of how well they answer → quotations in the order in which they are told.

An answer without a language model is made of the sources' own sentences. A run of neighbouring
sentences is one quotation, so that an explanation is read as it was written. Pure: what has to be
fetched is fetched by `rag.replies.extractive.composer`.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from index.tokenization import words
from index.types import Document, Hit, Passage
from rag.grounding.evidence import says_the_same
from rag.query.text_features import TextFeatures, content_stems
from rag.types import Quotation, RankedSentence


@dataclass(frozen=True, slots=True)
class CompositionLimits:
    """How long a composed answer is, in words, by its task; chosen on the everyday set."""

    fact: int = 45
    """The run around the best sentence, where it is as good as certain to answer."""
    certain: float = 0.95
    """Share of the scores of all sentences from which on the best one is that."""
    value: int = 72
    """Where a name, a date, a place or a number is asked for and no sentence is certain."""
    undecided: float = 0.3
    """Share of the scores below which two runs are told instead, of `fact` and `beside_value`."""
    beside_value: int = 32
    claim: int = 36
    """What speaks for a claim; what denies it may be as long again."""
    explain: int = 110
    beside: int = 45
    """A second run, where one elsewhere answers nearly as well."""
    beside_share: float = 0.3
    """Of the best sentence's score, for that."""
    across: int = 80
    """The run around the best sentence where documents are in another language than the question:
    the ranking is less sure there, and more passages are told, each in fewer words."""
    across_beside: int = 40
    """The run in each of two other passages."""
    across_share: float = 0.03
    """Of the best sentence's score, for that."""
    several: int = 190
    """For all parts of a question that asks several things; of each, a third may stand beside."""
    compare: int = 190
    """For all sides together."""
    overview: int = 270
    overview_each: int = 55
    """For one document of an overview."""
    overview_documents: int = 7
    lead: int = 2
    """Sentences of the document that has a topic for its name."""
    summary: int = 235
    summary_sentence: int = 40
    """Where a number of sentences is asked for: words for one of them."""
    first_words: int = 3
    """Among which a pronoun is a sentence's subject."""
    summary_shortest: int = 6
    """Words of a sentence that says something by itself."""
    summary_longest: int = 48
    summary_title: float = 4.0
    """What a word of the title weighs more, in times that a word is said."""
    summary_lead: float = 2.0
    """Times the gain of a paragraph's first sentence, which says what it is about."""
    summary_opening: float = 2.0
    """Times the gain of a sentence of the first paragraph, where the news is."""
    summary_heard: float = 0.5
    """Times the gain of a sentence whose paragraph was heard, other than the first one."""
    listing: int = 190
    listed: float = 0.02
    """Share of the best sentence's score from which on another one belongs to its list."""
    timeline: int = 260
    sentence: int = 28
    """Where a number of sentences is asked for: words of one of them."""
    points: int = 5
    """Bullets, where no number is asked for."""
    point: int = 34
    """Words for one of them."""
    overrun: float = 1.25
    """Times the budget, to take along the sentence that the best one leans on."""


LIMITS = CompositionLimits()


_LEANING = re.compile(
    r"^[\"“'‘(\s]*(?:(?:and|but|so|also|yet|still|then|instead|however|both|neither|either|that"
    r"|this|these|those|such|he|she|it|they|his|her|its|their|there|one|another|others|the (?:same"
    r"|two|three|latter|former|minister|agency|company|group|panel|body|law|treaty|text|rest|first"
    r"|second|third|deal|vote))\b)",
    re.IGNORECASE,
)
_PRONOUNS = frozenset("he she it they him her them this that these those".split())
_DATELINE = re.compile(
    r"[A-Z][A-Z .'-]{2,}(?:, [A-Z][a-z]+\.?(?: \d{1,2})?(?:, \d{4})?)?(?: \([^)]*\))? ?[-–—] +"
)


def leans_on_previous(sentence: str) -> bool:
    """Whether a sentence begins with a word that points at what was said before it."""
    return _LEANING.match(sentence) is not None


def names_its_subject(sentence: str) -> bool:
    """Whether no pronoun stands for it among the first words: "Last week it held a summit"."""
    return not _PRONOUNS & set(words(sentence)[: LIMITS.first_words])


def dateline_length(text: str) -> int:
    """How many characters say where and when a text was written ("KYOTO, Oct 12 - ")."""
    found = _DATELINE.match(text)
    return found.end() if found else 0


def quotation(hit: Hit, first: int, last: int, score: float, label: str = "") -> Quotation:
    """The sentences of a hit from `first` to `last`, both included, without a dateline."""
    start, end = hit.sentences[first].start, hit.sentences[last].end
    start += dateline_length(hit.text[start - hit.start : end - hit.start])
    return Quotation(
        hit.document_id, hit.title, hit.source, hit.date, hit.paragraph, start, end,
        hit.text[start - hit.start : end - hit.start], score, label,
        author=hit.author, location=hit.location(start, end),
    )  # fmt: skip


def window(
    hit: Hit,
    best: int,
    scores: Sequence[float],
    budget: int,
    told: Collection[int] = (),
) -> tuple[int, int]:
    """The first and last sentence of the run around `best` that has at most so many words.

    It grows towards the neighbour that answers better; a sentence that leans on the one before it
    takes that one along, even a little over the budget. It stops at sentences that are told.
    """
    lengths = [len(sentence.text.split()) for sentence in hit.sentences]
    first = last = best
    total = lengths[best]
    while (
        first > 0
        and first - 1 not in told
        and leans_on_previous(hit.sentences[first].text)
        and total + lengths[first - 1] <= budget * LIMITS.overrun
    ):
        first -= 1
        total += lengths[first]
    while True:
        options = []
        if last + 1 < len(lengths):
            leaning = leans_on_previous(hit.sentences[last + 1].text)
            options.append((scores[last + 1] + (0.5 if leaning else 0.1), last + 1))
        if first > 0:
            options.append((scores[first - 1], first - 1))
        options = [
            option
            for option in options
            if option[1] not in told and total + lengths[option[1]] <= budget
        ]
        if not options:
            return first, last
        _, position = max(options)
        first, last = min(first, position), max(last, position)
        total += lengths[position]


def by_passage(sentences: Sequence[RankedSentence]) -> list[tuple[Hit, dict[int, float]]]:
    """The hits in the order of their best sentence, each with its sentences' scores by position."""
    found: dict[tuple[str, int], tuple[Hit, dict[int, float]]] = {}
    for sentence in sentences:
        _, scores = found.setdefault(
            (sentence.hit.document_id, sentence.hit.start), (sentence.hit, {})
        )
        scores[sentence.position] = sentence.score
    return list(found.values())


def runs(
    sentences: Sequence[RankedSentence],
    budget: int,
    *,
    share: float = 1.0,
    most: int = 3,
    told: Sequence[Quotation] = (),
) -> list[Quotation]:
    """The run around the best sentence, then those around the best of other passages.

    Args:
        sentences: best first.
        budget: words for all of them.
        share: of the best score, that another passage's best sentence needs.
        most: how many runs.
        told: what stands in the answer already and is not said again.
    """
    if not sentences:
        return []
    best = sentences[0].score
    made: list[Quotation] = []
    room = budget
    for hit, scores in by_passage(sentences):
        position, score = max(scores.items(), key=lambda item: item[1])
        if len(made) == most or (made and (score < share * best or room < 15)):
            break
        relative = [scores.get(i, 0.0) / max(best, 1e-9) for i in range(len(hit.sentences))]
        closed = {i for i in range(len(hit.sentences)) if any(run.has(hit, i) for run in told)}
        run = quotation(hit, *window(hit, position, relative, room, closed), score)
        if made and (run.length > room * LIMITS.overrun or _is_told(run, made)):
            continue
        made.append(run)
        room -= run.length
    return made


def in_sentences(
    quotations: Sequence[Quotation], sentences: Iterable[RankedSentence]
) -> list[Quotation]:
    """The sentences of the quotations, each by itself, in their order.

    Args:
        quotations: runs.
        sentences: all that they were made of.
    """
    known = sorted(sentences, key=lambda sentence: sentence.start)
    return [
        quotation(sentence.hit, sentence.position, sentence.position, sentence.score)
        for run in quotations
        for sentence in known
        if run.holds(sentence)
    ]


def _is_told(run: Quotation, made: Sequence[Quotation]) -> bool:
    """Whether most of what a run says was said."""
    stems = TextFeatures(run.text).stems
    told = frozenset[str]().union(*(TextFeatures(earlier.text).stems for earlier in made))
    return len(stems & told) > 0.7 * len(stems)


def summary(
    document: Document,
    passages: Sequence[Passage],
    vectors: NDArray[np.float32],
    most: int | None,
) -> list[Quotation]:
    """The sentences that together stand for a whole document, in its order.

    The greedy choice by covered concepts (Filatova and Hatzivassiloglou 2004): each next sentence
    adds most of the document's repeated words, weighed by how central the sentence is. The first
    one that can be read alone is always there, since articles begin with what they are about.

    Args:
        document: what is summed up.
        passages: all of it, in order.
        vectors: of all its sentences, in order, shape (n, dimension).
        most: sentences; as many as fit when None.
    """
    quotations = [
        Quotation.of_sentence(document, passage.paragraph, sentence, dateline_length(sentence.text))
        for passage in passages
        for sentence in passage.sentences
    ]
    readable = [
        number
        for number, one in enumerate(quotations)
        if not (number and leans_on_previous(one.text))
        and names_its_subject(one.text)
        and LIMITS.summary_shortest <= one.length <= LIMITS.summary_longest
    ]
    budget = LIMITS.summary if most is None else most * LIMITS.summary_sentence
    chosen = _covering(
        document.title, quotations, readable or list(range(len(quotations))), _centrality(vectors),
        budget,
    )  # fmt: skip
    return sorted(chosen[:most], key=lambda sentence: sentence.start)


def _covering(
    title: str,
    quotations: Sequence[Quotation],
    readable: Sequence[int],
    central: NDArray[np.float64],
    budget: int,
) -> list[Quotation]:
    """The readable sentences that cover most, the best first, as many as fit into so many words."""
    concepts = [frozenset(content_stems(quotation.text)) for quotation in quotations]
    count = Counter(concept for stems in concepts for concept in stems)
    named = frozenset(content_stems(title))
    weights = {
        c: (n if n > 1 else 0.5) + LIMITS.summary_title * (c in named) for c, n in count.items()
    }
    leads = {number for number, one in enumerate(quotations)
             if not number or one.paragraph != quotations[number - 1].paragraph}  # fmt: skip
    opening = quotations[0].paragraph
    told: set[str] = set()
    heard: set[int] = set()

    def gain(number: int) -> float:
        one = quotations[number]
        fresh = sum(weights[concept] for concept in concepts[number] - told)
        place = LIMITS.summary_lead if number in leads else 1.0
        if one.paragraph == opening:
            place *= LIMITS.summary_opening
        elif one.paragraph in heard:
            place *= LIMITS.summary_heard
        weight = max(float(central[number]), 0.05)
        return float(place * fresh * weight / np.sqrt(one.length))

    chosen: list[Quotation] = []
    best, left, room = readable[0], list(readable), budget
    while True:
        chosen.append(quotations[best])
        told |= concepts[best]
        heard.add(quotations[best].paragraph)
        room -= quotations[best].length
        left = [n for n in left if n != best and quotations[n].length <= room]
        if not left:
            return chosen
        best = max(left, key=gain)


def _centrality(vectors: NDArray[np.float32]) -> NDArray[np.float64]:
    """Each sentence's mean cosine to all the others, shape (n,)."""
    unit = vectors / np.maximum(np.linalg.norm(vectors, axis=1, keepdims=True), 1e-9)
    return np.asarray(unit @ unit.mean(axis=0), np.float64)


def _fitting(
    quotations: Iterable[Quotation], budget: int, most: int | None = None
) -> list[Quotation]:
    """The quotations, in their order, that fit into so many words."""
    kept: list[Quotation] = []
    room = budget
    for quotation in quotations:
        if quotation.length <= room and (most is None or len(kept) < most):
            kept.append(quotation)
            room -= quotation.length
    return kept


def per_document(sentences: Sequence[RankedSentence]) -> list[Quotation]:
    """One run a document, the best document first, each under its document's title."""
    best: dict[str, tuple[Hit, dict[int, float]]] = {}
    for hit, scores in by_passage(sentences):
        best.setdefault(hit.document_id, (hit, scores))
    made: list[Quotation] = []
    room = LIMITS.overview
    for hit, scores in list(best.values())[: LIMITS.overview_documents]:
        position, score = max(scores.items(), key=lambda item: item[1])
        relative = [scores.get(i, 0.0) for i in range(len(hit.sentences))]
        left = room - len(hit.title.split())
        ends = window(hit, position, relative, min(LIMITS.overview_each, left))
        run = quotation(hit, *ends, score, hit.title)
        if run.length <= left:
            made.append(run)
            room = left - run.length
    return made


def distinct(quotations: Sequence[Quotation], budget: int) -> list[Quotation]:
    """The quotations, as far as they fit, without those that say what one before them said."""
    kept: list[Quotation] = []
    told: list[TextFeatures] = []
    for quotation in quotations:
        features = TextFeatures(quotation.text)
        if not any(says_the_same(features, other) for other in told):
            kept.append(quotation)
            told.append(features)
    return _fitting(kept, budget)


def chronological(events: Sequence[Quotation]) -> list[Quotation]:
    """The events that belong most to the topic, as far as they fit, oldest first.

    Args:
        events: whose label is an ISO date, and whose score says how much they belong.
    """
    ranked = sorted(events, key=lambda event: -event.score)
    return sorted(_fitting(ranked, LIMITS.timeline), key=lambda event: (event.label, event.start))


def weighted_coverage(weights: Mapping[str, float], stems: frozenset[str]) -> float:
    """The share of weight on stems that are there, in [0, 1]; 0 when nothing weighs anything."""
    total = sum(weights.values())
    return sum(w for word, w in weights.items() if word in stems) / total if total else 0.0
