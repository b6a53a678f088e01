"""What a language model adds to an answer: it is asked, and whatever it says is checked.

A capable model rewords the composed answer (`reword`); a small one that was asked for by name
writes about one sentence at a time (`write`). Where there is none, or it fails, quotes stand.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence

from index.errors import ModelFailed, ModelMissing
from index.library import Library
from index.types import Hit, SearchScope
from rag.grounding import citations, evidence, presentation, support
from rag.grounding.conflicts import newest_first
from rag.llm import prompt
from rag.llm.current import CurrentModel
from rag.llm.generator import Generator, PrefixReuse, QueuePosition
from rag.query.question import QueryVariant
from rag.replies.wording.digest import Digest, Digested
from rag.replies.wording.writer import Commission, Writer, Written, is_enough, with_quotes
from rag.retrieval import Retrieved
from rag.snapshots import AnswerState
from rag.types import Draft, Evidence, Progress, Rejection, SourcedStatement


class Generation:
    """The language model of an assistant. Usable from many threads."""

    def __init__(self, library: Library, model: CurrentModel, *, judges: bool = True) -> None:
        """Write with whatever model is the current one; it is not loaded yet.

        Args:
            library: whose sentences are written about.
            model: the one that holds, which may change between two answers.
            judges: whether a capable model is asked about statements of its own that are in doubt.
        """
        self._library = library
        self._model = model
        self._writer = Writer(library, judges=judges)
        self._digest = Digest(library, judges=judges)
        self._last_prompt = evidence.LastPrompt()

    def choose_evidence(self, state: AnswerState, retrieved: Retrieved) -> tuple[Evidence, ...]:
        """The sentences for the prompt, which goes on with the one before where that is shorter."""
        sentences, asked = retrieved.ranking.sentences, state.question.as_typed
        try:
            budget = prompt.TokenBudget(state.generator)
            chosen = evidence.select(sentences, budget.count, budget.room(asked.text))
        except ModelMissing as error:  # counting may show that the model cannot be used
            self._lose_model(state, error)
            budget = prompt.TokenBudget(None)
            chosen = evidence.select(sentences, budget.count, budget.room(asked.text))
        if not state.question.previous:
            return chosen
        read = self._last_prompt.sentences(state.question.previous, self._library.change)
        if not read:
            return chosen  # somebody else asked meanwhile, or what was read may be gone
        most = budget.room(retrieved.variant.text, prompts=prompt.LIMITS.continued_prompts)
        return evidence.reuse_prefix(read, chosen, budget.count, most)

    def reword(
        self,
        state: AnswerState,
        generator: Generator,
        wording: str,
        hits: Sequence[Hit],
        scope: SearchScope,
        stop: Callable[[], bool],
    ) -> Iterator[None]:
        """Adds what the model says and its sources carry; yields when there is something new.

        Args:
            state: with the composed answer.
            generator: a capable model.
            wording: in which the question was searched for.
            hits: what was found.
            scope: where it was looked for.
            stop: asked often; when it says True nothing more is written.
        """
        question = state.question
        asked = question.text if question.previous else wording
        commission = Commission(
            question.request, asked, state.asked, question.previous, state.quotations, hits, scope
        )
        written: dict[int, SourcedStatement] = {}
        dropped: set[int] = set()
        try:
            for piece in self._writer.write(generator, commission, stop, state.explain_prompt):
                match piece:
                    case QueuePosition(ahead):
                        state.ahead = ahead
                        yield
                    case PrefixReuse(reused):
                        state.explain_reuse(reused)
                    case Written(draft, told, place):
                        state.explain_written(draft)
                        if draft.outcome == "dropped":
                            dropped.add(place)
                        if told:
                            written[place] = told
                            ordered = [written[place] for place in sorted(written)]
                            state.told = with_quotes(
                                ordered, state.quotations, before=question.previous
                            )
                            yield
                    case _:
                        state.ahead = 0
                        state.first_token_ms = state.first_token_ms or state.elapsed_ms()
        except ModelMissing as error:
            self._lose_model(state, error)
        except ModelFailed as error:
            state.notes.append(f"Finished with quotes only: {error}")
        if not is_enough(written, dropped):
            state.told = ()

    def long_document(self, state: AnswerState, generator: Generator) -> str:
        """The id of the document that a composed summary is of, where it is long; else empty."""
        return self._digest.long_document(generator, state.quotations)

    def sum_up(
        self,
        state: AnswerState,
        generator: Generator,
        document_id: str,
        scope: SearchScope,
        stop: Callable[[], bool],
    ) -> Iterator[None]:
        """Adds what the model says of a long document; yields when it has read on.

        Args:
            state: with the composed summary.
            generator: a capable model.
            document_id: whose summary it is.
            scope: where it was looked for.
            stop: asked often; when it says True the quotes stay as they are.
        """
        question = state.question
        try:
            for piece in self._digest.sum_up(
                generator, question.request, question.text, document_id, scope, stop
            ):
                match piece:
                    case QueuePosition(ahead):
                        state.ahead = ahead
                        yield
                    case Progress():
                        state.progress = piece
                        yield
                    case Written(draft):
                        state.explain_written(draft)
                    case Digested(told):
                        state.told = with_quotes(told, state.quotations)
                        yield
                    case _:
                        state.ahead = 0
                        state.first_token_ms = state.first_token_ms or state.elapsed_ms()
        except ModelMissing as error:
            self._lose_model(state, error)
        except ModelFailed as error:
            state.notes.append(f"Finished with quotes only: {error}")

    def write(
        self,
        state: AnswerState,
        retrieved: Retrieved,
        chosen: tuple[Evidence, ...],
        stop: Callable[[], bool],
    ) -> Iterator[None]:
        """Adds checked statements to the state; yields when there is one, or its turn is nearer."""
        best, question = evidence.top(chosen), retrieved.variant
        # nobody at all counts as small: the stricter rules
        small = state.generator is None or state.generator.small
        enough = support.EVERY_WORD if small else support.MIN_SUPPORT
        quoted = retrieved.list_items or retrieved.conflicts or not small
        drafts = () if quoted else self._drafts(state, question, chosen, stop)
        for draft in drafts:
            if draft is None:
                yield
                continue
            verified = support.verify(draft, chosen, enough)
            rejected: Rejection | None = "dropped"
            if verified:
                rejected = presentation.rejection_reason(
                    verified, state.statements, best, small=small
                )
            if verified and not rejected and small:
                verified = presentation.undo_lossy_shortening(question, verified)
            state.explain_draft(draft, rejected or (verified.outcome if verified else ""))
            if verified and not rejected:
                state.statements = [*state.statements, verified]
                yield
            elif small:
                break  # a small model that has left the point does not come back to it
        small = state.generator is None or state.generator.small  # it may be lost meanwhile
        beside = [
            evidence.as_evidence(sentence)
            for sentence in (*retrieved.conflicts, *retrieved.list_items)
        ]
        if completed := presentation.add_supporting_quotes(
            state.statements, chosen, beside, question, small=small
        ):
            state.statements = completed
            if retrieved.conflicts:
                disagreeing = (best.sentence, *retrieved.conflicts)
                state.statements, state.groups = newest_first(completed, disagreeing)
            yield

    def _drafts(
        self,
        state: AnswerState,
        question: QueryVariant,
        chosen: tuple[Evidence, ...],
        stop: Callable[[], bool],
    ) -> Iterator[Draft | None]:
        """What the model writes, as unchecked statements; nothing when there is no model.

        None when its turn to write is nearer: `state.ahead` says how near.
        """
        generator = state.generator
        if generator is None or stop():
            return
        messages = prompt.messages(question.text, chosen)
        state.explain_prompt(generator.count(messages))
        parser = citations.StatementParser()
        self._last_prompt.keep(state.asked, self._library.change, chosen)
        try:
            for piece in generator.stream(
                messages,
                ids=[sentence.id for sentence in chosen if sentence.is_primary],
                max_tokens=prompt.LIMITS.answer_tokens,
                stop=stop,
            ):
                match piece:
                    case QueuePosition(ahead):
                        state.ahead = ahead
                        yield None
                    case PrefixReuse(reused):
                        state.explain_reuse(reused)
                    case text:
                        state.ahead = 0
                        if state.first_token_ms is None:
                            state.first_token_ms = state.elapsed_ms()
                        yield from parser.feed(text)
        except ModelMissing as error:
            self._lose_model(state, error)
            return
        except ModelFailed as error:
            state.notes.append(f"Finished with quotes only: {error}")
            return
        if not stop():
            yield from parser.close()

    def _lose_model(self, state: AnswerState, error: ModelMissing) -> None:
        """Go on with quotes only, from this question on, and say so."""
        self._model.lose(state.generator, str(error))
        state.generator = None
        state.notes.append(f"Answered with quotes only: {error}")
