"""The sides of a comparison: which sentences tell of which of the things compared. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace

from rag.grounding import composition
from rag.grounding.composition import weighted_coverage
from rag.query.text_features import content_stems, features_of
from rag.replies.topics import stems_around
from rag.types import Quotation, RankedSentence


@dataclass(frozen=True, slots=True)
class SideLimits:
    """What makes a sentence one of a side; chosen on the comparisons of the everyday set."""

    said: float = 0.3
    """Added to a sentence's relevance where it has the words by which a side differs."""
    around: float = 0.2
    """The same for its document's title, and for the aspect."""
    named: float = 0.2
    """The same where it has the side's name as it was typed."""
    repeated: float = 0.05
    """The same for each sentence of its passage that names the side, up to `repetitions`."""
    repetitions: int = 3
    naming: float = 0.5
    """Share of a side's own words, weighed by rarity, with which a sentence names it."""
    run: float = 0.6
    """Share of the best sentence's score that a second run needs."""
    runs: int = 2


LIMITS = SideLimits()


@dataclass(frozen=True, slots=True, eq=False)
class Side:
    """One of the things compared."""

    subject: str
    own: Mapping[str, float]
    """The stems by which it differs from the others, with their rarity."""
    sentences: Sequence[RankedSentence]
    """By how much they are about it, most first."""
    about: Mapping[tuple[str, int, int], float]
    """How much each of their passages is about it, by the key of its hit: as its best sentence."""

    @classmethod
    def fitted(
        cls,
        subject: str,
        subjects: Sequence[str],
        own: Mapping[str, float],
        found: Iterable[RankedSentence],
        aspect: str,
    ) -> Side:
        """One of the things compared, with what was found for it.

        Args:
            subject: its name.
            subjects: all of them.
            own: see `Side`.
            found: sentences, scored by their relevance.
            aspect: in what they are compared; empty where all of it.
        """
        name = subject.casefold()
        others = [other.casefold() for other in subjects if other != subject]
        longer = [other for other in others if name in other]
        wanted = dict.fromkeys(content_stems(aspect), 1.0)

        found = tuple(found)
        # how many sentences of each passage name it
        naming = {
            hit.key: sum(names(own, features_of(other.text).stems) for other in hit.sentences)
            for hit in {sentence.hit.key: sentence.hit for sentence in found}.values()
        }

        def score(sentence: RankedSentence) -> float:
            text = sentence.text.casefold()
            around = sentence.features.stems | features_of(sentence.hit.title).stems
            named = name in text and not any(other in text for other in longer)
            return (
                sentence.score
                + LIMITS.said * weighted_coverage(own, sentence.features.stems)
                + LIMITS.around * weighted_coverage(own, around)
                + LIMITS.around * weighted_coverage(wanted, stems_around(sentence.hit))
                + LIMITS.named * named
                + LIMITS.repeated * min(naming[sentence.hit.key], LIMITS.repetitions)
            )

        scored = [replace(sentence, score=score(sentence)) for sentence in found]
        scored.sort(key=lambda sentence: -sentence.score)
        about = {sentence.hit.key: sentence.score for sentence in reversed(scored)}
        return cls(subject, own, scored, about)

    def is_named(self, stems: frozenset[str]) -> bool:
        """Whether these words name it."""
        return names(self.own, stems)

    def runs(
        self, sides: Sequence[Side], budget: int, told: Sequence[Quotation]
    ) -> list[Quotation]:
        """Its best runs, as its article tells them, the best article first.

        Args:
            sides: all of them.
            budget: words for all runs.
            told: what stands in the answer already.
        """
        mine: list[RankedSentence] = []
        closed = list(told)
        for sentence in self.sentences:
            if owner_of(sentence, sides) is not self:
                position = sentence.position
                closed.append(composition.quotation(sentence.hit, position, position, 0.0))
            elif self.is_named(stems_around(sentence.hit)) and not any(
                run.holds(sentence) for run in told
            ):
                mine.append(sentence)
        made = composition.runs(mine, budget, share=LIMITS.run, most=LIMITS.runs, told=closed)
        order = list(dict.fromkeys(run.document_id for run in made))
        made.sort(key=lambda run: (order.index(run.document_id), run.start))
        return [replace(run, label=self.subject) for run in made]


def names(own: Mapping[str, float], stems: frozenset[str]) -> bool:
    """Whether words name the thing that has these stems of its own."""
    return weighted_coverage(own, stems) >= LIMITS.naming


def owner_of(sentence: RankedSentence, sides: Sequence[Side]) -> Side:
    """The side that a sentence names, else the one that its passage is more about."""
    named = [side for side in sides if side.is_named(sentence.features.stems)]
    if len(named) == 1:
        return named[0]

    return max(sides, key=lambda side: side.about.get(sentence.hit.key, 0.0))


def together(sides: Sequence[Side]) -> list[Quotation]:
    """The run around the best sentence that names all sides; none without one."""
    stems = frozenset[str]().union(*(side.own for side in sides))
    if len(stems) < sum(len(side.own) for side in sides):
        return []  # one is named by the other's words: "X and X+10"
    naming = [
        sentence
        for side in sides
        for sentence in side.sentences
        if all(other.is_named(sentence.features.stems) for other in sides)
    ]
    if not naming:
        return []
    best = max(naming, key=lambda sentence: sentence.score)
    label = " and ".join(side.subject for side in sides)
    made = composition.runs([best], composition.LIMITS.fact, most=1)
    return [replace(run, label=label) for run in made]
