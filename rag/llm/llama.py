"""A GGUF model loaded into this process by llama.cpp: `Llama`. The only import of llama_cpp.

`rag.llm.model_worker` runs it in a process of its own: when it crashes, so does its process.
"""

from __future__ import annotations

import codecs
import ctypes
import re
import time
from collections import deque
from collections.abc import Iterator, Sequence
from functools import cache
from pathlib import Path
from threading import Event
from typing import Any
from weakref import finalize

from index.errors import ModelMissing
from rag.llm import budget
from rag.llm.chat_format import IM_END, IM_START, chatml
from rag.llm.generator import Message, PrefixReuse
from rag.llm.grammar import is_complete, repeats, says_again
from rag.llm.weights.model_files import SMALL_MODEL_BYTES, one_line, unusable

_YES, _NO = ("Yes", "yes", "YES"), ("No", "no", "NO")
_LOG_ERROR = 4  # `GGML_LOG_LEVEL_ERROR`


class Llama:
    """One loaded model and its cache. Not thread-safe, except `encode` and `prompt`.

    Written on llama.h's own functions rather than on the package's `Llama` class, which points the
    whole process's stdout at /dev/null while it loads, compiles the template in the model file,
    and tests every word of the vocabulary against the grammar for every token it writes.
    """

    def __init__(
        self, path: Path, threads: int, context_tokens: int, gpu_layers: int | None = 0
    ) -> None:
        """Load a model.

        Args:
            path: a GGUF file.
            threads: cores for it.
            context_tokens: tokens of prompt and answer together.
            gpu_layers: layers that run on a GPU; None is all where llama.cpp was built for one.

        Raises:
            ModelMissing: when llama.cpp cannot run the file.
        """
        api, log, _ = _llama_cpp()
        self._api = api
        log.clear()
        settings = api.llama_model_default_params()
        settings.n_gpu_layers = layers = layers_on_gpu(gpu_layers)
        self._chunk = budget.chunk_tokens(layers)
        # what llama.cpp stores anew for this CPU would stay in memory twice; of a large model the
        # system may rather drop what it has mapped than run out
        if path.is_file() and path.stat().st_size < SMALL_MODEL_BYTES:
            settings.load_mode = api.LLAMA_LOAD_MODE_NONE
        self._model = api.llama_model_load_from_file(str(path).encode(), settings)
        if not self._model:
            raise unusable(path, _why(log, layers))
        settings = api.llama_context_default_params()
        settings.n_ctx = context_tokens
        settings.n_batch = settings.n_ubatch = self._chunk
        settings.n_threads = settings.n_threads_batch = threads
        self._context = api.llama_init_from_model(self._model, settings)
        finalize(self, _free, api, self._model, self._context)
        if not self._context:
            raise unusable(path, _why(log, layers))
        self._vocab = api.llama_model_get_vocab(self._model)
        self._read: list[int] = []  # the whole chunks of a prompt that are in the cache

    def encode(self, text: str) -> list[int]:
        """The ids of plain text: control tokens spelled out in it stay text."""
        return self._tokenize(text, special=False)

    def prompt(self, messages: Sequence[Message]) -> list[int]:
        """The prompt in the model's own chat format."""
        start, end = (self._tokenize(mark, special=True) for mark in (IM_START, IM_END))
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
    ) -> Iterator[PrefixReuse | str]:
        """How much of the prompt need not be read, then pieces of text.

        Each token is the likeliest that the grammar allows, or the likeliest of all where the
        grammar is empty. A prompt is read in chunks that begin at the same places whatever was
        asked before, so the same prompt gives the same text on the same machine.
        """
        api = self._api
        if not grammar:
            yield from self._write(prompt, None, max_tokens, cancelled)
            return
        sampler = api.llama_sampler_init_grammar(self._vocab, grammar.encode(), b"root")
        if not sampler:
            raise RuntimeError(f"llama.cpp cannot read this grammar:\n{grammar}")
        try:
            yield from self._write(prompt, sampler, max_tokens, cancelled)
        finally:
            api.llama_sampler_free(sampler)

    def _write(
        self, prompt: Sequence[int], sampler: Any, max_tokens: int, cancelled: Event
    ) -> Iterator[PrefixReuse | str]:
        decoder = codecs.getincrementaldecoder("utf-8")("replace")  # a letter may be many tokens
        text, tokens = "", list[int]()
        kept = self._keep_shared(prompt)
        yield PrefixReuse(reused=kept)
        ready = self._take_in(prompt, kept, cancelled)
        while ready and not cancelled.is_set() and len(tokens) < max_tokens:
            if tokens:
                self._eval(tokens[-1:])
            token = self._likeliest(sampler)
            if self._api.llama_vocab_is_eog(self._vocab, token):
                return
            if sampler:
                self._api.llama_sampler_accept(sampler, token)
            tokens.append(token)
            piece = decoder.decode(self._spelling(token))
            text += piece
            if piece:
                yield piece
            said_all = is_complete(text) if sampler else says_again(text)
            if said_all or repeats(tokens):
                return

    def log_odds(self, prompt: Sequence[int], cancelled: Event) -> float | None:
        """How much likelier a yes than a no is as the next word, in nats; None when cancelled."""
        import numpy as np

        if not self._take_in(prompt, self._keep_shared(prompt), cancelled):
            return None
        size = self._api.llama_vocab_n_tokens(self._vocab)
        row = self._api.llama_get_logits_ith(self._context, -1)
        logits = np.ctypeslib.as_array(row, (size,)).astype(np.float64)
        yes, no = (
            np.logaddexp.reduce(logits[sorted({self.encode(word)[0] for word in words})])
            for words in (_YES, _NO)
        )
        return float(yes - no)

    def read(self, prompt: Sequence[int]) -> None:
        """Take a prompt in and write nothing."""
        self._take_in(prompt, self._keep_shared(prompt), Event())

    def _keep_shared(self, prompt: Sequence[int]) -> int:
        """Clear the cache but for the chunks that the prompt shares with the one before.

        Returns:
            Tokens at the prompt's beginning that are still there.
        """
        api, before_last = self._api, list(prompt[:-1])
        kept = 0
        while before_last[kept:][: self._chunk] == self._read[kept:][: self._chunk] != []:
            kept += self._chunk
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
        for start in [*range(kept, last, self._chunk), last]:
            if cancelled.is_set():
                return False
            chunk = prompt[start : min(start + self._chunk, last) if start < last else None]
            self._eval(chunk)
            if len(chunk) == self._chunk:
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
        """The likeliest next token that the grammar, if there is one, allows.

        Looking at all 49,152 takes as long as computing them (15 ms), and the likeliest of all is
        mostly allowed: it is looked at first, alone.
        """
        import numpy as np

        api = self._api
        size = api.llama_vocab_n_tokens(self._vocab)
        logits = np.ctypeslib.as_array(api.llama_get_logits_ith(self._context, -1), (size,))
        if not sampler:
            return int(logits.argmax())
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


def quantize(path: Path, into: Path, variant: str) -> None:
    """Write a model with its weights stored in another way; RuntimeError when it cannot.

    Args:
        path: a GGUF file.
        into: the file to write.
        variant: `Q4_0` or `Q8_0`.
    """
    api, log, _ = _llama_cpp()
    settings = api.llama_model_quantize_default_params()
    settings.ftype = getattr(api, f"LLAMA_FTYPE_MOSTLY_{variant}")
    settings.allow_requantize = True
    settings.nthread = 1
    paths = (str(path).encode(), str(into).encode())
    if api.llama_model_quantize(*paths, ctypes.byref(settings)):
        raise RuntimeError(f"cannot make {variant} of {str(path)!r}: {log[-1] if log else '?'}")


def reading_speed(path: Path, threads: int, gpu_layers: int | None = 0) -> float:
    """Tokens of prompt a second that a model reads here, the better of two times."""
    chunk = budget.chunk_tokens(layers_on_gpu(gpu_layers))
    llama, prompt = Llama(path, threads, 4 * chunk, gpu_layers), list(range(100, 100 + 2 * chunk))
    llama.read(prompt[:chunk])  # the first time, weights are still on their way
    best = 0.0
    for first in range(2):
        began = time.perf_counter()
        llama.read([first, *prompt])
        best = max(best, len(prompt) / (time.perf_counter() - began))
    return best


def layers_on_gpu(wanted: int | None) -> int:
    """How many layers of a model run on a GPU here; see `rag.llm.budget`."""
    api, *_ = _llama_cpp()
    return budget.gpu_layers(wanted, offloads=bool(api.llama_supports_gpu_offload()))


def instructions() -> str:
    """Which of this CPU's instructions llama.cpp uses: what its speeds depend on."""
    api, *_ = _llama_cpp()
    names: bytes = api.llama_print_system_info()
    return names.decode("utf-8", "replace")


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
            f"llama-cpp-python does not start ({one_line(error)}): reinstall it with: "
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


def _why(log: Sequence[str], layers: int) -> str:
    """Why llama.cpp did not load a model: the last it said, and what helps where a GPU is full."""
    why = log[-1] if log else "llama.cpp does not say why"
    return f"{why} (fewer layers on the GPU: --gpu-layers N, 0 for none)" if layers else why


def _free(api: Any, model: Any, context: Any) -> None:
    if context:
        api.llama_free(context)
    api.llama_model_free(model)
