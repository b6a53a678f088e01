"""The sides of a comparison: which sentences tell of which of the things compared. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace

from rag.grounding import composition
from rag.grounding.composition import weighted_coverage
from rag.query.text_features import content_stems
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


@dataclass(slots=True)
class Side:
    """One of the things compared."""

    subject: str
    own: Mapping[str, float]
    """The stems by which it differs from the others, with their rarity."""
    sentences: list[RankedSentence] = field(default_factory=list)
    """By how much they are about it, most first."""

    def is_named(self, stems: frozenset[str]) -> bool:
        """Whether these words name it."""
        return weighted_coverage(self.own, stems) >= LIMITS.naming

    def fit(self, found: Iterable[RankedSentence], sides: Sequence[Side], aspect: str) -> None:
        """Take what was found for it, by how much that is about it.

        Args:
            found: sentences, scored by their relevance.
            sides: all of them.
            aspect: in what they are compared; empty where all of it.
        """
        name = self.subject.casefold()
        longer = [s.subject.casefold() for s in sides if name in s.subject.casefold()]
        longer = [other for other in longer if other != name]
        wanted = dict.fromkeys(content_stems(aspect), 1.0)

        def score(sentence: RankedSentence) -> float:
            text = sentence.text.casefold()
            around = sentence.features.stems | frozenset(content_stems(sentence.hit.title))
            named = name in text and not any(other in text for other in longer)
            naming = sum(
                self.is_named(frozenset(content_stems(other.text)))
                for other in sentence.hit.sentences
            )
            return (
                sentence.score
                + LIMITS.said * weighted_coverage(self.own, sentence.features.stems)
                + LIMITS.around * weighted_coverage(self.own, around)
                + LIMITS.around * weighted_coverage(wanted, stems_around(sentence.hit))
                + LIMITS.named * named
                + LIMITS.repeated * min(naming, LIMITS.repetitions)
            )

        scored = (replace(sentence, score=score(sentence)) for sentence in found)
        self.sentences = sorted(scored, key=lambda sentence: -sentence.score)

    def runs(
        self, sides: Sequence[Side], budget: int, told: Sequence[Quotation]
    ) -> list[Quotation]:
        """Its best runs, as its article tells them, the best article first.

        Args:
            sides: all of them.
            budget: words for all runs.
            told: what stands in the answer already.
        """
        theirs = [s for s in self.sentences if owner_of(s, sides) is not self]
        mine = [
            sentence
            for sentence in self.sentences
            if owner_of(sentence, sides) is self
            and self.is_named(stems_around(sentence.hit))
            and not any(run.holds(sentence) for run in told)
        ]
        closed = [composition.quotation(s.hit, s.position, s.position, 0.0) for s in theirs]
        made = composition.runs(
            mine, budget, share=LIMITS.run, most=LIMITS.runs, told=[*told, *closed]
        )
        order = list(dict.fromkeys(run.document_id for run in made))
        made.sort(key=lambda run: (order.index(run.document_id), run.start))
        return [replace(run, label=self.subject) for run in made]


def owner_of(sentence: RankedSentence, sides: Sequence[Side]) -> Side:
    """The side that a sentence names, else the one that its passage is more about."""
    named = [side for side in sides if side.is_named(sentence.features.stems)]
    if len(named) == 1:
        return named[0]

    def about(side: Side) -> float:
        near = (other.score for other in side.sentences if other.hit.key == sentence.hit.key)
        return max(near, default=0.0)

    return max(sides, key=about)


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
