"""The language model in a process of its own, watched over by this one.

llama.cpp ends the process it runs in when a check of its own fails, may hang, and takes as much
memory as the model is large. Here that costs one answer: the process is ended and started again
for the next question.
"""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from threading import Event, Lock
from typing import NoReturn

from index.system.subprocesses import Empty, Message, WorkerExited, WorkerProcess
from rag.errors import ModelFailed, ModelMissing
from rag.llm.generator import CONTEXT, ChatGenerator, Engine, PrefixReuse
from rag.llm.generator import Message as Turn
from rag.llm.model_files import ModelFile

DEADLINE = 120.0
"""Seconds for one answer, loading included; the default model takes three to ten."""
_GRACE = 0.8  # seconds in which a model stops when asked to, before its process is ended
_POLL = 0.05
_COUNTING = 10.0
"""Seconds in which a loaded model makes a prompt of a conversation, which takes milliseconds; the
template in its file is a program, and one that is not done by then never will be."""
_FALLS = 3  # crashes in a row after which the model stays off
_LONGEST = 50_000_000  # bytes of one message
_CHARACTERS_PER_TOKEN = 2  # few, so that an estimate is rather too high


class LlamaClient(ChatGenerator):
    """A GGUF model on llama.cpp in a child process, which ends with this one.

    As `LlamaGenerator`: the same messages give the same text. A crash, a hang or an answer that
    takes too long raises `ModelFailed`, and the next question finds a new process. After three
    such in a row, and when the file is no model that can be run, it is `ModelMissing`.
    """

    _leave_behind = True

    def __init__(
        self,
        model: ModelFile,
        *,
        threads: int,
        context_tokens: int = CONTEXT,
        deadline: float = DEADLINE,
        counting: float = _COUNTING,
        worker: str = "rag.llm.model_worker",
    ) -> None:
        super().__init__(model, context_tokens)
        self._process = ModelProcess(model, threads, context_tokens, deadline, counting, worker)

    def count(self, messages: Sequence[Turn]) -> int:
        """Tokens of the prompt; an estimate on the high side when the process cannot say."""
        try:
            return super().count(messages)
        except ModelFailed:
            return sum(_estimate(message["content"]) for message in messages)

    def count_text(self, text: str) -> int:
        """Tokens of a text on its own; an estimate as in `count`."""
        try:
            return super().count_text(text)
        except ModelFailed:
            return _estimate(text)

    def load(self) -> None:
        """Start the process, which loads the model while this one does other things."""
        self._process.start()

    def close(self) -> None:
        """End the process; the next question would start another."""
        self._process.close()

    def _engine(self) -> Engine:
        return self._process


class ModelProcess:
    """An `Engine` that lives in a child process."""

    def __init__(
        self,
        model: ModelFile,
        threads: int,
        context_tokens: int,
        deadline: float,
        counting: float,
        worker: str,
    ) -> None:
        """Prepare; nothing is started.

        Args:
            model: the file to load.
            threads: cores for it.
            context_tokens: tokens of prompt and answer together.
            deadline: seconds for one answer.
            counting: seconds for the tokens of one text or conversation, once it is loaded.
            worker: the module whose `main` the process runs.
        """
        self._model = model
        self._arguments = [str(model.path), str(threads), str(context_tokens), model.sha256]
        self._deadline = deadline
        self._longest_count = counting
        self._worker = worker
        self._guard = Lock()  # of the three below
        self._child: WorkerProcess | None = None
        self._falls = 0
        self._off = ""
        self._counting = Lock()  # one count at a time; `ChatGenerator` sees to one text at a time

    def start(self) -> None:
        """Start the process unless it runs.

        Raises:
            ModelMissing: after too many crashes.
            ModelFailed: when the system starts no more processes.
        """
        self._ready()

    def close(self) -> None:
        """End the process."""
        with self._guard:
            child, self._child = self._child, None
        if child is not None:
            child.end()

    @property
    def pid(self) -> int | None:
        """The process's id, None when it does not run."""
        child = self._child
        return child.pid if child is not None and child.alive else None

    def encode(self, text: str) -> list[int]:
        """The ids of plain text; see `Engine`."""
        return self._tokens({"text": text})

    def prompt(self, messages: Sequence[Turn]) -> list[int]:
        """The prompt in the model's own chat format; see `Engine`."""
        return self._tokens({"messages": list(messages)})

    def write(
        self, prompt: Sequence[int], grammar: str, max_tokens: int, cancelled: Event
    ) -> Iterator[PrefixReuse | str]:
        """What it takes to read the prompt, then pieces of text; see `Engine`.

        Ends within a second when `cancelled` is set: the model is asked to stop, and when it does
        not hear, its process is ended.
        """
        if cancelled.is_set():
            return
        child = self._ready()
        job = {"prompt": list(prompt), "grammar": grammar, "max_tokens": max_tokens}
        child.send({"do": "write", **job})
        pieces = 0
        for message in self._written(child, cancelled):
            if "piece" in message and pieces < max_tokens:
                pieces += 1
                yield str(message["piece"])
            elif "reused" in message:
                yield PrefixReuse(int(message["reused"]))
            elif "done" in message:
                self._falls = 0
            elif "begun" not in message:
                self._complain(child, message)

    def _written(self, child: WorkerProcess, cancelled: Event) -> Iterator[Message]:
        """What the child says until it is done, in time; it stops early when asked to."""
        end = time.monotonic() + self._deadline
        begun = late = stopping = False
        while True:
            if not stopping and (cancelled.is_set() or time.monotonic() > end):
                late, stopping = not cancelled.is_set(), True
                child.send({"do": "cancel"})
                # one that still loads the model goes on with that: the next question needs it too
                end = time.monotonic() + _GRACE if begun or late else end
            try:
                message = child.receive(_POLL, "written")
            except Empty:
                message = {}
            except WorkerExited as gone:
                if stopping and not late:
                    self._drop(child)
                    return
                self._fall(child, _how(gone, self._model.path))
            if "begun" in message:
                begun = True
                end = time.monotonic() + _GRACE if stopping else end
            if message and not (stopping and "piece" in message):
                yield message
            if "done" in message:
                break
            if stopping and time.monotonic() > end:
                if late:
                    self._fall(child, f"it did not answer within {self._deadline:.0f} s")
                self._drop(child)
                return
        if late:
            raise ModelFailed(
                f"the language model was not done after {self._deadline:.0f} s and was stopped; "
                "a smaller one is faster (--model)"
            )

    def _tokens(self, request: Message) -> list[int]:
        with self._counting:
            child = self._ready()
            child.send({"do": "tokens", **request})
            message = self._counted(child, self._deadline)
            if message is not None and "begun" in message:
                message = self._counted(child, self._longest_count)
                if message is None:
                    self._give_up(child)
            if message is None:
                self._fall(child, f"it did not answer within {self._deadline:.0f} s")
            if "tokens" not in message:
                self._complain(child, message)
            return [int(token) for token in message["tokens"]]

    def _counted(self, child: WorkerProcess, seconds: float) -> Message | None:
        try:
            return child.receive(seconds, "tokens")
        except Empty:
            return None
        except WorkerExited as gone:
            self._fall(child, _how(gone, self._model.path))

    def _give_up(self, child: WorkerProcess) -> NoReturn:
        """A model whose chat format never ends is never asked again."""
        with self._guard:
            self._off = (
                f"the chat template in {str(self._model.path)!r} does not come to an end: choose "
                "another language model with --model"
            )
        self._drop(child)
        raise ModelMissing(self._off)

    def _ready(self) -> WorkerProcess:
        with self._guard:
            if self._off:
                raise ModelMissing(self._off)
            if self._child is not None and not self._child.alive:
                self._child.end()  # it died between two answers, or we are a fork of its owner
                self._child = None
            if self._child is None:
                try:
                    self._child = WorkerProcess(
                        self._worker,
                        self._arguments,
                        channels=("written", "tokens"),
                        longest=_LONGEST,
                    )
                except OSError as error:
                    raise ModelFailed(
                        f"the language model's process cannot be started ({error.strerror}): "
                        "close other programs and ask again"
                    ) from None
            return self._child

    def _complain(self, child: WorkerProcess, message: Message) -> NoReturn:
        """The child's own words for what went wrong."""
        if "missing" in message:
            self._drop(child)
            raise ModelMissing(str(message["missing"]))
        trace = RuntimeError(str(message.get("trace", "it wrote more than it was asked for")))
        self._fall(child, f"it failed: {message.get('failed', trace)}", trace)

    def _fall(self, child: WorkerProcess, how: str, cause: Exception | None = None) -> NoReturn:
        """End a child that crashed or hung, count that, and say so."""
        with self._guard:
            if self._child is child:  # else somebody else saw it before
                self._falls += 1
                if self._falls >= _FALLS:
                    self._off = (
                        f"the language model failed {self._falls} times in a row (last: {how}) and "
                        "stays off until Pilcrow is started again; another one: --model"
                    )
        self._drop(child)
        if self._off:
            raise ModelMissing(self._off) from cause
        raise ModelFailed(
            f"the language model failed ({how}); it is started again for the next question"
        ) from cause

    def _drop(self, child: WorkerProcess) -> None:
        with self._guard:
            if self._child is child:
                self._child = None
        child.end()


def _how(gone: WorkerExited, model: Path) -> str:
    """How a child ended, in one line, with what to do where something can be done."""
    if str(gone).endswith("SIGKILL"):
        needed, free = model.stat().st_size if model.is_file() else 0, _free_memory()
        if free is not None and needed:
            return (
                f"{gone}: out of memory? its file has {needed / 1e9:.1f} GB and {free / 1e9:.1f} "
                "GB are free; a smaller one: --model"
            )
    last = gone.last_words.splitlines()[-1:]
    return " ".join(f"{gone}{': ' if last else ''}{''.join(last)}".split())[:300]


def _free_memory() -> int | None:
    """Bytes of memory that a new program could have; None where the system does not say."""
    try:
        lines = Path("/proc/meminfo").read_text(encoding="ascii").splitlines()
        field = next(line for line in lines if line.startswith("MemAvailable:"))
        return int(field.split()[1]) * 1024
    except (OSError, ValueError, IndexError, StopIteration):
        return None


def _estimate(text: str) -> int:
    return len(text.encode("utf-8", "replace")) // _CHARACTERS_PER_TOKEN + 1
