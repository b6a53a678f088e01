"""Question → answer, step by step: the function everyone reads first.

Understand, find, decide whether the documents answer at all, show the best sentence, let the model
write, check every statement, number the citations. `stream` yields the answer as it grows; `answer`
drains it.
"""

from __future__ import annotations

import time
from collections.abc import AsyncGenerator, Callable, Collection, Iterator, Mapping, Sequence
from contextlib import suppress
from copy import copy
from dataclasses import replace
from typing import Any, Literal

from index.embedding.encoder import QuestionVectors
from index.errors import PilcrowError
from index.library import Library, check_scope
from index.system.cpu import usable_cores
from index.tokenization import has_cjk, sound
from index.types import EVERYWHERE, Hit, SearchScope
from rag.generation import Generation
from rag.grounding import evidence
from rag.grounding.short_answer import short_answer
from rag.llm.current import CurrentModel, ModelChoice, is_capable
from rag.llm.generator import Generator
from rag.query import task_classifier
from rag.query.follow_ups import History, asked_of_another
from rag.query.question import Question, analyze, check_history, checked_question
from rag.query.short_forms import (
    full_name,
    has_short_form,
    unknown_names,
    unknown_short_forms,
)
from rag.query.spelling import correct, spelled_out
from rag.query.task import TRANSLATION, only_points, with_title
from rag.query.task_classifier import ABOUT_LAST_ANSWER
from rag.reader.across import language_of
from rag.reader.rerankers import OWN, Reranker, load_reranker
from rag.replies import fixed as replies
from rag.replies.answerability import Answerability, lacks_form
from rag.replies.conversation import Conversation
from rag.replies.extractive.composer import WHOLE, Composer
from rag.replies.streams import aanswer, astream, traced
from rag.replies.topics import TopicSearch
from rag.retrieval import LIMITS, FirstPass, Retrieved, Retriever
from rag.snapshots import AnswerState, left_out, notes_on
from rag.types import Answer, Evidence

LEFT_AS_QUOTED = frozenset({"timeline", "quote", "which_first", "list", "summarise", "overview"})
"""Tasks whose answer is the sources' own words, whatever model there is: of what a 1.5 B model says
of a whole article too little stands (tests/benchmarks/RESULTS.md, Models)."""

UNTRANSLATED = (
    "Your documents are quoted as they are written: a translation cannot be checked against its "
    "sources."
)
_RETRIEVAL, _ANALYSIS, _REFINEMENT = range(3)
"""Whose turn it is first where many ask: who is next to the first sentence on the screen."""


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
        judge: bool = True,
        gpu_layers: int | None = None,
    ) -> None:
        """Prepare to answer; no model is loaded yet.

        Args:
            library: where to look.
            generator: what writes; `"default"` is the model of `model` or the packaged one, None
                answers with quotes only.
            model: a GGUF file for `"default"`.
            threads: cores for the model; all this process may use when None.
            reader: what reads the best passages again: `"own"` is our own network, `"none"`
                nothing, another name a cross-encoder, its folder or its name in the local cache.
            judge: whether a capable model is asked about statements of its own that are in doubt.
            gpu_layers: of the model for `"default"` that run on a GPU; None is all, where
                llama.cpp was built for one.

        Raises:
            ModelMissing: when that model, or that cross-encoder, is not there.
        """
        if isinstance(reader, str):
            reader = load_reranker(reader, library.encoder, threads or usable_cores())
        self._threads, self._gpu_layers, self._judge = threads or usable_cores(), gpu_layers, judge
        if generator == "default":
            choice = self._default_choice(model)
        else:
            choice = ModelChoice(generator, named=True)
        self._model = CurrentModel(choice)
        self._look_in(library, reader)

    def _look_in(self, library: Library, reader: Reranker | None) -> None:
        """Answer from this library, whose passages are read again by `reader`."""
        self.library = library
        self._retriever = Retriever(library, reader)
        self._answerability = Answerability(library)
        self._composer = Composer(library)
        self._topics = TopicSearch(library)
        self._conversation = Conversation(library)
        self._generation = Generation(library, self._model, judges=self._judge)

    def within(self, library: Library) -> Assistant:
        """The same assistant, with the same models, for another view of the library.

        Args:
            library: what alone it looks at: what one of several people may see.
        """
        other = copy(self)
        other._look_in(library, self._retriever.reranker)
        return other

    def _default_choice(self, model: str | None) -> ModelChoice:
        from rag.llm.client import default_choice

        return default_choice(model, self._threads, self._gpu_layers)

    def use_model(self, model: str | None = None) -> None:
        """Answer with another model from the next question on.

        An answer that is being written keeps the model it began with, which is let go after it.

        Args:
            model: as for `Assistant`; None is what was made the default, else the packaged one.

        Raises:
            ModelMissing: when it is not there; then everything stays as it is.
            InputError: when a server is named in another form; likewise.
        """
        self._model.change(self._default_choice(model))

    def warm_up(self) -> None:
        """Load what the first question would wait for; what fails is told when somebody asks."""
        with suppress(PilcrowError), self._model.in_use() as choice:
            if choice.writer is not None:
                choice.writer.load()
            question = analyze("What is this about?")
            self._retriever.refine(self._retriever.retrieve(question, EVERYWHERE))

    @property
    def missing(self) -> str:
        """Why there is no language model and how to get one; empty when there is one."""
        return self._model.choice.missing

    @property
    def writer(self) -> Generator | None:
        """The language model that words answers; None where they are the sources' sentences."""
        return self._model.choice.writer

    @property
    def sends_to(self) -> str:
        """Another computer that reads questions and passages; empty while all stays on this one."""
        # only a model server may be elsewhere
        return getattr(self.writer, "sends_to", "")

    def answer(
        self,
        question: str,
        history: History = (),
        *,
        documents: Collection[str] | None = None,
        dates: tuple[str, str] | None = None,
        scope: SearchScope = EVERYWHERE,
        explain: bool = False,
        stop: Callable[[], bool] | None = None,
    ) -> Answer:
        """The whole answer; see `stream`."""
        *_, last = self.stream(
            question, history, documents=documents, dates=dates, scope=scope, explain=explain,
            stop=stop,
        )  # fmt: skip
        return last

    async def aanswer(self, question: str, history: History = (), **options: Any) -> Answer:
        """The whole answer, awaited; the options are those of `stream`."""
        return await aanswer(self, question, history, **options)

    def astream(
        self, question: str, history: History = (), **options: Any
    ) -> AsyncGenerator[Answer]:
        """The snapshots of `stream`, each awaited."""
        return astream(self, question, history, **options)

    def stream(
        self,
        question: str,
        history: History = (),
        *,
        documents: Collection[str] | None = None,
        dates: tuple[str, str] | None = None,
        scope: SearchScope = EVERYWHERE,
        explain: bool = False,
        stop: Callable[[], bool] | None = None,
    ) -> Iterator[Answer]:
        """Growing snapshots of the answer; the last one has `complete=True`.

        Args:
            question: what to answer, at most `LONGEST_QUESTION` characters.
            history: earlier turns, oldest first.
            documents: look only in these documents.
            dates: look only in documents dated within these ISO dates.
            scope: the same and other filters in one: tags, authors, sources, folders, kinds,
                sections.
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
        if scope != EVERYWHERE:
            chosen = replace(
                scope,
                documents=scope.documents if documents is None else documents,
                dates=scope.dates if dates is None else dates,
            )
            documents, dates = self.library.select(chosen), chosen.dates
        history = [(sound(asked), sound(said)) for asked, said in history]
        began = time.perf_counter()
        stop = stop or _never
        self._vectors(question)  # before its turn: those who wait for the encoder go together
        with self.library.turn(_ANALYSIS, stop):
            asked, changes = self.analyze(question, history)
        state = AnswerState(asked, began, explain, question)
        state.notes += changes
        where = SearchScope(documents, dates, sections=scope.sections)
        return traced(self._with_priority(state, where, stop))

    def analyze(self, question: str, history: History = ()) -> tuple[Question, list[str]]:
        """The question as it was meant, without typing mistakes, and what to say of those.

        Args:
            question: as typed.
            history: earlier turns, oldest first.
        """
        asked = self._understood(question, history)
        if asked.request.task in ("small_talk", "library") or has_cjk(question):
            return asked, []
        if asked.language != "en":
            closest = self.library.search(question, LIMITS.closest)
            told_in = language_of(closest, asked.language)
            if asked.language != told_in:  # its words are no spellings of another language's
                return asked, []
        known = self.library.vocabulary()
        named, changes = self._by_other_name(spelled_out(question), known)
        read = correct(named, known, asked.request.topic, self._is_word, asked.language)
        if read.text != question:
            asked = self._understood(read.text, history)
        if not (changes := [*changes, *read.changes]):
            return asked, []
        said = ", ".join(f"“{meant}” for “{typed}”" for typed, meant in changes)
        return asked, [f"Searched for {said}."]

    def _understood(self, text: str, history: History) -> Question:
        """The question; what asks what a document is about, by its title, asks for a summary."""
        meant = asked_of_another(text, history) or text
        asked = analyze(text, history, self._vectors(meant))
        request = with_title(asked.request, lambda words: bool(self._topics.titled(words)))
        return replace(asked, request=request)

    def _is_word(self, word: str) -> bool:
        """Whether a word is one of the language, or one that people ask with: "summarize"."""
        return self.library.encoder.is_word(word) or word in task_classifier.model().common

    def _vectors(self, question: str) -> QuestionVectors | None:
        """The question's vectors, where its task can be told from them."""
        known = self.library.encoder.identity.revision == task_classifier.model().encoder
        return self.library.encode_query(question) if known else None

    def _by_other_name(
        self, question: str, known: Mapping[str, int]
    ) -> tuple[str, list[tuple[str, str]]]:
        """The question with names as the library has them, in full or short, and the changes."""
        changes: list[tuple[str, str]] = []
        for name, short in unknown_names(question, known):
            if has_short_form(short, self._closest(question.replace(name, short))):
                question = question.replace(name, short)
                changes.append((name, short))
                break
        for short in unknown_short_forms(question, known):
            if name := full_name(short, self._closest(question)):
                question = question.replace(short, name)
                changes.append((short, name))
        return question, changes

    def _closest(self, question: str) -> list[str]:
        return [hit.text for hit in self.library.search(question, LIMITS.closest)]

    def _with_priority(
        self, state: AnswerState, scope: SearchScope, stop: Callable[[], bool]
    ) -> Iterator[Answer]:
        """The answers, while changes to the library wait and the model stays."""
        with self._model.in_use() as choice, self.library.query_priority():
            state.generator = choice.writer
            yield from self._answers(state, scope, stop)

    def _answers(
        self, state: AnswerState, scope: SearchScope, stop: Callable[[], bool]
    ) -> Iterator[Answer]:
        """The story of an answer: from here everything is called, and here it comes together."""
        if self.missing:
            state.notes.append(f"Answered with quotes only: {self.missing}")
        yield state.snapshot("searching")

        # 1. small talk, and questions about the assistant or the library, need no document
        if reply := self._reply_without_documents(state):
            yield reply
            return
        if self._about_last_answer(state, scope):
            yield from self._reworded(state, state.question.text, (), scope, stop)
            return

        # 2. search for every variant of the question and rank the sentences of what is found; do
        # the documents answer at all, and what of it is missing?
        with self.library.turn(_RETRIEVAL, stop):
            first = self._retriever.retrieve(state.question, scope)
            reply = self._reply_without_answer(state, first)
        if reply:
            yield reply
            return

        # 3. some tasks gather for themselves and wait for no reranker
        if state.question.request.task in WHOLE and self._compose(state, first, scope):
            state.explain_retrieval(first)
            yield from self._reworded(state, first.variant.text, first.hits, scope, stop)
            return

        # 4. show the best sentence; the reranker may yet put another one in its place
        if self._retriever.reranker:
            state.show_headline(first.adjusted(first.ranking).sentences[0])
            yield state.snapshot("reading")
        with self.library.turn(_REFINEMENT, stop):
            retrieved = self._retriever.refine(first)
        chosen = self._read(state, retrieved)
        yield state.snapshot("reading")
        self._shorten(state, retrieved, evidence.top(chosen))

        # 5. compose the answer of the sources' own sentences, and let a capable model reword it
        if self._writes_itself(state, retrieved) and self._compose(state, retrieved, scope):
            yield from self._reworded(state, retrieved.variant.text, retrieved.hits, scope, stop)
            return

        # 6. values that disagree are quoted beside each other; a small model that was asked for by
        # name writes about one sentence at a time
        for _ in self._generation.write(state, retrieved, chosen, stop):
            stage = "waiting" if state.ahead else "writing" if state.statements else "reading"
            yield state.snapshot(stage)
        yield state.finished()

    def _reply_without_documents(self, state: AnswerState) -> Answer | None:
        """The whole answer where no search is needed for it; None when one is."""
        request = state.question.request
        if said := replies.small_talk(request, self.library):
            return state.reply(said)
        if _asks_about_last_answer(state.question):
            return None
        # "How does it work?", in a talk, is about what was talked of
        if state.question.previous and only_points(request):
            return None
        said = replies.about_library(request, self.library, self.sends_to)
        if not said:
            return None
        state.notes.append("From the library's own list, not from a document.")
        return state.reply(said)

    def _reply_without_answer(self, state: AnswerState, first: FirstPass) -> Answer | None:
        """The whole answer where the documents hold none; None when they do."""
        state.show_hits(first.hits)
        if not first.ranking.sentences:
            state.notes.append(
                "There is nothing to look in: the library or your choice of it is empty."
            )
            return state.finished()
        state.answerable = first.ranking.answerable
        decision = self._answerability.decide(state.question, first)
        state.state = decision.state
        state.missing = (decision.missing,) if decision.missing else ()
        if back := self._answerability.clarification(state.question, first, decision):
            return state.ask_back(back.text, back.options)
        state.evidence_ms = state.elapsed_ms()
        if state.state != "not_found":
            return None
        state.explain_retrieval(first)
        if decision.may_answer:
            state.show_closest(first.adjusted(first.ranking).sentences[0])
        return state.not_found()

    def _read(self, state: AnswerState, retrieved: Retrieved) -> tuple[Evidence, ...]:
        """Show what was read; returns the sentences for the prompt."""
        state.show_hits(retrieved.hits)
        state.explain_retrieval(retrieved)
        chosen = self._generation.choose_evidence(state, retrieved)
        state.explain_evidence(chosen)
        state.notes += self._notes_on(retrieved)
        best = evidence.top(chosen).sentence
        state.show_headline(best)
        if state.state == "answered" and lacks_form(state.question.request, best.hit):
            state.state = "partial"  # the price is in the paragraph beside, and may be another's
        return chosen

    def _shorten(self, state: AnswerState, retrieved: Retrieved, best: Evidence) -> None:
        """Cut a short answer out of the best sentence, which is on screen and waits for nothing.

        Of values that contradict each other none heads the reply, nor half of what is asked.
        """
        reranker, whole = self._retriever.reranker, state.question.request.wants_one_thing
        if reranker and state.state == "answered" and whole and not retrieved.conflicts:
            threshold = reranker.short_answer_threshold
            state.short = short_answer(retrieved.variant, best.sentence, threshold)

    def _about_last_answer(self, state: AnswerState, scope: SearchScope) -> bool:
        """Compose what is asked about the last answer; says whether there is something to quote."""
        question = state.question
        if not _asks_about_last_answer(question):
            return False
        state.quotations = self._conversation.compose(question.request, question.history, scope)
        if not state.quotations:
            return False
        state.state, state.evidence_ms = "answered", state.elapsed_ms()
        if note := _not_done(question, is_capable(state.generator)):
            state.notes.append(note)
        return True

    def _compose(
        self, state: AnswerState, found: FirstPass | Retrieved, scope: SearchScope
    ) -> bool:
        """Compose the answer; says whether there is something to quote."""
        question, wording = state.question, found.variant.text
        state.quotations = self._composer.compose(question, wording, found.ranking, scope)
        if isinstance(found, Retrieved) and question.request.task == "list" and state.quotations:
            state.notes += left_out(found, state.quotations)
        return bool(state.quotations)

    def _writes_itself(self, state: AnswerState, retrieved: Retrieved) -> bool:
        """Whether the sources' sentences are the whole answer, or what it is made from.

        Not where they disagree, nor where a small model was asked for and a value is wanted: that
        much it can word.
        """
        if retrieved.conflicts:
            return False
        small = state.generator is not None and state.generator.small
        return not (small and state.question.request.task == "fact")

    def _reworded(
        self,
        state: AnswerState,
        wording: str,
        hits: Sequence[Hit],
        scope: SearchScope,
        stop: Callable[[], bool],
    ) -> Iterator[Answer]:
        """The composed answer at once, then with what a capable model says of it."""
        generator, task = state.generator, state.question.request.task
        if generator is None or generator.small:
            yield state.composed()
            return
        long = task == "summarise" and self._generation.long_document(state, generator)
        translation = state.question.request.beyond_quotes == TRANSLATION
        if (task in LEFT_AS_QUOTED and not long) or translation:
            yield state.composed()
            return
        yield state.composed("reading")
        if long:
            steps = self._generation.sum_up(state, generator, long, scope, stop)
        else:
            steps = self._generation.reword(state, generator, wording, hits, scope, stop)
        for _ in steps:
            stage = "waiting" if state.ahead else "writing" if state.told else "reading"
            yield state.composed(stage)
        yield state.composed()

    def _notes_on(self, retrieved: Retrieved) -> list[str]:
        missing = self._retriever.reranker_missing
        notes = [f"Read without the trained reader: {missing}"] if missing else []
        return notes + notes_on(retrieved)


def _not_done(question: Question, capable: bool) -> str:
    """What of a question about the last answer is not done, in words; empty when all is."""
    wanted = question.request.beyond_quotes
    if wanted == TRANSLATION:
        return UNTRANSLATED
    if not wanted or capable:
        return ""
    return (
        f"Your documents are quoted as they are written: {wanted} would take a larger language "
        "model."
    )


def _asks_about_last_answer(question: Question) -> bool:
    return question.request.task in ABOUT_LAST_ANSWER and bool(question.history)


def _never() -> bool:
    return False
