"""What an answer is made of. All frozen, all plain; `Answer.to_dict()` is the public JSON shape."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from functools import cache
from typing import TYPE_CHECKING, Any, Literal

from index.types import NOWHERE, Document, Hit, Location, Sentence
from rag.query.text_features import TextFeatures, features_of

if TYPE_CHECKING:
    from pydantic import TypeAdapter

State = Literal["answered", "partial", "not_found"]
Support = Literal["supported", "unsupported"]
Verification = Literal["kept", "re-pointed", "replaced"]
"""What became of a draft that stands the check: kept, pointed at a better sentence, or replaced by
its source's own words."""
Rejection = Literal["dropped", "said before", "beside the point"]
"""Why a draft is not shown: it points at nothing there is, or was checked and left out."""

VERSION = 1
"""Of the JSON that `Answer.to_dict` gives: fields are added to it, none is renamed or removed."""


@dataclass(frozen=True, slots=True)
class RankedSentence:
    """A sentence of a hit, what it says on its surface, and how well it answers."""

    hit: Hit
    position: int
    """Which sentence of the hit, from 0."""
    features: TextFeatures
    score: float
    """Probability that this one answers, shared out among the candidates, in [0, 1]."""
    short: str = ""
    """Its words that answer best; empty when it was not read by a reranker that finds them."""
    likely: float = 0.0
    """How likely they are to answer, in [0, 1]."""

    @classmethod
    def of(cls, hit: Hit, position: int, score: float) -> RankedSentence:
        """A sentence of a hit with this score."""
        return cls(hit, position, features_of(hit.sentences[position].text), score)

    @property
    def text(self) -> str:
        """The sentence; `document.text[start:end] == text`."""
        return self.features.text

    @property
    def start(self) -> int:
        """Where it begins in its document."""
        return self.hit.sentences[self.position].start

    @property
    def end(self) -> int:
        """Where it ends in its document."""
        return self.hit.sentences[self.position].end

    @property
    def key(self) -> tuple[str, int]:
        """What tells this sentence from all others: its document and where it begins there."""
        return self.hit.document_id, self.start

    @property
    def relevance(self) -> float:
        """How much it is about what was searched for, in [0, 1], whether it answers or not.

        The mean of its passage's relevance and its own cosine.
        """
        return (self.hit.score + self.hit.sentences[self.position].score) / 2


NEAR_BEST_SHARE = 0.25
"""Share of the best sentence's score from which on another one counts beside it at all: may be
preferred for its time, may contradict it, may carry a statement."""


@dataclass(frozen=True, slots=True)
class Ranking:
    """The sentences of some hits in order of how well they answer."""

    sentences: tuple[RankedSentence, ...]
    """Best first."""
    answerable: float
    """Calibrated probability in [0, 1] that one of the sentences answers the question."""


@dataclass(frozen=True, slots=True)
class Evidence:
    """A numbered sentence the model may point at; `document.text[start:end] == text`."""

    id: int
    """The number in the prompt, from 1; 0 outside the prompt. Minted here and nowhere else."""
    sentence: RankedSentence
    is_primary: bool = False
    """True for sentences chosen on their own account, false for neighbours kept for context."""

    @property
    def features(self) -> TextFeatures:
        """What the sentence says on its surface."""
        return self.sentence.features

    @property
    def text(self) -> str:
        """The sentence, copied from storage."""
        return self.sentence.text

    @property
    def score(self) -> float:
        """How well the sentence answers the question, in [0, 1]; 0 for context."""
        return self.sentence.score

    @property
    def document_id(self) -> str:
        """The document it stands in."""
        return self.sentence.hit.document_id

    @property
    def start(self) -> int:
        """Where it begins there."""
        return self.sentence.start

    @property
    def end(self) -> int:
        """Where it ends there."""
        return self.sentence.end

    @property
    def key(self) -> tuple[str, int]:
        """What tells this sentence from all others: its document and where it begins there."""
        return self.sentence.key


@dataclass(frozen=True, slots=True)
class Quotation:
    """A run of sentences of one passage; `document.text[start:end] == text`."""

    document_id: str
    title: str
    source: str
    date: str
    paragraph: int
    start: int
    end: int
    text: str
    score: float
    label: str = ""
    """What it stands for in its answer: a date, a side of a comparison, a document's title."""
    author: str = ""
    location: Location = NOWHERE

    @classmethod
    def of_sentence(
        cls,
        document: Document,
        paragraph: int,
        sentence: Sentence,
        skip: int = 0,
        score: float = 0.0,
    ) -> Quotation:
        """The quotation of a sentence of a document, without its first `skip` characters."""
        start = sentence.start + skip
        return cls(
            document.id, document.title, document.source, document.date, paragraph, start,
            sentence.end, document.text[start : sentence.end], score,
            author=document.author, location=document.location(start, sentence.end),
        )  # fmt: skip

    @property
    def length(self) -> int:
        """In words."""
        return len(self.text.split())

    def holds(self, sentence: RankedSentence) -> bool:
        """Whether a sentence is part of it."""
        return self.has(sentence.hit, sentence.position)

    def overlaps(self, other: Quotation) -> bool:
        """Whether both quote some of the same sentences."""
        same = self.document_id == other.document_id
        return same and self.start < other.end and other.start < self.end

    def has(self, hit: Hit, position: int) -> bool:
        """Whether the sentence of a hit at this position is part of it."""
        sentence = hit.sentences[position]
        same = self.document_id == hit.document_id
        return same and self.start < sentence.end and sentence.start < self.end


@dataclass(frozen=True, slots=True)
class SourcedStatement:
    """A statement that is shown, with the runs of sentences it rests on."""

    text: str
    sources: tuple[Quotation, ...]
    """At least one."""
    quoted: bool
    """Whether the text is the source's own."""
    label: str = ""
    """As of a quotation."""

    @classmethod
    def of_quotation(cls, quotation: Quotation) -> SourcedStatement:
        """A quotation as its own statement."""
        text = " ".join(quotation.text.split())
        return cls(text, (quotation,), quoted=True, label=quotation.label)


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
    """Other documents with the very same content."""
    author: str = ""
    page: int = 0
    """Of the file, counted from 1; 0 where there are none. For slides and sheets too."""
    page_label: str = ""
    """What it is called there: `xii`, a sheet's name, a time."""
    page_kind: str = ""
    """`page`, `slide`, `sheet`, `time`, …; as in `index.types.Page`."""
    section: str = ""
    """The headings above it, from the first rank down."""
    recognised: float = 0.0
    """How sure text recognition was of it, to 1; 0 for text that the file itself has."""

    def to_dict(self) -> dict[str, Any]:
        """The citation as plain JSON values."""
        return _shown(self)

    @property
    def location(self) -> Location:
        """Where in its file it is."""
        return _place_of(self)

    @classmethod
    def of_quotation(cls, quotation: Quotation, number: int) -> Citation:
        """The citation of a run of sentences under this number."""
        return cls(
            number, quotation.document_id, quotation.title, quotation.source,
            quotation.paragraph, quotation.start, quotation.end, quotation.text, quotation.date,
            author=quotation.author, **asdict(quotation.location),
        )  # fmt: skip

    @classmethod
    def of(cls, evidence: Evidence, number: int) -> Citation:
        """The citation of a sentence under this number."""
        hit = evidence.sentence.hit
        return cls(
            number=number,
            document_id=hit.document_id,
            title=hit.title,
            source=hit.source,
            paragraph=hit.paragraph,
            start=evidence.start,
            end=evidence.end,
            quote=evidence.text,
            date=hit.date,
            also=hit.also,
            author=hit.author,
            **asdict(hit.location(evidence.start, evidence.end)),
        )


@dataclass(frozen=True, slots=True)
class Statement:
    """One thing the answer says, with the numbers of the citations it rests on."""

    text: str
    support: Support
    citations: tuple[int, ...]
    quoted: bool = False
    """True when the text is the source's own sentence rather than the model's wording."""

    def to_dict(self) -> dict[str, Any]:
        """The statement as plain JSON values."""
        return {
            "text": self.text, "support": self.support, "citations": list(self.citations),
            "quoted": self.quoted,
        }  # fmt: skip


@dataclass(frozen=True, slots=True)
class Group:
    """Statements that stand together: a side of a comparison, a date, a document."""

    label: str
    statements: tuple[int, ...]
    """Which of the answer's statements, counted from 1."""


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
    author: str = ""
    """As in `Citation`, with what follows."""
    page: int = 0
    page_label: str = ""
    page_kind: str = ""
    section: str = ""
    recognised: float = 0.0

    @property
    def location(self) -> Location:
        """Where in its file it is."""
        return _place_of(self)

    @classmethod
    def of(cls, hit: Hit) -> PassageRead:
        """A hit as it is shown."""
        return cls(
            document_id=hit.document_id,
            start=hit.start,
            end=hit.end,
            text=hit.text,
            score=round(hit.score, 4),
            title=hit.title,
            source=hit.source,
            date=hit.date,
            paragraph=hit.paragraph,
            author=hit.author,
            **asdict(hit.location(hit.start, hit.end)),
        )


@dataclass(frozen=True, slots=True)
class Timings:
    """Milliseconds since the question arrived; None for what did not happen."""

    evidence_ms: float | None = None
    first_token_ms: float | None = None
    total_ms: float | None = None


@dataclass(frozen=True, slots=True)
class Progress:
    """How far a language model has read a long document."""

    done: int
    """Parts that were read."""
    total: int
    """Parts; what is made of them together is one more."""


@dataclass(frozen=True, slots=True)
class HitScores:
    """A passage that was found, with each opinion about it; see `index.Hit`."""

    document_id: str
    paragraph: int
    rank: int
    score: float
    dense: float
    lexical: float
    sentence: float

    @classmethod
    def of(cls, hit: Hit) -> HitScores:
        """The scores of a hit, rounded to be read."""
        scores = (hit.score, hit.dense, hit.lexical, hit.sentence)
        return cls(hit.document_id, hit.paragraph, hit.rank, *(round(score, 4) for score in scores))


@dataclass(frozen=True, slots=True)
class ShownSentence:
    """A sentence that the model was shown; see `Evidence`."""

    id: int
    document_id: str
    start: int
    end: int
    score: float
    lead: bool
    """`Evidence.is_primary`."""

    @classmethod
    def of(cls, evidence: Evidence) -> ShownSentence:
        """A sentence of the prompt with its score, rounded to be read."""
        return cls(
            evidence.id, evidence.document_id, evidence.start, evidence.end,
            round(evidence.score, 4), evidence.is_primary,
        )  # fmt: skip


@dataclass(frozen=True, slots=True)
class CheckedDraft:
    """What the model wrote and what became of it: a `Verification` or a `Rejection`."""

    ids: tuple[int, ...]
    text: str
    outcome: str


@dataclass(frozen=True, slots=True)
class Explanation:
    """How an answer was made, for whoever asks for it; its fields are the JSON's keys."""

    forms: tuple[str, ...] = ()
    """The question in every variant that was searched for."""
    form: str = ""
    """The one that the documents answer best."""
    answerable: float = 0.0
    hits: tuple[HitScores, ...] = ()
    evidence: tuple[ShownSentence, ...] = ()
    prompt_tokens: int | None = None
    """Tokens of the model's prompt; None when it was not asked."""
    prefix_reused: int | None = None
    """How many of them were in the model's cache; None from a model that does not say."""
    drafts: tuple[CheckedDraft, ...] = ()

    def to_dict(self) -> dict[str, Any]:
        """The explanation as plain JSON values, without what there was none of."""
        shown: dict[str, Any] = {
            "forms": list(self.forms),
            "form": self.form,
            "answerable": self.answerable,
            "hits": [asdict(hit) for hit in self.hits],
            "evidence": [asdict(sentence) for sentence in self.evidence],
        }
        if self.prompt_tokens is not None:
            shown["prompt_tokens"] = self.prompt_tokens
        if self.prefix_reused is not None:
            shown["prefix_reused"] = self.prefix_reused
        if self.drafts:
            shown["drafts"] = [{**asdict(draft), "ids": list(draft.ids)} for draft in self.drafts]
        return shown


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
    explain: Explanation | None = None
    """How the answer was made; only on request."""
    task: str = ""
    """What the question asked to be done: `fact`, `explain`, `compare`, `summarise`, …"""
    form: str = "prose"
    """How the text is laid out: `prose`, `bullets`, `table`, `columns`, and `conflict`: the groups
    say different things about the same, each under its date, newest first."""
    groups: tuple[Group, ...] = ()
    """The statements under their labels, where the answer has parts."""
    missing: tuple[str, ...] = ()
    """What was asked for and is not in the documents, in plain sentences."""
    options: tuple[str, ...] = ()
    """When the question may mean several things: what it may mean."""
    progress: Progress | None = None
    """While a long document is read: how far."""
    closest: Citation | None = None
    """Where nothing is answered and nothing is seen to be missing: a sentence that may answer."""

    @classmethod
    def from_dict(cls, saved: object) -> Answer:
        """An answer read back from `to_dict` or `dataclasses.asdict`.

        Raises:
            ValueError: when it is not the JSON of an answer.
        """
        if isinstance(saved, dict) and not saved.get("explain"):
            saved = {**saved, "explain": None}
        return _answer_adapter().validate_python(saved)

    def to_dict(self) -> dict[str, Any]:
        """The answer as plain JSON values: the shape `pilcrow ask --json` prints."""
        shown = {
            "version": VERSION,
            "question": self.question,
            "state": self.state,
            "text": self.text,
            "short": self.short,
            "statements": [statement.to_dict() for statement in self.statements],
            "citations": [citation.to_dict() for citation in self.citations],
            "passages": [_shown(p) for p in self.passages],
            "timings": asdict(self.timings),
            "model": self.model,
            "notes": list(self.notes),
            "answerable": None if self.answerable is None else round(self.answerable, 4),
            "task": self.task,
            "form": self.form,
            "groups": [{"label": g.label, "statements": list(g.statements)} for g in self.groups],
            "missing": list(self.missing),
            "options": list(self.options),
            "headline": self.headline.to_dict() if self.headline else None,
            "closest": self.closest.to_dict() if self.closest else None,
            "complete": self.complete,
            "stage": self.stage,
            "ahead": self.ahead,
            "progress": asdict(self.progress) if self.progress else None,
        }
        if self.explain is not None:
            shown["explain"] = self.explain.to_dict()
        return shown


_WHERE_KNOWN = frozenset(
    {"also", "author", "page", "page_label", "page_kind", "section", "recognised"}
)


def _place_of(cited: Citation | PassageRead) -> Location:
    return Location(cited.page, cited.page_label, cited.page_kind, cited.section, cited.recognised)


def _shown(cited: Citation | PassageRead) -> dict[str, Any]:
    """A citation as plain values, without what its document does not have."""
    return {key: value for key, value in asdict(cited).items() if value or key not in _WHERE_KNOWN}


@cache
def _answer_adapter() -> TypeAdapter[Answer]:
    """What builds answers from plain values; making it takes longer than using it."""
    from pydantic import TypeAdapter

    return TypeAdapter(Answer)


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
    outcome: Verification
