"""The language model that writes: `Generator`, and what all of ours have in common.

`rag.llm.llama` runs one in this process, `rag.llm.client` in a process of its own. The model is
asked for lines of `[id] statement`, pointer first, and a grammar lets it write nothing else. What
it states is not believed here: `rag.grounding.citations` checks it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from importlib import util
from queue import Empty, SimpleQueue
from threading import Event, Thread
from typing import Protocol, TypedDict

from rag.errors import ModelFailed, ModelMissing
from rag.llm import gguf
from rag.llm.grammar import pointer_grammar
from rag.llm.model_files import ModelFile, unusable
from rag.llm.queue import FairLock, QueuePosition
from rag.llm.tokenizer import Tokenizer, load_tokenizer

IM_START, IM_END = "<|im_start|>", "<|im_end|>"
_POLL = 0.05  # seconds between two looks at `stop` while the model is busy


# Bytes of weights. Below about half a billion parameters a model puts words together that no
# sentence supports: SmolLM2-135M made "strong and weak forces" into "the electromagnetic force".
SMALL = 400_000_000
CONTEXT = 1280
"""Tokens of prompt and answer together: the examples, twice `prompt.TOKENS` (a follow-up), the
answer and room to spare. Each costs 23 kB of memory with the packaged model."""


class Message(TypedDict):
    """One turn of the conversation with the model; `role` is system, user or assistant."""

    role: str
    content: str


@dataclass(frozen=True, slots=True)
class PrefixReuse:
    """How a model comes by a prompt."""

    reused: int
    """Tokens at its beginning that are in the model's cache from the prompt before."""


class Generator(Protocol):
    """Whatever turns messages into pointer-first lines."""

    name: str
    """As shown to people: `SmolLM2-135M-Instruct`."""
    context_tokens: int
    """Tokens of prompt and answer together."""
    small: bool
    """Whether it is too small to be trusted with words of its own: it may shorten a sentence."""

    def load(self) -> None:
        """Make ready, so that the first answer need not wait; may go on after it returns."""

    def count(self, messages: Sequence[Message]) -> int:
        """Tokens of the prompt that these messages make, chat markup included."""

    def count_text(self, text: str) -> int:
        """Tokens of a text on its own."""

    def stream(
        self,
        messages: Sequence[Message],
        *,
        ids: Sequence[int],
        max_tokens: int,
        stop: Callable[[], bool] | None = None,
        on_prompt: Callable[[PrefixReuse], None] | None = None,
    ) -> Iterator[str]:
        r"""Pieces of one to three lines `[id] statement\n`, each id one of `ids`.

        The last line is cut short when `max_tokens` is reached or `stop()` turns true. `on_prompt`
        is called before the first piece, by a generator that keeps a cache. A piece is empty, and
        a `QueuePosition`, whenever another number of answers comes before this one.
        """


def chatml(
    messages: Sequence[Message], encode: Callable[[str], list[int]], start: int, end: int
) -> list[int]:
    """The prompt in ChatML, the chat format of SmolLM2, Qwen and many others, as token ids.

    `encode` must make plain text of everything it is given and the markers are added by id: a
    document that spells out `<|im_end|>` cannot end its own turn. Nor is the template inside the
    model file run: it is somebody else's program.
    """
    prompt = []
    for message in messages:
        prompt += [start, *encode(f"{message['role']}\n{message['content']}"), end, *encode("\n")]
    return [*prompt, start, *encode("assistant\n")]


class Engine(Protocol):
    """A loaded model as `ChatGenerator` needs it. Only `encode` and `prompt` are thread-safe."""

    def encode(self, text: str) -> list[int]:
        """The ids of plain text: control tokens spelled out in it stay text."""
        ...

    def prompt(self, messages: Sequence[Message]) -> list[int]:
        """The prompt in the model's own chat format."""
        ...

    def write(
        self, prompt: Sequence[int], grammar: str, max_tokens: int, cancelled: Event
    ) -> Iterator[PrefixReuse | str]:
        """What it takes to read the prompt, then pieces of text.

        Each token is the likeliest that the grammar allows.
        """
        ...


class ChatGenerator:
    """Messages in, pieces of text out. Usable from many threads; writes one answer at a time.

    Tokens are counted here, where `rag.llm.tokenizer` can; whatever else a model does is its engine's.
    Raises `ModelMissing` at once when llama-cpp-python is not installed.
    """

    _leave_behind = False
    """Whether this program may end while the engine is at work."""

    def __init__(self, model: ModelFile, context_tokens: int) -> None:
        if util.find_spec("llama_cpp") is None:
            raise ModelMissing(
                "llama-cpp-python is not installed. Install it with: pip install llama-cpp-python "
                "(it compiles for some minutes)"
            )
        self.name = model.name
        self.context_tokens = context_tokens
        self.small = model.path.is_file() and model.path.stat().st_size < SMALL
        self._model = model
        self._turns = FairLock()  # one Llama is not thread-safe

    def load(self) -> None:
        """Make ready to write: see to whatever the first answer would wait for."""
        self._engine()

    def count(self, messages: Sequence[Message]) -> int:
        """Tokens of the prompt; does not load a model that speaks ChatML."""
        return len(self._prompt(messages))

    def count_text(self, text: str) -> int:
        """Tokens of a text on its own; does not load a model whose vocabulary we can read."""
        return len(self._encode(text))

    def stream(
        self,
        messages: Sequence[Message],
        *,
        ids: Sequence[int],
        max_tokens: int,
        stop: Callable[[], bool] | None = None,
        on_prompt: Callable[[PrefixReuse], None] | None = None,
    ) -> Iterator[str]:
        r"""Pieces of one to three lines `[id] statement\n`; see `Generator.stream`.

        `stop` and `on_prompt` are called in the caller's thread, `stop` also while the prompt is
        read or another answer is being written. Writing also stops when the model only repeats
        itself.

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
        return self._relay(prompt, pointer_grammar(ids), min(max_tokens, room), stop, on_prompt)

    def _relay(
        self,
        prompt: list[int],
        grammar: str,
        max_tokens: int,
        stop: Callable[[], bool] | None,
        on_prompt: Callable[[PrefixReuse], None] | None,
    ) -> Iterator[str]:
        """What a thread of its own writes.

        The thread, not the caller, holds the model: a caller that loses interest in the middle of
        an answer and never comes back cannot keep everyone else waiting.
        """
        pieces: SimpleQueue[PrefixReuse | str | Exception | None] = SimpleQueue()
        cancelled = Event()
        turn, ahead = self._turns.join(), 0

        def write() -> None:
            try:
                if turn.come():
                    for piece in self._engine().write(prompt, grammar, max_tokens, cancelled):
                        pieces.put(piece)
                pieces.put(None)
            except Exception as error:  # goes on in the caller's thread
                pieces.put(error)
            finally:
                turn.end()

        try:
            Thread(target=write, name="pilcrow-writer", daemon=self._leave_behind).start()
        except RuntimeError:  # the system starts no more threads
            turn.end()
            raise
        try:
            while stop is None or not stop():
                try:
                    piece = pieces.get(timeout=_POLL)
                except Empty:
                    if turn.ahead != ahead:
                        yield QueuePosition(ahead := turn.ahead)
                    continue
                if piece is None:
                    return
                if isinstance(piece, Exception):
                    raise piece
                if isinstance(piece, str):
                    yield piece
                elif on_prompt is not None:
                    on_prompt(piece)
        finally:
            cancelled.set()
            turn.give_up()

    def _prompt(self, messages: Sequence[Message]) -> list[int]:
        tokenizer = self._tokenizer
        if tokenizer is not None and {IM_START, IM_END} <= tokenizer.control.keys():
            start, end = tokenizer.control[IM_START], tokenizer.control[IM_END]
            bos = [] if tokenizer.bos is None else [tokenizer.bos]
            return [*bos, *chatml(messages, tokenizer.encode, start, end)]
        return self._engine().prompt(messages)

    def _encode(self, text: str) -> list[int]:
        return self._tokenizer.encode(text) if self._tokenizer else self._engine().encode(text)

    @cached_property
    def _tokenizer(self) -> Tokenizer | None:
        try:
            return load_tokenizer(self._model.path)
        except (gguf.GgufError, OSError) as error:  # sound when found, gone or changed since
            raise unusable(self._model.path, error) from None

    def _engine(self) -> Engine:
        raise NotImplementedError
