"""A GGUF model that answers one at a time: the queue, token counts, and the stream of pieces.

Tokens are counted in this process where `rag.llm.tokenizer` can; whatever else a model does happens
in a process of its own (`rag.llm.model_process`).
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from functools import cached_property
from importlib import util
from queue import Empty, SimpleQueue
from threading import Event, Thread

from index.errors import ModelFailed, ModelMissing
from rag.llm import gguf
from rag.llm.chat_format import IM_END, IM_START, chatml
from rag.llm.generator import Generator, Message, Piece, PrefixReuse, QueuePosition
from rag.llm.grammar import pointer_grammar
from rag.llm.model_files import SMALL_MODEL_BYTES, ModelFile, find_model, unusable
from rag.llm.model_process import COUNTING_SECONDS, DEADLINE, ModelProcess
from rag.llm.queue import FairLock, Ticket
from rag.llm.server_model import PREFIX, ServerChoice, ServerModel
from rag.llm.tokenizer import Tokenizer, load_tokenizer
from rag.settings import load_settings

CONTEXT_TOKENS = 1280
"""Tokens of prompt and answer together: the examples, twice `prompt.LIMITS.prompt_tokens` (a
follow-up), the answer and room to spare. Each costs 23 kB of memory with the packaged model."""
_POLL_SECONDS = 0.05
"""Between two looks at `stop` while the model is busy."""
_BYTES_PER_TOKEN = 2
"""Few, so that an estimate is rather too high."""

_Pieces = SimpleQueue[PrefixReuse | str | Exception | None]
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
        context_tokens: int = CONTEXT_TOKENS,
        deadline: float = DEADLINE,
        counting: float = COUNTING_SECONDS,
        worker: str = "rag.llm.model_worker",
    ) -> None:
        """Prepare; nothing is started or loaded.

        Args:
            model: the file to load.
            threads: cores for it.
            context_tokens: tokens of prompt and answer together.
            deadline: seconds for one answer.
            counting: seconds for the tokens of one text or conversation, once it is loaded.
            worker: the module whose `main` the process runs.

        Raises:
            ModelMissing: when llama-cpp-python is not installed.
        """
        if util.find_spec("llama_cpp") is None:
            raise ModelMissing(
                "llama-cpp-python is not installed. Install it with: pip install "
                "pilcrow-rag[model] (it compiles for some minutes)"
            )
        self.name = model.name
        self.context_tokens = context_tokens
        self.small = model.path.is_file() and model.path.stat().st_size < SMALL_MODEL_BYTES
        self._model = model
        self._process = ModelProcess(model, threads, context_tokens, deadline, counting, worker)
        self._lock = FairLock()  # a loaded model writes one text at a time

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
        r"""Pieces of one to three lines `[id] statement\n`; see `Generator.stream`.

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
        return self._relay(prompt, pointer_grammar(ids), min(max_tokens, room), stop)

    def _relay(
        self,
        prompt: list[int],
        grammar: str,
        max_tokens: int,
        stop: Callable[[], bool] | None,
    ) -> Iterator[Piece]:
        """What a thread of its own writes.

        The thread, not the caller, holds the model: a caller that loses interest in the middle of
        an answer and never comes back cannot keep everyone else waiting.
        """
        pieces: _Pieces = SimpleQueue()
        cancelled = Event()
        ticket = self._lock.join()

        def write() -> None:
            try:
                if ticket.wait():
                    for piece in self._process.write(prompt, grammar, max_tokens, cancelled):
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
            yield from _received(pieces, ticket, stop)
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


def _received(pieces: _Pieces, ticket: Ticket, stop: Callable[[], bool] | None) -> Iterator[Piece]:
    """The pieces as they come, and the place in the queue whenever that has changed."""
    ahead = 0
    while stop is None or not stop():
        try:
            piece = pieces.get(timeout=_POLL_SECONDS)
        except Empty:
            if ticket.ahead != ahead:
                ahead = ticket.ahead
                yield QueuePosition(ahead)
            continue
        if piece is None:
            return
        if isinstance(piece, Exception):
            raise piece
        yield piece


def _estimate(text: str) -> int:
    return len(text.encode("utf-8", "replace")) // _BYTES_PER_TOKEN + 1


def default_client(model: str | None, threads: int) -> tuple[Generator | None, str]:
    """The model to answer with, or None and why there is none.

    Args:
        model: a GGUF file, or `openai:MODEL@URL`; the packaged model when None.
        threads: cores that this process may use.

    Raises:
        ModelMissing: when the file that was named is not there or no model.
        InputError: when a server is named in another form.
    """
    if model is not None and model.startswith(PREFIX):
        key = load_settings().model_key
        return ServerModel(ServerChoice.read(model), key.get_secret_value() if key else None), ""
    # one core stays free for whoever asks: when all are taken, llama.cpp's threads spin waiting
    # for each other (13 tokens/s on two busy cores, 53 on one of them)
    try:
        return LlamaClient(find_model(model), threads=max(1, threads - 1)), ""
    except ModelMissing as error:
        if model is not None:
            raise
        return None, str(error)
