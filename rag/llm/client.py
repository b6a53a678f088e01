"""A GGUF model that answers one at a time: the queue, token counts, and the stream of pieces.

Tokens are counted in this process where `rag.llm.tokenizer` can; whatever else a model does happens
in a process of its own (`rag.llm.model_process`).
"""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from importlib import util
from queue import SimpleQueue
from statistics import median
from threading import Event, Thread

from index.errors import ModelFailed, ModelMissing
from rag.llm import budget
from rag.llm.catalogue.folder import ModelFolder, Speed, models_folder
from rag.llm.chat_format import IM_END, IM_START, chatml
from rag.llm.current import ModelChoice
from rag.llm.generator import Message, Piece, PrefixReuse
from rag.llm.grammar import pointer_grammar
from rag.llm.model_process import COUNTING_SECONDS, DEADLINE, ModelProcess, free_memory
from rag.llm.prompt import LIMITS as SMALL
from rag.llm.queue import FairLock, received
from rag.llm.server_model import PREFIX, ServerChoice, ServerModel
from rag.llm.tokenizer import Tokenizer, load_tokenizer
from rag.llm.weights import gguf
from rag.llm.weights.model_files import SMALL_MODEL_BYTES, ModelFile, find_model, unusable
from rag.settings import load_settings

CONTEXT_TOKENS = 1280
"""Tokens of prompt and answer together: the examples, twice `prompt.LIMITS.prompt_tokens` (a
follow-up), the answer and room to spare. Each costs 23 kB of memory with the packaged model."""
_FIXED_TOKENS = 420
"""Of a capable model's context, for the instructions, the question and the answer."""
_SPEEDS_KEPT = 5
_TIMED_TOKENS = 100
"""Tokens that a prompt must have to tell how fast it is read."""
_TIMED_PIECES = 20
"""Tokens after the first that tell how fast it writes."""
_BYTES_PER_TOKEN = 2
"""Few, so that an estimate is rather too high."""


@dataclass(frozen=True, slots=True)
class _Odds:
    """A judgement; None when it was cancelled."""

    value: float | None


_Handed = PrefixReuse | str | _Odds
_Pieces = SimpleQueue[_Handed | Exception | None]
"""What the writing thread hands over; None is the end."""


class LlamaClient:
    """A GGUF model on llama.cpp in a child process, which ends with this one.

    Usable from many threads; one answer is written at a time. Always takes the likeliest token, so
    the same messages give the same text on the same machine. A crash, a hang or an answer that
    takes too long raises `ModelFailed`, and the next question finds a new process. After three
    such in a row, and when the file is no model that can be run, it is `ModelMissing`.
    """

    def __init__(
        self,
        model: ModelFile,
        *,
        threads: int,
        context_tokens: int | None = None,
        reading: float | None = None,
        deadline: float = DEADLINE,
        counting: float = COUNTING_SECONDS,
        worker: str = "rag.llm.model_worker",
        gpu_layers: int | None = None,
        most_threads: int = 0,
    ) -> None:
        """Prepare; nothing is started or loaded.

        Args:
            model: the file to load.
            threads: cores for it.
            context_tokens: tokens of prompt and answer together; None is what suits the model.
            reading: tokens a second that it was measured to read here; None when it never was.
            deadline: seconds for one answer.
            counting: seconds for the tokens of one text or conversation, once it is loaded.
            worker: the module whose `main` the process runs.
            gpu_layers: layers that run on a GPU; None is all, where llama.cpp was built for one.
            most_threads: cores for it while that is faster.

        Raises:
            ModelMissing: when llama-cpp-python is not installed.
        """
        if util.find_spec("llama_cpp") is None:
            raise ModelMissing(
                "llama-cpp-python is not installed. Install it with: pip install "
                "pilcrow-rag[model] (it compiles for some minutes)"
            )
        self.name = model.name
        self.small = model.path.is_file() and model.path.stat().st_size < SMALL_MODEL_BYTES
        self.context_tokens = context_tokens = context_tokens or _context_for(model, self.small)
        self._speeds = deque([reading] if reading else [], maxlen=_SPEEDS_KEPT)
        self._writing = deque[float](maxlen=_SPEEDS_KEPT)
        self._threads = threads
        self._model = model
        self._process = ModelProcess(
            model, threads, context_tokens, deadline, counting, worker, gpu_layers, most_threads
        )
        self._lock = FairLock()  # a loaded model writes one text at a time

    @property
    def prompt_tokens(self) -> int:
        """Tokens of sources worth reading here for one answer; see `rag.llm.budget`."""
        if self.small:
            return SMALL.prompt_tokens
        return budget.prompt_tokens(tuple(self._speeds), self.context_tokens, _FIXED_TOKENS)

    @property
    def speed(self) -> Speed | None:
        """How fast it was here the last times, medians; None before it has written anything."""
        reading, writing = tuple(self._speeds), tuple(self._writing)
        if not (reading and writing):
            return None
        return Speed(median(reading), median(writing), self._threads)

    def load(self) -> None:
        """Start the process, which loads the model while this one does other things."""
        self._process.start()

    def close(self) -> None:
        """End the process; the next question would start another."""
        self._process.close()

    def count(self, messages: Sequence[Message]) -> int:
        """Tokens of the prompt; an estimate on the high side when the process cannot say.

        Does not load a model that speaks ChatML.
        """
        try:
            return len(self._prompt(messages))
        except ModelFailed:
            return sum(_estimate(message["content"]) for message in messages)

    def count_text(self, text: str) -> int:
        """Tokens of a text on its own; an estimate as in `count`.

        Does not load a model whose vocabulary we can read.
        """
        tokenizer = self._tokenizer
        try:
            return len(tokenizer.encode(text) if tokenizer else self._process.encode(text))
        except ModelFailed:
            return _estimate(text)

    def stream(
        self,
        messages: Sequence[Message],
        *,
        ids: Sequence[int],
        max_tokens: int,
        stop: Callable[[], bool] | None = None,
    ) -> Iterator[Piece]:
        r"""Pieces of prose, or of one to three lines `[id] statement\n`; see `Generator.stream`.

        `stop` is called in the caller's thread, also while the prompt is read or another answer is
        being written. Writing also stops when the model only repeats itself.

        Raises:
            ModelFailed: at once, when the prompt does not fit the context.
            ModelMissing: when the model cannot be loaded.
        """
        prompt = self._prompt(messages)
        room = self.context_tokens - len(prompt)
        if room < 1:
            raise ModelFailed(
                f"the prompt has {len(prompt):,} tokens and the context of {self.name} is "
                f"{self.context_tokens:,}: ask more briefly"
            )
        grammar = pointer_grammar(ids) if ids else ""
        most = min(max_tokens, room)

        def written(cancelled: Event) -> Iterator[_Handed]:
            yield from self._process.write(prompt, grammar, most, cancelled)

        return self._timed(prompt, self._relay(written, stop))

    def log_odds(
        self, messages: Sequence[Message], stop: Callable[[], bool] | None = None
    ) -> float | None:
        """How much likelier a yes than a no is as the first word; see `Generator.log_odds`.

        Raises:
            ModelFailed: when the model fails at it.
            ModelMissing: when it cannot be loaded.
        """
        prompt = self._prompt(messages)
        if len(prompt) >= self.context_tokens:
            return None

        def judged(cancelled: Event) -> Iterator[_Handed]:
            yield _Odds(self._process.log_odds(prompt, cancelled))

        found = [one.value for one in self._relay(judged, stop) if isinstance(one, _Odds)]
        return found[-1] if found else None

    def _timed(self, prompt: Sequence[int], pieces: Iterator[Piece | _Odds]) -> Iterator[Piece]:
        """The pieces, while how fast the prompt is read and they are written is remembered.

        A prompt that was not read in time was read at most so fast: the next one is shorter.
        """
        began, unread, written = 0.0, 0, -1
        while True:
            try:
                piece = next(pieces)
            except StopIteration:
                return
            except ModelFailed:
                if unread >= _TIMED_TOKENS and written < 0:
                    self._speeds.append(unread / max(time.perf_counter() - began, 1e-6))
                raise
            if isinstance(piece, PrefixReuse):
                began, unread = time.perf_counter(), len(prompt) - piece.reused
            elif isinstance(piece, str):
                now = time.perf_counter()
                if written < 0:  # the first one waits for the prompt
                    if unread >= _TIMED_TOKENS:
                        self._speeds.append(unread / max(now - began, 1e-6))
                    began = now
                written += 1
                if written == _TIMED_PIECES:
                    self._writing.append(written / max(now - began, 1e-6))
            if not isinstance(piece, _Odds):
                yield piece

    def _relay(
        self, produce: Callable[[Event], Iterator[_Handed]], stop: Callable[[], bool] | None
    ) -> Iterator[Piece | _Odds]:
        """What a thread of its own hands over.

        The thread, not the caller, holds the model: a caller that loses interest in the middle of
        an answer and never comes back cannot keep everyone else waiting.
        """
        pieces: _Pieces = SimpleQueue()
        cancelled = Event()
        ticket = self._lock.join()

        def write() -> None:
            try:
                if ticket.wait():
                    for piece in produce(cancelled):
                        pieces.put(piece)
                pieces.put(None)
            except Exception as error:  # goes on in the caller's thread
                pieces.put(error)
            finally:
                ticket.end()

        try:
            Thread(target=write, name="pilcrow-writer", daemon=True).start()
        except RuntimeError:  # the system starts no more threads
            ticket.end()
            raise
        try:
            yield from received(pieces, ticket, stop)
        finally:
            cancelled.set()
            ticket.give_up()

    def _prompt(self, messages: Sequence[Message]) -> list[int]:
        tokenizer = self._tokenizer
        if tokenizer is not None and {IM_START, IM_END} <= tokenizer.control.keys():
            start, end = tokenizer.control[IM_START], tokenizer.control[IM_END]
            bos = [] if tokenizer.bos is None else [tokenizer.bos]
            return [*bos, *chatml(messages, tokenizer.encode, start, end)]
        return self._process.prompt(messages)

    @cached_property
    def _tokenizer(self) -> Tokenizer | None:
        try:
            return load_tokenizer(self._model.path)
        except (gguf.GgufError, OSError) as error:  # sound when found, gone or changed since
            raise unusable(self._model.path, error) from None


def _context_for(model: ModelFile, small: bool) -> int:
    """Tokens of context that suit a model; one that is not there or not sound fails later."""
    if small:
        return CONTEXT_TOKENS
    try:
        own = gguf.context_length(gguf.read(model.path))
    except (gguf.GgufError, OSError):
        own = None
    return budget.context_tokens(own, free_memory())


def _estimate(text: str) -> int:
    return len(text.encode("utf-8", "replace")) // _BYTES_PER_TOKEN + 1


def default_choice(model: str | None, threads: int, gpu_layers: int | None = None) -> ModelChoice:
    """The model to answer with, or why there is none.

    Args:
        model: a GGUF file, a name of the catalogue or `openai:MODEL@URL`; what the person made the
            default when None, else the packaged model.
        threads: cores that this process may use.
        gpu_layers: layers that run on a GPU; None is all, where llama.cpp was built for one.

    Raises:
        ModelMissing: when the file that was named is not there or no model.
        InputError: when a server is named in another form.
    """
    if model is not None and model.startswith(PREFIX):
        key = load_settings().model_key
        server = ServerModel(ServerChoice.read(model), key.get_secret_value() if key else None)
        return ModelChoice(server, named=True)
    # one core stays free for whoever asks, unless all read faster: when something else runs,
    # llama.cpp's threads spin waiting for each other (13 tokens/s on two busy cores, 53 on one)
    try:
        found = find_model(model)
        name = found.origin.removeprefix("catalogue: ")
        measured = ModelFolder(models_folder()).speeds().get(name)
        reading = measured.reading if measured else None
        client = LlamaClient(
            found,
            threads=max(1, threads - 1),
            most_threads=threads,
            reading=reading,
            gpu_layers=gpu_layers,
        )
        return ModelChoice(client, named=model is not None, let_go=client.close)
    except ModelMissing as error:
        if model is not None:
            raise
        return ModelChoice(None, missing=str(error))
