"""Question → answer, step by step: the function everyone reads first.

Search, read, show the best sentence, decide whether the documents answer at all, let the model
write, check every statement, number the citations. `stream` yields the answer as it grows;
`answer` drains it.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Collection, Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass, field, replace
from functools import partial
from typing import Any, Literal

from index import Hit, Library
from index.errors import PilcrowError
from index.library import check_scope
from index.system.cpu import usable_cores
from index.tokenization import sound, words
from rag import types
from rag.errors import ModelFailed, ModelMissing, QuestionError
from rag.grounding import citations, conflicts, evidence, presentation, support
from rag.grounding.short_answer import has_asked_type, in_dateline, short_answer
from rag.llm import prompt
from rag.llm.generator import Generator, PrefixReuse
from rag.llm.queue import QueuePosition
from rag.query import meta_questions
from rag.query.answer_type import asks_for_list
from rag.query.follow_ups import (
    History,
    attribution_of,
    needs_context,
    query_variants,
    topic_question,
)
from rag.query.text_features import content_stems
from rag.query.time_scope import TimeScope, time_scope
from rag.reader import RankedSentence, Ranker, Ranking, SearchScope, gate
from rag.reader.priors import penalize_repeats, relevance_to_follow_up, rerank_by_time
from rag.reader.rerankers import OWN, Reranker, load_reranker
from rag.types import Answer, Citation, Evidence, PassageRead, State, Timings

LONGEST_QUESTION = 2_000
"""Characters. A question longer than a page is a document: add it instead."""
_HITS = 10
_LIST_HITS = 60
_CLOSEST = 3
_MOST_TOKENS = 120
# Every content word of a small model's statement stands in its sentence. On 88 SQuAD questions the
# answer is then on screen in 83 %, with sentences alone in 85 %, at the usual .7 in 75 %.
_EVERY_WORD = 1.0
# How many times the sentences of one prompt may be there when a follow-up goes on with it.
_CONTINUED = 2
# Sentence budget when there is no model to count tokens: about four characters a token.
_CHARACTERS_PER_TOKEN = 4


@dataclass
class _Run:
    """One question on its way; what is known so far."""

    question: str
    began: float
    model: str
    notes: list[str] = field(default_factory=list)
    wants_explanation: bool = False
    short: str | None = None
    ahead: int = 0
    evidence_ms: float | None = None
    first_token_ms: float | None = None
    answerable: float | None = None
    explain: dict[str, Any] = field(default_factory=dict)

    def elapsed(self) -> float:
        return round((time.perf_counter() - self.began) * 1000, 1)

    def note_prompt(self, read: PrefixReuse) -> None:
        self.explain["prefix_reused"] = read.reused


@dataclass(frozen=True, slots=True)
class _Looked:
    """What the first rung makes of a question."""

    question: str
    forms: tuple[str, ...]
    """The question in every form that was searched for."""
    form: str
    """The one that was answered best."""
    hits: Sequence[Hit]
    reading: Ranking
    time: TimeScope | None
    """The time that is asked about."""
    told: str | None
    """The last answer, when this question leans on it."""
    here: frozenset[str]
    """The documents the talk has been about."""

    def adjusted(self, reading: Ranking) -> Ranking:
        """A reading with belief moved to what the talk and the time asked about speak for."""
        if self.told is not None:
            reading = penalize_repeats(self.question, reading, self.told, self.here)
        return replace(reading, sentences=rerank_by_time(reading.sentences, self.time))


@dataclass(frozen=True, slots=True)
class _Found:
    """What the documents have for a question."""

    forms: tuple[str, ...]
    """The question in every form that was searched for."""
    form: str
    """The one that was answered best."""
    hits: Sequence[Hit]
    reading: Ranking
    members: tuple[Evidence, ...] = ()
    """When a list is asked for: its sentences."""
    rivals: tuple[Evidence, ...] = ()
    """Sentences of other documents that give another value than the best one."""


class Assistant:
    """Answers questions from a library and ties every statement to the sentences it rests on."""

    def __init__(
        self,
        library: Library,
        generator: Generator | Literal["default"] | None = "default",
        *,
        model: str | None = None,
        threads: int | None = None,
        reader: str | Reranker | None = OWN,
    ) -> None:
        """Prepare to answer; no model is loaded yet.

        Args:
            library: where to look.
            generator: what writes; `"default"` is the model of `model` or the packaged one, None
                answers with quotes only.
            model: a GGUF file for `"default"`.
            threads: cores for the model; all this process may use when None.
            reader: what reads the best passages closely: `"own"` is our own network, `"none"`
                nothing, another name a cross-encoder, its folder or its name in the local cache.

        Raises:
            ModelMissing: when that model, or that cross-encoder, is not there.
        """
        self.library = library
        self._reader = Ranker(library)
        if isinstance(reader, str):
            reader = load_reranker(reader, library.encoder, threads or usable_cores())
        self._close_reader = reader
        self._unread = ""  # why nothing is read closely any more
        self._missing = ""
        if generator == "default":
            generator, self._missing = _default_generator(model, threads)
        self._generator = generator
        # the question, the library's state and the sentences of what is in the model's cache
        self._last_prompt: tuple[str, int, tuple[Evidence, ...]] = "", 0, ()

    def warm_up(self) -> None:
        """Load what the first question would wait for; what fails is told when somebody asks."""
        with suppress(PilcrowError):
            if self._generator is not None:
                self._generator.load()
            self._found(self._look("What is this about?", (), SearchScope()), SearchScope())

    @property
    def missing(self) -> str:
        """Why there is no language model and how to get one; empty when there is one."""
        return self._missing

    def answer(
        self,
        question: str,
        history: History = (),
        *,
        documents: Collection[str] | None = None,
        dates: tuple[str, str] | None = None,
        explain: bool = False,
        stop: Callable[[], bool] | None = None,
    ) -> Answer:
        """The whole answer; see `stream`."""
        *_, last = self.stream(
            question, history, documents=documents, dates=dates, explain=explain, stop=stop
        )
        return last

    def stream(
        self,
        question: str,
        history: History = (),
        *,
        documents: Collection[str] | None = None,
        dates: tuple[str, str] | None = None,
        explain: bool = False,
        stop: Callable[[], bool] | None = None,
    ) -> Iterator[Answer]:
        """Growing snapshots of the answer; the last one has `complete=True`.

        Args:
            question: what to answer, at most `LONGEST_QUESTION` characters.
            history: earlier turns, oldest first.
            documents: look only in these documents.
            dates: look only in documents dated within these ISO dates.
            explain: whether to say how the answer was made, in `Answer.explain`.
            stop: asked often; when it says True the answer ends with what there is.

        Raises:
            QuestionError: when the question is empty, too long or not text, or the history is not
                one; before any work.
            InputError: when `documents` or `dates` are not what they should be.
            LibraryMismatch: when the library was made with another encoder.
        """
        question = sound(checked_question(question))
        check_history(history)
        check_scope(documents, dates)
        history = [(sound(asked), sound(told)) for asked, told in history]
        return self._first(
            self._stream(question, history, documents, dates, explain, stop or _never)
        )

    def _first(self, answers: Iterator[Answer]) -> Iterator[Answer]:
        """The answers, while changes to the library wait."""
        with self.library.asking():
            yield from answers

    def _stream(
        self,
        question: str,
        history: History,
        documents: Collection[str] | None,
        dates: tuple[str, str] | None,
        explain: bool,
        stop: Callable[[], bool],
    ) -> Iterator[Answer]:
        model = self._generator.name if self._generator else "none"
        run = _Run(question, time.perf_counter(), model, wants_explanation=explain)
        if self._missing:
            run.notes.append(f"Answered with quotes only: {self._missing}")
        yield _snapshot(run, "not_found", stage="searching")

        # 0. about the assistant itself? the library's own list answers
        if topic := meta_questions.topic_of(question):
            text = meta_questions.reply(topic, self.library)
            run.notes.append("From the library's own list, not from a document.")
            yield replace(_finished(run, "answered", (), ()), text=text, model="none")
            return

        # 1. find and read: the question in each of its forms; the one that is answered best counts
        looked = self._look(question, history, SearchScope(documents, dates))
        passages = tuple(_passage_read(hit) for hit in looked.hits)
        if not looked.reading.sentences:
            run.notes.append(
                "There is nothing to look in: the library or your choice of it is empty."
            )
            yield _finished(run, "not_found", (), passages)
            return

        # 2. decide: do the documents answer at all? and show the best sentence if they do
        state = gate.decide(looked.reading.answerable)
        run.evidence_ms, run.answerable = run.elapsed(), looked.reading.answerable
        if state == "not_found":
            run.explain = _explanation(looked.forms, looked.form, looked.hits, looked.reading, ())
            yield _finished(run, state, (), passages[:_CLOSEST])
            return
        if self._close_reader:
            # so far: what is read closely may yet put another one in its place
            early = _headline(evidence.as_evidence(looked.adjusted(looked.reading).sentences[0]))
            yield _snapshot(run, state, stage="reading", passages=passages, headline=early)
        found = self._found(looked, SearchScope(documents, dates))
        passages = tuple(_passage_read(hit) for hit in found.hits)
        chosen = self._select(run, question, found.reading)
        if history:
            chosen = self._continued(found.form, history[-1][0], chosen)
        best = evidence.top(chosen)
        run.explain = _explanation(found.forms, found.form, found.hits, found.reading, chosen)
        if self._unread:
            run.notes.append(f"Read without the trained reader: {self._unread}")
        run.notes += _notes_on(found)
        headline = _headline(best)
        yield _snapshot(run, state, stage="reading", passages=passages, headline=headline)
        # the sentence is on screen already and does not wait for this; of values that contradict
        # each other none heads the reply
        if state == "answered" and not found.rivals:
            run.short = self._short(found.form, best, found.reading)

        # 3. write and check, statement by statement
        shown: list[types.Verified] = []
        for shown in self._statements(run, found, chosen, stop):
            stage = "waiting" if run.ahead else "writing" if shown else "reading"
            yield _snapshot(run, state, shown, passages, stage=stage, headline=headline)
        yield _finished(run, state, shown, passages, headline)

    def _short(self, question: str, best: Evidence, reading: Ranking) -> str | None:
        """The few words of the best sentence that answer, if that is nearly certain."""
        place = (best.document_id, best.start)
        read = (one for one in reading.sentences if (one.hit.document_id, one.start) == place)
        reader = self._close_reader
        if reader and (sentence := next(read, None)):
            sure = sentence.score * sentence.likely >= reader.certain
            told = sentence.short
            if sure and has_asked_type(question, told) and not in_dateline(told, sentence.text):
                return told
        return short_answer(question, best.text)

    def _statements(
        self, run: _Run, found: _Found, chosen: Sequence[Evidence], stop: Callable[[], bool]
    ) -> Iterator[list[types.Verified]]:
        """The checked statements so far, each time there is one more or the line has moved."""
        best = evidence.top(chosen)
        shown: list[types.Verified] = []
        drafts = () if found.members else self._drafts(run, found.form, chosen, stop)
        for draft in drafts:
            if draft is None:
                yield shown
                continue
            verified = support.verify(draft, chosen, self._enough)
            refusal = "dropped"
            if verified:
                refusal = presentation.rejection_reason(verified, shown, best, small=self._small)
            if verified and not refusal and self._small:
                verified = presentation.undo_lossy_shortening(found.form, verified)
            run.explain.setdefault("drafts", []).append(
                {"ids": list(draft.ids), "text": draft.text,
                 "outcome": refusal or (verified.outcome if verified else "")}
            )  # fmt: skip
            if verified and not refusal:
                shown = [*shown, verified]
                yield shown
            elif self._small:
                break  # a small model that has left the point does not come back to it
        beside = [*found.rivals, *found.members]
        if completed := presentation.add_supporting_quotes(
            shown, chosen, beside, found.form, small=self._small
        ):
            yield completed

    def _drafts(
        self, run: _Run, question: str, chosen: Sequence[Evidence], stop: Callable[[], bool]
    ) -> Iterator[types.Draft | None]:
        """What the model writes, as unchecked statements; nothing when there is no model.

        None when its turn to write is nearer: `run.ahead` says how near.
        """
        if self._generator is None or stop():
            return
        asked = prompt.messages(question, chosen)
        run.explain["prompt_tokens"] = self._generator.count(asked)
        parser = citations.StatementParser()
        ids = [one.id for one in chosen if one.is_primary]
        self._last_prompt = run.question, self.library.change, tuple(chosen)
        try:
            pieces = self._generator.stream(
                asked, ids=ids, max_tokens=_MOST_TOKENS, stop=stop, on_prompt=run.note_prompt
            )
            for piece in pieces:
                if isinstance(piece, QueuePosition):
                    run.ahead = piece.ahead
                    yield None
                    continue
                run.ahead = 0
                if run.first_token_ms is None:
                    run.first_token_ms = run.elapsed()
                yield from parser.feed(piece)
        except ModelMissing as error:
            self._lose_model(run, error)
            return
        except ModelFailed as error:
            run.notes.append(f"Finished with quotes only: {error}")
            return
        if not stop():
            yield from parser.close()

    def _select(self, run: _Run, question: str, reading: Ranking) -> tuple[Evidence, ...]:
        """The sentences for the prompt; counting tokens may show that the model cannot be used."""
        try:
            return evidence.select(reading.sentences, self._count, self._room(question))
        except ModelMissing as error:
            self._lose_model(run, error)
            return evidence.select(reading.sentences, self._count, self._room(question))

    def _continued(
        self, asked: str, before: str, chosen: tuple[Evidence, ...]
    ) -> tuple[Evidence, ...]:
        """The sentences, after those of the prompt before if that was for the question before."""
        question, change, read = self._last_prompt
        if question != before or change != self.library.change:
            return chosen  # somebody else asked meanwhile, or what was read may be gone
        most = self._room(asked, _CONTINUED * prompt.TOKENS)
        return evidence.reuse_prefix(read, chosen, self._count, most)

    def _lose_model(self, run: _Run, error: ModelMissing) -> None:
        """Go on with quotes only, from this question on, and say so."""
        self._generator, self._missing = None, str(error)
        run.model = "none"
        run.notes.append(f"Answered with quotes only: {error}")

    def _look(self, question: str, history: History, within: SearchScope) -> _Looked:
        """What the first rung makes of the form that the documents answer best."""
        forms = query_variants(question, history)
        found = []
        for form in forms:
            hits = self._search(form, within)
            found.append((form, hits, self._reader.read(form, hits, within)))
            if apart := attribution_of(form):
                content, speaker = apart
                hits = _told_by(speaker, self._search(content, within))
                found.append((content, hits, self._reader.read(content, hits, within)))
        time = time_scope(question, partial(self._date_of, within))
        if not history or not needs_context(question):
            form, hits, reading = max(found, key=lambda one: one[2].answerable)
            return _Looked(question, forms, form, hits, reading, time, None, frozenset())
        about = self._search(topic_question(history), within, _CLOSEST)[:1]
        told, here = history[-1][1], frozenset(hit.document_id for hit in about)

        def belief(reading: Ranking) -> float:
            weighed = penalize_repeats(question, reading, told, here)
            return reading.answerable * relevance_to_follow_up(question, weighed, here)

        form, hits, reading = max(found, key=lambda one: belief(one[2]))
        return _Looked(question, forms, form, hits, reading, time, told, here)

    def _found(self, looked: _Looked, within: SearchScope) -> _Found:
        """What the documents have for a question, the best passages read closely."""
        closely = self._read_closely(looked)
        hits = looked.hits if closely is looked.reading else _in_order(looked.hits, closely)
        reading = looked.adjusted(closely)
        members: Sequence[RankedSentence] = ()
        if asks_for_list(looked.question) and reading.sentences:
            members = self._members(looked.form, within)
        rivals = (
            ()
            if looked.time or members
            else conflicts.find_conflicts(looked.form, reading.sentences)
        )
        return _Found(
            looked.forms, looked.form, hits, reading,
            tuple(map(evidence.as_evidence, members)), tuple(map(evidence.as_evidence, rivals)),
        )  # fmt: skip

    def _read_closely(self, looked: _Looked) -> Ranking:
        """The second rung's reading; of a question that leans on others the first rung's.

        The form that such a question was found by is none that anybody would ask, and no network
        here has learnt to read it: of 17 follow-ups (tests/rag/test_real_follow_ups.py) one more went wrong.
        """
        reader = self._close_reader  # another question may give it up meanwhile
        if reader and looked.told is None:
            try:
                return reader.read(looked.form, looked.reading)
            except ModelMissing as error:
                # from this question on the first rung decides alone, and every answer says so
                self._close_reader, self._unread = None, str(error)
        return looked.reading

    def _search(self, form: str, within: SearchScope, k: int = _HITS) -> list[Hit]:
        return self.library.search(form, k, documents=within.documents, dates=within.dates)

    def _members(self, form: str, within: SearchScope) -> list[RankedSentence]:
        """The sentences of a list: every passage is looked at, not only those of the best."""
        hits = self._search(form, within, _LIST_HITS)
        return presentation.list_items(
            form, self._reader.read(form, hits, within, wide=True).sentences
        )

    def _date_of(self, within: SearchScope, event: str) -> str:
        """The date of the passage that names an event, empty when none names it whole."""
        wanted = set(content_stems(event))
        for hit in self._search(event, within, _CLOSEST):
            if wanted <= set(content_stems(f"{hit.title} {hit.text}")):
                return hit.date
        return ""

    @property
    def _small(self) -> bool:
        """Whether whoever writes needs the stricter rules; nobody at all counts as small."""
        return self._generator is None or self._generator.small

    @property
    def _enough(self) -> float:
        """The support a statement needs: a small model may only leave words out."""
        return _EVERY_WORD if self._small else support.MIN_SUPPORT

    def _count(self, text: str) -> int:
        if self._generator is None:
            return len(text) // _CHARACTERS_PER_TOKEN + 1
        return self._generator.count_text(text)

    def _room(self, question: str, most: int = prompt.TOKENS) -> int:
        """Tokens left for sentences beside the question, out of `most` and of the context."""
        room = most - self._count(prompt.question_of(question))
        if self._generator is not None:
            fixed = self._generator.count(prompt.messages(question, ()))
            room = min(room, self._generator.context_tokens - _MOST_TOKENS - fixed)
        return max(room, 0)


def checked_question(question: object) -> str:
    """The question, if it is one.

    Raises:
        QuestionError: when it is not text, has no letter or digit, or is too long.
    """
    if not isinstance(question, str):
        raise QuestionError(f"a question is text, not {type(question).__name__}")
    if len(question) > LONGEST_QUESTION:
        raise QuestionError(
            f"the question has {len(question):,} characters, the limit is {LONGEST_QUESTION:,}: "
            "ask more briefly, or add the text as a document"
        )
    if not any(c.isalnum() for c in question):
        raise QuestionError("the question is empty: type what you want to know")
    return question


def check_history(history: object) -> None:
    """Make sure the history is a sequence of (question, answer) pairs of text.

    Raises:
        QuestionError: when it is not.
    """
    if isinstance(history, str) or not isinstance(history, Sequence):
        raise QuestionError("history is a list of (question, answer) pairs")
    for turn in history:
        pair = isinstance(turn, Sequence) and not isinstance(turn, str) and len(turn) == 2
        if not pair or not all(isinstance(part, str) for part in turn):
            raise QuestionError("history is a list of (question, answer) pairs of text")
        if not any(c.isalnum() for c in turn[0]):
            raise QuestionError(f"history holds an empty question: {tuple(turn)!r:.80}")


def _default_generator(model: str | None, threads: int | None) -> tuple[Generator | None, str]:
    """The model, or None and why there is none. A model the person named must be there."""
    from rag.llm.client import LlamaClient
    from rag.llm.model_files import find_model

    try:
        # one core stays free for whoever asks: when all are taken, llama.cpp's threads spin waiting
        # for each other (13 tokens/s on two busy cores, 53 on one of them)
        cores = max(1, (threads or usable_cores()) - 1)
        return LlamaClient(find_model(model), threads=cores), ""
    except ModelMissing as error:
        if model is not None:
            raise
        return None, str(error)


def _in_order(hits: Sequence[Hit], reading: Ranking) -> list[Hit]:
    """The hits in the order of their best sentences, those that were not read behind."""
    read = list({id(one.hit): one.hit for one in reading.sentences}.values())
    ordered = read + [hit for hit in hits if all(hit is not one for one in read)]
    return [replace(hit, rank=rank) for rank, hit in enumerate(ordered, start=1)]


def _told_by(speaker: frozenset[str], hits: Sequence[Hit]) -> list[Hit]:
    """The hits that name a speaker in their passage, title, author or source, ranked anew."""
    named = [
        hit
        for hit in hits
        if speaker & set(words(f"{hit.text} {hit.title} {hit.author} {hit.source}"))
    ]
    return [replace(hit, rank=rank) for rank, hit in enumerate(named, start=1)]


def _headline(best: Evidence) -> Citation:
    _, (citation,) = citations.number_citations([support.quote(best)])
    return citation


def _cited(short: str | None, cited: Sequence[Citation]) -> str | None:
    """The short answer, if a citation on screen holds it."""
    return short if short and any(short in one.quote for one in cited) else None


def _passage_read(hit: Hit) -> PassageRead:
    return PassageRead(
        document_id=hit.document_id,
        start=hit.start,
        end=hit.end,
        text=hit.text,
        score=round(hit.score, 4),
        title=hit.title,
        source=hit.source,
        date=hit.date,
        paragraph=hit.paragraph,
    )


def _snapshot(
    run: _Run,
    state: State,
    shown: Sequence[types.Verified] = (),
    passages: tuple[PassageRead, ...] = (),
    *,
    stage: str,
    headline: Citation | None = None,
) -> Answer:
    statements, cited = citations.number_citations(shown)
    return Answer(
        question=run.question,
        state=state,
        text=citations.text_of(statements),
        statements=statements,
        citations=cited,
        passages=passages,
        timings=Timings(run.evidence_ms, run.first_token_ms, run.elapsed()),
        model=run.model,
        stage=stage,
        ahead=run.ahead if stage == "waiting" else 0,
        headline=headline,
        short=_cited(run.short, cited or (headline,) if headline else ()),
        notes=tuple(run.notes),
        answerable=run.answerable,
        explain=run.explain if run.wants_explanation else {},
    )


NOT_FOUND = "Not in your documents."
"""What an answer says when the documents do not hold one; the closest passages stand beside it."""


def _finished(
    run: _Run,
    state: State,
    shown: Sequence[types.Verified],
    passages: tuple[PassageRead, ...],
    headline: Citation | None = None,
) -> Answer:
    last = _snapshot(run, state, shown, passages, stage="done", headline=headline)
    text = NOT_FOUND if state == "not_found" else last.text
    return replace(last, text=text, complete=True)


def _notes_on(found: _Found) -> list[str]:
    """What the person should know about the answer before reading it."""
    if found.rivals:
        return ["Your documents disagree: each value is shown with its document and date."]
    if found.members:
        places = len({one.document_id for one in found.members})
        return [
            f"Every passage was looked at; the best {len(found.members)} sentences, from {places} "
            f"document{'s' * (places != 1)}, are quoted. There may be more."
        ]
    return []


def _explanation(
    forms: Sequence[str],
    form: str,
    hits: Sequence[Hit],
    reading: Ranking,
    chosen: Sequence[Evidence],
) -> dict[str, Any]:
    return {
        "forms": list(forms),
        "form": form,
        "answerable": round(reading.answerable, 4),
        "hits": [
            {"document_id": h.document_id, "paragraph": h.paragraph, "rank": h.rank,
             "score": round(h.score, 4), "dense": round(h.dense, 4),
             "lexical": round(h.lexical, 4), "sentence": round(h.sentence, 4)}
            for h in hits
        ],
        "evidence": [
            {"id": e.id, "document_id": e.document_id, "start": e.start, "end": e.end,
             "score": round(e.score, 4), "lead": e.is_primary}
            for e in chosen
        ],
    }  # fmt: skip


def _never() -> bool:
    return False
