"""What is known of an answer → what is shown of it.

`AnswerState` is one question on its way and changes as it is answered; each `Answer` made from it
is a frozen snapshot that nothing changes any more.
"""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass, field, replace

from index.types import Hit
from rag.grounding.citations import cite, number_citations, text_of
from rag.grounding.composition import dateline_length
from rag.grounding.evidence import as_evidence
from rag.grounding.layout import form_of, groups_of, lay_out
from rag.grounding.support import quote
from rag.llm.generator import Generator
from rag.query.question import QueryVariant, Question
from rag.retrieval import FirstPass, Retrieved
from rag.types import (
    Answer,
    CheckedDraft,
    Citation,
    Draft,
    Evidence,
    Explanation,
    Group,
    HitScores,
    PassageRead,
    Progress,
    Quotation,
    RankedSentence,
    ShownSentence,
    SourcedStatement,
    State,
    Timings,
    Verified,
)

NOT_FOUND = "Not in your documents."
"""What an answer says when the documents do not hold one; the closest passages stand beside it."""
DISAGREE = "Your documents disagree: what each says is shown with its date, the newest first."
"""The note over sentences of several documents that say different things; `form` is `conflict`."""
CLOSEST_PASSAGES = 3
"""How many passages stand beside it."""


@dataclass
class AnswerState:
    """One question on its way to an answer. Belongs to one thread."""

    question: Question
    began: float
    """`time.perf_counter()` when it arrived."""
    wants_explanation: bool
    asked: str
    """The question as typed; `question` is as it was read, without typing mistakes."""
    generator: Generator | None = None
    """What writes this answer: a copy, since another question may find that it cannot be used."""
    state: State = "not_found"
    passages: tuple[PassageRead, ...] = ()
    headline: Citation | None = None
    closest: Citation | None = None
    statements: Sequence[Verified] = ()
    """What was checked so far."""
    groups: tuple[Group, ...] = ()
    """Those of them that disagree, each by its date."""
    quotations: Sequence[Quotation] = ()
    """The answer when it was composed of the sources' own sentences."""
    told: Sequence[SourcedStatement] = ()
    """The answer as it is shown: what a model said of them that stood the check, and they."""
    missing: tuple[str, ...] = ()
    """What is asked for and not there."""
    short: str | None = None
    ahead: int = 0
    """How many answers the model writes before this one."""
    progress: Progress | None = None
    """How far a long document was read."""
    notes: list[str] = field(default_factory=list)
    evidence_ms: float | None = None
    first_token_ms: float | None = None
    answerable: float | None = None
    explanation: Explanation = field(default_factory=Explanation)

    def elapsed_ms(self) -> float:
        """Milliseconds since the question arrived."""
        return round((time.perf_counter() - self.began) * 1000, 1)

    def show_hits(self, hits: Sequence[Hit]) -> None:
        """Show these passages."""
        self.passages = tuple(PassageRead.of(hit) for hit in hits)

    def show_headline(self, sentence: RankedSentence) -> None:
        """Show this sentence at the head of the answer, without its dateline."""
        self.headline = _cited(sentence)

    def show_closest(self, sentence: RankedSentence) -> None:
        """Show this sentence, first of its passages, as one that may answer."""
        self.closest = cited = _cited(sentence)
        holds = [
            p.document_id == cited.document_id and p.start <= cited.start < p.end
            for p in self.passages
        ]
        ordered = sorted(zip(holds, self.passages, strict=True), key=lambda pair: not pair[0])
        self.passages = tuple(passage for _, passage in ordered)

    def explain_retrieval(self, found: FirstPass | Retrieved) -> None:
        """Explain what was searched for and found."""
        self.explanation = Explanation(
            forms=_wordings(found.question.variants),
            form=found.variant.text,
            answerable=round(found.ranking.answerable, 4),
            hits=tuple(HitScores.of(hit) for hit in found.hits),
        )

    def explain_evidence(self, evidence: Sequence[Evidence]) -> None:
        """Explain which sentences the model is shown."""
        shown = tuple(ShownSentence.of(piece) for piece in evidence)
        self.explanation = replace(self.explanation, evidence=shown)

    def explain_draft(self, draft: Draft, outcome: str) -> None:
        """Explain what became of a statement of the model."""
        drafts = (*self.explanation.drafts, CheckedDraft(draft.ids, draft.text, outcome))
        self.explanation = replace(self.explanation, drafts=drafts)

    def explain_written(self, draft: CheckedDraft) -> None:
        """Explain what became of a statement of the model that has no pointers."""
        self.explanation = replace(self.explanation, drafts=(*self.explanation.drafts, draft))

    def explain_prompt(self, tokens: int) -> None:
        """Explain how long the prompt is."""
        self.explanation = replace(self.explanation, prompt_tokens=tokens)

    def explain_reuse(self, tokens: int) -> None:
        """Explain how much of the prompt the model had read before."""
        self.explanation = replace(self.explanation, prefix_reused=tokens)

    def snapshot(self, stage: str) -> Answer:
        """The answer so far."""
        statements, citations = number_citations(self.statements)
        return Answer(
            question=self.asked,
            state=self.state,
            text=text_of(statements),
            statements=statements,
            citations=citations,
            passages=self.passages,
            timings=Timings(self.evidence_ms, self.first_token_ms, self.elapsed_ms()),
            model=self.generator.name if self.generator else "none",
            stage=stage,
            ahead=self.ahead if stage == "waiting" else 0,
            headline=self.headline,
            closest=self.closest,
            progress=self.progress if stage != "done" else None,
            short=self.short if self._is_quoted(citations) else None,
            notes=tuple(self.notes),
            answerable=self.answerable,
            task=self.question.request.task,
            form="conflict" if self.groups else "prose",
            groups=self.groups,
            missing=self.missing,
            explain=self.explanation if self.wants_explanation and self.explanation.form else None,
        )

    def _is_quoted(self, citations: Sequence[Citation]) -> bool:
        """Whether a citation on screen holds the short answer."""
        shown = citations or ((self.headline,) if self.headline else ())
        return bool(self.short) and any(str(self.short) in citation.quote for citation in shown)

    def _told_headline(self, citations: Sequence[Citation]) -> Citation | None:
        """The best sentence, where the answer tells it: above others it would mislead."""
        best = self.headline
        told = best and any(
            cited.document_id == best.document_id and cited.start <= best.start < cited.end
            for cited in citations
        )
        return best if told else None

    def _is_worded(self, told: Sequence[SourcedStatement]) -> bool:
        """Whether the answer says in a model's words what the best sentence says."""
        best = self.headline
        return best is not None and any(
            not statement.quoted
            and source.document_id == best.document_id
            and source.start <= best.start < source.end
            for statement in told
            for source in statement.sources
        )

    def finished(self) -> Answer:
        """The answer as it stays."""
        last = self.snapshot("done")
        text = " ".join([NOT_FOUND, *self.missing]) if self.state == "not_found" else last.text
        return replace(last, text=text, complete=True)

    def not_found(self) -> Answer:
        """The answer when the documents hold none, with the closest passages."""
        self.passages = self.passages[:CLOSEST_PASSAGES]
        return self.finished()

    def reply(self, text: str) -> Answer:
        """The answer when it comes from the library's list and from no document."""
        self.state = "answered"
        return replace(self.finished(), text=text, model="none")

    def ask_back(self, text: str, options: Sequence[str]) -> Answer:
        """The question back, when it is not said what this one is about."""
        self.state = "partial"
        return replace(self.finished(), text=text, model="none", options=tuple(options))

    def composed(self, stage: str = "done") -> Answer:
        """The answer made of quotations, and of what a model said of them; as it stays, when done.

        Args:
            stage: what is being done.
        """
        request = self.question.request
        told = self.told or [
            SourcedStatement.of_quotation(quotation) for quotation in self.quotations
        ]
        statements, citations = cite(told)
        groups = groups_of(told)
        form = form_of(request, groups)
        worded = self.generator is not None and not all(statement.quoted for statement in told)
        return replace(
            self.snapshot(stage),
            text=lay_out(statements, form, groups),
            statements=statements,
            citations=citations,
            headline=None if self._is_worded(told) else self._told_headline(citations),
            form=form,
            groups=groups,
            short=self.short if self._is_quoted(citations) else None,
            model=self.generator.name if worded and self.generator else "none",
            complete=stage == "done",
        )


def notes_on(retrieved: Retrieved) -> list[str]:
    """What the person should know about the answer before reading it."""
    if retrieved.conflicts:
        return [DISAGREE]
    return ["Every passage was looked at."] if retrieved.list_items else []


def left_out(retrieved: Retrieved, quoted: Sequence[Quotation]) -> list[str]:
    """What of a list is not quoted: of long ones the best part is."""
    passages = [(quotation.document_id, quotation.start, quotation.end) for quotation in quoted]
    rest = [
        sentence
        for sentence in retrieved.list_items
        if not any(
            sentence.hit.document_id == id_ and start <= sentence.start < end
            for id_, start, end in passages
        )
    ]
    if not rest:
        return []
    more = f"{len(rest)} more sentences belong" if len(rest) > 1 else "one more sentence belongs"
    return [f"{more[0].upper()}{more[1:]} to this list. Ask for a part of it to read on."]


def _wordings(variants: Sequence[QueryVariant]) -> tuple[str, ...]:
    """The wordings that a question was searched for in, without those for one speaker."""
    return tuple(variant.text for variant in variants if not variant.speaker)


def _cited(sentence: RankedSentence) -> Citation:
    """A sentence by itself, without its dateline."""
    _, (cited,) = number_citations([quote(as_evidence(sentence))])
    skip = dateline_length(cited.quote)
    return replace(cited, start=cited.start + skip, quote=cited.quote[skip:])
