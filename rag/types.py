"""What an answer is made of. All frozen, all plain; `Answer.to_dict()` is the public JSON shape."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import asdict, dataclass, field
from functools import cache
from typing import TYPE_CHECKING, Any, Literal

from index import Hit

if TYPE_CHECKING:
    from pydantic import TypeAdapter

State = Literal["answered", "partial", "not_found"]
Support = Literal["supported", "unsupported"]


@dataclass(frozen=True, slots=True)
class Evidence:
    """A numbered sentence the model may point at; `document.text[start:end] == text`."""

    id: int
    """The number in the prompt, from 1. Ids are minted here and nowhere else."""
    document_id: str
    title: str
    source: str
    date: str
    paragraph: int
    start: int
    end: int
    text: str
    score: float
    """How well the sentence answers the question, in [0, 1]."""
    is_primary: bool = False
    """True for sentences chosen on their own account, false for neighbours kept for context."""
    passage_start: int = 0
    passage_end: int = 0
    also: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Citation:
    """A pointer into a document; `document.text[start:end] == quote`, copied from storage."""

    number: int
    document_id: str
    title: str
    source: str
    paragraph: int
    start: int
    end: int
    quote: str
    date: str = ""
    also: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Statement:
    """One thing the answer says, with the numbers of the citations it rests on."""

    text: str
    support: Support
    citations: tuple[int, ...]
    quoted: bool = False
    """True when the text is the source's own sentence rather than the model's wording."""


@dataclass(frozen=True, slots=True)
class PassageRead:
    """A retrieved passage, shown as "also read" or, when nothing was found, as "closest"."""

    document_id: str
    start: int
    end: int
    text: str
    score: float
    title: str = ""
    source: str = ""
    date: str = ""
    paragraph: int = 0


@dataclass(frozen=True, slots=True)
class Timings:
    """Milliseconds since the question arrived; None for what did not happen."""

    evidence_ms: float | None = None
    first_token_ms: float | None = None
    total_ms: float | None = None


@dataclass(frozen=True, slots=True)
class Answer:
    """One snapshot of an answer. The last snapshot of a stream has `complete=True`."""

    question: str
    state: State
    text: str
    """The statements joined, each followed by its markers: `… [1]`."""
    statements: tuple[Statement, ...] = ()
    citations: tuple[Citation, ...] = ()
    passages: tuple[PassageRead, ...] = ()
    timings: Timings = Timings()
    model: str = ""
    """Name of the language model, or `none` when the answer is quotes only."""
    complete: bool = False
    stage: str = ""
    """What is being done: `searching`, `reading`, `waiting`, `writing`, `done`."""
    ahead: int = 0
    """While `waiting`: how many answers the model writes before this one."""
    headline: Citation | None = None
    """The best sentence, known before the model has read its prompt."""
    short: str | None = None
    """The few words of a cited sentence that answer; None unless that is nearly certain."""
    notes: tuple[str, ...] = ()
    """Plain sentences for the person: no language model, sources disagree, …"""
    answerable: float | None = None
    """Calibrated probability in [0, 1] that the documents answer; None before they were read."""
    explain: dict[str, Any] = field(default_factory=dict)
    """How the answer was made; filled on request."""

    @classmethod
    def from_dict(cls, saved: object) -> Answer:
        """An answer read back from `to_dict` or `dataclasses.asdict`.

        Raises:
            ValueError: when it is not the JSON of an answer.
        """
        return _answer_adapter().validate_python(saved)

    def to_dict(self) -> dict[str, Any]:
        """The answer as plain JSON values: the shape `pilcrow ask --json` prints."""
        shown = {
            "question": self.question,
            "state": self.state,
            "text": self.text,
            "short": self.short,
            "statements": [
                {"text": s.text, "support": s.support, "citations": list(s.citations)}
                for s in self.statements
            ],
            "citations": [
                {k: v for k, v in asdict(c).items() if k != "also" or v} for c in self.citations
            ],
            "passages": [asdict(p) for p in self.passages],
            "timings": asdict(self.timings),
            "model": self.model,
            "notes": list(self.notes),
            "answerable": None if self.answerable is None else round(self.answerable, 4),
        }
        if self.explain:
            shown["explain"] = self.explain
        return shown


@cache
def _answer_adapter() -> TypeAdapter[Answer]:
    """What builds answers from plain values; making it takes longer than using it."""
    from pydantic import TypeAdapter

    return TypeAdapter(Answer)


@dataclass(frozen=True, slots=True)
class SearchScope:
    """The part of the library a question is asked of."""

    documents: Collection[str] | None = None
    dates: tuple[str, str] | None = None


EVERYWHERE = SearchScope()


@dataclass(frozen=True, slots=True)
class RankedSentence:
    """A sentence of a hit with how well it answers."""

    hit: Hit
    position: int
    """Which sentence of the hit, from 0."""
    start: int
    end: int
    text: str
    score: float
    """Share of belief among the candidates that this one answers, in [0, 1]."""
    short: str = ""
    """Its words that answer best; empty when it was not read closely."""
    likely: float = 0.0
    """How likely they are to answer, in [0, 1]."""


@dataclass(frozen=True, slots=True)
class Ranking:
    """What the reader makes of a question and its hits."""

    sentences: tuple[RankedSentence, ...]
    """Best first."""
    answerable: float
    """Calibrated probability in [0, 1] that one of the sentences answers the question."""


@dataclass(frozen=True, slots=True)
class Draft:
    """What the model wrote: a text and the ids it pointed at, none of them checked."""

    ids: tuple[int, ...]
    text: str


@dataclass(frozen=True, slots=True)
class Verified:
    """A statement and the evidence that carries it."""

    text: str
    evidence: tuple[Evidence, ...]
    quoted: bool
    """True when the text is the source's own sentence."""
    outcome: str
    """`kept`, `re-pointed` or `replaced`."""
